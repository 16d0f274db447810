"""Whole extracts through the border: every row has one fate, and every complaint says what, where and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from risk.errors import ConfigError, IntakeError, OutputError
from risk.intake import IntakeResult, intake, read_mapping, shipped_mappings, write_intake
from risk.intake.cli import command
from risk.register import read_register
from risk.schema import attributes

KEY = b"k" * 32
EXTRACT_ON = date(2026, 6, 1)
HEADINGS = "sagsnr;cpr;foerste_fravaersdag;anmeldelsesdato;ophoersdato;ophoersaarsag;kontor;team;koen;ugeloen;sagsart"
GOOD = "A1;SYN000001;02-02-2026;05-03-2026;;;Nordby;T1;K;4.500,50;11"
CLOSED = "A2;SYN000002;03-02-2026;05-03-2026;01-05-2026;raskmeldt;Nordby;T1;M;;17"
FACT_HEADINGS = "sagsnr;registreret_dato;oplysning;vaerdi"

Load = Callable[..., IntakeResult]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def loaded(
        *rows: str, headings: str = HEADINGS, facts: list[str] | None = None, encoding: str = "utf-8"
    ) -> IntakeResult:
        cases = tmp_path / "sager.csv"
        cases.write_bytes("\r\n".join([headings, *rows, ""]).encode(encoding))
        files = [cases]
        if facts is not None:
            files.append(tmp_path / "oplysninger.csv")
            files[1].write_text("\n".join([FACT_HEADINGS, *facts, ""]), "utf-8")
        return intake("danish_kmd", files, key=KEY, extract_on=EXTRACT_ON)

    return loaded


def reasons(result: IntakeResult) -> dict[str, list[int]]:
    return {f.what: f.places[0].rows for f in result.report.rejected}


# ---- what is kept ---------------------------------------------------------------------------------------------------------


def test_a_good_extract_becomes_a_register(load: Load) -> None:
    cases = load(GOOD, CLOSED).register.cases
    assert cases["case_id"].tolist() == ["A1", "A2"]
    assert cases["opened_on"].dt.date.tolist() == [date(2026, 2, 2), date(2026, 2, 3)]
    assert cases["close_reason"].isna().tolist() == [True, False]
    assert cases["close_reason"][1] == "recovered"
    assert cases["weekly_wage"][0] == 4500.5
    assert cases["sex"].tolist() == ["female", "male"]
    assert cases["benefit_basis"].tolist() == ["employee", "unemployed"]
    assert load(GOOD, CLOSED).register.is_synthetic


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "iso-8859-1"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_encodings_and_separators_are_found_out(load: Load, encoding: str, separator: str) -> None:
    headings = (
        HEADINGS.replace("foerste_fravaersdag", "Første fraværsdag").replace("koen", "KØN").replace("kontor", "Kontor ")
    )
    row = 'A1;SYN000001;02-02-2026;05-03-2026;;;"Ærø;by";T1;K;"4.500,50";11'
    if separator != ";":
        row = row.replace("Ærø;by", "Ærø by").replace(";", separator)
    result = load(row, headings=headings.replace(";", separator), encoding=encoding)
    assert result.register.cases["office"][0] in ("Ærø;by", "Ærø by")
    assert result.register.cases["weekly_wage"][0] == 4500.5


def test_totals_duplicates_blank_lines_and_trailing_separators_are_set_aside_and_counted(load: Load) -> None:
    result = load(GOOD + ";;", "", GOOD + ";;", CLOSED, "I alt;2", headings=HEADINGS + ";;")
    counts = result.report.cases
    # CLOSED has two fields fewer than a row with trailing separators, but as many as there are headings.
    assert (counts.read, counts.kept, counts.duplicates, counts.totals, counts.rejected) == (4, 2, 1, 1, 0)
    assert result.report.files[0].n_empty_rows == 1


def test_a_workbook_and_a_parquet_file_give_the_register_that_the_text_gives(load: Load, tmp_path: Path) -> None:
    expected = load("A1;0101801234;02-02-2026;05-03-2026;01-05-2026;99;Nordby;T1;K;4.500,125;11").register.cases
    typed = pd.DataFrame([dict(zip(HEADINGS.split(";"), [
        "A1", 101801234.0, pd.Timestamp("2026-02-02"), pd.Timestamp("2026-03-05"), pd.Timestamp("2026-05-01"), 99.0, "Nordby",
        "T1", "K", 4500.125, 11], strict=True))])  # fmt: skip
    typed.to_excel(tmp_path / "sager.xlsx", index=False, engine="openpyxl")
    typed.to_parquet(tmp_path / "sager.parquet", index=False)
    for name in ("sager.xlsx", "sager.parquet"):
        result = intake("danish_kmd", [tmp_path / name], key=KEY, extract_on=EXTRACT_ON)
        pd.testing.assert_frame_equal(result.register.cases, expected)
        assert ("cpr", "leading zero of a CPR number put back", 1) in [
            (c.column, c.what, c.n) for c in result.report.coerced
        ]


def test_a_row_keeps_its_number_in_the_file(load: Load) -> None:
    result = load(GOOD, "", "A3;SYN000003;not a day;05-03-2026;;;Nordby;T1;K;;11", CLOSED)
    assert reasons(result) == {"not a date in foerste_fravaersdag": [4]}


def test_facts_come_from_a_file_of_their_own_and_from_dated_columns(load: Load) -> None:
    result = load(
        GOOD + ";10-03-2026;stress;11-03-2026",
        CLOSED + ";;kræft;",
        headings=HEADINGS + ";oplysningsskema_modtaget;sygdomsgruppe;sygdomsgruppe_dato",
        facts=["A1;12-03-2026;delvis_genoptaget_timer;7,50", "A1;11-03-2026;sygdomsgruppe;stress"],
    )
    facts = {(f.known_on.date().isoformat(), f.name, f.value) for f in result.register.facts.itertuples(index=False)}
    assert facts == {
        ("2026-03-10", "form_received", "true"),
        ("2026-03-11", "illness_group", "mental"),
        ("2026-03-12", "partial_return_hours", "7.5"),
    }
    assert len(result.register.facts) == 3
    assert [(f.what, f.places[0].rows) for f in result.report.facts_left_out] == [("sygdomsgruppe without a date", [3])]


def test_overlapping_cases_of_one_person_are_kept_and_reported(load: Load) -> None:
    again = CLOSED.replace("A2", "A3").replace("03-02-2026", "30-04-2026").replace("05-03-2026", "30-04-2026")
    touching = CLOSED.replace("A2", "A4").replace("SYN000002", "SYN000004")
    next_one = touching.replace("A4", "A5").replace("03-02-2026", "01-05-2026").replace("05-03", "01-05")
    result = load(CLOSED, again, touching, next_one)
    assert result.report.cases.kept == 4
    assert result.report.overlaps is not None
    assert result.report.overlaps.places[0].rows == [3]


def test_an_end_reason_counts_only_while_it_was_in_use(load: Load) -> None:
    in_use = CLOSED.replace("raskmeldt", "jobafklaring")
    too_old = in_use.replace("A2", "A3").replace("2026", "2013")
    result = load(in_use, too_old, GOOD)
    assert result.register.cases["close_reason"].tolist()[:2] == ["clarification", "unknown"]
    assert [(u.column, u.code, u.became) for u in result.report.unknown_codes] == [
        ("ophoersaarsag", "jobafklaring", "unknown")
    ]


def test_a_closing_after_the_extract_date_is_not_known_yet(load: Load) -> None:
    result = load(CLOSED.replace("01-05-2026", "01-06-2026"))
    assert result.register.cases["closed_on"].isna().all()
    assert result.report.impossible_orders[0].what == "closed on or after the extract date (kept as open)"


def test_the_extract_date_may_stand_in_the_extract(tmp_path: Path) -> None:
    path = tmp_path / "sager.csv"
    path.write_text(f"{HEADINGS};udtraeksdato\n{GOOD};01-06-2026\n", "utf-8")
    assert intake("danish_kmd", [path], key=KEY).register.extract_on == EXTRACT_ON
    path.write_text(f"{HEADINGS};udtraeksdato\n{GOOD};01-06-2026\n{CLOSED};02-06-2026\n", "utf-8")
    with pytest.raises(IntakeError, match="2 different extract dates"):
        intake("danish_kmd", [path], key=KEY)
    path.write_text(f"{HEADINGS}\n{GOOD}\n", "utf-8")
    with pytest.raises(IntakeError, match="--extract-on"):
        intake("danish_kmd", [path], key=KEY)


# ---- what is rejected -----------------------------------------------------------------------------------------------------

BAD_ROWS = {
    "closed before opened": CLOSED.replace("01-05-2026", "01-01-2026"),
    "registered before opened": CLOSED.replace("05-03-2026", "01-01-2026"),
    "registered on or after the extract date": GOOD.replace("05-03-2026", "01-06-2026").replace("A1", "A2"),
    "unknown code in koen": CLOSED.replace(";M;", ";X;"),
    "not a number in the source's decimal and thousand signs in ugeloen": CLOSED.replace(";M;;", ";M;37.5;"),
    "ophoersaarsag without an end date": CLOSED.replace("01-05-2026", "31-12-9999"),
    "end date, but ophoersaarsag says the case is open": CLOSED.replace("raskmeldt", "0"),
    "cpr is empty": CLOSED.replace("SYN000002", "-"),
    "not a CPR number in cpr": CLOSED.replace("SYN000002", "9901801234"),
    "sagsnr is empty": CLOSED.replace("A2;", ";"),
    "the case id is a CPR number": CLOSED.replace("A2", "0101801234").replace("SYN000002", "010180-1234"),
    "a CPR number in kontor": CLOSED.replace("Nordby", "010180-1234"),
    "foerste_fravaersdag is empty": CLOSED.replace("03-02-2026", "NULL"),
    "too few fields": "A2;SYN000002;03-02-2026",
    "too many fields": CLOSED + ";x",
}


@pytest.mark.parametrize("reason", BAD_ROWS)
def test_a_row_that_cannot_be_true_is_rejected_with_its_reason_and_row(load: Load, reason: str) -> None:
    result = load(GOOD, BAD_ROWS[reason])
    assert reasons(result) == {reason: [3]}
    assert result.register.cases["case_id"].tolist() == ["A1"]
    assert result.rejected[["row", "reason"]].to_numpy().tolist() == [[3, reason]]


def test_two_different_rows_with_one_id_are_both_rejected(load: Load) -> None:
    result = load(GOOD, CLOSED, CLOSED.replace("T1", "T2"))
    assert reasons(result) == {"two cases with one id": [3, 4]}


FACTS = {
    "fact of an unknown case": "A9;12-03-2026;standby;J",
    "fact of a rejected case": "A2;12-03-2026;standby;J",
    "fact recorded before the case opened": "A1;01-02-2026;standby;J",
    "fact recorded on or after the extract date": "A1;01-06-2026;standby;J",
    "not yes or no in standby": "A1;12-03-2026;standby;måske",
    "unknown code in oplysning": "A1;12-03-2026;koen;K",
    "fact without a value": "A1;12-03-2026;standby;",
    "unknown code in samtale_afholdt": "A1;12-03-2026;samtale_afholdt;fest",
    "number outside 0 to 60 in delvis_genoptaget_timer": "A1;12-03-2026;delvis_genoptaget_timer;99",
}


@pytest.mark.parametrize("reason", FACTS)
def test_a_fact_that_cannot_be_true_is_rejected_with_its_reason_and_row(load: Load, reason: str) -> None:
    result = load(
        GOOD, BAD_ROWS["closed before opened"], facts=["A1;12-03-2026;samtale_afholdt;samtale", FACTS[reason]]
    )
    assert reasons(result)[reason] == [3]
    assert len(result.register.facts) == 1


def test_a_fact_between_opening_and_registration_is_kept_and_reported(load: Load) -> None:
    result = load(GOOD, facts=["A1;04-03-2026;standby;J"])
    assert len(result.register.facts) == 1
    assert [f.what for f in result.report.impossible_orders] == ["fact recorded before the case was registered (kept)"]


def test_no_cpr_number_reaches_the_register_the_report_or_the_rejected_rows(load: Load, tmp_path: Path) -> None:
    numbers = ["0101801234", "020280-2345", "303803456"]
    rows = [GOOD.replace("A1", f"B{i}").replace("SYN000001", n) for i, n in enumerate(numbers)]
    rows += [
        GOOD.replace("A1", "C1").replace("SYN000001", "010180-1234").replace(";K;", ";020280-2345;"),
        GOOD.replace("A1", "C2").replace("SYN000001", "303803456") + ";3038034567",
        GOOD.replace("A1", "C3").replace("SYN000001", "9901801234"),
    ]
    result = load(*rows)
    assert result.report.cases.kept == 3
    assert not result.register.is_synthetic
    write_intake(result, tmp_path / "register")
    for path in (tmp_path / "register").iterdir():
        written = path.read_bytes()
        if path.suffix == ".parquet":
            written = pd.read_parquet(path).to_csv().encode()
        for digits in (b"0101801234", b"101801234", b"020280-2345", b"0202802345", b"303803456", b"9901801234"):
            assert digits not in written, path.name


def test_a_long_or_telling_code_is_counted_without_being_shown(load: Load) -> None:
    result = load(GOOD, CLOSED.replace(";17", ";Jens Peter Hansen"))
    assert [u.code for u in result.report.unknown_codes] == ["(a longer text, not shown)"]


# ---- files that cannot be read ----------------------------------------------------------------------------------------------

BAD_FILES = {
    "is empty": b"",
    "is empty;": b" \r\n\r\n",
    "is UTF-16 or not a text file": f"{HEADINGS}\n{GOOD}\n".encode("utf-16"),
    "neither in UTF-8 nor in Windows-1252": f"{HEADINGS}\n{GOOD}\n".encode() + b"\x81\x8d",
    "mixes UTF-8 with another encoding": f"{HEADINGS}\n{GOOD}\n".replace("Nordby", "Ærø").encode() + b"A2;\xe6\n",
    "lacks the column 'foerste_fravaersdag'": f"{HEADINGS}\n{GOOD}\n".replace("foerste_fravaersdag", "dato").encode(),
    "neither the headings of cases nor of facts": f"{GOOD}\n{CLOSED}\n".encode(),
    "has headings but no rows": f"{HEADINGS}\n".encode(),
    "quotes in row 2 do not pair": f'{HEADINGS}\n"{GOOD}\n{CLOSED}\n'.encode(),
    "both hold 'sagsnr'": f"{HEADINGS};Sagsnummer\n{GOOD};A1\n".encode(),
    "no case could be kept of 1 row read": f"{HEADINGS}\nA1\n".encode(),
    "hold facts but no cases": f"{FACT_HEADINGS}\nA1;12-03-2026;standby;J\n".encode(),
}


@pytest.mark.parametrize("complaint", BAD_FILES)
def test_a_file_that_cannot_be_read_is_refused_in_one_line(tmp_path: Path, complaint: str) -> None:
    path = tmp_path / "sager.csv"
    path.write_bytes(BAD_FILES[complaint])
    with pytest.raises(IntakeError, match=complaint.rstrip(";")) as refused:
        intake("danish_kmd", [path], key=KEY, extract_on=EXTRACT_ON)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["sager.xlsx", "sager.parquet"])
def test_a_damaged_workbook_or_parquet_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"this is neither")
    with pytest.raises(IntakeError, match="not a readable"):
        intake("danish_kmd", [tmp_path / name], key=KEY, extract_on=EXTRACT_ON)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(IntakeError, match=r"nowhere.csv cannot be read"):
        intake("danish_kmd", [tmp_path / "nowhere.csv"], key=KEY, extract_on=EXTRACT_ON)


def test_a_folder_in_place_of_a_file_is_named_as_it_was_given() -> None:
    with pytest.raises(IntakeError, match=r"^\. is a folder; name the extract files in it$"):
        intake("danish_kmd", [Path(".")], key=KEY)


def test_without_a_long_enough_key_cpr_numbers_are_not_read(tmp_path: Path) -> None:
    for key in (None, b"k" * 31):
        with pytest.raises(ConfigError):
            intake("danish_kmd", [tmp_path / "nowhere.csv"], key=key, extract_on=EXTRACT_ON)


def test_an_encoding_stated_in_the_mapping_comes_before_what_could_be_guessed(tmp_path: Path) -> None:
    mapping = read_mapping("danish_kmd")
    (tmp_path / "sager.csv").write_bytes(f"{HEADINGS}\n{GOOD.replace('Nordby', 'Ærø')}\n".encode("cp865"))
    in_dos = mapping.model_copy(update={"reading": mapping.reading.model_copy(update={"encoding": "cp865"})})
    result = intake(in_dos, [tmp_path / "sager.csv"], key=KEY, extract_on=EXTRACT_ON)
    assert result.register.cases["office"].tolist() == ["Ærø"]
    in_utf8 = mapping.model_copy(update={"reading": mapping.reading.model_copy(update={"encoding": "utf-8"})})
    with pytest.raises(IntakeError, match="is not in utf-8, the encoding its mapping states"):
        intake(in_utf8, [tmp_path / "sager.csv"], key=KEY, extract_on=EXTRACT_ON)


# ---- mappings -------------------------------------------------------------------------------------------------------------


def test_the_danish_mapping_reads_every_attribute_and_every_level() -> None:
    mapping = read_mapping("danish_kmd")
    assert set(mapping.attributes) == set(attributes())
    for name, attribute in attributes().items():
        assert set(mapping.attributes[name].codes) == set(attribute.levels), name


def test_every_shipped_mapping_can_be_read() -> None:
    assert shipped_mappings() == ["danish_kmd", "kentucky_michigan_injury"]
    for name in shipped_mappings():
        assert read_mapping(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("[keys.team]", "[keys.tem]", "key 'team' needs one source"),
        ('decimal = ","', 'decimal = ";"', "reading.decimal"),
        ("version =", "versjon =", "version"),
        ('female = ["K", "kvinde"]', 'women = ["K"]', "no level 'women'"),
        ('male = ["M", "mand"]', 'male = ["M", "k"]', "one code stands for two levels"),
        ('headings = ["alder"]', 'headings = ["koen"]', "'koen' stands for two columns"),
        ("[attributes.age_years]", "[attributes.shoe_size]", "'shoe_size' is not declared"),
        ('reason = "flexjob"', 'reason = "bored"', "unknown close reason 'bored'"),
    ],
)
def test_a_mapping_with_a_mistake_is_refused_with_the_place_of_it(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    from importlib import resources

    text = resources.files("risk.intake").joinpath("mappings", "danish_kmd.toml").read_text("utf-8")
    assert old in text
    (tmp_path / "own.toml").write_text(text.replace(old, new), "utf-8")
    with pytest.raises(IntakeError, match=complaint):
        read_mapping(tmp_path / "own.toml")


def test_an_unknown_mapping_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(IntakeError, match="danish_kmd, kentucky_michigan_injury"):
        read_mapping("swedish")


# ---- the command ------------------------------------------------------------------------------------------------------------


def _run(tmp_path: Path, *rows: str, options: list[str] | None = None, key: str = "k" * 32) -> tuple[Path, object, str]:
    (tmp_path / "sager.csv").write_text("\n".join([HEADINGS, *rows, ""]), "utf-8")
    out = tmp_path / "register"
    args = [
        "danish_kmd",
        str(tmp_path / "sager.csv"),
        "--out",
        str(out),
        "--extract-on",
        "2026-06-01",
        *(options or []),
    ]
    result = CliRunner().invoke(command, args, env={"RISK_CPR_KEY": key})
    return out, result.exception, result.output


def test_the_command_writes_a_register_with_its_reports(tmp_path: Path) -> None:
    out, error, printed = _run(tmp_path, GOOD, CLOSED)
    assert error is None
    assert "2 rows read, 2 kept, 0 rejected" in printed
    assert len(read_register(out)) == 2
    assert json.loads((out / "load_report.json").read_text("utf-8"))["cases"]["kept"] == 2
    assert (out / "load_report.md").read_text("utf-8").startswith("# Load report")
    assert (out / "rejected.csv").read_bytes().startswith(b"\xef\xbb\xbffile;row;reason;text")


def test_the_command_prints_the_report_as_json(tmp_path: Path) -> None:
    _, _, printed = _run(tmp_path, GOOD, options=["--json"])
    assert json.loads(printed)["n_cases"] == 1


@pytest.mark.parametrize("reason", ["closed before opened", "unknown code in koen"])
def test_the_command_ends_with_an_error_when_rows_were_rejected(tmp_path: Path, reason: str) -> None:
    out, error, _ = _run(tmp_path, GOOD, BAD_ROWS[reason])
    assert isinstance(error, IntakeError)
    assert f"1 row rejected: {reason} (1: sager.csv row 3)" in str(error)
    assert len(read_register(out)) == 1


def test_the_command_lets_as_many_rejected_rows_pass_as_it_is_told(tmp_path: Path) -> None:
    bad = BAD_ROWS["closed before opened"]
    assert _run(tmp_path, GOOD, bad, options=["--allow-rejected", "1"])[1] is None
    assert isinstance(_run(tmp_path, GOOD, bad, bad + ";x", options=["--allow-rejected", "1"])[1], IntakeError)


def test_the_command_refuses_without_a_key(tmp_path: Path) -> None:
    out, error, _ = _run(tmp_path, GOOD, key="")
    assert isinstance(error, ConfigError)
    assert not out.exists()


def test_an_unwritable_place_leaves_what_stood_there(tmp_path: Path) -> None:
    (tmp_path / "register").write_text("precious", "utf-8")
    out, error, _ = _run(tmp_path, GOOD)
    assert isinstance(error, OutputError)
    assert out.read_text("utf-8") == "precious"


# ---- the law of the load ------------------------------------------------------------------------------------------------------

_FIELD = st.sampled_from(
    ["A1", "A2", "A3", "SYN000001", "0101801234", "02-02-2026", "05-03-2026", "2026-07-01", "31-12-9999", "", "-", "raskmeldt",
     "99", "0", "Nordby", "T1", "K", "X", "37,5", "37.5", "11", "77", "I alt", "æøå", '"x', "x;y", "\x00", "Ã¦", " ", "12345678901"]
)  # fmt: skip
_GOOD_FIELDS = GOOD.split(";")
_ROW = st.one_of(
    st.just(GOOD), st.just(CLOSED), st.just("I alt;2"), st.just(""),
    st.lists(_FIELD, min_size=0, max_size=13).map(";".join),
    st.tuples(st.integers(0, 10), _FIELD).map(lambda c: ";".join([*_GOOD_FIELDS[: c[0]], c[1], *_GOOD_FIELDS[c[0] + 1 :]])),
)  # fmt: skip
_FACT = st.one_of(
    st.just("A1;12-03-2026;standby;J"),
    st.lists(st.one_of(_FIELD, st.sampled_from(["standby", "J"])), min_size=0, max_size=5).map(";".join),
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(_ROW, max_size=8), facts=st.lists(_FACT, max_size=5), encoding=st.sampled_from(["utf-8", "cp1252"])
)
def test_every_row_read_has_exactly_one_fate_however_broken_the_file(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str], facts: list[str], encoding: str
) -> None:
    folder = tmp_path_factory.mktemp("extract")
    cases_file, facts_file = folder / "sager.csv", folder / "oplysninger.csv"
    cases_file.write_bytes("\n".join([HEADINGS, *rows]).encode(encoding))
    facts_file.write_bytes("\n".join([FACT_HEADINGS, *facts]).encode(encoding))
    try:
        result = intake("danish_kmd", [cases_file, facts_file], key=KEY, extract_on=EXTRACT_ON)
    except IntakeError:  # refused as a whole; any other kind of error is a failure of this law
        return
    report = result.report
    for counts in (report.cases, report.facts, *(f.counts for f in report.files)):
        assert counts.read == counts.kept + counts.rejected + counts.duplicates + counts.totals + counts.later
    assert report.cases.kept == len(result.register.cases)
    assert report.n_rejected == len(result.rejected) == sum(f.n for f in report.rejected)
    read_in_files = sum(f.counts.read + f.n_empty_rows for f in report.files)
    assert read_in_files == len(rows) + len(facts) - (not (rows or [""])[-1]) * bool(rows) - (
        not (facts or [""])[-1]
    ) * bool(facts)
    assert "0101801234" not in report.as_json() + report.as_markdown() + result.rejected.to_csv()
