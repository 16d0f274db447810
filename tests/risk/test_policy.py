from __future__ import annotations

from collections.abc import Callable
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from risk.errors import ConfigError
from risk.policy import Capacity, read_policy

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
        ("[order]", "[order]\nspeed = 3", r"order\.speed: Extra inputs are not permitted"),
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
        ("[capacity]", "[capacity", "cannot be read"),
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_with_the_place(
    written: Callable[[str, str], Path], old: str, new: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        read_policy(written(old, new))


def test_a_policy_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_policy(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(SHIPPED.encode("latin-1", "replace"))
    with pytest.raises(ConfigError, match="cannot be read"):
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
    ("unit", "reserve", "places", "n_duties", "left"),
    [
        ("cases", 0, 20, 0, (20, 0)),
        ("cases", 0, 20, 20, (0, 0)),
        ("cases", 0, 20, 23, (0, 3)),
        ("cases", 2, 20, 19, (2, 0)),  # the reserve stands even when duties fill the week
        ("cases", 2, 0, 0, (0, 0)),  # a team without places has no reserve
        ("hours", 0, 10.0, 6, (8, 0)),  # 6 duties of 60 minutes leave 4 hours: 8 talks of 30 minutes
        ("hours", 0, 5.5, 6, (0, 1)),
    ],
)
def test_what_is_left_after_duties_goes_to_risk(
    unit: str, reserve: int, places: float, n_duties: int, left: tuple[int, int]
) -> None:
    capacity = Capacity.model_validate(
        {"unit": unit, "caseload_norm": 45, "per_worker": 14, "reserve": reserve, "risk_minutes": 30}
    )
    assert capacity.left_for_risk(places, n_duties) == left
