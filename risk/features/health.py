"""Illness, treatment and prognosis: health data (GDPR art. 9), each as recorded and dated."""

from __future__ import annotations

from risk.features.feature import direct

FEATURES = (
    direct(
        "has_section_56", "health",
        ("Har en § 56-aftale", "Has a section 56 agreement"),
        no_sentence=("Har ingen § 56-aftale", "Has no section 56 agreement"),
    ),
    direct(
        "illness_group", "health", ("Sygdomsgruppe: {value}", "Group of illness: {value}"),
        missing=("Sygdomsgruppen er ikke oplyst", "The group of illness is not known"),
    ),
    direct(
        "treatment_status", "health", ("Behandling: {value}", "Treatment: {value}"),
        missing=("Behandlingen er ikke oplyst", "Nothing is known of treatment"),
    ),
    direct(
        "is_work_related", "health",
        ("Fraværet menes at skyldes arbejdet", "The absence is believed to be caused by work"),
        no_sentence=("Fraværet menes ikke at skyldes arbejdet", "The absence is not believed to be caused by work"),
    ),
    direct(
        "work_injury_reported", "health",
        ("Der er anmeldt en arbejdsskade", "A work injury has been reported"),
        no_sentence=("Der er ikke anmeldt en arbejdsskade", "No work injury has been reported"),
        missing=("Der er ikke anmeldt en arbejdsskade", "No work injury has been reported"),
    ),
    direct(
        "gp_prognosis", "health", ("Lægeattestens prognose: {value}", "Prognosis of the GP's certificate: {value}"),
        missing=("Der foreligger ingen lægeattest", "There is no certificate from the GP yet"),
    ),
    direct(
        "possibility_statement", "health", ("Mulighedserklæring: {value}", "Statement of possibilities: {value}"),
        missing=("Der foreligger ingen mulighedserklæring", "There is no statement of possibilities yet"),
    ),
    direct("injury_region", "health", ("Skadet legemsdel: {value}", "Injured part of the body: {value}")),
    direct(
        "was_hospitalised", "health",
        ("Har været indlagt", "Was admitted to hospital"),
        no_sentence=("Har ikke været indlagt", "Was not admitted to hospital"),
    ),
)  # fmt: skip
