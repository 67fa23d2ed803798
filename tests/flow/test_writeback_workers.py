"""Several workers on one database: nothing goes twice, nothing is left, the breaker is everybody's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier, Event, Thread
from time import sleep
from typing import Any

import pytest
from sqlalchemy import text, update

from connector.crm.port import Record
from connector.errors import StoreBusy
from connector.flows import writeback
from connector.flows.answers import settle_sent
from connector.flows.context import Context
from connector.flows.upkeep import give_back_expired
from connector.flows.writeback import Batch, drain_once
from connector.store import insisting
from connector.store.locks import take_networks
from connector.store.outbox import NOBODY, OVERTAKEN, note_overtaken, queue, tried
from connector.store.tables import cases, outbox
from connector.store.unit_of_work import Store, UnitOfWork
from tests.conftest import FakeClock
from tests.crm_org import TestOrg
from tests.flow.crm_desk import CASE, KEYS, PROFILE, CrmDesk, case_id_of, crm_desk

WORKERS = 4
ACCOUNTS = 60


@pytest.fixture
def desk(any_store: Store, clock: FakeClock, org: TestOrg) -> CrmDesk:
    """A connector on either database."""
    return crm_desk(any_store, clock, org)


def test_workers_beside_each_other_send_every_record_once(desk: CrmDesk) -> None:
    for number in range(ACCOUNTS):
        desk.account(f"customer{number}")
    bent = desk.bend()
    together = Barrier(WORKERS)

    def work() -> None:
        together.wait()
        idle = 0
        while idle < 3:
            idle = idle + 1 if drain_once(desk.ctx, flush=True).is_idle else 0

    threads = [Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    desk.send()
    keys = Counter((obj, record[KEYS[obj]]) for obj, record in bent.written)
    assert set(keys.values()) == {1}
    assert desk.held() == desk.wanted()


def late_call(desk: CrmDesk, meanwhile: Callable[[], object]) -> None:
    """A worker's next call reaches the org only after its lease ran out and another worker has sent what it held."""
    org_itself, slow = desk.ctx, replace(desk)
    bent = slow.bend()

    def stands_still(_obj: str, _records: Sequence[Record]) -> None:
        bent.before = lambda _obj, _records: None
        meanwhile()
        with desk.store.begin() as uow:
            uow.connection.execute(update(outbox).where(outbox.c.claim.is_not(None)).values(lease_until=1))
        give_back_expired(desk.ctx)
        desk.send()

    bent.before = stands_still
    drain_once(slow.ctx, flush=True)
    assert desk.ctx is org_itself


def test_a_contact_in_a_call_that_came_too_late_is_taken_back(desk: CrmDesk) -> None:
    """The fence keeps the slow worker from the store; what it wrote into the org after the others must go as well."""
    contact = desk.person()
    account = desk.account("ada")
    desk.sync()
    desk.send()
    desk.yes(account, contact)
    for _ in range(3):
        late_call(desk, lambda: desk.undo(account))
        assert contact in desk.contacts_in_org()
        desk.send()
        assert desk.contacts_in_org() == {None}
        desk.yes(account, contact)
    desk.undo(account)
    desk.send()
    assert desk.held() == desk.wanted()


def test_what_a_call_that_came_too_late_took_back_is_shown_again(desk: CrmDesk) -> None:
    contact = desk.person()
    account = desk.account("ada")
    desk.sync()
    desk.yes(account, contact)
    desk.send()
    desk.undo(account)
    late_call(desk, lambda: desk.yes(account, contact))
    assert None in desk.contacts_in_org()
    desk.send()
    assert desk.contacts_in_org() == {contact}
    assert desk.held() == desk.wanted()


def test_what_a_late_call_carried_counts_beside_what_an_earlier_one_tried(desk: CrmDesk) -> None:
    """On a case only a contact known to be ours is taken back; a late call that carried none tells of none."""
    case = case_id_of(desk.account("ada"))
    desk.send()
    row = desk.row(CASE, case).id
    with desk.store.begin() as uow:
        uow.connection.execute(update(outbox).where(outbox.c.id == row).values(tried_contact_id="earlier"))
        for contact in ("late", None, NOBODY, "late"):
            note_overtaken(uow, {row: contact})
    told = desk.row(CASE, case)
    assert tried(told.tried_contact_id) == {"earlier", "late", NOBODY}
    assert (len(told.tried_contact_id.split()), told.sent_digest, told.state) == (3, OVERTAKEN, "pending")


def test_a_worker_that_stood_still_between_claim_and_call_does_not_call(
    desk: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.account("ada")
    bent = desk.bend()
    monkeypatch.setattr(Batch, "is_late", True)
    assert drain_once(desk.ctx, flush=True).calls == 0
    assert bent.written == []
    monkeypatch.undo()
    desk.send()
    assert desk.held() == desk.wanted()


def ends_its_connection(step: Callable[..., Any], times: int) -> Callable[..., Any]:
    """A step of a transaction that does its work and then loses its connection, so many times in a row."""
    left = [times]

    def cut(ctx: Context, uow: UnitOfWork, *rest: Any) -> Any:
        given = step(ctx, uow, *rest)
        if left[0]:
            left[0] -= 1
            if uow.is_sqlite:
                raise StoreBusy
            uow.connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        return given

    return cut


def test_what_the_org_answered_is_noted_though_the_store_is_away_for_a_moment(
    desk: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = desk.account("ada")
    bent = desk.bend()
    monkeypatch.setattr(insisting, "WAITS", (0, 0, 0))
    monkeypatch.setattr(writeback, "settle_sent", ends_its_connection(settle_sent, times=2))
    assert drain_once(desk.ctx, flush=True).sent == 1
    assert desk.row(PROFILE, account).state == "sent"
    assert len(bent.written) == 1
    desk.send()
    assert desk.held() == desk.wanted()


def test_while_the_store_stays_away_the_lease_keeps_what_was_in_the_call(
    desk: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = desk.account("ada")
    monkeypatch.setattr(insisting, "WAITS", (0,))
    monkeypatch.setattr(writeback, "settle_sent", ends_its_connection(settle_sent, times=2))
    with pytest.raises(StoreBusy):
        drain_once(desk.ctx, flush=True)
    assert desk.row(PROFILE, account).claim
    give_back_expired(desk.ctx, everything=True)
    desk.send()
    assert desk.held() == desk.wanted()


@pytest.mark.postgres
def test_settling_and_ingestion_never_wait_for_each_other(
    postgres_store: Store, clock: FakeClock, org: TestOrg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ingestion changes a case, then its row of the outbox, while the first answer about that case is being noted."""
    desk = crm_desk(postgres_store, clock, org)
    case = case_id_of(desk.account("ada"))
    drain_once(desk.ctx, flush=True)
    bent = desk.bend()
    monkeypatch.setattr(insisting, "WAITS", ())
    changed = Event()

    def ingest() -> None:
        with postgres_store.begin() as uow:
            take_networks(uow, {desk.case_row(case).network})
            uow.connection.execute(update(cases).where(cases.c.id == case).values(inbound_touches=7))
            changed.set()
            while not uow.connection.execute(text(WAITS_FOR_A_LOCK)).scalar_one():
                sleep(0.01)
            queue(uow, CASE, case)

    with ThreadPoolExecutor(1) as pool:
        ingesting = []

        def meanwhile(_obj: str, _records: Sequence[Record]) -> None:
            bent.before = lambda _obj, _records: None
            ingesting.append(pool.submit(ingest))
            assert changed.wait(30)

        bent.before = meanwhile
        assert drain_once(desk.ctx, flush=True).sent == 1
        ingesting[0].result(30)
    desk.send()
    assert desk.record(CASE, case)["Inbound_Touches__c"] == 7
    assert desk.held() == desk.wanted()


WAITS_FOR_A_LOCK = (
    "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
    "AND application_name = current_setting('application_name')"
)


def test_fifty_changes_of_one_case_while_the_org_is_slow_end_in_the_newest(desk: CrmDesk) -> None:
    assert desk.org is not None
    account = desk.account("ada")
    case = case_id_of(account)
    desk.send()
    before = desk.org.stats()["write_calls"]
    desk.org.faults({"fault": "latency", "on": ["collections"], "ms": 30})
    numbers, done = iter(range(1, 51)), Event()

    def change() -> None:
        for number in numbers:
            desk.change_case(case, inbound_touches=number)

    def work() -> None:
        while not done.is_set():
            drain_once(desk.ctx, flush=True)

    changing, working = [Thread(target=change) for _ in range(5)], [Thread(target=work) for _ in range(2)]
    for thread in [*changing, *working]:
        thread.start()
    for thread in changing:
        thread.join()
    done.set()
    for thread in working:
        thread.join()
    desk.send()
    assert desk.held() == desk.wanted()
    assert 0 < desk.org.stats()["write_calls"] - before <= 50


def test_one_workers_finding_that_the_org_is_away_keeps_the_others_from_asking(desk: CrmDesk) -> None:
    assert desk.org is not None
    for number in range(3):
        desk.account(f"customer{number}")
    desk.org.faults({"fault": "unavailable", "on": ["collections"]})
    drain_once(desk.ctx, flush=True)
    calls = desk.org.stats()["calls"]
    threads = [Thread(target=drain_once, args=(desk.ctx,), kwargs={"flush": True}) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.org.stats()["calls"] == calls


def test_reading_in_works_alike_on_both_databases(desk: CrmDesk) -> None:
    assert desk.org is not None
    person = desk.person(FirstName="Ada", Email="ada@example.com")
    case = desk.org.create("Case", Origin="Web", ContactId=person, Subject="Size", Description="44?")
    desk.org.create("CaseComment", ParentId=case, CommentBody="Yes", IsPublished=True)
    account = desk.account("ada")
    desk.sync()
    desk.yes(account, person)
    desk.send()
    desk.sync()
    before = desk.contents()
    desk.sync()
    assert desk.contents() == before
    assert desk.contacts_in_org() == {person}
    assert desk.held() == desk.wanted()
