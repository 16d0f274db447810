"""What the core is built on may be used by anybody: no package of it is under the GPL or the AGPL alone."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# A licence by its short name or in full; the LGPL, under which a library may be used by anybody, is another one.
_GPL = re.compile(r"(?<![A-Z])A?GPL|(?<!lesser )(?<!library )general public licen[cs]e", re.IGNORECASE)


def core() -> dict[str, Distribution]:
    """The project's requirements and theirs, without extras that nobody asked for."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
    found: dict[str, Distribution] = {}
    waiting = [Requirement(text) for text in project["dependencies"]]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        try:
            found[name] = known = distribution(name)
        except PackageNotFoundError:  # for another system
            continue
        for text in known.requires or ():
            needs = Requirement(text)
            is_new = canonicalize_name(needs.name) not in found or bool(needs.extras)
            if is_new and (
                needs.marker is None or any(needs.marker.evaluate({"extra": e}) for e in ("", *wanted.extras))
            ):
                waiting.append(needs)
    return found


def licences(known: Distribution) -> list[str]:
    """What a package says of its licence: the expression if there is one, else its classifiers, else its text's first line."""
    about = known.metadata
    if expression := about.get("License-Expression"):
        return re.split(r"\s+OR\s+", expression)
    named = [c.rpartition("::")[2].strip() for c in about.get_all("Classifier") or () if c.startswith("License ::")]
    return named or [(about.get("License") or "").strip().partition("\n")[0]]


def is_free_for_all(named: list[str]) -> bool:
    """One licence that is not the GPL is enough: whoever uses the package may choose it."""
    return not all(_GPL.search(one) for one in named)


def test_no_package_of_the_core_is_under_the_gpl_alone() -> None:
    known = core()
    assert {"msgspec", "lightgbm", "mlflow", "threadpoolctl"} <= known.keys(), "the requirements were followed"
    assert [name for name, one in sorted(known.items()) if not is_free_for_all(licences(one))] == []


def test_a_licence_is_told_from_its_cousins() -> None:
    assert not is_free_for_all(["GPL-3.0-only"])
    assert not is_free_for_all(["GNU Affero General Public License v3"])
    assert not is_free_for_all(["AGPL-3.0-or-later"])
    assert is_free_for_all(["LGPL-3.0-only"])
    assert is_free_for_all(["GNU Lesser General Public License v3 (LGPLv3)"])
    assert is_free_for_all(["MIT", "GPL-2.0-only"])
