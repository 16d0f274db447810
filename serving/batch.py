"""Batch scoring: every open case of a register, ranked, into one Parquet file that is written whole or not at all."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from risk.files import whole_file
from risk.reasons import Reason, explain_snapshot
from risk.register import Register
from risk.scoring import NOT_FOR, PURPOSE, Scores, ScoringModel, score
from risk.snapshot import snapshot_rows

# Reasons cost far more than scores, so they are worked out in portions that bound the memory they take.
PORTION = 4096

REASON = pa.struct(
    [
        ("feature", pa.string()),
        ("direction", pa.string()),
        ("text_da", pa.string()),
        ("text_en", pa.string()),
        ("known_on", pa.date32()),
    ]
)


def score_register(register: Register, as_of: date, model: ScoringModel) -> Scores:
    """The open cases, ranked: those with a score first, the highest first; ``rank`` is null for the others.

    Ties go to the case opened first, then to the lower case id, so the same register gives the same order.

    Raises
    ------
    AsOfError
        When ``as_of`` lies after the extract date.
    """
    scores = score(register, as_of, model)
    order = np.lexsort(
        (
            scores.frame["case_id"].to_numpy(dtype=str),
            scores.frame["opened_on"].to_numpy(),
            -scores.p_exceed,  # nan sorts last
        )
    )
    frame = scores.frame.iloc[order].reset_index(drop=True)
    is_scored = (frame["status"] == "scored").to_numpy()
    rank = pd.Series(np.arange(1, len(frame) + 1), dtype="Int64").where(pd.Series(is_scored))
    frame.insert(0, "rank", rank)
    return Scores(frame, scores.horizon_weeks, scores.model_version)


def reasons_of(register: Register, scores: Scores, as_of: date, model: ScoringModel, n: int) -> list[list[Reason]]:
    """The ``n`` weightiest reasons of each row of the scores; none where there is no score."""
    place = {c: i for i, c in enumerate(register.encoded.case_id.tolist())}
    wanted = scores.frame.loc[scores.frame["status"] == "scored", "case_id"].tolist()
    told: dict[str, list[Reason]] = {}
    for start in range(0, len(wanted), PORTION):
        position = np.array([place[c] for c in wanted[start : start + PORTION]], dtype=np.int64)
        rows = snapshot_rows(register, position, np.full(len(position), np.datetime64(as_of, "D")))
        told |= explain_snapshot(rows, model, n)
    return [told.get(c, []) for c in scores.frame["case_id"]]


def write_scores(
    path: Path, scores: Scores, register: Register, as_of: date, reasons: list[list[Reason]] | None = None
) -> None:
    """Write the ranked scores; what they are, and are not for, goes into the file's own metadata.

    Raises
    ------
    OutputError
        When the file cannot be written; what stood there is untouched.
    """
    table = pa.table(_columns(scores, reasons))
    about = {
        "as_of": as_of.isoformat(),
        "model_version": scores.model_version,
        "register_fingerprint": register.fingerprint,
        "is_synthetic": register.is_synthetic,
        "purpose": PURPOSE,
        "not_for": list(NOT_FOR),
    }
    with whole_file(path) as made:
        pq.write_table(table.replace_schema_metadata({"risk52": json.dumps(about)}), made)


def _columns(scores: Scores, reasons: list[list[Reason]] | None) -> dict[str, pa.Array]:
    """Columns of fixed types, so that a file without a case has the same schema as a full one."""
    frame = scores.frame
    names = [str(c) for c in frame.columns]
    types = {name: pa.float64() for name in names if frame[name].dtype == np.float64}
    types |= {"rank": pa.int64(), "as_of": pa.date32(), "opened_on": pa.date32(), "registered_on": pa.date32()}
    columns = {name: pa.array(frame[name], type=types.get(name, pa.string()), from_pandas=True) for name in names}
    if reasons is not None:
        columns["reasons"] = pa.array([[r.as_dict() for r in told] for told in reasons], type=pa.list_(REASON))
    return columns
