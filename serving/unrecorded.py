"""Which of the facts a model uses nobody has recorded: told beside a score, in the service and on the page of a case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from risk import features, schema
from risk.snapshot import Snapshot
from risk.stacked import Stacked


def facts_behind(names: Sequence[str]) -> list[str]:
    """The facts that features are made from, each once, in the order of the features."""
    known, facts = features.catalogue(), schema.fact_attributes()
    return list(dict.fromkeys(s for n in names for s in known[n].sources if s in facts))


def unrecorded(snapshot: Snapshot, facts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether nobody had recorded a fact by the as-of date, (n cases, k facts)."""
    if isinstance(snapshot.known_on, Stacked):
        return np.isnat(snapshot.known_on.table(facts))
    known_on = np.array([snapshot.known_on[n] for n in facts], dtype="datetime64[D]")
    return np.isnat(known_on.reshape(len(facts), len(snapshot))).T
