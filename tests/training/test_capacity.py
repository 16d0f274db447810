"""``risk capacity`` as a user meets it: a table, a page, a plot with words, and mistakes told in one line."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from models.bundle import Bundle
from risk.__main__ import main
from risk.capacity.plausible import AtNinety
from risk.errors import ConfigError
from risk.policy import read_policy
from risk.register import Register, write_register
from training.capacity_page import as_facts, plot, write_folder
from training.capacity_study import Question, Study, study
from training.capacity_words import believable, findings, in_words

EXTRACT = date(2026, 11, 16)


@pytest.fixture(scope="module")
def found(small_register: Register, small_bundle: Bundle) -> Study:
    question = Question(EXTRACT, (10.0, 90.0), n_weeks=20, n_runs=12, effect=(0.8, 1.51))
    return study(small_register, small_bundle, read_policy(), question)


def test_the_cases_past_the_horizon_are_the_same_at_every_norm_without_effect(found: Study) -> None:
    few, many = found.norms
    assert few.result.passed == many.result.passed
    assert few.result.past == many.result.past
    harm, help_ = few.with_effect
    assert harm.passed.value >= few.result.passed.value >= help_.passed.value
    assert harm.passed.value > help_.passed.value


def test_fewer_cases_a_worker_mean_more_in_time_and_more_hours_for_risk(found: Study) -> None:
    few, many = (n.result for n in found.norms)
    assert few.timeliness.value > 0.95 > many.timeliness.value
    assert few.risk_hours.value > many.risk_hours.value
    assert found.n_open == 1.0 * sum(s.n_open for s in found.starts) == few.n_workers * 10
    assert few.duty_hours.value + few.risk_hours.value + few.free_hours.value == pytest.approx(found.hours)
    longest = [n.longest_minutes for n in found.norms]
    assert longest[0] is not None
    assert longest[1] is not None
    assert longest[0] > longest[1]


def test_the_text_names_its_sources_its_limits_and_what_is_not_known(found: Study) -> None:
    text = " ".join(in_words(found).split())
    for said in ("our assumption", "not known. Danish trials", "1.51 (significant), 1.12 and 0.80", "made up",
                 "Copenhagen's answer on caseload norm", "What it can and cannot say", "x 0.80", "x 1.51", "2005-categories",
                 "records no follow-ups"):  # fmt: skip
        assert said in text, said
    assert any("Copenhagen" in line for line in believable(found))
    alone = study_without_effect(found)
    assert "That is an assumption, not a finding" in " ".join(findings(alone))


def study_without_effect(found: Study) -> Study:
    return replace(found, question=replace(found.question, effect=None))


def test_the_rules_of_another_day_can_be_asked_for(small_register: Register, small_bundle: Bundle) -> None:
    question = Question(EXTRACT, (90.0,), n_weeks=8, n_runs=10, rules_of=date(2008, 6, 1))
    found = study(small_register, small_bundle, read_policy(), question)
    assert found.rules.name == "2005-categories"
    assert [a.rules.name for a in found.ninety] == ["2005-categories"]
    assert found.ninety[0].asked == 11.25  # nobody here has a category: every eight weeks
    none = Question(EXTRACT, (90.0,), n_weeks=8, n_runs=10, rules_of=date(2001, 1, 1))
    text = in_words(study(small_register, small_bundle, read_policy(), none))
    assert "The rules in force ask for no follow-up" in text
    assert "not known" in text


@pytest.mark.parametrize(
    ("timeliness", "written", "asked_hours", "said"),
    [
        (0.94, 1.0, 12.0, "Under the rules of its own time it is reproduced"),
        (0.66, 1.0, 13.8, "the two lengths lie on either side of it"),
        (0.66, 0.7, 13.8, "almost as many are asked for as fit into the week"),
        (0.02, 0.02, 22.5, "more follow-ups are asked for than fit into the week"),
    ],
)
def test_copenhagen_is_reproduced_bracketed_or_missed_and_the_text_says_which(
    found: Study, timeliness: float, written: float, asked_hours: float, said: str
) -> None:
    ninety = AtNinety(found.rules, asked_hours, asked_hours, 14.0, timeliness, written)
    told = " ".join(believable(replace(found, ninety=(ninety,))))
    assert said in told
    assert f"{100 * written:.0f} % if what may be held in writing took 15 minutes" in told


def test_page_plot_and_numbers_are_written_and_the_same_again(found: Study, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_folder(found, tmp_path / name)
    names = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert names == ["capacity.html", "capacity.json", "capacity.svg"]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    facts = json.loads((tmp_path / "one" / "capacity.json").read_text("utf-8"))
    assert facts["norms"][0]["result"]["norm"] == 10
    assert len(facts["norms"][0]["result"]["by_week"]["timeliness"]) == 20
    json.dumps(as_facts(found), allow_nan=False)
    svg = (tmp_path / "one" / "capacity.svg").read_text("utf-8")
    label = re.search(r'aria-label="([^"]*)"', svg)
    assert label is not None
    assert "90 cases a worker" in label[1]
    assert label[1] == plot(found).words
    page = (tmp_path / "one" / "capacity.html").read_text("utf-8")
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "Assumptions, with their sources" in page


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(
    small_register: Register, small_bundle: Bundle, found: Study
) -> None:
    def again(seed: int) -> Study:
        question = Question(EXTRACT, (90.0,), n_weeks=20, n_runs=12, seed=seed)
        return study(small_register, small_bundle, read_policy(), question)

    assert again(1).norms[0].result.timeliness == found.norms[1].result.timeliness
    assert again(2).norms[0].result.passed != found.norms[1].result.passed


@pytest.mark.parametrize(
    "changed",
    [{"norms": (0.0,)}, {"norms": (45.0, -1.0)}, {"hours": 0.0}, {"effect": (1.5, 0.8)}, {"effect": (0.0, 1.0)},
     {"norms": (float("nan"),)}],
)  # fmt: skip
def test_a_question_that_cannot_be_simulated_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"above 0"):
        Question(EXTRACT, **changed).check()  # type: ignore[arg-type]  # kinds mixed in a dict, wrong ones among them


def test_the_command_prints_and_its_mistakes_end_in_one_line(
    small_register: Register,
    small_bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_register(small_register, tmp_path / "reg")
    model = small_bundle.save(tmp_path / "bundle")
    monkeypatch.setenv("RISK_HOME", str(tmp_path / "home"))

    def run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["capacity", str(tmp_path / "reg"), *map(str, args)])
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    small = ("--model", model, "--runs", 10, "--weeks", 6, "--norm", 60)
    status, out, _ = run("--as-of", "2026-11-16", *small, "--team", "A", "--out", tmp_path / "out")
    assert status == 0
    assert "team A" in out
    assert "capacity.html" in out
    status, out, _ = run("--as-of", "2026-11-16", *small, "--json")
    assert json.loads(out)["n_teams"] == 2
    for args, exit_status, said in (
        (("--as-of", "2026-11-16", "--norm", 0, "--model", model), 6, "--norm 0"),
        (("--as-of", "2027-01-04", *small), 7, "after the extract date"),
        (("--as-of", "2026-11-16", *small, "--team", "Q"), 6, "team 'Q' is not in the register"),
        (("--as-of", "2024-06-10", *small), 8, "fewer than 5 open cases"),
        (("--as-of", "2026-11-16", "--norm", 60), 10, "no models yet"),
        (("--as-of", "2026-11-16", *small, "--out", model / "manifest.json"), 12, "is a file"),
    ):
        status, out, err = run(*args)
        assert status == exit_status, (args, err)
        assert said in err
        assert err.count("\n") == 1
