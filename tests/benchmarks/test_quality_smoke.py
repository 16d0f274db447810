"""The side-by-side benchmark runs with what the dev extra installs, and its arithmetic is right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from benchmarks import judging, machine, peers, quality, quality_page, quality_report, sets
from models import metrics
from models.rows import outcome


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("quality")
    done = CliRunner().invoke(quality.main, ["--smoke", "--out", str(out), "--cache", str(out / "cache.jsonl")])
    assert done.exit_code == 0, done.output
    return out


def test_the_smoke_run_judges_real_and_synthetic_cases_beside_a_peer(smoke: Path) -> None:
    made = json.loads((smoke / "quality.json").read_text("utf-8"))
    folds = pd.DataFrame(made["folds"]["rows"], columns=made["folds"]["columns"])
    for name in ("injury, two years", "synthetic 300"):
        ran = set(folds.loc[folds["set"] == name, "learner"])
        assert {"baseline", "linear", "matured_only", "censored_as_negative", "cox", "lightgbm_ipcw"} <= ran
    assert (folds["fit"] >= 0).all()
    assert folds["brier"].between(0, 1).all()
    synthetic = folds[folds["set"] == "synthetic 300"].groupby("learner")["brier"].mean()
    assert synthetic.idxmin() == judging.ORACLE
    assert synthetic["linear"] < synthetic["baseline"]


def test_every_peer_that_did_not_run_is_named(smoke: Path) -> None:
    made = json.loads((smoke / "quality.json").read_text("utf-8"))
    at = made["folds"]["columns"].index("learner")
    ran = {row[at] for row in made["folds"]["rows"]}
    page = (smoke / "quality.md").read_text("utf-8")
    for name in peers.PEERS:
        assert name in ran or any(note.startswith(f"{name}:") for note in made["notes"])
        assert name in ran or f"- {name}:" in page


def test_a_peer_whose_package_is_missing_is_said_to_be_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers.Cox, "package", "no_such_package")
    present, notes = quality._present(["linear", "cox"], smoke=False)
    assert present == ["linear"]
    assert notes == ["cox: not installed (package no_such_package; pip install '.[bench]')"]


def test_what_is_in_the_cache_is_not_computed_again(smoke: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("computed again")

    monkeypatch.setattr(judging, "run", refuse)
    again = ["--smoke", "--out", str(smoke / "again"), "--cache", str(smoke / "cache.jsonl")]
    done = CliRunner().invoke(quality.main, again)
    assert done.exit_code == 0, done.output
    first, second = (json.loads((f / "quality.json").read_text("utf-8")) for f in (smoke, smoke / "again"))
    assert first["folds"] == second["folds"]


def test_an_unknown_learner_or_set_ends_in_one_line() -> None:
    for arguments, word in ((["--learners", "oracle9"], "oracle9"), (["--sets", "nowhere"], "nowhere")):
        done = CliRunner().invoke(quality.main, [*arguments, "--smoke"])
        assert done.exit_code == 1
        assert word in done.output
        assert "Traceback" not in done.output


def test_persons_stay_whole_and_how_cases_end_is_spread_evenly() -> None:
    found = sets.load("synthetic_smoke")
    fold = judging.fold_of(found, 3, repeat=0)
    assert all(len(np.unique(fold[found.group == g])) == 1 for g in np.unique(found.group))
    passed = found.y["weeks"] > found.week
    shares = [passed[fold == k].mean() for k in range(3)]
    assert max(shares) - min(shares) < 0.05
    assert not np.array_equal(fold, judging.fold_of(found, 3, repeat=1))


def test_public_sets_leave_out_the_calendar_and_what_comes_afterwards() -> None:
    assert len(sets.PUBLIC) >= 12
    left_out = {name: set(how.drop) for name, how in sets.PUBLIC.items()}
    assert left_out["rott2"] >= {"num_year"}
    assert left_out["whas500"] >= {"fac_year"}
    assert left_out["flchain"] >= {"num_sample_yr", "fac_sample_yr", "fac_chapter"}
    assert left_out["scania"] >= {"num_birthdate"}
    assert all(bool(how.drop) == bool(how.why) for how in sets.PUBLIC.values())
    columns = set(sets.injury(n_rows=100).X.columns)
    assert not columns & {"totmed", "ltotmed", "durat", "ldurat", "afchnge", "benefit"}


def test_synthetic_rows_are_judged_by_what_will_happen_and_learned_from_what_is_known() -> None:
    found = sets.load("synthetic_smoke")
    assert found.judged["closed"].all()
    assert not found.y["closed"].all()
    closed = found.y["closed"]
    np.testing.assert_allclose(found.y["weeks"][closed], found.judged["weeks"][closed])
    assert (found.y["weeks"][~closed] <= found.judged["weeks"][~closed]).mean() > 0.99  # who moved away is lost earlier
    assert found.p_best is not None
    passed = np.mean(found.judged["weeks"] > 52)
    assert abs(found.p_best.mean() - passed) < 0.05


def test_the_cox_peer_says_what_scikit_survival_says_and_starts_its_clock_at_entry() -> None:
    # Oracle: sksurv's own step functions of the same fit, read at 52 - entry.
    rng = np.random.default_rng(4)
    n = 300
    X = pd.DataFrame({"a": rng.normal(size=n), "b": pd.Categorical(rng.choice(["x", "y"], n))})
    entry = rng.choice([0.0, 8.0, 26.0], n)
    weeks = entry + rng.exponential(30, n)
    y = outcome(weeks < 90, np.minimum(weeks, 90))
    peer = peers.Cox(52.0, {"alpha": 10.0}).fit(X, y, entry, np.arange(n))
    matrix = peer._with_age(peer.encoder_.transform(X), entry)
    curves = peer.model_.predict_survival_function(matrix)
    expected = [curve(52.0 - e) for curve, e in zip(curves, entry, strict=True)]
    np.testing.assert_allclose(peer.survival(X, [52.0], entry)[:, 0], expected, atol=1e-12)


def test_settings_of_a_peer_are_those_with_the_least_held_out_brier() -> None:
    rng = np.random.default_rng(5)
    n = 400
    X = pd.DataFrame({"signal": rng.normal(size=n)})
    weeks = rng.exponential(40 * np.exp(X["signal"].to_numpy()))
    y = outcome(weeks < 80, np.minimum(weeks, 80))
    chosen = peers.Cox(52.0).fit(X, y, np.zeros(n), np.arange(n)).chosen_
    assert chosen["alpha"] < 300  # a strong signal must not be drawn to nothing
    assert chosen in peers.Cox.grid


def test_durations_are_made_coarse_upwards_and_keep_their_order() -> None:
    weeks = np.random.default_rng(0).exponential(10, 1000)
    made = peers.coarse(weeks, 20)
    assert len(np.unique(made)) == 20
    assert (made >= weeks).all()
    assert made.max() == weeks.max()
    assert np.array_equal(peers.coarse(np.array([1.0, 2.0, 2.0]), 20), [1.0, 2.0, 2.0])


def test_a_learner_that_ran_on_easy_folds_only_is_levelled() -> None:
    # The slow one ran on the first fold only and is 0.01 better there; by plain means it would look 0.06 better.
    scores = pd.DataFrame({"a": [0.10, 0.20], "b": [0.12, 0.22], "slow": [0.09, np.nan]})
    assert quality_report.levelled(scores)["slow"] == pytest.approx(0.14)
    assert quality_report.levelled(scores)["a"] == pytest.approx(0.15)


def test_the_standard_error_of_a_gap_knows_that_folds_share_training_rows() -> None:
    # By hand: gaps 0, 2 have variance 2; (1/2 + 1/(3 - 1)) * 2 = 2.
    assert quality_report.standard_error(np.array([0.0, 2.0]), 3) == pytest.approx(np.sqrt(2.0))


def test_gaps_are_above_zero_where_we_are_behind() -> None:
    folds = pd.DataFrame(
        [
            ("s", "real", name, 0, f, b, a)
            for name, b, a in (("linear", 0.20, 0.70), ("cox", 0.18, 0.75))
            for f in (0, 1)
        ],
        columns=["set", "kind", "learner", "repeat", "fold", "brier", "auc"],
    )
    for metric, gap in (("brier", 0.02), ("auc", 0.05)):
        found = quality_report.behind(folds, "linear", metric, 2).iloc[0]
        assert found["gap"] == pytest.approx(gap)
        assert found["best peer"] == "cox"


def test_a_peer_is_set_against_the_best_of_the_others() -> None:
    scores = {"linear": 0.1, "cox": 0.18, "forest": 0.20, "xgboost_aft": 0.25}
    folds = pd.DataFrame(
        [("s", "real", name, 0, f, b, 1 - b) for name, b in scores.items() for f in (0, 1)],
        columns=["set", "kind", "learner", "repeat", "fold", "brier", "auc"],
    )
    best = {name: quality_report.behind(folds, name, "brier", 2).iloc[0]["best peer"] for name in scores}
    assert best == {"linear": "cox", "cox": "forest", "forest": "cox", "xgboost_aft": "cox"}
    page = quality_page._mean_ranks(folds, 2)
    assert "| Cox, ridge | 2.00 | 2.00 | 0 | 0 | 1 | 0 / 0 |" in page
    assert "| random survival forest | 3.00 | 3.00 | 0 | 0 | 1 | 1 / 1 |" in page


def test_a_stage_without_both_outcomes_has_no_auc_instead_of_a_number() -> None:
    found = sets.load("injury_smoke").take(np.arange(5))
    judged = judging.judge(found, np.full(5, 0.1), np.ones(5))["all"]
    assert (found.judged["weeks"] <= 52).all()
    assert judged["auc"] is None
    assert judged["brier"] == pytest.approx(metrics.brier(found.judged, np.full(5, 0.1), 52.0))


def test_the_command_that_is_printed_names_no_place_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["quality", "--repeats", "2", "--cache", "/a/b", "--out=/c", "--report-only"])
    assert machine.command("benchmarks.quality") == "python -m benchmarks.quality --repeats 2"


def test_the_register_with_all_in_sight_differs_only_by_the_protected_columns() -> None:
    usual, all_of_it = sets.register(300), sets.register(300, also=sets.PROTECTED)
    assert list(all_of_it.X.columns) == [*usual.X.columns, *sets.PROTECTED]
    assert all_of_it.X[list(usual.X.columns)].equals(usual.X)
    assert np.array_equal(usual.y, all_of_it.y)
    assert usual.name != all_of_it.name, "records of one must not be taken for those of the other"


def test_slow_peers_run_every_repeat_of_small_sets_only() -> None:
    small = sets.load("injury_smoke")
    middling = small.take(np.resize(np.arange(len(small)), quality.SMALL + 1))
    assert not quality._why_not("survivalboost", small, 0)
    assert quality._why_not("survivalboost", small, 1)
    assert not quality._why_not("forest", small, 1)
    assert quality._why_not("forest", middling, 1)
    assert not quality._why_not("forest", middling, 0)
