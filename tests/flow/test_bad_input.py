"""Everything bad that a sender may send, from the request to its end: an event, nothing, or the shelf with its reason.

Nothing of it is answered with an error: an authentic body is the sender's last word, and a person's work here begins.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from connector.flows.context import Context
from connector.flows.ingest import ingest_once
from connector.flows.receive import Receiver
from connector.flows.shelves import list_items
from connector.store.tables import interactions, social_profiles
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.ingesting import make_context, rows, social_case
from tests.web.intake import NOW, PUBLIC_URL, Ask, signed, sources

EVENT, IGNORED = "an event", "ignored"
ONE = social_case(1)
Case = dict[str, Any]


def told(change: Callable[[Case], object]) -> bytes:
    """The body of one social case with this change."""
    case = json.loads(json.dumps(ONE))
    change(case)
    return json.dumps(case).encode()


def put(path: str, value: Any) -> bytes:
    """The body with a value at this path."""

    def change(case: Case) -> None:
        *way, last = path.split(".")
        for name in way:
            case = case[name]
        case[last] = value

    return told(change)


def without(path: str) -> bytes:
    """The body without what stands at this path."""

    def change(case: Case) -> None:
        *way, last = path.split(".")
        for name in way:
            case = case[name]
        del case[last]

    return told(change)


WHOLE = json.dumps(ONE).encode()
DEEP = b"[" * 900 + b"]" * 900

BODIES = {
    "empty": (b"", "payload_unreadable"),
    "null": (b"null", "item_malformed"),
    "a scalar": (b"42", "item_malformed"),
    "a text": (b'"hello"', "item_malformed"),
    "an empty batch": (b"[]", IGNORED),
    "a batch of nothing": (b"[null]", "item_malformed"),
    "not JSON": (b"<html>", "payload_unreadable"),
    "cut short": (WHOLE[:-7], "payload_unreadable"),
    "two documents": (WHOLE + WHOLE, "payload_unreadable"),
    "NaN": (WHOLE.replace(b'"Words 1"', b"NaN"), "payload_unreadable"),
    "Infinity": (WHOLE.replace(b'"Words 1"', b"-Infinity"), "payload_unreadable"),
    "a number beyond every float": (WHOLE.replace(b'"Words 1"', b"1e999"), "payload_unreadable"),
    "an integer of 5000 digits": (WHOLE.replace(b'"Words 1"', b"9" * 5000), "payload_unreadable"),
    "a lone surrogate": (WHOLE.replace(b"Words 1", b"a\\ud83d b"), EVENT),
    "an escaped NUL": (WHOLE.replace(b"Words 1", b"a\\u0000b"), EVENT),
    "a raw NUL": (WHOLE.replace(b"Words 1", b"a\x00b"), "payload_unreadable"),
    "a byte order mark": (b"\xef\xbb\xbf" + WHOLE, EVENT),
    "UTF-16": (WHOLE.decode().encode("utf-16"), "payload_unreadable"),
    "UTF-16 without its mark": (WHOLE.decode().encode("utf-16-be"), "payload_unreadable"),
    "UTF-32": (WHOLE.decode().encode("utf-32"), "payload_unreadable"),
    "Latin-1": (WHOLE.replace(b"Words 1", b"f\xfcr"), "payload_unreadable"),
    "a key twice, the last one counts": (WHOLE.replace(b'"text":', b'"text": "No", "text":'), EVENT),
    "nested 900 deep": (DEEP, "payload_unreadable"),
    "nested deeper than any parser goes": (b"[" * 100_000, "payload_unreadable"),
    "nested 900 deep inside of an event": (WHOLE.replace(b'"Words 1"', DEEP), "payload_unreadable"),
    "other line ends": (json.dumps(ONE, indent=1).replace("\n", "\r\n").encode(), EVENT),
}

FIELDS = {
    "no network": (without("data.network"), "network_unknown"),
    "a network nobody knows": (put("data.network", "friendster"), "network_unknown"),
    "a network that is a list": (put("data.network", ["x"]), "network_unknown"),
    "no item id": (without("data.message.id"), "field_missing"),
    "an item id under another name": (put("data.message", {"ID": "1"}), "field_missing"),
    "no author": (without("data.author"), "field_missing"),
    "an author that is a text": (put("data.author", "ada"), "field_missing"),
    "an id that is a number": (put("data.message.id", 7), EVENT),
    "an id of 40 digits": (put("data.message.id", 10**39), EVENT),
    "an id that is a fraction": (put("data.message.id", 1.5), "field_wrong"),
    "an id that is true": (put("data.message.id", True), "field_wrong"),
    "an id that is a mapping": (put("data.message.id", {"$ne": 1}), "field_wrong"),
    "an id of a mebibyte": (put("data.message.id", "x" * 900_000), "field_wrong"),
    "a text that is a list": (put("data.message.text", ["a"]), "field_wrong"),
    "no type": (without("type"), "mapping_unmatched"),
    "a type nobody knows": (put("type", "message.teleported"), "mapping_unmatched"),
    "a kind nobody knows": (put("data.message.kind", "hologram"), "mapping_unmatched"),
    "a role nobody knows": (put("data.author.role", "wizard"), EVENT),
    "a visibility nobody knows": (put("data.message.visibility", "friends"), EVENT),
    "a test of the sender": (put("type", "ping"), IGNORED),
    "a time without zone": (put("data.message.sent_at", "2026-02-02T12:00:00"), "time_unreadable"),
    "a time in the year 1": (put("data.message.sent_at", "0001-01-01T00:00:00Z"), "time_unreadable"),
    "a time in the year 9999": (put("data.message.sent_at", "9999-12-31T23:59:59Z"), "time_unreadable"),
    "a leap second": (put("data.message.sent_at", "2016-12-31T23:59:60Z"), EVENT),
    "the 61st second": (put("data.message.sent_at", "2016-12-31T23:59:61Z"), "time_unreadable"),
    "the 30th of February": (put("data.message.sent_at", "2026-02-30T12:00:00Z"), "time_unreadable"),
    "a time that is a mapping": (put("data.message.sent_at", {"at": 1}), "time_unreadable"),
    "a time in words": (put("data.message.sent_at", "yesterday"), "time_unreadable"),
    "negative followers": (put("data.author.followers", -5), EVENT),
    "followers in words": (put("data.author.followers", "many"), EVENT),
    "followers beyond 64 bits": (put("data.author.followers", 2**70), EVENT),
    "a negative duration": (put("data.message.duration_seconds", -5), EVENT),
    "a duration beyond 64 bits": (put("data.message.duration_seconds", 2**70), EVENT),
    "a phone of zeros": (put("data.contact", {"phone": "00000"}), EVENT),
    "a mail address in quotes": (put("data.contact", {"email": '"a b"@mail.example'}), EVENT),
    "a handle of 10,000 letters": (put("data.author.handle", "a" * 10_000), EVENT),
    "a handle of emoji": (put("data.author.handle", "👩‍👩‍👧_ada"), EVENT),
    "a handle that runs from right to left": (put("data.author.handle", "\u202eada\u202c"), EVENT),
    "a handle of look-alike letters": (put("data.author.handle", "аdа"), EVENT),
    "a name of a mebibyte": (put("data.author.name", "n" * 900_000), EVENT),
    "a text of nearly a mebibyte": (put("data.message.text", "w" * 1_000_000), EVENT),
    "a permalink that is a script": (put("data.message.permalink", "javascript:alert(1)"), EVENT),
    "attachments that are files": (put("data.message.attachments", [{"kind": "file", "url": "file:///etc/x"}]), EVENT),
    "attachments that are numbers": (put("data.message.attachments", [1, None]), EVENT),
}  # fmt: skip


@pytest.fixture
def ctx(store: Store, clock: FakeClock) -> Context:
    """A context with every shipped source."""
    return make_context(store, clock)


@pytest.fixture
def send(store: Store) -> Iterator[Callable[[Ask], int]]:
    """Sends one request and gives the status of the answer."""
    whole = {name: replace(each, max_bytes=None) for name, each in sources().items()}
    receiver = Receiver(store, whole, FakeClock(NOW), PUBLIC_URL)
    yield (
        lambda ask: (
            receiver.receive(ask.source, method=ask.method, query=ask.query, headers=ask.headers, body=ask.body).status
        )
    )
    receiver.close()


def end_of(ctx: Context) -> list[str]:
    """What became of everything that was sent: each item's reason on the shelf, and each event that was applied."""
    report = ingest_once(ctx)
    assert report.settled == report.claimed
    reasons = [each.reason for each in list_items(ctx)]
    assert report.shelved == len(reasons)
    return reasons + [EVENT] * report.events or [IGNORED]


@pytest.mark.parametrize(("body", "end"), [*BODIES.values(), *FIELDS.values()], ids=[*BODIES, *FIELDS])
def test_an_authentic_body_is_answered_200_and_comes_to_its_end(
    ctx: Context, send: Callable[[Ask], int], body: bytes, end: str
) -> None:
    assert send(signed("social_case", body)) == 200
    assert end_of(ctx) == [end]


@pytest.mark.parametrize("kind", ["", "text/plain", "application/octet-stream", "application/json; charset=utf-16"])
def test_json_is_read_as_json_whatever_harmless_type_it_is_called(
    ctx: Context, send: Callable[[Ask], int], kind: str
) -> None:
    assert send(signed("social_case", WHOLE).with_header("content-type", kind)) == 200
    assert end_of(ctx) == [EVENT]


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "text/xml", "application/x-www-form-urlencoded"])
def test_the_content_type_never_chooses_the_parser(ctx: Context, send: Callable[[Ask], int], kind: str) -> None:
    """An endpoint that let it could be made to read files (CVE-2026-21858)."""
    files = b'--x\r\nContent-Disposition: form-data; name="files"; filename="/etc/passwd"\r\n\r\n' + WHOLE
    for body in (WHOLE, files):
        assert send(signed("social_case", body).with_header("content-type", kind)) == 200
    assert end_of(ctx) == ["payload_unreadable"] * 2


FORMS = {
    "blank values": (b"MessageSid=SM1&From=%2B15550100&To=%2B15550199&Body=&SmsStatus=received", EVENT),
    "no body at all": (b"", "mapping_unmatched"),
    "bytes that are no text": (b"MessageSid=SM1&From=%2B15550100&To=%2B1&Body=%ff%fe&SmsStatus=received", EVENT),
    "without its id": (b"From=%2B15550100&To=%2B1&Body=Hi&SmsStatus=received", "field_missing"),
    "not a form": (b'{"MessageSid": "SM1"}', "mapping_unmatched"),
}


@pytest.mark.parametrize(("body", "end"), FORMS.values(), ids=FORMS.keys())
def test_a_form_is_answered_200_and_comes_to_its_end(
    ctx: Context, send: Callable[[Ask], int], body: bytes, end: str
) -> None:
    assert send(signed("twilio_sms", body)) == 200
    assert end_of(ctx) == [end]


def test_an_id_is_the_same_item_as_number_and_as_text(ctx: Context, send: Callable[[Ask], int]) -> None:
    for value in (7, "7"):
        assert send(signed("social_case", put("data.message.id", value))) == 200
    ingest_once(ctx)
    assert [each["item_id"] for each in rows(ctx.store, interactions)] == ["7"]


HOSTILE = (
    "<script>alert(1)</script>", "[a](javascript:alert(1))", "=HYPERLINK(\"http://evil\")", "' OR 1=1 --",
    "\\' OR Name LIKE '%", "{{ 7*7 }}", "${jndi:ldap://evil}", "../../etc/passwd", "%s%n",
)  # fmt: skip


@pytest.mark.parametrize("words", HOSTILE)
def test_hostile_words_in_every_text_field_are_only_words(ctx: Context, send: Callable[[Ask], int], words: str) -> None:
    """Kept as they were said: what shows or passes them on makes them harmless there."""

    def change(case: Case) -> None:
        case["data"]["author"] |= {"handle": words, "name": words, "location": words, "bio": words}
        case["data"]["message"] |= {"text": words, "language": words, "permalink": words, "thread_id": words}
        case["data"]["case"] = {"subject": words, "tags": [words]}

    assert send(signed("social_case", told(change))) == 200
    assert end_of(ctx) == [EVENT]
    [item] = rows(ctx.store, interactions)
    assert (item["text"], item["thread"], item["permalink"]) == (words, words, None)
    [profile] = rows(ctx.store, social_profiles)
    assert profile["bio"] == words


def test_what_cannot_be_text_in_a_database_is_marked(ctx: Context, send: Callable[[Ask], int]) -> None:
    for number, escaped in enumerate(("a\\ud83d b", "a\\u0000b", "👩‍👩‍👧 \\ud83d\\udce6")):
        body = WHOLE.replace(b"Words 1", escaped.encode()).replace(b"m-1-c1", b"m-%d" % number)
        assert send(signed("social_case", body)) == 200
    ingest_once(ctx)
    said = [each["text"] for each in sorted(rows(ctx.store, interactions), key=lambda each: str(each["item_id"]))]
    assert said == ["a\ufffd b", "a\ufffdb", "👩‍👩‍👧 📦"]


def test_a_body_of_the_cap_is_taken_and_one_byte_more_is_not(ctx: Context, send: Callable[[Ask], int]) -> None:
    """The shipped cap is a mebibyte."""
    padded = WHOLE + b" " * (2**20 - len(WHOLE))
    assert [send(signed("social_case", body)) for body in (padded[:-1], padded, padded + b" ")] == [200, 200, 413]
    assert ingest_once(ctx).events == 1
