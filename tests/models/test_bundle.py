"""A bundle opens as it was saved, and whatever was done to it in between is noticed before LightGBM reads a byte."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models import boosting, catalogue
from models.bundle import Bundle, golden_cases
from models.calibration import Calibrator
from models.contract import HORIZONS
from models.rows import outcome
from risk.errors import BundleError, CaseDataError, OutputError

WEEKS = list(HORIZONS)


class Halved:
    """A calibrator that halves the log-odds of young cases and lifts all by 0.3."""

    def slope(self, entry):
        return np.where(np.asarray(entry) < 10, 0.5, 1.0)

    def intercept(self, entry):
        return np.full(len(entry), 0.3)

    def apply(self, survival, entry):
        z = np.log(survival) - np.log1p(-np.minimum(survival, 1 - 1e-12))
        z = z * self.slope(entry)[:, None] + self.intercept(entry)[:, None]
        return 1 / (1 + np.exp(-z))

    def to_dict(self):
        return {"kind": "halved"}


def cases(n=300):
    rng = np.random.default_rng(1)
    age, kind = rng.normal(45, 12, size=n), rng.integers(0, 3, size=n)
    weeks = np.ceil(rng.exponential(25 * np.exp(0.03 * (age - 45) + 0.4 * kind)) * 7) / 7
    X = pd.DataFrame({"age": age, "kind": pd.Categorical.from_codes(kind, ["other", "stress", "unknown"])})
    entry = np.floor(rng.uniform(0, 20, size=n) * 7) / 7
    weeks = entry + weeks
    return X, outcome(weeks < 80, np.minimum(weeks, 80)), entry


X, Y, ENTRY = cases()


@pytest.fixture(scope="module", params=["linear", "hazard"])
def learner(request):
    params = {"penalties": (10.0,)} if request.param == "linear" else {"n_estimators": 8, "patience": 0}
    return catalogue.make(request.param, **params).fit(X, Y, ENTRY)


@pytest.fixture
def saved(learner, tmp_path):
    return Bundle(learner, meta={"cut_on": "2026-11-01"}).save(tmp_path / "bundle")


def rehash(folder, name, content):
    """Change a file and its hash too, as a careful forger would."""
    (folder / name).write_text(content)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"][name] = hashlib.sha256(content.encode()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_what_is_opened_scores_and_explains_as_what_was_saved(learner, saved):
    bundle = Bundle.open(saved)
    assert bundle.meta == {"cut_on": "2026-11-01"}
    np.testing.assert_array_equal(bundle.survival(X, WEEKS, ENTRY), learner.survival(X, WEEKS, ENTRY))
    pd.testing.assert_frame_equal(
        bundle.contributions(X, 52.0, ENTRY), learner.contributions(X, 52.0, ENTRY), check_exact=True
    )


def test_version_depends_on_content_only(learner, saved, tmp_path):
    bundle = Bundle.open(saved)
    manifest = json.loads((saved / "manifest.json").read_text())
    assert bundle.version == manifest["version"] == Bundle(learner, meta={"cut_on": "2026-11-01"}).version
    assert len(bundle.version) == 12
    assert Bundle(learner, meta={"cut_on": "2026-11-08"}).version != bundle.version
    again = bundle.save(tmp_path / "again")
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {p.name: p.read_bytes() for p in saved.iterdir()}


def test_a_calibrator_moves_scores_and_reasons_together(learner):
    bundle, plain = Bundle(learner, Halved()), Bundle(learner)
    p, before = bundle.survival(X, [52.0], ENTRY)[:, 0], plain.survival(X, [52.0], ENTRY)[:, 0]
    slope = np.where(ENTRY < 10, 0.5, 1.0)
    np.testing.assert_allclose(np.log(p / (1 - p)), slope * np.log(before / (1 - before)) + 0.3, atol=1e-9)
    parts = bundle.contributions(X, 52.0, ENTRY)
    np.testing.assert_allclose(parts.to_numpy().sum(axis=1), np.log(p / (1 - p)), atol=1e-9)
    np.testing.assert_allclose(parts["age"], slope * plain.contributions(X, 52.0, ENTRY)["age"], atol=1e-12)


def test_the_calibrator_of_this_house_keeps_curves_falling_and_reasons_additive(learner, tmp_path):
    calibrator = Calibrator(min_cases=5).fit(learner.survival(X, [52.0], ENTRY)[:, 0], Y, 52.0, entry=ENTRY)
    assert not calibrator.is_identity
    bundle = Bundle.open(Bundle(learner, calibrator).save(tmp_path / "calibrated"))
    p = bundle.survival(X, WEEKS, ENTRY)
    assert np.all(np.diff(p, axis=1) <= 0)
    np.testing.assert_array_equal(bundle.survival(X, WEEKS[::-1], ENTRY), p[:, ::-1])
    parts = bundle.contributions(X, 52.0, ENTRY)
    np.testing.assert_allclose(parts.to_numpy().sum(axis=1), np.log(p[:, 4] / (1 - p[:, 4])), atol=1e-9)


def test_certainty_is_not_calibrated_away(learner):
    p = Bundle(learner, Halved()).survival(X, [8.0, 52.0], np.full(len(X), 8.0))
    assert np.all(p[:, 0] == 1.0)
    assert np.all(p[:, 1] < 1.0)


def test_every_byte_counts(saved):
    for path in sorted(saved.iterdir()):
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle] ^= 1
        whole = path.read_bytes()
        path.write_bytes(bytes(content))
        with pytest.raises(BundleError):
            Bundle.open(saved)
        path.write_bytes(whole)
    assert Bundle.open(saved).version


def test_a_changed_file_is_found_before_lightgbm_sees_it(tmp_path, monkeypatch):
    hazard = catalogue.make("hazard", n_estimators=5, patience=0).fit(X, Y, ENTRY)
    folder = Bundle(hazard).save(tmp_path / "bundle")
    text = (folder / "trees.txt").read_text()
    (folder / "trees.txt").write_text(text.replace("num_leaves", "num_loaves", 1))

    def never(_):
        raise AssertionError("LightGBM was reached")

    monkeypatch.setattr(boosting.lgb, "Booster", never)
    with pytest.raises(BundleError, match=r"trees.txt is not the file that was saved"):
        Bundle.open(folder)


def test_missing_and_extra_files_are_named(saved):
    (saved / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"not of the bundle: notes.txt"):
        Bundle.open(saved)
    (saved / "notes.txt").unlink()
    (saved / "golden.json").unlink()
    with pytest.raises(BundleError, match=r"missing golden.json"):
        Bundle.open(saved)


def test_a_folder_that_is_no_bundle_is_said_to_be_none(tmp_path):
    with pytest.raises(BundleError, match=r"no readable manifest.json"):
        Bundle.open(tmp_path / "nothing")
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(BundleError, match=r"no readable manifest.json"):
        Bundle.open(tmp_path)


def test_another_format_is_refused(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(BundleError, match="format 99"):
        Bundle.open(saved)


def test_a_name_that_leaves_the_folder_is_refused(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    manifest["files"]["../elsewhere.txt"] = "0" * 64
    (saved / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="does not list the files of a bundle"):
        Bundle.open(saved)


def test_a_forged_hash_is_caught_by_the_version(saved):
    rehash(saved, "bundle.json", (saved / "bundle.json").read_text().replace("2026-11-01", "2027-11-01"))
    with pytest.raises(BundleError, match="was changed after saving"):
        Bundle.open(saved)


def test_golden_cases_catch_a_library_that_scores_otherwise(saved, monkeypatch):
    monkeypatch.setattr(
        "models.contract.Learner.survival_encoded",
        lambda self, matrix, weeks, entry: np.full((len(matrix), len(weeks)), 0.5),
    )
    with pytest.raises(BundleError, match="golden cases score differently"):
        Bundle.open(saved)


def test_golden_cases_are_made_up_and_reach_every_level(learner):
    golden = golden_cases(learner.columns_)
    levels = {row[1] for row in golden["rows"]}
    assert levels == {None, 0.0, 1.0, 2.0}
    assert None in {row[0] for row in golden["rows"]}
    assert not set(X["age"]) & {row[0] for row in golden["rows"]}


def test_unfit_cases_are_refused_by_column(saved):
    bundle = Bundle.open(saved)
    with pytest.raises(CaseDataError, match="missing: age"):
        bundle.survival(X[["kind"]], WEEKS)
    with pytest.raises(CaseDataError, match="missing: age; not known to the model: years"):
        bundle.survival(X.rename(columns={"age": "years"}), WEEKS)
    with pytest.raises(CaseDataError, match="not known to the model: extra"):
        bundle.survival(X.assign(extra=1.0), WEEKS)
    with pytest.raises(CaseDataError, match="column age is str"):
        bundle.survival(X.assign(age=X["age"].astype(str)), WEEKS)


def test_a_level_outside_the_declared_ones_counts_as_unknown(saved):
    bundle = Bundle.open(saved)
    new = X.assign(kind=pd.Categorical(["brand new"] * len(X)))
    unknown = X.assign(kind=pd.Categorical(["unknown"] * len(X)))
    np.testing.assert_array_equal(bundle.survival(new, WEEKS, ENTRY), bundle.survival(unknown, WEEKS, ENTRY))


def test_columns_must_be_those_of_the_learner(learner):
    with pytest.raises(BundleError, match="differ from those the learner was trained on"):
        Bundle(learner, columns=[{"name": "age", "kind": "numeric", "levels": None}])


def test_saving_over_a_bundle_replaces_it_and_over_anything_else_is_refused(learner, saved, tmp_path):
    newer = Bundle(learner, meta={"cut_on": "2026-12-01"})
    newer.save(saved)
    assert Bundle.open(saved).version == newer.version
    assert sorted(p.name for p in saved.parent.iterdir()) == ["bundle"]
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("...")
    with pytest.raises(OutputError, match=r"holds 1 other file \(dear\.txt\) that would be lost"):
        newer.save(tmp_path / "letters")
    (saved / "notes.txt").write_text("why we trained again")
    with pytest.raises(OutputError, match=r"holds 1 other file \(notes\.txt\) that would be lost"):
        newer.save(saved)
    with pytest.raises(OutputError, match="cannot write"):
        newer.save(tmp_path / "letters" / "dear.txt" / "bundle")


def test_a_save_that_fails_leaves_the_old_bundle_whole(learner, saved, monkeypatch):
    old = Bundle.open(saved).version
    real = os.rename

    def full_disk(source, target):
        if Path(target) == saved and not str(source).endswith(".old"):
            raise OSError(28, "No space left on device")
        return real(source, target)

    monkeypatch.setattr(os, "rename", full_disk)
    with pytest.raises(OutputError, match=r"No space left on device.*untouched"):
        Bundle(learner, meta={"cut_on": "2026-12-01"}).save(saved)
    assert Bundle.open(saved).version == old
    assert sorted(p.name for p in saved.parent.iterdir()) == ["bundle"]


def test_a_copy_of_a_bundle_is_the_bundle(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "copy")
    assert Bundle.open(tmp_path / "copy").version == Bundle.open(saved).version
