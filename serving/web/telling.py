"""A stored list in words: what a reader is told of the week, of a row, and of one case, in one language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from risk.priority import SECTIONS
from serving.language import Speaker
from serving.rowwords import RowWords
from serving.store.feedback import Feedback
from serving.store.listed import ListHead


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
    def rows(self) -> RowWords:
        """Tells of the rows of the list."""
        return RowWords(self.speaker, self.horizon, self._words["currency"], self.head.about["milestones"])

    @property
    def _words(self) -> dict[str, Any]:
        return dict(self.head.about["words"][self.speaker.language])

    # ---- answers ------------------------------------------------------------------------------------------------------

    def answer(self, given: Feedback) -> str:
        """The answer, with the reason of a disagreement."""
        text = self.say(f"feedback_kind.{given.kind}")
        return f"{text}: {self.say(f'feedback_reason.{given.reason}').lower()}" if given.reason else text

    def said_on(self, given: Feedback) -> str:
        """Day and time of an answer, as a clock in the office showed it."""
        at = datetime.fromisoformat(given.at).astimezone(_office_clock())
        return f"{self.speaker.day(at.date())} {at:%H:%M}"
