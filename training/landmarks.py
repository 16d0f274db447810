"""Landmark rows: each case as it was known at registration and at certain ages, and what is known of how it went on.

A row exists for a case at a landmark when the case was known and open on that day. Recent cases, still open, stay among
the rows: they tell how long they have lasted so far, and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk import features, schema
from risk.errors import AsOfError, TooFewCasesError
from risk.outcomes import OUTCOME_DTYPE, OutcomeDefinition, observe
from risk.register import Register
from risk.scoring import entry_weeks
from risk.snapshot import Snapshot, check_as_of, snapshot_rows
from risk.weeks import Dates, Floats, as_days, date_at_age
from training.plan import Plan

REGISTRATION = "registration"


@dataclass(frozen=True)
class LandmarkRows:
    """n rows of cases at landmarks.

    Attributes
    ----------
    snapshot : Snapshot
        The rows as known on their own as-of dates.
    landmark : (n,) str
    y : structured (n,)
        Outcomes as known on ``cut_on``, weeks from the start of the clock.
    entry : (n,) weeks already open on the outcome's clock
    started_on : (n,) the day the outcome's clock started
    cut_on : date
    """

    snapshot: Snapshot
    landmark: npt.NDArray[np.str_]
    y: npt.NDArray[np.void]
    entry: Floats
    started_on: Dates
    cut_on: date

    def __len__(self) -> int:
        return len(self.landmark)

    def take(self, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> LandmarkRows:
        """The rows chosen by a mask or by positions, in that order."""
        return LandmarkRows(
            _taken(self.snapshot, chosen),
            self.landmark[chosen],
            self.y[chosen],
            self.entry[chosen],
            self.started_on[chosen],
            self.cut_on,
        )

    def table(self, names: Sequence[str]) -> pd.DataFrame:
        """The named features of the rows, as learners take them."""
        return features.feature_frame(features.build_features(self.snapshot, names))


def _taken(snapshot: Snapshot, chosen: npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Snapshot:
    return Snapshot(
        snapshot.position[chosen],
        snapshot.case_id[chosen],
        snapshot.person[chosen],
        snapshot.as_of[chosen],
        snapshot.opened_on[chosen],
        snapshot.registered_on[chosen],
        snapshot.age_weeks[chosen],
        {n: v[chosen] for n, v in snapshot.columns.items()},
        {n: v[chosen] for n, v in snapshot.known_on.items()},
    )


def register_at(register: Register, day: date) -> Register:
    """The register as an extract of an earlier day would have shown it: what was recorded before 00:00 of ``day``.

    Raises
    ------
    AsOfError
        When ``day`` lies after the extract date.
    TooFewCasesError
        When no case was registered before it.
    """
    check_as_of(register, day)
    if day == register.extract_on:
        return register
    cases, facts = register.cases, register.facts
    stamp = pd.Timestamp(day)
    cases = cases[cases["registered_on"] < stamp].reset_index(drop=True)
    if cases.empty:
        raise TooFewCasesError(f"no case was registered before {day}; choose a later date")
    unknown = (cases["closed_on"] >= stamp).to_numpy()
    cases = cases.assign(closed_on=cases["closed_on"].mask(unknown), close_reason=cases["close_reason"].mask(unknown))
    # What is written at closing is not known of a case that has not closed yet.
    afterwards = [n for n, a in schema.case_attributes().items() if a.known == "closing" and n in cases.columns]
    cases = cases.assign(**{n: cases[n].mask(cases["closed_on"].isna().to_numpy()) for n in afterwards})
    facts = facts[(facts["known_on"] < stamp) & facts["case_id"].isin(cases["case_id"])].reset_index(drop=True)
    return replace(register, cases=cases, facts=facts, extract_on=day)


def landmark_days(
    register: Register, landmarks: Sequence[str | int]
) -> tuple[npt.NDArray[np.int64], Dates, npt.NDArray[np.str_]]:
    """Case (row of the register), day and name of every landmark at which a case was known and open.

    The day of ``registration`` is the day after it; a landmark in weeks counts only when it comes later than that.
    """
    encoded = register.encoded
    first = encoded.registered_on + np.timedelta64(1, "D")
    position, days, names = [], [], []
    for landmark in landmarks:
        day = first if landmark == REGISTRATION else date_at_age(encoded.opened_on, float(landmark))
        late_enough = np.ones(len(day), dtype=bool) if landmark == REGISTRATION else day > first
        is_there = late_enough & (np.isnat(encoded.closed_on) | (encoded.closed_on >= day))
        here = np.flatnonzero(is_there)
        position.append(here)
        days.append(day[here])
        names.append(np.full(len(here), str(landmark), dtype="U12"))
    if not position:
        raise ValueError("no landmark given")
    return np.concatenate(position), np.concatenate(days), np.concatenate(names)


def landmark_rows(
    register: Register,
    landmarks: Sequence[str | int],
    definition: OutcomeDefinition,
    cut_on: date,
    *,
    since: date | None = None,
    until: date | None = None,
) -> LandmarkRows:
    """Rows with ``since <= as_of < until`` that can still exceed the horizon, outcomes as known on ``cut_on``.

    Rows stand in the order of case id and day.

    Parameters
    ----------
    since, until : date or None
        No bound when None, but never later than ``cut_on``.
    """
    position, day, name = landmark_days(register, landmarks)
    keep = day <= np.datetime64(cut_on, "D")
    if since is not None:
        keep &= day >= np.datetime64(since, "D")
    if until is not None:
        keep &= day < np.datetime64(until, "D")
    # By case id and day, so that nothing that follows depends on the order in which the register was read.
    by_case = np.unique(register.encoded.case_id, return_inverse=True)[1]
    order = np.flatnonzero(keep)[np.lexsort((day[keep], by_case[position[keep]]))]
    position, day, name = position[order], day[order], name[order]
    snapshot = snapshot_rows(register, position, day)
    entry = entry_weeks(snapshot, definition)
    rows = LandmarkRows(
        snapshot,
        name,
        outcomes_of(register, definition, cut_on)[position],
        entry,
        definition.clock_start(register.cases)[position],
        cut_on,
    )
    young = entry < max(definition.horizons_weeks)
    return rows if young.all() else rows.take(young)


def outcomes_of(register: Register, definition: OutcomeDefinition, cut_on: date) -> npt.NDArray[np.void]:
    """Outcomes of all cases in the register's order, (n,); a case not registered by ``cut_on`` is censored at 0 weeks.

    Such cases have no landmark row before ``cut_on``; they only keep their places here.
    """
    known = as_days(register.cases["registered_on"]) < np.datetime64(cut_on, "D")
    y = np.zeros(len(register), dtype=OUTCOME_DTYPE)
    y[known] = observe(register.cases[known], definition, cut_on)
    return y


def training_rows(known: Register, plan: Plan, cut_on: date) -> tuple[LandmarkRows, pd.DataFrame]:
    """All rows a model may learn from on ``cut_on``, thinned as planned, and their counts by landmark (:func:`count_rows`).

    Thinning draws by a hash of case, landmark and seed: which rows are kept does not depend on the order of the register.

    Raises
    ------
    AsOfError
        When ``known`` holds what was recorded on ``cut_on`` or later: cut it with :func:`register_at` first.
    TooFewCasesError
        When no case has closed yet.
    """
    if known.extract_on > cut_on:
        raise AsOfError(f"the register reaches to {known.extract_on}; cut it at {cut_on} before learning from it")
    rows = landmark_rows(known, plan.landmarks.at, plan.outcome, cut_on)
    if not len(rows) or not rows.y["closed"].any():
        raise TooFewCasesError(
            f"none of the {len(known)} cases known on {cut_on} has closed: nothing can be learned; read an extract that "
            "holds closed cases too (all cases of at least two years), or check the mapping of closing dates"
        )
    most = plan.landmarks.max_rows
    kept = rows
    if most is not None and len(rows) > most:
        lot = _lot(rows.snapshot.case_id, rows.landmark, plan.seed)
        kept = rows.take(np.sort(np.argsort(lot, kind="stable")[:most]))
    return kept, count_rows(rows, kept, plan)


def count_rows(rows: LandmarkRows, kept: LandmarkRows, plan: Plan) -> pd.DataFrame:
    """Rows by landmark before thinning (``landmark, n_rows, n_cases, n_closed, n_open, n_exceeded``) and ``thinned_to``."""
    horizon = plan.outcome.horizon_weeks
    exceeded = np.where(rows.y["closed"], rows.y["weeks"] > horizon, rows.y["weeks"] >= horizon)
    made = []
    for name in plan.landmarks.names:
        here = rows.landmark == name
        closed = rows.y["closed"][here]
        made.append(
            {
                "landmark": name,
                "n_rows": int(here.sum()),
                "n_cases": len(np.unique(rows.snapshot.position[here])),
                "n_closed": int(closed.sum()),
                "n_open": int((~closed).sum()),
                "n_exceeded": int(exceeded[here].sum()),
                "thinned_to": int((kept.landmark == name).sum()),
            }
        )
    return pd.DataFrame(made)


def week_before(day: date, weeks: float) -> date:
    """The day ``weeks`` weeks before ``day``."""
    return day - timedelta(days=round(weeks * 7))


def _lot(case_id: npt.NDArray[np.str_], landmark: npt.NDArray[np.str_], seed: int) -> npt.NDArray[np.uint64]:
    """A number per row that depends on the case, the landmark and the seed only."""
    key = pd.Series(np.char.add(np.char.add(case_id, "|"), np.char.add(landmark, f"|{seed}")))
    return pd.util.hash_array(key.to_numpy(dtype=object), categorize=False).astype(np.uint64)
