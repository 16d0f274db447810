"""The API description: OpenAPI 3.1, examples that validate, and nothing the service does not answer."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from models.bundle import Bundle
from risk import schema
from risk.synthetic import synthesise
from serving.description import EXAMPLE
from serving.messages import accepted_attributes, request_message
from serving.problems import KINDS
from serving.sources import FolderSource

ROOT = Path(__file__).parents[2]
# Generated clients are built on these names: a change breaks them.
OPERATIONS = {
    "scoreCases": ("post", "/v1/scores"),
    "scoreBatch": ("post", "/v1/scores:batch"),
    "getMetrics": ("get", "/metrics"),
    "getScore": ("get", "/v1/scores/{score_id}"),
    "getModel": ("get", "/v1/model"),
    "getDictionary": ("get", "/v1/dictionary"),
    "getLiveness": ("get", "/health/live"),
    "getReadiness": ("get", "/health/ready"),
    "getVersion": ("get", "/version"),
}


def description(client: TestClient) -> dict[str, Any]:
    made: dict[str, Any] = client.get("/openapi.json").json()
    return made


def test_operation_ids_stand_firm(client: TestClient) -> None:
    paths = description(client)["paths"]
    assert {o["operationId"]: (m, p) for p, ms in paths.items() for m, o in ms.items()} == OPERATIONS


def test_every_reference_leads_somewhere(client: TestClient) -> None:
    made = description(client)
    assert made["openapi"].startswith("3.1")
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(made)))
    assert wanted
    assert wanted <= set(made["components"]["schemas"])
    assert "HTTPValidationError" not in made["components"]["schemas"]


def test_the_request_is_described_with_every_attribute_and_its_bounds(client: TestClient) -> None:
    schemas = description(client)["components"]["schemas"]
    fields = schemas["Attributes"]["properties"]
    assert set(fields) == set(accepted_attributes())
    assert schemas["Attributes"]["additionalProperties"] is False
    bounds = next(s for s in fields["weekly_hours"]["anyOf"] if s["type"] == "number")
    assert (bounds["minimum"], bounds["maximum"]) == (0, 80)
    assert "health_care" in fields["industry"]["x-extensible-enum"]
    assert set(schemas["Case"]["required"]) == {"case_id", "opened_on", "registered_on"}
    assert schemas["Case"]["properties"]["opened_on"]["format"] == "date"


def test_the_examples_validate_and_score(client: TestClient) -> None:
    body = description(client)["paths"]["/v1/scores"]["post"]["requestBody"]["content"]["application/json"]
    for example in body["examples"].values():
        request_message().model_validate(example["value"])
        told = client.post("/v1/scores", json=example["value"]).json()
        assert told["n_scored"] == len(example["value"]["cases"])
    assert EXAMPLE in [example["value"] for example in body["examples"].values()]


def test_the_example_is_scored_by_a_model_that_requires_what_an_extract_always_holds(
    serve: Callable[..., TestClient], wide_bundle: Bundle, tmp_path: Path
) -> None:
    register, _ = synthesise(400, 5)
    always = register.cases.notna().all() & (register.cases != schema.UNKNOWN).all()
    wanted = [n for n in wide_bundle.meta["features"] if always.get(n, False)]
    assert {"occupation", "was_hospitalised", "employment_rate_3y"} <= set(wanted)
    strict = Bundle(wide_bundle.learner, None, meta=wide_bundle.meta | {"required": wanted}).save(tmp_path / "bundle")
    client = serve(FolderSource(strict))
    told = client.post("/v1/scores", json=EXAMPLE).json()["results"][0]
    assert (told["status"], told["abstained"]) == ("scored", None)
    lacking = EXAMPLE["cases"][0] | {"attributes": {"weekly_hours": 37}}
    told = client.post("/v1/scores", json=EXAMPLE | {"cases": [lacking]}).json()["results"][0]
    assert (told["status"], told["abstained"]["code"]) == ("abstained", "required-missing")
    assert "occupation" in told["abstained"]["features"]


def test_answers_have_the_fields_that_are_described(client: TestClient) -> None:
    schemas = description(client)["components"]["schemas"]
    answered = client.post("/v1/scores", json=EXAMPLE).json()
    assert set(answered) == set(schemas["ScoresAnswer"]["properties"])
    assert set(answered["results"][0]) == set(schemas["CaseAnswer"]["properties"])
    problem = client.get("/nowhere").json()
    assert set(problem) == set(schemas["Problem"]["properties"])
    assert problem["code"] in schemas["Problem"]["properties"]["code"]["enum"]


def test_the_page_on_integration_tells_what_happens(client: TestClient) -> None:
    """Each ```json block after a `POST /v1/scores` is sent; the shape of the answer shown is the shape that comes."""
    page = (ROOT / "docs" / "integration.md").read_text("utf-8")
    blocks = [json.loads(b) for b in re.findall(r"```json\n(.*?)```", page, flags=re.DOTALL)]
    sent, shown, problem = blocks
    assert sent == EXAMPLE
    answered = client.post("/v1/scores", json=sent).json()
    assert answered["n_scored"] == 1
    told = answered["results"][0]
    assert set(shown) <= set(told)
    for name, value in shown.items():
        assert type(value) is type(told[name]), name
        if isinstance(value, dict):
            assert set(value) == set(told[name])
    refused = client.post("/v1/scores", json=sent | {"cases": [sent["cases"][0] | {"case_id": "010180-1234"}]})
    said = refused.json()
    assert problem | {"request_id": said["request_id"]} == said
    for status in re.findall(r"^\| (\d{3}) \|", page, flags=re.MULTILINE):
        assert status in {"200", *(str(kind.status) for kind in KINDS.values())}
    assert set(
        re.findall(r"`([a-z-]+)`", "".join(re.findall(r"^\| \d{3} \|([^|]+)\|", page, flags=re.MULTILINE)))
    ) == set(KINDS)
    for path in re.findall(r"`(?:GET|POST) (/[a-z0-9/:_{}]+)`", page):
        assert path in {p for _, p in OPERATIONS.values()} | {"/health", "/ready"}
