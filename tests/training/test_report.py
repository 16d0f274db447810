"""The report: one page that stands alone and says the same as its JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from risk.errors import OutputError
from risk.register import Register
from training import figures
from training.report import Report, feature_weights, list_table, metric_tables, write_report
from training.results import TrainingRun

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """Open tags must be closed in order; ids and what links point at are collected."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.figures: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in given and "svg" not in self.open[:-1]:
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.targets.append(str(given["href"]))
        if tag == "svg":
            self.figures.append(given)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def page(small_report: Report) -> str:
    return small_report.html.read_text("utf-8")


def test_the_same_run_gives_the_same_bytes(
    make_run: Callable[..., TrainingRun], small_register: Register, small_report: Report, tmp_path: Path
) -> None:
    slower = make_run(seconds={"fit": 99.0})
    again = write_report(slower, small_register, tmp_path / "again")
    assert again.html.read_bytes() == small_report.html.read_bytes()
    assert again.json.read_bytes() == small_report.json.read_bytes()


def test_the_page_needs_nothing_from_outside_and_is_small(page: str) -> None:
    assert len(page.encode()) < 1_000_000
    assert not re.search(r"https?://|src=|@import|url\((?!#)|<script|<link", page)


def test_the_page_is_well_formed_and_every_link_has_a_target(page: str) -> None:
    outline = Outline()
    outline.feed(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert {t.removeprefix("#") for t in outline.targets} <= set(outline.ids)


def test_every_figure_says_in_words_what_it_shows(page: str, small_report: Report) -> None:
    outline = Outline()
    outline.feed(page)
    assert len(outline.figures) == len(small_report.figures) == 6
    for drawn in outline.figures:
        assert drawn["role"] == "img"
        assert len(str(drawn["aria-label"])) > 20
    assert page.count("<figcaption>") == 6


def test_the_page_shows_the_numbers_of_the_json(page: str, small_report: Report) -> None:
    facts = json.loads(small_report.json.read_text("utf-8"))
    assert facts == small_report.summary
    text = re.sub(r"<[^>]+>", "", page)
    for row in facts["backtest"]["metrics"]:
        if row["origin"] is None and row["metric"] == "auc":
            assert f"{row['value']:.2f}" in text
    for gate in facts["gates"]:
        assert gate["title"] in text
    assert facts["register"]["fingerprint"] in text
    assert "25.9 % censored" in text  # 70 of 270 rows


def test_the_naive_ways_are_named_naive_and_stand_last(small_report: Report, page: str) -> None:
    for table in metric_tables(small_report.summary):
        order = [row["learner"] for row in table["rows"]]
        assert order == ["linear", "baseline", "longest_open", "censored_as_negative", "matured_only"]
    assert "naive, open cases dropped" in page
    assert "-8.0" in page  # matured_only promises 2 in 100 where 10 came


def test_counts_under_the_limit_are_suppressed_on_the_page_and_in_the_json(small_report: Report, page: str) -> None:
    backtest = small_report.summary["backtest"]
    small_bins = [row for row in backtest["calibration"] if row["bin"] == 0]
    assert small_bins
    assert all(row["n"] is None and row["observed"] is None for row in small_bins)
    assert {row["n_exceed"] for row in backtest["metrics"] if row["landmark"] == "26"} == {None}
    assert [row["n_exceeded"] for row in small_report.summary["learned_from"]["landmarks"]] == [12, None]
    assert "&lt;5 of them known to pass week 52" in page


def test_a_suppressed_group_is_named_and_shows_no_number(page: str) -> None:
    groups = page[page.index('id="fairness"') : page.index('id="gates"')]
    (row,) = [r for r in groups.split("<tr") if ">male" in r]
    assert "suppressed: a count under 5 would show" in row
    assert "%" not in row


def test_synthetic_cases_are_marked_at_the_top(page: str) -> None:
    assert page.index("Synthetic cases.") < page.index("In short")


def test_real_cases_carry_no_synthetic_mark(
    make_run: Callable[..., TrainingRun], small_register: Register, tmp_path: Path
) -> None:
    run = make_run()
    run.register_facts["is_synthetic"] = False
    report = write_report(run, small_register, tmp_path / "real")
    assert "ynthetic" not in report.html.read_text("utf-8")


def test_a_failed_gate_is_said_at_the_top_and_before_promotion(
    make_run: Callable[..., TrainingRun], small_register: Register, tmp_path: Path
) -> None:
    run = make_run({"beats_baseline": "passed", "calibrated": "failed"})
    text = write_report(run, small_register, tmp_path / "failed").html.read_text("utf-8")
    assert "1 of 2 gates failed" in text
    assert "refuses when a gate failed, as it did here" in text


def test_a_run_without_a_backtest_still_has_a_report_that_says_why(
    make_run: Callable[..., TrainingRun], small_register: Register, tmp_path: Path
) -> None:
    report = write_report(make_run(is_judged=False), small_register, tmp_path / "young")
    assert "too young to judge anything" in report.html.read_text("utf-8")
    assert [f.name for f in report.figures] == ["weights"]


def test_a_run_that_judged_only_mondays_has_a_report_without_the_pictures_by_age(
    make_run: Callable[..., TrainingRun], small_register: Register, tmp_path: Path
) -> None:
    whole = make_run().backtest
    metrics = whole.metrics[
        (whole.metrics["landmark"] == "list") & (whole.metrics["metric"] == "precision_at_capacity")
    ]
    run = make_run(backtest=replace(whole, metrics=metrics, calibration=whole.calibration.iloc[:0]))
    report = write_report(run, small_register, tmp_path / "mondays")
    assert [f.name for f in report.figures] == ["splits", "mondays", "weights"]
    assert "at no age were there enough cases" in report.html.read_text("utf-8")


def test_what_users_wrote_is_escaped(
    make_run: Callable[..., TrainingRun], small_register: Register, tmp_path: Path
) -> None:
    run = make_run(warnings=["<script>alert(1)</script>"])
    text = write_report(run, small_register, tmp_path / "escaped").html.read_text("utf-8")
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_weights_are_mean_absolute_contributions_and_shares_add_up(
    make_run: Callable[..., TrainingRun], small_register: Register
) -> None:
    table = feature_weights(make_run(), small_register)
    assert table["weight"].is_monotonic_decreasing
    assert table["share"].sum() == pytest.approx(1.0)
    assert set(table["feature"]) == {"age_weeks", "employment_status", "weekly_hours"}
    assert (feature_weights(make_run(), small_register, most=10)["weight"] >= 0).all()


def test_no_case_stands_in_the_report(small_report: Report, small_register: Register) -> None:
    text = small_report.html.read_text("utf-8") + small_report.json.read_text("utf-8")
    assert not [c for c in small_register.cases["case_id"] if c in text]


def test_a_folder_with_other_files_is_left_alone(
    make_run: Callable[..., TrainingRun], small_register: Register, tmp_path: Path
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match=r"holds 1 other file \(thesis\.txt\)"):
        write_report(make_run(), small_register, tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_the_table_of_mondays_is_their_mean_with_the_intervals_of_the_list() -> None:
    lists = [
        {"origin": "2024-01-01", "monday": day, "learner": "linear", "n_open": 60, "n_listed": 6, "precision": p,
         "recall": 0.3, "rule_precision": r}
        for day, p, r in (("2024-01-08", 0.4, 0.1), ("2024-01-15", 0.2, 0.2))
    ]  # fmt: skip
    lift = {"origin": None, "landmark": "list", "learner": "linear", "metric": "lift_over_rule", "value": 2.0, "low": 1.5,
            "high": 2.5, "n": 60, "n_exceed": 9}  # fmt: skip
    (row,) = list_table({"model": {"learner": "linear"}, "backtest": {"lists": lists, "metrics": [lift]}})
    assert (row["precision"], row["rule_precision"]) == (pytest.approx(0.3), pytest.approx(0.15))
    assert row["n_mondays"] == 2
    assert row["cells"]["lift_over_rule"]["low"] == 1.5


def test_a_figure_with_gaps_is_drawn_without_a_warning() -> None:
    metrics = pd.DataFrame(
        {"origin": [pd.NaT] * 3, "landmark": ["4", "8", "4"], "learner": ["a", "a", "b"], "metric": "auc",
         "value": [0.7, np.nan, 0.6], "low": [0.6, np.nan, np.nan], "high": [0.8, np.nan, np.nan]}
    )  # fmt: skip
    figure = figures.by_landmark(metrics, "auc", "AUC", ["a", "b"], ["4", "8"])
    assert figure.svg.startswith("<svg role=")
    assert "nan" not in figure.svg.lower()
