"""Gate 3: nothing that was recorded later may reach a feature.

Sampled training rows are computed again from a register in which everything later has been removed: each row becomes a
case of its own, with the facts recorded before its day, not closed, and without what is written at closing.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from risk import features, schema
from risk.features import Feature
from risk.register import Register
from risk.snapshot import snapshot_rows
from training.gates.evidence import Evidence
from training.landmarks import LandmarkRows
from training.results import GateResult

NUMBER, NAME = 3, "no_future"
TITLE = "No feature sees the future"


def check(evidence: Evidence) -> GateResult:
    """Features of sampled rows must not change when the future is removed, and no source may be made of it."""
    known, names = features.catalogue(), evidence.material.names
    marked = [n for n in names if _is_afterthought(known[n])]
    rows = _sample(evidence.material.rows, evidence.plan.gates.rows_checked, evidence.plan.seed)
    full = features.build_features(rows.snapshot, names)
    cut = without_future(evidence.known, rows)
    again = features.build_features(snapshot_rows(cut, np.arange(len(rows)), rows.snapshot.as_of), names)
    changed = {n: int((~((full[n] == again[n]) | (np.isnan(full[n]) & np.isnan(again[n])))).sum()) for n in names}
    changed = {n: k for n, k in changed.items() if k}
    value = float(sum(changed.values()))
    said = [f"{n} is made of what is known only afterwards or is an intervention (mark L)" for n in marked]
    said += [f"{n} changes in {k} of {len(rows)} rows when later facts are removed" for n, k in changed.items()]
    if said:
        advice = "drop the feature in the plan, or mend its mapping or family file"
        return GateResult(NUMBER, NAME, TITLE, "failed", value, 0.0, f"{'; '.join(said)}; {advice}")
    text = f"{len(names)} features of {len(rows)} rows are the same with everything later removed"
    return GateResult(NUMBER, NAME, TITLE, "passed", value, 0.0, text)


def _is_afterthought(feature: Feature) -> bool:
    attributes = schema.attributes()
    return any(attributes[s].known == "closing" or "L" in attributes[s].marks for s in feature.sources)


def _sample(rows: LandmarkRows, most: int, seed: int) -> LandmarkRows:
    if len(rows) <= most:
        return rows
    return rows.take(np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False)))


def without_future(register: Register, rows: LandmarkRows) -> Register:
    """A register with one case per row, as an extract of the row's own day would have held it."""
    names = np.array([f"row{i:07d}" for i in range(len(rows))], dtype=object)
    cases = register.cases.iloc[rows.snapshot.position].reset_index(drop=True)
    afterwards = [n for n, a in schema.case_attributes().items() if a.known == "closing" and n in cases.columns]
    old_names = cases["case_id"]
    not_yet = np.full(len(cases), np.datetime64("NaT", "us"))
    cases = cases.drop(columns=afterwards).assign(case_id=names, closed_on=not_yet, close_reason=None)
    key = pd.DataFrame({"case_id": old_names, "row": names, "as_of": rows.snapshot.as_of})
    facts = register.facts.merge(key, on="case_id")
    facts = facts[facts["known_on"] < facts["as_of"]]
    facts = facts.assign(case_id=facts["row"]).drop(columns=["row", "as_of"]).reset_index(drop=True)
    return replace(register, cases=cases, facts=facts)
