"""The week's lists as something to write and read: content with its hash, columns in words, the account of each team."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from risk import features, schema
from risk.duties import Duties
from risk.errors import ConfigError
from risk.priority import TEAM, LastWeek, Worklist
from risk.reasons import Reason
from risk.register import Register
from risk.scoring import NOT_FOR, PURPOSE, Scores
from serving.language import Speaker
from serving.ordering import section_words

FORMAT = 1
N_REASONS = 3
ARROWS = {"up": "▲", "down": "▼"}


@dataclass(frozen=True)
class Lists:
    """All that the files of one week are made from; ``scores`` are those of every open case."""

    worklist: Worklist
    scores: Scores
    duties: Duties
    reasons: dict[str, list[Reason]]
    register: Register


@dataclass(frozen=True)
class Column:
    """One column of the list: its kind decides how a file writes it; ``width`` is in characters."""

    name: str
    kind: Literal["text", "whole", "decimal", "share", "amount", "day"]
    width: int


COLUMNS = (
    Column("week", "text", 10),
    Column("office", "text", 14),
    Column("team", "text", 14),
    Column("section", "text", 10),
    Column("rank", "whole", 5),
    Column("case_id", "text", 12),
    Column("opened_on", "day", 12),
    Column("age_weeks", "decimal", 7),
    Column("duty", "text", 16),
    Column("due_on", "day", 11),
    Column("overdue_days", "whole", 8),
    Column("p_exceed", "share", 10),
    Column("frequency", "text", 19),
    Column("base_rate", "share", 10),
    Column("band", "text", 8),
    Column("p_close", "share", 10),
    Column("cost", "amount", 10),
    Column("reason_1", "text", 40),
    Column("reason_2", "text", 40),
    Column("reason_3", "text", 40),
    Column("milestone", "text", 20),
    Column("milestone_on", "day", 12),
    Column("change", "text", 10),
    Column("note", "text", 26),
)


def headings(speaker: Speaker, horizon_weeks: int) -> list[str]:
    """The heading of each column."""
    return [speaker.say(f"column.{c.name}", horizon=horizon_weeks) for c in COLUMNS]


def rows_in_words(lists: Lists, speaker: Speaker) -> pd.DataFrame:
    """The rows of all teams with the columns of ``COLUMNS``: numbers and dates as such, everything else as text."""
    work = lists.worklist
    rows, horizon = plain_text(work.rows), work.horizon_weeks
    p = rows[work.p_name].astype("float64")
    reasons = _reasons_in_words(rows["case_id"], rows["status"], lists.reasons, speaker)
    labels = {m.name: speaker.pick(m.label) for m in work.policy.milestones}
    missed = (rows["milestone_state"] == "missed").to_numpy()
    milestone = [
        labels.get(name, "") if not late else speaker.say("page_column.missed", milestone=labels[name])
        for name, late in zip(rows["milestone"], missed, strict=True)
    ]
    words = pd.DataFrame(
        {
            "week": rows["week"],
            "office": rows["office"],
            "team": rows["team"],
            "section": _sections(rows["section"], work, speaker),
            "rank": rows["rank"],
            "case_id": rows["case_id"],
            "opened_on": rows["opened_on"],
            "age_weeks": rows["age_weeks"],
            "duty": _coded(rows["duty"], "duty", speaker, horizon),
            "due_on": rows["due_on"],
            "overdue_days": rows["overdue_days"],
            "p_exceed": p,
            "frequency": speaker.frequencies(p.to_numpy()),
            "base_rate": rows["base_rate"],
            "band": _coded(rows["band"], "band", speaker, horizon),
            "p_close": rows["p_close_4w"],
            "cost": rows["cost_ahead"],
            **{f"reason_{k + 1}": [r[k] if k < len(r) else "" for r in reasons] for k in range(N_REASONS)},
            "milestone": milestone,
            "milestone_on": rows["milestone_on"],
            "change": _coded(rows["change"], "change", speaker, horizon),
            "note": _notes(rows, speaker, horizon),
        }
    )
    return plain_text(words[[c.name for c in COLUMNS]])


def plain_text(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame with text as Python strings: pandas' own kind is slow to walk through row by row."""
    return frame.astype({name: object for name, kind in frame.dtypes.items() if isinstance(kind, pd.StringDtype)})


def _coded(codes: pd.Series, part: str, speaker: Speaker, horizon: int) -> list[str]:
    words = {c: speaker.say(f"{part}.{c}", horizon=horizon) if c else "" for c in codes.unique()}
    return [words[c] for c in codes]


def _sections(codes: pd.Series, work: Worklist, speaker: Speaker) -> list[str]:
    words = {c: section_words("section_short", c, work, speaker) for c in codes.unique()}
    return [words[c] for c in codes]


def _reasons_in_words(
    case_id: pd.Series, status: pd.Series, reasons: dict[str, list[Reason]], speaker: Speaker
) -> list[list[str]]:
    out = []
    for case, state in zip(case_id, status, strict=True):
        found = reasons.get(case, [])[:N_REASONS] if state == "scored" else []
        out.append([f"{ARROWS[r.direction]} {reason_in_words(r, speaker)}" for r in found])
    return out


def reason_in_words(reason: Reason, speaker: Speaker) -> str:
    """The sentence, and the day its fact was recorded."""
    text = reason.text(speaker.language)
    if reason.known_on is None:
        return text
    return speaker.say("page_column.known", text=text, on=speaker.day(reason.known_on))


def _notes(rows: pd.DataFrame, speaker: Speaker, horizon: int) -> list[str]:
    each = ("status", "exclusion", "abstain_reason", "is_closing", "p_close_4w")
    return [
        note_in_words(status, exclusion, missing, p_close if is_closing else None, horizon, speaker)
        for status, exclusion, missing, is_closing, p_close in zip(*(rows[c] for c in each), strict=True)
    ]


def note_in_words(
    status: str, exclusion: str, abstain_reason: str, p_close: float | None, horizon: int, speaker: Speaker
) -> str:
    """What a reader must know of a row beside its numbers; empty when there is nothing.

    Parameters
    ----------
    p_close : chance of closing within four weeks, for a case that is told to be about to close
    """
    if exclusion:
        known = exclusion in ("objection", "standby")
        return speaker.say(f"note.{exclusion if known else 'excluded'}")
    if status == "past_horizon":
        return speaker.say("note.past_horizon", horizon=horizon)
    if status == "abstained":
        return speaker.say("note.no_score", missing=", ".join(labels_of(abstain_reason.split(", "), speaker)))
    return "" if p_close is None else speaker.say("note.closing", frequency=speaker.frequency(p_close))


def labels_of(names: Sequence[str], speaker: Speaker) -> list[str]:
    """What attributes and facts are called, each name once; a feature by the first attribute behind it."""
    known, attributes = features.catalogue(), schema.attributes()
    sources = [known[n].sources[0] if n in known and known[n].sources else n for n in names]
    return list(dict.fromkeys(speaker.pick(attributes[s].label) if s in attributes else s for s in sources))


def team_names(teams: pd.DataFrame) -> list[str]:
    """What each team is called: its name, with the office in front where two offices use one name."""
    twice = teams["team"].duplicated(keep=False)
    return [
        f"{o} {t}" if both and o else str(t) for o, t, both in zip(teams["office"], teams["team"], twice, strict=True)
    ]


# ---- content: what is kept, hashed and read back ----------------------------------------------------------------------


def content(lists: Lists, speaker: Speaker) -> dict[str, Any]:
    """Everything the lists say, as plain values; equal content gives an equal hash, and nothing of it is a clock time."""
    work, register = lists.worklist, lists.register
    reasons = [
        [r.as_dict() for r in lists.reasons.get(c, [])[:N_REASONS]] if s == "scored" else []
        for c, s in zip(work.rows["case_id"], work.rows["status"], strict=True)
    ]
    rows = _plain(work.rows)
    for row, why in zip(rows, reasons, strict=True):
        row["reasons"] = why
    return {
        "format": FORMAT,
        "week": work.week,
        "as_of": work.as_of,
        "last_week": work.last_week,
        "horizon_weeks": work.horizon_weeks,
        "language": speaker.language,
        "purpose": PURPOSE,
        "not_for": list(NOT_FOR),
        "is_synthetic": register.is_synthetic,
        "register": {
            "fingerprint": register.fingerprint,
            "source": register.source,
            "extract_on": register.extract_on,
        },
        "model_version": work.model_version,
        "rules": lists.duties.rules.name,
        "policy": work.policy.model_dump(mode="json"),
        "rates": {
            "version": work.outlook.rates_version,
            "currency": work.outlook.currency,
            "carried": list(work.outlook.carried),
            "carried_from": work.outlook.carried_from,
        }
        if work.policy.order.needs_cost
        else None,
        "teams": _plain(work.teams),
        "rows": rows,
        "left": _plain(work.left),
        "draws": _plain(work.draws),
    }


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts of plain values: dates as ISO text, missing as None."""
    columns = {}
    for name in frame.columns:
        values = frame[name]
        if pd.api.types.is_datetime64_any_dtype(values):
            columns[name] = [None if pd.isna(v) else v.date().isoformat() for v in values]
        else:
            columns[name] = [None if isinstance(v, float) and v != v else v for v in values.tolist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _canonical(made: dict[str, Any]) -> str:
    def plain(value: object) -> str:
        if isinstance(value, date):
            return value.isoformat()
        raise TypeError(f"a {type(value).__name__} does not belong in a list")

    return json.dumps(made, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=plain, allow_nan=False)


def content_hash(made: dict[str, Any]) -> str:
    """SHA-256 of the content, hex; the revision and the hash itself do not take part."""
    kept = {k: v for k, v in made.items() if k not in ("revision", "content_sha256")}
    return hashlib.sha256(_canonical(kept).encode()).hexdigest()


def write_content(made: dict[str, Any], revision: int, sha256: str, path: Path) -> None:
    """Write the content with its revision and its :func:`content_hash` as one JSON file."""
    path.write_text(_canonical({**made, "revision": revision, "content_sha256": sha256}) + "\n", "utf-8")


def read_content(path: Path) -> dict[str, Any]:
    """Read a list that was written before; ``path`` is ``worklist.json`` or its folder.

    Raises
    ------
    ConfigError
        When the file is missing, damaged, changed since it was written, or of another format.
    """
    path = Path(path) / "worklist.json" if Path(path).is_dir() else Path(path)
    try:
        made = json.loads(path.read_text("utf-8"))
        kept, form = made["content_sha256"], made["format"]
    except OSError as why:
        raise ConfigError(
            f"earlier list {path} cannot be read ({why.strerror}); name its folder or worklist.json"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ConfigError(f"earlier list {path} is damaged or not a list; name another with --previous") from None
    if form != FORMAT:
        raise ConfigError(f"earlier list {path} has format {form}; this Risk52 reads format {FORMAT}")
    if content_hash(made) != kept:
        raise ConfigError(
            f"earlier list {path} was changed after it was written; name an untouched one with --previous"
        )
    return dict(made)


def last_week_of(made: dict[str, Any]) -> LastWeek:
    """What steadiness needs of an earlier list."""
    columns = [*TEAM, "case_id", "section"]
    rows = pd.DataFrame({c: pd.Series([r[c] for r in made["rows"]], dtype=object) for c in columns})
    return LastWeek(week=str(made["week"]), rows=rows)
