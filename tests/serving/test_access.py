"""Who may do what: denied unless listed, one answer to every bad token, offices apart, limits, and a start that refuses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import FastAPI
from starlette.testclient import TestClient

from risk.errors import ConfigError, StoreError
from serving.access import PUBLIC, ROLES
from serving.api import create_app
from serving.description import EXAMPLE
from serving.settings import Settings
from serving.start import KNOWN_TO_ALL, check_host
from serving.store.engine import Store, open_store
from serving.store.keys import SCOPES, KeyRing, create_key, list_keys, revoke_key
from serving.tokens import KEYS_LIVE_SECONDS, LEAST_SECONDS_BETWEEN, Issuer

LEDGER_KEY = "for tests only: 0123456789 abcdefghij"
ISSUER, AUDIENCE = "https://login.example", "risk52"
NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


@pytest.fixture(scope="module")
def signer() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def jwks(signer: rsa.RSAPrivateKey, tmp_path_factory: pytest.TempPathFactory) -> Path:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signer.public_key()))
    place = tmp_path_factory.mktemp("oidc") / "jwks.json"
    place.write_text(json.dumps({"keys": [key | {"kid": "one", "use": "sig", "alg": "RS256"}]}))
    return place


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    given = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "kirsten@nordby.example", "iat": now, "exp": now + 300,
        "scope": "score:write model:read", "office": "Nordby",
    }  # fmt: skip
    return {k: v for k, v in (given | changed).items() if v is not None}


def token(key: Any, algorithm: str = "RS256", kid: str | None = "one", head: Any = None, **changed: Any) -> str:
    headers = ({} if kid is None else {"kid": kid}) | (head or {})
    return jwt.encode(claims(**changed), key, algorithm=algorithm, headers=headers)


@pytest.fixture
def guarded(serve: Callable[..., TestClient], first_store: tuple[Path, str], jwks: Path) -> tuple[TestClient, str]:
    """A service that takes keys and tokens, without a default key, and a key that works."""
    client = serve(
        refresh_seconds=0, oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_jwks=str(jwks), denied_rate="900/minute"
    )
    del client.headers["Authorization"]
    return client, first_store[1]


def ask(client: TestClient, **headers: str) -> Any:
    return client.get("/v1/model", headers=headers)


def test_every_route_is_listed_and_every_listed_route_is_there(client: TestClient) -> None:
    app: FastAPI = client.app  # type: ignore[assignment]  # the client's type of app is any ASGI one
    there = {(method, route.path) for route in app.routes for method in route.methods}  # type: ignore[attr-defined]  # not every kind of route has methods, ours have
    assert there == {role for role in ROLES if not role[1].startswith("/docs")}
    public = {path for (_, path), wanted in ROLES.items() if wanted == PUBLIC}
    assert public == {
        "/health/live", "/health/ready", "/health", "/ready", "/openapi.json", "/docs", "/docs/oauth2-redirect",
    }  # fmt: skip
    assert set(ROLES.values()) <= {PUBLIC, *SCOPES}


def test_a_route_that_is_not_listed_is_closed_even_to_an_administrator(guarded: tuple[TestClient, str]) -> None:
    client, key = guarded
    client.app.add_api_route("/v1/forgotten", lambda: "secret")  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    assert client.get("/v1/forgotten").status_code == 401
    refused = client.get("/v1/forgotten", headers={"Authorization": f"Bearer {key}"})
    assert refused.status_code == 403
    assert "secret" not in refused.text


@pytest.mark.parametrize(("method", "path"), [role for role in ROLES if not role[1].startswith("/docs")])
def test_each_route_asks_for_its_scope_and_no_other_will_do(
    serve: Callable[..., TestClient], tmp_path: Path, method: str, path: str
) -> None:
    wanted, url = ROLES[method, path], f"sqlite:///{tmp_path / 'store.db'}"
    store = open_store(url)
    others = [s for s in SCOPES if s not in (wanted, "admin")]
    right = create_key(store, "right", "Nordby", [wanted] if wanted != PUBLIC else ["admin"], 30, datetime.now(UTC))
    wrong = create_key(store, "wrong", "Nordby", others, 30, datetime.now(UTC))
    store.close()
    client = serve(refresh_seconds=0, store=url)
    address, body = path.replace("{score_id}", "0" * 32), {"content": b"{}"} if method == "POST" else {}

    def status(key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"} if key else {"Authorization": ""}
        return int(client.request(method, address, headers=headers, **body).status_code)

    assert status(right) not in (401, 403)
    assert status("") == (401 if wanted != PUBLIC else status(right))
    assert status(wrong) == (403 if wanted != PUBLIC else status(right))


def b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def by_hand(head: dict[str, Any], body: dict[str, Any], secret: bytes | None) -> str:
    """A token put together without a library that would refuse to."""
    signed = f"{b64(json.dumps(head).encode())}.{b64(json.dumps(body).encode())}"
    mac = b"" if secret is None else hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{b64(mac)}"


def attacks(key: str, signer: rsa.RSAPrivateKey, jwks: Path) -> dict[str, str]:
    """Tokens that must not be let in; each is one small step from one that is."""
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    curve = ec.generate_private_key(ec.SECP256R1())
    public = signer.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    now, good = int(time.time()), token(signer)
    head, body, mark = good.split(".")
    own = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key()))
    risk52, prefix, secret = key.split("_", 2)
    turned = secret[:-2] + ("A" if secret[-2] != "A" else "B") + secret[-1]
    more = b64(json.dumps(claims(scope="admin")).encode())
    return {
        "nothing": "",
        "a word": "password",
        "another secret": f"{risk52}_{prefix}_{turned}",
        "an unknown prefix": f"{risk52}_{'0' * 12}_{secret}",
        "a key cut short": key[:-1],
        "a key with more": key + "A",
        "only the prefix": f"{risk52}_{prefix}_",
        "the hash for the secret": f"{risk52}_{prefix}_{hashlib.sha256(secret.encode()).hexdigest()[:43]}",
        "a key in capitals": key.upper(),
        "a key twice": f"{key} {key}",
        "SQL for a prefix": f"{risk52}_' OR 1=1 --_{secret}",
        "not signed": by_hand({"alg": "none", "kid": "one"}, claims(), None),
        "not signed, in capitals": by_hand({"alg": "NONE", "kid": "one"}, claims(), None),
        "the public key as a shared secret": by_hand({"alg": "HS256", "kid": "one"}, claims(), public),
        "an empty shared secret": by_hand({"alg": "HS256", "kid": "one"}, claims(), b""),
        "signed by a stranger": token(stranger),
        "the stranger's key brought along": token(stranger, head={"jwk": own}),
        "the stranger's address brought along": token(stranger, head={"jku": "http://127.0.0.1:9/keys"}),
        "an unknown key id": token(signer, kid="two"),
        "no key id": token(signer, kid=None),
        "a path for a key id": token(signer, kid="../../../../dev/null"),
        "an algorithm not allowed": token(signer, algorithm="PS256"),
        "another kind of key": token(curve, algorithm="ES256"),
        "expired": token(signer, iat=now - 900, exp=now - 61),
        "without an end": token(signer, exp=None),
        "without a beginning": token(signer, iat=None),
        "not yet valid": token(signer, nbf=now + 120),
        "issued tomorrow": token(signer, iat=now + 86_400, exp=now + 90_000),
        "another issuer": token(signer, iss="https://login.example.evil"),
        "without an issuer": token(signer, iss=None),
        "another audience": token(signer, aud="another service"),
        "without an audience": token(signer, aud=None),
        "without a subject": token(signer, sub=None),
        "without an office": token(signer, office=None),
        "claims changed": f"{head}.{more}.{mark}",
        "signature removed": f"{head}.{body}.",
        "signature changed": f"{head}.{body}.{mark[:-4]}AAAA",
        "a fourth part": f"{good}.{mark}",
        "a critical extension": token(signer, head={"crit": ["b64"], "b64": False}),
        "an end that is not a number": token(signer, exp="never"),
        "far too long": token(signer, filler="x" * 9000),
        "not base64": "!!.@@.##",
    }  # fmt: skip


def test_every_attack_gets_one_and_the_same_answer(
    guarded: tuple[TestClient, str], signer: rsa.RSAPrivateKey, jwks: Path
) -> None:
    client, key = guarded
    assert ask(client, Authorization=f"Bearer {key}").status_code == 200
    assert ask(client, Authorization=f"bearer {token(signer)}").status_code == 200
    tried = attacks(key, signer, jwks)
    assert len(tried) >= 25
    answers = {name: ask(client, Authorization=f"Bearer {given}") for name, given in tried.items()}
    answers |= {
        "no header": client.get("/v1/model"),
        "another kind": ask(client, Authorization=f"Basic {key}"),
        "no kind": ask(client, Authorization=key),
        "in the address": client.get(f"/v1/model?access_token={key}"),
        "in a cookie": ask(client, Cookie=f"access_token={key}"),
        "in another header": ask(client, **{"X-API-Key": key}),
        "two headers": client.get("/v1/model", headers=[("Authorization", f"Bearer {key}")] * 2),
    }
    said = set()
    for name, answer in answers.items():
        assert answer.status_code == 401, name
        assert answer.headers["www-authenticate"] == 'Bearer realm="risk52"', name
        body = answer.json()
        assert body.pop("request_id") == answer.headers["x-request-id"]
        said.add(json.dumps(body))
    assert len(said) == 1


def test_clocks_may_differ_by_a_minute(guarded: tuple[TestClient, str], signer: rsa.RSAPrivateKey) -> None:
    client, now = guarded[0], int(time.time())
    for given in (token(signer, exp=now - 30), token(signer, iat=now + 30), token(signer, nbf=now + 30)):
        assert ask(client, Authorization=f"Bearer {given}").status_code == 200


def test_a_token_has_its_scopes_and_no_more_and_its_subject_is_not_written_down(
    guarded: tuple[TestClient, str], signer: rsa.RSAPrivateKey
) -> None:
    client, _ = guarded
    for scope, status in (("model:read", 403), (["score:write"], 200), ("SCORE:WRITE root", 403), (7, 403)):
        sent = client.post(
            "/v1/scores", json=EXAMPLE, headers={"Authorization": f"Bearer {token(signer, scope=scope)}"}
        )
        assert sent.status_code == status, scope
    store: Store = client.app.state.behind.store  # type: ignore[attr-defined]  # the client's type of app is any ASGI one
    with store.reading() as connection:
        [caller] = connection.exec_driver_sql("SELECT caller FROM ledger").scalars().all()
    assert caller.startswith("sub:")
    assert "kirsten" not in caller


def test_keys_end_when_revoked_or_expired_and_begin_when_made(store_file: str) -> None:
    store = open_store(store_file)
    ring = KeyRing(store)
    key = create_key(store, "system", "Nordby", ["score:write"], 10, NOW)
    assert ring.find(key, NOW) is None
    ring.refresh()
    found = ring.find(key, NOW)
    assert found is not None
    assert (found.system, found.office, found.scopes) == ("system", "Nordby", ("score:write",))
    assert ring.find(key, NOW + timedelta(days=10)) is None
    assert ring.find(key, NOW + timedelta(days=10, seconds=-1)) is not None
    assert revoke_key(store, found.prefix, NOW)
    assert not revoke_key(store, found.prefix, NOW)
    ring.refresh()
    assert ring.find(key, NOW) is None
    assert [k.revoked_at[:10] for k in list_keys(store)] == ["2026-11-23"]
    with pytest.raises(ConfigError, match="no key of that prefix"):
        revoke_key(store, "nonsense", NOW)
    store.close()


@pytest.fixture
def store_file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store.db'}"


def test_the_secret_of_a_key_is_in_no_file(store_file: str, tmp_path: Path) -> None:
    store = open_store(store_file)
    key = create_key(store, "system", "Nordby", ["admin"], 10, NOW)
    secret = key.split("_", 2)[2]
    assert len(base64.urlsafe_b64decode(secret + "=")) == 32
    assert not any(secret.encode() in f.read_bytes() for f in tmp_path.iterdir())
    assert secret not in repr(list_keys(store))
    store.close()


@pytest.mark.parametrize(
    ("system", "office", "scopes", "days"),
    [("", "N", ["admin"], 1), ("s", "", ["admin"], 1), ("s", "N", [], 1), ("s", "N", ["root"], 1), ("s", "N", ["admin"], 0),
     ("s", "N", ["admin"], 731), ("a\nb", "N", ["admin"], 1), ("x" * 65, "N", ["admin"], 1)],
)  # fmt: skip
def test_a_key_that_makes_no_sense_is_not_made(
    store_file: str, system: str, office: str, scopes: list[str], days: int
) -> None:
    store = open_store(store_file)
    with pytest.raises(ConfigError):
        create_key(store, system, office, scopes, days, NOW)
    assert list_keys(store) == []
    store.close()


def test_an_office_reads_its_own_scores_only(serve: Callable[..., TestClient], store_file: str) -> None:
    store = open_store(store_file)
    keys = {
        office: create_key(store, "s", office, ["score:write"], 30, datetime.now(UTC))
        for office in ("Nordby", "Sydby", "*")
    }
    store.close()
    client = serve(refresh_seconds=0, store=store_file)

    def as_office(office: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {keys[office]}"}

    told = client.post("/v1/scores", json=EXAMPLE, headers=as_office("Nordby")).json()["results"][0]
    statuses = {o: client.get(f"/v1/scores/{told['score_id']}", headers=as_office(o)).status_code for o in keys}
    assert statuses == {"Nordby": 200, "Sydby": 404, "*": 200}


def test_who_asks_too_often_is_told_when_to_come_back_and_harms_no_other(
    serve: Callable[..., TestClient], store_file: str
) -> None:
    store = open_store(store_file)
    one, other = (create_key(store, "s", "Nordby", ["model:read"], 30, datetime.now(UTC)) for _ in range(2))
    store.close()
    client = serve(refresh_seconds=0, store=store_file, rate="5/hour", denied_rate="3/hour")
    statuses = [ask(client, Authorization=f"Bearer {one}").status_code for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2
    refused = ask(client, Authorization=f"Bearer {one}")
    assert refused.json()["code"] == "rate-limited"
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert [ask(client, Authorization="Bearer guess").status_code for _ in range(5)] == [401] * 3 + [429] * 2
    assert ask(client, Authorization=f"Bearer {other}").status_code == 200
    assert client.get("/health/live").status_code == 200


def test_a_revoked_key_is_noticed_while_the_service_runs(serve: Callable[..., TestClient], store_file: str) -> None:
    store = open_store(store_file)
    key = create_key(store, "s", "Nordby", ["model:read"], 30, datetime.now(UTC))
    client = serve(refresh_seconds=0, store=store_file, keys_seconds=0.05)
    assert ask(client, Authorization=f"Bearer {key}").status_code == 200
    revoke_key(store, key.split("_")[1], datetime.now(UTC))
    store.close()
    until = time.monotonic() + 20
    while ask(client, Authorization=f"Bearer {key}").status_code == 200 and time.monotonic() < until:
        time.sleep(0.05)
    assert ask(client, Authorization=f"Bearer {key}").status_code == 401


def test_the_issuers_keys_are_asked_for_seldom_and_kept_when_they_cannot_be_read(
    signer: rsa.RSAPrivateKey, jwks: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place, clock = tmp_path / "jwks.json", [1000.0]
    place.write_text(jwks.read_text())
    settings = Settings(oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_jwks=str(place))
    issuer = Issuer(settings, clock=lambda: clock[0])
    good, unknown = token(signer), token(signer, kid="two")
    assert issuer.needs_keys(good)
    assert issuer.check(good) is None
    issuer.fetch_keys()
    assert not issuer.needs_keys(good)
    assert not issuer.needs_keys(unknown)  # asked a moment ago: made-up key ids make nobody ask again
    told = issuer.check(good)
    assert told == ("kirsten@nordby.example", "Nordby", frozenset({"score:write", "model:read"}))
    clock[0] += LEAST_SECONDS_BETWEEN + 1
    assert issuer.needs_keys(unknown)
    clock[0] += KEYS_LIVE_SECONDS
    place.write_text("gone")
    issuer.fetch_keys()
    assert "could not be read" in caplog.text
    assert issuer.check(good) == told


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"oidc_issuer": None}, "RISK_OIDC_AUDIENCE"), ({"oidc_jwks": "http://login.example/keys"}, "https"),
     ({"oidc_algorithms": "HS256"}, "RISK_OIDC_ALGORITHMS"), ({"oidc_algorithms": "RS256 none"}, "RISK_OIDC_ALGORITHMS"),
     ({"oidc_algorithms": " "}, "RISK_OIDC_ALGORITHMS")],
)  # fmt: skip
def test_a_sign_in_service_half_described_is_refused(wrong: dict[str, Any], named: str) -> None:
    given = {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_jwks": "https://login.example/keys"} | wrong
    with pytest.raises(ConfigError, match=named):
        Issuer(Settings(**given))


@pytest.mark.parametrize(
    ("settings", "said"),
    [({}, "RISK_LEDGER_KEY is not set"), ({"ledger_key": "secret"}, "too short"), ({"ledger_key": "x" * 64}, "too simple"),
     ({"ledger_key": KNOWN_TO_ALL}, "too simple"), ({"ledger_key": LEDGER_KEY}, "risk keys create"),
     ({"ledger_key": LEDGER_KEY, "rate": "often"}, "RISK_RATE"), ({"ledger_key": LEDGER_KEY, "oidc_issuer": "x"}, "OIDC")],
)  # fmt: skip
def test_production_does_not_start_without_secrets_and_callers(
    store_file: str, settings: dict[str, Any], said: str
) -> None:
    if "rate" in settings:
        store = open_store(store_file)
        create_key(store, "s", "N", ["admin"], 1, datetime.now(UTC))
        store.close()
    with pytest.raises(ConfigError, match=said) as raised:
        create_app(Settings(store=store_file, **settings))
    assert str(settings.get("ledger_key")) not in str(raised.value)


def test_a_ledger_sealed_with_another_secret_is_not_added_to(serve: Callable[..., TestClient], store_file: str) -> None:
    store = open_store(store_file)
    create_key(store, "s", "N", ["admin"], 1, datetime.now(UTC))
    store.close()
    create_app(Settings(store=store_file, ledger_key=LEDGER_KEY)).state.behind.close()
    other = LEDGER_KEY[::-1]
    with pytest.raises(StoreError, match="RISK_LEDGER_KEY_OLDER"):
        create_app(Settings(store=store_file, ledger_key=other))
    create_app(Settings(store=store_file, ledger_key=other, ledger_key_older=LEDGER_KEY)).state.behind.close()


def test_development_asks_for_no_key_until_there_is_one_and_stays_on_this_machine(
    serve: Callable[..., TestClient], store_file: str
) -> None:
    client = serve(refresh_seconds=0, store=store_file, environment="development", ledger_key=None)
    del client.headers["Authorization"]
    assert client.post("/v1/scores", json=EXAMPLE).status_code == 200
    client.__exit__(None, None, None)
    store = open_store(store_file)
    create_key(store, "s", "N", ["admin"], 1, datetime.now(UTC))
    store.close()
    client = serve(refresh_seconds=0, store=store_file, environment="development", ledger_key=None)
    del client.headers["Authorization"]
    assert client.post("/v1/scores", json=EXAMPLE).status_code == 401
    for host in ("0.0.0.0", "::", "10.0.0.4", "risk.example"):
        with pytest.raises(ConfigError, match="development"):
            check_host(Settings(environment="development"), host)
        check_host(Settings(), host)
    for host in ("127.0.0.1", "::1", "localhost"):
        check_host(Settings(environment="development"), host)
