"""Gate 2: "18 in 100" must mean about 18 in 100."""

from __future__ import annotations

from statistics import NormalDist

from training.gates.evidence import NO_BACKTEST, Evidence
from training.results import GateResult

NUMBER, NAME = 2, "calibrated"
TITLE = "Probabilities mean what they say at every landmark"


def check(evidence: Evidence) -> GateResult:
    """Fails where slope or |observed - expected| is outside its limits by more than chance.

    The 95 % intervals are widened so that all of them together hold (Bonferroni): with seven landmarks and two questions
    a good model would otherwise fail every third time. Few cases make intervals wide, and a wide one would let anything
    pass: where the 95 % interval itself cannot rule out a gross error, the gate does not decide.
    """
    limits = evidence.plan.gates
    slope, off = evidence.over_origins("calibration_slope"), evidence.over_origins("observed_minus_expected")
    if not off:
        text = NO_BACKTEST.format(note=evidence.backtest.note or "no landmark had enough rows")
        return GateResult(NUMBER, NAME, TITLE, "not applicable", None, limits.most_off, text)
    wider = NormalDist().inv_cdf(1 - 0.025 / (len(off) + len(slope))) / NormalDist().inv_cdf(0.975)
    worst = max(off, key=lambda r: abs(r.value))
    value = abs(worst.value)
    said = [
        f"slope {r.value:.2f} ({r.low:.2f} to {r.high:.2f}) at {r.at}"
        for r in slope
        if r.widened(wider).high < limits.slope_low or r.widened(wider).low > limits.slope_high
    ]
    said += [
        f"observed minus expected {r.value:+.3f} ({r.low:+.3f} to {r.high:+.3f}) at {r.at}"
        for r in off
        if r.widened(wider).low > limits.most_off or r.widened(wider).high < -limits.most_off
    ]
    if said:
        allowed = f"allowed: slope {limits.slope_low:g} to {limits.slope_high:g}, off by {limits.most_off:g}"
        advice = "look for a change of law or practice in the last years, or calibrate on newer cohorts"
        text = f"{'; '.join(said)} ({allowed}); {advice}"
        return GateResult(NUMBER, NAME, TITLE, "failed", value, limits.most_off, text)
    unseen = [
        f"observed minus expected between {r.low:+.3f} and {r.high:+.3f} at {r.at}"
        for r in off
        if not max(-r.low, r.high) <= limits.most_off_unseen
    ]
    unseen += [
        f"slope between {r.low:.2f} and {r.high:.2f} at {r.at}"
        for r in slope
        if not (r.low >= limits.slope_low_unseen and r.high <= limits.slope_high_unseen)
    ]
    if unseen:
        text = (
            f"too few cases to tell: {'; '.join(unseen[:3])}{' and more' if len(unseen) > 3 else ''}; an error of "
            f"{limits.most_off_unseen:g}, or a slope under {limits.slope_low_unseen:g} or over {limits.slope_high_unseen:g}, "
            "must be ruled out: judge on more cases (a longer window, more origins)"
        )
        return GateResult(NUMBER, NAME, TITLE, "not applicable", value, limits.most_off, text)
    slopes = [r.value for r in slope]
    text = f"largest difference between observed and expected share {value:.3f} (at {worst.at})"
    text += f"; slopes {min(slopes):.2f} to {max(slopes):.2f}" if slopes else ""
    return GateResult(NUMBER, NAME, TITLE, "passed", value, limits.most_off, text)
