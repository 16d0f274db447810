"""Which rows of a list are shown and in what order; every choice stands in the address, so a page can be kept and shared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

from risk.priority import SECTIONS
from risk.weeks import monday_of
from serving.store.listed import COOLING, REMAINDER, ListedCase

PAGE_ROWS = 50
BANDS = ("high", "middle", "low", "none")
DUE = ("overdue", "this_week", "later", "none")
SORTS = ("rank", "due_on", "chance", "age", "case_id", "change")
_LAST = date.max


@dataclass(frozen=True)
class Asked:
    """What an address asks of a list; a value nobody offers counts as not given."""

    section: str = ""
    band: str = ""
    due: str = ""
    answer: str = ""
    sort: str = "rank"
    falling: bool = False
    page: int = 1

    def query(self, **changed: Any) -> dict[str, object]:
        """The parameters of the address, without those that say nothing."""
        given = asdict(self) | changed
        given["falling"] = "1" if given["falling"] else ""
        return {k: v for k, v in given.items() if v not in ("", None) and (k, v) not in (("sort", "rank"), ("page", 1))}


def read_asked(given: Mapping[str, str], answers: Collection[str]) -> Asked:
    """What an address asks for.

    >>> read_asked({"band": "high", "sort": "sideways", "page": "x"}, ())
    Asked(section='', band='high', due='', answer='', sort='rank', falling=False, page=1)
    """

    def one_of(name: str, known: Collection[str], otherwise: str = "") -> str:
        return given[name] if given.get(name) in known else otherwise

    page = given.get("page", "")
    return Asked(
        section=one_of("section", (*SECTIONS, REMAINDER, COOLING)),
        band=one_of("band", BANDS),
        due=one_of("due", DUE),
        answer=one_of("answer", (*answers, "none", "any")),
        sort=one_of("sort", SORTS, "rank"),
        falling=given.get("falling") == "1",
        page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 6 else 1,
    )


def chosen(
    rows: Sequence[ListedCase],
    asked: Asked,
    as_of: date,
    answer_of: Mapping[str, str],
) -> list[ListedCase]:
    """The rows that fit, in the order asked for; without a section asked for, those with a place on the page are meant.

    Parameters
    ----------
    answer_of : the kind of the latest answer by case id
    """
    sunday = monday_of(as_of) + timedelta(days=6)

    def fits(case: ListedCase) -> bool:
        answer = answer_of.get(case.case_id, "none")
        return (
            (case.section == asked.section if asked.section else case.is_listed)
            and asked.band in ("", case.band or "none")
            and asked.due in ("", due_state(case, sunday))
            and (asked.answer in ("", answer) or (asked.answer == "any" and answer != "none"))
        )

    return sorted((case for case in rows if fits(case)), key=_KEYS[asked.sort], reverse=asked.falling)


def due_state(case: ListedCase, sunday: date) -> str:
    """How near the due date is: one of ``DUE``."""
    if case.due_on is None:
        return "none"
    if case.overdue_days:
        return "overdue"
    return "this_week" if case.due_on <= sunday else "later"


def _rank(case: ListedCase) -> tuple[int, date, str]:
    return (case.rank or 1_000_000_000, case.opened_on or _LAST, case.case_id)


# The other way round is the whole order turned; ties fall back on the list's own order.
_KEYS: dict[str, Callable[[ListedCase], Any]] = {
    "rank": _rank,
    "due_on": lambda c: (c.due_on or _LAST, _rank(c)),
    "chance": lambda c: (c.p is None, -(c.p or 0.0), _rank(c)),
    "age": lambda c: (-(c.age_weeks or 0.0), _rank(c)),
    "case_id": lambda c: c.case_id,
    "change": lambda c: (c.change or "~", _rank(c)),
}


def pages(n: int, here: int) -> tuple[int, list[int]]:
    """The page shown when ``here`` is asked for, and the numbers to offer: the ends and the neighbours, 0 for a gap.

    >>> pages(420, 5)
    (5, [1, 0, 4, 5, 6, 0, 9])
    >>> pages(0, 3)
    (1, [1])
    """
    last = max(1, -(-n // PAGE_ROWS))
    here = min(here, last)
    near = sorted({1, last, *(p for p in (here - 1, here, here + 1) if 1 <= p <= last)})
    out: list[int] = []
    for p in near:
        if out and p - out[-1] > 1:
            out.append(p - 1 if p - out[-1] == 2 else 0)
        out.append(p)
    return here, out
