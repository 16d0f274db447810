"""Where trained models are found: versions and aliases of the registered model ``risk52`` in MLflow.

A registered version is a folder MLflow can load (``MLmodel``) that holds the bundle under ``data/bundle`` and the run's
``gates.json``. :func:`champion_bundle` takes the bundle alone, which is text: nothing is unpickled, and no code that came
with a model is run. ``mlflow.pyfunc.load_model("models:/risk52@champion")`` opens the same folder through
:mod:`models.pyfunc`.

The store is an SQLite file in ``RISK_HOME`` unless ``MLFLOW_TRACKING_URI`` and ``MLFLOW_REGISTRY_URI`` name another.
MLflow is imported when a function needs it, never before.
"""

from __future__ import annotations

import json
import logging
import os
import re
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.bundle import Bundle
from models.signing import PublicKey
from risk.errors import BundleError, RegistryError, RiskError
from risk.home import home as risk_home

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL = "risk52"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
BUNDLE_PATH, GATES_FILE = "data/bundle", "gates.json"

_NAMED = re.compile(rf"^models:/{MODEL}(?:@(?P<alias>[\w-]+)|/(?P<number>\d+))$")


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of the model.

    Attributes
    ----------
    number : int
    aliases : tuple of str
        ``champion``, ``challenger``, ``previous``, or none.
    source : str
        Where its folder lies, e.g. ``runs:/<run>/bundle``.
    run_id : str
        The MLflow run that made it.
    created_at : datetime
        UTC.
    tags : dict
        ``as_of``, ``learner``, ``is_synthetic``, ``gates``, ``bundle_version``, and who promoted it, when and why.
    """

    number: int
    aliases: tuple[str, ...]
    source: str
    run_id: str
    created_at: datetime
    tags: dict[str, str]


def tracking_uri(home: Path | None = None) -> str:
    """Where runs are kept: ``MLFLOW_TRACKING_URI``, or the SQLite file in ``RISK_HOME``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(home or risk_home()) / 'mlflow.db'}"


def registry_uri(home: Path | None = None) -> str:
    """Where versions and aliases are kept: ``MLFLOW_REGISTRY_URI``, or with the runs."""
    return os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri(home)


def client(home: Path | None = None, *, create: bool = False) -> MlflowClient:
    """A client of the store.

    Parameters
    ----------
    create : bool
        Make the local store when it is not there (the first time takes some seconds).

    Raises
    ------
    RegistryError
        When the store is not there or cannot be reached.
    """
    local = {uri for uri in (tracking_uri(home), registry_uri(home)) if uri.startswith("sqlite:///")}
    for uri in local:
        file = Path(uri.removeprefix("sqlite:///"))
        if not create and not file.is_file():
            raise RegistryError(f"there are no models yet ({file} is not there); make one with 'risk train REGISTER'")
        with told_plainly(home):
            file.parent.mkdir(parents=True, exist_ok=True)
    with told_plainly(home), quiet_mlflow():
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri(home), registry_uri(home))


def versions(home: Path | None = None) -> list[ModelVersion]:
    """Every registered version, newest first; empty when nothing was registered.

    Raises
    ------
    RegistryError
        When the store is not there or cannot be reached.
    """
    store = client(home)
    with told_plainly(home), quiet_mlflow():
        if not store.search_registered_models(f"name = '{MODEL}'"):
            return []
        aliases = store.get_registered_model(MODEL).aliases
        found = list(_all_pages(store))
    return sorted((_version(v, aliases) for v in found), key=lambda v: -v.number)


def find_version(name: str, home: Path | None = None) -> ModelVersion:
    """The version with an alias or a number: ``champion``, ``3``, ``models:/risk52@champion`` or ``models:/risk52/3``.

    Raises
    ------
    RegistryError
        When there is no such version; says which there are.
    """
    full = _NAMED.match(name)
    wanted = (full["alias"] or full["number"]) if full else name
    found = _looked_up(client(home), wanted, home)
    if found is not None:
        return found
    known = versions(home)
    if not known:
        raise RegistryError(f"no version of model {MODEL} is registered yet; make one with 'risk train REGISTER'")
    if wanted == CHAMPION:
        raise RegistryError(
            f"no champion yet: version {known[0].number} is the newest; see its report, then run 'risk promote'"
        )
    there = ", ".join(str(v.number) for v in known[:5]) + (", ..." if len(known) > 5 else "")
    raise RegistryError(f"model {MODEL} has no version or alias {wanted!r}; there are versions {there}")


def champion_bundle(uri: str = f"models:/{MODEL}@{CHAMPION}", home: Path | None = None) -> Bundle:
    """Open a model: the champion, another alias or version, or a bundle in a local folder.

    Parameters
    ----------
    uri : str
        As in :func:`find_version`, or the path of a bundle folder.

    Raises
    ------
    RegistryError
        When there is no such model; says what to run.
    BundleError
        When the bundle is damaged, or is not the one that was registered.
    """
    if Path(uri).is_dir():
        return Bundle.open(Path(uri))
    if "/" in uri and not uri.startswith("models:"):
        raise RegistryError(
            f"{uri} is not a folder; name a bundle's folder, or a registered model (models:/{MODEL}@{CHAMPION})"
        )
    return open_version(find_version(uri, home), home)


def open_version(version: ModelVersion, home: Path | None = None) -> Bundle:
    """Open the bundle of a registered version.

    Raises
    ------
    RegistryError
        When its files are gone or cannot be reached.
    BundleError
        When the bundle is damaged, is not the one that was registered, or is not signed by a trusted key
        (:mod:`models.signing`).
    """
    with tempfile.TemporaryDirectory(prefix="risk52-") as folder:
        return open_downloaded(version, download(version, BUNDLE_PATH, Path(folder), home))


def open_downloaded(version: ModelVersion, place: Path, trusted: Iterable[PublicKey] | None = None) -> Bundle:
    """Open the files of a version where they were put, and see that they are those that were registered.

    Raises
    ------
    BundleError
        As :func:`open_version`.
    """
    bundle = Bundle.open(place, trusted)
    registered = version.tags.get("bundle_version", bundle.version)
    if bundle.version != registered:
        raise BundleError(
            f"version {version.number} of model {MODEL} holds bundle {bundle.version}, but {registered} was registered; "
            "train again, and find out who changed it"
        )
    return bundle


def download(version: ModelVersion, path: str, folder: Path, home: Path | None = None) -> Path:
    """Bring a file or folder of a registered version into ``folder``; where it lies then.

    Raises
    ------
    RegistryError
        When it is gone or cannot be reached.
    """
    with told_plainly(home), quiet_mlflow():
        from mlflow.artifacts import download_artifacts

        return Path(
            download_artifacts(
                artifact_uri=f"{version.source}/{path}", dst_path=str(folder), tracking_uri=tracking_uri(home)
            )
        )


def gates_of(version: ModelVersion, home: Path | None = None) -> list[dict[str, Any]]:
    """The gates a version met when it was trained: ``number, name, title, status, value, limit, text`` each.

    Raises
    ------
    RegistryError
        When the file is gone or damaged.
    """
    with tempfile.TemporaryDirectory(prefix="risk52-") as folder:
        text = download(version, GATES_FILE, Path(folder), home).read_text("utf-8")
    try:
        gates: list[dict[str, Any]] = json.loads(text)
        statuses = [gate["status"] for gate in gates]
    except (ValueError, TypeError, KeyError):
        raise RegistryError(f"the gates of version {version.number} are damaged; train again") from None
    if not statuses:
        raise RegistryError(f"version {version.number} met no gates; train again")
    return gates


def register(source: str, run_id: str, tags: dict[str, str], home: Path | None = None) -> int:
    """Register the folder ``source`` (``runs:/<run>/bundle``) as the next version, and return its number.

    Raises
    ------
    RegistryError
        When the store cannot be reached.
    """
    store = client(home)
    with told_plainly(home), quiet_mlflow():
        if not store.search_registered_models(f"name = '{MODEL}'"):
            store.create_registered_model(
                MODEL, description="P(a sickness-benefit case exceeds 52 weeks). Orders follow-up, and nothing else."
            )
        return int(store.create_model_version(MODEL, source, run_id=run_id, tags=tags).version)


def set_alias(alias: str, number: int, home: Path | None = None) -> None:
    """Point an alias at a version; whatever it pointed at before loses it.

    Raises
    ------
    RegistryError
        When there is no such version, or the store cannot be reached.
    """
    store = client(home)
    with told_plainly(home), quiet_mlflow():
        store.set_registered_model_alias(MODEL, alias, str(number))


def set_tags(number: int, tags: dict[str, str], home: Path | None = None, *, description: str | None = None) -> None:
    """Write tags, and a description if given, on a version.

    Raises
    ------
    RegistryError
        When there is no such version, or the store cannot be reached.
    """
    store = client(home)
    with told_plainly(home), quiet_mlflow():
        for key, value in tags.items():
            store.set_model_version_tag(MODEL, str(number), key, value)
        if description is not None:
            store.update_model_version(MODEL, str(number), description)


def without_password(text: str) -> str:
    """An address, or a text that holds one, fit to be shown.

    >>> without_password("https://anna:secret@mlflow.example/x")
    'https://...@mlflow.example/x'
    """
    return re.sub(r"://[^/@\s]*@", "://...@", text)


@contextmanager
def quiet_mlflow() -> Iterator[None]:
    """MLflow without telemetry, without waiting minutes for a dead server, and without messages about its own insides."""
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    levels = [logger.level for logger in loggers]
    # Filters of warnings belong to the whole process: a thread of a service leaves them alone.
    is_alone = threading.current_thread() is threading.main_thread()
    with warnings.catch_warnings() if is_alone else nullcontext():
        # MLflow 3.17 warns at its own import, of SQLAlchemy 2.1 and of its own type hints; a user can do nothing about it.
        if is_alone:
            warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def told_plainly(home: Path | None = None) -> Iterator[None]:
    """Turn what MLflow and its database raise into one line.

    Raises
    ------
    RegistryError
        Instead of any error of MLflow, its database, a missing database driver, or the file system.
    """
    with quiet_mlflow():
        from mlflow.exceptions import MlflowException
        from mlflow.store.db.utils import sqlalchemy  # its errors come through MLflow as they are
    try:
        yield
    except RiskError:
        raise  # some are OSErrors too, and say more
    except (MlflowException, sqlalchemy.exc.SQLAlchemyError, OSError, ModuleNotFoundError) as why:
        first_line = (str(why).splitlines() or [""])[0][:200]
        raise RegistryError(
            f"the model store {without_password(registry_uri(home))} did not answer ({type(why).__name__}: "
            f"{without_password(first_line)}); check MLFLOW_TRACKING_URI, MLFLOW_REGISTRY_URI and RISK_HOME"
        ) from why


_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def _looked_up(store: MlflowClient, wanted: str, home: Path | None) -> ModelVersion | None:
    """The version of a number or alias, None when there is none; a service that waits for a new champion asks this often."""
    with told_plainly(home), quiet_mlflow():
        from mlflow.exceptions import MlflowException

        try:
            ask = store.get_model_version if wanted.isdigit() else store.get_model_version_by_alias
            found = ask(MODEL, wanted)
        except MlflowException as why:
            if why.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
    return _version(found, dict.fromkeys(found.aliases, found.version))


def _all_pages(store: MlflowClient) -> Iterator[Any]:
    token: str | None = None
    while True:
        page = store.search_model_versions(f"name = '{MODEL}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _version(found: Any, aliases: dict[str, str]) -> ModelVersion:
    number = int(found.version)
    return ModelVersion(
        number=number,
        aliases=tuple(sorted(alias for alias, held in aliases.items() if int(held) == number)),
        source=found.source.rstrip("/"),
        run_id=found.run_id or "",
        created_at=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        tags=dict(found.tags),
    )
