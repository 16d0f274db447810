"""The files of the week: what they say, that they are whole, equal for equal input, and safe to open."""

from __future__ import annotations

import csv
import io
import json
import re
import string
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest

from risk.errors import ConfigError, OutputError
from risk.policy import Minutes, Order, read_policy
from risk.rates import read_rates
from risk.register import Register, make_register
from serving.files.semicolon import harmless
from serving.language import LANGUAGES, Language, Speaker, catalogue
from serving.sentences import small_hidden
from serving.weekly import find_last_week, make_lists, write_lists
from serving.worklist import Lists, read_content

AS_OF = date(2026, 11, 23)
GOLDEN = Path(__file__).parents[1] / "golden" / "list"
CASES = [
    # case, team, opened, hours (the chance is hours / 40; none: no score)
    ("SYN000001", "Nord", "2026-09-21", 20.0),  # first interview due 16 Nov, overdue by a week
    ("SYN000002", "Nord", "2026-06-01", 36.0),
    ("SYN000003", "Nord", "2026-08-03", 8.0),
    ("SYN000004", "Nord", "2026-10-19", 0.00001),  # about to close by itself
    ("SYN000005", "Nord", "2025-09-01", 37.0),  # past week 52
    ("SYN000006", "Nord", "2026-10-12", None),
    ("SYN000007", "Nord", "2026-09-28", 30.0),  # due today, on standby
    ("SYN000008", "Nord", "2026-09-28", 30.0),  # due today, protected address
    ("SYN000009", "Øst & Vest", "2026-10-26", 12.0),
    ("SYN000010", "Øst & Vest", "2026-07-06", 39.9),
]
FACTS = [
    ("SYN000002", "2026-07-27", "follow_up_held", "interview"),
    ("SYN000002", "2026-11-05", "follow_up_held", "interview"),
    ("SYN000002", "2026-08-28", "milestone_done", "broad_assessment"),
    ("SYN000003", "2026-09-24", "follow_up_held", "interview"),
    ("SYN000003", "2026-11-04", "follow_up_held", "interview"),
    ("SYN000005", "2026-11-10", "follow_up_held", "interview"),
    ("SYN000007", "2026-10-20", "standby", "true"),
    ("SYN000008", "2026-10-20", "protected_address", "true"),
    ("SYN000010", "2026-10-29", "follow_up_held", "round_table"),
]


class HoursModel:
    """A model anyone can reckon: P(past week 52) is the weekly hours over 40, at one hazard all the way."""

    version = "risk52-test"
    meta: dict[str, Any] = {  # noqa: RUF012
        "features": ["weekly_hours", "employment_status"],
        "required": ["weekly_hours"],
        "outcome": {"version": "test"},
        "base_rate": {"ages": [0.0, 52.0], "p": [0.1, 0.9]},
    }

    def survival(self, X: pd.DataFrame, weeks: Any, entry: Any = None) -> np.ndarray:
        p, age = X["weekly_hours"].to_numpy()[:, None] / 40.0, np.asarray(entry)[:, None]
        return p ** np.clip((np.asarray(weeks) - age) / (52.0 - age), 0.0, None)

    def contributions(self, X: pd.DataFrame, week: float, entry: Any = None) -> pd.DataFrame:
        hours = X["weekly_hours"].to_numpy()
        return pd.DataFrame({"weekly_hours": (hours - 20) / 5, "employment_status": 0.2, "base": -1.0})


def by_hand(cases: list[tuple[Any, ...]] | None = None, **columns: Any) -> Register:
    frame = pd.DataFrame(cases or CASES, columns=["case_id", "team", "opened_on", "weekly_hours"])
    frame["opened_on"] = pd.to_datetime(frame["opened_on"])
    frame = frame.assign(
        person_key=[f"person-{i}" for i in range(len(frame))],
        registered_on=frame["opened_on"] + pd.Timedelta(days=21),
        closed_on=None,
        close_reason=None,
        office="Nordby",
        employment_status="employee",
    ).assign(**columns)
    known = frame["case_id"].tolist()
    facts = pd.DataFrame([f for f in FACTS if f[0] in known], columns=["case_id", "known_on", "name", "value"])
    return make_register(frame, facts, date(2026, 11, 30), source="by hand", is_synthetic=True)


def lists_of(register: Register | None = None, as_of: date = AS_OF, **given: Any) -> Lists:
    policy = read_policy().with_places(5)
    return make_lists(register or by_hand(), as_of, HoursModel(), policy, given.get("last_week"))


@pytest.fixture(scope="module")
def lists() -> Lists:
    return lists_of()


@pytest.fixture
def folder(lists: Lists, tmp_path: Path) -> Path:
    return write_lists(lists, tmp_path, Speaker("da"))


def test_the_files_of_a_tiny_week_are_the_golden_ones_byte_for_byte(tmp_path: Path) -> None:
    before = write_lists(lists_of(as_of=date(2026, 11, 16)), tmp_path, Speaker("da"))
    made = write_lists(lists_of(last_week=find_last_week(tmp_path, AS_OF)), tmp_path, Speaker("da"))
    assert (before.name, made.name) == ("2026-W47", "2026-W48")
    # To renew after a meant change: copy the two files from the folder named in the failure, and read their diff.
    for name in ("worklist.csv", "worklist.html"):
        assert (made / name).read_bytes() == (GOLDEN / name).read_bytes(), made / name


def test_the_folder_holds_the_list_as_csv_excel_page_and_json_and_one_page_per_team(folder: Path) -> None:
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    teams = [f"teams/{t}.{e}" for t in ("nord", "oest-vest") for e in ("csv", "html")]
    assert found == sorted([*teams, *(f"worklist.{e}" for e in ("csv", "html", "json", "xlsx"))])
    assert folder.name == "2026-W48"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_lists_give_the_same_bytes(language: Language, tmp_path: Path) -> None:
    shuffled = by_hand(CASES[::-1])
    one = write_lists(lists_of(), tmp_path / "one", Speaker(language))
    other = write_lists(lists_of(shuffled), tmp_path / "other", Speaker(language))
    for path in sorted(p for p in one.rglob("*") if p.is_file()):
        if path.name != "worklist.json":
            assert path.read_bytes() == (other / path.relative_to(one)).read_bytes(), path.name
    both = [json.loads((f / "worklist.json").read_text("utf-8")) for f in (one, other)]
    assert both[0]["rows"] == both[1]["rows"]


def test_the_csv_is_one_that_excel_in_denmark_reads(folder: Path) -> None:
    raw = (folder / "worklist.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\r\n") == raw.count(b"\n") == 10
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig")), delimiter=";"))
    first = rows[0]
    assert (first["Sag"], first["Frist"], first["Dage over frist"]) == ("SYN000001", "16-11-2026", "7")
    assert (first["Chance for over 52 uger"], first["Chance med ord"]) == ("0,5000", "omkring 50 ud af 100")
    assert first["Uger"] == "8,9"  # 62 whole days
    assert {r["Team"] for r in rows} == {"Nord", "Øst & Vest"}


def test_a_cell_that_a_spreadsheet_would_run_is_written_as_text(tmp_path: Path) -> None:
    nasty = [("=1+1", "@SUM(A1)", "2026-09-21", 20.0), ("-2", 'a;"b"\nc', "2026-09-21", 20.0)]
    made = write_lists(lists_of(by_hand(nasty)), tmp_path, Speaker("da"))
    rows = list(csv.reader(io.StringIO((made / "worklist.csv").read_text("utf-8-sig")), delimiter=";"))
    assert [r[2] for r in rows[1:]] == ["'@SUM(A1)", 'a;"b" c']
    assert [r[5] for r in rows[1:]] == ["'=1+1", "'-2"]
    book = openpyxl.load_workbook(made / "worklist.xlsx")
    assert all(c.data_type != "f" for sheet in book for row in sheet.iter_rows() for c in row)


@pytest.mark.parametrize("text", ["=A1", "+1", "-1", "@x", "\tx", "\rx", "\nx"])
def test_every_start_of_a_formula_is_made_harmless(text: str) -> None:
    assert harmless(text)[0] == "'"
    assert "\n" not in harmless(text)


def test_the_workbook_has_a_cover_and_one_sheet_per_team_set_up_for_reading_and_print(folder: Path) -> None:
    book = openpyxl.load_workbook(folder / "worklist.xlsx")
    assert book.sheetnames == ["Forside", "Nord", "Øst & Vest"]
    cover = " ".join(str(c.value) for row in book["Forside"].iter_rows() for c in row if c.value)
    assert "må ikke bruges til afgørelser om ret til ydelse, sanktion, kontrol" in cover
    assert "OPDIGTEDE SAGER" in cover
    sheet = book["Nord"]
    assert sheet.freeze_panes == "D5"
    assert sheet.auto_filter.ref == "A4:N11"
    assert sheet.print_title_rows == "$4:$4"
    assert (sheet.page_setup.orientation, sheet.page_setup.paperSize) == ("landscape", 9)
    assert "Ikke til ret til ydelse, sanktion eller kontrol" in sheet.oddFooter.left.text
    heads = [c.value for c in sheet[4]]
    row = dict(zip(heads, sheet[5], strict=True))
    assert row["Sag"].value == "SYN000001"
    assert (row["Frist"].value.date(), row["Frist"].number_format) == (date(2026, 11, 16), "dd-mm-yyyy")
    assert (row["Chance for over 52 uger"].value, row["Chance for over 52 uger"].number_format) == (0.5, "0%")


def test_the_workbook_carries_no_clock(folder: Path) -> None:
    with zipfile.ZipFile(folder / "worklist.xlsx") as parts:
        assert {i.date_time[0] for i in parts.infolist()} == {1980}
        assert b"2026-11-23T00:00:00Z" in parts.read("docProps/core.xml")


def test_no_person_key_and_no_protected_case_is_in_any_file(folder: Path) -> None:
    for path in (p for p in folder.rglob("*") if p.is_file()):
        raw = path.read_bytes()
        if path.suffix == ".xlsx":
            with zipfile.ZipFile(path) as parts:
                raw = b"".join(parts.read(n) for n in parts.namelist())
        assert b"person-" not in raw, path.name
        assert b"SYN000008" not in raw, path.name


def test_the_excluded_are_counted_and_a_duty_among_them_is_told(folder: Path) -> None:
    page = (folder / "teams" / "nord.html").read_text("utf-8")
    # 1 and 7 are due, 2, 3 and 4 have the places left, 5 is past week 52, 6 has no score, 8 is protected.
    account = "Regnskab: 8 åbne sager = 7 på listen + 0 talt med for nylig + 0 uden plads i denne uge + 1 undtaget."
    assert account in page
    assert "Undtagne sager med frist i denne uge: 1." in page
    assert "Standby: følges gennem læge eller sygehus, ikke ved kontakt" in page


@pytest.mark.parametrize(
    ("language", "purpose"), [("da", "Listen ordner kun opfølgningen."), ("en", "The list orders follow-up only.")]
)
def test_purpose_and_limits_stand_on_every_page(lists: Lists, tmp_path: Path, language: Language, purpose: str) -> None:
    made = write_lists(lists, tmp_path, Speaker(language))
    for page in [made / "worklist.html", *(made / "teams").glob("*.html")]:
        assert purpose in page.read_text("utf-8")
    for sheet in openpyxl.load_workbook(made / "worklist.xlsx"):
        assert any(purpose in str(c.value) for row in sheet.iter_rows() for c in row)


def test_the_page_works_without_scripts_and_without_outside_addresses(folder: Path) -> None:
    page = (folder / "worklist.html").read_text("utf-8")
    assert not re.search(r"<script|https?://|url\(|@import|<img|<link| on\w+=", page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert set(re.findall(r'aria-labelledby="([^"]+)"', page)) <= set(ids)


def test_a_team_name_cannot_break_the_page(tmp_path: Path) -> None:
    made = write_lists(
        lists_of(by_hand([("SYN000001", "<script>alert(1)</script>", "2026-09-21", 20.0)])), tmp_path, Speaker("da")
    )
    page = (made / "worklist.html").read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert openpyxl.load_workbook(made / "worklist.xlsx").sheetnames == ["Forside", "<script>alert(1)< script>"]


def test_the_page_of_a_team_shows_no_other_team(folder: Path) -> None:
    page = (folder / "teams" / "nord.html").read_text("utf-8")
    assert "SYN000009" not in page
    assert "Øst" not in page
    assert "SYN000009" not in (folder / "teams" / "nord.csv").read_text("utf-8-sig")


def test_a_case_past_52_weeks_and_a_case_without_a_score_say_so_and_have_no_chance(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((folder / "worklist.csv").read_text("utf-8-sig")), delimiter=";"))
    told = {r["Sag"]: (r["Afsnit"], r["Chance for over 52 uger"], r["Bemærkning"]) for r in rows}
    assert told["SYN000005"] == ("over 52 uger", "", "Har varet mere end 52 uger")
    assert told["SYN000006"] == ("uden vurdering", "", "Ingen vurdering: mangler Ugentlig arbejdstid")


def by_cost(register: Register | None = None, **order: Any) -> Lists:
    policy = read_policy().with_places(5)
    order = {"by": "avoidable_cost", "weeks_ahead": 8} | order
    policy = policy.model_copy(update={"order": Order.model_validate(order)})
    return make_lists(register or by_hand(), AS_OF, HoursModel(), policy)


def test_an_order_by_cost_says_what_it_counts_what_it_does_not_know_and_whose_rates_it_took(tmp_path: Path) -> None:
    made = write_lists(by_cost(), tmp_path, Speaker("da"))
    page = (made / "teams" / "nord.html").read_text("utf-8")
    assert "2. Efter forventet udgift" in page
    assert "Resten står efter forventet udgift: hvad de næste 8 ugers ydelse ventes at koste kommunen" in page
    assert "Hvad en samtale ville spare, vides ikke." in page
    assert "Taksterne for 2026, 2027 kendes ikke her; der er regnet med taksten fra 2024." in page
    rows = list(csv.DictReader(io.StringIO((made / "worklist.csv").read_text("utf-8-sig")), delimiter=";"))
    cost = {r["Sag"]: r["Forventet udgift, kr."] for r in rows}
    assert cost["SYN000005"] == cost["SYN000006"] == cost["SYN000007"] == ""  # no score, no cost
    # Open since 1 June, weeks 21 to 28 of benefit at 60 and 70 % of 4,695: about 24,000 if it lasts, as it nearly surely does.
    assert 22_000 < int(cost["SYN000002"]) < 25_000
    assert f"ventet udgift: {round(int(cost['SYN000002']), -2):,}".replace(",", ".") + " DKK" in page
    sheet = openpyxl.load_workbook(made / "worklist.xlsx")["Nord"]
    heads = [c.value for c in sheet[4]]
    assert sheet.cell(7, heads.index("Forventet udgift, kr.") + 1).number_format == "#,##0"
    kept = read_content(made)["rates"]
    assert kept == {"version": read_rates().version, "currency": "DKK", "carried": [2026, 2027], "carried_from": 2024}


def test_a_mix_states_its_weights(tmp_path: Path) -> None:
    page = (write_lists(by_cost(by="mix", cost_part=0.3), tmp_path, Speaker("en")) / "worklist.html").read_text("utf-8")
    assert "2. By chance and expected cost" in page
    assert "The rest stand by the chance (70 %) and the expected cost (30 %) weighed together." in page


def test_without_an_order_by_cost_no_cost_of_a_person_is_kept(folder: Path) -> None:
    made = read_content(folder)
    assert made["rates"] is None
    assert {r["cost_ahead"] for r in made["rows"]} == {None}
    heads = [c.value for c in openpyxl.load_workbook(folder / "worklist.xlsx")["Nord"][4]]
    assert "Forventet udgift, kr." not in heads


def test_a_case_about_to_close_stands_apart_and_says_that_no_round_table_is_needed(folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((folder / "worklist.csv").read_text("utf-8-sig")), delimiter=";"))
    soon = next(r for r in rows if r["Sag"] == "SYN000004")
    # At one hazard all the way: four of the 47 1/7 weeks to week 52.
    assert float(soon["Chance for at lukke inden 4 uger"].replace(",", ".")) == pytest.approx(
        1 - (0.00001 / 40) ** (4 / (52 - 34 / 7)), abs=5e-5
    )
    assert soon["Afsnit"] == "lukker måske"
    assert soon["Bemærkning"].startswith("Lukker inden fire uger: omkring 72 ud af 100")
    page = (folder / "teams" / "nord.html").read_text("utf-8")
    assert "4. Lukker måske af sig selv (1)" in page
    assert "De kræver ingen rundbordssamtale og tager ingen plads; en frist er stadig en frist." in page


def test_a_missed_milestone_lifts_a_case_past_one_of_slightly_higher_chance_and_says_so(tmp_path: Path) -> None:
    # Both are 16 weeks old; 22 and 20.8 hours are chances of 55 and 52 in 100. Only the second has missed week 13.
    pair = [("SYN000002", "Nord", "2026-08-03", 22.0), ("SYN000011", "Nord", "2026-08-03", 20.8)]
    lists = lists_of(by_hand(pair))
    assert lists.worklist.rows["case_id"].tolist() == ["SYN000011", "SYN000002"]
    page = (write_lists(lists, tmp_path, Speaker("da")) / "worklist.html").read_text("utf-8")
    assert page.index("SYN000011") < page.index("Bred vurdering mangler") < page.index("SYN000002</th>")
    assert "En overskredet milepæl løfter en sag 5 procentpoint i rækkefølgen." in page


def test_with_hours_the_team_is_told_what_its_duties_take(tmp_path: Path) -> None:
    policy = read_policy()
    capacity = policy.capacity.model_copy(update={"unit": "hours", "minutes": Minutes(first_interview=90)})
    lists = make_lists(by_hand(), AS_OF, HoursModel(), policy.model_copy(update={"capacity": capacity}))
    page = (write_lists(lists, tmp_path, Speaker("da")) / "teams" / "nord.html").read_text("utf-8")
    # One worker of 14 hours; two first interviews of an hour and a half, the one on standby too.
    assert "Ugen rummer 14 timer. Pladser til resten, når fristerne er trukket fra: 11." in page
    assert "Fristerne tager 2,5 timer af ugen." in page


def test_a_team_without_recorded_follow_ups_is_told_that_past_dates_are_unknown(tmp_path: Path) -> None:
    made = write_lists(lists_of(by_hand([CASES[0], CASES[3]])), tmp_path, Speaker("da"))
    page = (made / "teams" / "nord.html").read_text("utf-8")
    assert "Registret har ingen afholdte opfølgninger for teamet" in page
    assert "dage over frist" not in page


def test_reasons_are_sentences_with_direction_and_never_a_coefficient(lists: Lists, folder: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((folder / "worklist.csv").read_text("utf-8-sig")), delimiter=";"))
    reasons = {r["Sag"]: [r["Grund 1"], r["Grund 2"]] for r in rows}
    assert reasons["SYN000010"][0].startswith("▲ ")
    assert reasons["SYN000004"][0].startswith("▼ ")
    assert len(lists.reasons["SYN000010"]) == 2


def test_the_content_is_what_was_scored_with_purpose_and_draws(lists: Lists, folder: Path) -> None:
    made = read_content(folder)
    assert made["not_for"] == ["entitlement", "sanction", "control", "payment stop"]
    assert made["is_synthetic"] is True
    assert (made["model_version"], made["revision"]) == ("risk52-test", 1)
    p = {r["case_id"]: r["p_exceed_52w"] for r in made["rows"]}
    assert p["SYN000010"] == 39.9 / 40.0
    assert p["SYN000005"] is None
    assert made["policy"]["capacity"]["everywhere"] == 5


def test_an_earlier_list_that_was_changed_or_damaged_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "worklist.json"
    text = path.read_text("utf-8")
    for broken, complaint in (
        (text.replace("SYN000001", "SYN000099"), "was changed after it was written"),
        (text[: len(text) // 2], "is damaged or not a list"),
        ("[]", "is damaged or not a list"),
        (text.replace('"format":1', '"format":9'), "has format 9"),
    ):
        path.write_text(broken, "utf-8")
        with pytest.raises(ConfigError, match=complaint):
            read_content(folder)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_content(tmp_path / "nowhere")


def test_what_a_team_has_written_in_its_workbook_outlives_the_same_list_made_again(
    lists: Lists, tmp_path: Path
) -> None:
    first = write_lists(lists, tmp_path, Speaker("da"))
    book = (first / "worklist.xlsx").read_bytes() + b"a note"
    (first / "worklist.xlsx").write_bytes(book)
    table = (first / "teams" / "nord.csv").read_bytes() + b"called on Tuesday;\n"
    (first / "teams" / "nord.csv").write_bytes(table)
    (first / "worklist.html").write_text("spoiled", "utf-8")
    stayed: list[str] = []
    write_lists(lists, tmp_path, Speaker("da"), stayed.append)
    assert sorted(stayed) == ["teams/nord.csv", "worklist.xlsx"]
    assert (first / "worklist.xlsx").read_bytes() == book
    assert (first / "teams" / "nord.csv").read_bytes() == table
    assert "spoiled" not in (first / "worklist.html").read_text("utf-8"), "nobody writes in a page"


def test_a_second_list_of_the_week_is_a_new_revision_and_the_first_stays(lists: Lists, tmp_path: Path) -> None:
    first = write_lists(lists, tmp_path, Speaker("da"))
    kept = {p.name: p.read_bytes() for p in first.iterdir() if p.is_file()}
    again = write_lists(lists, tmp_path, Speaker("da"))
    assert again == first
    assert {p.name: p.read_bytes() for p in first.iterdir() if p.is_file()} == kept
    second = write_lists(lists_of(by_hand(CASES[:-1])), tmp_path, Speaker("da"))
    assert second.name == "2026-W48-r2"
    assert {p.name: p.read_bytes() for p in first.iterdir() if p.is_file()} == kept
    assert read_content(second)["revision"] == 2
    assert "revision 2" in (second / "worklist.html").read_text("utf-8")
    assert write_lists(lists, tmp_path, Speaker("da")) == first  # the same content finds its own revision again
    earlier = find_last_week(tmp_path, date(2026, 11, 30))
    assert earlier is not None
    assert "SYN000010" not in earlier.rows["case_id"].tolist()  # the newest revision counts


def test_last_week_is_found_across_the_turn_of_the_year(tmp_path: Path) -> None:
    register = by_hand()
    register = make_register(register.cases, register.facts, date(2027, 2, 1), is_synthetic=True)
    write_lists(lists_of(register, date(2026, 12, 28)), tmp_path, Speaker("da"))
    earlier = find_last_week(tmp_path, date(2027, 1, 4))
    assert earlier is not None
    assert earlier.week == "2026-W53"
    assert find_last_week(tmp_path, date(2027, 1, 11)) is None


def test_a_crash_in_the_middle_leaves_what_stood_there(
    lists: Lists, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}

    def crash(*_: Any) -> None:
        raise KeyError("in the middle")

    monkeypatch.setattr("serving.weekly.write_workbook", crash)
    with pytest.raises(KeyError):
        write_lists(lists, folder.parent, Speaker("da"))
    assert {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()} == kept
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_a_place_that_cannot_be_written_is_told(lists: Lists, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(OutputError, match="is a file; name a folder"):
        write_lists(lists, tmp_path / "file", Speaker("da"))


def test_one_team_alone_has_one_page_without_a_link_to_an_overview_of_its_own(tmp_path: Path) -> None:
    made = write_lists(lists_of(by_hand(CASES[:8])), tmp_path, Speaker("da"))
    assert [p.name for p in (made / "teams").glob("*.html")] == ["nord.html"]
    assert "Til oversigten" not in (made / "teams" / "nord.html").read_text("utf-8")


def test_counts_under_5_are_hidden_in_the_overview_and_shown_to_the_team(folder: Path) -> None:
    overview = (folder / "worklist.html").read_text("utf-8").split('<section class="team"')[0]
    assert overview.count("under 5</td>") >= 4
    assert "Frister til og med søndag: 2, heraf over fristen: 1." in (folder / "teams" / "nord.html").read_text("utf-8")
    assert [small_hidden(n, Speaker("en")) for n in (0, 1, 4, 5, 1200)] == ["0", "under 5", "under 5", "5", "1,200"]


def test_both_languages_have_the_same_texts_with_the_same_fields() -> None:
    danish, english = catalogue("da"), catalogue("en")
    assert list(danish) == list(english)

    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert {k: fields(v) for k, v in danish.items()} == {k: fields(v) for k, v in english.items()}


def test_every_text_is_used_somewhere() -> None:
    root = Path(__file__).parents[2] / "serving"
    code = " ".join(p.read_text("utf-8") for p in [*root.rglob("*.py"), *root.rglob("*.j2")])
    # Parts whose key is put together: f"duty.{kind}", "web_help." ~ line; or from a part that is itself a name.
    together = set(re.findall(r'f?"([a-z_]+)\.(?:\{|" ~)', code))
    by_name = {"section", "section_short", "section_why", "column", "page_column", "band", "duty", "change"}
    unused = [k for k in catalogue("da") if k not in code and k.split(".")[0] not in together | by_name]
    assert unused == ["lines.basis_office", "lines.basis_law"]  # named by the basis of the rule set


@pytest.mark.parametrize(
    ("p", "danish", "english"),
    [
        (0.0, "færre end 1 ud af 100", "fewer than 1 in 100"),
        (0.0099, "færre end 1 ud af 100", "fewer than 1 in 100"),
        (0.01, "omkring 1 ud af 100", "about 1 in 100"),
        (0.18499, "omkring 18 ud af 100", "about 18 in 100"),
        (0.185, "omkring 19 ud af 100", "about 19 in 100"),
        (0.99, "omkring 99 ud af 100", "about 99 in 100"),
        (0.991, "flere end 99 ud af 100", "more than 99 in 100"),
        (float("nan"), "", ""),
    ],
)
def test_a_probability_is_said_as_people_count(p: float, danish: str, english: str) -> None:
    assert (Speaker("da").frequency(p), Speaker("en").frequency(p)) == (danish, english)


def test_an_english_list_is_english_throughout_with_iso_dates(tmp_path: Path, lists: Lists) -> None:
    page = (write_lists(lists, tmp_path, Speaker("en")) / "worklist.html").read_text("utf-8")
    assert '<html lang="en">' in page
    assert "2026-11-16" in page
    assert not re.search(r"\b(uger|frist|ikke|sager|opfølgning)\b", page)
