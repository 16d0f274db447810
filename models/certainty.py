"""How well a score is known: the interval a bundle's calibrator gives around probabilities it has calibrated."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from models.bundle import Bundle
from models.calibration import Calibrator
from models.contract import FloatArray


def score_interval(
    bundle: Bundle, p: FloatArray, entry: FloatArray, coverage: float = 0.9
) -> tuple[FloatArray, FloatArray] | None:
    """Low and high end around calibrated probabilities of one week, (n,) each; None when nothing was learned of them.

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
    before = expit((logit(p) - calibrator.intercept(entry)) / calibrator.slope(entry))
    low, high = calibrator.interval(before, entry, coverage)
    # There and back again costs a bit of the last place; the score itself is never outside.
    return np.minimum(low, p), np.maximum(high, p)
