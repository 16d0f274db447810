import numpy as np
import pandas as pd
import pytest

from risk import schema
from risk.errors import CaseDataError

Tables = tuple[pd.DataFrame, pd.DataFrame]


def test_every_attribute_says_what_it_is_for_and_when_it_becomes_known() -> None:
    for name, attribute in schema.attributes().items():
        assert attribute.purpose, name
        assert attribute.known, name
        assert all(attribute.label), name
        assert set(attribute.marks) <= set("HPQULT"), name


def test_there_are_about_forty_attributes_apart_from_those_that_only_steer() -> None:
    learned = [a for a in schema.attributes().values() if a.use in ("feature", "audit")]
    assert 35 <= len(learned) <= 45


def test_every_category_ends_in_other_and_unknown() -> None:
    for attribute in schema.attributes().values():
        if attribute.kind == "category":
            assert attribute.levels[-2:] == ("other", "unknown"), attribute.name
            assert len(set(attribute.levels)) == len(attribute.levels)


def test_protected_and_leaking_attributes_are_not_features_by_default() -> None:
    # has_section_56 is health data about the case itself and stays; the domain brief lists it among the early signs.
    exempt = {"has_section_56"}
    for attribute in schema.attributes().values():
        if {"P", "U", "L", "T"} & set(attribute.marks) and attribute.name not in exempt:
            assert attribute.use != "feature", attribute.name


def test_a_missing_key_column_is_named(tables: Tables) -> None:
    with pytest.raises(CaseDataError, match="lack the column 'registered_on'"):
        schema.typed_cases(tables[0].drop(columns="registered_on"))


def test_an_undeclared_column_is_named(tables: Tables) -> None:
    with pytest.raises(CaseDataError, match=r"undeclared columns \(shoe_size\)"):
        schema.typed_cases(tables[0].assign(shoe_size=44))


def test_two_cases_with_one_id_are_refused_with_their_rows(tables: Tables) -> None:
    cases = schema.typed_cases(tables[0].assign(case_id=["a", "b", "a", "c", "d"]))
    with pytest.raises(CaseDataError, match=r"'case_id'.*unique.*2 rows \(rows 0, 2\)"):
        schema.check_cases(cases)


def test_a_case_closed_before_it_opened_is_refused(tables: Tables) -> None:
    cases = tables[0].copy()
    cases.loc[3, "closed_on"] = "2025-01-01"
    with pytest.raises(CaseDataError, match=r"closed_on lies before opened_on in 1 row \(row 3\)"):
        schema.check_cases(schema.typed_cases(cases))


def test_an_unknown_code_is_refused_without_being_shown(tables: Tables) -> None:
    cases = schema.typed_cases(tables[0].assign(sex=["female", "0101011234", "male", "male", None]))
    with pytest.raises(CaseDataError, match=r"'sex' breaks the rule.*1 row \(row 1\)") as caught:
        schema.check_cases(cases)
    assert "0101011234" not in str(caught.value)


def test_a_number_outside_its_range_is_refused(tables: Tables) -> None:
    cases = schema.typed_cases(tables[0].assign(weekly_hours=[37.0, 99.0, -1.0, 12.0, None]))
    with pytest.raises(CaseDataError, match=r"'weekly_hours'.*2 rows \(rows 1, 2\)"):
        schema.check_cases(cases)


def test_text_in_a_number_column_is_refused_without_being_shown(tables: Tables) -> None:
    with pytest.raises(CaseDataError, match="'weekly_hours' holds values that are not numbers") as caught:
        schema.typed_cases(tables[0].assign(weekly_hours=["37", "0101011234X", "", "1", "2"]))
    assert "0101011234X" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (("nobody", "2025-02-03", "form_received", "true"), "case_id is not among the cases"),
        (("SYN000002", "2025-02-03", "shoe_size", "44"), "'name' breaks the rule"),
        (("SYN000002", "2025-02-03", "form_received", "maybe"), "form_received has a value outside"),
        (("SYN000002", "2025-02-03", "partial_return_hours", "1000"), "partial_return_hours has a value outside"),
    ],
)
def test_a_fact_that_cannot_be_is_refused(tables: Tables, row: tuple[str, ...], complaint: str) -> None:
    facts = pd.concat([tables[1], pd.DataFrame([row], columns=list(schema.FACT_KEYS))], ignore_index=True)
    with pytest.raises(CaseDataError, match=complaint):
        schema.check_facts(schema.typed_facts(facts), tables[0]["case_id"])


def test_fact_values_become_positions_flags_and_numbers() -> None:
    facts = schema.fact_attributes()
    group = facts["illness_group"]
    read = schema.fact_numbers(group, pd.Series(["mental", "unknown", "nonsense"]))
    assert read[:2].tolist() == [group.levels.index("mental"), group.levels.index("unknown")]
    assert np.isnan(read[2])
    assert schema.fact_numbers(facts["standby"], pd.Series(["true", "false"])).tolist() == [1.0, 0.0]
