"""How the case is going: the person's own expectation, the form, gradual return and fast track."""

from __future__ import annotations

import numpy as np

from risk.features.feature import Feature, direct
from risk.snapshot import Snapshot
from risk.weeks import DAYS_PER_WEEK, Floats


def _weeks_since(fact: str, snapshot: Snapshot) -> Floats:
    known_on = snapshot.known_on[fact]
    days = (snapshot.as_of - known_on).astype(np.float64)
    return np.where(np.isnat(known_on), np.nan, days) / DAYS_PER_WEEK


FEATURES = (
    direct(
        "expected_recovery", "progress",
        ("Forventer selv at være rask {value}", "Expects to be well {value}"),
        missing=("Har ikke oplyst egen forventning til raskmelding", "Has not said when recovery is expected"),
    ),
    direct(
        "form_received", "progress",
        ("Oplysningsskemaet er modtaget", "The information form has been received"),
        no_sentence=("Oplysningsskemaet er ikke modtaget", "The information form has not been received"),
        missing=("Oplysningsskemaet er ikke modtaget", "The information form has not been received"),
    ),
    direct(
        "partial_return_hours", "progress",
        ("Er delvist tilbage, {value} timer om ugen", "Is partly back at work, {value} hours a week"),
        missing=("Er ikke begyndt delvist igen", "Has not begun to return to work"),
    ),
    Feature(
        "weeks_since_partial_return", "progress", ("partial_return_hours",),
        lambda s: _weeks_since("partial_return_hours", s),
        ("Delvist tilbage siden {value} uger", "Partly back at work for {value} weeks"),
        ("Er ikke begyndt delvist igen", "Has not begun to return to work"),
    ),
    direct(
        "fast_track", "progress", ("Fast track: {value}", "Fast track: {value}"),
        missing=("Ingen har bedt om fast track", "Nobody has asked for a fast track"),
    ),
)  # fmt: skip
