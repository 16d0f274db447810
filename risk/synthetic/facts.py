"""Facts that arrive: what the form, the doctor, the employer and the person tell, and on which day of absence.

``draw_facts`` gives each registered spell the days and values it *would* have; a day is NEVER when nothing comes.
``fact_table`` keeps what was recorded while the case was open and before the extract. What a fact says depends on the
hidden illness and outlook only, so the oracle can weigh it exactly.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.draws import Texts, names, pick
from risk.synthetic.scores import ILLNESSES
from risk.synthetic.world import NEVER, Floats, Ints

Flags = npt.NDArray[np.bool_]


def by_illness(some: dict[str, float], otherwise: float) -> Floats:
    """A table of chances by illness, (10,)."""
    return np.array([some.get(i, otherwise) for i in ILLNESSES])


def by_outlook(table: Mapping[str, float | tuple[float, ...]]) -> Floats:
    """A table of chances by outlook, (4,) or (4, k)."""
    return np.array([table[o] for o in fx.OUTLOOKS])


def form_never() -> Floats:
    """P(the form never comes), (10, 4) by illness and outlook: missing not at random."""
    return np.outer(by_illness({"mental": fx.FORM_NEVER_MENTAL}, 1.0), by_outlook(fx.FORM_NEVER))


def on_day(happens: Flags, day: npt.ArrayLike) -> Ints:
    """``day`` where it happens, else NEVER."""
    return np.where(happens, day, NEVER).astype(np.int64)


def draw_facts(rng: np.random.Generator, spells: pd.DataFrame) -> pd.DataFrame:
    """Days of absence (``<fact>_day``) and values of the facts that tell of illness and outlook; a frame (n,)."""
    n, delay = len(spells), spells["delay"].to_numpy()
    illness, outlook = spells["illness"].to_numpy(), spells["outlook"].to_numpy()
    with_job = spells["has_employer"].to_numpy()
    form = on_day(
        rng.random(n) >= form_never()[illness, outlook], delay + rng.integers(fx.FORM_DAYS[0], fx.FORM_DAYS[1] + 1, n)
    )
    came = form < NEVER
    tells = came & (rng.random(n) < by_illness(fx.ILLNESS_TOLD, fx.ILLNESS_TOLD_ELSE)[illness])
    gp = on_day(rng.random(n) < 0.65, np.maximum(42 + rng.integers(0, 15, n), delay + 7))
    by_form, by_gp = on_day(tells, form), on_day((gp < NEVER) & (rng.random(n) < 0.6), gp)
    injured, claim = spells["is_injury_case"].to_numpy(), spells["claim"].to_numpy()
    dismissed = rng.random(n) < by_outlook(fx.DISMISSED)[outlook]
    partial = spells["partial_day"].to_numpy()
    return pd.DataFrame(
        {
            "form_day": form,
            "illness_day": np.minimum(by_form, by_gp),
            "illness_asked": came
            & (by_gp > form),  # the form's answer, or its silence, is the first word on the illness
            "outlook_day": on_day(came & (rng.random(n) < by_outlook(fx.OUTLOOK_TOLD)[outlook]), form),
            "treatment_day": form,
            "treatment": pick(rng, by_outlook(fx.TREATMENT)[outlook]),
            "work_related_day": form,
            "work_related": rng.random(n) < by_illness(fx.WORK_RELATED, fx.WORK_RELATED_ELSE)[illness],
            "gp_day": gp,
            "gp": pick(rng, by_outlook(fx.PROGNOSIS)[outlook]),
            "statement_day": on_day(
                with_job & (rng.random(n) < 0.35), np.maximum(28 + rng.integers(0, 57, n), delay + 1)
            ),
            "statement": pick(rng, by_outlook(fx.STATEMENT)[outlook]),
            "adapted_day": on_day(with_job & (rng.random(n) < fx.JOB_ADAPTED_ANSWERED), delay + rng.integers(0, 8, n)),
            "adapted": rng.random(n) < by_outlook(fx.JOB_ADAPTED)[outlook],
            "dismissed_day": on_day(
                with_job & dismissed, np.maximum(rng.integers(*fx.DISMISSED_DAYS, n, endpoint=True), delay)
            ),
            "claim_day": on_day(
                claim, np.where(injured, delay, delay + np.floor(rng.random(n) * (claim_window(delay) + 1)))
            ),
            "partial_seen": on_day(partial < NEVER, np.maximum(partial, delay)),
        },
        index=spells.index,
    )


def claim_window(delay: Ints) -> Ints:
    """Days after registration within which a claim is reported: by week 8, and at least a week."""
    return np.maximum(56 - delay, 7)


class FactRows:
    """Collects facts as arrays: which spell, on which day of absence, which name, which value."""

    def __init__(self) -> None:
        self._parts: list[tuple[Ints, Ints, str, Texts]] = []

    def add(self, name: str, day: Ints, value: Texts | str, rows: Ints | None = None) -> None:
        """One fact for each spell (or each of ``rows``) whose day is not NEVER."""
        rows = np.arange(len(day)) if rows is None else rows
        comes = day < NEVER
        values = np.full(len(day), value, dtype=object) if isinstance(value, str) else value
        self._parts.append((rows[comes], day[comes], name, values[comes]))

    def table(self, spells: pd.DataFrame, extract_day: int) -> pd.DataFrame:
        """Facts recorded before closing and before the extract, sorted; ``case_id, known_on, name, value``."""
        rows = np.concatenate([p[0] for p in self._parts])
        day = np.concatenate([p[1] for p in self._parts])
        fact_names = [p[2] for p in self._parts]
        name = np.repeat(np.arange(len(fact_names)), [len(p[0]) for p in self._parts])
        value = np.concatenate([p[3] for p in self._parts])
        known = spells["opened"].to_numpy()[rows] + day
        kept = (day < spells["last_day"].to_numpy()[rows]) & (known < extract_day)
        order = np.lexsort((name[kept], known[kept], rows[kept]))
        rows, name, value, known = (a[kept][order] for a in (rows, name, value, known))
        return pd.DataFrame(
            {
                "case_id": spells["case_id"].to_numpy()[rows],
                "known_on": known.astype("datetime64[D]").astype("datetime64[us]"),
                "name": names(fact_names, name),
                "value": value,
            }
        )


def told_facts(rng: np.random.Generator, spells: pd.DataFrame, drawn: pd.DataFrame) -> FactRows:
    """The drawn facts as rows of a register."""
    rows = FactRows()
    yes_no = np.array(["false", "true"], dtype=object)
    n, delay, form = len(spells), spells["delay"].to_numpy(), drawn["form_day"].to_numpy()
    with_job = spells["has_employer"].to_numpy()

    def flag(column: str) -> Texts:
        return yes_no[drawn[column].to_numpy().astype(int)]

    rows.add("form_received", form, "true")
    rows.add("expected_recovery", drawn["outlook_day"].to_numpy(), names(fx.OUTLOOKS, spells["outlook"].to_numpy()))
    unsure = (form < NEVER) & (drawn["outlook_day"].to_numpy() == NEVER) & (rng.random(n) < 0.5)
    rows.add("expected_recovery", on_day(unsure, form), "unknown")
    rows.add("illness_group", drawn["illness_day"].to_numpy(), names(ILLNESSES, spells["illness"].to_numpy()))
    rows.add("treatment_status", drawn["treatment_day"].to_numpy(), names(fx.TREATMENTS, drawn["treatment"].to_numpy()))
    rows.add("is_work_related", drawn["work_related_day"].to_numpy(), flag("work_related"))
    rows.add("gp_prognosis", drawn["gp_day"].to_numpy(), names(fx.PROGNOSES, drawn["gp"].to_numpy()))
    rows.add(
        "possibility_statement", drawn["statement_day"].to_numpy(), names(fx.STATEMENTS, drawn["statement"].to_numpy())
    )
    rows.add("is_job_adapted", drawn["adapted_day"].to_numpy(), flag("adapted"))
    rows.add("work_injury_reported", drawn["claim_day"].to_numpy(), "true")
    still = with_job & (form < drawn["dismissed_day"].to_numpy())
    rows.add("job_status", on_day(still, form), "employed")
    rows.add("job_status", drawn["dismissed_day"].to_numpy(), "dismissed")
    _partial_hours(rng, spells, drawn, rows)
    asked = rng.random(n) < 0.05
    who = np.where(with_job & (rng.random(n) < 0.4), "employer", "worker").astype(object)
    rows.add("fast_track", on_day(asked, np.maximum(rng.integers(0, 36, n), delay)), who)
    return rows


def _partial_hours(rng: np.random.Generator, spells: pd.DataFrame, drawn: pd.DataFrame, rows: FactRows) -> None:
    """Hours of a partial return, and up to two steps up; the steps themselves change nothing."""
    day = drawn["partial_seen"].to_numpy()
    full = spells["weekly_hours"].fillna(37.0).to_numpy()
    share = rng.uniform(0.15, 0.5, len(day))
    for _ in range(3):
        hours = np.maximum(np.round(full * share), 1.0).astype(int).astype(str).astype(object)
        rows.add("partial_return_hours", day, hours)
        goes_on = (day < NEVER) & (rng.random(len(day)) < 0.55)
        day = on_day(goes_on, day + 14 + rng.integers(0, 40, len(day)))
        share = np.minimum(share + rng.uniform(0.1, 0.25, len(day)), 0.9)
