"""Laws of the list over many made-up weeks: duties are never displaced, counts add up, other teams change nothing."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from risk.duties import take_duties
from risk.outlook import Outlook
from risk.policy import Closing, Minutes, Order, Policy, read_policy
from risk.priority import SECTIONS, LastWeek, Worklist, prioritise
from risk.register import Register, make_register
from risk.scoring import Scores
from risk.snapshot import take_snapshot

AS_OF = date(2026, 11, 23)
SEEDS = range(8)
KINDS = {
    "follow_up_held": ("interview", "round_table", "written"), "follow_up_planned": ("interview",),
    "milestone_done": ("broad_assessment",), "contact": ("phone", "meeting"), "fast_track": ("worker", "employer"),
    "visitation_category": ("1", "2", "3"), "standby": ("true", "false"), "objection": ("true", "false"),
    "protected_address": ("true", "false"),
}  # fmt: skip
RARE = ("standby", "objection", "protected_address", "fast_track")


def random_register(seed: int, n: int = 150, extract_on: date = date(2026, 12, 20)) -> Register:
    """Cases of three teams, open and closed, with facts before and after the as-of date."""
    rng = np.random.default_rng(seed)
    opened = np.datetime64("2025-06-02") + rng.integers(0, 530, n)
    registered = opened + rng.integers(0, 30, n)
    closed = registered + rng.integers(20, 900, n)
    is_open = closed >= np.datetime64(extract_on)
    cases = pd.DataFrame(
        {
            "case_id": [f"SYN{i:06d}" for i in rng.permutation(n)],
            "person_key": [f"p{i}" for i in range(n)],
            "opened_on": opened,
            "registered_on": registered,
            "closed_on": np.where(is_open, np.datetime64("NaT"), closed),
            "close_reason": np.where(is_open, None, "recovered"),
            "office": rng.choice(["Nordby", "Sydby"], n),
            "team": rng.choice(["A", "B"], n),
            "employment_status": rng.choice(["employee", "unemployed"], n),
        }
    )
    facts = []
    for name, values in KINDS.items():
        for _ in range(1 if name in RARE else 4):
            known_on = registered + rng.integers(0, 200, n)
            told = (rng.random(n) < (0.08 if name in RARE else 0.6)) & (known_on < np.datetime64(extract_on))
            value = rng.choice(values, n)
            frame = pd.DataFrame({"case_id": cases["case_id"], "known_on": known_on, "name": name, "value": value})
            facts.append(frame[told])
    return make_register(cases, pd.concat(facts), extract_on, is_synthetic=True)


def scores_of(register: Register, as_of: date = AS_OF) -> Scores:
    """Scores that depend on the case id alone, with ties, abstentions and cases past the horizon."""
    snapshot = take_snapshot(register, as_of)
    number = np.array([int(c[3:]) for c in snapshot.case_id.tolist()])
    past = snapshot.age_weeks >= 52
    abstained = ~past & (number % 11 == 0)
    p = np.where(past | abstained, np.nan, (number * 7919 % 50) / 50)
    return Scores(
        pd.DataFrame(
            {
                "case_id": snapshot.case_id.astype(object),
                "age_weeks": snapshot.age_weeks,
                "status": np.select([past, abstained], ["past_horizon", "abstained"], "scored").astype(object),
                "abstain_reason": np.where(abstained, "benefit_basis", "").astype(object),
                "p_exceed_52w": p,
                "base_rate": np.where(past, np.nan, 0.2),
            }
        ),
        52,
        "risk52-1",
    )


def ahead_of(scores: Scores) -> Outlook:
    """The coming weeks, from the case id alone: chances of closing and costs, nan without a score."""
    number = scores.frame["case_id"].str[3:].astype(int)
    cost = (number * 104729 % 97 / 100).where(scores.frame["status"] == "scored")
    close = (number * 15485863 % 89 / 100).where(scores.frame["status"] == "scored")
    frame = pd.DataFrame({"case_id": scores.frame["case_id"], "p_close_4w": close, "weeks_ahead": cost * 52})
    return Outlook(frame.assign(cost_ahead=cost * 1000, cost_share=cost), 1000.0, "DKK", "test", (), None)


def random_policy(seed: int) -> Policy:
    """A policy of any unit, order and threshold."""
    rng = np.random.default_rng(100 + seed)
    policy = read_policy()
    by = rng.choice(["risk", "avoidable_cost", "mix"])
    minutes = Minutes(**{k: int(rng.integers(10, 90)) for k in Minutes.model_fields})
    capacity = policy.capacity.model_copy(
        update={
            "teams": {"A": float(rng.integers(0, 30))},
            "reserve": int(rng.integers(0, 3)),
            "per_worker": float(rng.integers(0, 30)),
            "unit": ("cases", "hours")[seed % 2],
            "minutes": minutes,
        }
    )
    order = Order(by=by, cost_part=float(rng.uniform(0.1, 0.9)) if by == "mix" else None)
    closing = Closing(p_at_least=float(rng.choice([0.3, 0.6, 1.1])))
    return policy.model_copy(update={"capacity": capacity, "order": order, "closing": closing})


def last_week_of(register: Register, policy: Policy) -> LastWeek:
    as_of = date(2026, 11, 16)
    before = worklist_of(register, policy, as_of=as_of)
    return LastWeek(before.week, before.rows[["office", "team", "case_id", "section"]])


def worklist_of(register: Register, policy: Policy, last: LastWeek | None = None, as_of: date = AS_OF) -> Worklist:
    scores = scores_of(register, as_of)
    return prioritise(scores, take_duties(register, as_of, policy), policy, last, outlook=ahead_of(scores))


def assert_same(one: Worklist, other: Worklist) -> None:
    for a, b in ((one.rows, other.rows), (one.left, other.left), (one.teams, other.teams), (one.draws, other.draws)):
        pd.testing.assert_frame_equal(a, b)


@pytest.mark.parametrize("seed", SEEDS)
def test_duties_are_never_displaced(seed: int) -> None:
    register, policy = random_register(seed), random_policy(seed)
    duties, work = take_duties(register, AS_OF, policy), worklist_of(register, policy)
    frame = duties.frame
    must = set(frame.loc[frame["is_due"] & (frame["exclusion"] != "protected_address"), "case_id"])
    assert len(must) > 5
    assert set(work.rows.loc[work.rows["section"] == "duty", "case_id"]) == must
    for _, rows in work.rows.groupby(["office", "team"]):
        is_duty = (rows["section"] == "duty").to_numpy()
        assert not is_duty[is_duty.sum() :].any()  # they stand first
        assert rows.loc[is_duty, "due_on"].is_monotonic_increasing


@pytest.mark.parametrize("seed", SEEDS)
def test_capacity_is_never_exceeded_by_more_than_duties_and_the_reserve(seed: int) -> None:
    work = worklist_of(random_register(seed), policy := random_policy(seed))
    in_hours = policy.capacity.unit == "hours"
    for team in work.teams.itertuples():
        reserve = policy.capacity.reserve if team.capacity else 0
        duties = team.duty_minutes / 60 if in_hours else team.n_duty
        by_risk = (team.n_risk + team.n_audit) * (policy.capacity.minutes.risk / 60 if in_hours else 1)
        assert team.n_risk + team.n_audit <= reserve or by_risk <= team.capacity - duties + 1e-9
        assert (team.shortfall > 0) == (duties > team.capacity + 1e-9)
        assert team.shortfall <= team.n_duty
        if team.n_remainder:  # a place is left empty only when nobody waits for it
            assert team.n_risk + team.n_audit == team.risk_places


@pytest.mark.parametrize("seed", SEEDS)
def test_every_open_case_is_listed_once_or_counted_in_the_remainder_or_among_the_excluded(seed: int) -> None:
    register, policy = random_register(seed), random_policy(seed)
    work = worklist_of(register, policy)
    counts = [f"n_{s}" for s in (*SECTIONS, "cooling", "remainder")]
    counts += [f"n_excluded_{e.fact}" for e in policy.exclusions]
    assert (work.teams[counts].sum(axis=1) == work.teams["n_open"]).all()
    snapshot = take_snapshot(register, AS_OF)
    assert work.teams["n_open"].sum() == len(snapshot)
    assert work.rows["case_id"].is_unique
    assert set(work.rows["case_id"]) <= set(snapshot.case_id.tolist())
    listed = work.teams[[f"n_{s}" for s in SECTIONS]].to_numpy().sum()
    assert listed == len(work.rows)
    ranks = work.rows.groupby(["office", "team"])["rank"]
    assert (ranks.min() == 1).all()
    assert (ranks.max() == ranks.size()).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_protected_address_is_on_no_list_and_an_excluded_case_shows_no_score(seed: int) -> None:
    register, policy = random_register(seed), random_policy(seed)
    work = worklist_of(register, policy)
    exclusion = take_duties(register, AS_OF, policy).frame.set_index("case_id")["exclusion"]
    mine = exclusion.loc[work.rows["case_id"]]
    assert (exclusion == "protected_address").any()
    assert not (mine == "protected_address").any()
    assert work.rows.loc[(mine != "").to_numpy(), "p_exceed_52w"].isna().all()
    assert set(work.rows.loc[(mine != "").to_numpy(), "section"]) <= {"duty"}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_input_in_another_order_gives_the_same_list(seed: int) -> None:
    register, policy = random_register(seed), random_policy(seed)
    last = last_week_of(register, policy)
    shuffled = make_register(
        register.cases.sample(frac=1, random_state=seed),
        register.facts.sample(frac=1, random_state=seed),
        register.extract_on,
    )
    assert_same(worklist_of(register, policy, last), worklist_of(shuffled, policy, last))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_case_in_another_team_changes_nothing_here(seed: int) -> None:
    register, policy = random_register(seed), random_policy(seed)
    is_here = ((register.cases["office"] == "Nordby") & (register.cases["team"] == "A")).to_numpy()
    alone, work = worklist_of(register.of_cases(is_here), policy), worklist_of(register, policy)
    for with_others, without in ((work.rows, alone.rows), (work.teams, alone.teams), (work.draws, alone.draws)):
        here = with_others[(with_others["office"] == "Nordby") & (with_others["team"] == "A")].reset_index(drop=True)
        pd.testing.assert_frame_equal(here, without, check_dtype=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_recorded_on_the_day_or_later_changes_nothing(seed: int) -> None:
    register, policy = random_register(seed), random_policy(seed)
    later = (register.facts["known_on"] >= pd.Timestamp(AS_OF)).to_numpy()
    assert later.any()
    closes_later = register.cases["closed_on"] >= pd.Timestamp(AS_OF)
    blind_cases = register.cases.assign(
        closed_on=register.cases["closed_on"].mask(closes_later),
        close_reason=register.cases["close_reason"].mask(closes_later),
    )
    blind_cases = blind_cases[blind_cases["registered_on"] < pd.Timestamp(AS_OF)]
    blind = make_register(blind_cases, register.facts[~later], register.extract_on)
    assert_same(worklist_of(register, policy), worklist_of(blind, policy))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_case_vanishes_from_one_week_to_the_next_without_a_word(seed: int) -> None:
    register, policy = random_register(seed), random_policy(seed)
    last = last_week_of(register, policy)
    work = worklist_of(register, policy, last)
    keys = ["office", "team", "case_id"]
    before = set(last.rows[keys].itertuples(index=False, name=None))
    stayed = set(work.rows.loc[work.rows["change"] == "stayed", keys].itertuples(index=False, name=None))
    left = set(work.left[keys].itertuples(index=False, name=None))
    assert stayed | left == before
    assert not stayed & left
