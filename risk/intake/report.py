"""The load report: what was read, what was kept, and what became of the rest; as JSON and as Markdown.

It holds counts, headings, row numbers and short codes; never a CPR number or an attribute of a case.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from risk.intake.rows import Fate, Rows, reasons

MAX_ROWS_NAMED = 1000  # per finding and file in the JSON; rejected.csv has them all


@dataclass(frozen=True)
class Counts:
    """Rows by fate; ``read`` is the sum of the others."""

    read: int
    kept: int
    rejected: int
    duplicates: int
    totals: int
    later: int

    @classmethod
    def of(cls, rows: Rows, which: np.ndarray | None = None) -> Counts:
        """The counts of all rows, or of the chosen ones (n, bool)."""
        fate = rows.fate if which is None else rows.fate[which]

        def n(wanted: Fate) -> int:
            return int((fate == wanted).sum())

        return cls(len(fate), n("kept"), n("rejected"), n("duplicate"), n("totals"), n("later"))


@dataclass(frozen=True)
class Place:
    """Row numbers in one file (headings = row 1), the first thousand."""

    file: str
    rows: list[int]


@dataclass(frozen=True)
class Finding:
    """Something found in ``n`` rows, and where."""

    what: str
    n: int
    places: list[Place]

    @classmethod
    def of(cls, what: str, rows: Rows, which: np.ndarray) -> Finding:
        """A finding in the chosen rows (n, bool)."""
        places = [Place(name, numbers[:MAX_ROWS_NAMED]) for name, numbers in rows.places(which)]
        return cls(what, int(which.sum()), places)

    def where(self, most: int = 3) -> str:
        """The first few row numbers in words."""
        shown = [
            f"{place.file} row{'s' if len(place.rows) > 1 else ''} {', '.join(str(r) for r in place.rows[:most])}"
            + (", ..." if len(place.rows) > most else "")
            for place in self.places[:most]
        ]
        return "; ".join(shown)


@dataclass(frozen=True)
class Coerced:
    """Values of one column that were read only after something was done to them."""

    column: str
    what: str
    n: int


@dataclass(frozen=True)
class UnknownCode:
    """A code that the mapping does not know, how often it came, and what became of the rows."""

    column: str
    code: str
    n: int
    became: str


@dataclass(frozen=True)
class FileLoad:
    """One file or sheet."""

    name: str
    kind: str
    encoding: str | None
    separator: str | None
    counts: Counts
    n_empty_rows: int
    columns_not_used: list[str]


@dataclass
class LoadReport:
    """Everything that is said of one load."""

    mapping: str
    mapping_version: str
    extract_on: str
    is_synthetic: bool
    n_cases: int
    n_facts: int
    cases: Counts
    facts: Counts
    files: list[FileLoad]
    rejected: list[Finding] = field(default_factory=list)
    later: list[Finding] = field(default_factory=list)
    impossible_orders: list[Finding] = field(default_factory=list)
    facts_left_out: list[Finding] = field(default_factory=list)
    overlaps: Finding | None = None
    coerced: list[Coerced] = field(default_factory=list)
    unknown_codes: list[UnknownCode] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def n_rejected(self) -> int:
        """Rejected rows, of cases and of facts."""
        return self.cases.rejected + self.facts.rejected

    def as_dict(self) -> dict[str, Any]:
        """The report as plain dictionaries and lists."""
        return asdict(self)

    def as_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.as_dict(), indent=2, ensure_ascii=False) + "\n"

    def as_markdown(self) -> str:
        """The report as a page to read."""
        made = " **Made-up cases.**" if self.is_synthetic else ""
        lines = [
            "# Load report",
            "",
            f"Mapping `{self.mapping}` version {self.mapping_version}. The extract holds what was recorded before "
            f"{self.extract_on}. The register has {counted(self.n_cases, 'case')} and {counted(self.n_facts, 'fact')}.{made}",
            "",
            *_table(
                "Rows", ("", *Counts.__dataclass_fields__), [("cases", *_row(self.cases)), ("facts", *_row(self.facts))]
            ),
            *_table(
                "Files",
                ("file", "holds", "encoding", "separator", "rows", "kept", "empty rows", "columns not used"),
                [
                    (
                        *(f.name, f.kind, f.encoding or "", f.separator or "", f.counts.read, f.counts.kept),
                        *(f.n_empty_rows, ", ".join(f.columns_not_used)),
                    )
                    for f in self.files
                ],
            ),
            *_findings("Rejected", "All of them are in rejected.csv, each with its reason.", self.rejected),
            *_findings("Not known yet on the extract date", "Left out.", self.later),
            *_findings(
                "Impossible or odd orders", "Rejected where it says so above, else kept.", self.impossible_orders
            ),
            *_findings("Facts left out of cases that were kept", "", self.facts_left_out),
            *_findings("Overlapping cases of one person", "Kept.", [self.overlaps] if self.overlaps else []),
            *_table(
                "Unknown codes",
                ("column", "code", "rows", "became"),
                [tuple(asdict(u).values()) for u in self.unknown_codes],
            ),
            *_table(
                "Coerced", ("column", "what was done", "values"), [tuple(asdict(c).values()) for c in self.coerced]
            ),
        ]
        if self.notes:
            lines += ["## Notes", "", *(f"- {note}" for note in self.notes), ""]
        return "\n".join(lines)


def _row(counts: Counts) -> tuple[int, ...]:
    return tuple(asdict(counts).values())


def _table(title: str, head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> list[str]:
    if not rows:
        return []
    cells = [head, tuple("---" for _ in head), *rows]
    return [
        f"## {title}",
        "",
        *("| " + " | ".join(str(c).replace("|", "\\|") for c in row) + " |" for row in cells),
        "",
    ]


def _findings(title: str, lead: str, findings: list[Finding]) -> list[str]:
    table = _table(title, ("what", "rows", "where"), [(f.what, f.n, f.where(most=10)) for f in findings])
    return [*table[:2], *([lead, ""] if lead else []), *table[2:]] if table else []


def counted(n: int, what: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{n} {what}{'' if n == 1 else 's'}"


def file_loads(*kinds: Rows) -> list[FileLoad]:
    """What became of each file's rows."""
    return [
        FileLoad(
            name=part.name,
            kind=part.kind,
            encoding=part.encoding,
            separator=part.separator,
            counts=Counts.of(rows, rows.part == i),
            n_empty_rows=part.n_empty,
            columns_not_used=part.unused,
        )
        for rows in kinds
        for i, part in enumerate(rows.parts)
    ]


def findings_of(fate: Fate, *kinds: Rows) -> list[Finding]:
    """The reasons given for a fate, cases first."""
    return [Finding.of(reason, rows, which) for rows in kinds for reason, which in reasons(rows, fate)]
