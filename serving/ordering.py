"""How the order of the week is told: what each section holds, and what the cases beyond the duties are ordered by."""

from __future__ import annotations

from typing import Any

from risk.priority import Worklist
from serving.language import Speaker, share_of_100

_SUFFIX = {"risk": "", "avoidable_cost": "_cost", "mix": "_mix"}


def section_words(part: str, section: str, work: Worklist, speaker: Speaker) -> str:
    """The name (``section``, ``section_short``) or purpose (``section_why``) of a section under the policy of the list."""
    order, key = work.policy.order, f"{part}.{section}"
    if section == "risk":
        key += _SUFFIX[order.by]
    return speaker.say(
        key,
        horizon=work.horizon_weeks,
        weeks=order.weeks_ahead,
        closing=share_of_100(min(work.policy.closing.p_at_least, 1.0)),
    )


def order_lines(team: Any, work: Worklist, speaker: Speaker) -> list[str]:
    """What the places of a team beyond its duties are ordered by; ``team`` is a row of ``worklist.teams``."""
    policy, say = work.policy, speaker.say
    out = []
    if team.risk_places:
        out += _cost_lines(work, speaker)
        out.append(say("lines.first_until", week=speaker.number(policy.order.first_until_week)))
    lifts = sorted({m.lift for m in policy.milestones if m.lift})
    if lifts:
        out.append(say("lines.lift", lift=" / ".join(speaker.number(100 * v, 0) for v in lifts)))
    return out


def _cost_lines(work: Worklist, speaker: Speaker) -> list[str]:
    order, outlook, say = work.policy.order, work.outlook, speaker.say
    if not order.needs_cost:
        return []
    words = {"weeks": order.weeks_ahead, "rates": outlook.rates_version}
    if order.by == "mix":
        cost = share_of_100(order.cost_weight)
        out = [say("lines.order_mix", chance=100 - cost, cost=cost, **words)]
    else:
        out = [say("lines.order_cost", **words)]
    if outlook.carried:
        years = ", ".join(str(y) for y in outlook.carried)
        out.append(say("lines.carried", years=years, carried_from=outlook.carried_from))
    return out
