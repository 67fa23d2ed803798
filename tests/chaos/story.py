"""What customers and agents say in the fault test, and what must be known at the end: a model of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

BEGIN = datetime(2026, 2, 2, 8, tzinfo=UTC)
BRAND = "brand"
SOURCES = ("desk", "counter")
"""Two senders of one network: what one of them tells, the other may go on with."""


@dataclass
class Said:
    """An item as it must stand at the end."""

    customer: str
    inbound: bool
    text: str | None
    is_deleted: bool = False


@dataclass
class Matter:
    """A customer's case as it must stand at the end; times are ISO with milliseconds."""

    inbound: int = 0
    answers: int = 0
    first_inbound: str = ""
    first_answer: str | None = None
    handle: str = ""


@dataclass
class Delivery:
    """A request to be sent until it is answered; ``bad`` counts the items that must end on the shelf."""

    body: bytes
    bad: int = 0
    is_forged: bool = False
    source: str = SOURCES[0]


@dataclass
class Story:
    """Everything that is sent, and everything that must be true afterwards."""

    deliveries: list[Delivery] = field(default_factory=list)
    items: dict[str, Said] = field(default_factory=dict)
    matters: dict[str, Matter] = field(default_factory=dict)
    events: int = 0


def moment(minutes: float) -> str:
    """So many minutes after the beginning."""
    return (BEGIN + timedelta(minutes=minutes)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def tell(random: Random, events: int) -> Story:
    """A story of at least so many events, with bodies that nobody can read, forged ones, and a tenth of it twice."""
    story = Story()
    go_on(story, random, events)
    _spoil(story, random)
    return story


def go_on(story: Story, random: Random, events: int) -> list[Delivery]:
    """What is sent when people whom the story does not know yet say at least so many things more."""
    known = len(story.deliveries)
    until = story.events + events
    waiting: list[dict[str, Any]] = []
    while story.events < until:
        told = list(_conversation(story, random, f"c{len(story.matters)}", random.uniform(0, 3000)))
        story.events += len(told)
        waiting += told
        while len(waiting) > 60:
            _deliver(story, random, waiting, random.choice((1, 2, 4, 8)))
    while waiting:
        _deliver(story, random, waiting, 1)
    return story.deliveries[known:]


def _conversation(story: Story, random: Random, customer: str, start: float) -> Iterator[dict[str, Any]]:
    matter = story.matters[customer] = Matter()
    minute = start
    own: list[tuple[str, float]] = []
    for turn in range(random.randint(1, 6)):
        minute += random.uniform(1, 30)
        item = f"{customer}-{turn}"
        by_brand = turn > 0 and random.random() < 0.4
        is_bot = by_brand and random.random() < 0.2
        words = f"{item}: " + " ".join(
            random.choice(("my", "order", "is", "late", "où", "注文", "🙂")) for _ in range(6)
        )
        if by_brand:
            yield _message(customer, item, minute, words, role="bot" if is_bot else "agent")
            story.items[item] = Said(customer, False, words)
            if not is_bot:
                matter.answers += 1
                matter.first_answer = matter.first_answer or moment(minute)
            continue
        matter.handle = f"{customer}_{turn if random.random() < 0.3 else 0}"
        yield _message(customer, item, minute, words, handle=matter.handle, kind="mention" if turn == 0 else "reply")
        story.items[item] = Said(customer, True, words)
        matter.inbound += 1
        matter.first_inbound = matter.first_inbound or moment(minute)
        own.append((item, minute))
    yield from _changes(story, random, customer, own)


def _changes(story: Story, random: Random, customer: str, own: list[tuple[str, float]]) -> Iterator[dict[str, Any]]:
    for item, minute in own:
        known = story.items[item]
        for number in range(random.choice((0, 0, 0, 1, 2))):
            later = minute + 1 + number
            known.text = f"{item} put better, {number}"
            yield _change("message.edited", customer, item, later, known.text)
        if random.random() < 0.08:
            known.text, known.is_deleted = None, True
            yield _change("message.deleted", customer, item, minute + 9, None)


def _message(
    customer: str,
    item: str,
    minute: float,
    words: str,
    *,
    role: str = "customer",
    handle: str = "",
    kind: str = "reply",
) -> dict[str, Any]:
    author = {"id": customer, "handle": handle, "role": role} if role == "customer" else {"id": BRAND, "role": role}
    return _event("message.created", customer, item, minute, author, {"kind": kind, "text": words})


def _change(what: str, customer: str, item: str, minute: float, words: str | None) -> dict[str, Any]:
    author = {"id": customer, "role": "customer"}
    return _event(what, customer, item, minute, author, {"kind": "reply", "text": words})


def _event(
    what: str, customer: str, item: str, minute: float, author: dict[str, Any], message: dict[str, Any]
) -> dict[str, Any]:
    at = moment(minute)
    common = {"id": item, "visibility": "public", "thread_id": f"thread-{customer}", "sent_at": at}
    return {
        "id": f"{what}-{item}-{at}",
        "type": what,
        "timestamp": at,
        "data": {
            "network": "x",
            "account": {"id": BRAND},
            "author": author,
            "customer": {"id": customer},
            "message": common | message,
        },
    }


def _deliver(story: Story, random: Random, waiting: list[dict[str, Any]], size: int) -> None:
    events = [waiting.pop(random.randrange(len(waiting))) for _ in range(size)]
    bad = 0
    if random.random() < 0.04:
        broken = json.loads(json.dumps(events[0]))
        broken["id"], broken["data"]["network"] = f"broken-{len(story.deliveries)}", "no such network"
        events = [*events, broken]
        bad = 1
    body = json.dumps(events, ensure_ascii=False).encode()
    story.deliveries.append(Delivery(body, bad, source=random.choice(SOURCES)))


def _spoil(story: Story, random: Random) -> None:
    """Bodies that nobody can read, forged ones, and a tenth of everything sent twice."""
    for number in range(40):
        story.deliveries.append(Delivery(b'[{"broken": %d' % number, bad=1))
        story.deliveries.append(Delivery(b'[{"forged": %d}]' % number, is_forged=True))
    story.deliveries += random.sample(story.deliveries, k=len(story.deliveries) // 10)
    for place in range(0, len(story.deliveries), 50):  # near each other as on a real wire, but in no order
        window = story.deliveries[place : place + 50]
        random.shuffle(window)
        story.deliveries[place : place + 50] = window
