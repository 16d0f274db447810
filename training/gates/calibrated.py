"""Gate 2: "18 in 100" must mean about 18 in 100."""

from __future__ import annotations

from training.gates.evidence import NO_BACKTEST, Evidence, named
from training.results import GateResult

NUMBER, NAME = 2, "calibrated"
TITLE = "Probabilities mean what they say at every landmark"


def check(evidence: Evidence) -> GateResult:
    """Fails where slope or |observed - expected| is outside its limits by more than chance: the whole interval is."""
    limits = evidence.plan.gates
    slope, off = evidence.over_origins("calibration_slope"), evidence.over_origins("observed_minus_expected")
    if off.empty:
        return GateResult(
            NUMBER,
            NAME,
            TITLE,
            "not applicable",
            None,
            limits.most_off,
            NO_BACKTEST.format(note=evidence.backtest.note),
        )
    value = float(off["value"].abs().max())
    said = [
        f"slope {r.value:.2f} ({r.low:.2f} to {r.high:.2f}) at {named(str(r.Index))}"
        for r in slope.itertuples()
        if r.high < limits.slope_low or r.low > limits.slope_high
    ]
    said += [
        f"observed minus expected {r.value:+.3f} ({r.low:+.3f} to {r.high:+.3f}) at {named(str(r.Index))}"
        for r in off.itertuples()
        if r.low > limits.most_off or r.high < -limits.most_off
    ]
    if said:
        allowed = f"allowed: slope {limits.slope_low:g} to {limits.slope_high:g}, off by {limits.most_off:g}"
        advice = "look for a change of law or practice in the last years, or calibrate on newer cohorts"
        return GateResult(
            NUMBER, NAME, TITLE, "failed", value, limits.most_off, f"{'; '.join(said)} ({allowed}); {advice}"
        )
    at = named(str(off["value"].abs().idxmax()))
    text = (
        f"largest difference between observed and expected share {value:.3f} (at {at}); "
        f"slopes {slope['value'].min():.2f} to {slope['value'].max():.2f}"
    )
    return GateResult(NUMBER, NAME, TITLE, "passed", value, limits.most_off, text)
