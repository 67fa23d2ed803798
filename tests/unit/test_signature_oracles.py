"""Our verification beside the providers' own libraries, and the published vectors where this machine has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from linebot.v3.webhook import SignatureValidator
from standardwebhooks import Webhook
from twilio.request_validator import RequestValidator

from connector.errors import SignatureInvalid
from connector.mapping.forms import URLENCODED, form_pairs
from connector.mapping.request import RawRequest
from connector.mapping.signatures import verify
from connector.mapping.signing import Draft, sign
from tests.corpus import CORPUS, corpus_json, needs_corpus

NOW = datetime.now(UTC)


def lets_in(name: str, request: RawRequest, secrets: list[str], now: datetime) -> bool:
    verify(name, request, secrets, now)
    return True


KEY = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


@given(body=st.text(max_size=300))
def test_standardwebhooks_accepts_what_we_sign_and_we_accept_what_it_signs(body: str) -> None:
    raw = body.encode("utf-8", "replace")
    text = raw.decode()
    ours = sign("standard_webhooks", Draft("https://a.example/", raw), KEY, NOW)
    theirs = Webhook(KEY)
    assert ours.headers["webhook-signature"] == theirs.sign(
        ours.headers["webhook-id"], NOW.replace(microsecond=0), text
    )
    assert lets_in("standard_webhooks", RawRequest("POST", ours.url, tuple(ours.headers.items()), raw), [KEY], NOW)


@given(body=st.text(max_size=300))
def test_line_bot_sdk_agrees(body: str) -> None:
    raw = body.encode("utf-8", "replace")
    signature = sign("line", Draft("https://a.example/", raw), "channel-secret", NOW).headers["x-line-signature"]
    assert SignatureValidator("channel-secret").validate(raw.decode(), signature)


PAIRS = st.dictionaries(
    st.text("abcXYZ_", min_size=1, max_size=6),
    st.text(max_size=12).map(lambda t: t.encode("utf-8", "replace").decode()),
    max_size=5,
)


@given(params=PAIRS)
def test_twilio_agrees_on_forms(params: dict[str, str]) -> None:
    from urllib.parse import urlencode

    body = urlencode(params).encode()
    url = "https://connector.example/webhooks/voice?a=1"
    done = sign("twilio", Draft(url, body, URLENCODED), "token", NOW)
    assert RequestValidator("token").validate(url, params, done.headers["x-twilio-signature"]) or not params
    assert lets_in("twilio", RawRequest("POST", url, tuple(done.headers.items()), body), ["token"], NOW)


def test_twilio_agrees_on_json() -> None:
    done = sign("twilio", Draft("https://connector.example/webhooks/voice", b'{"a":1}'), "token", NOW)
    assert RequestValidator("token").validate(done.url, '{"a":1}', done.headers["x-twilio-signature"])


# --- published vectors -----------------------------------------------------------------------------------------------

VECTORS = [
    vector
    for vector in corpus_json("vectors.json")
    if "crc" not in vector["scheme"] and "challenge" not in vector["scheme"]
]
NAMES = {"mastodon_admin": "mastodon"}


def request_of(vector: dict[str, Any]) -> tuple[RawRequest, datetime]:
    key, expected = vector["key"], vector["expected"]
    body = (
        vector["body"].encode()
        if "body" in vector
        else (CORPUS / vector["file"]).read_bytes()
        if "file" in vector
        else b""
    )
    headers = dict(vector.get("headers", {}))
    moment = str(vector.get("timestamp") or headers.get("webhook-timestamp") or headers.get("svix-timestamp"))
    now = datetime.fromtimestamp(int(moment), UTC) if moment.isdigit() else NOW
    if key == "twilio" and "params" in vector:
        from urllib.parse import urlencode

        body = urlencode([tuple(pair) for pair in vector["params"]]).encode()
    headers |= HEADERS[key](vector, expected)
    if key == "zendesk":
        now = datetime.fromisoformat(vector["timestamp"])
    if key == "tiktok":
        now = datetime.fromtimestamp(int(expected.split(",")[0][2:]), UTC)
    if key == "mailgun":
        now = datetime.fromtimestamp(int(dict(form_pairs(body, URLENCODED))["timestamp"]), UTC)
    if key == "meta_signed_request":
        now = datetime.fromtimestamp(1291836800, UTC)
        body = body or f"signed_request={vector['signed_request']}".encode()
    return RawRequest("POST", vector.get("url", "https://connector.example/"), tuple(headers.items()), body), now


def _twilio(vector: dict[str, Any], expected: str) -> dict[str, str]:
    form = "params" in vector or "file" in vector
    return {"x-twilio-signature": expected, "content-type": URLENCODED if form else "application/json"}


def _standard(vector: dict[str, Any], expected: str) -> dict[str, str]:
    family = "svix" if "svix-id" in vector["headers"] else "webhook"
    return {f"{family}-signature": expected}


HEADERS: dict[str, Any] = {
    "twilio": _twilio,
    "standard_webhooks": _standard,
    "line": lambda _, mac: {"x-line-signature": mac},
    "viber": lambda _, mac: {"x-viber-content-signature": mac},
    "x": lambda _, mac: {"x-twitter-webhooks-signature": mac},
    "meta": lambda _, mac: {"x-hub-signature-256": mac},
    "meta_legacy_sha1": lambda _, mac: {"x-hub-signature": mac},
    "meta_signed_request": lambda *_: {"content-type": URLENCODED},
    "mailgun": lambda *_: {"content-type": URLENCODED},
    "linkedin": lambda _, mac: {"x-li-signature": mac},
    "youtube_websub": lambda _, mac: {"x-hub-signature": mac},
    "intercom": lambda _, mac: {"x-hub-signature": mac},
    "discourse": lambda _, mac: {"x-discourse-event-signature": mac},
    "tiktok": lambda _, mac: {"tiktok-signature": mac},
    "chatwoot": lambda vector, mac: {"x-chatwoot-signature": mac, "x-chatwoot-timestamp": vector["timestamp"]},
    "slack": lambda vector, mac: {"x-slack-signature": mac, "x-slack-request-timestamp": vector["timestamp"]},
    "zendesk": lambda vector, mac: {
        "x-zendesk-webhook-signature": mac,
        "x-zendesk-webhook-signature-timestamp": vector["timestamp"],
    },
    "sendgrid_event": lambda vector, mac: {
        "x-twilio-email-event-webhook-signature": mac,
        "x-twilio-email-event-webhook-timestamp": vector["timestamp"],
    },
}


@needs_corpus
@pytest.mark.parametrize("vector", VECTORS, ids=[f"{vector['n']}-{vector['scheme'][:20]}" for vector in VECTORS])
def test_every_published_vector_is_let_in_and_with_another_secret_it_is_not(vector: dict[str, Any]) -> None:
    request, now = request_of(vector)
    name = NAMES.get(vector["key"], vector["key"])
    assert lets_in(name, request, ["whsec_other", vector.get("secret") or vector["public_key"]], now)
    with pytest.raises(SignatureInvalid):
        verify(name, request, ["whsec_bm90LXRoZS1rZXk=" if name == "standard_webhooks" else "another"], now)
