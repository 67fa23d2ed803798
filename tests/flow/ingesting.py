"""What the tests of ingestion share: events of an invented conversation, and the end state they lead to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, select

from connector.domain.channels import AuthorRole, Direction, Kind, Visibility
from connector.domain.clock import Clock
from connector.domain.events import Author, Event, format_time, to_millis
from connector.flows.applying import Outcome, apply_events
from connector.flows.board import Arrival, Desk
from connector.flows.context import Context
from connector.flows.sources import Source
from connector.mapping.channels import ChannelRegister, load_channels
from connector.mapping.loader import load_mappings
from connector.mapping.purposes import load_consent
from connector.settings import default_mappings_dir
from connector.store.tables import (
    case_events,
    cases,
    interactions,
    outbox,
    profile_handles,
    social_profiles,
)
from connector.store.unit_of_work import Store

NAMESPACE = UUID("5d0f7b1e-8a52-4d0b-9d53-1c1f0a6f4b10")
NOON = datetime(2026, 2, 2, 12, tzinfo=UTC)
BRAND = "brand-1"
MAPPINGS = default_mappings_dir()
CHANNELS: ChannelRegister = load_channels(MAPPINGS / "channels.yml")
DESK = Desk(NAMESPACE, CHANNELS, to_millis(NOON + timedelta(days=60)))


def at(minutes: float) -> datetime:
    """So many minutes after the story's noon."""
    return NOON + timedelta(minutes=minutes)


def said(item: str, minutes: float, text: str | None = "Hello", *, by: str = "customer-1", **more: Any) -> Event:
    """A public post of a customer in the story's thread; ``more`` replaces any field."""
    event = Event(
        network="x",
        kind=Kind.MENTION,
        direction=Direction.INBOUND,
        visibility=Visibility.PUBLIC,
        item_id=item,
        account_id=BRAND,
        thread_id="thread-1",
        occurred_at=at(minutes),
        text=text,
        author=Author(external_id=by, handle=f"{by}-handle"),
        author_role=AuthorRole.CUSTOMER,
        customer_id=by,
    )
    return replace(event, **more)


def answered(item: str, minutes: float, *, to: str | None = "customer-1", **more: Any) -> Event:
    """An agent's public answer in the story's thread."""
    defaults: dict[str, Any] = {
        "kind": Kind.REPLY,
        "direction": Direction.OUTBOUND,
        "author": Author(external_id=BRAND, handle="brand"),
        "author_role": AuthorRole.AGENT,
        "customer_id": to,
    }
    return said(item, minutes, "We are on it", **(defaults | more))


def edited(item: str, minutes: float, text: str, **more: Any) -> Event:
    """The customer changed a post."""
    return said(item, minutes, text, **({"kind": Kind.POST_EDIT} | more))


def deleted(item: str, minutes: float, **more: Any) -> Event:
    """The customer deleted a post."""
    return said(item, minutes, None, **({"kind": Kind.POST_DELETE} | more))


def reacted(item: str, minutes: float, *, by: str = "reader-1", **more: Any) -> Event:
    """Somebody liked a post."""
    return said(item, minutes, None, by=by, **({"kind": Kind.REACTION, "event_id": f"like-{item}-{by}"} | more))


def arrivals(events: Sequence[Event], *, delivery_id: int | None = None, source: str = "x") -> list[Arrival]:
    """The events as they come in, in this order."""
    received = DESK.now
    return [Arrival(each, delivery_id, f"$[{index}]", source, received) for index, each in enumerate(events)]


def apply(store: Store, *events: Event, desk: Desk = DESK) -> Outcome:
    """Applies the events in one transaction."""
    with store.begin() as uow:
        return apply_events(uow, desk, arrivals(events))


STATE: Mapping[Table, frozenset[str]] = {
    social_profiles: frozenset(),
    profile_handles: frozenset(),
    cases: frozenset(),
    interactions: frozenset(),
    case_events: frozenset({"id", "recorded_at"}),
}
"""What must not depend on the order of arrival: every column but counters of rows and times of recording."""


def end_state(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that ingestion makes, and which records are queued for the CRM, in an order of their own."""
    state = {}
    for table, free in STATE.items():
        columns = [column for column in table.c if column.name not in free]
        state[table.name] = sorted((tuple(row) for row in connection.execute(select(*columns))), key=repr)
    queued = select(outbox.c.object, outbox.c.external_key, outbox.c.parent_key, outbox.c.rank, outbox.c.state)
    caseless = select(interactions.c.id).where(interactions.c.case_id.is_(None))
    where = outbox.c.external_key.not_in(caseless)  # taken out of its case again: the CRM is told so, once it knew
    state["outbox"] = sorted(tuple(row) for row in connection.execute(queued.where(where)))
    return state


def rows(store: Store, table: Table, **where: Any) -> list[dict[str, Any]]:
    """The rows of a table with these values, as dictionaries."""
    statement = select(table).where(*(table.c[name] == value for name, value in where.items()))
    with store.read() as connection:
        return [dict(row) for row in connection.execute(statement).mappings()]


shipped_mappings = cache(load_mappings)
shipped_consent = cache(load_consent)


def make_context(store: Store, clock: Clock, *, account_ids: Sequence[str] = ()) -> Context:
    """A context with one source for every shipped mapping, named like it."""
    sources = {
        name: Source(name, mapping, ("test-secret",), tuple(account_ids or accounts_of(name)))
        for name, mapping in shipped_mappings(MAPPINGS).items()
    }
    return Context(
        store=store,
        clock=clock,
        namespace=NAMESPACE,
        sources=sources,
        channels=CHANNELS,
        consent=shipped_consent(MAPPINGS),
        secret_key="k" * 32,
        public_url="http://127.0.0.1:8080",
    )


FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
CONTENT_TYPES = {
    ".json": "application/json",
    ".form": "application/x-www-form-urlencoded",
    ".xml": "application/atom+xml",
}


@dataclass(frozen=True, slots=True)
class Fixture:
    """A body as a sender posts it, and what it must become."""

    source: str
    name: str
    body: bytes
    content_type: str
    headers: str
    expected: Mapping[str, Any]


def fixtures() -> list[Fixture]:
    """Every fixture body of every shipped source."""
    return [_fixture(path) for path in sorted(FIXTURES.glob("*/*.expected.json"))]


def _fixture(path: Path) -> Fixture:
    stem = path.name.removesuffix(".expected.json")
    extra = path.with_name(f"{stem}.headers.json")
    body = next(each for each in path.parent.glob(f"{stem}.*") if each not in (path, extra))
    headers = json.loads(extra.read_text(encoding="utf-8")) if extra.exists() else {}
    content_type = headers.get("content-type") or CONTENT_TYPES.get(body.suffix, "application/octet-stream")
    expected = json.loads(path.read_text(encoding="utf-8"))
    return Fixture(path.parent.name, stem, body.read_bytes(), content_type, json.dumps(headers), expected)


def accounts_of(source: str) -> list[str]:
    """The brand's own account ids in the fixtures of a source."""
    path = FIXTURES / source / "accounts.json"
    return list(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else []


def social_case(number: int, *, by: str = "c1", thread: str = "t1", **message: Any) -> dict[str, Any]:
    """One event of the generic social case: a customer's comment in a community."""
    sent_at = format_time(at(number))
    return {
        "id": f"evt-{number}-{by}",
        "type": "message.created",
        "timestamp": sent_at,
        "data": {
            "network": "community",
            "account": {"id": BRAND},
            "author": {"id": by, "handle": f"{by}-handle", "name": f"Name {by}"},
            "customer": {"id": by},
            "message": {
                "id": f"m-{number}-{by}",
                "kind": "comment",
                "visibility": "public",
                "thread_id": thread,
                "sent_at": sent_at,
                "text": f"Words {number}",
            }
            | message,
        },
    }
