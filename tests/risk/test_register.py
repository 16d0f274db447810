import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from risk.errors import AsOfError, OutputError, RegisterError
from risk.register import Register, make_register, read_register, write_register


def test_a_register_written_and_read_again_is_the_same(register: Register, tmp_path: Path) -> None:
    write_register(register, tmp_path / "reg")
    again = read_register(tmp_path / "reg")
    pd.testing.assert_frame_equal(again.cases, register.cases)
    pd.testing.assert_frame_equal(again.facts, register.facts)
    assert (again.extract_on, again.source, again.is_synthetic) == (register.extract_on, "by hand", True)
    assert again.fingerprint == register.fingerprint


def test_the_fingerprint_ignores_row_and_column_order_and_sees_every_change(register: Register) -> None:
    cases, facts = register.cases, register.facts
    shuffled = Register(
        cases.sample(frac=1, random_state=1)[list(cases.columns[::-1])],
        facts.sample(frac=1, random_state=2),
        register.extract_on,
    )
    assert shuffled.fingerprint == register.fingerprint
    changed = cases.assign(weekly_hours=cases["weekly_hours"].fillna(1.0))
    assert Register(changed, facts, register.extract_on).fingerprint != register.fingerprint


def test_a_register_of_an_older_schema_is_refused_with_what_to_do(register: Register, tmp_path: Path) -> None:
    write_register(register, tmp_path / "reg")
    about = json.loads((tmp_path / "reg/register.json").read_text())
    (tmp_path / "reg/register.json").write_text(json.dumps(about | {"schema_version": "0"}))
    with pytest.raises(RegisterError, match=r"schema version 0.*run 'risk intake' again"):
        read_register(tmp_path / "reg")


@pytest.mark.parametrize("name", ["cases.parquet", "facts.parquet", "register.json"])
def test_a_register_with_a_missing_or_damaged_file_is_refused(register: Register, tmp_path: Path, name: str) -> None:
    write_register(register, tmp_path / "reg")
    (tmp_path / "reg" / name).write_bytes(b"damaged")
    with pytest.raises(RegisterError, match=r"damaged|cannot be read"):
        read_register(tmp_path / "reg")
    (tmp_path / "reg" / name).unlink()
    with pytest.raises(RegisterError, match=f"{name} is missing"):
        read_register(tmp_path / "reg")


def test_a_closing_or_a_fact_from_after_the_extract_is_refused(make: Callable[..., Register]) -> None:
    with pytest.raises(AsOfError, match="1 rows have registered_on on or after"):
        make(extract_on=date(2026, 10, 1))
    with pytest.raises(AsOfError, match="known_on on or after the extract date"):
        make(extract_on=date(2026, 10, 15))


def test_a_closing_on_the_extract_date_itself_is_not_known_yet(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases, facts = tables
    extract_on = date(2026, 11, 16)
    is_last = cases["closed_on"] == cases["closed_on"].max()
    for day, is_known in ((date(2026, 11, 15), True), (extract_on, False)):
        moved = cases.assign(closed_on=cases["closed_on"].mask(is_last, pd.Timestamp(day)))
        if is_known:
            assert len(make_register(moved, facts, extract_on)) == len(cases)
        else:
            with pytest.raises(AsOfError, match="1 cases close on or after the extract date 2026-11-16"):
                make_register(moved, facts, extract_on)


def test_a_register_that_cannot_be_written_leaves_the_old_one_whole(register: Register, tmp_path: Path) -> None:
    write_register(register, tmp_path / "reg")
    before = {p.name: p.read_bytes() for p in (tmp_path / "reg").iterdir()}
    broken = Register(register.cases.assign(weekly_hours=[object()] * 5), register.facts, register.extract_on)
    with pytest.raises(ValueError, match="weekly_hours"):
        write_register(broken, tmp_path / "reg")
    assert {p.name: p.read_bytes() for p in (tmp_path / "reg").iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["reg"], "no temporary folder is left behind"


def test_a_folder_below_a_file_cannot_be_written_and_says_so(register: Register, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write in"):
        write_register(register, tmp_path / "file" / "reg")
    with pytest.raises(OutputError, match="is a file; name a folder"):
        write_register(register, tmp_path / "file")


def test_a_folder_that_holds_anything_else_is_never_replaced(register: Register, tmp_path: Path) -> None:
    (tmp_path / "sager.csv").write_text("the extract itself")
    with pytest.raises(OutputError, match=r"holds 1 other file \(sager\.csv\) that would be lost"):
        write_register(register, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["sager.csv"]


def test_made_up_cases_do_not_take_the_place_of_real_ones(register: Register, tmp_path: Path) -> None:
    real, made_up = replace(register, is_synthetic=False), replace(register, is_synthetic=True)
    write_register(real, tmp_path / "register")
    with pytest.raises(OutputError, match="a register of real cases"):
        write_register(made_up, tmp_path / "register")
    assert not read_register(tmp_path / "register").is_synthetic
    write_register(made_up, tmp_path / "tried")
    write_register(real, tmp_path / "tried")
    write_register(real, tmp_path / "tried")
    assert not read_register(tmp_path / "tried").is_synthetic
    (tmp_path / "register" / "register.json").write_text("{")
    write_register(made_up, tmp_path / "register")
    assert read_register(tmp_path / "register").is_synthetic


def test_a_register_of_chosen_cases_keeps_only_their_facts(register: Register) -> None:
    chosen = register.of_cases((register.cases["case_id"] == "SYN000002").to_numpy())
    assert len(chosen) == 1
    assert set(chosen.facts["case_id"]) == {"SYN000002"}
    assert len(chosen.facts) == 3


def test_tables_in_any_column_order_make_the_same_register(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases, facts = tables
    one = make_register(cases, facts, date(2026, 11, 16))
    two = make_register(cases[list(cases.columns[::-1])], facts, date(2026, 11, 16))
    pd.testing.assert_frame_equal(one.cases, two.cases)
