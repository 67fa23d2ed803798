"""What comes between the claim, the call and the answer: withdrawals, people who delete and bring back, and answers
that are not in their order. Nobody is named a moment longer than allowed, and the org ends as the store projects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from time import sleep
from typing import Any, cast

import pytest
from sqlalchemy import text

from connector.crm.port import CRM, RowResult
from connector.flows import operate
from connector.flows.operate import drop_outbox
from connector.flows.writeback import drain_once
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.crm_org import TestOrg
from tests.flow.crm_desk import CASE, CONTACT, INTERACTION, PROFILE, Bent, CrmDesk, case_id_of, crm_desk, said_id_of
from tests.flow.test_writeback_workers import WAITS_FOR_A_LOCK

EVERYTHING = (PROFILE, CASE, INTERACTION)


@pytest.fixture
def desk(any_store: Store, clock: FakeClock, org: TestOrg) -> CrmDesk:
    """A connector on either database."""
    return crm_desk(any_store, clock, org)


class Between(Bent):
    """A CRM that does something once it has been asked which records it has, and may answer in another order."""

    asked: Callable[[], object] = staticmethod(lambda: None)
    reverses = False

    def keyed(self, obj: str, *rest: Any, **more: Any) -> Any:
        found = self._crm.keyed(obj, *rest, **more)
        self.asked()
        return found

    def _heard(self, obj: str, results: list[RowResult]) -> list[RowResult]:
        return super()._heard(obj, results[::-1] if self.reverses else results)


def between(desk: CrmDesk) -> Between:
    """Puts such a CRM between."""
    assert desk.ctx.crm is not None
    bent = Between(desk.ctx.crm)
    desk.ctx = replace(desk.ctx, crm=cast("CRM", bent))
    return bent


def test_who_withdraws_between_the_claim_and_the_call_is_not_named_in_it(desk: CrmDesk) -> None:
    """Before a case is made again after a lost answer the org is asked whether it is there, which takes its time."""
    contact, account, other = desk.person(), desk.account("ada"), desk.account("ben")
    desk.sync()
    bent = between(desk)
    bent.lost = frozenset({CASE})
    for _ in range(4):
        drain_once(desk.ctx, flush=True)
        desk.hurry()
    bent.lost = frozenset()
    desk.yes(account, contact)
    desk.yes(other, contact)
    asked: list[bool] = []

    def withdraws() -> None:
        if not asked:
            desk.undo(account)
            bent.written.clear()
        asked.append(True)

    bent.asked = withdraws
    desk.send()
    assert asked
    named = {record[CONTACT[obj]] for obj, record in bent.written if _is_of(account, record) and CONTACT[obj] in record}
    assert named <= {None}
    assert desk.record(CASE, case_id_of(other))["ContactId"] == contact
    assert desk.held() == desk.wanted()


def _is_of(account: str, record: Any) -> bool:
    return bool({account, case_id_of(account), said_id_of(account)} & set(map(str, record.values())))


def test_an_account_brought_back_from_the_bin_does_not_name_whoever_withdrew_meanwhile(desk: CrmDesk) -> None:
    contact, account = desk.person(), desk.account("ada")
    assert desk.org is not None
    desk.sync()
    desk.yes(account, contact)
    desk.send()
    (record,) = desk.org.rows("SELECT Id FROM Social_Profile__c")
    desk.org.delete(PROFILE, record["Id"])
    desk.case(account, 1)
    while desk.row(PROFILE, account).crm_id is not None:
        drain_once(desk.ctx, flush=True)
    desk.undo(account)
    desk.org.control("undelete", {"ids": [record["Id"]]})
    desk.send()
    assert desk.contacts_in_org() == {None}
    assert desk.held() == desk.wanted()


@pytest.mark.parametrize("deleted", [PROFILE, INTERACTION])
def test_what_people_deleted_is_whole_when_it_is_made_again(desk: CrmDesk, deleted: str) -> None:
    """With its contact, and all that named it names it again."""
    contact, account = desk.person(), desk.account("ada")
    assert desk.org is not None
    desk.sync()
    desk.yes(account, contact)
    desk.send()
    (record,) = desk.org.rows(f"SELECT Id FROM {deleted}")
    desk.org.delete(deleted, record["Id"])
    desk.change_profile(account, display_name="Ada F.")
    desk.change_interaction(said_id_of(account), text="words")
    desk.send()
    assert desk.contacts_in_org() == {contact}
    assert desk.held() == desk.wanted()


@pytest.mark.parametrize("known", [True, False])
def test_answers_in_another_order_never_settle_the_wrong_record(desk: CrmDesk, known: bool) -> None:
    """Where the records are known that shows at once; ids of new ones that were mixed up are found out at the next."""
    accounts, contact = [desk.account("ada"), desk.account("ben")], desk.person()
    desk.sync()
    if known:
        desk.send()
    bent = between(desk)
    bent.reverses = True
    desk.yes(accounts[0], contact)
    change_everything(desk, accounts, 1)
    for _ in EVERYTHING:
        drain_once(desk.ctx, flush=True)
        held, wanted = desk.held(), desk.wanted()
        assert not known or all(held[each] == wanted[each] for each in wanted if desk.row(*each).state == "sent")
    bent.reverses = False
    desk.undo(accounts[0])
    desk.yes(accounts[1], contact)
    desk.send()
    change_everything(desk, accounts, 2)
    desk.send()
    assert desk.held() == desk.wanted()
    assert {desk.row(CASE, case_id_of(each)).error_code for each in accounts} == {None}


def test_reading_bears_record_ids_that_were_mixed_up(desk: CrmDesk) -> None:
    accounts = [desk.account("ada"), desk.account("ben")]
    bent = between(desk)
    bent.reverses = True
    for _ in EVERYTHING:
        drain_once(desk.ctx, flush=True)
    bent.reverses = False
    desk.sync()
    change_everything(desk, accounts, 1)
    desk.send()
    assert desk.held() == desk.wanted()


def change_everything(desk: CrmDesk, accounts: Sequence[str], number: int) -> None:
    for each in accounts:
        desk.change_profile(each, display_name=f"Name {number}")
        desk.change_case(case_id_of(each), inbound_touches=number)
        desk.change_interaction(said_id_of(each), text=f"words {number}")


def test_a_row_whose_contact_is_taken_back_at_that_moment_is_not_set_aside(
    desk: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sets rows aside looks first whether they take a contact back; a withdrawal may come right after that."""
    contact, account = desk.person(), desk.account("ada")
    desk.sync()
    desk.yes(account, contact)
    desk.send()
    desk.change_case(case_id_of(account), inbound_touches=7)
    look = operate._taking_back
    with ThreadPoolExecutor(1) as pool:
        withdrawing: list[Future[object]] = []

        def looks(*about: Any) -> Any:
            found = look(*about)
            withdrawing.append(pool.submit(desk.undo, account))
            while not (withdrawing[0].done() or _somebody_waits(desk)):
                sleep(0.01)
            return found

        monkeypatch.setattr(operate, "_taking_back", looks)
        dropped = drop_outbox(desk.ctx, [desk.row(CASE, case_id_of(account)).id], "usr_1")
        withdrawing[0].result(30)
    assert dropped == 1
    desk.send()
    assert desk.contacts_in_org() == {None}
    assert desk.held() == desk.wanted()


def _somebody_waits(desk: CrmDesk) -> bool:
    if desk.store.is_sqlite:
        return True  # whoever writes waits for his turn there
    with desk.store.read() as connection:
        return bool(connection.execute(text(WAITS_FOR_A_LOCK)).scalar_one())
