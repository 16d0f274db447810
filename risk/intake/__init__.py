"""The border: extracts of offices become a register, with a report of every row that was read.

``intake`` reads, ``write_intake`` writes. Nothing is lost (each row read is kept, rejected with a reason, a duplicate, a
totals row or not known yet) and nothing is guessed (what can be read in two ways is rejected).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from risk.errors import ConfigError, IntakeError
from risk.intake import checks
from risk.intake.cases import CaseLoad, read_cases
from risk.intake.columns import Log
from risk.intake.facts import add_wide_facts, read_facts
from risk.intake.mapping import Mapping, read_mapping, shipped_mappings
from risk.intake.pseudonym import KEY_VARIABLE, checked_key, key_from
from risk.intake.reading import Part, read_parts
from risk.intake.report import Counts, Finding, LoadReport, counted, file_loads, findings_of
from risk.intake.rows import Rows, joined, rejected_rows
from risk.progress import working
from risk.register import Register, make_register, write_register

__all__ = [
    "IntakeResult",
    "LoadReport",
    "Mapping",
    "intake",
    "key_from",
    "read_mapping",
    "shipped_mappings",
    "write_intake",
]


@dataclass(frozen=True)
class IntakeResult:
    """What one load gave: the register, the report, and the rejected rows (file, row, reason, text)."""

    register: Register
    report: LoadReport
    rejected: pd.DataFrame


def intake(
    mapping: Mapping | str | Path,
    files: Sequence[str | Path],
    *,
    key: bytes | None = None,
    extract_on: date | None = None,
) -> IntakeResult:
    """Read the extract files of one source into a register.

    Parameters
    ----------
    mapping : Mapping, or the name of a shipped one, or the path of a TOML file
    files : sequence of paths
        Cases files and facts files in any order; which is which is seen from their headings.
    key : bytes, optional
        The key CPR numbers are hashed with, at least 32 bytes; needed when the mapping reads CPR numbers.
    extract_on : date, optional
        The extract holds what was recorded before this day. It comes before what the extract or the mapping says.

    Raises
    ------
    ConfigError
        When CPR numbers are to be read and there is no key, or too short a one.
    IntakeError
        When a file cannot be read, a column is missing, the extract date is not known, or no case could be kept.
    CaseDataError, AsOfError
        When what was read does not fit the schema after all.
    """
    if not isinstance(mapping, Mapping):
        mapping = read_mapping(mapping)
    if mapping.needs_cpr_key:
        if key is None:
            raise ConfigError(f"mapping {mapping.name!r} reads CPR numbers and needs a key; set {KEY_VARIABLE}")
        checked_key(key)
    with working("reading the extract"):
        return _intake(mapping, [Path(path) for path in files], key, extract_on)


def _intake(mapping: Mapping, files: list[Path], key: bytes | None, extract_on: date | None) -> IntakeResult:
    parts = [part for path in files for part in read_parts(path, mapping)]
    cases, facts = _by_kind(parts)
    log = Log()
    load = read_cases(cases, mapping, key, extract_on, log)
    add_wide_facts(load, mapping, log)
    long_facts = read_facts(facts, load, mapping, log)
    kept = load.rows.kept
    if not kept.any():
        raise IntakeError(f"no case could be kept of {counted(len(kept), 'row')} read{_why_none(load.rows)}")
    register = make_register(
        load.frame[kept].reset_index(drop=True),
        _all_facts(long_facts[facts.kept], load),
        load.extract_on,
        source=mapping.name,
        is_synthetic=bool(cases.made_up[kept].all()),
    )
    report = _report(mapping, register, load, facts, log)
    rejected = pd.concat(
        [rejected_rows(cases, load.person if mapping.needs_cpr_key else None), rejected_rows(facts, None)],
        ignore_index=True,
    )
    return IntakeResult(register, report, rejected)


def write_intake(result: IntakeResult, folder: str | Path) -> None:
    """Write the register with its load report (Markdown and JSON) and its rejected rows beside it, whole or not at all.

    Raises
    ------
    OutputError
        When the folder cannot be written; what stood there is untouched.
    """
    # The mark at the start is how Excel knows UTF-8.
    rejected = "\ufeff" + result.rejected.to_csv(sep=";", index=False, lineterminator="\r\n")
    files = {
        "load_report.md": result.report.as_markdown(),
        "load_report.json": result.report.as_json(),
        "rejected.csv": rejected,
    }
    with working("writing the register"):
        write_register(result.register, Path(folder), extra_files=files)


def _by_kind(parts: list[Part]) -> tuple[Rows, Rows]:
    cases = joined([p for p in parts if p.kind == "cases"])
    if not cases.parts:
        raise IntakeError("the files hold facts but no cases; name the cases file too")
    if not len(cases):
        raise IntakeError(f"{cases.parts[0].name} has headings but no rows; export it again")
    return cases, joined([p for p in parts if p.kind == "facts"])


def _why_none(cases: Rows) -> str:
    found = [*findings_of("rejected", cases), *findings_of("later", cases)]
    why = [f"{f.what} ({counted(f.n, 'row')}, {f.where()})" for f in found[:3]]
    return f": {'; '.join(why)}" if why else ""


def _all_facts(long_facts: pd.DataFrame, load: CaseLoad) -> pd.DataFrame:
    """Facts of the facts files, and those of the cases files that are not among them already."""
    wide = load.wide_facts
    if not len(wide) or not len(long_facts):
        return wide if len(wide) else long_facts.reset_index(drop=True)
    both = pd.concat([long_facts.drop_duplicates(), wide], ignore_index=True)
    new = wide[~both.duplicated().to_numpy()[-len(wide) :]]
    return pd.concat([long_facts, new], ignore_index=True)


def _report(mapping: Mapping, register: Register, load: CaseLoad, facts: Rows, log: Log) -> LoadReport:
    cases = load.rows
    rejected = findings_of("rejected", cases, facts)
    made_up = cases.made_up[cases.kept]
    notes = []
    if made_up.any() and not made_up.all():
        notes.append(
            f"{int(made_up.sum())} of {len(made_up)} cases have a made-up person id (SYN...); the rest have not."
        )
    return LoadReport(
        mapping=mapping.name,
        mapping_version=mapping.version,
        extract_on=load.extract_on.isoformat(),
        is_synthetic=register.is_synthetic,
        n_cases=len(register.cases),
        n_facts=len(register.facts),
        cases=Counts.of(cases),
        facts=Counts.of(facts),
        files=file_loads(cases, facts),
        rejected=rejected,
        later=findings_of("later", cases, facts),
        impossible_orders=[f for f in rejected if f.what in checks.IMPOSSIBLE]
        + _odd_orders(load, mapping)
        + load.odd_orders,
        facts_left_out=load.left_out,
        overlaps=_overlaps(load),
        coerced=log.coerced(),
        unknown_codes=log.unknown_codes(),
        notes=notes,
    )


def _odd_orders(load: CaseLoad, mapping: Mapping) -> list[Finding]:
    """Orders of dates that are odd and not impossible: their cases are kept."""
    kept, frame = load.rows.kept, load.frame
    found = [(checks.CLOSED_BEFORE_REGISTERED, kept & (frame["closed_on"] < frame["registered_on"]).to_numpy())]
    if not mapping.durations:  # there, running past the extract date is how a case is censored
        found.insert(0, (checks.CLOSES_LATER, kept & load.closes_later))
    return [Finding.of(what, load.rows, which) for what, which in found if which.any()]


def _overlaps(load: CaseLoad) -> Finding | None:
    kept = load.rows.kept
    frame = load.frame[kept]
    closed = frame["closed_on"].to_numpy().astype("datetime64[D]")
    ended = np.where(np.isnat(closed), np.datetime64(load.extract_on), closed)
    opened = frame["opened_on"].to_numpy().astype("datetime64[D]")
    which = np.zeros(len(kept), dtype=bool)
    which[kept] = checks.overlapping(frame["person_key"].to_numpy(dtype=object), opened, ended)
    what = "opens before an earlier case of the same person ends"
    return Finding.of(what, load.rows, which) if which.any() else None
