"""On PostgreSQL those who change consent, read the CRM and take in events wait for each other in one order, never in a
ring: the database would break one of them off, and an agent would have to send an answer again."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
from sqlalchemy import text

from connector.flows.contact_index import reindex
from connector.flows.link import reproject
from connector.flows.sync.contacts import take_contacts
from connector.store import ledger
from connector.store.unit_of_work import Store, UnitOfWork
from tests.conftest import FakeClock
from tests.flow.consenting import ADA, desk_on
from tests.flow.test_no_contact_without_consent import WholeWorld
from tests.flow.test_writeback_workers import WAITS_FOR_A_LOCK

pytestmark = pytest.mark.postgres


@pytest.fixture
def world(postgres_store: Store, clock: FakeClock) -> WholeWorld:
    """Two customers who wrote, and a CRM."""
    return WholeWorld(desk_on(postgres_store, clock), clock)


def crossing(world: WholeWorld, other: Callable[[], object], goes_on: Callable[[UnitOfWork], object]) -> None:
    """Somebody who changes consent goes on only once the other waits."""
    store = world.desk.store
    with ThreadPoolExecutor(1) as pool:
        with store.begin() as uow:
            ledger.take_turn(uow)
            waiting = pool.submit(other)
            while not somebody_waits(store):
                assert not waiting.done(), "it took no turn"
                sleep(0.01)
            goes_on(uow)
        waiting.result(30)


def somebody_waits(store: Store) -> bool:
    """Asked in a look of its own: within one transaction the answer would stay what it was at first."""
    with store.read() as connection:
        return bool(connection.execute(text(WAITS_FOR_A_LOCK)).scalar_one())


def test_reading_contacts_waits_for_who_records_consent_and_not_he_for_it(world: WholeWorld) -> None:
    record = {"Id": ADA, "LastName": "Invented", "SystemModstamp": "2026-02-02T12:00:00.000Z", "IsDeleted": True}
    others = {**record, "Id": "003000000000009AAA", "IsDeleted": False}

    def reads() -> None:
        with world.desk.store.begin() as uow:
            take_contacts(world.desk.ctx, uow, [others, record])

    crossing(world, reads, lambda uow: reindex(uow, [ADA]))


def test_taking_in_what_ends_consent_waits_for_who_records_it_and_not_he_for_it(world: WholeWorld) -> None:
    said = json.loads(world.bodies[0])
    ended = json.loads(world.bodies[0].replace(b"message.created", b"access.revoked"))
    for each in (*said, *ended):
        each["id"] += "-later"
    said[0]["data"]["message"] |= {"id": "m-later", "text": "more words"}
    del ended[0]["data"]["message"]
    ended[0]["id"] += "-2"
    body = json.dumps([*said, *ended]).encode()
    crossing(world, lambda: world.take_in_body(body), lambda uow: reproject(uow, world.profiles[0]))
