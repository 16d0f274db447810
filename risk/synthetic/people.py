"""Made-up people on their first day of absence: everything an office's registers know of them on that day.

One hidden trait, the tie to the labour market, ties status, education, unemployment and welfare history together, so that
the attributes are correlated as in life. Sizes are our own unless a source is named.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from risk.synthetic import effects as fx
from risk.synthetic.draws import names, normal, only_where, pick, pick_level, tilted
from risk.synthetic.world import Floats, Ints, World

STATUSES = ("employee", "unemployed", "self_employed", "flexjob", "apprentice")
EMPLOYEE_BASES = {
    "employee": 0.81, "insured_employer": 0.05, "no_employer_period": 0.035, "section_56": 0.04, "injury_employee": 0.045,
    "advance": 0.005, "late_notice": 0.015,
}  # fmt: skip
EDUCATIONS = ("basic", "vocational", "short", "bachelor", "master")
OCCUPATIONS = (
    "manager",
    "professional",
    "technician",
    "clerical",
    "service",
    "agricultural",
    "craft",
    "operator",
    "elementary",
)
OCCUPATION_BY_EDUCATION = np.array([
    [0.01, 0.01, 0.03, 0.06, 0.29, 0.03, 0.10, 0.16, 0.31],
    [0.03, 0.03, 0.11, 0.14, 0.26, 0.02, 0.22, 0.10, 0.09],
    [0.05, 0.12, 0.34, 0.20, 0.12, 0.01, 0.08, 0.04, 0.04],
    [0.05, 0.58, 0.17, 0.09, 0.07, 0.01, 0.01, 0.01, 0.01],
    [0.10, 0.74, 0.09, 0.04, 0.02, 0.00, 0.00, 0.00, 0.01],
])  # fmt: skip
WEEKLY_WAGE = np.array([13500, 10800, 9400, 8000, 7000, 7200, 8300, 7900, 6600])  # DKK at 37 hours, by occupation
INDUSTRIES = {
    "agriculture": 0.02, "manufacturing": 0.11, "construction": 0.08, "trade": 0.14, "transport": 0.07, "hospitality": 0.05,
    "office": 0.13, "public_administration": 0.06, "education": 0.08, "health_care": 0.08, "social_care": 0.12,
    "cleaning": 0.06,
}  # fmt: skip
PUBLIC_SHARE = {"public_administration": 1.0, "education": 0.75, "health_care": 0.80, "social_care": 0.80}
# Highest benefit a week, DKK, by year (domain brief 1.4); 2025 and later not found, so 2024's is kept.
BENEFIT_CAP = ((2013, 4005), (2015, 4135), (2018, 4300), (2019, 4355), (2022, 4465), (2023, 4550), (2024, 4695))


def opening_days(rng: np.random.Generator, world: World, n: int, first_day: int | None = None) -> Ints:
    """First days of absence between ``first_day`` and the extract, fewer in July (3.4)."""
    days = np.arange(world.start_day if first_day is None else first_day, world.extract_day)
    month = days.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12
    return rng.choice(days, size=n, p=normal(np.array(fx.STARTS_BY_MONTH)[month]))


def make_people(rng: np.random.Generator, opened: Ints, world: World) -> pd.DataFrame:
    """People who fall ill on the given days (days since 1970, (n,)); one row each, hidden ``tie`` included."""
    n = len(opened)
    tie = rng.standard_normal(n)
    weights = tilted((0.71, 0.16, 0.06, 0.05, 0.02), (0.0, -0.55, 0.0, -0.5, 0.0), tie)
    weights[:, 1] *= np.where(opened >= world.drift_day, fx.DRIFT_UNEMPLOYED, 1.0)
    status = names(STATUSES, pick(rng, weights))
    age = np.clip(rng.normal(44.0, 12.5, n), 17.0, 67.0)
    age = np.where(status == "apprentice", np.clip(17.0 + rng.exponential(4.0, n), 17.0, 35.0), age)
    sex = names(("female", "male"), (rng.random(n) >= 0.56).astype(int))
    origin = names(("danish", "western", "non_western"), pick(rng, tilted((0.83, 0.06, 0.11), (0.1, 0.0, -0.45), tie)))
    level = pick(rng, tilted((0.22, 0.38, 0.08, 0.20, 0.12), (-0.45, 0.0, 0.1, 0.3, 0.45), tie))
    people = pd.DataFrame(
        {
            "opened": opened,
            "tie": tie,
            "employment_status": status,
            "age_years": np.floor(age),
            "sex": sex,
            "origin": origin,
            "district": np.where(
                (origin == "non_western") & (rng.random(n) < 0.5),
                "west",
                pick_level(rng, {"north": 0.22, "south": 0.20, "east": 0.20, "west": 0.15, "centre": 0.23}, n),
            ),
            "household": names(("single", "couple"), (rng.random(n) < 0.60).astype(int)),
            "n_children": np.where(age < 55, rng.poisson(np.where(age < 27, 0.2, 0.9), n), 0).astype(float),
            "education": np.where(rng.random(n) < 0.06, "unknown", names(EDUCATIONS, level)),
            "needs_interpreter": (origin == "non_western") & (rng.random(n) < 0.20),
            "is_exempt_from_digital_post": rng.random(n) < np.where(age > 60, 0.12, 0.04),
        }
    )
    _add_work(rng, people, level)
    _add_history(rng, people)
    return people


def _add_work(rng: np.random.Generator, people: pd.DataFrame, level: Ints) -> None:
    """Job, pay and legal basis of the case; what only an employer gives is missing for those without one."""
    n, status = len(people), people["employment_status"].to_numpy()
    with_job = np.isin(status, ["employee", "flexjob", "apprentice"])
    industry = pick_level(rng, INDUSTRIES, n)
    industry = np.where((status == "unemployed") & (rng.random(n) < 0.3), "unknown", industry)
    public = rng.random(n) < pd.Series(industry).map(PUBLIC_SHARE).fillna(0.04).to_numpy(dtype=float)
    occupation = pick(rng, OCCUPATION_BY_EDUCATION[level])
    hours = np.where(rng.random(n) < 0.72, 37.0, rng.integers(12, 36, n).astype(float))
    hours = np.where(status == "flexjob", rng.integers(5, 25, n).astype(float), hours)
    wage = np.round(WEEKLY_WAGE[occupation] * hours / 37.0 * np.exp(rng.normal(0.0, 0.16, n)))
    years, caps = np.array(BENEFIT_CAP, dtype=float).T
    cap = np.interp(1970 + people["opened"].to_numpy() / 365.25, years, caps)
    people["industry"] = industry
    people["occupation"] = names(OCCUPATIONS, occupation)
    people["sector"] = only_where(with_job, np.where(public, "public", "private"))
    people["employer_size"] = only_where(
        with_job, pick_level(rng, {"under_20": 0.24, "20_99": 0.33, "100_up": 0.43}, n)
    )
    months = np.minimum(np.floor(rng.exponential(np.where(status == "apprentice", 14.0, 75.0))), 480.0)
    people["tenure_months"] = np.where(with_job, np.minimum(months, (people["age_years"] - 15.0) * 12.0), np.nan)
    people["weekly_hours"] = np.where(status == "unemployed", np.nan, hours)
    people["weekly_wage"] = np.where(rng.random(n) < 0.04, np.nan, wage)
    people["weekly_benefit"] = np.round(np.minimum(cap * np.minimum(hours, 37.0) / 37.0, 0.92 * wage))
    people["is_paid_when_ill"] = with_job & (rng.random(n) < np.where(public, 0.95, 0.62))
    people["unemployment_fund"] = pick_level(
        rng, {"none": 0.20, "trade": 0.42, "academic": 0.13, "cross_sector": 0.25}, n
    )
    people.loc[(status == "unemployed") & (people["unemployment_fund"] == "none"), "unemployment_fund"] = "cross_sector"
    basis = pick_level(rng, EMPLOYEE_BASES, n)
    for name, table in (
        ("unemployed", {"unemployed": 1.0}),
        ("self_employed", {"self_employed": 0.68, "self_employed_insured": 0.27, "injury_self_employed": 0.05}),
        ("flexjob", {"flexjob_private": 0.5, "flexjob_public": 0.5}),
        ("apprentice", {"employee": 1.0}),
    ):
        basis = np.where(status == name, pick_level(rng, table, n), basis)
    people["benefit_basis"] = basis
    people["has_section_56"] = (basis == "section_56") | (with_job & (rng.random(n) < 0.01))


def _add_history(rng: np.random.Generator, people: pd.DataFrame) -> None:
    """Earlier spells outside the register, unemployment and other benefits, leaning with the hidden tie."""
    n, tie = len(people), people["tie"].to_numpy()
    spells = rng.poisson(0.30 * np.exp(-0.35 * tie))
    recent = np.where(spells > 0, np.minimum(np.round(rng.gamma(1.1, 8.0, n)), 45.0), 0.0)
    recent = np.where(rng.random(n) < 0.65, recent, 0.0)  # the earlier spell may lie in the year before last
    older = np.where(rng.random(n) < 0.35, np.round(rng.gamma(1.0, 16.0, n) * np.exp(-0.3 * tie)), 0.0)
    unemployed = people["employment_status"].to_numpy() == "unemployed"
    weeks = np.where(rng.random(n) < 0.3 / (1.0 + np.exp(tie)), rng.gamma(1.2, 22.0, n), 0.0)
    weeks += np.where(unemployed, 8.0 + rng.gamma(1.3, 22.0, n), 0.0)
    other = np.where(rng.random(n) < 1.0 / (1.0 + np.exp(1.5 + 1.2 * tie)), rng.gamma(1.1, 45.0, n), 0.0)
    people["n_spells_24m"] = spells.astype(float)
    people["benefit_weeks_12m"] = recent
    people["benefit_weeks_5y"] = np.minimum(recent + older, 250.0)
    people["unemployment_weeks_3y"] = np.minimum(np.round(weeks), 150.0)
    people["other_benefit_weeks_5y"] = np.minimum(np.round(other), 255.0)
    people["employment_rate_3y"] = np.round(_rate(rng, tie, people["unemployment_weeks_3y"].to_numpy()), 2)
    people["has_prior_clarification"] = rng.random(n) < 1.0 / (1.0 + np.exp(3.1 + 0.8 * tie))


def _rate(rng: np.random.Generator, tie: Floats, unemployed_weeks: Floats) -> Floats:
    free = 1.0 / (1.0 + np.exp(-(2.4 + 0.9 * tie + rng.normal(0.0, 0.8, len(tie)))))
    return np.clip(free * (1.0 - unemployed_weeks / 157.0), 0.0, 1.0)


def registration_delay(rng: np.random.Generator, people: pd.DataFrame, world: World) -> Ints:
    """Days from the first day of absence until the office learns of it, (n,).

    Employers report after the period they pay themselves, within five weeks (domain brief 2); the unemployed are known
    after the fund's two weeks, insured employers and section 56 cases early, late notices late.
    """
    n, basis = len(people), people["benefit_basis"].to_numpy()
    days = world.employer_days + np.minimum(np.floor(rng.gamma(1.2, 3.5, n)), 34.0)
    fund = basis == "unemployed"
    early = np.isin(
        basis, ["insured_employer", "no_employer_period", "section_56", "flexjob_private", "flexjob_public"]
    )
    own = np.isin(basis, ["self_employed", "self_employed_insured", "injury_self_employed"])
    days = np.where(fund | own, 14 + rng.integers(0, 6, n), days)
    days = np.where(early, 6 + rng.integers(0, 14, n), days)
    days = np.where(basis == "advance", 21 + rng.integers(0, 8, n), days)
    return np.where(basis == "late_notice", 63 + rng.integers(0, 50, n), days).astype(np.int64)
