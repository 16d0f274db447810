"""Work to return to: employment, trade, workplace and pay."""

from __future__ import annotations

import numpy as np

from risk.features.feature import Feature, direct
from risk.snapshot import Snapshot
from risk.weeks import Floats


def _benefit_to_wage(snapshot: Snapshot) -> Floats:
    wage = snapshot.columns["weekly_wage"]
    return np.divide(snapshot.columns["weekly_benefit"], wage, out=np.full(len(wage), np.nan), where=wage > 0)


FEATURES = (
    direct("benefit_basis", "work", ("Sagsart: {value}", "Legal basis: {value}")),
    direct("employment_status", "work", ("Beskæftigelse: {value}", "Employment: {value}")),
    direct("industry", "work", ("Branche: {value}", "Industry: {value}")),
    direct("occupation", "work", ("Stilling: {value}", "Occupation: {value}")),
    direct("sector", "work", ("Arbejdsgiveren er {value}", "The employer is {value}")),
    direct("employer_size", "work", ("Arbejdspladsen har {value}", "The workplace has {value}")),
    direct("tenure_months", "work", ("Ansat i {value} måneder", "Employed for {value} months")),
    direct("weekly_hours", "work", ("Arbejder {value} timer om ugen", "Works {value} hours a week")),
    direct("weekly_wage", "work", ("Løn før sygdom: {value} pr. uge", "Wage before illness: {value} a week")),
    direct("weekly_benefit", "work", ("Ydelse: {value} pr. uge", "Benefit: {value} a week")),
    Feature(
        "benefit_to_wage", "work", ("weekly_benefit", "weekly_wage"), _benefit_to_wage,
        ("Ydelsen udgør {value} af lønnen", "The benefit is {value} of the wage"),
        ("Ydelse eller løn er ikke oplyst", "Benefit or wage is not known"), decimals=2,
    ),
    direct(
        "is_paid_when_ill", "work",
        ("Får løn under sygdom", "Is paid by the employer while ill"),
        no_sentence=("Får ikke løn under sygdom", "Is not paid by the employer while ill"),
    ),
    direct("education", "work", ("Uddannelse: {value}", "Education: {value}")),
    direct(
        "job_status", "work", ("Ansættelsen: {value}", "The job: {value}"),
        missing=("Ansættelsesforholdet er ikke afklaret", "Whether the job still stands is not known"),
    ),
    direct(
        "is_job_adapted", "work",
        ("Arbejdsgiveren kan tilpasse arbejdet", "The employer can adapt the job"),
        no_sentence=("Arbejdsgiveren kan ikke tilpasse arbejdet", "The employer cannot adapt the job"),
        missing=("Arbejdsgiveren har ikke oplyst, om arbejdet kan tilpasses", "The employer has not said if the job can be adapted"),
    ),
)  # fmt: skip
