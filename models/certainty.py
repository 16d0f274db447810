"""How well a score is known: the interval a bundle's calibrator gives around probabilities it has calibrated."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from models.arrays import FloatArray
from models.bundle import Bundle
from models.calibration import Calibrator


class Around(NamedTuple):
    """Low and high ends, (n,) each, and whether they are meant for one case's chance or for that of its equals in score."""

    low: FloatArray
    high: FloatArray
    covers: Literal["case", "equals"]


def score_interval(bundle: Bundle, p: FloatArray, entry: FloatArray, coverage: float = 0.9) -> Around | None:
    """The interval around calibrated probabilities of one week; None when nothing was learned of them.

    What it covers, and what it cannot, stands at :meth:`models.calibration.Calibrator.interval`.

    Parameters
    ----------
    p : (n,)
        P(open past the week), as the bundle answers it.
    entry : (n,)
        Weeks already open.
    """
    calibrator = bundle.calibrator
    if not isinstance(calibrator, Calibrator) or calibrator.is_identity:
        return None
    low, high = calibrator.around(p, entry, coverage)
    # To the log-odds and back costs a bit of the last place; the score itself is never outside.
    covers: Literal["case", "equals"] = "case" if len(calibrator.spread_) else "equals"
    return Around(np.minimum(low, p), np.maximum(high, p), covers)
