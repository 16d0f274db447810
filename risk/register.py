"""A register: the cases and facts of one extract, kept as a folder of two Parquet files and one JSON file.

``cases.parquet`` and ``facts.parquet`` follow :mod:`risk.schema`; ``register.json`` names the schema version, the extract
date, the source and the fingerprint of both tables, and says that the facts stand in the order of the cases. The folder is
written whole or not at all. :mod:`risk.parts` reads one that is too large to hold.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from risk import schema
from risk.encoded import Encoded, encode
from risk.errors import AsOfError, OutputError, RegisterError
from risk.files import check_folder, whole_folder

GROUP_ROWS = 65_536
# The register itself, and what reading an extract leaves beside it.
FILES = (ABOUT, CASES, FACTS) = ("register.json", "cases.parquet", "facts.parquet")
MAY_STAND_THERE = (*FILES, "load_report.md", "load_report.json", "rejected.csv")


@dataclass(frozen=True)
class Register:
    """Cases and facts of one extract.

    Attributes
    ----------
    cases : DataFrame
        One row per case, columns of :func:`risk.schema.case_schema`.
    facts : DataFrame
        One row per dated piece of knowledge, columns of :func:`risk.schema.fact_schema`.
    extract_on : date
        The extract holds what was recorded before 00:00 of this day.
    source : str
        Where it came from, e.g. the mapping's name or ``"synthetic"``.
    is_synthetic : bool
        True for made-up cases; carried to every list and report.
    """

    cases: pd.DataFrame
    facts: pd.DataFrame
    extract_on: date
    source: str = "unknown"
    is_synthetic: bool = False

    def __len__(self) -> int:
        return len(self.cases)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over both tables in canonical order, hex: the same content gives the same fingerprint."""
        digest = hashlib.sha256(f"{schema.SCHEMA_VERSION}|{self.extract_on}".encode())
        for frame, keys in ((self.cases, ["case_id"]), (self.facts, list(schema.FACT_KEYS))):
            ordered = frame.sort_values(keys, ignore_index=True)
            ordered = ordered[sorted(ordered.columns)]
            digest.update("|".join(ordered.columns).encode())
            digest.update(pd.util.hash_pandas_object(ordered, index=False).to_numpy().tobytes())
        return digest.hexdigest()

    @cached_property
    def encoded(self) -> Encoded:
        """The tables as numpy columns, made once (:func:`risk.encoded.encode`)."""
        return encode(self.cases, self.facts)

    def of_cases(self, chosen: np.ndarray) -> Register:
        """The same register with only the chosen cases (boolean mask or positions) and their facts."""
        cases = self.cases.loc[chosen] if chosen.dtype == bool else self.cases.iloc[chosen]
        cases = cases.reset_index(drop=True)
        facts = self.facts[self.facts["case_id"].isin(cases["case_id"])].reset_index(drop=True)
        return replace(self, cases=cases, facts=facts)


def make_register(
    cases: pd.DataFrame, facts: pd.DataFrame, extract_on: date, *, source: str = "unknown", is_synthetic: bool = False
) -> Register:
    """Type and check cases and facts and join them to a register.

    Raises
    ------
    CaseDataError
        When a table does not fit the schema (see :mod:`risk.schema`).
    AsOfError
        When a case was registered, or a fact recorded, on or after the extract date.
    """
    cases, facts = schema.typed_cases(cases), schema.typed_facts(facts)
    schema.check_cases(cases)
    schema.check_facts(facts, cases["case_id"])
    day = pd.Timestamp(extract_on)
    for what, dates in (("registered_on", cases["registered_on"]), ("known_on", facts["known_on"])):
        n_late = int((dates >= day).sum())
        if n_late:
            raise AsOfError(f"{n_late} rows have {what} on or after the extract date {extract_on}; is that date right?")
    n_late = int((cases["closed_on"] >= day).sum())
    if n_late:
        raise AsOfError(
            f"{n_late} cases close on or after the extract date {extract_on}; leave closed_on empty for them"
        )
    return Register(cases, facts, extract_on, source, is_synthetic)


def write_register(register: Register, folder: Path, extra_files: dict[str, str] | None = None) -> None:
    """Write the register as a folder, whole or not at all; ``extra_files`` (name to text) go in beside it.

    Raises
    ------
    OutputError
        When the folder cannot be written, holds other files, or a register of real cases that made-up ones would
        replace; what stood there is untouched.
    """
    folder = Path(folder)
    check_place(folder, register.is_synthetic)
    about = {
        "schema_version": schema.SCHEMA_VERSION,
        "extract_on": register.extract_on.isoformat(),
        "source": register.source,
        "is_synthetic": register.is_synthetic,
        "n_cases": len(register.cases),
        "n_facts": len(register.facts),
        "fingerprint": register.fingerprint,
        "facts_in_order": True,
    }
    # In the order of the cases, and in small groups of rows: so a register of any size can be read in parts.
    place = pd.Index(register.cases["case_id"]).get_indexer(register.facts["case_id"])
    facts = register.facts.iloc[np.argsort(place, kind="stable")]
    with whole_folder(folder, MAY_STAND_THERE) as made:
        register.cases.to_parquet(made / CASES, index=False, row_group_size=GROUP_ROWS)
        facts.to_parquet(made / FACTS, index=False, row_group_size=GROUP_ROWS)
        (made / ABOUT).write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        for name, text in (extra_files or {}).items():
            (made / name).write_text(text, "utf-8")


def check_place(folder: Path, is_synthetic: bool) -> None:
    """Refuse a place for a register before the work of making it: writing replaces the whole folder.

    Raises
    ------
    OutputError
        When it holds other files, or a register of real cases that made-up ones would replace.
    """
    check_folder(folder, MAY_STAND_THERE)
    if is_synthetic and _is_of_real_cases(folder):
        raise OutputError(f"{folder} holds a register of real cases; choose another folder for made-up ones")


def _is_of_real_cases(folder: Path) -> bool:
    try:
        return not json.loads((folder / ABOUT).read_text("utf-8"))["is_synthetic"]
    except (OSError, ValueError, KeyError, TypeError):  # no register, or a damaged one: it may be replaced
        return False


def about_register(folder: Path) -> dict[str, Any]:
    """What ``register.json`` says of a register folder whose files are all there.

    Raises
    ------
    RegisterError
        When a file is missing, ``register.json`` is damaged, or another schema version wrote the folder.
    """
    folder = Path(folder)
    missing = [n for n in FILES if not (folder / n).is_file()]
    if missing:
        raise RegisterError(
            f"{folder} is not a register: {missing[0]} is missing; make one with 'risk intake' or 'risk synth'"
        )
    try:
        about: dict[str, Any] = json.loads((folder / ABOUT).read_text("utf-8"))
        version, _ = about["schema_version"], date.fromisoformat(about["extract_on"])
    except (ValueError, KeyError, TypeError):
        raise RegisterError(f"{folder / ABOUT} is damaged; make the register again from its extract") from None
    if version != schema.SCHEMA_VERSION:
        raise RegisterError(
            f"{folder} was written with schema version {version}; this Risk52 reads version {schema.SCHEMA_VERSION}; "
            "run 'risk intake' again on the extract"
        )
    return about


def read_register(folder: Path) -> Register:
    """Read a register folder and check it against the schema.

    Raises
    ------
    RegisterError
        When a file is missing or unreadable, or another schema version wrote the folder.
    CaseDataError
        When a table does not fit the schema.
    """
    folder = Path(folder)
    about = about_register(folder)
    try:
        cases, facts = pd.read_parquet(folder / CASES), pd.read_parquet(folder / FACTS)
    except (OSError, ValueError) as why:
        raise RegisterError(
            f"{folder}: a table cannot be read ({type(why).__name__}); make the register again"
        ) from None
    return make_register(
        cases,
        facts,
        date.fromisoformat(about["extract_on"]),
        source=str(about.get("source")),
        is_synthetic=bool(about.get("is_synthetic")),
    )
