"""Protected and quasi-identifying attributes: kept out of the model by default, there for the fairness step."""

from __future__ import annotations

from risk.features.feature import direct

FEATURES = (
    direct("age_years", "audit", ("Alder: {value} år", "Age: {value} years")),
    direct("sex", "audit", ("Køn: {value}", "Sex: {value}")),
    direct("origin", "audit", ("Herkomst: {value}", "Origin: {value}")),
    direct("district", "audit", ("Bopælsdistrikt: {value}", "District: {value}")),
    direct("household", "audit", ("Civilstand: {value}", "Household: {value}")),
    direct("n_children", "audit", ("Børn under 18: {value}", "Children under 18: {value}")),
    direct("unemployment_fund", "audit", ("A-kasse: {value}", "Unemployment fund: {value}")),
    direct("needs_interpreter", "audit", ("Har brug for tolk", "Needs an interpreter")),
    direct("is_exempt_from_digital_post", "audit", ("Er fritaget for digital post", "Is exempt from digital post")),
)
