"""RISK_HOME: the one folder on this machine where models, runs and the store are kept."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """``$RISK_HOME``, or ``.risk`` in the working folder; absolute, not necessarily there yet."""
    return Path(os.environ.get("RISK_HOME") or ".risk").expanduser().resolve()
