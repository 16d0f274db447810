"""What a caseload does to timeliness and to the time left for risk: a week-by-week simulation of a team.

The cases open today follow their own curves of staying open, new cases come as they came last year, follow-ups fall due by
the policy's rules, and talks take hours that the caseload norm decides. What a talk does to the length of a case is not
known, and is nothing unless it is given.
"""

from risk.capacity.results import NormResult, hours_per_worker, outcome_at, summed
from risk.capacity.simulation import Draws, Week, Work, draw, simulate
from risk.capacity.start import TeamStart, take_start

__all__ = [
    "Draws",
    "NormResult",
    "TeamStart",
    "Week",
    "Work",
    "draw",
    "hours_per_worker",
    "outcome_at",
    "simulate",
    "summed",
    "take_start",
]
