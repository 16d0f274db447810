"""A few hundred of the requests that 'python -m benchmarks.fuzz' sends by the ten thousand, and that it sees what is wrong."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest

from benchmarks import fuzz


def test_odd_requests_are_answered_as_described_and_nothing_comes_back() -> None:
    found = fuzz.run(300, seed=5)
    assert found.n >= 300
    assert found.wrong == {}
    statuses = {status for _, status in found.answers}
    assert {200, 400, 404, 415, 422} <= statuses, "the requests reach every way of being wrong"


def answer(status: int, text: str = "", kind: str = "application/problem+json") -> SimpleNamespace:
    return SimpleNamespace(status_code=status, text=text, headers={"content-type": kind})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (answer(500), "POST /v1/scores: 500"),
        (answer(418), "POST /v1/scores: 418 is not described"),
        (answer(422, kind="application/json"), "POST /v1/scores: 422 is not a problem"),
        (answer(422, '"input": "0101801234"'), "POST /v1/scores: a planted value came back"),
    ],
)
def test_what_is_wrong_is_seen(given: SimpleNamespace, said: str) -> None:
    found = fuzz.Findings()
    found.look_at("POST", "/v1/scores", answer(422))
    assert found.wrong == {}
    found.look_at("POST", "/v1/scores", given)
    assert dict(found.wrong) == {said: 1}


def test_the_same_seed_makes_the_same_requests_and_every_way_is_taken() -> None:
    def made(seed: int) -> list[tuple[str, bytes, dict[str, str]]]:
        rng = random.Random(seed)
        return [fuzz.request_by_hand(rng) for _ in range(100)]

    assert made(1) == made(1) != made(2)
    assert all(isinstance(way(random.Random(3))[0], bytes) for way in fuzz.WAYS)
