"""Tokens (JWT) of the office's own sign-in service (OpenID Connect), checked offline against its published keys."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt

from risk.errors import ConfigError
from serving.settings import Settings
from serving.store.keys import SCOPES

# Asymmetric only: with a shared secret, whoever can check a token could also make one.
ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
LEEWAY_SECONDS = 60
KEYS_LIVE_SECONDS = 600.0
# A token may name a key that is not known yet; whoever makes such tokens up must not make us ask without end.
LEAST_SECONDS_BETWEEN = 30.0
FETCH_SECONDS = 5.0
LONGEST_TOKEN = 8_192
log = logging.getLogger("risk.serving")


class Issuer:
    """One issuer whose tokens are accepted.

    Raises
    ------
    ConfigError
        Issuer, audience, address of the keys or algorithms are missing or cannot be used.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        if not (settings.oidc_issuer and settings.oidc_audience and settings.oidc_jwks):
            raise ConfigError("RISK_OIDC_ISSUER, RISK_OIDC_AUDIENCE and RISK_OIDC_JWKS belong together; set all three")
        self.algorithms = settings.oidc_algorithms.replace(",", " ").split()
        if not self.algorithms or not ALGORITHMS.issuperset(self.algorithms):
            raise ConfigError(f"RISK_OIDC_ALGORITHMS must be out of {', '.join(sorted(ALGORITHMS))}")
        parts = urlsplit(settings.oidc_jwks)
        if parts.scheme == "http" and settings.environment != "development":
            raise ConfigError(
                "RISK_OIDC_JWKS must be https, or a file: whoever changes the keys lets in whom they like"
            )
        self._is_file = parts.scheme not in ("http", "https")
        self.issuer, self.audience, self._where = settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks
        self._scope_claim, self._office_claim = settings.oidc_scope_claim, settings.oidc_office_claim
        self._clock, self._lock = clock, threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._asked_at = float("-inf")

    def needs_keys(self, token: str) -> bool:
        """Whether the keys must be fetched (which takes time) before this token can be checked."""
        waited = self._clock() - self._asked_at
        return waited > KEYS_LIVE_SECONDS or (_key_id(token) not in self._keys and waited > LEAST_SECONDS_BETWEEN)

    def fetch_keys(self) -> None:
        """Read the issuer's keys; when that fails, those known before go on."""
        with self._lock:
            if self._clock() - self._asked_at <= LEAST_SECONDS_BETWEEN:
                return  # another request has just asked
            self._asked_at = self._clock()
            try:
                found = jwt.PyJWKSet.from_dict(self._read())
            except (jwt.PyJWTError, OSError, ValueError) as why:
                log.error("the keys of the token issuer could not be read (%s)", type(why).__name__)
                return
            self._keys = {key.key_id: key for key in found.keys if key.key_id}

    def _read(self) -> dict[str, Any]:
        if self._is_file:
            given: dict[str, Any] = json.loads(Path(self._where).read_text("utf-8"))
            return given
        return jwt.PyJWKClient(self._where, cache_keys=False, cache_jwk_set=False, timeout=FETCH_SECONDS).fetch_data()

    def check(self, token: str) -> tuple[str, str, frozenset[str]] | None:
        """Subject, office and scopes of a token; None when anything about it is not as it must be."""
        key = self._keys.get(_key_id(token) or "")
        if key is None or len(token) > LONGEST_TOKEN:
            return None
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=self.algorithms,
                audience=self.audience,
                issuer=self.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iat", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        office = claims.get(self._office_claim)
        if not isinstance(office, str) or not office or len(office) > 64:
            return None
        return f"{claims['sub']}", office, frozenset(_scopes(claims.get(self._scope_claim)))


def _scopes(given: object) -> set[str]:
    named = given.split() if isinstance(given, str) else given if isinstance(given, list) else []
    return {s for s in named if isinstance(s, str)} & set(SCOPES)


def _key_id(token: str) -> str | None:
    try:
        found = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, ValueError):
        return None
    return found if isinstance(found, str) else None
