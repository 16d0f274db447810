"""A made-up register whose true risk is known: for the demo, the tests and the benchmarks, never for an office.

:func:`synthesise` returns the register and, apart from it, the truth: for every case and landmark the chance of passing
week 52 for one who sees everything and for one who sees what is recorded. No person, number or text in it is real.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from risk.register import Register
    from risk.synthetic.world import Law


def synthesise(
    n_cases: int,
    seed: int,
    *,
    extract_on: date | None = None,
    scenario: str = "plain",
    years: float = 5.0,
    law: Law | None = None,
    switch_on: date | None = None,
    pace: float | None = None,
    only_new: bool = False,
) -> tuple[Register, pd.DataFrame]:
    """Make a register of exactly ``n_cases`` cases, and the truth about them.

    Parameters
    ----------
    n_cases : int
        1 to 999,999.
    seed : int
        The same arguments and seed give the same bytes.
    extract_on : date, optional
        Nothing recorded on or after this day is in the register. Default: 16 November 2026.
    scenario : str
        ``plain``, ``drift`` or ``regime``; see :func:`risk.synthetic.world.make_world`.
    years : float
        Length of the window before the extract in which cases open.
    law : str, optional
        ``cap``, ``reassessment`` or ``none``; default: the law in force on the extract date.
    switch_on : date, optional
        Scenarios ``regime`` and ``drift``: the day of the change.
    pace : float, optional
        Scenario ``drift``: what the hazard of closing is multiplied by from that day on, above 0. Default: 0.85.
    only_new : bool
        Scenarios ``regime`` and ``drift``: the new law or pace holds for cases opened from that day on only.

    Returns
    -------
    register : Register
    truth : DataFrame
        One row per case and landmark (registration, weeks 4 to 39, extract) at which it was open and known; see :func:`risk.synthetic.making.truth_at`.

    Raises
    ------
    ConfigError
        When an argument cannot be used.
    """
    from risk.synthetic.making import make

    return make(
        n_cases,
        seed,
        extract_on=extract_on,
        scenario=scenario,
        years=years,
        law=law,
        switch_on=switch_on,
        pace=pace,
        only_new=only_new,
    )


__all__ = ["synthesise"]
