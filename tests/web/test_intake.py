"""Every request that a provider, a proxy or an attacker may send: its status, and whether it is on disk.

Each row goes to the receiver itself and through Flask: it is one code path, and it must stay one.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from connector.flows.receive import Answer, Receiver
from connector.store.unit_of_work import Store
from connector.web.webhooks import RECEIVER, webhooks
from tests.conftest import FakeClock
from tests.web.intake import (
    BODY,
    CAP,
    NOW,
    OLD_SECRET,
    OLD_WHSEC,
    PUBLIC_URL,
    SECRET,
    Ask,
    challenge,
    signed,
    sources,
)

META = "x-hub-signature-256"
Send = Callable[[Ask], Answer]


@pytest.fixture
def receiver(store: Store) -> Iterator[Receiver]:
    found = Receiver(store, sources(), FakeClock(NOW), PUBLIC_URL)
    yield found
    found.close()


@pytest.fixture(params=["receiver", "flask"])
def send(request: pytest.FixtureRequest, receiver: Receiver) -> Send:
    """Sends one request and gives the answer."""
    if request.param == "receiver":
        return lambda ask: receiver.receive(
            ask.source, method=ask.method, query=ask.query, headers=ask.headers, body=ask.body
        )
    app = Flask("test")
    app.extensions[RECEIVER] = receiver
    app.register_blueprint(webhooks)

    def by_flask(ask: Ask) -> Answer:
        address = f"/webhooks/{ask.source}{'?' + ask.query if ask.query else ''}"
        found = app.test_client().open(address, method=ask.method, headers=list(ask.headers), data=ask.body)
        return Answer(found.status_code, found.headers.get("content-type", ""), found.data, dict(found.headers))

    return by_flask


def stored(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(text("SELECT COUNT(*) FROM deliveries")).scalar_one())


def messenger(body: bytes = BODY) -> Ask:
    return signed("messenger", body)


GOOD = messenger()
MAC = GOOD.header(META)
CASE = signed("social_case", delivery_id="msg_1")
V1 = CASE.header("webhook-signature")
TWILIO = signed("twilio_sms", b"From=%2B15550100&Body=Hi&Empty=&From=%2B15550100")
UNICODE = '{"text":"Où est ma commande ? 📦"}'.encode()
LATE = NOW - timedelta(seconds=301)
EDGE = NOW - timedelta(seconds=300)
AHEAD = NOW + timedelta(seconds=301)
FAR = NOW + timedelta(days=3650)

SIGNATURES = {
    "right": (GOOD, 200),
    "missing": (GOOD.with_header(META), 401),
    "empty": (GOOD.with_header(META, ""), 401),
    "cut short": (GOOD.with_header(META, MAC[:-2]), 401),
    "too long": (GOOD.with_header(META, MAC + "00"), 401),
    "not hex": (GOOD.with_header(META, "sha256=" + "z" * 64), 401),
    "not ASCII": (GOOD.with_header(META, MAC[:-1] + "é"), 401),
    "upper-case hex": (GOOD.with_header(META, "sha256=" + MAC[7:].upper()), 401),
    "without its prefix": (GOOD.with_header(META, MAC[7:]), 401),
    "sha1 where sha256 is due": (GOOD.with_header(META, "sha1=" + MAC[7:47]), 401),
    "sha1 in the older header alone": (GOOD.with_header(META).with_header("x-hub-signature", "sha1=" + "a" * 40), 401),
    "sent twice": (GOOD.with_header(META, MAC, MAC), 401),
    "of another body": (replace(GOOD, body=BODY + b" "), 401),
    "of the body written anew": (replace(GOOD, body=json.dumps(json.loads(BODY)).encode()), 401),
    "over unicode as sent": (messenger(UNICODE), 200),
    "over unicode, sent escaped": (replace(messenger(UNICODE), body=json.dumps(json.loads(UNICODE)).encode()), 401),
    "by the secret being replaced": (signed("messenger", secret=OLD_SECRET), 200),
    "by an unknown secret": (signed("messenger", secret="someone-else"), 401),
    "of another source": (replace(signed("line"), source="messenger"), 401),
    "for a source without a secret": (replace(GOOD, source="unfinished"), 401),
    "standard webhooks": (CASE, 200),
    "one right among several": (CASE.with_header("webhook-signature", f"v1,AAAA {V1}"), 200),
    "several wrong": (CASE.with_header("webhook-signature", "v1,AAAA v1,BBBB"), 401),
    "broken base64": (CASE.with_header("webhook-signature", "v1,%%%"), 401),
    "another version only": (CASE.with_header("webhook-signature", "v2," + V1[3:]), 401),
    "another message id": (CASE.with_header("webhook-id", "msg_2"), 401),
    "the older standard secret": (signed("social_case", secret=OLD_WHSEC), 200),
    "a time at the edge": (signed("social_case", at=EDGE), 200),
    "a time just past": (signed("social_case", at=LATE), 401),
    "a time just ahead": (signed("social_case", at=AHEAD), 401),
    "a time far ahead": (signed("social_case", at=FAR), 401),
    "a time that is no number": (CASE.with_header("webhook-timestamp", "yesterday"), 401),
    "another time than signed": (CASE.with_header("webhook-timestamp", "1770033601"), 401),
    "chatwoot in time": (signed("chatwoot"), 200),
    "chatwoot too late": (signed("chatwoot", at=LATE), 401),
    "telegram's token": (signed("telegram"), 200),
    "a wrong token": (signed("telegram", secret="another_token"), 401),
    "basic authentication": (signed("postmark"), 200),
    "a wrong password": (signed("postmark", secret="post:guess"), 401),
    "basic without base64": (signed("postmark").with_header("authorization", "Basic %%%"), 401),
    "a token in the address": (signed("trustpilot"), 200),
    "a wrong token in the address": (replace(signed("trustpilot"), query="token=guess"), 401),
    "no token in the address": (replace(signed("trustpilot"), query=""), 401),
    "a token in the body": (Ask("livechat", json.dumps({"secret_key": SECRET}).encode()), 200),
    "a wrong token in the body": (Ask("livechat", b'{"secret_key": "guess"}'), 401),
    "a body too deep to find its token": (Ask("livechat", b"[" * 2000), 401),
    "twilio's form, keys repeated and blank": (TWILIO, 200),
    "twilio's form with a field more": (replace(TWILIO, body=TWILIO.body + b"&To=1"), 401),
    "twilio's JSON with its hash in the address": (signed("twilio_sms", b"{}", kind="application/json"), 200),
    "twilio's JSON passed off as a form": (replace(TWILIO, body=b"{}"), 401),
    "mailgun": (signed("mailgun", b"subject=Hi"), 200),
    "mailgun too late": (signed("mailgun", b"subject=Hi", at=NOW - timedelta(hours=1)), 401),
    "meta's signed request": (signed("meta_privacy", b'{"algorithm":"HMAC-SHA256","user_id":"1"}'), 200),
    "another algorithm inside": (signed("meta_privacy", b'{"algorithm":"none","user_id":"1"}'), 401),
}

BODIES = {
    "empty": b"",
    "null": b"null",
    "a scalar": b"42",
    "an array": b"[{},{}]",
    "not JSON": b"<html>",
    "NaN and Infinity": b'{"a": NaN, "b": -Infinity, "c": 1e999}',
    "a lone surrogate": b'{"text": "\\ud800"}',
    "a NUL": b'{"text": "a\\u0000b"}\x00',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"text":"ü"}'.encode("utf-16"),
    "Latin-1": '{"text":"ü"}'.encode("latin-1"),
    "a key twice": b'{"id": 1, "id": 2}',
    "an integer of 3000 digits": b'{"id": ' + b"9" * 3000 + b"}",
    "nested 900 deep": b"[" * 900 + b"]" * 900,
    "nested deeper than any parser goes": b"[" * CAP,
    "line ends of another system": b'{\r\n"a": 1\r\n}\r\n',
    "HTML, formulas and quotes in a text": b'{"text": "<script>=1+1</script> \\u0027 OR 1=1 --"}',
    "as large as allowed": b" " * CAP,
}

FRAMES = {
    "one byte too large": (messenger(b" " * (CAP + 1)), 413),
    "gzip, honestly signed": (
        messenger(gzip.compress(b"{}")).with_header("content-encoding", "gzip"),
        415,
    ),
    "an encoding that changes nothing": (GOOD.with_header("content-encoding", "identity"), 415),
    "an unknown encoding": (GOOD.with_header("content-encoding", "br, zstd"), 415),
    "no such source": (replace(GOOD, source="nobody"), 404),
    "a source with a strange name": (replace(GOOD, source="%2e%2e"), 404),
}

CHALLENGES = {
    "x": (challenge("x", crc_token="abc"), 200),
    "x without a token": (challenge("x"), 403),
    "x with HTML as token": (challenge("x", crc_token="%3Cscript%3E%20"), 403),
    "meta": (
        challenge("messenger", hub__mode="subscribe", hub__verify_token="the-verify-token", hub__challenge="1158"),
        200,
    ),
    "meta, wrong token": (
        challenge("messenger", hub__mode="subscribe", hub__verify_token="guess", hub__challenge="1158"),
        403,
    ),
    "meta, another mode": (
        challenge("messenger", hub__mode="x", hub__verify_token="the-verify-token", hub__challenge="1"),
        403,
    ),
    "linkedin": (challenge("linkedin", challengeCode="890e4665"), 200),
    "youtube, a topic we asked for": (
        challenge(
            "youtube",
            hub__mode="subscribe",
            hub__topic="https%3A%2F%2Fwww.youtube.com%2Fxml%2Ffeeds%2Fvideos.xml%3Fchannel_id%3DUC1",
            hub__challenge="99",
            hub__verify_token="the-verify-token",
        ),
        200,
    ),
    "youtube, a topic we did not ask for": (
        challenge("youtube", hub__mode="subscribe", hub__topic="https%3A%2F%2Felsewhere", hub__challenge="9"),
        403,
    ),
    "a source that takes no challenge": (challenge("telegram", crc_token="abc"), 403),
    "a source that is not there": (challenge("nobody", crc_token="abc"), 404),
}


@pytest.mark.parametrize(("ask", "status"), SIGNATURES.values(), ids=SIGNATURES.keys())
def test_only_what_is_proven_is_stored(send: Send, store: Store, ask: Ask, status: int) -> None:
    answer = send(ask)
    assert (answer.status, stored(store)) == (status, 1 if status == 200 else 0)
    assert SECRET.encode() not in answer.body


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_an_authentic_body_is_stored_whatever_is_in_it(send: Send, store: Store, body: bytes) -> None:
    assert send(messenger(body)).status == 200
    with store.read() as connection:
        assert connection.execute(text("SELECT body, state FROM deliveries")).one() == (body, "new")


@pytest.mark.parametrize(("ask", "status"), FRAMES.values(), ids=FRAMES.keys())
def test_what_is_refused_for_its_form_is_not_stored(send: Send, store: Store, ask: Ask, status: int) -> None:
    answer = send(ask)
    assert (answer.status, stored(store)) == (status, 0)
    assert json.loads(answer.body)["status"] == status


@pytest.mark.parametrize(("ask", "status"), CHALLENGES.values(), ids=CHALLENGES.keys())
def test_challenges_are_answered_and_never_stored(send: Send, store: Store, ask: Ask, status: int) -> None:
    answer = send(ask)
    assert (answer.status, stored(store)) == (status, 0)
    assert "html" not in answer.content_type


def test_a_body_of_another_type_is_stored_as_it_came(send: Send, store: Store) -> None:
    """A JSON endpoint that lets the content type choose the parser can be made to read files (CVE-2026-21858)."""
    for kind in ("multipart/form-data; boundary=x", "text/xml", ""):
        ask = messenger(BODY + kind.encode()).with_header("content-type", kind)
        assert send(ask).status == 200
    assert stored(store) == 3


def test_a_copy_is_answered_like_the_first_and_stored_once(send: Send, store: Store) -> None:
    answers = [send(GOOD) for _ in range(10)]
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"")}
    assert stored(store) == 1


def test_the_delivery_id_tells_two_deliveries_apart_only_where_it_is_signed(send: Send, store: Store) -> None:
    for number in ("msg_1", "msg_2", "msg_1"):
        send(signed("social_case", delivery_id=number))
    assert stored(store) == 2
    for number in ("1", "2"):
        send(GOOD.with_header("x-delivery-id", number))
    assert stored(store) == 3


def test_a_token_that_does_not_cover_the_body_is_taken_once(send: Send, store: Store) -> None:
    first = signed("mailgun", b"subject=Hi")
    assert send(first).status == 200
    forged = replace(first, body=first.body.replace(b"subject=Hi", b"subject=Give+me+money"))
    assert send(forged).status == 200
    assert stored(store) == 1


def test_a_data_deletion_hears_where_to_look_after_it(send: Send, store: Store) -> None:
    ask = signed("meta_privacy", b'{"algorithm":"HMAC-SHA256","user_id":"218471"}')
    first, again = send(ask), send(ask)
    assert first.body == again.body
    told = json.loads(first.body)
    assert set(told) == {"url", "confirmation_code"}
    assert told["url"] == f"{PUBLIC_URL}/privacy/deletions/{told['confirmation_code']}"
    with store.read() as connection:
        key = connection.execute(text("SELECT key FROM deliveries")).scalar_one()
    assert key.startswith(told["confirmation_code"])


def test_twilio_is_answered_with_silence_not_with_words_for_the_customer(send: Send) -> None:
    answer = send(TWILIO)
    assert (answer.content_type, answer.body) == ("text/xml; charset=utf-8", b"<Response/>")


def test_a_refused_sender_is_told_how_to_prove_itself(send: Send) -> None:
    assert send(Ask("postmark", BODY)).headers["WWW-Authenticate"].startswith("Basic")
    assert send(Ask("messenger", BODY)).headers["WWW-Authenticate"] == "Signature"


def test_no_proof_and_no_unneeded_header_is_kept(send: Send, store: Store) -> None:
    ask = signed("chatwoot").with_header("authorization", "Bearer x").with_header("cookie", "a=b")
    assert send(ask.with_header("x-forwarded-for", "203.0.113.9")).status == 200
    with store.read() as connection:
        kept = json.loads(connection.execute(text("SELECT headers FROM deliveries")).scalar_one())
    assert not {"authorization", "cookie", "x-forwarded-for", "x-chatwoot-signature"} & set(kept)


def test_a_public_address_below_a_path_is_what_twilio_signs(send: Send, store: Store) -> None:
    """Whatever Host header comes with the request."""
    assert send(TWILIO.with_header("host", "evil.example")).status == 200
    assert stored(store) == 1


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("messenger", "https://care.example.com/in/webhooks/messenger"),
        ("postmark", "https://USER:PASSWORD@care.example.com/in/webhooks/postmark"),
        ("trustpilot", "https://care.example.com/in/webhooks/trustpilot?token=SECRET"),
    ],
)
def test_the_address_for_the_provider_shows_where_its_secret_belongs(name: str, address: str) -> None:
    assert sources()[name].address("https://care.example.com/in") == address
