"""Batch scoring: every open case once, ranked without lots, in a file that is whole or not there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from models.bundle import Bundle
from risk.__main__ import main
from risk.errors import OutputError
from risk.outcomes import read_outcome_definition
from risk.register import Register, make_register, write_register
from serving.batch import PORTION, reasons_of, score_register, write_scores

DAY = date(2026, 11, 23)
KEYS = ["case_id", "person_key", "opened_on", "registered_on", "closed_on", "close_reason", "office", "team"]


class AgeModel:
    """P(open) halves every 26 weeks from the entry, whatever the case: cases opened on one day are tied."""

    version = "by-hand"
    meta: dict[str, Any] = {  # noqa: RUF012
        "features": ["age_weeks"],
        "outcome": read_outcome_definition().model_dump(mode="json"),
        "required": [],
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
    }

    def survival(self, X: pd.DataFrame, weeks: Any, entry: Any = None) -> np.ndarray:
        return 0.5 ** (np.maximum(np.asarray(weeks)[None, :] - np.round(np.asarray(entry))[:, None], 0.0) / 26.0)

    def contributions(self, X: pd.DataFrame, week: float, entry: Any = None) -> pd.DataFrame:
        return pd.DataFrame({"age_weeks": np.full(len(X), 0.5), "base": 0.0})


def by_hand(rows: list[tuple[str, str]], facts: list[tuple[str, str, str, str]] | None = None) -> Register:
    """Open cases from (id, opened), registered a week later."""
    cases = pd.DataFrame(
        [(i, f"p{i}", day, pd.Timestamp(day) + pd.Timedelta(days=7), None, None, "Nordby", "A") for i, day in rows],
        columns=KEYS,
    )
    return make_register(cases, pd.DataFrame(facts or [], columns=["case_id", "known_on", "name", "value"]), DAY)


@pytest.fixture
def register_folder(wide_register: Register, tmp_path: Path) -> Path:
    write_register(wide_register, tmp_path / "register")
    return tmp_path / "register"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    def _run(*args: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main([str(a) for a in args])
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return _run


def test_ties_go_to_the_case_opened_first_and_then_to_the_lower_id() -> None:
    # 2 and 3 August are 16 weeks old to the nearest week, so the model ties them; 1 March is older and comes first.
    register = by_hand(
        [
            ("SYN5", "2026-08-03"),
            ("SYN4", "2026-08-02"),
            ("SYN3", "2026-08-03"),
            ("SYN9", "2026-03-01"),
            ("SYN1", "2026-10-05"),
        ]
    )
    frame = score_register(register, DAY, AgeModel()).frame
    assert frame["case_id"].tolist() == ["SYN9", "SYN4", "SYN3", "SYN5", "SYN1"]
    assert frame["p_exceed_52w"].nunique() == 3
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5]


def test_cases_without_a_score_stand_last_and_have_no_rank() -> None:
    register = by_hand(
        [("SYN1", "2025-10-06"), ("SYN2", "2026-03-02"), ("SYN3", "2026-08-03")],
        [("SYN2", "2026-05-04", "objection", "true")],
    )
    frame = score_register(register, DAY, AgeModel()).frame
    assert frame["case_id"].tolist() == ["SYN3", "SYN1", "SYN2"]
    assert frame["status"].tolist() == ["scored", "past_horizon", "abstained"]
    assert frame["abstain_reason"].tolist() == ["", "", "objection"]
    assert frame["rank"].isna().tolist() == [False, True, True]
    assert frame.loc[frame["status"] != "scored", [c for c in frame if c.startswith("p_")]].isna().all(axis=None)


def test_reasons_are_told_in_portions_and_only_where_there_is_a_score(tmp_path: Path) -> None:
    n = PORTION + 5
    register = by_hand([("SYN0", "2025-10-06"), *((f"SYN{i}", "2026-08-03") for i in range(1, n))])
    scores = score_register(register, DAY, AgeModel())
    told = reasons_of(register, scores, DAY, AgeModel(), 3)
    assert [len(t) for t in told] == [1] * (n - 1) + [0]
    write_scores(tmp_path / "scores.parquet", scores, register, DAY, told)
    filed = pq.read_table(tmp_path / "scores.parquet").column("reasons").to_pylist()
    assert filed[0][0]["text_en"] == "The absence has lasted 16 weeks"
    assert filed[0][0]["known_on"] is None


def test_the_command_writes_every_open_case_and_says_what_the_file_is(
    run: Callable[..., tuple[int, str, str]], register_folder: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "scores.parquet"
    code, said, _ = run(
        "score", register_folder, "--as-of", DAY, "--out", out, "--model", bundle_folder, "--reasons", 2
    )
    assert code == 0
    table = pq.read_table(out)
    frame = table.to_pandas()
    assert f"{len(frame)} open cases on {DAY}" in said
    assert (frame["status"] == "scored").sum() > 50
    about = json.loads(table.schema.metadata[b"risk52"])
    assert about["purpose"] == "orders follow-up of open sickness-benefit cases"
    assert about["as_of"] == str(DAY)
    assert about["is_synthetic"] is True
    assert about["model_version"] == frame["model_version"].unique().item()
    scored = frame[frame["status"] == "scored"]
    assert scored["p_exceed_52w"].is_monotonic_decreasing
    assert scored["rank"].tolist() == list(range(1, len(scored) + 1))
    assert scored["reasons"].map(len).max() == 2


def test_the_same_input_gives_the_same_bytes(
    run: Callable[..., tuple[int, str, str]], register_folder: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    digests = set()
    for name in ("a.parquet", "b.parquet"):
        run("score", register_folder, "--as-of", DAY, "--out", tmp_path / name, "--model", bundle_folder)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_a_day_without_open_cases_gives_an_empty_file_of_the_same_shape(
    run: Callable[..., tuple[int, str, str]], register_folder: Path, bundle_folder: Path, tmp_path: Path
) -> None:
    for day, name in ((DAY, "full.parquet"), ("2020-01-06", "empty.parquet")):
        code, said, _ = run(
            "score", register_folder, "--as-of", day, "--out", tmp_path / name, "--model", bundle_folder, "--reasons", 1
        )
        assert code == 0
    assert "valid and empty" in said
    empty = pq.read_table(tmp_path / "empty.parquet")
    assert empty.num_rows == 0
    assert empty.schema.equals(pq.read_schema(tmp_path / "full.parquet"))


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"--as-of": "2027-01-04"}, 7, "lies after the extract date"),
        ({"--as-of": "4/1/2027"}, 2, "write it as yyyy-mm-dd"),
        ({"--model": "no/such/folder"}, 10, "is not a folder"),
        ({"register": "no/such/register"}, 4, "is not a register"),
    ],
)
def test_a_mistake_leaves_the_earlier_file_as_it_was(
    run: Callable[..., tuple[int, str, str]],
    register_folder: Path,
    bundle_folder: Path,
    tmp_path: Path,
    risk_home: Path,
    change: dict[str, str],
    status: int,
    says: str,
) -> None:
    out = tmp_path / "scores.parquet"
    out.write_text("what stood there")
    given = {"register": register_folder, "--as-of": DAY, "--out": out, "--model": bundle_folder} | change
    register = given.pop("register")
    code, _, error = run("score", register, *(part for option in given.items() for part in option))
    assert code == status
    assert says in error
    assert "Traceback" not in error
    assert out.read_text() == "what stood there"


def test_a_file_that_cannot_be_written_whole_is_not_begun(
    wide_register: Register, wide_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "scores.parquet"
    out.write_text("what stood there")
    scores = score_register(wide_register, DAY, wide_bundle)

    def half(table: Any, where: Path) -> None:
        Path(where).write_bytes(b"PAR1 half a fi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", half)
    with pytest.raises(OutputError, match="No space"):
        write_scores(out, scores, wide_register, DAY)
    assert out.read_text() == "what stood there"
    assert [p.name for p in tmp_path.iterdir()] == ["scores.parquet"]
