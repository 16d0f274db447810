"""From the lists of a week to what the store keeps of them: for every open case all that its page will tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from risk.policy import Capacity
from risk.priority import TEAM
from risk.scoring import Scores
from serving.insight import Insight
from serving.listing import case_values, plain_rows, plain_value
from serving.sentences import kept_words
from serving.settings import read_settings
from serving.start import store_url
from serving.store.engine import Store, open_store
from serving.store.listed import LEFT, ListedCase, Saved, TeamList
from serving.store.worklists import save_lists
from serving.worklist import Lists


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
    about = pd.DataFrame(
        {
            "person_key": person_key.loc[ids].to_numpy(),
            "registered_on": registered.loc[ids].to_numpy(),
            "contacted_on": contacted.loc[ids].to_numpy(),
        }
    )
    lines = zip(case_values(rows, work.p_name), plain_rows(about), _curves(lists.scores, ids), strict=True)
    out = []
    for line, more, curve in lines:
        is_scored = line["status"] == "scored"
        out.append(
            ListedCase(
                **line,
                **{k: v for k, v in more.items() if v is not None},
                curve=curve if is_scored else (),
                course=insight.course.get(line["case_id"], ()) if is_scored else (),
                interval=insight.around.get(line["case_id"]) if is_scored else None,
                reasons=tuple(insight.reasons.get(line["case_id"], ())) if is_scored else (),
                unknown=insight.unknown.get(line["case_id"], ()) if is_scored else (),
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
    for row in plain_rows(lists.worklist.left):
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
    counts = {k: plain_value(v) for k, v in team.items() if k not in TEAM}
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
