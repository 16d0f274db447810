"""Monday: from a register to the lists a team works from, one straight line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from risk.duties import take_duties
from risk.errors import OutputError
from risk.files import whole_folder
from risk.outlook import take_outlook
from risk.policy import Policy
from risk.priority import LastWeek, prioritise
from risk.rates import Rates, read_rates
from risk.reasons import explain
from risk.register import Register
from risk.scoring import ScoringModel, score
from risk.weeks import iso_week
from serving.files.page import pages, slugs
from serving.files.semicolon import csv_bytes, csv_lines
from serving.files.workbook import write_workbook
from serving.language import Speaker
from serving.worklist import (
    N_REASONS,
    Lists,
    content,
    content_hash,
    headings,
    last_week_of,
    read_content,
    rows_in_words,
    team_names,
    write_content,
)

FILES = ("worklist.json", "worklist.csv", "worklist.html", "worklist.xlsx", "teams")


def make_lists(
    register: Register,
    as_of: date,
    model: ScoringModel,
    policy: Policy,
    last_week: LastWeek | None = None,
    rates: Rates | None = None,
) -> Lists:
    """Score, find duties, prioritise and explain: the lists of the week that ``as_of`` lies in.

    Raises
    ------
    AsOfError, TooFewCasesError, ConfigError
        See :func:`risk.duties.take_duties`, :func:`risk.outlook.take_outlook` and :func:`risk.priority.prioritise`.
    """
    duties = take_duties(register, as_of, policy)
    scores = score(register, as_of, model)
    outlook = take_outlook(register, as_of, scores, model, policy, rates or read_rates())
    worklist = prioritise(scores, duties, policy, last_week, outlook=outlook)
    listed = worklist.rows.loc[worklist.rows["status"] == "scored", "case_id"].tolist()
    reasons = explain(register, as_of, model, listed, N_REASONS) if listed else {}
    return Lists(worklist, scores, duties, reasons, register)


def write_lists(lists: Lists, out: Path, speaker: Speaker, stays: Callable[[str], None] = lambda _: None) -> Path:
    """Write the folder of the week under ``out`` and return it.

    The first list of a week is ``out/2026-W48``; a later one with other content is a new revision, ``2026-W48-r2``, and
    the first stays. The same content is written to the same folder, byte for byte; but a workbook or a table there that
    somebody has written in since stays as it is.

    Parameters
    ----------
    stays : told the name of each file that stays

    Raises
    ------
    OutputError
        When the folder cannot be written, or holds other files; what stood there is untouched.
    """
    made = content(lists, speaker)
    sha256 = content_hash(made)
    revision, folder = _revision(out, lists.worklist.week, sha256)
    words = rows_in_words(lists, speaker)
    lines = csv_lines(words, headings(speaker, lists.worklist.horizon_weeks))
    whole, alone = pages(lists, revision, speaker)
    with whole_folder(folder, FILES) as new:
        write_content(made, revision, sha256, new / "worklist.json")
        (new / "worklist.csv").write_bytes(csv_bytes(lines))
        (new / "worklist.html").write_text(whole, "utf-8")
        write_workbook(lists, words, revision, new / "worklist.xlsx", speaker)
        (new / "teams").mkdir()
        teams = lists.worklist.teams
        place = words.groupby(["office", "team"], sort=True).indices
        for slug, team in zip(slugs(team_names(teams)), teams.itertuples(), strict=True):
            mine = [lines[0], *(lines[i + 1] for i in place.get((team.office, team.team), []))]
            (new / "teams" / f"{slug}.csv").write_bytes(csv_bytes(mine))
            (new / "teams" / f"{slug}.html").write_text(alone[slug], "utf-8")
        _keep_written_in(folder, new, stays)
    return folder


def _keep_written_in(folder: Path, new: Path, stays: Callable[[str], None]) -> None:
    """Let files of the same content that people write in, and have, take the place of fresh ones."""
    for fresh in sorted(path for ending in (".xlsx", ".csv") for path in new.rglob(f"*{ending}")):
        name = fresh.relative_to(new)
        if (folder / name).is_file() and (folder / name).read_bytes() != fresh.read_bytes():
            shutil.copy2(folder / name, fresh)
            stays(name.as_posix())


def find_last_week(out: Path, as_of: date) -> LastWeek | None:
    """The newest revision of the list of the ISO week before, if ``out`` holds one.

    Raises
    ------
    ConfigError
        When it is there but damaged.
    """
    found = _revisions(out, iso_week(as_of - timedelta(days=7)))
    return last_week_of(read_content(found[max(found)])) if found else None


def _revisions(out: Path, week: str) -> dict[int, Path]:
    """Folders of a week by revision."""
    if not out.is_dir():
        return {}
    matches = [(re.fullmatch(rf"{week}(?:-r(\d+))?", f.name), f) for f in out.iterdir()]
    return {int(m[1] or 1): f for m, f in matches if m and (f / "worklist.json").is_file()}


def _revision(out: Path, week: str, fresh: str) -> tuple[int, Path]:
    """Number and folder of the revision that the content with hash ``fresh`` belongs to."""
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file; name a folder")
    found = _revisions(out, week)
    for number in sorted(found, reverse=True):
        if read_content(found[number])["content_sha256"] == fresh:
            return number, found[number]
    number = max(found, default=0) + 1
    return number, out / (week if number == 1 else f"{week}-r{number}")


def summary(lists: Lists, folder: Path) -> dict[str, Any]:
    """What was written, in a few numbers without a case's attribute."""
    work = lists.worklist
    teams = work.teams
    return {
        "week": work.week,
        "as_of": work.as_of.isoformat(),
        "folder": str(folder),
        "n_teams": len(teams),
        "n_open": int(teams["n_open"].sum()),
        "n_listed": len(work.rows),
        "n_duty": int(teams["n_duty"].sum()),
        "n_overdue": int(teams["n_overdue"].sum()),
        "n_risk": int((teams["n_risk"] + teams["n_audit"]).sum()),
        "n_closing": int(teams["n_closing"].sum()),
        "n_past_horizon": int(teams["n_past_horizon"].sum()),
        "n_no_score": int(teams["n_no_score"].sum()),
        "n_teams_short": int((teams["shortfall"] > 0).sum()),
        "last_week": work.last_week,
        "model_version": work.model_version,
        "policy_version": work.policy.version,
    }
