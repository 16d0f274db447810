"""Batch scoring: every open case of a register, ranked, into one file that is written whole or not at all.

The register is read in parts (:mod:`risk.parts`), each part is scored by the one function that scores and laid aside in
order, and the ranked file is merged from them (:mod:`serving.ranking`): memory does not grow with the register, but for
eight bytes a case. Reasons cost far more than scores, so they are worked out afterwards, for the cases listed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from risk import features
from risk.errors import OutputError
from risk.files import whole_file
from risk.parts import RegisterParts
from risk.reasons import Reason, explain_snapshot
from risk.scoring import NOT_FOR, OBJECTION, PURPOSE, ScoringModel, outcome_of, score_columns
from risk.snapshot import snapshot_rows, take_snapshot
from serving.files.semicolon import harmless
from serving.heap import keep_memory
from serving.ranking import Portions

# Told at a time: a reason is a handful of texts, and many of them at once would fill memory.
PORTION = 4096
PLACE = "place in the part"
REASON = pa.struct(
    [
        ("feature", pa.string()),
        ("direction", pa.string()),
        ("text_da", pa.string()),
        ("text_en", pa.string()),
        ("known_on", pa.date32()),
    ]
)
Step = Callable[[str, float], None]


@dataclass(frozen=True)
class Batch:
    """What was scored: cases by status, and how many stand in the file."""

    statuses: Counter[str]
    n_listed: int
    horizon_weeks: int
    model_version: str

    @property
    def n_open(self) -> int:
        return sum(self.statuses.values())


def score_file(
    register: Path,
    as_of: date,
    model: ScoringModel,
    out: Path,
    n_reasons: int = 0,
    top: int | None = None,
    step: Step = lambda text, share: None,
) -> Batch:
    """Score the open cases of a register folder into a ranked file, Parquet or (by its name) CSV.

    Parameters
    ----------
    n_reasons : reasons told of each case in the file that has a score
    top : only so many cases with the highest chances; all open cases when None
    step : told what is being done and how far it is

    Raises
    ------
    RegisterError, CaseDataError, AsOfError
        As :class:`risk.parts.RegisterParts`; ``as_of`` lies after the extract date.
    OutputError
        When the file cannot be written; what stood there is untouched.
    """
    keep_memory()  # what one part has used serves the next: a twelfth of the time
    sources = {s for n in model.meta["features"] for s in features.catalogue()[n].sources}
    parts = RegisterParts(register, [*sorted(sources), OBJECTION], scratch=_parent(out))
    scoring = _Scoring(parts, as_of, model)
    with whole_file(out) as made, TemporaryDirectory(dir=_parent(out), prefix=".risk-") as folder:
        portions, statuses = scoring.score_all(Path(folder) / "portions.arrow", step)
        told, listed = None, portions.first(top) if top is not None else portions.sizes
        if n_reasons:
            step("telling why", 0.7)
            told = scoring.explain_all(Path(folder) / "reasons.arrow", portions, listed, n_reasons)
        step("writing", 0.9)
        n_listed = _write(made, out, scoring, portions, told, n_reasons, min(top, statuses["scored"]) if top else None)
    return Batch(statuses, n_listed, scoring.horizon, model.version)


def _parent(out: Path) -> Path:
    """Where the result goes is where there is room for what leads to it."""
    folder = Path(out).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as why:
        raise OutputError(f"cannot write in {folder} ({why.strerror}); choose another place") from None
    return folder


class _Scoring:
    """One register, one day, one model."""

    def __init__(self, parts: RegisterParts, as_of: date, model: ScoringModel) -> None:
        self.parts, self.as_of, self.model = parts, as_of, model
        outcome = outcome_of(model)
        self.horizon = outcome.horizon_weeks
        self.chances = [f"p_exceed_{int(w)}w" for w in outcome.horizons_weeks]

    def score_all(self, path: Path, step: Step) -> tuple[Portions, Counter[str]]:
        """The scores of every part, each in order, and the cases by status."""
        portions, statuses = Portions(path, f"p_exceed_{self.horizon}w"), Counter[str]()
        n_read = 0
        for part in self.parts:
            step("scoring", 0.05 + 0.6 * n_read / max(self.parts.n_cases, 1))
            snapshot = take_snapshot(part, self.as_of)
            scores = score_columns(snapshot, self.model, features.build_features(snapshot, self.model.meta["features"]))
            place = pa.array(snapshot.position)
            columns = {PLACE: place, "case_id": part.case_id.take(place).cast(pa.string()), **_arrow_columns(scores)}
            statuses.update({s["values"]: s["counts"] for s in columns["status"].value_counts().to_pylist()})
            portions.add(columns)
            n_read += len(part.case_id)
        portions.close()
        return portions, statuses

    def explain_all(self, path: Path, portions: Portions, listed: list[int], n: int) -> Path:
        """The ``n`` weightiest reasons of the listed rows of each portion, which are its first, in a file of their own."""
        schema = pa.schema([("reasons", pa.list_(REASON))])
        with pa.ipc.new_file(str(path), schema) as writer:
            for i, part in enumerate(self.parts):
                place = portions.column(i, PLACE, listed[i])
                is_scored = portions.column(i, "status", listed[i]) == "scored"
                told: list[pa.Array] = []
                for at in range(0, len(place), PORTION):
                    rows, scored = place[at : at + PORTION], is_scored[at : at + PORTION]
                    snapshot = snapshot_rows(part, rows[scored], np.full(scored.sum(), np.datetime64(self.as_of, "D")))
                    found = explain_snapshot(snapshot, self.model, n) if scored.any() else {}
                    of = iter(snapshot.case_id.tolist())
                    told.append(_reasons([found[next(of)] if has else [] for has in scored.tolist()]))
                column = pa.chunked_array(told, type=pa.list_(REASON)).combine_chunks()
                writer.write_batch(pa.record_batch([column], schema=schema))
        return path


def _arrow_columns(scores: dict[str, npt.NDArray[Any]]) -> dict[str, pa.Array]:
    """Columns of fixed types, so that a file without a case has the same schema as a full one."""
    made = {}
    for name, values in scores.items():
        if name in ("as_of", "case_id"):
            continue  # one day for all, put in when the file is written; and what Arrow has already
        kind = pa.date32() if name.endswith("_on") else pa.float64() if values.dtype == np.float64 else pa.string()
        made[name] = pa.array(values, type=kind)
    return made


def _reasons(told: list[list[Reason]]) -> pa.Array:
    return pa.array([[r.as_dict() for r in reasons] for reasons in told], type=pa.list_(REASON))


# Writing ------------------------------------------------------------------------------------------------------------


def _write(
    made: Path, out: Path, scoring: _Scoring, portions: Portions, told: Path | None, n_reasons: int, most: int | None
) -> int:
    """Merge, rank and write; how many rows."""
    schema = _schema(scoring, bool(n_reasons))
    slices = _ranked(scoring, portions, told, most, schema)
    n = 0
    if out.suffix.lower() == ".csv":
        plain = _as_text(schema.empty_table()).schema
        with pacsv.CSVWriter(made, plain) as csv:
            for table in slices:
                csv.write_table(_as_text(table))
                n += len(table)
        return n
    # Chances hardly repeat: a dictionary of them would be built only to be thrown away.
    repeated = [f.name for f in schema if not pa.types.is_floating(f.type) and f.name not in ("case_id", "rank")]
    with pq.ParquetWriter(made, schema, use_dictionary=repeated) as writer:
        for table in slices:
            writer.write_table(table)
            n += len(table)
    return n


def _schema(scoring: _Scoring, has_reasons: bool) -> pa.Schema:
    """What the file holds; what it is, and is not for, goes into its own metadata."""
    about = {
        "as_of": scoring.as_of.isoformat(),
        "model_version": scoring.model.version,
        "register_fingerprint": scoring.parts.fingerprint,
        "is_synthetic": scoring.parts.is_synthetic,
        "purpose": PURPOSE,
        "not_for": list(NOT_FOR),
    }
    day, text, number = pa.date32(), pa.string(), pa.float64()
    fields = [
        ("rank", pa.int64()), ("case_id", text), ("as_of", day), ("opened_on", day), ("registered_on", day),
        ("age_weeks", number), ("status", text), ("abstain_reason", text), *((p, number) for p in scoring.chances),
        ("base_rate", number), ("model_version", text), *([("reasons", pa.list_(REASON))] if has_reasons else []),
    ]  # fmt: skip
    return pa.schema(fields, metadata={"risk52": json.dumps(about)})


def _ranked(
    scoring: _Scoring, portions: Portions, told: Path | None, most: int | None, schema: pa.Schema
) -> Iterator[pa.Table]:
    """The rows of the file in order, some at a time; ``rank`` is null for those without a score."""
    left = most
    begin = 0
    for table, reasons in portions.merged(told):
        table = table if left is None else table.slice(0, left)
        n = len(table)
        rank = np.arange(begin + 1, begin + n + 1)
        is_scored = pc.equal(table["status"], "scored").to_numpy()
        columns = {
            "rank": pa.array(rank, mask=~is_scored),
            "as_of": pa.repeat(pa.scalar(scoring.as_of, pa.date32()), n),
            "model_version": pa.repeat(scoring.model.version, n),
            "reasons": reasons.slice(0, n) if reasons is not None else None,
        }
        # A chance that is not there is null in the file, not nan.
        made = [columns[f.name] if f.name in columns else _null(table[f.name]) for f in schema]
        yield pa.table(made, schema=schema)
        begin += n
        if left is not None and (left := left - n) <= 0:
            return


def _null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_floating(column.type):
        return column
    values = column.to_numpy()
    return pa.chunked_array([pa.array(values, mask=np.isnan(values))])


def _as_text(table: pa.Table) -> pa.Table:
    """The table as a CSV file holds it: reasons as sentences, and no text that a spreadsheet would run."""
    ids = table["case_id"]
    if pc.any(pc.match_substring_regex(ids, r"^[=+\-@\t\r\n]")).as_py():
        table = table.set_column(
            table.schema.get_field_index("case_id"),
            "case_id",
            pa.array([harmless(i) for i in ids.to_pylist()], pa.string()),
        )
    if "reasons" not in table.column_names:
        return table
    told = table["reasons"].to_pylist()
    table = table.drop_columns("reasons")
    for language in ("da", "en"):
        texts = [" | ".join(r[f"text_{language}"] for r in reasons or []) for reasons in told]
        table = table.append_column(f"reasons_{language}", pa.array(texts, pa.string()))
    return table
