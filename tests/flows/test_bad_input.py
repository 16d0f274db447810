"""Bad input at the front door, mistake by mistake: one clear line, its own exit status, and what stood there stays."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from models.bundle import Bundle
from risk.__main__ import main
from risk.register import Register, make_register, read_register, write_register

HEADINGS = "sagsnr;cpr;foerste_fravaersdag;anmeldelsesdato;ophoersdato;ophoersaarsag;kontor;team;koen;sagsart"
GOOD = "A1;SYN000001;02-02-2026;05-03-2026;;;Nordby;T1;K;11"
AS_OF = ("--as-of", "2026-11-16")

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, risk_home: Path) -> Run:
    monkeypatch.setenv("RISK_CPR_KEY", "k" * 32)

    def _run(*args: object) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in args])
        told = capsys.readouterr().err.strip()
        if end.value.code:
            assert told.count("\n") == 0, f"one line, not {told!r}"
            assert "Traceback" not in told
        return int(end.value.code or 0), told

    return _run


@pytest.fixture
def taken_in(run: Run, tmp_path: Path) -> Callable[..., tuple[int, str]]:
    def _taken_in(content: bytes) -> tuple[int, str]:
        (tmp_path / "sager.csv").write_bytes(content)
        return run(
            "intake", "danish_kmd", tmp_path / "sager.csv", "--extract-on", "2026-06-01", "--out", tmp_path / "reg"
        )

    return _taken_in


def lines(*rows: str) -> bytes:
    return "\n".join([HEADINGS, *rows, ""]).encode()


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 5, "empty"),
        ("\n".join([HEADINGS, GOOD]).encode("utf-16"), 5, "UTF-8 or Windows-1252"),
        (lines(GOOD).replace(b"sagsnr;", b"nummer;"), 5, "sagsnr"),
        (lines(GOOD, "A2;SYN000002;02-02-2026;05-03-2026;;;Nordby;T1;Q;11"), 5, "rejected"),
        (lines(GOOD, "A2;SYN000002;02-02-2026;05-03-2026;;;Nordby;T1;K;11", "A2;SYN000003;03-02-2026;05-03-2026;;;Nordby;T1;M;11"), 5, "rejected"),
        (lines(GOOD, "A2;SYN000002;02-02-2026;05-03-2026;01-01-2026;99;Nordby;T1;K;11"), 5, "rejected"),
    ],
    ids=["empty file", "wrong encoding", "missing key column", "unknown code", "two cases with one id", "closed before opened"],
)  # fmt: skip
def test_an_extract_that_cannot_be_taken_in_whole_says_why(
    taken_in: Callable[..., tuple[int, str]], tmp_path: Path, content: bytes, status: int, said: str
) -> None:
    code, told = taken_in(content)
    assert code == status
    assert said in told
    if said == "rejected":
        assert len(read_register(tmp_path / "reg").cases) == 1, "the good row is kept"
        assert (tmp_path / "reg/rejected.csv").read_text().count("A2;") == content.count(b"A2;")


def test_without_the_key_intake_refuses(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RISK_CPR_KEY")
    (tmp_path / "sager.csv").write_bytes(lines(GOOD))
    code, told = run(
        "intake", "danish_kmd", tmp_path / "sager.csv", "--extract-on", "2026-06-01", "--out", tmp_path / "reg"
    )
    assert code == 6
    assert "RISK_CPR_KEY" in told
    assert not (tmp_path / "reg").exists()


@pytest.fixture
def folder(small_register: Register, tmp_path: Path) -> Path:
    write_register(small_register, tmp_path / "register")
    return tmp_path / "register"


@pytest.fixture
def bundle(small_bundle: Bundle, tmp_path: Path) -> Path:
    small_bundle.save(tmp_path / "bundle")
    return tmp_path / "bundle"


@pytest.mark.parametrize("name", ["scores.xlsx", "scores", "scores.parquet.gz"])
def test_scores_are_not_written_under_a_name_that_says_another_format(
    run: Run, folder: Path, bundle: Path, tmp_path: Path, name: str
) -> None:
    code, told = run("score", folder, *AS_OF, "--model", bundle, "--out", tmp_path / name)
    assert code == 12
    assert told.endswith(f"{name}: scores are written as .parquet or .csv; name a file that ends so")
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("command", ["train", "list", "score"])
def test_a_day_after_the_extract_is_refused(run: Run, folder: Path, bundle: Path, tmp_path: Path, command: str) -> None:
    more = {"train": [], "list": ["--model", bundle], "score": ["--model", bundle, "--out", tmp_path / "s.parquet"]}
    code, told = run(command, folder, "--as-of", "2026-11-17", *more[command])
    assert code == 7
    assert "2026-11-17" in told
    assert "2026-11-16" in told


def test_a_register_without_a_closed_case_cannot_be_learned_from(
    run: Run, small_register: Register, tmp_path: Path
) -> None:
    cases = small_register.cases.assign(closed_on=pd.NaT, close_reason=None)
    write_register(make_register(cases, small_register.facts, small_register.extract_on), tmp_path / "open")
    code, told = run("train", tmp_path / "open", *AS_OF)
    assert code == 8
    assert "closed" in told


def test_all_cases_in_one_team_are_listed(run: Run, small_register: Register, bundle: Path, tmp_path: Path) -> None:
    one = make_register(small_register.cases.assign(team="Eneste"), small_register.facts, small_register.extract_on)
    write_register(one, tmp_path / "one")
    assert run("list", tmp_path / "one", *AS_OF, "--model", bundle, "--out", tmp_path / "lists")[0] == 0
    rows = json.loads((tmp_path / "lists/2026-W47/worklist.json").read_text())["rows"]
    assert {row["team"] for row in rows} == {"Eneste"}


@pytest.mark.parametrize("capacity", ["0", "-3"])
def test_a_capacity_of_nothing_is_refused(run: Run, folder: Path, bundle: Path, tmp_path: Path, capacity: str) -> None:
    code, told = run("list", folder, *AS_OF, "--model", bundle, "--out", tmp_path / "lists", "--capacity", capacity)
    assert code == 6
    assert "capacity" in told
    assert not (tmp_path / "lists").exists()


def test_a_register_of_an_older_schema_is_refused(run: Run, folder: Path, bundle: Path) -> None:
    about = json.loads((folder / "register.json").read_text())
    (folder / "register.json").write_text(json.dumps(about | {"schema_version": "0"}))
    code, told = run("list", folder, *AS_OF, "--model", bundle)
    assert code == 4
    assert "schema version 0" in told


def test_a_bundle_with_one_byte_changed_is_refused_whichever_file(
    run: Run, folder: Path, bundle: Path, tmp_path: Path
) -> None:
    for path in sorted(p for p in bundle.rglob("*") if p.is_file()):
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :])
        code, told = run("score", folder, *AS_OF, "--model", bundle, "--out", tmp_path / "s.parquet")
        assert code == 9, path.name
        assert "bundle" in told.lower()
        path.write_bytes(whole)
    assert run("score", folder, *AS_OF, "--model", bundle, "--out", tmp_path / "s.parquet")[0] == 0


def test_an_output_that_cannot_be_written_leaves_the_old_one_whole(
    run: Run, folder: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, lists = tmp_path / "out" / "s.parquet", tmp_path / "out" / "lists"
    assert run("score", folder, *AS_OF, "--model", bundle, "--out", scores)[0] == 0
    assert run("list", folder, *AS_OF, "--model", bundle, "--out", lists)[0] == 0
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}

    def refuse(*_: object, **__: object) -> None:  # root may write anywhere, so the refusal is made here
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        patch.setattr(os, "rename", refuse)
        code, told = run("score", folder, *AS_OF, "--model", bundle, "--out", scores, "--reasons", "3")
        assert (code, "untouched" in told) == (12, True)
        code, told = run("list", folder, "--as-of", "2026-11-09", "--model", bundle, "--out", lists)
        assert (code, "untouched" in told) == (12, True)
        code, told = run("synth", "--cases", "50", "--seed", "1", "--out", folder)
        assert (code, "untouched" in told) == (12, True)
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before
    assert len(read_register(folder)) == 150
    shutil.rmtree(tmp_path / "out")
    (tmp_path / "out").write_text("a file where a folder should be")
    assert run("score", folder, *AS_OF, "--model", bundle, "--out", scores)[0] == 12
