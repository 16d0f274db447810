"""``risk synth``: a register, or an extract a Danish office could have sent, and the truth outside of both."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from risk.intake import intake, read_mapping
from risk.register import Register, read_register
from risk.synthetic import synthesise
from risk.synthetic.cli import command
from risk.synthetic.danish import danish_number, write_danish

KEY = b"a key of the test, long enough to be one"


@pytest.fixture(scope="module")
def made() -> Register:
    return synthesise(600, 12)[0]


@pytest.fixture(scope="module")
def folder(made: Register, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("office") / "extract"
    write_danish(made, folder)
    return folder


def test_the_extract_is_written_as_a_danish_office_writes_it(made: Register, folder: Path) -> None:
    text = (folder / "sager.csv").read_bytes().decode("cp1252")
    lines = text.split("\r\n")
    assert lines[0].startswith("sagsnr;cpr;første_fraværsdag;anmeldelsesdato;ophørsdato;ophørsårsag;")
    assert lines[-2].startswith("I alt;600;")
    assert lines[-1] == ""
    is_open = made.cases["closed_on"].isna()
    assert text.count("31-12-9999") == is_open.sum() > 0
    assert ";J;" in text
    assert ";N;" in text
    assert len(lines) == 600 + 3
    facts = (folder / "oplysninger.csv").read_bytes().decode("cp1252").split("\r\n")
    assert facts[0] == "sagsnr;registreret_dato;oplysning;værdi"
    assert len(facts) == len(made.facts) + 2


def test_no_person_in_the_extract_has_a_number_that_could_be_somebodys(folder: Path) -> None:
    table = pd.read_csv(folder / "sager.csv", sep=";", encoding="cp1252", dtype=str).iloc[:-1]
    assert table["cpr"].str.fullmatch(r"SYN9\d{6}").all()
    assert not set(table["cpr"]) & set(table["sagsnr"])


def test_the_intake_reads_the_extract_back_to_the_same_register(made: Register, folder: Path) -> None:
    read = intake(read_mapping("danish_kmd"), [folder / "sager.csv", folder / "oplysninger.csv"], key=KEY).register
    assert read.extract_on == made.extract_on
    assert read.is_synthetic
    order = ["case_id"]
    one, other = (r.cases.sort_values(order, ignore_index=True) for r in (made, read))
    pd.testing.assert_frame_equal(one.drop(columns="person_key"), other[one.columns].drop(columns="person_key"))
    # Persons get another pseudonym at the border; who is the same person stays the same.
    assert (pd.factorize(one["person_key"])[0] == pd.factorize(other["person_key"])[0]).all()
    keys = ["case_id", "known_on", "name", "value"]
    facts = [r.facts.sort_values(keys, ignore_index=True) for r in (made, read)]
    pd.testing.assert_frame_equal(*facts)


@pytest.mark.parametrize(
    ("number", "text"), [(37.0, "37"), (9382.0, "9.382"), (0.87, "0,87"), (1234567.5, "1.234.567,50"), (0.0, "0")]
)
def test_numbers_have_a_decimal_comma_and_a_thousand_dot(number: float, text: str) -> None:
    assert danish_number(number) == text


def test_the_command_writes_a_register_and_keeps_the_truth_outside_of_it(tmp_path: Path) -> None:
    out = tmp_path / "register"
    result = CliRunner().invoke(
        command, ["--cases", "300", "--seed", "4", "--out", str(out), "--extract-on", "2026-03-02", "--years", "3"],
        catch_exceptions=False,
    )  # fmt: skip
    assert result.exit_code == 0
    register = read_register(out)
    expected, truth = synthesise(300, 4, extract_on=date(2026, 3, 2), years=3)
    assert register.fingerprint == expected.fingerprint
    assert sorted(p.name for p in out.iterdir()) == ["cases.parquet", "facts.parquet", "register.json"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "register.truth.parquet"), truth, check_exact=True)
    assert not any(c.startswith(("p_true", "p_observable", "exceeds")) for c in register.cases.columns)
    assert "300 synthetic cases (plain), extract of 2026-03-02" in result.output


def test_the_command_writes_a_danish_extract(tmp_path: Path) -> None:
    out = tmp_path / "extract"
    arguments = ["--cases", "50", "--seed", "4", "--out", str(out), "--format", "danish", "--scenario", "drift"]
    assert CliRunner().invoke(command, arguments, catch_exceptions=False).exit_code == 0
    assert sorted(p.name for p in out.iterdir()) == ["oplysninger.csv", "sager.csv"]
    assert (tmp_path / "extract.truth.parquet").is_file()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--cases", "0"], "0 is not in the range"),
        (["--scenario", "chaos"], "'chaos' is not one of"),
        (["--extract-on", "16-11-2026"], "write it as yyyy-mm-dd"),
        (["--years", "99"], "99.0 is not in the range"),
    ],
)
def test_the_command_says_what_it_cannot_do(tmp_path: Path, arguments: list[str], says: str) -> None:
    usual = ["--cases", "10", "--seed", "1", "--out", str(tmp_path / "register")]
    result = CliRunner().invoke(command, usual + arguments)
    assert result.exit_code == 2
    assert says in result.output
    assert not (tmp_path / "register").exists()


def test_a_folder_that_cannot_be_written_leaves_what_stood_there(tmp_path: Path) -> None:
    occupied = tmp_path / "register"
    occupied.write_text("a file")
    result = CliRunner().invoke(command, ["--cases", "10", "--seed", "1", "--out", str(occupied)])
    assert result.exit_code != 0
    assert "is a file; name a folder" in str(result.exception)
    assert occupied.read_text() == "a file"
