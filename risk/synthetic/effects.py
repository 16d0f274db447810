"""Every number the synthetic register is made of: base rates, mix, multipliers, emissions, laws and end states.

Sources: sections 2 and 3 of the project's domain brief, named where a table is used ("3.4" is its table of effects).
What the brief does not give is marked *own*: it was set so that the best possible AUC at registration lies between 0.75
and 0.80, as published register models leave room for.
"""

from __future__ import annotations

# ---- 3.1: chance of still being open, counted from the first day of absence, when no rule of law ends cases ------------
# (weeks, P(open)). Chance of passing week 52 among those still open follows by division: 11 % of all (10.8), 20 % at week 4.5,
# 30 % at week 8, 39 % at week 13, 50 % at week 22; weekly exit 0.033 after week 52, slower after year two.
OPEN_AFTER_WEEKS = (
    (0.0, 1.0), (1.0, 0.870), (2.0, 0.755), (3.0, 0.650), (4.5, 0.540), (6.0, 0.448), (8.0, 0.360), (10.0, 0.317),
    (13.0, 0.277), (17.0, 0.244), (22.0, 0.216), (33.0, 0.1655), (44.0, 0.1270), (52.0, 0.108), (78.0, 0.0458),
    (104.0, 0.0194), (156.0, 0.0036), (208.0, 0.0008), (590.0, 0.000005),
)  # fmt: skip

# ---- 3.4: multipliers on the hazard of closing ------------------------------------------------------------------------
# (attribute, level): multiplier. Missing and unlisted levels: 1.
LEVEL_EFFECTS: dict[tuple[str, str], float] = {
    ("employment_status", "unemployed"): 0.65,  # 3.4
    ("employment_status", "self_employed"): 0.95,  # 3.4
    ("employment_status", "flexjob"): 0.75,  # 3.4
    ("sex", "female"): 0.95,  # 3.4
    ("education", "basic"): 0.90,  # 3.4
    ("employer_size", "under_20"): 1.05,  # 3.4
    ("household", "single"): 0.93,  # living alone raises dependency (3.4), size own
    ("sector", "public"): 0.95,  # public employers: longer (3.4), size own
    ("occupation", "professional"): 1.10,  # blue-collar: longer (3.4), sizes own
    ("occupation", "manager"): 1.12,
    ("occupation", "elementary"): 0.88,
    ("occupation", "operator"): 0.93,
    ("industry", "social_care"): 0.90,  # emotional demands: longer (3.4), sizes own
    ("industry", "cleaning"): 0.88,
    ("industry", "construction"): 1.06,
    ("industry", "office"): 1.05,
}
FLAG_EFFECTS: dict[str, float] = {
    "has_section_56": 0.85,  # 3.4
    "has_prior_clarification": 0.50,  # welfare history is a strong predictor (3.4), size own
    "was_hospitalised": 0.60,  # severity (3.4), size own
    "is_paid_when_ill": 1.25,  # own: tie to the workplace
}
# attribute: (multiplier, per so many units, centre, highest value that still adds)
NUMBER_EFFECTS: dict[str, tuple[float, float, float, float]] = {
    "age_years": (0.92, 10.0, 44.0, 75.0),  # 3.4: per 10 years
    "benefit_weeks_12m": (0.85, 13.0, 0.0, 53.0),  # 3.4: per 13 weeks
    "benefit_weeks_5y": (0.84, 26.0, 0.0, 104.0),  # own
    "other_benefit_weeks_5y": (0.72, 52.0, 0.0, 156.0),  # own: welfare history
    "unemployment_weeks_3y": (0.86, 26.0, 0.0, 104.0),  # own
    "employment_rate_3y": (1.65, 0.5, 0.8, 1.0),  # own: welfare history
    "tenure_months": (1.08, 60.0, 60.0, 180.0),  # own
}
TWO_SPELLS_EFFECT = 0.85  # 3.4: two or more earlier spells
ILLNESS_EFFECTS = {  # 3.4; neurological, digestive, pregnancy and other own
    "musculoskeletal": 0.90, "mental": 0.75, "cancer": 0.60, "cardiovascular": 0.85, "injury": 1.25, "pregnancy": 1.05,
    "neurological": 0.85, "digestive": 1.10, "infection": 1.25, "other": 1.00,
}  # fmt: skip
UNEMPLOYED_MENTAL_EFFECT = 0.85  # 3.4: interaction
OUTLOOKS = ("under_8w", "8_13w", "13_26w", "over_26w")
OUTLOOK_EFFECTS = {"under_8w": 1.40, "8_13w": 1.00, "13_26w": 0.70, "over_26w": 0.45}  # 3.4
CLAIM_EFFECT = 0.80  # 3.4: work-injury claim
PARTIAL_RETURN_EFFECT = 1.30  # 3.4: from the day it begins
FRAILTY_VARIANCE = 0.10  # gamma, mean 1; own: part of the difficulty dial

# ---- 3.3: mix of illness at the first day of absence -------------------------------------------------------------------
# Norway's shares, shifted towards mental illness as in Danish offices; those past week 8 then come out as 3.3 assumes.
ILLNESS_MIX = {
    "musculoskeletal": 0.300, "mental": 0.270, "cancer": 0.048, "cardiovascular": 0.030, "injury": 0.085, "pregnancy": 0.042,
    "neurological": 0.045, "digestive": 0.055, "infection": 0.085, "other": 0.040,
}  # fmt: skip
INFECTION_BY_MONTH = (1.9, 1.8, 1.4, 1.0, 0.8, 0.6, 0.5, 0.5, 0.7, 0.9, 1.1, 1.6)  # winter peak of respiratory illness
STARTS_BY_MONTH = (1.15, 1.10, 1.08, 0.98, 1.00, 0.95, 0.68, 0.95, 1.05, 1.05, 1.05, 0.96)  # 3.4: fewer in July
HOSPITAL_SHARE = {
    "musculoskeletal": 0.05, "mental": 0.03, "cancer": 0.40, "cardiovascular": 0.40, "injury": 0.15, "pregnancy": 0.10,
    "neurological": 0.15, "digestive": 0.20, "infection": 0.08, "other": 0.06,
}  # fmt: skip
CLAIM_SHARE = {"musculoskeletal": 0.05, "mental": 0.03, "injury": 0.15}  # a claim outside the injury case types
OUTLOOK_MIX = {  # own: what the person would answer, by illness
    "musculoskeletal": (0.33, 0.29, 0.25, 0.13), "mental": (0.26, 0.29, 0.28, 0.17), "cancer": (0.10, 0.16, 0.34, 0.40),
    "cardiovascular": (0.27, 0.28, 0.27, 0.18), "injury": (0.45, 0.30, 0.17, 0.08), "pregnancy": (0.30, 0.30, 0.32, 0.08),
    "neurological": (0.26, 0.26, 0.26, 0.22), "digestive": (0.45, 0.28, 0.18, 0.09), "infection": (0.65, 0.21, 0.09, 0.05),
    "other": (0.40, 0.27, 0.20, 0.13),
}  # fmt: skip

# ---- facts: chances given the (hidden) illness and outlook; missing not at random -------------------------------------
FORM_NEVER = {"under_8w": 0.05, "8_13w": 0.05, "13_26w": 0.08, "over_26w": 0.14}
FORM_NEVER_MENTAL = 1.5  # times as often
FORM_DAYS = (5, 21)  # after registration: weeks 1-3
ILLNESS_TOLD = {"mental": 0.68}  # on the form; the employee need not tell
ILLNESS_TOLD_ELSE = 0.84
OUTLOOK_TOLD = {"under_8w": 0.92, "8_13w": 0.88, "13_26w": 0.78, "over_26w": 0.68}
TREATMENTS = ("waiting", "ongoing", "ended", "none")
TREATMENT = {  # by outlook
    "under_8w": (0.10, 0.45, 0.25, 0.20), "8_13w": (0.17, 0.55, 0.13, 0.15), "13_26w": (0.27, 0.58, 0.06, 0.09),
    "over_26w": (0.33, 0.57, 0.04, 0.06),
}  # fmt: skip
WORK_RELATED = {"mental": 0.40, "musculoskeletal": 0.30, "injury": 0.35}
WORK_RELATED_ELSE = 0.05
JOB_ADAPTED_ANSWERED = 0.35  # of those with an employer
JOB_ADAPTED = {"under_8w": 0.72, "8_13w": 0.62, "13_26w": 0.48, "over_26w": 0.32}
PROGNOSES = ("soon", "later", "lasting")
PROGNOSIS = {
    "under_8w": (0.70, 0.27, 0.03), "8_13w": (0.45, 0.48, 0.07), "13_26w": (0.22, 0.60, 0.18), "over_26w": (0.10, 0.45, 0.45),
}  # fmt: skip
STATEMENTS = ("return_expected", "return_unclear", "no_return")
STATEMENT = {
    "under_8w": (0.75, 0.22, 0.03), "8_13w": (0.60, 0.34, 0.06), "13_26w": (0.38, 0.48, 0.14), "over_26w": (0.20, 0.48, 0.32),
}  # fmt: skip
DISMISSED = {"under_8w": 0.03, "8_13w": 0.06, "13_26w": 0.13, "over_26w": 0.22}  # within a year of absence
DISMISSED_DAYS = (21, 270)
PARTIAL_RETURN = {"employee": 0.40, "flexjob": 0.30, "apprentice": 0.30, "self_employed": 0.35}  # chance, if it lasts
PARTIAL_RETURN_DAYS = (28.0, 120.0)  # not before day 28; then on average so many days later (exponential)

# ---- 1.2-1.3: laws that end cases, beside recovery ----------------------------------------------------------------------
# first and last day of absence, share of open cases that leaves in between, close reason
LAWS: dict[str, tuple[int, int, float, str]] = {
    "cap": (357, 364, 0.34, "duration_limit"),  # until June 2014: at week 52 about a third leave at once (3.1)
    "reassessment": (182, 210, 0.100, "clarification"),  # July 2014-2026: 18 % of the closings of weeks 27-52 (3.5)
    "none": (0, 1, 0.0, "other"),  # from 2027: a reduced rate instead of an end
}
# Extension grounds of the reassessment: life-threatening illness (no. 5), pending injury claim (no. 6).
LAW_BY_ILLNESS = {"cancer": 0.2}
LAW_WITH_CLAIM = 0.4

# ---- 3.5: end states by length of case (days up to and including 182, 364, beyond) ---------------------------------------
MOVED_SHARE = 0.02
END_STATES: tuple[tuple[int, dict[str, float]], ...] = (
    (182, {"recovered": 93.0, "fund": 4.0, "death": 0.3, "age_pension": 0.7}),
    (364, {"recovered": 62.0, "fund": 8.0, "flexjob": 4.0, "disability_pension": 0.8, "age_pension": 1.2, "death": 1.5,
           "other": 2.5}),
    (99999, {"recovered": 35.0, "flexjob": 20.0, "disability_pension": 12.0, "clarification": 20.0, "fund": 5.0,
             "death": 3.0, "other": 3.0}),
)  # fmt: skip

# ---- scenario "drift": from 18 months before the extract -----------------------------------------------------------------
DRIFT_MONTHS = 18
DRIFT_HAZARD = 0.85  # every case closes more slowly
DRIFT_MENTAL = 1.45  # relative weight of mental illness among new cases
DRIFT_UNEMPLOYED = 1.40  # relative weight of the unemployed among new cases
