"""Batch scoring: every open case once, ranked without lots, in a file that is whole or not there."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
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
from risk.errors import CaseDataError, OutputError, RegisterError
from risk.outcomes import read_outcome_definition
from risk.parts import RegisterParts
from risk.register import Register, make_register, write_register
from risk.scoring import score
from serving import ranking
from serving.batch import PORTION, score_file
from serving.inservice import InService

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


def ranked(register: Register, tmp_path: Path, model: Any = None, **how: Any) -> pd.DataFrame:
    """The file that the register's cases are scored into."""
    write_register(register, tmp_path / "register")
    score_file(tmp_path / "register", DAY, model or AgeModel(), tmp_path / "scores.parquet", **how)
    return pq.read_table(tmp_path / "scores.parquet").to_pandas()


def test_ties_go_to_the_case_opened_first_and_then_to_the_lower_id(tmp_path: Path) -> None:
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
    frame = ranked(register, tmp_path)
    assert frame["case_id"].tolist() == ["SYN9", "SYN4", "SYN3", "SYN5", "SYN1"]
    assert frame["p_exceed_52w"].nunique() == 3
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5]


def test_cases_without_a_score_stand_last_and_have_no_rank(tmp_path: Path) -> None:
    register = by_hand(
        [("SYN1", "2025-10-06"), ("SYN2", "2026-03-02"), ("SYN3", "2026-08-03")],
        [("SYN2", "2026-05-04", "objection", "true")],
    )
    frame = ranked(register, tmp_path)
    assert frame["case_id"].tolist() == ["SYN3", "SYN1", "SYN2"]
    assert frame["status"].tolist() == ["scored", "past_horizon", "abstained"]
    assert frame["abstain_reason"].tolist() == ["", "", "objection"]
    assert frame["rank"].isna().tolist() == [False, True, True]
    assert frame.loc[frame["status"] != "scored", [c for c in frame if c.startswith("p_")]].isna().all(axis=None)
    assert ranked(register, tmp_path, top=2)["case_id"].tolist() == ["SYN3"]


def test_reasons_are_told_in_portions_and_only_where_there_is_a_score(tmp_path: Path) -> None:
    n = PORTION + 5
    register = by_hand([("SYN0", "2025-10-06"), *((f"SYN{i}", "2026-08-03") for i in range(1, n))])
    told = ranked(register, tmp_path, n_reasons=3)["reasons"]
    assert [len(t) for t in told] == [1] * (n - 1) + [0]
    assert told[0][0]["text_en"] == "The absence has lasted 16 weeks"
    assert told[0][0]["known_on"] is None


@pytest.mark.parametrize("is_grouped", [True, False])
@pytest.mark.parametrize("rows", [7, 64, 100_000])
def test_a_register_in_parts_is_scored_to_the_bit_as_one_held_whole(
    wide_register: Register,
    wide_bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: int,
    is_grouped: bool,
) -> None:
    """However many parts, and whether the facts stand in the order of the cases or have to be brought there."""
    monkeypatch.setattr("risk.parts.RegisterParts.__init__.__defaults__", (rows, None))
    monkeypatch.setattr(ranking, "SLICE", 32)
    monkeypatch.setattr(ranking, "EVERY", 4)
    facts = wide_register.facts if is_grouped else wide_register.facts.sample(frac=1, random_state=3)
    register = Register(wide_register.cases, facts, DAY, is_synthetic=True)
    folder = tmp_path / "register"
    write_register(register, folder)
    if not is_grouped:
        facts.to_parquet(folder / "facts.parquet", index=False, row_group_size=50)
        about = json.loads((folder / "register.json").read_text())
        (folder / "register.json").write_text(json.dumps(about | {"facts_in_order": False}))
    score_file(folder, DAY, OneByOne(wide_bundle), tmp_path / "scores.parquet")
    filed = pq.read_table(tmp_path / "scores.parquet").to_pandas()
    whole = score(wide_register, DAY, OneByOne(wide_bundle)).frame
    order = np.lexsort((whole["case_id"].to_numpy(str), whole["opened_on"].to_numpy(), -whole["p_exceed_52w"]))
    whole = whole.iloc[order].reset_index(drop=True)
    assert filed["case_id"].tolist() == whole["case_id"].tolist()
    for name in ("p_exceed_8w", "p_exceed_52w", "age_weeks", "base_rate"):
        np.testing.assert_array_equal(filed[name], whole[name])
    for name in ("status", "abstain_reason"):
        assert filed[name].tolist() == whole[name].tolist()


class OneByOne(InService):
    """Scores each row by itself: sums of a linear model may depend in the last bit on how many rows they stand among."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle, "")

    def survival_of(self, columns: Any, weeks: Any, entry: np.ndarray) -> np.ndarray:
        rows = [
            super(OneByOne, self).survival_of({n: v[i : i + 1] for n, v in columns.items()}, weeks, entry[i : i + 1])
            for i in range(len(entry))
        ]
        return np.concatenate(rows)


def test_the_first_of_the_ranking_are_the_same_cases_with_the_same_reasons(
    wide_register: Register, wide_bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("risk.parts.RegisterParts.__init__.__defaults__", (50, None))
    every = ranked(wide_register, tmp_path, InService(wide_bundle, ""), n_reasons=3)
    first = ranked(wide_register, tmp_path, InService(wide_bundle, ""), n_reasons=3, top=11)
    assert len(first) == 11
    assert first["rank"].tolist() == list(range(1, 12))
    for name in ("case_id", "p_exceed_52w"):
        assert first[name].tolist() == every[name][:11].tolist()
    texts = [[[r["text_da"] for r in told] for told in frame["reasons"][:11]] for frame in (first, every)]
    assert texts[0] == texts[1]
    assert min(map(len, texts[0])) > 0


def test_a_csv_holds_the_same_cases_in_the_same_order_and_nothing_a_spreadsheet_runs(tmp_path: Path) -> None:
    register = by_hand([("=1+1", "2026-08-03"), ("SYN1", "2026-03-02"), ("SYN2", "2025-10-06")])
    write_register(register, tmp_path / "register")
    score_file(tmp_path / "register", DAY, AgeModel(), tmp_path / "scores.csv", n_reasons=1)
    frame = pd.read_csv(tmp_path / "scores.csv")
    assert frame["case_id"].tolist() == ["SYN1", "'=1+1", "SYN2"]
    assert frame["rank"].tolist()[:2] == [1, 2]
    assert frame["reasons_en"][1] == "The absence has lasted 16 weeks"
    assert frame["p_exceed_52w"].isna().tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda c, f: (pd.concat([c, c[:1]]), f), "'case_id' must be unique; 1 rows"),
        (lambda c, f: (c, pd.concat([f, f[:1].assign(case_id="SYN9")])), "facts: case_id is not among the cases in 1 row"),
        (lambda c, f: (c, f.assign(value="secret")), "facts: illness_group has a value outside its levels or range in 1 row"),
        (lambda c, f: (c, f.assign(name="secret")), "names that are not declared in 1 row"),
        (lambda c, f: (c.assign(weekly_hours=999.0), f), "'weekly_hours' has a value outside its levels or range in 2 rows"),
        (lambda c, f: (c.assign(industry="secret"), f), "'industry' has a value outside its levels or range in 2 rows"),
        (lambda c, f: (c.assign(industry=5), f), "'industry' is of type int64; it must hold text"),
        (lambda c, f: (c.assign(secret="x"), f), "1 undeclared columns"),
        (lambda c, f: (c.drop(columns="opened_on"), f), "lack the column 'opened_on'"),
        (lambda c, f: (c.assign(opened_on="2026-01-01"), f), "'opened_on' is of type .*; it must hold dates"),
        (lambda c, f: (c.assign(opened_on=c["registered_on"] + pd.Timedelta(days=3)), f), "registered_on lies before opened_on in 2"),
        (lambda c, f: (c.assign(opened_on=pd.NaT), f), "'opened_on' must not be empty in 2 rows"),
    ],
)  # fmt: skip
def test_rows_that_break_a_rule_are_refused_without_a_value(
    change: Callable[..., tuple[pd.DataFrame, pd.DataFrame]], says: str, wide_bundle: Bundle, tmp_path: Path
) -> None:
    """What is written to the folder by hand is checked as it is read, whichever way it is read."""
    register = by_hand(
        [("SYN1", "2026-08-03"), ("SYN2", "2026-03-02")], [("SYN1", "2026-09-01", "illness_group", "mental")]
    )
    write_register(register, tmp_path / "register")
    cases, facts = change(register.cases, register.facts)
    cases.to_parquet(tmp_path / "register/cases.parquet", index=False)
    facts.to_parquet(tmp_path / "register/facts.parquet", index=False)
    about = json.loads((tmp_path / "register/register.json").read_text())
    for is_grouped in (True, False):
        (tmp_path / "register/register.json").write_text(json.dumps(about | {"facts_in_order": is_grouped}))
        with pytest.raises(CaseDataError, match=says) as refused:
            score_file(tmp_path / "register", DAY, InService(wide_bundle, ""), tmp_path / "scores.parquet")
        assert "secret" not in str(refused.value)
        assert [p.name for p in tmp_path.iterdir()] == ["register"]


def test_facts_said_to_be_in_order_that_are_not_are_noticed(wide_bundle: Bundle, tmp_path: Path) -> None:
    facts = [("SYN1", "2026-09-01", "illness_group", "mental"), ("SYN2", "2026-09-01", "illness_group", "mental")]
    register = by_hand([("SYN1", "2026-08-03"), ("SYN2", "2026-03-02"), ("SYN3", "2026-03-02")], facts)
    write_register(register, tmp_path / "register")
    register.facts[::-1].to_parquet(tmp_path / "register/facts.parquet", index=False)
    parts = RegisterParts(tmp_path / "register", ["illness_group"], rows=1)
    with pytest.raises(RegisterError, match="do not stand in the order of the cases, though"):
        list(parts)


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
    assert f"{len(frame)} of {len(frame)} open cases on {DAY}" in said
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
    write_register(wide_register, tmp_path / "register")

    def half(writer: Any, table: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", half)
    with pytest.raises(OutputError, match="No space"):
        score_file(tmp_path / "register", DAY, InService(wide_bundle, ""), out)
    assert out.read_text() == "what stood there"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["register", "scores.parquet"]


def test_a_file_is_scored_without_the_web_framework() -> None:
    line = "import serving.batch, serving.inservice, sys; sys.exit('fastapi' in sys.modules)"
    subprocess.run([sys.executable, "-c", line], check=True)
