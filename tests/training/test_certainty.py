"""How far single cases may lie from a score, as refits and another kind of learner have it."""

from __future__ import annotations

import numpy as np
import pytest

from models import catalogue
from models.arrays import logit
from models.calibration import Calibrator
from models.contract import Learner
from risk.register import Register
from training import certainty
from training.certainty import learn_spread
from training.fit import Material, calibrate, make, prepare
from training.plan import Plan


@pytest.fixture(scope="module")
def material(made: Register, quick_plan: Plan) -> Material:
    return prepare(made, quick_plan, made.extract_on)


def fitted(material: Material, plan: Plan) -> Learner:
    rows = material.rows
    return make("linear", plan).fit(material.X, rows.y, rows.entry, groups=rows.snapshot.person)


def half_width(calibrator: Calibrator) -> float:
    """Mean over scores from 3 to 80 in 100 at several ages, in log-odds."""
    p, entry = (v.ravel() for v in np.meshgrid([0.03, 0.1, 0.3, 0.5, 0.8], [4.0, 13.0, 26.0]))
    low, high = calibrator.interval(p, entry)
    return float((logit(high) - logit(low)).mean() / 2)


def test_intervals_grow_by_what_refits_and_the_other_learner_say(material: Material, quick_plan: Plan) -> None:
    learner = fitted(material, quick_plan)
    calibrator = calibrate(learner, material, quick_plan)
    before = half_width(calibrator)
    learn_spread(learner, calibrator, material, quick_plan)
    assert calibrator.spread_.shape == (1, len(calibrator.knots_) * len(calibrator.spread_at_))
    assert half_width(calibrator) > 1.3 * before
    again = calibrate(learner, material, quick_plan)
    learn_spread(learner, again, material, quick_plan)
    assert again.to_dict() == calibrator.to_dict()


def test_a_learner_that_nothing_could_change_spreads_only_as_far_as_the_other_disagrees(
    material: Material, quick_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = fitted(material, quick_plan)
    calibrator = calibrate(learner, material, quick_plan)
    monkeypatch.setattr(type(learner), "refitted", lambda self, rows: self)
    monkeypatch.setattr(certainty, "WITNESSES", {})  # the linear learner itself: no disagreement either
    before = half_width(calibrator)
    learn_spread(learner, calibrator, material, quick_plan)
    assert half_width(calibrator) == pytest.approx(before)


def test_half_of_the_distance_to_the_other_learner_counts_where_the_two_agree_too(
    material: Material, quick_plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, week = fitted(material, quick_plan), float(quick_plan.outcome.horizon_weeks)
    calibrator = calibrate(learner, material, quick_plan)
    other = make("hazard", quick_plan).fit(material.X, material.rows.y, material.rows.entry)
    told: list[np.ndarray] = []
    monkeypatch.setattr(type(learner), "refitted", lambda self, rows: self)
    monkeypatch.setattr(certainty, "_witnesses", lambda *_: [learner, other])
    monkeypatch.setattr(Calibrator, "learn_spread", lambda self, x, entry, squared: told.extend([x, entry, squared]))
    learn_spread(learner, calibrator, material, quick_plan)
    x, entry, squared = told
    everyone = [m.survival(material.X, [week], material.rows.entry)[:, 0] for m in (learner, other)]
    own, theirs = (logit(np.clip(p, 1e-6, 1 - 1e-6)) for p in everyone)
    used = np.isin(own, x)
    apart = (own - theirs)[used] ** 2
    np.testing.assert_allclose(np.sort(squared[0]), np.sort(0.8 * (apart + apart.mean()) / 2))
    assert len(entry) == len(x) == used.sum()


def test_a_blend_is_set_against_its_members_with_trees(material: Material, quick_plan: Plan) -> None:
    blend = catalogue.make("stacked")
    blend.members_ = [catalogue.make(name) for name in ("linear", "hazard", "direct")]
    assert certainty._witnesses(blend, material, quick_plan) == blend.members_[1:]


def test_a_blend_of_one_that_stayed_is_set_against_another(material: Material, quick_plan: Plan) -> None:
    blend = catalogue.make("stacked")
    blend.members_ = [catalogue.make("hazard")]
    (other,) = certainty._witnesses(blend, material, quick_plan)
    assert other.name == "linear"


def test_without_a_map_nothing_is_learned(material: Material, quick_plan: Plan) -> None:
    learner = fitted(material, quick_plan)
    calibrator = calibrate(learner, material, quick_plan.changed(calibration={"least_each": 10**6}))
    assert calibrator.is_identity
    learn_spread(learner, calibrator, material, quick_plan)
    assert np.size(calibrator.spread_) == 0


def test_every_learner_that_may_serve_has_a_witness_of_another_kind() -> None:
    serving = [name for name in catalogue.names() if catalogue.can_be_champion(name)]
    assert all(name not in certainty.WITNESSES.get(name, ("linear",)) for name in serving)
    assert {name for names in certainty.WITNESSES.values() for name in names} <= set(catalogue.names())
