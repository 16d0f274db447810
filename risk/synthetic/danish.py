"""A synthetic extract as a Danish office would export it: ``sager.csv`` and ``oplysninger.csv``.

Headings and codes are those of the shipped mapping ``danish_kmd``, read the other way round, so there is no second table of
them. Windows-1252, semicolons, decimal comma and thousand dot, dd-mm-yyyy, J/N, 31-12-9999 for an open case, a totals row.
Persons keep their SYN ids: no number in the extract can belong to anybody.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from risk import schema
from risk.files import whole_folder
from risk.register import Register
from risk.synthetic.draws import Texts

if TYPE_CHECKING:
    from risk.intake.mapping import Mapping

FILES = (CASES_FILE, FACTS_FILE) = ("sager.csv", "oplysninger.csv")
OPEN_DATE = "31-12-9999"
PERSON_PREFIX = "SYN9"  # seven digits after SYN: a person's id is never that of a case


def write_danish(register: Register, folder: Path) -> None:
    """Write a synthetic register as an extract of two CSV files, whole or not at all.

    Raises
    ------
    OutputError
        When the folder cannot be written; what stood there is untouched.
    """
    from risk.intake.mapping import read_mapping

    mapping = read_mapping("danish_kmd")
    with whole_folder(folder, FILES) as made:
        _write(
            danish_cases(register, mapping), made / CASES_FILE, total_in=heading(mapping.keys["case_id"].headings[0])
        )
        _write(danish_facts(register, mapping), made / FACTS_FILE)


def heading(name: str) -> str:
    """A heading with its Danish letters.

    >>> heading("foerste_fravaersdag"), heading("aarsag")
    ('første_fraværsdag', 'årsag')
    """
    return name.replace("ae", "æ").replace("oe", "ø").replace("aa", "å")


def danish_cases(register: Register, mapping: Mapping) -> pd.DataFrame:
    """The cases as text, one column per heading of the mapping."""
    cases, keys = register.cases, mapping.keys
    columns: dict[str, Texts] = {}
    for key in schema.CASE_KEYS:
        values = cases[key]
        if key.endswith("_on"):
            text = danish_dates(values)
        elif key == "close_reason":
            text = _reason_codes(cases, mapping)
        elif key == "person_key":
            text = values.str.replace("SYN-P", PERSON_PREFIX).to_numpy(dtype=object)
        else:
            text = values.to_numpy(dtype=object)
        columns[heading(keys[key].headings[0])] = text
    columns[heading(mapping.extract.headings[0])] = np.full(len(cases), f"{register.extract_on:%d-%m-%Y}", dtype=object)
    for name, attribute in schema.case_attributes().items():
        if name in cases.columns:
            columns[heading(mapping.attributes[name].headings[0])] = danish_values(attribute, cases[name], mapping)
    return pd.DataFrame(columns)


def danish_facts(register: Register, mapping: Mapping) -> pd.DataFrame:
    """The facts as text, one row per fact, in the register's order."""
    facts, layout = register.facts, mapping.facts
    assert layout is not None, "the shipped Danish mapping has a facts file"
    value = np.empty(len(facts), dtype=object)
    name = np.empty(len(facts), dtype=object)
    for fact, rows in facts.groupby("name", sort=True).indices.items():
        attribute = schema.fact_attributes()[str(fact)]
        values = facts["value"].iloc[rows]
        if attribute.kind == "number":
            values = pd.to_numeric(values)
        elif attribute.kind == "flag":
            values = values == "true"
        value[rows] = danish_values(attribute, values, mapping)
        name[rows] = mapping.attributes[str(fact)].headings[0]
    return pd.DataFrame(
        {
            heading(layout.case_id[0]): facts["case_id"].to_numpy(dtype=object),
            heading(layout.known_on[0]): danish_dates(facts["known_on"]),
            heading(layout.name[0]): name,
            heading(layout.value[0]): value,
        }
    )


def danish_values(attribute: schema.Attribute, values: pd.Series, mapping: Mapping) -> Texts:
    """Values of one attribute as the office writes them; empty where nothing is known."""
    if attribute.kind == "category":
        codes = {level: written[0] for level, written in mapping.attributes[attribute.name].codes.items()}
        return values.map(codes).fillna("").to_numpy(dtype=object)
    if attribute.kind == "flag":
        return values.map({True: "J", False: "N"}).astype(object).fillna("").to_numpy(dtype=object)
    distinct = {number: danish_number(number) for number in values.dropna().unique()}
    return values.map(distinct).astype(object).fillna("").to_numpy(dtype=object)


def danish_number(number: float) -> str:
    """A number with decimal comma and thousand dot.

    >>> danish_number(9382.0), danish_number(0.87)
    ('9.382', '0,87')
    """
    text = f"{number:,.0f}" if float(number).is_integer() else f"{number:,.2f}"
    return text.replace(",", " ").replace(".", ",").replace(" ", ".")


def danish_dates(days: pd.Series) -> Texts:
    """Days as dd-mm-yyyy; 31-12-9999 where there is none."""
    return days.dt.strftime("%d-%m-%Y").astype(object).fillna(OPEN_DATE).to_numpy(dtype=object)


def _reason_codes(cases: pd.DataFrame, mapping: Mapping) -> Texts:
    """The end-reason code in force on the day of closing; the code of an open case where there is none."""
    open_code = mapping.keys["close_reason"].open_codes[0]
    codes = np.full(len(cases), open_code, dtype=object)
    closed, reason = cases["closed_on"], cases["close_reason"]
    for entry in reversed(mapping.close_reasons.table):  # the first entry that fits has the last word
        low, high = pd.Timestamp(entry.from_ or date(1900, 1, 1)), pd.Timestamp(entry.to or date(2200, 1, 1))
        fits = ((reason == entry.reason) & (closed >= low) & (closed <= high)).to_numpy(dtype=bool)
        codes[fits] = entry.codes[0]
    return codes


def _write(table: pd.DataFrame, path: Path, total_in: str | None = None) -> None:
    text = table.to_csv(sep=";", index=False, lineterminator="\r\n")
    if total_in is not None:
        total = dict.fromkeys(table.columns, "") | {total_in: "I alt", table.columns[1]: str(len(table))}
        text += ";".join(total.values()) + "\r\n"
    path.write_bytes(text.encode("cp1252"))
