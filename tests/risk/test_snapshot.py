from datetime import date

import numpy as np
import pandas as pd
import pytest

from risk import features, schema
from risk.errors import AsOfError, ConfigError
from risk.register import Register, make_register
from risk.snapshot import take_snapshot


def level(snapshot, name: str, row: int) -> str | None:
    value = snapshot.columns[name][row]
    return None if np.isnan(value) else schema.attributes()[name].levels[int(value)]


def test_a_snapshot_holds_the_cases_known_and_open_that_morning(register: Register) -> None:
    assert take_snapshot(register, date(2025, 2, 5)).case_id.tolist() == ["SYN000002"]
    # Registered on 5 February, so known at 00:00 of the 6th; closed on 10 March, so still open that morning.
    assert take_snapshot(register, date(2025, 2, 6)).case_id.tolist() == ["SYN000001", "SYN000002"]
    assert take_snapshot(register, date(2025, 3, 10)).case_id.tolist() == ["SYN000001", "SYN000002"]
    assert take_snapshot(register, date(2025, 3, 11)).case_id.tolist() == ["SYN000002"]


def test_a_fact_is_known_from_the_day_after_it_was_recorded(register: Register) -> None:
    before, after = take_snapshot(register, date(2025, 2, 3)), take_snapshot(register, date(2025, 2, 4))
    assert level(before, "expected_recovery", 0) is None
    assert np.isnat(before.known_on["expected_recovery"][0])
    assert level(after, "expected_recovery", 0) == "13_26w"
    assert after.known_on["expected_recovery"][0] == np.datetime64("2025-02-03")


def test_the_latest_known_fact_counts(register: Register) -> None:
    may = take_snapshot(register, date(2025, 5, 6))
    assert level(may, "expected_recovery", may.case_id.tolist().index("SYN000002")) == "over_26w"


def test_age_counts_whole_days_survived(register: Register) -> None:
    snapshot = take_snapshot(register, date(2025, 2, 6))
    assert snapshot.age_weeks.tolist() == [30 / 7, 30 / 7]


def test_a_day_after_the_extract_is_refused(register: Register) -> None:
    with pytest.raises(AsOfError, match="lies after the extract date 2026-11-16"):
        take_snapshot(register, date(2026, 11, 17))


def test_a_snapshot_of_a_day_with_no_open_case_is_empty_and_well_formed(register: Register) -> None:
    snapshot = take_snapshot(register, date(2024, 1, 1))
    table = features.feature_frame(features.build_features(snapshot, features.default_features()))
    assert len(snapshot) == len(table) == 0
    assert list(table.columns) == list(features.default_features())


def test_an_attribute_known_only_at_closing_never_reaches_a_snapshot(register: Register) -> None:
    leaking = Register(register.cases.assign(medical_cost_total=1000.0), register.facts, register.extract_on)
    assert np.isnan(take_snapshot(leaking, date(2025, 3, 1)).columns["medical_cost_total"]).all()


def test_what_is_not_known_is_a_level_for_categories_and_missing_for_numbers(register: Register) -> None:
    snapshot = take_snapshot(register, date(2025, 8, 1))
    table = features.feature_frame(
        features.build_features(snapshot, ["employment_status", "weekly_hours", "illness_group"])
    )
    rows = dict(zip(snapshot.case_id.tolist(), table.to_dict("records"), strict=True))
    assert rows["SYN000004"]["employment_status"] == "unknown"
    assert rows["SYN000004"]["illness_group"] == "unknown"
    assert np.isnan(rows["SYN000002"]["weekly_hours"])
    assert rows["SYN000002"]["employment_status"] == "unemployed"


def test_default_features_hold_no_protected_steering_or_calendar_attribute() -> None:
    for name in features.default_features():
        feature = features.catalogue()[name]
        assert not {"U", "L", "T"} & set(feature.marks), name
        assert "P" not in feature.marks or name == "has_section_56", name
    assert {"age_years", "sex", "origin", "district", "unemployment_fund"}.isdisjoint(features.default_features())
    assert {"age_years", "sex", "origin", "district", "unemployment_fund"} <= set(features.catalogue())


def test_a_feature_that_is_not_listed_or_not_free_is_refused() -> None:
    with pytest.raises(ConfigError, match="'shoe_size' is not in the catalogue"):
        features.check_features(["shoe_size"])
    with pytest.raises(ConfigError, match="'sex' is marked 'audit'"):
        features.check_features(["sex"])
    features.check_features(["sex", "age_weeks"], allowed=["sex"])


def test_season_is_the_only_calendar_time_and_knows_no_year(register: Register) -> None:
    snapshot = take_snapshot(register, date(2025, 3, 1))
    built = features.build_features(snapshot, ["season_cos", "season_sin"])
    np.testing.assert_allclose(built["season_cos"] ** 2 + built["season_sin"] ** 2, 1.0, atol=1e-12)


def test_a_fact_from_long_before_1970_belongs_to_its_own_case(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    cases, facts = tables
    old = pd.DataFrame([("SYN000002", "1931-05-04", "fast_track", "worker")], columns=list(schema.FACT_KEYS))
    register = make_register(cases, pd.concat([facts, old], ignore_index=True), date(2026, 11, 16))
    snapshot = take_snapshot(register, date(2025, 3, 1))
    assert [level(snapshot, "fast_track", row) for row in range(len(snapshot))] == [None, "worker"]
