"""How an outcome is written: JSON put together from parts made once per model, so that a case costs its numbers only.

What is written has the fields of :class:`serving.answers.CaseAnswer`, in their order; a test reads it back through that
model. A case id holds nothing that JSON would have to escape (:mod:`serving.messages`), and every other text is our own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from datetime import date
from functools import cache, lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

import numpy as np
import numpy.typing as npt

from models.certainty import score_interval
from risk import features, schema
from risk.features import Built
from risk.policy import read_policy
from risk.reasons import Reason
from risk.scoring import NOT_FOR, OBJECTION, PURPOSE
from risk.snapshot import Snapshot
from risk.weeks import Floats
from serving.bands import Cuts
from serving.inservice import InService
from serving.language import Speaker, share_of_100
from serving.messages import Note
from serving.unrecorded import facts_behind, unrecorded

STALE_DAYS = 365
LEVEL = 0.9
MOST_DAYS = 366
DANISH, ENGLISH = Speaker("da"), Speaker("en")
OUTCOME = (
    '{"row":%d,"case_id":%s,"score_id":%s,"status":"%s","p_exceed_52w":%s,"interval":%s,"band":%s,"words":%s,"curve":[%s],'
    '"base_rate":%s,"age_weeks":%s,"reasons":{"up":[%s],"down":[%s]},"unknown_facts":%s,"warnings":[%s],"abstained":%s,'
    '"errors":%s,"as_of":"%s",%s'
)
INTERVAL = '{"low":%s,"high":%s,"level":%s,"covers":"%s"}'


def text_of(value: Any) -> str:
    """JSON of plain values, without blanks."""
    return json.dumps(value, separators=(",", ":"))


class Wording:
    """What is written of the scores of one model."""

    def __init__(self, model: InService) -> None:
        self.facts = facts_behind(model.meta["features"])
        self.features = list(dict.fromkeys([*model.meta["features"], *model.meta.get("ranges", {})]))
        facts = schema.fact_attributes()
        self._unknown = [
            text_of({"name": n, "label_da": facts[n].label[0], "label_en": facts[n].label[1], "usually_known": facts[n].known})
            for n in self.facts
        ]  # fmt: skip
        self.curve_text = ",".join(f'{{"weeks":{week},"p_exceed":%s}}' for week in model.outcome.horizons_weeks)
        ranges = model.meta.get("ranges", {})
        self._ranged = list(ranges)
        self._low = np.array([low for low, _ in ranges.values()])
        self._high = np.array([high for _, high in ranges.values()])
        self.outside_notes = [_note(_outside_note(name)) for name in ranges]
        said = {"model_version": model.version, "purpose": PURPOSE, "not_for": list(NOT_FOR)}
        self.ending = text_of(said)[1:]
        self._model, self._notes = model, dict[date, str]()

    def unknown_facts(self, snapshot: Snapshot) -> list[str]:
        """Of each case, the facts behind the model's features that nobody has recorded."""
        lacking = unrecorded(snapshot, self.facts)
        made: dict[bytes, str] = {}
        out = []
        for row in lacking:
            key = row.tobytes()  # cases that lack the same are told the same
            if key not in made:
                made[key] = self.lacking(row)
            out.append(made[key])
        return out

    def lacking(self, facts: npt.NDArray[np.bool_]) -> str:
        """The facts that are lacking, of those in ``facts``."""
        return f"[{','.join(u for u, is_lacking in zip(self._unknown, facts, strict=True) if is_lacking)}]"

    def outside(self, built: Built) -> dict[int, list[str]]:
        """By row, a note for each number that lies outside what the model has seen."""
        found: dict[int, list[str]] = {}
        for i, j in zip(*np.nonzero(self.is_outside(built)), strict=True):
            found.setdefault(int(i), []).append(self.outside_notes[j])
        return found

    def is_outside(self, built: Built) -> npt.NDArray[np.bool_]:
        """Which numbers lie outside what the model has seen, (n, r); ``outside_notes`` says it of each."""
        if not self._ranged:
            return np.zeros((len(next(iter(built.values()))), 0), dtype=np.bool_)
        values = built.table(self._ranged)
        return (values < self._low) | (values > self._high)

    def notes_on(self, as_of: date) -> str:
        """:func:`model_notes` of a day, written."""
        if as_of not in self._notes:
            if len(self._notes) >= MOST_DAYS:
                self._notes.clear()
            self._notes[as_of] = ",".join(notes(model_notes(self._model, as_of)))
        return self._notes[as_of]

    def curve(self, chances: Sequence[float]) -> str:
        return self.curve_text % tuple([number(p) for p in chances])

    def outcome(
        self, row: int, case_id: str | None, as_of: date, score_id: str | None = None, status: str = "rejected",
        p: float = math.nan, interval: str = "null", band: str = "null", curve: str = "", base_rate: float = math.nan,
        age: float = math.nan, up: str = "", down: str = "", unknown: str = "[]", warnings: str = "",
        abstained: str = "null", errors: str = "[]",
    ) -> str:  # fmt: skip
        """One outcome; what is not given stands as for a case that was rejected."""
        return OUTCOME % (
            row, "null" if case_id is None else f'"{case_id}"', "null" if score_id is None else f'"{score_id}"', status,
            number(p), interval, band, words(p), curve, number(base_rate), number(age), up, down, unknown, warnings,
            abstained, errors, as_of, self.ending,
        )  # fmt: skip


@lru_cache(maxsize=2)  # the model in service, and the one before it while its last requests end
def wording_of(model: InService) -> Wording:
    """The wording of a model in service, made when it is first asked."""
    return Wording(model)


def number(value: float) -> str:
    return "null" if value != value else repr(value)  # nan is not a number of JSON


@cache
def said(n: int) -> str:
    """So many in 100, in both languages."""
    p = n / 100
    return text_of({"da": DANISH.frequency(p), "en": ENGLISH.frequency(p)})


def intervals(model: InService, p: Floats, entry: Floats) -> list[str]:
    """The interval around each score, where the model's calibrator gives one."""
    scored = np.flatnonzero(~np.isnan(p))
    written = ["null"] * len(p)
    if model.bundle.calibrator is None or not len(scored):
        return written
    found = score_interval(model.bundle, p[scored], entry[scored], LEVEL)
    if found is not None:
        for i, low, high in zip(scored.tolist(), found.low.tolist(), found.high.tolist(), strict=True):
            written[i] = INTERVAL % (repr(low), repr(high), LEVEL, found.covers)
    return written


def band(cuts: Cuts, p: float, model: InService) -> str:
    """The band of a score, for the office whose cuts these are."""
    found = cuts.band_of(p, model.version)
    return "null" if found is None else f'"{found}"'


def words(p: float) -> str:
    """A chance as people count, in both languages."""
    if p != p:
        return "null"
    return said(0 if p < 0.01 else 100 if p > 0.99 else share_of_100(p))


@lru_cache(maxsize=4096)  # most sentences are said of many cases
def reason(told: Reason) -> str:
    day = "null" if told.known_on is None else f'"{told.known_on}"'
    return f'{{"feature":"{told.feature}","text_da":{quoted(told.text_da)},"text_en":{quoted(told.text_en)},"known_on":{day}}}'


def both_ways(reasons: Sequence[Reason]) -> tuple[str, str]:
    """The reasons for and against, the strongest first."""
    up: list[str] = []
    down: list[str] = []
    for told in reasons:
        (up if told.direction == "up" else down).append(reason(told))
    return ",".join(up), ",".join(down)


def abstention(why: str) -> str:
    """Why there is no score: an objection, or the features that are missing, joined by commas."""
    if why == OBJECTION:
        return text_of(
            {
                "code": "objection",
                "features": [],
                "text_da": "Personen har gjort indsigelse mod at blive vurderet",
                "text_en": "The person has objected to being scored",
            }
        )
    names = why.split(", ")
    labels = [schema.attributes()[s].label for n in names for s in features.catalogue()[n].sources] or [(why, why)]
    return text_of(
        {
            "code": "required-missing",
            "features": names,
            "text_da": f"Mangler oplysninger, som modellen ikke kan undvære: {', '.join(da for da, _ in labels)}",
            "text_en": f"Lacks what the model cannot do without: {', '.join(en for _, en in labels)}",
        }
    )


def notes(told: Sequence[Note]) -> list[str]:
    return [_note(n) for n in told]


def _note(told: Note) -> str:
    return text_of(told.model_dump())  # in ASCII, as every text here: it is encoded and hashed several times


def _outside_note(name: str) -> Note:
    source = next(iter(features.catalogue()[name].sources), "")
    da, en = schema.attributes()[source].label if source else ("Sagens varighed eller dato", "Age or date")
    return Note(
        code="outside-training",
        pointer=f"/attributes/{source}" if source in schema.case_attributes() else "",
        text_da=f"{da} ligger uden for det, modellen har set",
        text_en=f"{en} lies outside what the model has seen",
    )


def model_notes(model: InService, as_of: date) -> list[Note]:
    """What a reader should know of the model itself: that it is old, knows other rules, or learned from made-up cases."""
    found = []
    trained = model.meta.get("trained_as_of")
    if trained and (as_of - date.fromisoformat(trained)).days > STALE_DAYS:
        da = f"Modellen har kun set, hvad der var kendt {DANISH.day(date.fromisoformat(trained))}; den bør trænes igen"
        en = f"The model has seen only what was known on {trained}; it should be trained again"
        found.append(Note(code="stale-model", pointer="", text_da=da, text_en=en))
    if (changed := _rules_changed(model.meta.get("training_window"), as_of)) is not None:
        da = f"Sagen følges efter {changed[0]}, som modellen ikke har set sager under"
        en = f"The case is followed up under {changed[1]}, under which the model has seen no case"
        found.append(Note(code="regime-changed", pointer="", text_da=da, text_en=en))
    if model.meta.get("is_synthetic"):
        da = "Modellen har lært af opdigtede sager; scoren siger intet om virkelige mennesker"
        en = "The model learned from made-up cases; the score says nothing of real people"
        found.append(Note(code="synthetic-model", pointer="", text_da=da, text_en=en))
    return found


def _rules_changed(window: Sequence[str] | None, as_of: date) -> tuple[str, str] | None:
    """What the follow-up rules of ``as_of`` are called when they held on no day of the training window, else None.

    A rule set that is due for review because the law changes (``review_from``) counts as another one from that day on.
    """
    if not window:
        return None
    first, last = (date.fromisoformat(day) for day in window)
    rules = read_policy().rules_on(as_of)
    is_new = rules.review_from is not None and as_of >= rules.review_from
    begins = rules.review_from if is_new and rules.review_from else rules.valid_from
    ends = rules.review_from if rules.review_from and not is_new else None
    if last >= begins and (ends is None or first < ends) and (rules.valid_until is None or first <= rules.valid_until):
        return None
    if is_new and rules.review_from is not None:
        return (f"regler, der er ændret fra {DANISH.day(rules.review_from)}", f"rules changed from {rules.review_from}")
    return rules.label
