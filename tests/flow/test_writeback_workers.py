"""Several workers on one database: nothing goes twice, nothing is left, the breaker is everybody's."""

from __future__ import annotations

from collections import Counter
from threading import Barrier, Thread

import pytest

from connector.flows.writeback import drain_once
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.crm_org import TestOrg
from tests.flow.crm_desk import KEYS, CrmDesk, crm_desk

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
