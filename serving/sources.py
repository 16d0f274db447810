"""Where the model in service comes from, and the last good copy that is kept on this machine for days without a registry.

    RISK_HOME/kept/<what was asked for>/current.json   which folder beside it is the last good model, and its mark
                                        <mark>-.../    the bundle's files as they came, its signatures among them

A copy is opened like any bundle: hashes, golden cases and, where public keys are named, the signature.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from models.bundle import MANIFEST, Bundle
from models.signing import SIGNATURES
from risk.errors import BundleError, RiskError
from risk.files import whole_file
from risk.home import home

POINTER = "current.json"
OLD_SECONDS = 3600.0
log = logging.getLogger("risk.serving")


class Source(Protocol):
    """Where the model comes from."""

    def mark(self) -> str:
        """What tells one model from the next, found cheaply: a version number or a fingerprint."""

    def open(self, mark: str) -> Bundle:
        """The model of that mark, opened and checked."""

    def keep(self, mark: str) -> None:
        """What was opened last is good and in service: keep a copy, if the source is not on this machine."""

    def kept(self) -> tuple[str, Bundle] | None:
        """The last good model and its mark, from this machine; None when there is none."""


@dataclass(frozen=True)
class FolderSource:
    """A bundle in a folder of this machine."""

    folder: Path

    def mark(self) -> str:
        signatures = self.folder / SIGNATURES
        try:
            found = (self.folder / MANIFEST).read_bytes()
            found += signatures.read_bytes() if signatures.is_file() else b""
        except OSError:
            raise BundleError(f"{self.folder} is not a bundle; name a bundle's folder or a registered model") from None
        return hashlib.sha256(found).hexdigest()

    def open(self, mark: str) -> Bundle:
        return Bundle.open(self.folder)

    def keep(self, mark: str) -> None:
        """Nothing: the folder is on this machine already."""

    def kept(self) -> tuple[str, Bundle] | None:
        return None


@dataclass
class RegistrySource:
    """A registered model, e.g. ``models:/risk52@champion``, with a copy of the last good one in RISK_HOME."""

    uri: str
    _fresh: dict[str, bytes] = field(default_factory=dict, init=False, repr=False, compare=False)

    def mark(self) -> str:
        from models.registry import find_version  # MLflow comes with it

        return str(find_version(self.uri).number)

    def open(self, mark: str) -> Bundle:
        from models.registry import BUNDLE_PATH, download, find_version, open_downloaded

        version = find_version(mark)  # by number: the alias may have moved on since it was looked up
        with tempfile.TemporaryDirectory(prefix="risk52-") as folder:
            files = download(version, BUNDLE_PATH, Path(folder))
            bundle = open_downloaded(version, files)
            self._fresh = _contents(files)
        return bundle

    def keep(self, mark: str) -> None:
        files, self._fresh = self._fresh, {}
        before = self._pointed_at()
        if not files or (before is not None and before[0] == mark and _contents(before[1]) == files):
            return
        try:
            self._place.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(prefix=f"{mark}-", dir=self._place))
            for name, content in files.items():
                (folder / name).write_bytes(content)
            with whole_file(self._place / POINTER) as made:
                made.write_text(json.dumps({"uri": self.uri, "mark": mark, "folder": folder.name}), "utf-8")
            self._prune(folder)
        except OSError as why:  # the model is in service all the same
            log.error("no copy of the model could be kept in RISK_HOME (%s)", why.strerror or why)

    def kept(self) -> tuple[str, Bundle] | None:
        found = self._pointed_at()
        if found is None:
            return None
        try:
            return found[0], Bundle.open(found[1])
        except RiskError as why:
            log.error("the copy of the last good model cannot be used: %s", why)
            return None

    @property
    def _place(self) -> Path:
        name = re.sub(r"[^A-Za-z0-9]+", "-", self.uri.removeprefix("models:/")).strip("-")
        return home() / "kept" / f"{name}-{hashlib.sha256(self.uri.encode()).hexdigest()[:8]}"

    def _pointed_at(self) -> tuple[str, Path] | None:
        try:
            told = json.loads((self._place / POINTER).read_bytes())
            return str(told["mark"]), self._place / Path(told["folder"]).name
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            log.error("%s is damaged; the copy of the last good model cannot be found", self._place / POINTER)
            return None

    def _prune(self, wanted: Path) -> None:
        """Drop older copies; a young one may be what another process is just writing or reading."""
        for folder in self._place.iterdir():
            if folder.is_dir() and folder != wanted and time.time() - folder.stat().st_mtime > OLD_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def source_of(model: str) -> Source:
    """The source named by a setting: a folder when there is one of that name, else the registry."""
    return FolderSource(Path(model)) if Path(model).is_dir() else RegistrySource(model)
