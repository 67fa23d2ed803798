"""Several workers on PostgreSQL take turns where they must, never block each other for good, and end as one would."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event
from typing import Any

import pytest
from sqlalchemy import insert, update

from connector.domain.events import to_millis
from connector.flows.context import Context
from connector.flows.ingest import ingest_once
from connector.store import inbox, outbox
from connector.store.tables import cases, deliveries, interactions
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.ingesting import NOON, end_state, make_context, social_case

SENDERS = ("first", "second", "third")
CUSTOMERS, TURNS = 8, 8

pytestmark = pytest.mark.postgres


def context(store: Store, clock: FakeClock) -> Context:
    """Three senders that tell of the same things."""
    ctx = make_context(store, clock)
    source = ctx.sources["social_case"]
    return replace(ctx, sources={name: replace(source, name=name) for name in SENDERS})


def told() -> list[dict[str, Any]]:
    """What customers and the brand said in threads that they share, on two networks, and edits and likes of it."""
    events = []
    for number in range(CUSTOMERS * TURNS):
        by, thread = f"c{number % CUSTOMERS}", f"t{number % 3}"
        event = social_case(number, by=by, thread=thread)
        event["data"]["network"] = ("community", "x")[number % 2]
        if number % 5 == 4:
            event["data"]["author"] = {"id": "brand-1", "role": "agent"}
        events.append(event)
        if number % 4 == 3:
            events.append({**event, "id": f"edit-{number}", "type": "message.edited"})
    return events


def deliver(store: Store, seed: int) -> int:
    """How many deliveries were stored: each sender tells everything, in an order of its own, one event each."""
    rows = []
    for number, sender in enumerate(SENDERS):
        bodies = [json.dumps(each).encode() for each in told()]
        random.Random(seed + number).shuffle(bodies)
        rows += [
            {"source": sender, "key": f"{sender}-{at}", "received_at": to_millis(NOON), "body": body}
            for at, body in enumerate(bodies)
        ]
    random.Random(seed).shuffle(rows)
    with store.begin() as uow:
        uow.connection.execute(insert(deliveries), rows)
    return len(rows)


def work(ctx: Context, limit: int) -> int:
    """How many deliveries one worker settled until none was left to anybody."""
    settled = 0
    while True:
        settled += ingest_once(ctx, limit).settled
        with ctx.store.read() as connection:
            if not inbox.depth(connection):
                return settled


def side_by_side(*jobs: Callable[[], int]) -> list[int]:
    """What each job gives; all begin at once, and the error of any is raised."""
    together = Barrier(len(jobs))

    def begin(job: Callable[[], int]) -> int:
        together.wait()
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return [each.result() for each in [pool.submit(begin, job) for job in jobs]]


def state(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that ingestion made, but for which of the senders was first."""
    with store.begin() as uow:
        for table in (interactions, cases):
            uow.connection.execute(update(table).values(source=None))
        return end_state(uow.connection)


@pytest.mark.parametrize("seed", [1, 2])
def test_two_workers_and_three_senders_of_one_conversation_end_as_one_worker(
    store: Store, postgres_store: Store, clock: FakeClock, seed: int
) -> None:
    stored = deliver(store, seed)
    assert work(context(store, clock), 500) == stored

    assert deliver(postgres_store, seed) == stored
    ctx = context(postgres_store, clock)
    assert sum(side_by_side(*[lambda: work(ctx, 7)] * 2)) == stored
    assert state(postgres_store) == state(store)


def test_ingestion_and_write_back_change_the_same_outbox_rows_without_a_deadlock(
    postgres_store: Store, clock: FakeClock
) -> None:
    ctx = context(postgres_store, clock)
    stored = deliver(postgres_store, 3)
    ended = Event()

    def ingest() -> int:
        try:
            return work(ctx, 9)
        finally:
            ended.set()

    def write_back() -> int:
        sent = 0
        while not ended.is_set():
            with postgres_store.begin() as uow:
                rows = outbox.claim(uow, 50)
            results = [outbox.Settlement(row.id, row.ver, outbox.Settling.SENT) for row in rows]
            if rows:
                with postgres_store.begin() as uow:
                    sent += outbox.settle(uow, rows[0].claim, results)
        return sent

    settled, sent = side_by_side(ingest, write_back)
    assert settled == stored
    assert sent > 0
