"""Settings of the service: machine and limits, read once from the environment (``RISK_...``), never at import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from risk.errors import ConfigError
from risk.outcomes import first_complaint


class Settings(BaseSettings):
    """What the service may be told by its environment; an argument wins over the environment.

    Attributes
    ----------
    model : str
        A registered model (``models:/risk52@champion``) or the folder of a bundle.
    environment : str
        ``development``, on this machine only, asks for no key as long as there is none, and serves the page /docs.
    store : str, optional
        Address of the database; a SQLite file in RISK_HOME when not given.
    ledger_key, ledger_key_older : str, optional
        Secret that seals the ledger, and the former one while it is being changed.
    oidc_issuer, oidc_audience, oidc_jwks : str, optional
        A sign-in service whose tokens are accepted: its name, ours in its tokens, and the address or file of its keys.
    oidc_algorithms, oidc_scope_claim, oidc_office_claim : str
        Signatures accepted, and the claims that hold scopes and office.
    rate, denied_rate : str
        Requests of one caller, and failed tries from one address, before 429; in each process.
    keys_seconds : float
        How often the keys are read again; a revoked key ends no later.
    max_body_bytes, max_cases, max_batch, max_facts : int
        Largest request, most cases in one to /v1/scores and to /v1/scores:batch, and most facts of one case.
    n_reasons : int
        Reasons told per case, from both directions together.
    threads, queue : int
        Requests scored at a time, and requests that may wait before the service answers 503.
    refresh_seconds : float
        How often the registry is asked whether the champion has moved; 0 asks only at start.
    registry_seconds : float
        How long the registry may take to answer before the service goes on with the model it has.
    web_key : str, optional
        Secret that the forms of the staff's page and its addresses of cases are made with.
    web_contact : str
        Whom to tell when a page is not accessible, as the accessibility statement names it.
    sign_in_rate : str
        Tries to sign in from one address before 429; in each process.
    session_idle_minutes, session_hours : float
        A session of the staff's page ends when nothing was asked for so long, and in any case after so many hours.
    keep_scores_days, keep_lists_days, keep_feedback_days, keep_views_days : int
        How long the store keeps what is personal (:mod:`serving.store.retention` says why so long); ``risk store expire``.
    """

    model_config = SettingsConfigDict(env_prefix="RISK_", extra="forbid", frozen=True)

    model: str = "models:/risk52@champion"
    environment: Literal["production", "development"] = "production"
    store: str | None = None
    ledger_key: SecretStr | None = None
    ledger_key_older: SecretStr | None = None
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_jwks: str | None = None
    oidc_algorithms: str = "RS256 ES256"
    oidc_scope_claim: str = "scope"
    oidc_office_claim: str = "office"
    rate: str = "6000/minute"
    denied_rate: str = "60/minute"
    keys_seconds: float = Field(5.0, ge=0.0, le=60.0)
    max_body_bytes: int = Field(16_777_216, ge=1_024, le=67_108_864)
    max_cases: int = Field(1_000, ge=1, le=100_000)
    max_batch: int = Field(5_000, ge=1, le=100_000)
    max_facts: int = Field(200, ge=1, le=10_000)
    n_reasons: int = Field(4, ge=0, le=10)
    threads: int = Field(2, ge=1, le=64)
    queue: int = Field(32, ge=1, le=10_000)
    refresh_seconds: float = Field(15.0, ge=0.0, le=86_400.0)
    registry_seconds: float = Field(8.0, gt=0.0, le=300.0)
    web_key: SecretStr | None = None
    web_contact: str = Field("", max_length=200)
    sign_in_rate: str = "20/minute"
    session_idle_minutes: float = Field(30.0, gt=0.0, le=480.0)
    session_hours: float = Field(10.0, gt=0.0, le=24.0)
    keep_scores_days: int = Field(1825, ge=1, le=36_500)
    keep_lists_days: int = Field(730, ge=1, le=36_500)
    keep_feedback_days: int = Field(730, ge=1, le=36_500)
    keep_views_days: int = Field(365, ge=1, le=36_500)


def read_settings(**given: object) -> Settings:
    """Settings from the environment, with those given here on top; ``None`` counts as not given.

    Raises
    ------
    ConfigError
        When a value cannot be used; names the setting, never its value.
    """
    try:
        return Settings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]  # pydantic checks the kinds
    except ValidationError as broken:
        setting, _, what = first_complaint(broken).partition(":")
        raise ConfigError(f"setting RISK_{setting.upper()}:{what}") from None
