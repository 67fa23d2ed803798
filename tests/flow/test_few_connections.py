"""A store with one connection or two: intake, pages, worker and write-back take turns, and nobody waits for himself."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, QueuePool, create_engine, func, select

from connector.flows.receive import Receiver
from connector.store import accept, unit_of_work
from connector.store.tables import cases, deliveries, interactions, outbox
from connector.store.unit_of_work import Store, open_store
from connector.web.site import register
from connector.worker import Worker
from tests.conftest import FakeClock
from tests.crm_org import TestOrg
from tests.flow.crm_desk import crm_desk
from tests.flow.ingesting import make_context, social_case
from tests.flow.test_worker import wait_for
from tests.web.intake import PUBLIC_URL, signed, sources

SENT = 24
LONG = 60.0

Narrow = Callable[..., Store]


@pytest.fixture
def narrow(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[Narrow]:
    """Opens the store anew with so few connections, for which nobody waits longer than told."""
    opened: list[Store] = []

    def with_connections(number: int, *, wait: float) -> Store:
        def engine(url: str, **options: Any) -> Engine:
            few = {"poolclass": QueuePool, "pool_size": number, "max_overflow": 0, "pool_timeout": wait}
            return create_engine(url, **{**options, **few})

        monkeypatch.setattr(unit_of_work, "create_engine", engine)
        monkeypatch.setattr(accept, "POSTGRES_CONNECTIONS", number)
        opened.append(open_store(any_store.engine.url.render_as_string(hide_password=False)))
        return opened[-1]

    yield with_connections
    for store in opened:
        store.close()


@contextmanager
def receiving(store: Store, clock: FakeClock) -> Iterator[Callable[[bytes], int]]:
    """Sends a delivery with this body; the status of the answer."""
    receiver = Receiver(store, sources(), clock, PUBLIC_URL, 100_000)

    def send(body: bytes) -> int:
        ask = signed("social_case", body)
        answer = receiver.receive("social_case", method="POST", query="", headers=ask.headers, body=body)
        assert answer.status == 200 or (answer.status == 503 and int(answer.headers["Retry-After"]) > 0)
        return answer.status

    yield send
    receiver.close()


def until_taken(send: Callable[[bytes], int], body: bytes) -> set[int]:
    """The statuses that a sender saw who sends again until the delivery is taken, as all of them do."""
    seen: set[int] = set()
    while 200 not in seen:
        seen.add(send(body))
    return seen


@pytest.mark.parametrize("connections", [1, 2])
def test_senders_pages_worker_and_write_back_share_few_connections_and_lose_nothing(
    narrow: Narrow, any_store: Store, clock: FakeClock, org: TestOrg, connections: int
) -> None:
    store = narrow(connections, wait=5.0)
    ctx = replace(crm_desk(store, clock, org).ctx, sources=make_context(store, clock).sources, crm_share=1.0)
    app = Flask("connector.web")
    register(app, ctx)
    worker = Worker(ctx, poll_seconds=0.05)
    ended = Event()

    def look() -> set[int]:
        seen = set()
        with app.test_client() as client:
            while not ended.wait(0.01):
                seen |= {client.get(page).status_code for page in ("/readyz", "/metrics", "/login")}
        return seen

    def through() -> bool:
        with any_store.read() as connection:
            waiting = select(func.count()).select_from(deliveries).where(deliveries.c.state != "done")
            unsent = select(func.count()).select_from(outbox).where(outbox.c.state != "sent")
            counts = [connection.execute(each).scalar_one() for each in (waiting, unsent)]
            told = connection.execute(select(func.count()).select_from(interactions)).scalar_one()
        return counts == [0, 0] and told == SENT

    bodies = [json.dumps(social_case(number, by=f"c{number % 5}")).encode() for number in range(SENT)]
    worker.start()
    try:
        with receiving(store, clock) as send, ThreadPoolExecutor(6) as threads:
            looks = [threads.submit(look) for _ in range(2)]
            try:
                answers = list(threads.map(lambda body: until_taken(send, body), bodies))
                assert wait_for(through, LONG), (worker.failures, through())
            finally:
                ended.set()
            seen = set().union(*(each.result() for each in looks))
    finally:
        assert worker.stop()
    app.extensions["connector_submitter"].close()
    assert set().union(*answers) <= {200, 503}
    assert seen <= {200, 503}
    with any_store.read() as connection:
        assert len(connection.execute(select(cases)).all()) == 5
    assert len(org.rows("SELECT Id FROM Case")) == 5
    assert len(org.rows("SELECT Id FROM Channel_Interaction__c")) == SENT


def test_whoever_gets_no_connection_is_asked_to_come_again(narrow: Narrow, clock: FakeClock) -> None:
    ctx = make_context(narrow(1, wait=0.01), clock)
    app = Flask("connector.web")
    register(app, ctx)
    client = app.test_client()
    with receiving(ctx.store, clock) as send:
        with ctx.store.read():
            for page, status in {"/readyz": 503, "/api/v1/cases": 503, "/webhooks/none": 404}.items():
                assert client.get(page, headers={"Authorization": "Bearer x"}).status_code == status, page
            assert "connector_ready 0.0" in client.get("/metrics").text
            assert "All connections to the store are in use" in client.get("/readyz").text
            if ctx.store.is_sqlite:  # on PostgreSQL the intake has connections of its own
                assert send(b"{}") == 503
        assert send(b"{}") == 200
    assert client.get("/readyz").status_code == 200
    app.extensions["connector_submitter"].close()
