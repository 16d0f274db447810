"""Vouching for a model: what promotion asks of a bundle before it goes into service, and the signature it leaves on it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from models import registry
from models.bundle import MANIFEST
from models.registry import BUNDLE_PATH, ModelVersion
from models.signing import SIGNATURES, SigningKey, add_signature, signing_key
from risk.errors import BundleError, RegistryError
from risk.files import whole_file


def approve_version(version: ModelVersion, home: Path | None = None) -> str | None:
    """Open the bundle of a version to see that it is sound, and sign it when ``RISK_SIGNING_KEY`` is set.

    The signature is put beside the bundle in the model store, where every door to the bundle finds it.

    Returns
    -------
    str or None
        The name of the key it was signed with; None when no key is set.

    Raises
    ------
    RegistryError
        When its files cannot be reached, or the signature cannot be put beside them.
    BundleError
        When the bundle is damaged, or is not the one that was registered.
    ConfigError
        When ``RISK_SIGNING_KEY`` holds no key.
    """
    key, ours = signing_key(), f"runs:/{version.run_id}/"
    if key is not None and not version.source.startswith(ours):
        raise RegistryError(
            f"version {version.number} does not lie with its run, so no signature can be put beside it; register it with "
            "'risk train', or promote without RISK_SIGNING_KEY"
        )
    with tempfile.TemporaryDirectory(prefix="risk52-") as folder:
        place = registry.download(version, BUNDLE_PATH, Path(folder), home)
        registry.open_downloaded(version, place, trusted=())  # whoever promotes is the one to vouch for it
        if key is None:
            return None
        signatures = sign_folder(place, key)
        store = registry.client(home)
        with registry.told_plainly(home), registry.quiet_mlflow():
            store.log_artifact(version.run_id, str(signatures), f"{version.source.removeprefix(ours)}/{BUNDLE_PATH}")
    return key.public.name


def sign_folder(folder: Path, key: SigningKey) -> Path:
    """Write the signature of ``key`` beside the manifest of a bundle; the path of the file with the signatures.

    Raises
    ------
    BundleError
        When the folder is no bundle.
    OutputError
        When the file cannot be written.
    """
    file = folder / SIGNATURES
    try:
        manifest, before = (folder / MANIFEST).read_bytes(), file.read_bytes() if file.is_file() else None
    except OSError:
        raise BundleError(f"{folder} is not a bundle; name the folder of one, or a registered version") from None
    with whole_file(file) as made:
        made.write_bytes(add_signature(manifest, before, key, str(folder)))
    return file
