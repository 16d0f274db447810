from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from risk.errors import ConfigError
from risk.policy import Capacity, Minutes, Order, read_policy

SHIPPED = resources.files("risk").joinpath("policy.toml").read_text("utf-8")


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, str], Path]:
    """The shipped policy with one passage replaced."""

    def _write(old: str, new: str) -> Path:
        assert SHIPPED.count(old) >= 1
        path = tmp_path / "policy.toml"
        path.write_text(SHIPPED.replace(old, new, 1), "utf-8")
        return path

    return _write


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(1982, 5, 3), "before-2005"),
        (date(2005, 6, 30), "before-2005"),
        (date(2005, 7, 1), "2005-categories"),
        (date(2014, 6, 30), "2005-categories"),
        (date(2014, 7, 1), "2014-visitation"),
        (date(2025, 1, 1), "2025-act"),
        (date(2040, 1, 1), "2025-act"),
    ],
)
def test_the_rule_set_of_a_day_is_the_one_in_force_on_it(day: date, name: str) -> None:
    assert read_policy().rules_on(day).name == name


def test_what_nobody_checked_against_the_law_is_not_called_law() -> None:
    assert {r.name: r.basis for r in read_policy().rules if r.first_weeks} == {
        "2005-categories": "office",
        "2014-visitation": "law",
        "2025-act": "law",
    }


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[order]", "[order]\nspeed = 3", r"order\.speed: there is no such key; check its spelling"),
        (
            "valid_until = 2014-06-30",
            "valid_until = 2014-05-31",
            "gap or an overlap between rule sets '2005-categories'",
        ),
        ("valid_until = 2014-06-30", "valid_until = 2014-07-01", "gap or an overlap"),
        ("valid_until = 2014-06-30", "", "gap or an overlap"),
        ('accepts = ["interview", "round_table"]', 'accepts = ["letter"]', "'letter' is not a value of follow_up_held"),
        ("[rules.by_category.2]", "[rules.by_category.9]", "'9' is not a value of visitation_category"),
        ('fact = "standby"', 'fact = "illness_group"', "'illness_group' is not a flag among the facts"),
        ("share = 0.05", "share = 0.9", "audit.share"),
        ("per_worker = 14", "per_worker = -1", "capacity.per_worker"),
        ("week = 13 ", "# ", "either week or month_end_after_weeks"),
        ("default = 30, ", "", "uncounted_days needs a default"),
        ('by = "risk"', 'by = "mix"', "order: Value error, cost_part belongs to by"),
        ('by = "risk"', 'by = "luck"', r"order\.by: Input should be 'risk', 'avoidable_cost' or 'mix'"),
        ("follow_up = 60", "follow_up = 0", r"capacity\.minutes\.follow_up"),
        ("written = 60", "letter = 60", r"capacity\.minutes\.letter: there is no such key; check its spelling"),
        ("p_at_least = 0.4", "p_at_least = -1", r"closing\.p_at_least"),
        ("[capacity]", "[capacity", "cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_the_place(
    written: Callable[[str, str], Path], old: str, new: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_policy(written(old, new))


def test_a_policy_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml cannot be read: No such file or directory$"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(SHIPPED.encode("latin-1", "replace"))
    with pytest.raises(ConfigError, match=r"cannot be read: not a text in UTF-8$"):
        read_policy(tmp_path / "latin.toml")


def test_a_day_before_the_first_rule_set_is_refused() -> None:
    with pytest.raises(ConfigError, match="no rule set covers 1899-12-31"):
        read_policy().rules_on(date(1899, 12, 31))


@pytest.mark.parametrize("n", [0, -3])
def test_a_capacity_below_one_is_refused_and_says_what_to_give(n: int) -> None:
    with pytest.raises(ConfigError, match=f"a capacity of {n} leaves no place to list; give 1 or more"):
        read_policy().with_places(n)


def test_a_capacity_for_all_beats_the_capacity_of_a_team(written: Callable[[str, str], Path]) -> None:
    policy = read_policy(written("[capacity.teams] ", '[capacity.teams]\n"A" = 7 '))
    assert (policy.capacity.of_team("A", 400), policy.capacity.of_team("B", 46)) == (7.0, 28.0)  # B: 2 workers of 14
    assert policy.with_places(9).capacity.of_team("A", 400) == 9.0


def test_a_team_the_register_does_not_have_is_refused(written: Callable[[str, str], Path]) -> None:
    policy = read_policy(written("[capacity.teams] ", '[capacity.teams]\n"Nrod" = 7 '))
    with pytest.raises(ConfigError, match=r"team 'Nrod' is not in the register; known are Nord, Syd$"):
        policy.check_teams(["Syd", "Nord", "Nord"])


@pytest.mark.parametrize(
    ("unit", "reserve", "places", "minutes", "left"),
    [
        ("cases", 0, 20, [], (20, 0)),
        ("cases", 0, 20, [60] * 20, (0, 0)),
        ("cases", 0, 20, [15] * 23, (0, 3)),  # a place is a place, however short the talk
        ("cases", 2, 20, [60] * 19, (2, 0)),  # the reserve stands even when duties fill the week
        ("cases", 2, 0, [], (0, 0)),  # a team without places has no reserve
        ("hours", 0, 10.0, [60] * 6, (8, 0)),  # 6 duties of 60 minutes leave 4 hours: 8 talks of 30 minutes
        ("hours", 0, 5.5, [60] * 6, (0, 1)),
        ("hours", 0, 3.0, [60, 45, 15], (2, 0)),
        ("hours", 0, 1.5, [60, 45, 15], (0, 2)),  # the second no longer fits, nor does what stands behind it
    ],
)
def test_what_is_left_after_duties_goes_to_risk(
    unit: str, reserve: int, places: float, minutes: list[float], left: tuple[int, int]
) -> None:
    capacity = Capacity.model_validate(
        {"unit": unit, "caseload_norm": 45, "per_worker": 14, "reserve": reserve, "minutes": {"risk": 30}}
    )
    assert capacity.left_for_risk(places, minutes) == left


@pytest.mark.parametrize(
    ("duty", "may_be_written", "minutes"),
    [
        ("first_interview", False, 60), ("first_interview", True, 20), ("follow_up", False, 45), ("follow_up", True, 20),
        ("fast_track", True, 30),  # who asks for an early interview is to have one
    ],
)  # fmt: skip
def test_a_duty_takes_the_minutes_of_its_kind_and_those_of_writing_where_that_is_accepted(
    duty: str, may_be_written: bool, minutes: int
) -> None:
    assert Minutes(follow_up=45, fast_track=30, written=20).of_duty(duty, may_be_written) == minutes
    assert Minutes(follow_up=10, written=20).of_duty("follow_up", True) == 10


def test_a_mix_must_be_stated_and_only_a_mix_can_be() -> None:
    assert [Order(by=b, cost_part=c).cost_weight for b, c in (("risk", None), ("avoidable_cost", None), ("mix", 0.3))] == [
        0.0, 1.0, 0.3,
    ]  # fmt: skip
    for by, part in (("mix", None), ("risk", 0.5), ("avoidable_cost", 0.5)):
        with pytest.raises(ValueError, match="cost_part belongs to by"):
            Order.model_validate({"by": by, "cost_part": part})
