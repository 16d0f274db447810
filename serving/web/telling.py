"""A stored list in words: what a reader is told of the week, of a row, and of one case, in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from risk import features, schema
from risk.priority import SECTIONS
from risk.reasons import Reason
from serving.language import Speaker, share_of_100
from serving.store.feedback import Feedback
from serving.store.listed import ListedCase, ListHead
from serving.worklist import ARROWS, N_REASONS


@cache
def _office_clock() -> ZoneInfo:
    return ZoneInfo("Europe/Copenhagen")


@dataclass(frozen=True)
class Teller:
    """Tells of one list; ``horizon`` is the list's own, in weeks."""

    head: ListHead
    speaker: Speaker

    @property
    def horizon(self) -> int:
        return int(self.head.about["horizon_weeks"])

    def say(self, key: str, **values: object) -> str:
        return self.speaker.say(key, **({"horizon": self.horizon} | values))

    def title(self) -> str:
        year, week = self.head.week.split("-W")
        return self.say("web_list.title", week=int(week), year=year)

    def facts(self) -> list[str]:
        """When, with what and compared with what the list was made."""
        head, last_week = self.head, self.head.about["last_week"]
        return [
            self.say("list.as_of", as_of=self.speaker.day(head.as_of)),
            self.say("list.earlier", last_week=last_week) if last_week else self.say("list.no_earlier"),
            self.say(
                "list.model",
                model_version=head.model_version,
                policy_version=head.policy_version,
                rules=self.speaker.pick(tuple(head.about["rules"])),
                revision=head.revision,
            ),
        ]

    def about(self) -> list[str]:
        """How the list is to be read, and what it does not say."""
        return [self.say(k) for k in ("list.chance_is", "band_why.text", "list.effect", "list.human")]

    def section(self, code: str) -> str:
        """The name of a section, as it was when the list was made."""
        return str(self._words["sections"][code][0]) if code in SECTIONS else self.say(f"web_list.{code}")

    def section_short(self, code: str) -> str:
        return str(self._words["sections"][code][1]) if code in SECTIONS else self.say(f"web_list.{code}")

    def section_why(self, code: str) -> str:
        return str(self._words["sections"][code][2]) if code in SECTIONS else ""

    def week_lines(self) -> list[str]:
        """What the week looks like for the team, in sentences."""
        return list(self._words["lines"])

    def warning(self) -> str:
        """That the law is about to change, when it is."""
        return str(self._words["warning"])

    @property
    def _words(self) -> dict[str, Any]:
        return dict(self.head.about["words"][self.speaker.language])

    # ---- one row ------------------------------------------------------------------------------------------------------

    def row(self, case: ListedCase) -> dict[str, Any]:
        """What the list shows of a case."""
        speaker = self.speaker
        shown = case.reasons[:N_REASONS] if case.p is not None else ()
        return {
            "case_id": case.case_id,
            "rank": case.rank or "",
            "age": self.say("page_column.weeks", weeks=speaker.number(case.age_weeks or 0.0)),
            "opened": self.say("page_column.opened", opened_on=speaker.day(case.opened_on)),
            "due": speaker.day(case.due_on),
            "duty": self.say(f"duty.{case.duty}") if case.duty else "",
            "planned": self.say("page_column.planned") if case.is_planned else "",
            "late": self.late(case),
            "frequency": speaker.frequency(case.p) if case.p is not None else "",
            "band": case.band,
            "same_age": self._same_age(case),
            "note": self.note(case),
            "reasons": [self.reason(r) for r in shown],
            "milestone": self.milestone(case),
            "milestone_on": speaker.day(case.milestone_on),
            "change": self.say(f"change.{case.change}") if case.change else "",
        }

    def late(self, case: ListedCase) -> str:
        """So many days overdue, or nothing."""
        n = case.overdue_days
        return "" if not n else self.say("page_column.overdue_one" if n == 1 else "page_column.overdue", n=n)

    def note(self, case: ListedCase) -> str:
        """What a reader must know of a case without a score."""
        if case.exclusion:
            known = case.exclusion in ("objection", "standby")
            return self.say(f"note.{case.exclusion if known else 'excluded'}")
        if case.status == "past_horizon":
            return self.say("note.past_horizon")
        if case.status == "abstained":
            return self.say("note.no_score", missing=", ".join(self.fact_labels(case.abstain_reason.split(", "))))
        return ""

    def milestone(self, case: ListedCase) -> str:
        labels = self.head.about["milestones"].get(case.milestone)
        text = self.speaker.pick(tuple(labels)) if labels else ""
        return self.say("page_column.missed", milestone=text) if case.milestone_state == "missed" else text

    def reason(self, reason: Reason) -> dict[str, str]:
        return {
            "arrow": ARROWS[reason.direction],
            "word": self.say(f"page_column.{reason.direction}"),
            "direction": reason.direction,
            "text": reason.text(self.speaker.language),
            "on": self.speaker.day(reason.known_on),
        }

    def fact_labels(self, names: Sequence[str]) -> list[str]:
        """What attributes, facts and features are called, each name once; features by the first fact behind them."""
        attributes, known = schema.attributes(), features.catalogue()
        sources = [known[n].sources[0] if n in known and known[n].sources else n for n in names]
        return list(dict.fromkeys(self.speaker.pick(attributes[s].label) if s in attributes else s for s in sources))

    def _same_age(self, case: ListedCase) -> str:
        return "" if case.base_rate is None else self.say("page_column.same_age", n=share_of_100(case.base_rate))

    # ---- answers ------------------------------------------------------------------------------------------------------

    def answer(self, given: Feedback) -> str:
        """The answer, with the reason of a disagreement."""
        text = self.say(f"feedback_kind.{given.kind}")
        return f"{text}: {self.say(f'feedback_reason.{given.reason}').lower()}" if given.reason else text

    def said_on(self, given: Feedback) -> str:
        """Day and time of an answer, as a clock in the office showed it."""
        at = datetime.fromisoformat(given.at).astimezone(_office_clock())
        return f"{self.speaker.day(at.date())} {at:%H:%M}"
