"""The clocks of a case: its age, how late the office learned of it, and the season it began in.

Season is the only calendar time a model may see: the year would tell it who was followed up, not who stays.
"""

from __future__ import annotations

import numpy as np

from risk.features.feature import Feature
from risk.snapshot import Snapshot
from risk.weeks import DAYS_PER_WEEK, Floats


def _delay(snapshot: Snapshot) -> Floats:
    return (snapshot.registered_on - snapshot.opened_on).astype(np.float64) / DAYS_PER_WEEK


def _season(snapshot: Snapshot) -> Floats:
    """Radians through the year of the opening day."""
    return 2.0 * np.pi * snapshot.day_of_year / 365.25


FEATURES = (
    Feature(
        "age_weeks", "clock", (), lambda s: s.age_weeks,
        ("Fraværet har varet {value} uger", "The absence has lasted {value} weeks"), ("", ""),
    ),
    Feature(
        "registration_delay_weeks", "clock", (), _delay,
        ("Kommunen fik besked {value} uger efter første fraværsdag", "The office was told {value} weeks after the first day of absence"),
        ("", ""), decimals=1,
    ),
    Feature(
        "season_cos", "clock", (), lambda s: np.cos(_season(s)),
        ("Fraværet begyndte på denne årstid", "The absence began at this time of year"), ("", ""),
    ),
    Feature(
        "season_sin", "clock", (), lambda s: np.sin(_season(s)),
        ("Fraværet begyndte på denne årstid", "The absence began at this time of year"), ("", ""),
    ),
)  # fmt: skip
