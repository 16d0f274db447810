"""A stored list in words: what a reader is told of the week, of a row, and of one case, in one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from risk.priority import SECTIONS
from risk.reasons import Reason
from serving.language import Speaker, share_of_100
from serving.store.feedback import Feedback
from serving.store.listed import ListedCase, ListHead
from serving.worklist import ARROWS, N_REASONS, note_in_words


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
        return str(self._words["title"])

    def facts(self) -> list[str]:
        """When the list was made and compared with what."""
        last_week = self.head.about["last_week"]
        return [
            self.say("list.as_of", as_of=self.speaker.day(self.head.as_of)),
            self.say("list.earlier", last_week=last_week) if last_week else self.say("list.no_earlier"),
        ]

    def made_with(self) -> str:
        """What the list was made with."""
        head = self.head
        return self.say(
            "list.model",
            model_version=head.model_version,
            policy_version=head.policy_version,
            rules=self.speaker.pick(tuple(head.about["rules"])),
            revision=head.revision,
        )

    def about(self) -> list[str]:
        """How the list is to be read, and what it does not say."""
        return list(self._words["about"])

    def section(self, code: str) -> str:
        """The name of a section, as it was when the list was made."""
        return str(self._words["sections"][code][0]) if code in SECTIONS else self.say(f"web_list.{code}")

    def section_short(self, code: str) -> str:
        return str(self._words["sections"][code][1]) if code in SECTIONS else self.say(f"web_list.{code}")

    def section_why(self, code: str) -> str:
        return str(self._words["sections"][code][2]) if code in SECTIONS else ""

    def week_lines(self) -> tuple[list[str], list[str]]:
        """What the week looks like for the team, in sentences: what is needed every day, and the rest to look up."""
        lines, daily = self._words["lines"], self._words.get("daily", [])  # lists kept earlier do not tell them apart
        return list(daily), [line for line in lines if line not in daily]

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
            "cost": self.cost(case),
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
        """What a reader must know of a case beside its numbers."""
        p_close = case.more.get("p_close_4w") if case.more.get("is_closing") else None
        return note_in_words(case.status, case.exclusion, case.abstain_reason, p_close, self.horizon, self.speaker)

    def cost(self, case: ListedCase) -> str:
        """The expected cost to the nearest hundred, where it orders; the whole amount would claim to know more."""
        currency, cost = self._words["currency"], case.more.get("cost_ahead")
        if not currency or cost is None or case.section not in ("risk", "audit"):
            return ""
        return self.say("page_column.cost", amount=self.speaker.number(round(cost, -2)), currency=currency)

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
