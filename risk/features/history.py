"""Earlier spells, unemployment and other benefits, as registers know them on the day of registration."""

from __future__ import annotations

from risk.features.feature import direct

FEATURES = (
    direct(
        "benefit_weeks_12m", "history",
        ("{value} uger på sygedagpenge det seneste år", "{value} weeks on sickness benefit in the last year"),
    ),
    direct(
        "benefit_weeks_5y", "history",
        ("{value} uger på sygedagpenge de seneste fem år", "{value} weeks on sickness benefit in the last five years"),
    ),
    direct(
        "n_spells_24m", "history",
        ("Tidligere forløb de seneste to år: {value}", "Earlier spells in the last two years: {value}"),
    ),
    direct(
        "unemployment_weeks_3y", "history",
        ("{value} ledighedsuger de seneste tre år", "{value} unemployed weeks in the last three years"),
    ),
    direct(
        "other_benefit_weeks_5y", "history",
        ("{value} uger på andre ydelser de seneste fem år", "{value} weeks on other benefits in the last five years"),
    ),
    direct(
        "employment_rate_3y", "history",
        ("Beskæftigelsesgrad de seneste tre år: {value}", "Employment rate in the last three years: {value}"),
        decimals=2,
    ),
    direct(
        "has_prior_clarification", "history",
        ("Har tidligere været i jobafklarings- eller ressourceforløb", "Has been in a job-clarification course before"),
        no_sentence=("Har ikke tidligere været i jobafklaringsforløb", "Has not been in a job-clarification course before"),
    ),
)  # fmt: skip
