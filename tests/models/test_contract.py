"""What every learner of the catalogue promises; a new one is walked through all of this by being listed there."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from models import catalogue
from models.contract import HORIZONS
from models.rows import outcome
from risk.errors import BundleError, CaseDataError, ConfigError, TooFewCasesError

SMALL = {"n_estimators": 12, "num_leaves": 7, "patience": 0, "penalties": (10.0,)}
WEEKS = list(HORIZONS)


def make(name, **more):
    known = catalogue.learner_class(name)._get_param_names()
    return catalogue.make(name, **{k: v for k, v in SMALL.items() if k in known} | more)


def cases(n=240, seed=0):
    """Numbers, a category, missing values, late entry, whole-day ties, and a third of the cases still open."""
    rng = np.random.default_rng(seed)
    number, level = rng.normal(size=n), rng.integers(0, 3, size=n)
    weeks = np.ceil(rng.exponential(30 * np.exp(0.6 * number + 0.5 * (level == 2)), size=n) * 7) / 7
    seen_for = np.ceil(rng.uniform(1, 90, size=n) * 7) / 7
    entry = np.where(rng.random(n) < 0.5, 0.0, np.floor(rng.uniform(0, 20, size=n) * 7) / 7)
    X = pd.DataFrame(
        {
            "number": np.where(rng.random(n) < 0.1, np.nan, number),
            "flag": rng.random(n) < 0.3,
            "kind": pd.Categorical.from_codes(np.where(rng.random(n) < 0.1, -1, level), ["a", "b", "c"]),
            "count": rng.integers(0, 5, size=n),
        }
    )
    return X, outcome(weeks <= seen_for, np.minimum(weeks, seen_for)), entry


X, Y, ENTRY = cases()


@pytest.fixture(scope="module", params=catalogue.names())
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted(name):
    return make(name).fit(X, Y, ENTRY)


def odds(p):
    return np.log(p) - np.log1p(-p)


def test_curves_are_probabilities_that_never_rise_and_start_at_one(fitted):
    weeks = np.array([0.0, 1 / 7, 4.5, 8, 13, 22, 26, 40, 52, 60, 78])
    p = fitted.survival(X, weeks, ENTRY)
    assert p.shape == (len(X), len(weeks))
    assert np.all((p >= 0) & (p <= 1))
    assert np.all(np.diff(p, axis=1) <= 0)
    assert np.all(p[weeks[None, :] <= ENTRY[:, None]] == 1.0)
    assert np.all(p[:, -1] < 1.0)


def test_weeks_may_come_in_any_order(fitted):
    p = fitted.survival(X, WEEKS, ENTRY)
    np.testing.assert_array_equal(fitted.survival(X, WEEKS[::-1], ENTRY), p[:, ::-1])


def test_a_case_alone_scores_as_in_a_batch(fitted):
    batch = fitted.survival(X, WEEKS, ENTRY)
    for i in (0, 17, 239):
        alone = fitted.survival(X.iloc[[i]], WEEKS, ENTRY[[i]])
        assert alone.shape == (1, len(WEEKS))
        np.testing.assert_allclose(alone[0], batch[i], rtol=0, atol=1e-12)


def test_no_rows_give_no_scores(fitted):
    assert fitted.survival(X.iloc[:0], WEEKS, ENTRY[:0]).shape == (0, len(WEEKS))
    assert fitted.contributions(X.iloc[:0], 52.0, ENTRY[:0]).shape == (0, 5)


@pytest.mark.parametrize("week", [13.0, 52.0])
def test_contributions_add_up_to_the_log_odds(fitted, week):
    parts = fitted.contributions(X, week, ENTRY)
    assert list(parts.columns) == [*X.columns, "base"]
    at_risk = week > ENTRY
    p = fitted.survival(X, [week], ENTRY)[:, 0]
    np.testing.assert_allclose(parts.to_numpy().sum(axis=1)[at_risk], odds(p[at_risk]), rtol=0, atol=1e-9)
    certain = parts[~at_risk]
    assert np.all(certain["base"] == np.inf)
    assert np.all(certain.drop(columns="base") == 0.0)


def test_columns_are_matched_by_name(fitted):
    shuffled = X[["kind", "count", "number", "flag"]]
    np.testing.assert_array_equal(fitted.survival(shuffled, WEEKS, ENTRY), fitted.survival(X, WEEKS, ENTRY))
    with pytest.raises(CaseDataError, match="missing: count; not known to the model: amount"):
        fitted.survival(X.rename(columns={"count": "amount"}), WEEKS, ENTRY)
    with pytest.raises(CaseDataError, match="missing: flag"):
        fitted.survival(X.drop(columns="flag"), WEEKS, ENTRY)


def test_a_retyped_column_is_refused_by_name(fitted):
    with pytest.raises(CaseDataError, match=r"column kind is .* learned as a category"):
        fitted.survival(X.assign(kind=X["kind"].astype(str)), WEEKS, ENTRY)
    with pytest.raises(CaseDataError, match="column number is categorical"):
        fitted.survival(X.assign(number=X["kind"]), WEEKS, ENTRY)


def test_level_numbers_of_the_caller_do_not_matter(fitted):
    recoded = X.assign(kind=X["kind"].cat.reorder_categories(["c", "a", "b"]))
    np.testing.assert_array_equal(fitted.survival(recoded, WEEKS, ENTRY), fitted.survival(X, WEEKS, ENTRY))


def test_an_unseen_level_scores_as_missing(fitted):
    unseen = X.assign(kind=pd.Categorical(["never seen"] * len(X)))
    missing = X.assign(kind=pd.Categorical([None] * len(X), categories=["a"]))
    np.testing.assert_array_equal(fitted.survival(unseen, WEEKS, ENTRY), fitted.survival(missing, WEEKS, ENTRY))


def test_the_same_rows_in_any_order_give_the_same_bytes(name, fitted):
    order = np.random.default_rng(3).permutation(len(X))
    again = make(name).fit(X.iloc[order], Y[order], ENTRY[order])
    assert again.to_files() == fitted.to_files()


def test_groups_in_any_order_give_the_same_bytes(name):
    person = np.arange(len(X)) // 3
    order = np.random.default_rng(4).permutation(len(X))
    first = make(name).fit(X, Y, ENTRY, groups=person).to_files()
    assert make(name).fit(X.iloc[order], Y[order], ENTRY[order], groups=person[order]).to_files() == first


def test_a_refit_forgets_what_it_knew(name, fitted):
    learner = make(name).fit(X[["count"]], Y, ENTRY)
    assert learner.fit(X, Y, ENTRY).to_files() == fitted.to_files()


def test_text_files_give_equal_bits(fitted):
    files = fitted.to_files()
    assert all(isinstance(text, str) for text in files.values())
    opened = catalogue.from_files(json.loads(json.dumps(files)))
    np.testing.assert_array_equal(opened.survival(X, WEEKS, ENTRY), fitted.survival(X, WEEKS, ENTRY))
    parts = opened.contributions(X, 26.0, ENTRY)
    pd.testing.assert_frame_equal(parts, fitted.contributions(X, 26.0, ENTRY), check_exact=True)
    assert opened.to_files() == files


def test_files_of_another_learner_or_format_are_refused(name, fitted):
    head = json.loads(fitted.to_files()["learner.json"])
    with pytest.raises(BundleError, match="format 99"):
        catalogue.from_files(fitted.to_files() | {"learner.json": json.dumps(head | {"format": 99})})
    with pytest.raises(BundleError, match="'oracle'"):
        catalogue.from_files(fitted.to_files() | {"learner.json": json.dumps(head | {"learner": "oracle"})})


def test_scikit_learn_manners(name, fitted):
    learner = make(name)
    assert clone(learner).get_params() == learner.get_params()
    assert not [a for a in vars(learner) if a.endswith("_")]
    assert fitted.n_features_in_ == 4
    assert list(fitted.feature_names_in_) == list(X.columns)
    before = json.dumps(learner.get_params(), default=str)
    learner.fit(X, Y, ENTRY)
    assert json.dumps(learner.get_params(), default=str) == before


def test_input_is_left_as_it_was(name):
    X_before, y_before, entry_before = X.copy(deep=True), Y.copy(), ENTRY.copy()
    make(name).fit(X, Y, ENTRY).survival(X, WEEKS, ENTRY)
    pd.testing.assert_frame_equal(X, X_before)
    np.testing.assert_array_equal(Y, y_before)
    np.testing.assert_array_equal(ENTRY, entry_before)


def test_rows_that_were_never_watched_change_nothing(name, fitted):
    extra = pd.concat([X, X.iloc[:20]], ignore_index=True)
    y = np.concatenate([Y, Y[:20]])
    entry = np.concatenate([ENTRY, Y["weeks"][:20]])
    assert make(name).fit(extra, y, entry).to_files() == fitted.to_files()


def test_weight_zero_is_absence(name, fitted):
    weight = np.r_[np.ones(len(X)), np.zeros(20)]
    extra = pd.concat([X, X.iloc[:20].assign(number=9.0)], ignore_index=True)
    y, entry = np.concatenate([Y, Y[:20]]), np.concatenate([ENTRY, ENTRY[:20]])
    assert make(name).fit(extra, y, entry, sample_weight=weight).to_files() == fitted.to_files()


def test_heavier_short_cases_lower_the_curve(name, fitted):
    weight = np.where(Y["closed"] & (Y["weeks"] < 20), 3.0, 1.0)
    heavy = make(name).fit(X, Y, ENTRY, sample_weight=weight)
    at_risk = ENTRY < 13
    assert heavy.survival(X, [52.0], ENTRY)[at_risk].mean() < fitted.survival(X, [52.0], ENTRY)[at_risk].mean() - 0.02


def test_an_all_missing_column_and_a_constant_one_are_harmless(name):
    odd = X.assign(
        empty=np.nan, same=1.0, one_level=pd.Categorical(["z"] * len(X)), no_level=pd.Categorical([None] * len(X))
    )
    learner = make(name).fit(odd, Y, ENTRY)
    p = learner.survival(odd.assign(empty=5.0, same=np.nan), WEEKS, ENTRY)
    assert np.all(np.isfinite(p))
    assert np.all(np.isfinite(learner.contributions(odd, 52.0, np.zeros(len(X)))))


def test_periods_without_a_closing_are_bridged(name):
    quiet = Y.copy()
    quiet["closed"] &= (Y["weeks"] < 8) | (Y["weeks"] > 30)
    p = make(name).fit(X, quiet, ENTRY).survival(X, [8, 13, 22, 26, 52], np.zeros(len(X)))
    assert np.all(np.isfinite(p))
    assert np.all(p[:, -1] < 1.0)


def test_without_censoring_the_mean_score_is_the_share_open(name):
    X_all, y, _ = cases(900, seed=5)
    weeks = np.random.default_rng(6).exponential(40, size=900)
    y = outcome(np.ones(900, dtype=bool), np.ceil(weeks * 7) / 7)
    p = make(name).fit(X_all, y).survival(X_all, [52.0])[:, 0]
    assert abs(p.mean() - np.mean(y["weeks"] > 52)) < 0.03


def test_coarse_whole_weeks_with_many_ties_keep_the_share_open(name):
    X_all, _, _ = cases(900, seed=5)
    weeks = np.ceil(np.random.default_rng(7).exponential(12, size=900))
    p = make(name).fit(X_all, outcome(np.ones(900, dtype=bool), weeks)).survival(X_all, [13.0, 26.0])
    if name != "longest_open":  # one rate for all weeks is all it knows
        shape_only = name in {"direct", "additive", "matured_only", "censored_as_negative"}
        assert abs(p[:, 0].mean() - np.mean(weeks > 13)) < (0.05 if shape_only else 0.03)
        assert abs(p[:, 1].mean() - np.mean(weeks > 26)) < (0.05 if shape_only else 0.03)


def test_all_censored_is_a_clear_error(name):
    with pytest.raises(TooFewCasesError, match="no case closed among 240 rows"):
        make(name).fit(X, outcome(np.zeros(len(X), dtype=bool), Y["weeks"]), np.zeros(len(X)))


def test_rows_never_watched_are_a_clear_error(name):
    with pytest.raises(TooFewCasesError, match="none of the 240 rows"):
        make(name).fit(X, Y, Y["weeks"])


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"y": Y["weeks"]}, "structured array"),
        ({"y": Y[:-1]}, "y has shape"),
        ({"y": outcome(Y["closed"], np.where(np.arange(len(Y)) == 7, np.nan, Y["weeks"]))}, "row 7"),
        ({"entry": -np.ones(len(X))}, "entry .* negative"),
        ({"entry": np.zeros(3)}, "entry has shape"),
        ({"X": X.to_numpy(dtype=object)}, "DataFrame"),
        ({"X": X.assign(text="words")}, "column text"),
        ({"X": X.assign(wild=np.inf)}, "column wild holds infinite"),
        ({"sample_weight": -np.ones(len(X))}, "sample_weight .* negative"),
        ({"groups": np.zeros(3)}, "groups has shape"),
    ],
)
def test_bad_input_is_named(name, broken, message):
    given = {"X": X, "y": Y, "entry": ENTRY} | broken
    with pytest.raises(CaseDataError, match=message):
        make(name).fit(**given)


def test_weeks_and_entry_asked_for_must_make_sense(fitted):
    with pytest.raises(CaseDataError, match="weeks to score at"):
        fitted.survival(X, [np.nan], ENTRY)
    with pytest.raises(CaseDataError, match=r"entry .* negative in 1 row"):
        fitted.survival(X, WEEKS, np.where(np.arange(len(X)) == 3, -1.0, ENTRY))


def test_the_catalogue_knows_who_may_serve():
    assert not catalogue.can_be_champion("matured_only")
    assert not catalogue.can_be_champion("censored_as_negative")
    assert catalogue.can_be_champion("linear")
    with pytest.raises(ConfigError, match="choose one of"):
        catalogue.make("oracle")
    with pytest.raises(ConfigError, match="no parameter depth"):
        catalogue.make("linear", depth=3)
