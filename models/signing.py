"""Who vouches for a model: Ed25519 signatures over a bundle's manifest, made when it is promoted.

The manifest holds the SHA-256 of every other file, so a signature over its bytes covers the whole bundle. It lies beside it
in ``signatures.json`` and may hold several, which is how keys are changed: both are trusted while the new one takes over.

``RISK_SIGNING_KEY`` (who promotes) is a secret key or the file that holds it; ``RISK_SIGNING_PUBLIC_KEYS`` (who opens) is
public keys or files of them, with spaces or commas between. As soon as one is named, a bundle without a good signature is
refused before anything reads it; with none, bundles are opened unchecked, and the service says so in ``/v1/model``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from risk.errors import BundleError, ConfigError, OutputError

if TYPE_CHECKING:  # the library is loaded only where something is signed or checked
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNATURES = "signatures.json"
SECRET_KEY, PUBLIC_KEYS = "RISK_SIGNING_KEY", "RISK_SIGNING_PUBLIC_KEYS"
SECRET_SIGN, PUBLIC_SIGN = "risk52-secret-", "risk52-public-"
# What is signed begins with this, so that a signature for another purpose can never pass for one over a bundle.
_PURPOSE = b"risk52 bundle manifest 1\n"
_ENCODED = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class PublicKey:
    """A key that signatures are checked with; ``raw`` is its 32 bytes."""

    raw: bytes

    @property
    def name(self) -> str:
        """Sixteen hexadecimal digits that tell keys apart; no secret."""
        return hashlib.sha256(self.raw).hexdigest()[:16]

    @property
    def text(self) -> str:
        return PUBLIC_SIGN + _encoded(self.raw)

    def is_of(self, signature: bytes, message: bytes) -> bool:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except (InvalidSignature, ValueError):  # a point that is none is a ValueError
            return False
        return True


class SigningKey:
    """A secret key; it is shown by nothing but :attr:`text`."""

    def __init__(self, secret: Ed25519PrivateKey) -> None:
        self._secret = secret
        self.public = PublicKey(secret.public_key().public_bytes_raw())

    @classmethod
    def make(cls) -> SigningKey:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return cls(Ed25519PrivateKey.generate())

    @property
    def text(self) -> str:
        return SECRET_SIGN + _encoded(self._secret.private_bytes_raw())

    def sign(self, manifest: bytes) -> dict[str, str]:
        """One entry of the signatures of a bundle with this manifest."""
        made = self._secret.sign(_PURPOSE + manifest)
        return {"key": self.public.name, "signature": base64.b64encode(made).decode()}


def signing_key(environment: Mapping[str, str] = os.environ) -> SigningKey | None:
    """The key to sign with, None when none is configured.

    Raises
    ------
    ConfigError
        When what is configured is neither a secret key nor a file that holds one.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    given = environment.get(SECRET_KEY, "").strip()
    if not given:
        return None
    found = _texts(given, SECRET_SIGN, SECRET_KEY)
    if len(found) != 1:
        raise ConfigError(f"{SECRET_KEY} holds {len(found)} keys, and signing takes one; name one key or one file")
    return SigningKey(Ed25519PrivateKey.from_private_bytes(_decoded(found[0], SECRET_SIGN, SECRET_KEY)))


def trusted_keys(environment: Mapping[str, str] = os.environ) -> tuple[PublicKey, ...]:
    """The keys whose signatures count; empty when none is configured.

    Raises
    ------
    ConfigError
        When what is configured is neither a public key nor a file of them.
    """
    given = environment.get(PUBLIC_KEYS, "")
    items = [item for item in re.split(r"[\s,]+", given) if item]
    texts = [text for item in items for text in _texts(item, PUBLIC_SIGN, PUBLIC_KEYS)]
    if items and not texts:
        raise ConfigError(f"{PUBLIC_KEYS} names a file without a key; make a pair with 'risk signing new'")
    return tuple(PublicKey(_decoded(text, PUBLIC_SIGN, PUBLIC_KEYS)) for text in texts)


def check_signed(manifest: bytes, signatures: bytes | None, trusted: Iterable[PublicKey], where: str) -> PublicKey:
    """The trusted key that signed a manifest.

    Parameters
    ----------
    signatures : the bytes of ``signatures.json``; None when there is none
    where : what the bundle is called in a message

    Raises
    ------
    BundleError
        Nobody who is trusted has signed these very bytes.
    """
    if signatures is None:
        raise BundleError(
            f"{where} is not signed, and {PUBLIC_KEYS} asks for it; promote it, or 'risk signing sign' it"
        )
    entries = _entries(signatures, where)
    for key in trusted:
        if any(name == key.name and key.is_of(made, _PURPOSE + manifest) for name, made in entries):
            return key
    raise BundleError(
        f"{where} carries no good signature of a key in {PUBLIC_KEYS}: it was changed, or signed by somebody else; "
        "find out who, or sign it again with 'risk signing sign'"
    )


def add_signature(manifest: bytes, signatures: bytes | None, key: SigningKey, where: str) -> bytes:
    """``signatures.json`` with the signature of ``key``, beside those of other keys that were there.

    Raises
    ------
    BundleError
        When what was there cannot be read.
    """
    others = [] if signatures is None else _entries(signatures, where)
    kept = [{"key": n, "signature": base64.b64encode(s).decode()} for n, s in others if n != key.public.name]
    return json.dumps({"format": 1, "signatures": [*kept, key.sign(manifest)]}, indent=1).encode()


def write_secret(key: SigningKey, path: Path) -> None:
    """Write a secret key into a new file that its owner alone may read.

    Raises
    ------
    OutputError
        When there is a file already, or none can be made.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(key.text + "\n")
    except FileExistsError:
        raise OutputError(f"{path} exists; a key is never written over another one: choose another name") from None
    except OSError as why:
        raise OutputError(f"cannot write {path} ({why.strerror}); choose another place") from None


def _entries(signatures: bytes, where: str) -> list[tuple[str, bytes]]:
    try:
        found = json.loads(signatures)
        return [(str(e["key"]), base64.b64decode(e["signature"], validate=True)) for e in found["signatures"]]
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise BundleError(f"{where}: {SIGNATURES} cannot be read; sign it again with 'risk signing sign'") from None


def _texts(item: str, sign: str, setting: str) -> list[str]:
    """The keys an item stands for: itself, or the lines of the file it names."""
    if item.startswith(sign):
        return [item]
    try:
        lines = Path(item).read_text("utf-8").splitlines()
    except (OSError, ValueError):
        raise ConfigError(f"{setting} is neither a key ({sign}...) nor a file that can be read") from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str, sign: str, setting: str) -> bytes:
    """The 32 bytes of a key; what stands there is never repeated: it may be the secret in the wrong place."""
    encoded = text.removeprefix(sign)
    if not text.startswith(sign) or not _ENCODED.fullmatch(encoded):
        raise ConfigError(f"{setting} holds something that is not a key ({sign}...); make one with 'risk signing new'")
    return base64.urlsafe_b64decode(encoded + "=")
