"""Texts, dates and numbers as a person reads them, in Danish or English, from the catalogues in ``serving/texts``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

Language = Literal["da", "en"]
LANGUAGES: tuple[Language, ...] = ("da", "en")


@cache
def catalogue(language: Language) -> dict[str, str]:
    """Every text of a language by ``part.key``: those of the list in ``da.toml``, those of the web page in ``web.da.toml``."""
    texts: dict[str, str] = {}
    for name in (f"{language}.toml", f"web.{language}.toml"):
        parts = tomllib.loads(resources.files("serving").joinpath("texts", name).read_text("utf-8"))
        texts |= {f"{part}.{key}": value for part, entries in parts.items() for key, value in entries.items()}
    return texts


@dataclass(frozen=True)
class Speaker:
    """Says things in one language.

    >>> Speaker("da").frequency(0.183)
    'omkring 18 ud af 100'
    >>> Speaker("en").frequency(0.004)
    'fewer than 1 in 100'
    >>> Speaker("da").day(date(2026, 11, 23)), Speaker("da").number(4.25, 1)
    ('23-11-2026', '4,2')
    """

    language: Language

    def say(self, key: str, **values: object) -> str:
        """The text of a key with its fields filled in; a key that does not exist is a bug."""
        return catalogue(self.language)[key].format(**values)

    def pick(self, both: tuple[str, str]) -> str:
        """The right one of a (Danish, English) pair."""
        return both[LANGUAGES.index(self.language)]

    def day(self, day: date | None) -> str:
        """``23-11-2026`` in Danish, ``2026-11-23`` in English; empty for None."""
        if day is None:
            return ""
        return day.strftime("%d-%m-%Y") if self.language == "da" else day.isoformat()

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with the language's decimal sign and thousands sign."""
        english = f"{value:,.{decimals}f}"
        return english.translate(str.maketrans(",.", ".,")) if self.language == "da" else english

    def percent(self, share: float) -> str:
        """A share in whole percent."""
        return f"{share_of_100(share)} %" if self.language == "da" else f"{share_of_100(share)}%"

    def frequency(self, p: float) -> str:
        """A probability as people count: so many in 100. Empty for nan."""
        if np.isnan(p):
            return ""
        if p < 0.01:
            return self.say("frequency.under")
        return self.say("frequency.over") if p > 0.99 else self.say("frequency.about", n=share_of_100(p))

    def frequencies(self, p: npt.NDArray[np.floating]) -> list[str]:
        """:meth:`frequency` of many, (n,)."""
        return [self.frequency(v) for v in p.tolist()]

    def days(self, days: pd.Series) -> list[str]:
        """:meth:`day` of many; empty where missing."""
        return [self.day(None if pd.isna(d) else d.date()) for d in days]


def share_of_100(share: float) -> int:
    """A share as whole parts of 100, halves up.

    >>> share_of_100(0.125), share_of_100(0.124)
    (13, 12)
    """
    return int(np.floor(share * 100 + 0.5))
