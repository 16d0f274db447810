"""The heart: cases in, scores out. The API, the weekly list and the backtest all call this and nothing else.

A score is the probability that a case is open past the horizon, given that it is open on the as-of date and given what
was known then. It orders follow-up; it says nothing of entitlement, and nothing of what acting on it would do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk import features
from risk.errors import CaseDataError
from risk.outcomes import OutcomeDefinition
from risk.snapshot import Recorded, Snapshot, snapshot_rows, take_snapshot
from risk.weeks import Floats, weeks_survived

OBJECTION = "objection"
PURPOSE = "orders follow-up of open sickness-benefit cases"
NOT_FOR = ("entitlement", "sanction", "control", "payment stop")


class ScoringModel(Protocol):
    """What scoring needs of a model; :class:`models.bundle.Bundle` is one.

    ``meta`` holds ``features`` (names in order), ``outcome`` (the outcome definition), ``required`` (features never
    missing in training) and ``base_rate`` (``{"ages": [...], "p": [...]}``, P(exceed) of all cases open at an age).
    """

    meta: dict[str, Any]

    @property
    def version(self) -> str: ...

    def survival(self, X: pd.DataFrame, weeks: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> Floats: ...

    def contributions(self, X: pd.DataFrame, week: float, entry: npt.ArrayLike | None = None) -> pd.DataFrame: ...


class TakesColumns(Protocol):
    """A model that also takes the built features as they are (:func:`risk.features.build_features`).

    The same numbers, without a table around them: for one case the table costs many times what scoring it does. Its
    outcome definition has been read once.
    """

    @property
    def outcome(self) -> OutcomeDefinition: ...

    def survival_of(self, columns: Mapping[str, Floats], weeks: Floats, entry: Floats) -> Floats: ...

    def contributions_of(
        self, columns: Mapping[str, Floats], week: float, entry: Floats
    ) -> tuple[Sequence[str], Floats]: ...

    def both_of(
        self, columns: Mapping[str, Floats], weeks: Floats, week: float, entry: Floats
    ) -> tuple[Floats, Sequence[str], Floats]: ...


def _by_columns(model: object) -> TakesColumns | None:
    """Told by one name: a check of every member of the protocol costs more than scoring a case."""
    return cast(TakesColumns, model) if hasattr(model, "survival_of") else None


def survival_of(model: ScoringModel, columns: Mapping[str, Floats], weeks: Floats, entry: Floats) -> Floats:
    """P(open after each week), (n, k), of built features, by the shortest way the model has."""
    direct = _by_columns(model)
    if direct is not None:
        return direct.survival_of(columns, weeks, entry)
    return model.survival(_frame(model, columns), weeks, entry)


def contributions_of(
    model: ScoringModel, columns: Mapping[str, Floats], week: float, entry: Floats
) -> tuple[list[str], Floats]:
    """Names (p) and contributions (n, p) of built features on the log-odds, without the base."""
    direct = _by_columns(model)
    if direct is not None:
        names, parts = direct.contributions_of(columns, week, entry)
        return list(names), parts
    frame = model.contributions(_frame(model, columns), week, entry).drop(columns="base")
    return [str(c) for c in frame.columns], frame.to_numpy(dtype=np.float64)


def _both_of(
    model: ScoringModel, columns: Mapping[str, Floats], weeks: Floats, week: float, entry: Floats
) -> tuple[Floats, Parts]:
    """:func:`survival_of` and :func:`contributions_of`, from one evaluation where the model has one."""
    direct = _by_columns(model)
    if direct is None:
        return survival_of(model, columns, weeks, entry), Parts(*contributions_of(model, columns, week, entry))
    p, names, parts = direct.both_of(columns, weeks, week, entry)
    return p, Parts(names, parts)


def _frame(model: ScoringModel, columns: Mapping[str, Floats]) -> pd.DataFrame:
    """The model's own features as a table; others may be among the columns."""
    return features.feature_frame({name: columns[name] for name in model.meta["features"]})


class Parts(NamedTuple):
    """Names (p) and contributions (m, p) of the scored cases on the log-odds, without the base."""

    names: Sequence[str]
    of_case: Floats


@dataclass(frozen=True)
class Scores:
    """Scores of the cases open on one day.

    ``frame`` has one row per case: ``case_id, as_of, opened_on, registered_on, age_weeks, status`` (``scored``,
    ``past_horizon`` or ``abstained``), ``abstain_reason``, ``p_exceed_<w>w`` for each horizon (nan when already past it
    or not scored), ``base_rate`` and ``model_version``.
    """

    frame: pd.DataFrame
    horizon_weeks: int
    model_version: str

    @property
    def p_exceed(self) -> Floats:
        """P(open past the horizon), (n,), nan where there is no score."""
        return self.frame[f"p_exceed_{self.horizon_weeks}w"].to_numpy()


def score(register: Recorded, as_of: date, model: ScoringModel, case_ids: Sequence[str] | None = None) -> Scores:
    """Score the cases open on ``as_of``, all of them or the named ones.

    Raises
    ------
    AsOfError
        When ``as_of`` lies after the extract date.
    CaseDataError
        When a named case is not among the open cases.
    """
    snapshot = take_snapshot(register, as_of)
    if case_ids is not None:
        snapshot = snapshot_rows(register, *chosen_rows(snapshot, case_ids))
    return score_snapshot(snapshot, model)


def chosen_rows(
    snapshot: Snapshot, case_ids: Sequence[str]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.datetime64]]:
    place = {c: i for i, c in enumerate(snapshot.case_id.tolist())}
    absent = [i for i, c in enumerate(case_ids) if c not in place]
    if absent:
        raise CaseDataError(f"{len(absent)} of {len(case_ids)} named cases are not open on the as-of date")
    rows = np.array([place[c] for c in case_ids], dtype=np.int64)
    return snapshot.position[rows], snapshot.as_of[rows]


def score_snapshot(snapshot: Snapshot, model: ScoringModel) -> Scores:
    """Score the rows of a snapshot, each on its own as-of date; in the backtest these are landmark rows."""
    columns = score_columns(snapshot, model, features.build_features(snapshot, model.meta["features"]))
    frame = pd.DataFrame({**columns, "model_version": model.version})
    return Scores(frame, outcome_of(model).horizon_weeks, model.version)


def outcome_of(model: ScoringModel) -> OutcomeDefinition:
    """The outcome definition the model was trained for."""
    direct = _by_columns(model)
    if direct is not None:
        return direct.outcome
    return OutcomeDefinition.model_validate(model.meta["outcome"])


class Judged(NamedTuple):
    """What scoring says of the n rows of a snapshot.

    Attributes
    ----------
    entry : (n,) weeks already open on the outcome's clock
    status : (n,) ``scored``, ``past_horizon`` or ``abstained``
    why : (n,) what made the model abstain, else empty
    p : (n, k) P(open past each horizon), nan where it is passed or there is no score
    base_rate : (n,) P(exceed) of all cases of that age, nan past the horizon
    scored : (m,) rows that have a score
    parts : what each feature contributes to these; None when not asked for, or when there is none
    """

    entry: Floats
    status: npt.NDArray[np.object_]
    why: npt.NDArray[np.object_]
    p: Floats
    base_rate: Floats
    scored: npt.NDArray[np.intp]
    parts: Parts | None


def score_columns(snapshot: Snapshot, model: ScoringModel, built: features.Built) -> dict[str, npt.NDArray[Any]]:
    """The columns of :attr:`Scores.frame` but the model's version, (n,) each, without a table around them.

    Parameters
    ----------
    built : the model's features of the snapshot (:func:`risk.features.build_features`); others may be among them
    """
    found = judge(snapshot, model, built)
    return {
        "case_id": snapshot.case_id.astype(object),
        "as_of": snapshot.as_of,
        "opened_on": snapshot.opened_on,
        "registered_on": snapshot.registered_on,
        "age_weeks": found.entry,
        "status": found.status,
        "abstain_reason": found.why,
        **{f"p_exceed_{week}w": found.p[:, j] for j, week in enumerate(outcome_of(model).horizons_weeks)},
        "base_rate": found.base_rate,
    }


def judge(snapshot: Snapshot, model: ScoringModel, built: features.Built, *, with_parts: bool = False) -> Judged:
    """Score the rows of a snapshot, from their features; ``built`` as in :func:`score_columns`."""
    outcome = outcome_of(model)
    entry, weeks = entry_weeks(snapshot, outcome), _weeks(tuple(outcome.horizons_weeks))
    past, lacks = entry >= outcome.horizon_weeks, _missing_required(built, tuple(model.meta.get("required", ())))
    # Who has objected to being scored (GDPR article 21) gets no score anywhere, whatever is known of the case.
    objected = snapshot.columns[OBJECTION] == 1.0
    none = past | objected if lacks is None else past | objected | lacks.any(axis=1)
    status, why = np.empty(len(entry), dtype=object), np.empty(len(entry), dtype=object)
    status[:], why[:] = "scored", ""
    scored, parts = np.flatnonzero(~none), None
    everyone = len(scored) == len(entry) > 0
    if not everyone:
        status[none], status[past] = "abstained", "past_horizon"
        for i in np.flatnonzero(none & ~past).tolist():
            why[i] = OBJECTION if objected[i] else _named(model.meta["required"], lacks, i)
    p = np.full((len(entry), len(weeks)), np.nan)
    if len(scored):
        at_risk, ages = (built, entry) if everyone else (built.rows(model.meta["features"], scored), entry[scored])
        if with_parts:
            found, parts = _both_of(model, at_risk, weeks, float(outcome.horizon_weeks), ages)
        else:
            found = survival_of(model, at_risk, weeks, ages)
        if everyone:
            p = found
        else:
            p[scored] = found
    p = np.where(entry[:, None] >= weeks, np.nan, p)
    rate = model.meta["base_rate"]
    base_rate = np.interp(entry, rate["ages"], rate["p"])
    return Judged(entry, status, why, p, base_rate if everyone else np.where(past, np.nan, base_rate), scored, parts)


@cache
def _weeks(horizons: tuple[int, ...]) -> Floats:
    weeks = np.array(horizons, dtype=np.float64)
    weeks.flags.writeable = False
    return weeks


def entry_weeks(snapshot: Snapshot, outcome: OutcomeDefinition) -> Floats:
    """Weeks already open on the outcome's clock, (n,)."""
    return snapshot.age_weeks if outcome.clock == "absence" else weeks_survived(snapshot.registered_on, snapshot.as_of)


def _missing_required(built: features.Built, required: tuple[str, ...]) -> npt.NDArray[np.bool_] | None:
    """Per row and required feature, whether it is not known, (n, r); None when none is required."""
    if not required:
        return None
    values = built.table(required)
    return np.isnan(values) | (values == _otherwise(required))


@cache
def _otherwise(names: tuple[str, ...]) -> Floats:
    known = features.catalogue()
    return np.array([known[name].otherwise for name in names])


def _named(required: Sequence[str], lacks: npt.NDArray[np.bool_] | None, row: int) -> str:
    """The required features that a row lacks, joined by commas."""
    return "" if lacks is None else ", ".join(required[j] for j in np.flatnonzero(lacks[row]).tolist())
