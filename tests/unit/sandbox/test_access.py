"""Tokens, allowance and versions: who is let in, and how much is left."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.calls import classify
from tests.unit.sandbox.conftest import NOON, Caller, MakeOrg

TOKEN = "/services/oauth2/token"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
NAMES = {"client_id": "sandbox-client", "client_secret": "sandbox-secret"}


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """A key pair for JWT bearer."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _public(key: rsa.RSAPrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form).decode()


def test_client_credentials_come_by_body_or_by_basic(org: Caller) -> None:
    by_body = org.http.post(TOKEN, data={"grant_type": "client_credentials", **NAMES})
    by_basic = org.http.post(
        TOKEN, data={"grant_type": "client_credentials"}, auth=("sandbox-client", "sandbox-secret")
    )
    for answer in (by_body, by_basic):
        found = answer.get_json()
        assert answer.status_code == 200
        assert found["token_type"] == "Bearer"
        assert found["instance_url"] == "http://localhost"
        assert found["id"].endswith(f"/id/{org.org.org_id}/{org.org.user_id}")


def test_the_signature_proves_the_identity(org: Caller) -> None:
    found = org.http.post(TOKEN, data={"grant_type": "client_credentials", **NAMES}).get_json()
    signed = hmac.new(b"sandbox-secret", (found["id"] + found["issued_at"]).encode(), hashlib.sha256).digest()
    assert base64.b64decode(found["signature"]) == signed


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password", **NAMES}, "unsupported_grant_type"),
        ({}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", **NAMES, "client_id": "other"}, "invalid_client_id"),
        ({"grant_type": "client_credentials", **NAMES, "client_secret": "other"}, "invalid_client"),
        ({"grant_type": "client_credentials"}, "invalid_client_id"),
        ({"grant_type": JWT_BEARER, "assertion": "a.b.c"}, "invalid_grant"),
    ],
)
def test_a_wrong_login_is_refused(org: Caller, form: dict[str, str], error: str) -> None:
    answer = org.http.post(TOKEN, data=form)
    assert (answer.status_code, answer.get_json()["error"]) == (400, error)


def test_a_user_who_is_switched_off_gets_no_token(make_org: MakeOrg) -> None:
    org = make_org()
    org.send("PATCH", f"/sobjects/User/{org.org.user_id}", {"IsActive": False})
    answer = org.http.post(TOKEN, data={"grant_type": "client_credentials", **NAMES})
    assert answer.get_json()["error"] == "invalid_grant"


def _assertion(key: rsa.RSAPrivateKey, **claims: Any) -> str:
    told = {"iss": "sandbox-client", "sub": "admin@sandbox.test", "aud": "http://localhost", "exp": 2**40, **claims}
    return jwt.encode(told, key, algorithm="RS256")


def test_a_signed_assertion_gets_a_token_for_its_subject(make_org: MakeOrg, key: rsa.RSAPrivateKey) -> None:
    org = make_org(public_key=_public(key))
    for aud in ("http://localhost", "http://localhost/"):
        answer = org.http.post(TOKEN, data={"grant_type": JWT_BEARER, "assertion": _assertion(key, aud=aud)})
        assert answer.status_code == 200, answer.text
    org.headers["Authorization"] = f"Bearer {answer.get_json()['access_token']}"
    info = org.send("GET", "/services/oauth2/userinfo").get_json()
    assert info["preferred_username"] == "admin@sandbox.test"


@pytest.mark.parametrize(
    ("claims", "error", "words"),
    [
        ({"aud": "https://login.salesforce.com"}, "invalid_grant", "audience is invalid"),
        ({"exp": 1}, "invalid_grant", "expired"),
        ({"iss": "other"}, "invalid_client_id", "client identifier"),
        ({"sub": "nobody@sandbox.test"}, "invalid_grant", "hasn't approved"),
    ],
)
def test_a_wrong_assertion_is_refused(
    make_org: MakeOrg, key: rsa.RSAPrivateKey, claims: dict[str, Any], error: str, words: str
) -> None:
    org = make_org(public_key=_public(key))
    found = org.http.post(TOKEN, data={"grant_type": JWT_BEARER, "assertion": _assertion(key, **claims)}).get_json()
    assert found["error"] == error
    assert words in found["error_description"]


def test_an_assertion_of_another_key_is_refused(make_org: MakeOrg, key: rsa.RSAPrivateKey) -> None:
    org = make_org(public_key=_public(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    found = org.http.post(TOKEN, data={"grant_type": JWT_BEARER, "assertion": _assertion(key)}).get_json()
    assert (found["error"], found["error_description"]) == ("invalid_grant", "invalid assertion")


def test_the_address_that_a_token_names_tells_who_it_stands_for(org: Caller) -> None:
    config = org.org.config
    form = {"grant_type": "client_credentials", "client_id": config.client_id, "client_secret": config.client_secret}
    named = org.http.post(TOKEN, data=form).get_json()["id"].removeprefix("http://localhost")
    assert named.startswith("/id/00D")
    told = org.http.get(named, headers=org.headers).get_json()
    assert (told["username"], told["id"]) == (config.username, f"http://localhost{named}")
    assert org.http.get(named[:-3] + "ZZZ", headers=org.headers).status_code == 403


def test_a_token_ends_after_its_time(make_org: MakeOrg) -> None:
    org = make_org(token_seconds=60)
    assert org.send("GET", "/limits").status_code == 200
    org.clock.move(seconds=61)
    answer = org.send("GET", "/limits")
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


def test_a_revoked_token_ends_at_once(org: Caller) -> None:
    token = org.headers["Authorization"].split()[1]
    assert org.http.post("/services/oauth2/revoke", data={"token": token}).status_code == 200
    assert org.http.post("/services/oauth2/revoke", data={"token": token}).status_code == 400
    assert org.send("GET", "/limits").status_code == 401
    assert org.send("GET", "/services/oauth2/userinfo").status_code == 403


def test_all_sessions_can_be_ended(org: Caller) -> None:
    org.control("expire", {})
    assert org.send("GET", "/limits").status_code == 401


@pytest.mark.parametrize("header", ["", "Bearer nope", "Basic abc", "nonsense"])
def test_without_a_token_nobody_is_let_in(org: Caller, header: str) -> None:
    assert org.send("GET", "/limits", headers={"Authorization": header}).status_code == 401


def test_old_and_unknown_versions_are_not_there(org: Caller) -> None:
    versions = [one["version"] for one in org.http.get("/services/data/").get_json()]
    assert {"57.0", "66.0"} <= set(versions)
    assert org.send("GET", "/services/data/v66.0/").get_json()["query"] == "/services/data/v66.0/query"
    for wrong in ("19.0", "99.0", "x"):
        assert org.send("GET", f"/services/data/v{wrong}/limits").status_code == 404


def test_every_answer_tells_what_is_used(org: Caller) -> None:
    for used, path in enumerate(("/limits", "/query?q=SELECT", "/sobjects/Nope", "/nowhere"), 1):
        assert org.send("GET", path).headers["Sforce-Limit-Info"] == f"api-usage={used}/100000", path


def test_the_app_is_told_its_own_part_where_it_has_one(make_org: MakeOrg) -> None:
    org = make_org(app_limit=2)
    header = org.send("GET", "/limits").headers["Sforce-Limit-Info"]
    assert header == "api-usage=1/100000; per-app-api-usage=1/2(appName=connector)"
    org.send("GET", "/limits")
    assert org.send("GET", "/limits").get_json()[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_at_the_cap_every_call_is_refused_until_the_org_is_reset(make_org: MakeOrg) -> None:
    org = make_org(daily_limit=2)
    assert org.send("GET", "/limits").get_json()["DailyApiRequests"] == {"Max": 2, "Remaining": 1}
    org.send("GET", "/limits")
    answer = org.send("POST", "/sobjects/Case", {})
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert answer.headers["Sforce-Limit-Info"] == "api-usage=2/2"
    org.control("reset", {})
    org.log_in()
    assert org.send("GET", "/limits").status_code == 200
    assert org.clock() == NOON


@pytest.mark.parametrize(
    ("method", "path", "kind", "writes"),
    [
        ("GET", "/services/data", "meta", False),
        ("GET", "/services/data/v66.0/", "meta", False),
        ("GET", "/services/data/v66.0/query/", "query", False),
        ("GET", "/services/data/v66.0/queryAll", "query", False),
        ("GET", "/services/data/v66.0/limits", "limits", False),
        ("POST", "/services/data/v66.0/metadata/deployRequest", "deploy", False),
        ("GET", "/services/data/v66.0/sobjects", "describe", False),
        ("GET", "/services/data/v66.0/sobjects/Case/describe", "describe", False),
        ("POST", "/services/data/v66.0/sobjects/Case", "record_write", True),
        ("GET", "/services/data/v66.0/sobjects/Case/500", "record_read", False),
        ("PATCH", "/services/data/v66.0/sobjects/Case/500", "record_write", True),
        ("DELETE", "/services/data/v66.0/sobjects/Case/500", "record_write", True),
        ("PATCH", "/services/data/v66.0/sobjects/Case/Key__c/a/b", "upsert", True),
        ("GET", "/services/data/v66.0/sobjects/Case/updated/", "updated", False),
        ("GET", "/services/data/v66.0/sobjects/Case/deleted", "deleted", False),
        ("PATCH", "/services/data/v66.0/composite/sobjects/Case/Key__c", "collections", True),
        ("POST", "/services/data/v66.0/composite/sobjects", "collections", True),
        ("POST", "/services/data/v66.0/composite/sobjects/Case", "collections", False),
        ("GET", "/services/data/v66.0/composite/sobjects/Case", "collections", False),
        ("POST", "/services/data/v66.0/composite", "composite", True),
        ("POST", "/services/data/v66.0/composite/batch", "composite_batch", True),
        ("POST", "/services/oauth2/token", "login", False),
        ("POST", "/sandbox/faults", "", False),
        ("GET", "/services/dataset", "", False),
    ],
)
def test_calls_are_classed(method: str, path: str, kind: str, writes: bool) -> None:
    assert classify(method, path) == (kind, writes)
