"""A trained model as it is saved, sent and opened: a folder of text files that checks itself.

    manifest.json   format, version, libraries, and the SHA-256 of every other file and of itself
    bundle.json     columns, calibrator, what is known of the training run
    golden.json     made-up cases and the scores they had when the bundle was saved
    learner.json    and what else the learner wrote (LightGBM text)
    signatures.json who vouches for the manifest (:mod:`models.signing`); made after the rest, and only where a key is set

Opening checks everything before LightGBM sees a byte, because a damaged model text can end the process or score
wrongly without a word; then the golden cases are scored again. Nothing is unpickled.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from models import catalogue
from models.arrays import FloatArray
from models.columns import Columns
from models.contract import HORIZONS, Learner
from models.rows import check_entry
from models.signing import SIGNATURES, PublicKey, check_signed, trusted_keys
from risk.errors import BundleError
from risk.files import whole_folder

FORMAT = 2
MANIFEST, BODY, GOLDEN = "manifest.json", "bundle.json", "golden.json"
LIBRARIES = ("lightgbm", "numpy", "scikit-learn", "scipy")
SAFE_NAME = re.compile(r"[a-z0-9_.]+")
GOLDEN_ROWS = 16
GOLDEN_TOLERANCE = 1e-9


class AffineCalibrator(Protocol):
    """What a bundle asks of a calibrator: a rising straight line on the log-odds, by age of the case."""

    def apply(self, survival: FloatArray, entry: FloatArray) -> FloatArray: ...

    def slope(self, entry: FloatArray) -> FloatArray: ...

    def intercept(self, entry: FloatArray) -> FloatArray: ...

    def to_dict(self) -> dict[str, Any]: ...


class Bundle:
    """A fitted learner, its calibrator, and the columns it takes.

    Parameters
    ----------
    learner : fitted
    calibrator : applied to every score; None leaves scores as they are
    columns : ``[{name, kind, levels}]``; those of the learner when None
    meta : what is known of the training run (JSON)
    """

    def __init__(
        self,
        learner: Learner,
        calibrator: AffineCalibrator | None = None,
        columns: Sequence[Mapping[str, Any]] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self.learner = learner
        self.calibrator = calibrator
        self.columns = learner.columns_.to_list() if columns is None else [dict(c) for c in columns]
        self.meta = dict(meta or {})
        self.signed_by: str | None = None  # the name of the trusted key that vouches for it; set when it is opened
        if Columns.from_list(self.columns) != learner.columns_:
            raise BundleError("the columns given differ from those the learner was trained on; leave them out")

    def encode(self, X: pd.DataFrame) -> FloatArray:
        """Columns matched by name and turned into numbers, (n, p).

        Raises
        ------
        CaseDataError
            A column is missing, renamed, re-typed or unknown. A level outside the declared ones is not an error: it
            counts as ``unknown``, or as missing where ``unknown`` is not a level.
        """
        return self.learner.columns_.encode(X)

    def survival(self, X: pd.DataFrame, weeks: npt.ArrayLike, entry: npt.ArrayLike | None = None) -> FloatArray:
        """P(open after each of ``weeks`` | open at ``entry``), (n, k), calibrated.

        Raises
        ------
        CaseDataError
            As :meth:`encode`, or a week or an entry is missing or negative.
        """
        matrix = self.encode(X)
        return self.survival_encoded(matrix, weeks, check_entry(entry, len(matrix)))

    def survival_encoded(self, matrix: FloatArray, weeks: npt.ArrayLike, entry: FloatArray) -> FloatArray:
        """:meth:`survival` of rows already encoded."""
        asked = np.atleast_1d(np.asarray(weeks, dtype=np.float64))
        return self._calibrated(self.learner.survival_encoded(matrix, asked, entry), asked, entry)

    def _calibrated(self, p: FloatArray, asked: FloatArray, entry: FloatArray) -> FloatArray:
        if self.calibrator is None or not p.size:
            return p
        if (asked[1:] >= asked[:-1]).all():
            out = self.calibrator.apply(p, entry)
        else:  # a calibrator keeps curves from rising along a row, so it must see the weeks in order
            order = np.argsort(asked, kind="stable")
            out = np.empty_like(p)
            out[:, order] = self.calibrator.apply(p[:, order], entry)
        return np.where(p == 1.0, 1.0, out)

    def contributions(self, X: pd.DataFrame, week: float, entry: npt.ArrayLike | None = None) -> pd.DataFrame:
        """What each column adds to the calibrated log-odds of being open after ``week``, (n, p + 1), last ``base``.

        Raises
        ------
        CaseDataError
            As :meth:`survival`.
        """
        matrix = self.encode(X)
        parts, base = self.contributions_encoded(matrix, week, check_entry(entry, len(matrix)))
        frame = pd.DataFrame(parts, columns=list(self.learner.columns_.names))
        frame["base"] = base
        return frame

    def contributions_encoded(
        self, matrix: FloatArray, week: float, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """:meth:`contributions` of rows already encoded: (n, p) parts and (n,) base."""
        parts, base = self.learner.contributions_encoded(matrix, week, entry)
        if self.calibrator is None:
            return parts, base
        slope = np.broadcast_to(self.calibrator.slope(entry), base.shape)
        return parts * slope[:, None], base * slope + self.calibrator.intercept(entry)

    def survival_and_parts(
        self, matrix: FloatArray, weeks: FloatArray, week: float, entry: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """:meth:`survival_encoded` and the parts of :meth:`contributions_encoded`: the same bits for less work."""
        p, parts = self.learner.survival_and_parts(matrix, weeks, week, entry)
        if self.calibrator is not None:
            parts = parts * self.calibrator.slope(entry)[:, None]
        return self._calibrated(p, weeks, entry), parts

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits that depend on everything in the bundle and on nothing else.

        An opened bundle keeps the version it was saved with: what this release would write of it may differ.
        """
        return self.content_version()

    def content_version(self) -> str:
        """The version of what the bundle holds now, worked out afresh: it tells whether anything changed in memory."""
        return _version({name: _sha(text) for name, text in self._files().items()})

    def save(self, folder: str | Path) -> Path:
        """Write the bundle; a bundle that stood there before is replaced only when the new one is whole.

        Raises
        ------
        OutputError
            The folder holds anything but a bundle, or cannot be written.
        """
        target = Path(folder)
        files = self._files()
        hashes = {name: _sha(text) for name, text in files.items()}
        manifest = {
            "format": FORMAT,
            "learner": self.learner.name,
            "version": _version(hashes),
            "schema": _sha(json.dumps(self.columns, sort_keys=True)),
            "libraries": {"python": platform.python_version()} | {name: installed(name) for name in LIBRARIES},
            "files": hashes,
        }
        with whole_folder(target, _names_in(target)) as made:
            for name, text in (files | {MANIFEST: _manifest_text(manifest)}).items():
                (made / name).write_bytes(text.encode())
        return target

    @classmethod
    def open(cls, folder: str | Path, trusted: Iterable[PublicKey] | None = None) -> Self:
        """Open and check a saved bundle.

        Parameters
        ----------
        trusted : the keys one of which must have signed it; those of ``RISK_SIGNING_PUBLIC_KEYS`` when None, and with none
            at all no signature is asked for

        Raises
        ------
        BundleError
            Says which check failed and what to do.
        ConfigError
            A key in ``RISK_SIGNING_PUBLIC_KEYS`` is none.
        """
        files, version, signer = _checked_files(Path(folder), trusted_keys() if trusted is None else tuple(trusted))
        body = json.loads(files.pop(BODY))
        golden = json.loads(files.pop(GOLDEN))
        bundle = cls(catalogue.from_files(files), _calibrator(body["calibrator"]), body["columns"], body["meta"])
        bundle.version, bundle.signed_by = version, None if signer is None else signer.name
        again = bundle._golden_survival(golden)
        if again.shape != (len(golden["entry"]), len(golden["weeks"])) or not np.allclose(
            again, np.array(golden["survival"]), rtol=0.0, atol=GOLDEN_TOLERANCE
        ):
            raise BundleError(
                f"{folder}: the golden cases score differently here than where the bundle was saved; "
                "install the library versions named in manifest.json, or train again"
            )
        return bundle

    def _files(self) -> dict[str, str]:
        body = {
            "columns": self.columns,
            "calibrator": None if self.calibrator is None else self.calibrator.to_dict(),
            "meta": self.meta,
        }
        golden = golden_cases(self.learner.columns_)
        golden["survival"] = self._golden_survival(golden).tolist()
        return self.learner.to_files() | {
            BODY: json.dumps(body, sort_keys=True, allow_nan=False),
            GOLDEN: json.dumps(golden, sort_keys=True, allow_nan=False),
        }

    def _golden_survival(self, golden: Mapping[str, Any]) -> FloatArray:
        matrix = np.array([[np.nan if v is None else v for v in row] for row in golden["rows"]], dtype=np.float64)
        entry = np.array(golden["entry"], dtype=np.float64)
        return self.survival_encoded(matrix.reshape(len(entry), -1), golden["weeks"], entry)


def golden_cases(columns: Columns) -> dict[str, Any]:
    """Made-up encoded cases that walk through numbers, levels and missing values; no real case is among them."""
    numbers = (None, -1.0, 0.0, 0.5, 1.0, 2.0, 7.0, 30.0, 45.0, 150.0, 10_000.0)
    rows = []
    for i in range(GOLDEN_ROWS):
        row = []
        for j, levels in enumerate(columns.levels):
            choices = numbers if levels is None else (None, *(float(c) for c in range(len(levels))))
            row.append(choices[(i + 3 * j) % len(choices)])
        rows.append(row)
    entry = [(0.0, 4.0 + 3 / 7, 8.0, 13.0, 22.0, 26.0, 39.0, 60.0)[i % 8] for i in range(GOLDEN_ROWS)]
    return {"rows": rows, "entry": entry, "weeks": list(HORIZONS)}


def _checked_files(folder: Path, trusted: Sequence[PublicKey]) -> tuple[dict[str, str], str, PublicKey | None]:
    """All files but the manifest, as text, the version and who signed it, after every check that needs no model.

    Raises
    ------
    BundleError
        Something is missing, changed, too much, or of another format.
    """
    try:
        signed = (folder / MANIFEST).read_bytes()
        manifest = json.loads(signed)
        form, version, hashes = manifest["format"], manifest["version"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(
            f"{folder} has no readable {MANIFEST}: not a bundle, or damaged; download it again"
        ) from error
    signatures = folder / SIGNATURES
    signer = None
    if trusted:
        made = signatures.read_bytes() if signatures.is_file() else None
        signer = check_signed(signed, made, trusted, str(folder))
    if form != FORMAT:
        raise BundleError(f"{folder} is in bundle format {form}, this version reads {FORMAT}; train again or upgrade")
    if not {BODY, GOLDEN, "learner.json"} <= set(hashes) or not all(SAFE_NAME.fullmatch(n) for n in hashes):
        raise BundleError(f"{folder}: {MANIFEST} does not list the files of a bundle; download it again")
    present = {p.name for p in folder.iterdir()} - {MANIFEST, SIGNATURES}
    missing, extra = sorted(set(hashes) - present), sorted(present - set(hashes))
    if missing or extra:
        said = [f"missing {', '.join(missing)}"] if missing else []
        said += [f"not of the bundle: {', '.join(extra)}"] if extra else []
        raise BundleError(f"{folder}: {'; '.join(said)}; download it again")
    files: dict[str, str] = {}
    for name, expected in sorted(hashes.items()):
        content = (folder / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != expected:
            raise BundleError(
                f"{folder}: {name} is not the file that was saved (its SHA-256 differs); download it again"
            )
        files[name] = content.decode()
    if _version(hashes) != version or _manifest_text(manifest).encode() != signed:
        raise BundleError(f"{folder}: {MANIFEST} was changed after saving; download it again")
    return files, str(version), signer


def _calibrator(stored: dict[str, Any] | None) -> AffineCalibrator | None:
    if stored is None:
        return None
    from models.calibration import Calibrator  # only bundles that have one need it

    calibrator: AffineCalibrator = Calibrator.from_dict(stored)
    return calibrator


def _names_in(folder: Path) -> set[str]:
    """The files of a bundle that stands there, which a newer one may replace; none when there is no bundle."""
    try:
        return {MANIFEST, SIGNATURES, *json.loads((folder / MANIFEST).read_text("utf-8"))["files"]}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _manifest_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as it is written, with a hash of the rest of it: no byte of it can change unnoticed."""
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    return json.dumps(rest | {"sha256": _sha(json.dumps(rest, sort_keys=True))}, indent=1, sort_keys=True)


def _version(hashes: Mapping[str, str]) -> str:
    return _sha(json.dumps(dict(hashes), sort_keys=True))[:12]
