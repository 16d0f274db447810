"""A row of the list in words: the same on the week's files and on the staff's page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from risk.reasons import Reason
from serving.language import Speaker, share_of_100
from serving.store.listed import ListedCase
from serving.worklist import ARROWS, N_REASONS, note_in_words

_BY_VALUE = ("risk", "audit")  # an expected cost is shown only where it orders


@dataclass(frozen=True)
class RowWords:
    """Tells of the rows of one list.

    Attributes
    ----------
    horizon : weeks
    currency : of the expected cost, where the policy orders by it, else empty
    milestones : what each milestone is called, Danish and English
    """

    speaker: Speaker
    horizon: int
    currency: str
    milestones: Mapping[str, Sequence[str]]

    def say(self, key: str, **values: object) -> str:
        return self.speaker.say(key, **({"horizon": self.horizon} | values))

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
            "late": self._late(case),
            "frequency": speaker.frequency(case.p) if case.p is not None else "",
            "band": case.band,
            "same_age": self._same_age(case),
            "cost": self.cost(case),
            "note": self.note(case),
            "reasons": [self.reason(r) for r in shown],
            "milestone": self._milestone(case),
            "milestone_on": speaker.day(case.milestone_on),
            "change": self.say(f"change.{case.change}") if case.change else "",
        }

    def note(self, case: ListedCase) -> str:
        """What a reader must know of a case beside its numbers."""
        p_close = case.more.get("p_close_4w") if case.more.get("is_closing") else None
        return note_in_words(case.status, case.exclusion, case.abstain_reason, p_close, self.horizon, self.speaker)

    def cost(self, case: ListedCase) -> str:
        """The expected cost to the nearest hundred, where it orders; the whole amount would claim to know more."""
        cost = case.more.get("cost_ahead")
        if not self.currency or cost is None or case.section not in _BY_VALUE:
            return ""
        return self.say("page_column.cost", amount=self.speaker.number(round(cost, -2)), currency=self.currency)

    def reason(self, reason: Reason) -> dict[str, str]:
        return {
            "arrow": ARROWS[reason.direction],
            "word": self.say(f"page_column.{reason.direction}"),
            "direction": reason.direction,
            "text": reason.text(self.speaker.language),
            "on": self.speaker.day(reason.known_on),
        }

    def _late(self, case: ListedCase) -> str:
        n = case.overdue_days
        return "" if not n else self.say("page_column.overdue_one" if n == 1 else "page_column.overdue", n=n)

    def _milestone(self, case: ListedCase) -> str:
        labels = self.milestones.get(case.milestone)
        text = self.speaker.pick((labels[0], labels[1])) if labels else ""
        return self.say("page_column.missed", milestone=text) if case.milestone_state == "missed" else text

    def _same_age(self, case: ListedCase) -> str:
        return "" if case.base_rate is None else self.say("page_column.same_age", n=share_of_100(case.base_rate))
