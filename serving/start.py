"""What must hold before the service starts: a store, a secret of one's own, and somebody who may ask.

In production all three are asked for. In development, on this machine only, the ledger is sealed with a key everybody
knows, in a store of its own, and nobody is asked for a key as long as there is none.
"""

from __future__ import annotations

import gc
import ipaddress
import sys
from dataclasses import dataclass
from datetime import UTC, datetime

from risk.errors import ConfigError
from risk.home import home
from serving.access import Doorkeeper
from serving.heap import keep_memory
from serving.settings import Settings
from serving.store.engine import Store, default_url, open_store
from serving.store.keys import KeyRing
from serving.store.ledger import Seals, begin_chain
from serving.tokens import Issuer

KNOWN_TO_ALL = "for development only; everybody knows this key"
LEAST_SECRET, LEAST_SIGNS = 32, 8
_MAKE_ONE = "make one with: openssl rand -hex 32"


@dataclass(frozen=True)
class Behind:
    """What stands behind an application: its store, the secret of its ledger, its keys and who minds the door."""

    store: Store
    seals: Seals
    keys: KeyRing
    keeper: Doorkeeper

    def close(self) -> None:
        self.store.close()


def open_behind(settings: Settings) -> Behind:
    """Open the store and see who may ask.

    Raises
    ------
    ConfigError
        Outside development: the secret is missing or weak, or there is no key and no sign-in service.
    StoreError
        The store cannot be opened, or its ledger is sealed with another secret.
    """
    seals = seals_of(settings)
    names_issuer = settings.oidc_issuer or settings.oidc_audience or settings.oidc_jwks
    issuer = Issuer(settings) if names_issuer else None
    store = open_store(store_url(settings))
    try:
        begin_chain(store, seals)
        keys = KeyRing(store)
        keys.refresh()
        has_callers = issuer is not None or keys.has_usable(datetime.now(UTC))
        if not has_callers and settings.environment == "production":
            raise ConfigError(
                "nobody may ask yet: make a key with 'risk keys create SYSTEM --office OFFICE --scope score:write', "
                "or try the service out on this machine with 'risk serve --dev'"
            )
        keeper = Doorkeeper(keys, issuer, settings.rate, settings.denied_rate, is_open=not has_callers)
    except BaseException:
        store.close()
        raise
    return Behind(store, seals, keys, keeper)


def store_url(settings: Settings) -> str:
    """The store named in the settings, or one in RISK_HOME; development never writes into that of production."""
    if settings.store:
        return settings.store
    return f"sqlite:///{home() / 'store-dev.db'}" if settings.environment == "development" else default_url()


def seals_of(settings: Settings) -> Seals:
    """The secret that seals the ledger.

    Raises
    ------
    ConfigError
        It is missing, too short or one that everybody knows, outside development.
    """
    given = settings.ledger_key.get_secret_value() if settings.ledger_key else ""
    if settings.environment == "development":
        given = given or KNOWN_TO_ALL
    elif not given:
        raise ConfigError(f"RISK_LEDGER_KEY is not set; {_MAKE_ONE} (or try 'risk serve --dev' on this machine)")
    elif given == KNOWN_TO_ALL or len(given) < LEAST_SECRET or len(set(given)) < LEAST_SIGNS:
        raise ConfigError(f"RISK_LEDGER_KEY is too short or too simple; {_MAKE_ONE}")
    older = settings.ledger_key_older.get_secret_value().encode() if settings.ledger_key_older else None
    return Seals(given.encode(), older)


def settle() -> None:
    """Make a process that does nothing but serve ready for it; called once, when the model is there.

    What is loaded by now stays to the end, so the collector need not walk through it again and again: doing so stopped every
    request for as long as it takes to score hundreds. And a thread that has been to the disk gets its turn sooner.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # what is frozen no longer counts for how much rubbish there must be before all of it is looked through
    # Some rubbish of every connection waits for the collector: seldom enough not to be felt, often enough not to pile up.
    gc.set_threshold(10_000, 10, 10)
    sys.setswitchinterval(0.001)
    keep_memory()


def check_host(settings: Settings, host: str) -> None:
    """Development must not be reachable from other machines.

    Raises
    ------
    ConfigError
    """
    if settings.environment == "development" and not _is_loopback(host):
        raise ConfigError(
            f"{host} can be reached from other machines, and development asks for no secrets; listen on 127.0.0.1, "
            "or leave out --dev and RISK_ENVIRONMENT=development"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
