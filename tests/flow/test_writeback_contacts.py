"""Whose the contact on a case is when calls, readings and people cross each other: what people chose stays, and what we
wrote is always known to be ours and can be taken back."""

from __future__ import annotations

import pytest

from connector.flows.writeback import drain_once
from connector.store.outbox import tried
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.crm_org import TestOrg
from tests.flow.crm_desk import CASE, Bent, CrmDesk, case_id_of, crm_desk


@pytest.fixture
def desk(any_store: Store, clock: FakeClock, org: TestOrg) -> CrmDesk:
    """A connector on either database."""
    return crm_desk(any_store, clock, org)


def choose(desk: CrmDesk, contact: str | None) -> None:
    """A person in the CRM puts this contact on the only case there."""
    assert desk.org is not None
    (case,) = desk.org.rows("SELECT Id FROM Case")
    desk.org.change("Case", case["Id"], ContactId=contact)


def shown(desk: CrmDesk, account: str) -> object:
    return desk.record(CASE, case_id_of(account))["ContactId"]


def calm(bent: Bent) -> None:
    bent.before = lambda _obj, _records: None
    bent.after = lambda _obj: None
    bent.lost = frozenset()


@pytest.mark.parametrize("later", ["withdraws", "stays"])
def test_what_a_person_chose_while_our_answer_was_on_its_way_stays(desk: CrmDesk, later: str) -> None:
    contact, chosen, account = desk.person(), desk.person(), desk.account("ada")
    desk.sync()
    desk.send()
    desk.yes(account, contact)
    bent = desk.bend()

    def chooses_and_is_read(obj: str) -> None:
        if obj == CASE:
            calm(bent)
            choose(desk, chosen)
            desk.sync()

    bent.after = chooses_and_is_read
    desk.send()
    assert shown(desk, account) == chosen
    if later == "withdraws":
        desk.undo(account)
        desk.send()
    desk.change_case(case_id_of(account), inbound_touches=7)
    desk.send()
    assert shown(desk, account) == chosen


def test_a_contact_that_we_wrote_over_a_persons_choice_unheard_is_taken_back(desk: CrmDesk) -> None:
    """Until a call says the contact again, what an unanswered one carried may be what the CRM holds."""
    contact, chosen, account = desk.person(), desk.person(), desk.account("ada")
    desk.sync()
    desk.send()
    desk.yes(account, contact)
    bent = desk.bend()

    def is_read_first(obj: str, _records: object) -> None:
        if obj == CASE:
            choose(desk, chosen)
            desk.sync()

    bent.before = is_read_first
    bent.lost = frozenset({CASE})
    while shown(desk, account) != contact:
        drain_once(desk.ctx, flush=True)
        desk.hurry()
    calm(bent)
    desk.send()
    desk.undo(account)
    desk.send()
    desk.sync()
    desk.send()
    assert shown(desk, account) is None
    assert desk.held() == desk.wanted()


def test_a_case_that_people_bring_back_loses_the_contact_whose_consent_ended_meanwhile(desk: CrmDesk) -> None:
    contact, account = desk.person(), desk.account("ada")
    assert desk.org is not None
    desk.sync()
    desk.yes(account, contact)
    desk.send()
    (case,) = desk.org.rows("SELECT Id FROM Case")
    desk.org.delete("Case", case["Id"])
    desk.sync()
    desk.undo(account)
    desk.send()
    desk.org.control("undelete", {"ids": [case["Id"]]})
    desk.sync()
    desk.send()
    assert shown(desk, account) is None
    assert desk.held() == desk.wanted()


def test_what_a_call_was_not_told_of_stays_possible_until_one_says_it(desk: CrmDesk) -> None:
    contact, chosen, account = desk.person(), desk.person(), desk.account("ada")
    case = case_id_of(account)
    desk.sync()
    desk.send()
    desk.yes(account, contact)
    bent = desk.bend()
    bent.lost = frozenset({CASE})
    drain_once(desk.ctx, flush=True)
    while not tried(desk.row(CASE, case).tried_contact_id):
        drain_once(desk.ctx, flush=True)
        desk.hurry()
    calm(bent)
    choose(desk, chosen)
    desk.sync()
    desk.send()
    assert desk.row(CASE, case).state == "sent"
    assert tried(desk.row(CASE, case).tried_contact_id) == {contact}
    choose(desk, None)
    desk.sync()
    desk.send()
    assert shown(desk, account) == contact
    assert desk.row(CASE, case).tried_contact_id is None
