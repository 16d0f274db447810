"""From the lists of a week to what the store keeps of them: for every open case all that its page will tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from models.bundle import Bundle
from models.certainty import score_interval
from risk import features, schema
from risk.curves import weekly_curves
from risk.errors import TooFewCasesError
from risk.policy import Capacity
from risk.priority import TEAM
from risk.reasons import Reason, explain
from risk.register import Register
from risk.scoring import Scores, ScoringModel
from risk.snapshot import Snapshot, snapshot_rows, take_snapshot
from serving.sentences import kept_words
from serving.settings import read_settings
from serving.start import store_url
from serving.store.engine import Store, open_store
from serving.store.listed import LEFT, ListedCase, Saved, TeamList
from serving.store.overview import WEEKS_AHEAD
from serving.store.worklists import save_lists
from serving.worklist import Lists

N_TOLD = 5
_NAMED = {"week", *TEAM, "section", "rank", "case_id", "opened_on", "age_weeks", "status", "base_rate", "band", "duty",
          "due_on", "overdue_days", "is_planned", "exclusion", "milestone", "milestone_on", "milestone_state",
          "abstain_reason", "change"}  # fmt: skip


@dataclass(frozen=True)
class Insight:
    """What the page of a case tells beside its row on the list.

    Attributes
    ----------
    reasons : by case id, strongest first, for each case that shows a score
    unknown : by case id, names of the facts the model uses and nobody has recorded
    around : by case id, the interval of the score, where the model has learned how far single cases lie from theirs; one
        that only speaks of all cases of this score is not kept, since beside one case it would be read as that case's own
    past_ahead : by case id, the chance of being open and past the horizon :data:`WEEKS_AHEAD` weeks from now; a case that
        cannot be past it by then is not in it
    """

    reasons: dict[str, list[Reason]]
    unknown: dict[str, tuple[str, ...]]
    around: dict[str, tuple[float, float]]
    past_ahead: dict[str, float]


def look_into(lists: Lists, model: Bundle) -> Insight:
    """Gather what the pages of the cases will tell, by the model the lists were made with.

    A case under an exclusion gets no reasons.
    """
    work, register, as_of = lists.worklist, lists.register, lists.worklist.as_of
    shown = pd.concat([work.rows[["case_id", "status"]], work.rest[["case_id", "status"]]], ignore_index=True)
    case_ids = shown.loc[shown["status"] == "scored", "case_id"].tolist()
    snapshot = take_snapshot(register, as_of)
    return Insight(
        explain(register, as_of, model, case_ids, N_TOLD) if case_ids else {},
        _unknown(snapshot, model),
        _around(lists.scores, model),
        _past_ahead(register, snapshot, model, lists.scores),
    )


def _unknown(snapshot: Snapshot, model: ScoringModel) -> dict[str, tuple[str, ...]]:
    facts, known = schema.fact_attributes(), features.catalogue()
    names = list(dict.fromkeys(s for n in model.meta["features"] for s in known[n].sources if s in facts))
    if not names:
        return {}
    missing = np.column_stack([np.isnat(snapshot.known_on[n]) for n in names])
    return {
        str(case): tuple(n for n, is_out in zip(names, row, strict=True) if is_out)
        for case, row in zip(snapshot.case_id.tolist(), missing.tolist(), strict=True)
    }


def _around(scores: Scores, model: Bundle) -> dict[str, tuple[float, float]]:
    scored = scores.frame[(scores.frame["status"] == "scored").to_numpy()]
    p = scored[f"p_exceed_{scores.horizon_weeks}w"].to_numpy(dtype=np.float64)
    found = score_interval(model, p, scored["age_weeks"].to_numpy(dtype=np.float64)) if len(scored) else None
    if found is None or found.covers != "case":
        return {}
    return dict(zip(scored["case_id"], zip(found.low.tolist(), found.high.tolist(), strict=True), strict=True))


def _past_ahead(register: Register, snapshot: Snapshot, model: ScoringModel, scores: Scores) -> dict[str, float]:
    """From the model's curves: beyond the horizon they go on at the last closing rate the learner knows.

    A case without a score follows the scored one nearest in age; where no case can be followed, nothing is expected.
    """
    can_pass = np.flatnonzero(scores.frame["age_weeks"].to_numpy() + WEEKS_AHEAD >= scores.horizon_weeks)
    if not len(can_pass):
        return {}
    near = snapshot_rows(register, snapshot.position[can_pass], snapshot.as_of[can_pass])
    try:
        curves = weekly_curves(near, model, WEEKS_AHEAD)
    except TooFewCasesError:
        return {}
    still_open = np.exp(-curves.steps[:, WEEKS_AHEAD])
    return dict(zip(near.case_id.tolist(), still_open.tolist(), strict=True))


def store_for_lists(is_wanted: bool | None, *, is_dev: bool = False) -> Store | None:
    """The store the lists go into; None when they are not to be stored.

    Without a word of the caller they are when a store is named in the settings or there is one in RISK_HOME, and in
    development.

    Raises
    ------
    ConfigError
        A setting cannot be used.
    StoreError
        The store cannot be opened.
    """
    settings = read_settings(environment="development" if is_dev else None)
    url = store_url(settings)
    if is_wanted is None:
        is_there = Path(url.removeprefix("sqlite:///")).exists() if settings.store is None else True
        is_wanted = is_dev or is_there
    return open_store(url) if is_wanted else None


def keep_lists(store: Store, lists: Lists, insight: Insight, now: datetime, by: str) -> Saved:
    """Save the lists of all teams, in one transaction (:func:`serving.store.worklists.save_lists`).

    Raises
    ------
    StoreError
        Nothing was saved.
    """
    return save_lists(store, team_lists(lists, insight), now, by)


def team_lists(lists: Lists, insight: Insight) -> list[TeamList]:
    """The lists of the week, team by team: cases with a place first, then the other open ones, then those that left."""
    work = lists.worklist
    here = pd.concat([work.rows, work.rest], ignore_index=True).sort_values(TEAM, kind="stable", ignore_index=True)
    cases = _cases(here, lists, insight)
    place = here.groupby(TEAM, sort=True).indices
    gone = _left(lists)
    about = _about(lists)
    out = []
    for team in work.teams.to_dict("records"):
        key = (team["office"], team["team"])
        mine = [cases[i] for i in place.get(key, ())]
        words = kept_words(SimpleNamespace(**{str(k): v for k, v in team.items()}), lists)
        made = {**about, "words": words, "figures": _figures(team, mine, lists, insight)}
        out.append(
            TeamList(
                work.week, *key, work.as_of, work.model_version, work.policy.version, made, [*mine, *gone.pop(key, [])]
            )
        )
    return out


def _cases(rows: pd.DataFrame, lists: Lists, insight: Insight) -> list[ListedCase]:
    work = lists.worklist
    of_case = lists.register.cases.set_index("case_id")
    person_key, registered = of_case["person_key"], of_case["registered_on"]
    contacted = lists.duties.frame.set_index("case_id")["contacted_on"]
    ids = rows["case_id"]
    told = rows.assign(
        person_key=person_key.loc[ids].to_numpy(),
        registered_on=registered.loc[ids].to_numpy(),
        contacted_on=contacted.loc[ids].to_numpy(),
        p=rows[work.p_name],
    )
    named = [c for c in told.columns if c in ListedCase.__dataclass_fields__]
    more = [c for c in rows.columns if c not in _NAMED and c != work.p_name and c not in named]
    curves = _curves(lists.scores, ids)
    lines = zip(_plain(told[named]), _plain(rows[more]), curves, strict=True)
    out = []
    for line, extra, curve in lines:
        is_scored = line["status"] == "scored"
        if line["rank"] is not None:
            line["rank"] = int(line["rank"])  # beside rows without one the column holds floats
        out.append(
            ListedCase(
                **{k: v for k, v in line.items() if v is not None},
                curve=curve if is_scored else (),
                interval=insight.around.get(line["case_id"]) if is_scored else None,
                reasons=tuple(insight.reasons.get(line["case_id"], ())) if is_scored else (),
                unknown=insight.unknown.get(line["case_id"], ()) if is_scored else (),
                more={k: v for k, v in extra.items() if v is not None},
            )
        )
    return out


def _curves(scores: Scores, case_ids: pd.Series) -> Iterator[tuple[tuple[int, float], ...]]:
    """P(open) at the horizons still ahead, of each named case."""
    names = [c for c in scores.frame.columns if c.startswith("p_exceed_")]
    weeks = [int(c.removeprefix("p_exceed_").removesuffix("w")) for c in names]
    values = scores.frame.set_index("case_id").loc[case_ids, names].to_numpy(dtype=np.float64)
    for row in values.tolist():
        yield tuple((w, p) for w, p in zip(weeks, row, strict=True) if p == p)


def _left(lists: Lists) -> dict[tuple[str, str], list[ListedCase]]:
    person_key = lists.register.cases.set_index("case_id")["person_key"].to_dict()
    out: dict[tuple[str, str], list[ListedCase]] = {}
    for row in _plain(lists.worklist.left):
        # A case the register no longer holds has nobody's key.
        owner = person_key.get(row["case_id"], "")
        case = ListedCase(case_id=row["case_id"], person_key=owner, section=LEFT, why_left=row["why"])
        out.setdefault((row["office"], row["team"]), []).append(case)
    return out


def _about(lists: Lists) -> dict[str, Any]:
    work, rules = lists.worklist, lists.duties.rules
    return {
        "horizon_weeks": work.horizon_weeks,
        "last_week": work.last_week,
        "is_synthetic": lists.register.is_synthetic,
        "register": lists.register.fingerprint,
        "extract_on": lists.register.extract_on.isoformat(),
        "rules": list(rules.label),
        "basis": rules.basis,
        "source": list(rules.source),
        "milestones": {m.name: list(m.label) for m in work.policy.milestones},
    }


def _figures(team: Mapping[Any, Any], cases: Sequence[ListedCase], lists: Lists, insight: Insight) -> dict[str, Any]:
    """The team's counts as the worklist has them, and what the overview needs beside them."""
    work, ahead = lists.worklist, insight.past_ahead
    counts = {k: _value(v) for k, v in team.items() if k not in TEAM}
    return counts | {
        "n_listed": sum(case.is_listed for case in cases),
        "n_past": sum(case.age_weeks is not None and case.age_weeks >= work.horizon_weeks for case in cases),
        "n_past_expected": round(sum(ahead.get(case.case_id, 0.0) for case in cases), 6),
        "n_workers": _workers(work.policy.capacity, str(team["team"])),
        "timeliness_weeks": work.policy.timeliness.weeks,
    }


def _workers(capacity: Capacity, team: str) -> float | None:
    """Workers of a team whose capacity the policy states; one reckoned from the caseload would only repeat the norm."""
    given = capacity.teams.get(team) if capacity.everywhere is None else None
    return given / capacity.per_worker if given is not None and capacity.per_worker else None


def _plain(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as dicts of plain values; missing is None."""
    columns = []
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            days = values.to_numpy().astype("M8[D]").tolist()
            columns.append(days)
        else:
            columns.append([_value(v) for v in values.tolist()])
    for row in zip(*columns, strict=True) if columns else ({} for _ in range(len(frame))):
        yield dict(zip(frame.columns, row, strict=True))


def _value(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return value.item() if isinstance(value, np.generic) else value
