"""Learners by name. A new learner is one file and one line here; the contract test finds it by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from models.contract import Learner
from risk.errors import BundleError, ConfigError


@dataclass(frozen=True)
class Entry:
    """Where a learner lives, and whether it may be put into service."""

    module: str
    learner: str
    champion: bool


LEARNERS = {
    "baseline": Entry("models.baseline", "KaplanMeierByAge", champion=False),
    "longest_open": Entry("models.baseline", "LongestOpenFirst", champion=False),
    "linear": Entry("models.linear", "LinearHazard", champion=True),
    "hazard": Entry("models.hazard", "BoostedHazard", champion=True),
    "stacked": Entry("models.stacked", "Stacked", champion=True),
    "direct": Entry("models.direct", "Direct", champion=True),
    "additive": Entry("models.additive", "Additive", champion=True),
    "matured_only": Entry("models.naive", "MaturedOnly", champion=False),
    "censored_as_negative": Entry("models.naive", "CensoredAsNegative", champion=False),
}


def names() -> list[str]:
    """All learners, in the order of the catalogue."""
    return list(LEARNERS)


def learner_class(name: str) -> type[Learner]:
    """The class of a learner; its module is imported only now.

    Raises
    ------
    ConfigError
        No learner has that name.
    """
    if name not in LEARNERS:
        raise ConfigError(f"no learner is called {name!r}; choose one of {', '.join(LEARNERS)}")
    entry = LEARNERS[name]
    found: type[Learner] = getattr(import_module(entry.module), entry.learner)
    return found


def make(name: str, **params: Any) -> Learner:
    """A learner, not yet fitted.

    Raises
    ------
    ConfigError
        No learner has that name, or it does not know a parameter.

    Examples
    --------
    >>> make("linear", random_state=7).random_state
    7
    """
    cls = learner_class(name)
    unknown = sorted(set(params) - set(cls._get_param_names()))
    if unknown:
        raise ConfigError(
            f"learner {name!r} has no parameter {', '.join(unknown)}; it knows {', '.join(cls._get_param_names())}"
        )
    return cls(**params)


def can_be_champion(name: str) -> bool:
    """Whether a learner may be put into service: the naive ways and the bare rules may not.

    Raises
    ------
    ConfigError
        No learner has that name.
    """
    learner_class(name)
    return LEARNERS[name].champion


def from_files(files: dict[str, str]) -> Learner:
    """The fitted learner whose ``to_files`` these are.

    Raises
    ------
    BundleError
        The files name no learner of this catalogue.
    """
    name = learner_name(files)
    return learner_class(name).from_files(files)


def learner_name(files: dict[str, str]) -> str:
    """The learner that wrote these files.

    Raises
    ------
    BundleError
        There is no readable ``learner.json``, or its learner is not in the catalogue.
    """
    try:
        name = json.loads(files["learner.json"])["learner"]
    except (KeyError, ValueError, TypeError) as error:
        raise BundleError("the model has no readable learner.json; save or download it again") from error
    if name not in LEARNERS:
        raise BundleError(f"the model is of learner {name!r}, which this version does not have; install a newer risk52")
    return str(name)
