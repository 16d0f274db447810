"""Gate 7: no feature tells the calendar. A column that knows the year knows who was followed up, not who stays.

For each feature, the rows of registration are put in bins (as gate 5 does) and the opening day is foretold by the mean of
the other half's rows in the bin; the share of its variance so explained is what the feature knows of the calendar. Season
is the one exception, by declaration: it repeats every year. Nominal amounts under a yearly ceiling are the usual culprit.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.folds import fold_of_group
from risk.weeks import Floats
from training.gates.evidence import Evidence
from training.gates.not_too_good import in_bins
from training.landmarks import REGISTRATION
from training.results import GateResult

NUMBER, NAME = 7, "no_calendar"
TITLE = "No feature tells the calendar"
SEASON = ("season_cos", "season_sin")
# Under a year and a half, season and year are one thing.
_LEAST_DAYS = 548


def check(evidence: Evidence) -> GateResult:
    """Fails when one feature explains more of the opening day than the plan allows."""
    limit, rows = evidence.plan.gates.most_calendar, evidence.material.rows
    here = np.flatnonzero(rows.landmark == REGISTRATION)
    day = rows.snapshot.opened_on[here].astype(np.float64)
    if len(here) < evidence.plan.backtest.least_rows or np.ptp(day) < _LEAST_DAYS:
        text = "needs cases of a year and a half or more, seen at registration"
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, limit, text)
    fold = fold_of_group(rows.snapshot.person[here], 2, evidence.plan.seed)
    known = {
        name: explained(in_bins(evidence.material.X[name].iloc[here]), day, fold)
        for name in evidence.material.names
        if name not in SEASON
    }
    worst = max(known, key=lambda name: (known[name], name))
    if known[worst] <= limit:
        text = f"{worst} explains {known[worst]:.0%} of the opening day, the most of all (limit {limit:.0%})"
        return GateResult(NUMBER, NAME, TITLE, "passed", known[worst], limit, text)
    said = ", ".join(f"{name} ({share:.0%})" for name, share in sorted(known.items()) if share > limit)
    text = f"the opening day can be told from {said}; drop it in the plan, or state it relative to its year"
    return GateResult(NUMBER, NAME, TITLE, "failed", known[worst], limit, text)


def explained(bins: npt.NDArray[np.int64], day: Floats, fold: npt.NDArray[np.int64]) -> float:
    """Share of the variance of ``day`` (n,) that the bins (n,) foretell from one half of the persons to the other."""
    foretold, n = np.empty(len(day)), int(bins.max()) + 1
    for k in (0, 1):
        learn = fold != k
        mean = float(day[learn].mean())
        total = np.bincount(bins[learn], weights=day[learn] - mean, minlength=n)
        # Two rows' worth of the overall mean, so that a bin of few rows foretells little.
        foretold[~learn] = mean + (total / (np.bincount(bins[learn], minlength=n) + 2.0))[bins[~learn]]
    return max(0.0, 1.0 - float(((day - foretold) ** 2).sum() / ((day - day.mean()) ** 2).sum()))
