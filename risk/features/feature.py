"""What a feature is: one documented column, computed from a snapshot and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from risk import schema
from risk.snapshot import Snapshot
from risk.weeks import Floats

_DANISH = str.maketrans(",.", ".,")


@dataclass(frozen=True)
class Feature:
    """One column a model may learn from.

    Attributes
    ----------
    name : str
    family : str
        The family file it lives in.
    sources : tuple of str
        Attributes it is computed from; marks, purpose and permitted use follow from them.
    compute : callable
        ``Snapshot -> (n,) float``: a number, or the position of a level; nan where not known.
    otherwise : float
        Stands where ``compute`` knows nothing: the level ``unknown`` of a category, else nan.
    sentence : (str, str)
        Danish and English sentence for a reason, with ``{value}`` where the value goes.
    missing : (str, str)
        The sentence when the value is not known.
    levels : tuple of str
        Levels of a category; empty for a number or a flag.
    is_flag : bool
    is_attribute : bool
        Whether it is its one source as it stands.
    """

    name: str
    family: str
    sources: tuple[str, ...]
    compute: Callable[[Snapshot], Floats]
    sentence: tuple[str, str]
    missing: tuple[str, str]
    levels: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    is_flag: bool = False
    no_sentence: tuple[str, str] = ("", "")
    decimals: int = 0
    otherwise: float = np.nan
    is_attribute: bool = False

    @cached_property
    def is_tellable(self) -> bool:
        """Whether it may be given as a reason: protected attributes never are."""
        return "P" not in self.marks

    @cached_property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Danish and English sentence by value: one per level of a category, no and yes of a flag; none for a number."""
        if self.levels:
            return tuple(
                self.missing if level == schema.UNKNOWN else self._filled(*label)
                for level, label in zip(self.levels, self.labels, strict=True)
            )
        return (self.no_sentence, self.sentence) if self.is_flag else ()

    def text_of(self, value: float) -> tuple[str, str]:
        """The sentence that says a value, in Danish and English."""
        if value != value:  # nan
            return self.missing
        if self.texts:
            return self.texts[int(value)]
        return self._said(value + 0.0)  # 0 is said alike, whatever its sign

    @cached_property
    def _said(self) -> Callable[[float], tuple[str, str]]:
        """The sentence with a number in it; most numbers are said of many cases."""
        return lru_cache(maxsize=1024)(self._with_number)

    def _with_number(self, value: float) -> tuple[str, str]:
        english = f"{value:,.{self.decimals}f}"
        return self._filled(english.translate(_DANISH), english)

    def _filled(self, danish: str, english: str) -> tuple[str, str]:
        return self.sentence[0].replace("{value}", danish), self.sentence[1].replace("{value}", english)

    @property
    def marks(self) -> tuple[str, ...]:
        """Legal marks of all its sources, sorted."""
        known = schema.attributes()
        return tuple(sorted({m for s in self.sources for m in known[s].marks}))

    @property
    def use(self) -> schema.Use:
        """The strictest use among its sources; a feature of no attribute (the clocks) is free to use."""
        strictness: list[schema.Use] = ["feature", "audit", "steering", "off"]
        known = schema.attributes()
        return max((known[s].use for s in self.sources), key=strictness.index, default="feature")

    @property
    def purpose(self) -> str:
        known = schema.attributes()
        return "; ".join(known[s].purpose for s in self.sources) or "age and season of the case"


def direct(
    name: str,
    family: str,
    sentence: tuple[str, str],
    missing: tuple[str, str] = ("", ""),
    no_sentence: tuple[str, str] = ("", ""),
    decimals: int = 0,
) -> Feature:
    """A feature that is an attribute as it stands; a category that is not known takes the level ``unknown``."""
    attribute = schema.attributes()[name]
    danish, english = attribute.label
    return Feature(
        name=name,
        family=family,
        sources=(name,),
        compute=lambda snapshot: snapshot.columns[name],
        sentence=sentence,
        missing=missing if missing[0] else (f"{danish} er ikke oplyst", f"{english} is not known"),
        no_sentence=no_sentence if no_sentence[0] else (f"{danish}: nej", f"{english}: no"),
        levels=attribute.levels,
        labels=tuple(attribute.labels.values()),
        is_flag=attribute.kind == "flag",
        decimals=decimals,
        otherwise=float(attribute.levels.index(schema.UNKNOWN)) if attribute.kind == "category" else np.nan,
        is_attribute=True,
    )
