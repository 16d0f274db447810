"""Plans: what is refused, and what a plan says."""

from __future__ import annotations

from pathlib import Path

import pytest

from risk.errors import ConfigError
from training.plan import read_plan


def written(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", ["default", "demo", "injury"])
def test_the_shipped_plans_are_read_by_name(name: str) -> None:
    assert read_plan(name).name == name


def test_the_shipped_default_says_what_the_code_would_do_without_it(tmp_path: Path) -> None:
    bare = read_plan(written(tmp_path, 'version = "2026-1"'))
    assert bare == read_plan("default")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("origins = 3", "origins: there is no such key; check its spelling"),
        ("[backtest]\norigins = 0", "backtest.origins"),
        ('champion = "linaer"', "champion 'linaer' is not among learners.candidates"),
        ('[learners]\ncandidates = ["linear"]\nshown = ["linear"]', "stands in both"),
        ('[features.allowed]\nsex = "ok"', "features.allowed.sex"),
        ('[features.allowed]\nshoe_size = "we would like to know"', "shoe_size"),
        ('[features.dropped]\nshoe_size = "nobody asked"', "shoe_size"),
        ('outcome_file = "none.toml"', "outcome definition"),
        ("[landmarks", "cannot be read"),
    ],
)
def test_a_plan_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_plan(written(tmp_path, text))
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_unknown_plan_names_the_shipped_ones() -> None:
    with pytest.raises(ConfigError, match="default, demo, injury"):
        read_plan("deflaut")


def test_protected_attributes_come_in_only_by_name_and_reason(tmp_path: Path) -> None:
    assert "age_years" not in read_plan("default").features.names()
    allowed = written(tmp_path, '[features.allowed]\nage_years = "asked for by the data protection officer"')
    assert "age_years" in read_plan(allowed).features.names()


def test_an_outcome_file_beside_the_plan_is_what_counts(tmp_path: Path) -> None:
    (tmp_path / "half.toml").write_text('version = "half"\nhorizon_weeks = 26\nhorizons_weeks = [13, 26]', "utf-8")
    plan = read_plan(written(tmp_path, 'outcome_file = "half.toml"'))
    assert (plan.outcome.version, plan.outcome.horizon_weeks) == ("half", 26)


def test_capacity_is_a_share_of_the_team_or_a_number() -> None:
    share = read_plan("default").capacity
    assert [share.places(n) for n in (0, 1, 10, 11)] == [0, 1, 1, 2]
    assert share.model_copy(update={"per_team": 7}).places(1000) == 7
