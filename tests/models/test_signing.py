"""Who vouches for a model: with a public key configured nothing unsigned is opened, whoever changed it and however well."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from models import boosting, registry, signing
from models.approval import sign_folder
from models.bundle import Bundle, _manifest_text
from models.signing import PublicKey, SigningKey, check_signed, signing_key, trusted_keys, write_secret
from risk.__main__ import main
from risk.errors import BundleError, ConfigError, OutputError, RegistryError
from training import promotion
from training.report import Report
from training.results import TrainingRun
from training.tracking import log_run

N_MUTATED = int(os.environ.get("RISK_TEST_MUTATIONS", "200"))


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.make()


@pytest.fixture
def signed(small_bundle: Bundle, key: SigningKey, tmp_path: Path) -> Path:
    folder = small_bundle.save(tmp_path / "bundle")
    sign_folder(folder, key)
    return folder


def rehashed(folder: Path) -> None:
    """Make every hash and the version fit what lies there now, as a careful forger would."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    manifest["files"] = {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in manifest["files"]}
    manifest["version"] = hashlib.sha256(json.dumps(manifest["files"], sort_keys=True).encode()).hexdigest()[:12]
    (folder / "manifest.json").write_text(_manifest_text(manifest))


def test_a_signed_bundle_is_opened_and_says_by_whom(signed: Path, small_bundle: Bundle, key: SigningKey) -> None:
    opened = Bundle.open(signed, trusted=[key.public])
    assert (opened.version, opened.signed_by) == (small_bundle.version, key.public.name)
    assert Bundle.open(signed, trusted=()).signed_by is None


def test_an_unsigned_bundle_is_refused_where_a_key_is_asked_for(small_bundle: Bundle, key: SigningKey, tmp_path: Path) -> None:  # fmt: skip
    folder = small_bundle.save(tmp_path / "bundle")
    assert Bundle.open(folder, trusted=()).version == small_bundle.version
    with pytest.raises(BundleError, match=r"is not signed, .*risk signing sign"):
        Bundle.open(folder, trusted=[key.public])


def test_the_signature_of_a_stranger_or_of_another_bundle_does_not_count(
    signed: Path, small_bundle: Bundle, key: SigningKey, tmp_path: Path
) -> None:
    with pytest.raises(BundleError, match="no good signature"):
        Bundle.open(signed, trusted=[SigningKey.make().public])
    other = Bundle(small_bundle.learner, None, meta=small_bundle.meta | {"n_cases": 7}).save(tmp_path / "other")
    shutil.copy(signed / signing.SIGNATURES, other / signing.SIGNATURES)
    with pytest.raises(BundleError, match="no good signature"):
        Bundle.open(other, trusted=[key.public])


def test_a_signature_under_the_name_of_another_key_does_not_count(signed: Path, key: SigningKey) -> None:
    stranger = SigningKey.make()
    entry = stranger.sign((signed / "manifest.json").read_bytes()) | {"key": key.public.name}
    (signed / signing.SIGNATURES).write_text(json.dumps({"format": 1, "signatures": [entry]}))
    with pytest.raises(BundleError, match="no good signature"):
        Bundle.open(signed, trusted=[key.public])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"signatures": [{"key": 1}]}', '{"signatures": [{"key": "a", "signature": "%"}]}', "[" * 5000])  # fmt: skip
def test_signatures_that_cannot_be_read_are_told(signed: Path, key: SigningKey, text: str) -> None:
    (signed / signing.SIGNATURES).write_text(text)
    with pytest.raises(BundleError, match=r"signatures\.json cannot be read"):
        Bundle.open(signed, trusted=[key.public])


def test_a_weak_point_for_a_key_signs_nothing() -> None:
    """The neutral point of the curve: some libraries take a signature of zeros under it for any message."""
    weak = PublicKey(bytes([1]) + bytes(31))
    entry = {"key": weak.name, "signature": "A" * 86 + "=="}
    with pytest.raises(BundleError):
        check_signed(b"anything", json.dumps({"signatures": [entry]}).encode(), [weak], "bundle")


def test_keys_are_changed_by_trusting_both_for_a_while(signed: Path, key: SigningKey) -> None:
    newer = SigningKey.make()
    sign_folder(signed, newer)
    for trusted in ([key.public], [newer.public], [newer.public, key.public]):
        assert Bundle.open(signed, trusted=trusted).signed_by == trusted[0].name
    sign_folder(signed, newer)
    assert len(json.loads((signed / signing.SIGNATURES).read_text())["signatures"]) == 2


def mutate(folder: Path, rng: random.Random) -> str:
    """Change one file of a bundle in one of many ways; what was done."""
    file = rng.choice(sorted(p for p in folder.iterdir() if p.name != signing.SIGNATURES))
    content = bytearray(file.read_bytes())
    at = rng.randrange(len(content))
    ways: dict[str, Callable[[], bytes]] = {
        "a bit turned": lambda: bytes(content[:at]) + bytes([content[at] ^ (1 << rng.randrange(8))]) + bytes(content[at + 1 :]),
        "cut off": lambda: bytes(content[:at]),
        "a piece left out": lambda: bytes(content[:at]) + bytes(content[at + rng.randrange(1, 40) :]),
        "a piece twice": lambda: bytes(content[: at + 20]) + bytes(content[at:]),
        "something put in": lambda: bytes(content[:at]) + rng.randbytes(rng.randrange(1, 9)) + bytes(content[at:]),
        "another digit": lambda: bytes(content[:at]) + b"9" + bytes(content[at:]),
    }  # fmt: skip
    way = rng.choice(sorted(ways))
    changed = ways[way]()
    while changed == bytes(content):
        changed += b" "
    file.write_bytes(changed)
    return f"{file.name}: {way} at {at}"


@pytest.mark.parametrize("is_careful", [False, True], ids=["changed", "changed and hashed anew"])
def test_mutated_bundles_are_refused_before_lightgbm_sees_a_byte(
    key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_careful: bool, boosted_bundle: Path
) -> None:
    """Half of such texts would end the process, so that it lives to the end of the test is part of what is shown."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("LightGBM was reached")

    monkeypatch.setattr(boosting.lgb, "Booster", never)
    rng = random.Random(52)
    for i in range(N_MUTATED // 2):
        folder = Path(shutil.copytree(boosted_bundle, tmp_path / "mutated"))
        if is_careful:
            sign_folder(folder, key)
        done = mutate(folder, rng)
        if is_careful and not done.startswith("manifest.json"):
            rehashed(folder)
        assert refusal(folder, [key.public] if is_careful else []), f"mutation {i} was opened: {done}"
        shutil.rmtree(folder)


def refusal(folder: Path, trusted: list[PublicKey]) -> str:
    """Why a bundle is not opened; empty when it is."""
    try:
        Bundle.open(folder, trusted)
    except BundleError as why:
        return str(why)
    return ""


@pytest.fixture(scope="module")
def boosted_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small bundle with a LightGBM text in it."""
    import numpy as np
    import pandas as pd

    from models import catalogue
    from models.rows import outcome

    rng = np.random.default_rng(1)
    X = pd.DataFrame({"age": rng.normal(45, 12, 200), "hours": rng.uniform(0, 37, 200)})
    weeks = np.ceil(rng.exponential(25, 200) * 7) / 7
    learner = catalogue.make("hazard", n_estimators=5, patience=0).fit(X, outcome(weeks < 80, np.minimum(weeks, 80)))
    return Bundle(learner).save(tmp_path_factory.mktemp("boosted") / "bundle")


def test_keys_come_from_the_environment_or_from_a_file_it_names(key: SigningKey, tmp_path: Path) -> None:
    write_secret(key, tmp_path / "secret")
    other = SigningKey.make()
    (tmp_path / "public").write_text(f"# who may vouch\n{key.public.text}\n\n{other.public.text}\n")
    for given in (key.text, str(tmp_path / "secret")):
        found = signing_key({"RISK_SIGNING_KEY": given})
        assert found is not None
        assert found.public == key.public
    both = (key.public, other.public)
    for given in (str(tmp_path / "public"), f"{key.public.text}, {other.public.text}"):
        assert trusted_keys({"RISK_SIGNING_PUBLIC_KEYS": given}) == both
    assert (signing_key({}), trusted_keys({"RISK_SIGNING_PUBLIC_KEYS": " "})) == (None, ())


def test_the_secret_is_shown_by_nothing_and_its_file_is_for_its_owner(key: SigningKey, tmp_path: Path) -> None:
    write_secret(key, tmp_path / "secret")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600
    assert key.text not in repr(key) + str(vars(key)) + repr(key.public)
    with pytest.raises(OutputError, match="never written over"):
        write_secret(SigningKey.make(), tmp_path / "secret")
    with pytest.raises(OutputError, match="another place"):
        write_secret(key, tmp_path / "nowhere" / "secret")


def test_a_setting_that_holds_no_key_is_told_without_repeating_it(key: SigningKey, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    # A secret where a public key belongs is the mistake that must not end up in a log.
    wrong = [key.text, "risk52-public-short", "no/such/file", str(tmp_path), str(tmp_path / "empty")]
    for given in wrong:
        with pytest.raises(ConfigError, match="RISK_SIGNING_PUBLIC_KEYS") as told:
            trusted_keys({"RISK_SIGNING_PUBLIC_KEYS": given})
        assert key.text not in str(told.value)
    for given in (key.public.text, "risk52-secret-short", str(tmp_path / "empty")):
        with pytest.raises(ConfigError, match="RISK_SIGNING_KEY"):
            signing_key({"RISK_SIGNING_KEY": given})


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(words)
    return int(end.value.code or 0)


def test_promotion_signs_and_every_door_asks_for_the_signature(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from models.pyfunc import _load_pyfunc

    run = make_run()
    log_run(run, small_report)
    registry.set_alias("champion", 1)
    assert command("signing", "new", str(tmp_path / "secret")) == 0
    public = capsys.readouterr().out.strip()
    monkeypatch.setenv("RISK_SIGNING_PUBLIC_KEYS", public)
    folder = next((risk_home / "artifacts").glob("*/artifacts/bundle")) / "data" / "bundle"
    for door in (registry.champion_bundle, lambda: _load_pyfunc(str(folder)), lambda: registry.champion_bundle(str(folder))):  # fmt: skip
        with pytest.raises(BundleError, match="is not signed"):
            door()
    log_run(run, small_report)
    assert command("signing", "sign", "2") == ConfigError.exit_status  # no key to sign with
    monkeypatch.setenv("RISK_SIGNING_KEY", str(tmp_path / "secret"))
    promotion.promote("2", by="anna")
    name = PublicKey(trusted_keys()[0].raw).name
    assert registry.champion_bundle().signed_by == name
    capsys.readouterr()
    assert command("signing", "check") == 0
    assert capsys.readouterr().out.strip() == f"bundle {run.bundle.version} is signed with key {name}"
    assert command("signing", "check", "1") == BundleError.exit_status
    assert command("signing", "sign", "1") == 0
    assert command("signing", "sign", str(folder)) == 0
    assert command("signing", "check", "1") == 0
    assert _load_pyfunc(str(folder)).bundle.signed_by == name


def test_a_version_that_cannot_be_signed_is_not_promoted(
    risk_home: Path, make_run: Callable[..., TrainingRun], small_report: Report, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    log_run(make_run(), small_report)
    folder = next((risk_home / "artifacts").glob("*/artifacts/bundle"))
    registry.register(str(folder), "", {"bundle_version": make_run().bundle.version})
    monkeypatch.setenv("RISK_SIGNING_KEY", key.text)
    with pytest.raises(RegistryError, match="no signature can be put beside it"):
        promotion.promote("2", by="anna")
    with pytest.raises(RegistryError, match="no champion yet"):
        registry.champion_bundle()
