"""What callers are promised: a committed description that only grows, many cases without all or nothing, tags and counts."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as examples
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from serving import door
from serving.description import EXAMPLE, text_of
from serving.promises import broken_promises

DOCS = Path(__file__).parents[2] / "docs"
RELEASED = json.loads((DOCS / "openapi-released.json").read_text("utf-8"))


def test_the_committed_description_is_the_one_served(client: TestClient) -> None:
    """When this fails on purpose: python -m serving.description docs/openapi.json, and look at what changed."""
    committed = (DOCS / "openapi.json").read_text("utf-8")
    assert json.loads(committed) == client.get("/openapi.json").json()
    assert committed == text_of(client.app)  # type: ignore[arg-type]  # the client's type of app is any ASGI one


def test_no_promise_of_the_released_description_is_broken() -> None:
    assert broken_promises(RELEASED, json.loads((DOCS / "openapi.json").read_text("utf-8"))) == []


def changed(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    new = copy.deepcopy(RELEASED)
    change(new)
    return new


def fields(new: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = new["components"]["schemas"][name]["properties"]
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["paths"].pop("/v1/model"), "GET /v1/model is gone"),
        (lambda d: d["paths"]["/v1/scores"]["post"].update(operationId="x"), "POST /v1/scores has another operationId"),
        (lambda d: d["paths"]["/v1/model"]["get"].update(security=[{"bearer": ["admin"]}]),
         "GET /v1/model asks for another scope"),
        (lambda d: fields(d, "CaseAnswer").pop("words"), "CaseAnswer.words is gone"),
        (lambda d: fields(d, "CaseAnswer").update(age_weeks={"type": "string"}), "CaseAnswer.age_weeks is of another kind"),
        (lambda d: fields(d, "CaseAnswer")["status"]["enum"].remove("abstained"),
         "CaseAnswer.status no longer knows abstained"),
        (lambda d: d["components"]["schemas"]["Case"]["required"].append("facts"), "Case asks for facts"),
        (lambda d: fields(d, "Attributes").pop("industry"), "Attributes.industry is no longer accepted"),
        (lambda d: fields(d, "Attributes")["industry"]["x-extensible-enum"].remove("health_care"),
         "Attributes.industry no longer knows health_care"),
        (lambda d: fields(d, "Attributes")["weekly_hours"]["anyOf"][0].update(maximum=70),
         "Attributes.weekly_hours has a tighter maximum"),
        (lambda d: fields(d, "Case")["case_id"].update(maxLength=20), "Case.case_id has a tighter maxLength"),
    ],
)  # fmt: skip
def test_a_change_that_could_break_a_caller_is_found(change: Callable[[dict[str, Any]], Any], said: str) -> None:
    assert broken_promises(RELEASED, changed(change)) == [said]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["paths"].update({"/v1/new": {"get": {"operationId": "new", "responses": {}}}}),
        lambda d: fields(d, "CaseAnswer").update(more={"type": "string"}),
        lambda d: fields(d, "Attributes").update(more={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        lambda d: fields(d, "Attributes")["industry"]["x-extensible-enum"].append("space_travel"),
        lambda d: fields(d, "Attributes")["weekly_hours"]["anyOf"][0].update(maximum=100),
    ],
)
def test_what_only_adds_breaks_nothing(change: Callable[[dict[str, Any]], Any]) -> None:
    assert broken_promises(RELEASED, changed(change)) == []


def many(n: int, **changes: Any) -> dict[str, Any]:
    base = EXAMPLE["cases"][0]
    return EXAMPLE | {"cases": [base | {"case_id": f"SYN{i:06d}"} | changes for i in range(n)]}


def test_a_batch_has_an_outcome_per_row_even_when_no_row_can_be_read(serve: Callable[..., TestClient]) -> None:
    client = serve(refresh_seconds=0, max_cases=2, max_batch=40)
    assert client.post("/v1/scores", json=many(3)).status_code == 413
    told = client.post("/v1/scores:batch", json=many(40)).json()
    assert (told["n_scored"], [r["row"] for r in told["results"]]) == (40, list(range(40)))
    assert client.post("/v1/scores:batch", json=many(41)).status_code == 413
    none = client.post("/v1/scores:batch", json=many(2, opened_on="yesterday"))
    assert none.status_code == 200
    assert [r["status"] for r in none.json()["results"]] == ["rejected", "rejected"]
    one, of_many = (client.post(path, json=many(1)).json()["results"][0] for path in ("/v1/scores", "/v1/scores:batch"))
    assert one.pop("score_id") != of_many.pop("score_id")
    assert one == of_many


@pytest.mark.parametrize("path", ["/v1/model", "/v1/dictionary"])
def test_what_a_caller_has_already_is_not_sent_again(client: TestClient, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for given_tag in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": given_tag})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get(path, headers={"If-None-Match": '"other"'}).content == first.content


def test_a_route_that_will_go_says_so(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "deprecation" not in client.get("/version").headers
    ending = door.Ending(date(2026, 11, 1), date(2027, 11, 1), "https://docs.example/changes")
    monkeypatch.setitem(door.ENDINGS, "/version", ending)
    said = client.get("/version").headers
    assert said["deprecation"] == "@1793491200"  # date -u -d 2026-11-01 +%s
    assert said["sunset"] == "Mon, 01 Nov 2027 00:00:00 GMT"
    assert said["link"] == '<https://docs.example/changes>; rel="deprecation"'
    assert "deprecation" not in client.get("/v1/model").headers


def test_the_counts_tell_of_requests_outcomes_and_the_model_and_of_no_case(client: TestClient) -> None:
    client.post("/v1/scores", json=many(3))
    client.post("/v1/scores", json=many(2, opened_on="yesterday"))
    client.get("/nowhere/010180-1234")
    text = client.get("/metrics").text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert lines['risk_requests_total{method="POST",route="/v1/scores",status="200"}'] == "1.0"
    assert lines['risk_requests_total{method="POST",route="/v1/scores",status="422"}'] == "1.0"
    assert lines['risk_requests_total{method="GET",route="no route",status="404"}'] == "1.0"
    assert lines['risk_outcomes_total{status="scored"}'] == "3.0"
    assert lines["risk_recording"] == "1.0"
    assert lines["risk_model_age_days"] == "7.0"  # 16 to 23 November
    assert lines["risk_waiting"] == "0.0"
    assert "SYN" not in text
    assert "010180" not in text


def test_a_client_is_generated_from_the_description_and_scores(client: TestClient, tmp_path: Path) -> None:
    made = tmp_path / "made"
    done = subprocess.run(
        [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(DOCS / "openapi.json"), "--meta", "none",
         "--output-path", str(made)], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout + done.stderr, done.stdout
    spec = importlib.util.spec_from_file_location("made", made / "__init__.py", submodule_search_locations=[str(made)])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["made"] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        models = importlib.import_module("made.models")
        request = models.ScoreRequest.from_dict(EXAMPLE)
        assert request.to_dict() == EXAMPLE
        answered = models.ScoresAnswer.from_dict(client.post("/v1/scores", json=request.to_dict()).json())
        assert answered.results[0].p_exceed_52w > 0
    finally:
        for name in [n for n in sys.modules if n == "made" or n.startswith("made.")]:
            del sys.modules[name]


OPERATIONS = [
    "scoreCases", "scoreBatch", "getScore", "getModel", "getDictionary", "getLiveness", "getReadiness", "getVersion",
    "getMetrics",
]  # fmt: skip


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whatever_fits_the_description_is_answered_as_described(client: TestClient, operation: str) -> None:
    """Schemathesis: made-up requests that fit and that do not; status, content type and answer are those described."""
    api = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    found = next(o.ok() for o in api.get_all_operations() if o.ok().definition.raw["operationId"] == operation)
    headers = {"Authorization": client.headers["Authorization"]}

    @seed(52)
    @examples(
        max_examples=25,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=found.as_strategy())
    def holds(case: Any) -> None:
        # Days of cases have limits and an order that a description cannot say; all else that fits must be accepted.
        case.call_and_validate(headers=headers, excluded_checks=[positive_data_acceptance])

    holds()
