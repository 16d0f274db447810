"""Settings of the service: machine and limits, read once from the environment (``RISK_...``), never at import."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, ValidationError
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
        ``development`` also serves the interactive documentation page.
    max_body_bytes, max_cases, max_facts : int
        Largest request, most cases in it, and most facts of one case.
    n_reasons : int
        Reasons told per case, from both directions together.
    threads, queue : int
        Requests scored at a time, and requests that may wait before the service answers 503.
    refresh_seconds : float
        How often the registry is asked whether the champion has moved; 0 asks only at start.
    """

    model_config = SettingsConfigDict(env_prefix="RISK_", extra="forbid", frozen=True)

    model: str = "models:/risk52@champion"
    environment: Literal["production", "development"] = "production"
    max_body_bytes: int = Field(4_194_304, ge=1_024, le=67_108_864)
    max_cases: int = Field(1_000, ge=1, le=100_000)
    max_facts: int = Field(200, ge=1, le=10_000)
    n_reasons: int = Field(4, ge=0, le=10)
    threads: int = Field(2, ge=1, le=64)
    queue: int = Field(32, ge=1, le=10_000)
    refresh_seconds: float = Field(15.0, ge=0.0, le=86_400.0)


def read_settings(**given: object) -> Settings:
    """Settings from the environment, with those given here on top; ``None`` counts as not given.

    Raises
    ------
    ConfigError
        When a value cannot be used; names the setting, never its value.
    """
    try:
        return Settings(**{k: v for k, v in given.items() if v is not None})  # type: ignore[arg-type]
    except ValidationError as broken:
        raise ConfigError(f"setting RISK_{first_complaint(broken)}") from None
