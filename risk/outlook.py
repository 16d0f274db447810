r"""What the coming weeks hold for an open case: whether it closes by itself soon, and what its benefit is expected to cost.

Both are read off the model's curve :math:`S` from the age of the case on. With :math:`S_j` the chance of being open after
``j`` more weeks, the chance of closing within four is :math:`1 - S_4`. Expected weeks and cost add up week by week over the
policy's ``weeks_ahead`` (52: from today to a year from now, neither "to week 52" nor "beyond week 52"):

.. math:: \sum_{j=0}^{W-1} \tfrac12 (S_j + S_{j+1}) \, c_j

where :math:`c_j` is what week ``j`` costs the municipality if the case is open all through it (its own weekly benefit where
recorded, else the highest rate of the day; less the state's share of that week with benefit; nothing before the
municipality pays), or for the weeks the share of the week's days with benefit. Half the sum of a week's two ends is the
mean of a curve that is straight within the week, which a curve of weekly steps nearly is.

The score is calibrated up to the horizon; past it the curve goes on at the last closing hazard the learner knows, which is a
guess. This is what the weeks cost if they go as they usually go. It is not what acting would save: that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from risk import features
from risk.curves import hazards_ahead
from risk.errors import CaseDataError, ConfigError
from risk.policy import Policy
from risk.rates import Rates, cost, paid_from
from risk.register import Register
from risk.scoring import Scores, ScoringModel, outcome_of
from risk.snapshot import take_snapshot
from risk.weeks import DAYS_PER_WEEK, Dates, Floats

CLOSING_WEEKS = 4
_NO_YEARS: tuple[tuple[int, ...], int | None] = ((), None)
_NO_END = np.datetime64("2199-01-01", "D")


@dataclass(frozen=True)
class Outlook:
    """The coming weeks of the open cases.

    Attributes
    ----------
    frame : DataFrame
        One row per open case: ``case_id, p_close_4w`` (probability), ``weeks_ahead`` (expected weeks with benefit),
        ``cost_ahead`` (expected cost to the municipality) and ``cost_share`` (that cost over ``full_cost``); nan
        without a score, and the last three unless the policy orders by cost.
    full_cost : float
        Every coming week at the highest rate and without a share of the state; nan unless the policy orders by cost.
    currency, rates_version : str
    carried : years priced at an earlier year's rate, and ``carried_from`` that year
    """

    frame: pd.DataFrame
    full_cost: float
    currency: str
    rates_version: str
    carried: tuple[int, ...]
    carried_from: int | None


def take_outlook(
    register: Register, as_of: date, scores: Scores, model: ScoringModel, policy: Policy, rates: Rates
) -> Outlook:
    """Look ahead from the cases that have a score.

    Raises
    ------
    CaseDataError
        When the scores are not those of the register's open cases on the day.
    ConfigError
        When the policy orders by cost and the rates do not price the coming weeks.
    """
    snapshot = take_snapshot(register, as_of)
    case_id = scores.frame["case_id"].to_numpy(dtype=str)
    if not np.array_equal(case_id, snapshot.case_id.astype(str)):
        raise CaseDataError(f"the scores are not those of the {len(snapshot)} cases open on {as_of}; score them anew")
    rows = np.flatnonzero((scores.frame["status"] == "scored").to_numpy())
    n_weeks = policy.order.weeks_ahead if policy.order.needs_cost else CLOSING_WEEKS
    columns = features.build_features(snapshot, model.meta["features"])
    age = scores.frame["age_weeks"].to_numpy()
    hazard, _ = hazards_ahead(columns, model, age, rows, n_weeks, outcome_of(model).horizon_weeks)
    told = {c: np.full(len(snapshot), np.nan) for c in ("p_close_4w", "weeks_ahead", "cost_ahead", "cost_share")}
    told["p_close_4w"][rows] = -np.expm1(-hazard[:, CLOSING_WEEKS])
    full, years = float("nan"), _NO_YEARS
    if policy.order.needs_cost:
        start = paid_from(register, rates)[snapshot.position[rows]]
        own = register.encoded.columns["weekly_benefit"][snapshot.position[rows]]
        weeks, money = _expected(np.exp(-hazard), start, own, as_of, rates)
        until = as_of + timedelta(days=n_weeks * DAYS_PER_WEEK - 1)
        before = np.array([np.datetime64(as_of, "D") - 1])
        whole = cost(before, np.array([_NO_END]), as_of, until, rates)
        full, years = float(whole.gross[0]), (whole.carried, whole.carried_from)
        n_unpriced = int(np.isnan(money).sum())
        if n_unpriced or np.isnan(full):
            raise ConfigError(
                f"rates {rates.version} do not price the weeks from {as_of} to {until} ({n_unpriced} cases without a cost); "
                'add the missing rates and state shares with --rates, or order by = "risk" in the policy'
            )
        told["weeks_ahead"][rows], told["cost_ahead"][rows], told["cost_share"][rows] = weeks, money, money / full
    return Outlook(
        pd.DataFrame({"case_id": snapshot.case_id.astype(object), **told}),
        full,
        rates.currency,
        rates.version,
        *years,
    )


def _expected(open_share: Floats, start: Dates, own: Floats, as_of: date, rates: Rates) -> tuple[Floats, Floats]:
    """Expected weeks with benefit and expected cost, (n,) each, of survival after 0 ... k weeks (n, k + 1)."""
    weeks, money = np.zeros(len(start)), np.zeros(len(start))
    end = np.full(len(start), _NO_END)
    for j in range(open_share.shape[1] - 1):
        first = as_of + timedelta(days=j * DAYS_PER_WEEK)
        last = first + timedelta(days=DAYS_PER_WEEK - 1)
        there = (open_share[:, j] + open_share[:, j + 1]) / 2
        days = (np.datetime64(last, "D") - start).astype(np.float64)
        weeks += there * np.clip(days, 0.0, DAYS_PER_WEEK) / DAYS_PER_WEEK
        money += there * cost(start, end, first, last, rates, own).net
    return weeks, money
