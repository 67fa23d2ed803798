"""Whatever is sent, however broken: the intake answers as it promises, and the worker comes to an end with it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.flows.context import Context
from connector.flows.ingest import ingest_once
from connector.flows.receive import Receiver
from connector.flows.shelves import list_items
from connector.flows.sources import Source
from connector.mapping.signing import Draft, sign
from connector.store.unit_of_work import Store
from connector.web.webhooks import RECEIVER, webhooks
from tests.conftest import FakeClock
from tests.flow.ingesting import Fixture, fixtures, make_context
from tests.web.intake import NOW, PUBLIC_URL, WHSEC, Ask, source


def _configured(name: str) -> Source:
    """The source with a secret that its scheme can use."""
    known = replace(source(name), max_bytes=None)
    return replace(known, secrets=(WHSEC,)) if known.scheme == "standard_webhooks" else known


PROMISED = {200, 401, 403, 404, 413, 415}
IN_THE_BODY = {"livechat", "mailgun", "meta_privacy"}
"""Their proof stands in the body: broken, it is none. Only Google can sign for google_business."""
BODIES = [each for each in fixtures() if each.source not in IN_THE_BODY | {"google_business"}]
NAMES = sorted({each.source for each in fixtures()})
SIGNED = sorted({each.source for each in BODIES})
SOURCES = {name: _configured(name) for name in NAMES}
FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
TIMES = 5
"""How many broken versions of each body."""
JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**17, 10**40, 1e300, "", " ", "0", "-1", "yes", "\ud800", "\x00", "@", "+", "<p>",
    "x" * 3000, "2026-02-30T00:00:00Z", "1970-01-01T00:00:00Z", "9" * 30, "http://[::1", "urn:li:", [], {}, [[]],
    [None], [1, "a"], {"": ""}, {"id": {}}, {"data": [{}]},
)  # fmt: skip


@dataclass
class Intake:
    """The intake with every shipped source, and the worker behind it."""

    ctx: Context
    receiver: Receiver
    app: Flask


@pytest.fixture
def intake(store: Store, clock: FakeClock) -> Iterator[Intake]:
    """An intake on an empty store, as WSGI app too."""
    ctx = make_context(store, clock)
    receiver = Receiver(store, SOURCES, FakeClock(NOW), PUBLIC_URL)
    app = Flask("test")
    app.extensions[RECEIVER] = receiver
    app.register_blueprint(webhooks)
    yield Intake(ctx, receiver, app)
    receiver.close()


@pytest.mark.parametrize("name", NAMES)
def test_no_shipped_sender_is_believed_without_its_proof(intake: Intake, name: str) -> None:
    """Where a signature was optional, forged deliveries were worked on (CVE-2026-21894)."""
    bare = {"right": SOURCES[name], "none": replace(SOURCES[name], secrets=())}
    receiver = Receiver(intake.ctx.store, bare, FakeClock(NOW), PUBLIC_URL)
    for fixture in (each for each in fixtures() if each.source == name):
        headers = list({**json.loads(fixture.headers), "content-type": fixture.content_type}.items())
        for way in bare:
            answer = receiver.receive(way, method="POST", query="", headers=headers, body=fixture.body)
            assert answer.status == 401, fixture.name
    receiver.close()
    assert ingest_once(intake.ctx).claimed == 0


@FUZZ
@given(
    name=st.one_of(
        st.sampled_from(NAMES), st.text(st.characters(codec="ascii", exclude_characters="/?#%"), min_size=1)
    ),
    method=st.sampled_from(["GET", "POST"]),
    query=st.text(st.characters(codec="ascii", exclude_characters="#"), max_size=60),
    headers=st.dictionaries(
        st.sampled_from(
            ["authorization", "content-type", "x-hub-signature-256", "webhook-timestamp", "webhook-signature", "t"]
        ),
        st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60),
    ),
    body=st.binary(max_size=200),
)
def test_a_stranger_is_answered_as_promised_by_either_way_in(
    intake: Intake, name: str, method: str, query: str, headers: dict[str, str], body: bytes
) -> None:
    pairs = list(headers.items())
    answer = intake.receiver.receive(name, method=method, query=query, headers=pairs, body=body)
    assert answer.status in PROMISED
    client = intake.app.test_client()
    found = client.open(f"/webhooks/{name}", method=method, query_string=query, headers=pairs, data=body)
    assert found.status_code in PROMISED


@pytest.mark.parametrize(
    "fixture", [each for each in fixtures() if each.source == "mailgun"], ids=lambda each: each.name
)
def test_mailgun_s_bodies_are_signed_in_either_kind_of_form(intake: Intake, fixture: Fixture) -> None:
    ask = _signed(fixture, fixture.body)
    answer = intake.receiver.receive(ask.source, method="POST", query="", headers=ask.headers, body=ask.body)
    assert answer.status == 200
    assert ingest_once(intake.ctx).events == len(fixture.expected["events"])


@pytest.mark.parametrize("name", SIGNED)
def test_a_provider_whose_body_is_broken_anywhere_is_taken_and_comes_to_an_end(intake: Intake, name: str) -> None:
    """An item at worst ends on the shelf for a reason that is known."""
    chance = random.Random(name)
    for fixture in (each for each in BODIES if each.source == name):
        for _ in range(TIMES):
            ask = _signed(fixture, _broken(fixture.body, chance))
            answer = intake.receiver.receive(name, method="POST", query=ask.query, headers=ask.headers, body=ask.body)
            assert answer.status == 200, ask.body
    while (report := ingest_once(intake.ctx)).claimed:
        assert report.settled == report.claimed
    assert not list_items(intake.ctx, reason="unforeseen")


def _broken(body: bytes, chance: random.Random) -> bytes:
    """The body with a value or two of it changed; where that cannot be, with a part cut out and bytes put in."""
    try:
        root = [json.loads(body)]
    except ValueError:
        start, end = sorted(chance.sample(range(len(body) + 1), 2))
        return body[:start] + chance.choice((b"", b"%", b"%ff", b"&&", b"=", b"<x>", b"\0", b"&amp;")) + body[end:]
    for _ in range(chance.randint(1, 2)):
        holder, key = chance.choice(list(_places(root)))
        holder[key] = deepcopy(chance.choice(JUNK))
    return json.dumps(root[0]).encode()


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    """Everything that can be replaced below: the list or object it is in, and its index or key there."""
    keys = list(holder) if isinstance(holder, dict) else range(len(holder)) if isinstance(holder, list) else ()
    for key in keys:
        yield holder, key
        yield from _places(holder[key])


def _signed(fixture: Fixture, body: bytes) -> Ask:
    known = SOURCES[fixture.source]
    draft = Draft(f"{PUBLIC_URL}/webhooks/{fixture.source}", body, fixture.content_type)
    made = sign(known.scheme, draft, known.secrets[0], NOW)
    headers = {**json.loads(fixture.headers), "content-type": fixture.content_type, **made.headers}
    return Ask(fixture.source, made.body, tuple(headers.items()), made.url.partition("?")[2])
