"""The fairness step: who would have been missed, group by group.

The harm of a list that helps is a case in need that is not on it. So first: of the true long cases of a group, how many
stood on the list; and of those not listed, how many went long. Groups come from attributes the model never sees; they
are joined here and nowhere else. Small groups are suppressed, or named without being judged.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pandas as pd

from risk import schema
from risk.register import Register
from risk.snapshot import snapshot_rows
from risk.weeks import Floats, as_days
from training.judging import draw_counts
from training.plan import Plan

CATEGORIES = ("sex", "origin", "district", "unemployment_fund", "employment_status")
MEASURES = (
    "base_rate",
    "mean_score",
    "observed_minus_expected",
    "recall",
    "long_rate_not_listed",
    "share_listed",
)
COLUMNS = ["attribute", "group", "n", "n_exceed", "note"] + [
    f"{m}{end}" for m in MEASURES for end in ("", "_low", "_high")
]
SUPPRESSED, TOO_FEW = "suppressed", "too few to say"


def fairness(known: Register, mondays: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """One row per attribute and group, over the open cases of the backtest's simulated Mondays.

    Parameters
    ----------
    known : Register
        Cut at the day of the run; its audit attributes make the groups.
    mondays : DataFrame
        Of the chosen learner (:class:`training.backtest.Detail`): ``monday, position, person, p, held, outcome, w``.

    Returns
    -------
    DataFrame
        ``attribute, group, n`` (cases), ``n_exceed`` (cases known to have exceeded), ``note`` (empty,
        ``"too few to say"`` or ``"suppressed"``, then all numbers are missing), and for each of ``MEASURES`` the value and
        its 95 % interval over persons (``_low``, ``_high``). Empty when there are no simulated Mondays.
    """
    if mondays.empty:
        return pd.DataFrame(columns=COLUMNS)
    person = np.unique(mondays["person"].to_numpy(), return_inverse=True)[1].astype(np.int64)
    counts = draw_counts(person, plan.backtest.draws, plan.seed)
    made = []
    for attribute, group in groups(known, mondays, plan).items():
        for name in sorted(set(group.tolist())):
            made.append({"attribute": attribute, "group": name, **_measured(mondays, group == name, counts, plan)})
    return pd.DataFrame(made, columns=COLUMNS)


def groups(known: Register, mondays: pd.DataFrame, plan: Plan) -> dict[str, npt.NDArray[np.str_]]:
    """The group of each row by attribute; an attribute of which nothing is known is left out."""
    position = mondays["position"].to_numpy(dtype=np.int64)
    snapshot = snapshot_rows(known, position, as_days(mondays["monday"]))
    attributes, made = schema.attributes(), {}
    for name in CATEGORIES:
        values, levels = snapshot.columns[name], np.array([*attributes[name].levels])
        if not np.isnan(values).all():
            code = np.where(np.isnan(values), attributes[name].levels.index(schema.UNKNOWN), values).astype(np.int64)
            made[name] = levels[code]
    age = snapshot.columns["age_years"]
    if not np.isnan(age).all():
        made["age_band"] = age_band(age, plan.fairness.age_bands)
    illness, unknown = snapshot.columns["illness_group"], attributes["illness_group"].levels.index(schema.UNKNOWN)
    if not np.isnan(illness).all():
        made["illness_group"] = np.where(np.isnan(illness) | (illness == unknown), "missing", "known")
    return made


def age_band(age: Floats, edges: tuple[int, ...]) -> npt.NDArray[np.str_]:
    """Ages as bands.

    >>> age_band(np.array([22.0, 30.0, 64.0, np.nan]), (30, 60)).tolist()
    ['under 30', '30-59', '60 and over', 'unknown']
    """
    names = [f"under {edges[0]}", *(f"{a}-{b - 1}" for a, b in pairwise(edges))]
    names += [f"{edges[-1]} and over", "unknown"]
    code = np.where(np.isnan(age), len(edges) + 1, np.searchsorted(edges, age, side="right"))
    return np.array(names)[code]


def _measured(mondays: pd.DataFrame, here: npt.NDArray[np.bool_], counts: Floats, plan: Plan) -> dict[str, object]:
    table = mondays[here]
    w, o, p, held = (table[c].to_numpy(dtype=np.float64) for c in ("w", "outcome", "p", "held"))
    n = table["position"].nunique()
    n_exceed = table.loc[(w > 0) & (o > 0), "position"].nunique()
    # Either count gives the other away, and so does the number that did not exceed.
    if min(n, n_exceed, n - n_exceed) < plan.fairness.suppressed_below:
        return {"n": np.nan, "n_exceed": np.nan, "note": SUPPRESSED}
    C = counts[:, here]
    with np.errstate(invalid="ignore", divide="ignore"):
        total, long, found = C @ w, C @ (w * o), C @ (held * w * o)
        drawn = {
            "base_rate": long / total,
            "mean_score": (C @ (w * p)) / total,
            "observed_minus_expected": (long - C @ (w * p)) / total,
            "recall": found / long,
            "long_rate_not_listed": (long - found) / (C @ ((1 - held) * w)),
            "share_listed": (C @ held) / C.sum(axis=1),
        }
    out: dict[str, object] = {
        "n": n, "n_exceed": n_exceed, "note": TOO_FEW if n < plan.fairness.too_few_below else "",
    }  # fmt: skip
    for name, values in drawn.items():
        inside = values[1:][np.isfinite(values[1:])]
        low, high = np.quantile(inside, [0.025, 0.975]) if 2 * len(inside) > len(values) - 1 else (np.nan, np.nan)
        out |= {name: float(values[0]), f"{name}_low": float(low), f"{name}_high": float(high)}
    return out
