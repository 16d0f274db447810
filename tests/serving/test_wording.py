"""Outcomes are written from ready parts: they are what their message says, and hold what a reader needs to know."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.testclient import TestClient

from models.bundle import Bundle
from models.calibration import Calibrator
from models.certainty import score_interval
from risk.outcomes import OUTCOME_DTYPE
from serving.answers import CaseAnswer, ScoresAnswer
from serving.description import EXAMPLE
from serving.sources import FolderSource

BASE: dict[str, Any] = EXAMPLE["cases"][0]
OBJECTION = {"known_on": "2026-11-02", "name": "objection", "value": True}
EVERY_KIND = [
    BASE,
    BASE | {"case_id": "SYN1", "facts": [OBJECTION]},
    BASE | {"case_id": "SYN2", "opened_on": "2025-10-01"},
    BASE | {"case_id": "SYN3", "opened_on": "yesterday"},
    BASE | {"case_id": "SYN4", "attributes": {"industry": 'new "industry"\n', "weekly_wage": 1234.5}},
    BASE | {"case_id": "010180-1234"},
]


def test_every_kind_of_outcome_has_all_the_fields_of_its_message_in_their_order(client: TestClient) -> None:
    response = client.post("/v1/scores", json=EXAMPLE | {"cases": EVERY_KIND})
    answer = response.json()
    assert list(answer) == list(ScoresAnswer.model_fields)
    assert [r["status"] for r in answer["results"]] == [
        "scored", "abstained", "past_horizon", "rejected", "scored", "rejected",
    ]  # fmt: skip
    assert (answer["n_scored"], answer["n_without_score"], answer["n_rejected"]) == (2, 2, 2)
    read = ScoresAnswer.model_validate_json(response.content, strict=True)
    # Read by the message and written again by it, nothing is added, lost or changed.
    assert read.model_dump(mode="json") == answer
    for outcome in answer["results"]:
        assert list(outcome) == list(CaseAnswer.model_fields)


def test_a_request_is_answered_without_a_table_and_without_mlflow(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise AssertionError("a table was made for a request")

    monkeypatch.setattr(pd.DataFrame, "__init__", refuses)
    monkeypatch.setattr(pd.Series, "__init__", refuses)
    assert client.post("/v1/scores", json=EXAMPLE).status_code == 200
    with pytest.raises(AssertionError):
        pd.DataFrame()
    code = (
        "import sys\nimport serving.api, serving.sources\n"
        "assert 'mlflow' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_score_has_the_interval_of_its_calibrator_and_none_where_nothing_was_learned(
    calibrated: Bundle, wide_bundle: Bundle, serve: Callable[..., TestClient], tmp_path: Path
) -> None:
    client = serve(source=FolderSource(calibrated.save(tmp_path / "calibrated")), refresh_seconds=0)
    [told] = client.post("/v1/scores", json=EXAMPLE).json()["results"]
    interval = told["interval"]
    assert 0 < interval["low"] < told["p_exceed_52w"] < interval["high"] < 1
    assert (interval["level"], interval["covers"]) == (0.9, "equals")
    p, entry = np.array([told["p_exceed_52w"]]), np.array([told["age_weeks"]])
    before = np.array([0.4])
    # The ends are those the calibrator gives to the chance before calibration.
    after = calibrated.calibrator.apply(before, entry)  # type: ignore[union-attr]  # the fixture has a calibrator
    expected = calibrated.calibrator.interval(before, entry)  # type: ignore[union-attr]  # as above
    got = score_interval(calibrated, after, entry)
    assert got is not None
    np.testing.assert_allclose(np.concatenate(got[:2]), np.concatenate(expected), rtol=1e-12)
    assert score_interval(wide_bundle, p, entry) is None
    own = Calibrator.from_dict(calibrated.calibrator.to_dict())  # type: ignore[union-attr]  # as above
    own.learn_spread(np.linspace(-2, 2, 50), np.full(50, 8.0), np.full((1, 50), 0.25))
    wider = score_interval(Bundle(wide_bundle.learner, own, meta={}), after, entry)
    assert wider is not None
    assert (wider.covers, got.covers) == ("case", "equals")
    assert wider.low < got.low < after < got.high < wider.high
    assert score_interval(Bundle(wide_bundle.learner, unlearned(), meta={}), p, entry) is None


def unlearned() -> Calibrator:
    y = np.zeros(4, dtype=OUTCOME_DTYPE)
    y["closed"], y["weeks"] = True, 60.0
    return Calibrator().fit(np.full(4, 0.5), y, 52.0, weights=np.ones(4))


@pytest.mark.parametrize(
    ("window", "as_of", "is_warned"),
    [
        (["2025-02-03", "2026-11-16"], "2026-11-23", False),
        (["2014-08-04", "2024-12-30"], "2026-11-23", True),  # the rules of 2025 began on 1 January 2025
        (["2014-08-04", "2025-01-01"], "2026-11-23", False),
        (["2026-12-01", "2026-12-31"], "2014-06-30", True),
        (["2025-02-03", "2026-11-16"], "2027-01-01", True),  # the law changes on 1 January 2027: policy.toml
        (["2025-02-03", "2027-02-01"], "2027-03-01", False),
        (None, "2026-11-23", False),
    ],
)
def test_readers_are_warned_when_the_model_has_seen_no_case_under_the_rules_of_the_day(
    window: list[str] | None, as_of: str, is_warned: bool, wide_bundle: Bundle
) -> None:
    from datetime import date

    from serving.inservice import InService
    from serving.wording import model_notes

    meta = {**wide_bundle.meta, "training_window": window, "trained_as_of": as_of}
    model = InService(Bundle(wide_bundle.learner, None, meta=meta), "by hand")
    codes = [note.code for note in model_notes(model, date.fromisoformat(as_of))]
    assert codes == (["regime-changed"] if is_warned else []) + ["synthetic-model"]
