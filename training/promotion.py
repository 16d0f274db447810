"""Putting a model into service: the gates are asked again, the bundle is opened, and the ledger says who did it and why.

MLflow forgets where an alias pointed before. So every promotion is a line in ``RISK_HOME/promotions.jsonl``, which is only
ever added to, and is written on the version as tags. To roll back is to promote the older version.
"""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models import registry
from models.approval import approve_version
from models.registry import CHALLENGER, CHAMPION, PREVIOUS, ModelVersion
from risk.errors import ConfigError, GateError, OutputError, RegistryError
from risk.home import home as risk_home

LEDGER = "promotions.jsonl"


@dataclass(frozen=True)
class Promotion:
    """One line of the ledger.

    Attributes
    ----------
    at : str
        UTC, to the second.
    by : str
        Who did it: a member of staff, or a service.
    to_version : int
    from_version : int or None
        The champion before.
    bundle_version : str
    gates_failed : list of str
        Names of the gates it failed, empty when none.
    override_reason : str or None
        Why it was promoted in spite of them.
    state : {"promoted", "not moved"}
        "not moved" follows a line that could not be carried out.
    """

    at: str
    by: str
    to_version: int
    from_version: int | None
    bundle_version: str
    gates_failed: list[str]
    override_reason: str | None
    state: str = "promoted"


def promote(
    name: str = CHALLENGER, *, by: str | None = None, override: str | None = None, home: Path | None = None
) -> Promotion:
    """Make a version the champion; the champion before it becomes ``previous``.

    Parameters
    ----------
    name : str
        A version number or an alias.
    by : str or None
        Who does it; the user of this machine when None.
    override : str or None
        Why to go past failed gates. Kept with the model.

    Raises
    ------
    RegistryError
        When there is no such version, or it is the champion already.
    GateError
        When it failed a gate and no reason is given.
    BundleError
        When its bundle is damaged or was exchanged.
    OutputError
        When the ledger cannot be written. In every case the champion stays.
    """
    version = registry.find_version(name, home)
    if CHAMPION in version.aliases:
        raise RegistryError(f"version {version.number} is the champion already")
    if override is not None and len(override.strip()) < 5:
        raise ConfigError(
            "the reason of --override is too short; say in a few words why the failed gates may be passed over"
        )
    failed = failed_gates(version, home)
    if failed and override is None:
        told = "; ".join(f"{gate['number']} {gate['name']}: {gate['text']}" for gate in failed)
        raise GateError(
            f"version {version.number} failed {len(failed)} gate{'' if len(failed) == 1 else 's'} ({told}); the champion "
            'stays. Train a better one, or go past it with --override "reason", which is kept with the model'
        )
    approve_version(version, home)  # a damaged or exchanged bundle is refused here; a sound one is signed
    before = _champion(home)
    line = Promotion(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        by=by or user_name(),
        to_version=version.number,
        from_version=before.number if before else None,
        bundle_version=version.tags.get("bundle_version", ""),
        gates_failed=[gate["name"] for gate in failed],
        override_reason=override.strip() if failed and override else None,
    )
    _move(line, home)
    return line


def failed_gates(version: ModelVersion, home: Path | None = None) -> list[dict[str, Any]]:
    """The gates a version failed.

    Raises
    ------
    RegistryError
        When its gates cannot be read.
    """
    return [gate for gate in registry.gates_of(version, home) if gate["status"] == "failed"]


def ledger(home: Path | None = None) -> list[Promotion]:
    """Every promotion on this machine, oldest first.

    Raises
    ------
    RegistryError
        When a line is damaged.
    """
    path = (home or risk_home()) / LEDGER
    if not path.exists():
        return []
    lines = path.read_text("utf-8").splitlines()
    try:
        return [Promotion(**json.loads(line)) for line in lines]
    except (ValueError, TypeError):
        raise RegistryError(f"{path} has a damaged line; it is only ever added to, so look who changed it") from None


def user_name() -> str:
    """The user of this machine.

    Raises
    ------
    ConfigError
        When the machine does not know; name someone with ``--by``.
    """
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise ConfigError("this machine does not say who you are; name yourself with --by NAME") from None


def _move(line: Promotion, home: Path | None) -> None:
    """Write the ledger first, then move the aliases: a promotion may be noted and not done, but never done and not noted."""
    path = (home or risk_home()) / LEDGER
    _append(path, line)
    try:
        _tag(line, home)
        if line.from_version is not None:
            registry.set_alias(PREVIOUS, line.from_version, home)
        registry.set_alias(CHAMPION, line.to_version, home)
    except RegistryError:
        _append(path, Promotion(**(asdict(line) | {"state": "not moved"})))
        raise


def _tag(line: Promotion, home: Path | None) -> None:
    tags = {"promoted_by": line.by, "promoted_at": line.at, "promoted_from": str(line.from_version or "")}
    description = None
    if line.override_reason:
        tags["override_reason"] = line.override_reason
        description = (
            f"Failed {', '.join(line.gates_failed)}. Promoted all the same by {line.by}: {line.override_reason}"
        )
    registry.set_tags(line.to_version, tags, home, description=description)


def _append(path: Path, line: Promotion) -> None:
    """Add one whole line and wait until it is on the disk."""
    text = json.dumps(asdict(line), ensure_ascii=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as why:
        raise OutputError(f"cannot write the ledger {path} ({why.strerror}); the champion stays") from None


def _champion(home: Path | None) -> ModelVersion | None:
    return next((v for v in registry.versions(home) if CHAMPION in v.aliases), None)
