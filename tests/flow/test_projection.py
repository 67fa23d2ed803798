"""What the CRM is told of a link in each of its states, without any CRM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import insert, update

from connector.domain.consent import HoldReason
from connector.flows import consent
from connector.flows.projection import Ownership, Wanted, project
from connector.store.outbox import NOBODY
from connector.store.tables import cases, crm_contacts, interactions, link_holds, links, outbox
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.crm_org import CRM_MAPPING
from tests.flow.consenting import ADA, BEN, PRIVACY, Desk, desk_on
from tests.flow.crm_desk import case_id_of, said_id_of


@pytest.fixture
def desk(store: Store, clock: FakeClock) -> Desk:
    return desk_on(store, clock)


def wanted(desk: Desk, kind: str, key: str) -> Wanted:
    with desk.store.read() as connection:
        obj = CRM_MAPPING.objects[kind]
        return project(connection, CRM_MAPPING, desk.ctx.consent, obj, [key], desk.ctx.clock())[key]


def hold(desk: Desk, account: str) -> None:
    desk.yes(account)
    (link,) = desk.links()
    with desk.store.begin() as uow:
        uow.connection.execute(insert(link_holds).values(link_id=link.id, reason="dispute", since_at=0, by="privacy:1"))


def put(desk: Desk, account: str, state: str) -> None:
    desk.yes(account)
    with desk.store.begin() as uow:
        uow.connection.execute(update(links).values(state=state))


Act = Callable[[Desk, str], Any]
STATES: dict[str, tuple[Act, str, str | None]] = {
    "nobody asked": (lambda _desk, _account: None, "Unlinked", None),
    "asked": (lambda desk, account: put(desk, account, "asked"), "Consent Requested", None),
    "not now": (lambda desk, account: put(desk, account, "deferred"), "Unlinked", None),
    "yes": (lambda desk, account: desk.yes(account), "Linked", ADA),
    "no": (lambda desk, account: desk.no(account), "Declined", None),
    "withdrawn": (lambda desk, account: (desk.yes(account), desk.undo(account)), "Withdrawn", None),
    "on hold": (hold, "On Hold", None),
    "revoked": (lambda desk, account: put(desk, account, "revoked"), "Unlinked", None),
    "not me": (lambda desk, account: put(desk, account, "invalidated"), "Unlinked", None),
    "two persons": (lambda desk, account: (desk.yes(account), desk.yes(account, BEN)), "On Hold", None),
}


@pytest.mark.parametrize("case", STATES)
def test_each_state_of_a_link_has_its_word_in_the_crm(desk: Desk, case: str) -> None:
    act, status, contact = STATES[case]
    account = desk.account("ada")
    act(desk, account)
    profile = wanted(desk, "profile", account)
    assert (profile.base["Link_Status__c"], profile.contact) == (status, contact)
    assert wanted(desk, "case", case_id_of(account)).contact == contact
    assert wanted(desk, "interaction", said_id_of(account)).contact == contact
    linked_at, method = profile.base["Linked_At__c"], profile.base["Link_Method__c"]
    assert (linked_at is not None, method is not None) == (contact is not None, contact is not None)


def test_a_grant_that_ran_out_shows_as_expired(desk: Desk, clock: FakeClock) -> None:
    account = desk.account("ada")
    desk.yes(account)
    clock.move(days=365 * 3)
    profile = wanted(desk, "profile", account)
    assert (profile.base["Link_Status__c"], profile.contact) == ("Expired", None)


@pytest.mark.parametrize(
    ("shown", "ours", "permitted", "owner"),
    [
        (None, None, False, Ownership.OURS),
        (None, None, True, Ownership.OURS),
        (ADA, ADA, True, Ownership.OURS),
        (ADA, ADA, False, Ownership.OURS),
        (BEN, ADA, True, Ownership.THEIRS),
        (BEN, None, False, Ownership.THEIRS),
        (None, ADA, True, Ownership.THEIRS),
        (ADA, None, True, Ownership.OURS),
    ],
)
def test_the_contact_on_a_case_belongs_to_whoever_wrote_it(
    desk: Desk, shown: str | None, ours: str | None, permitted: bool, owner: Ownership
) -> None:
    account = desk.account("ada")
    if permitted:
        desk.yes(account)
    with desk.store.begin() as uow:
        uow.connection.execute(update(cases).values(crm_contact_id=shown))
        uow.connection.execute(update(outbox).where(outbox.c.object == "Case").values(sent_contact_id=ours))
    case = wanted(desk, "case", case_id_of(account))
    assert case.ownership is owner
    assert (case.base["Social_Link_Ref__c"] is not None) == (permitted and owner is Ownership.OURS)


@pytest.mark.parametrize(
    ("shown", "sent", "tried", "owner"),
    [
        (ADA, None, ADA, Ownership.OURS),
        (ADA, None, None, Ownership.THEIRS),
        (ADA, None, f"{ADA} {BEN}", Ownership.OURS),
        (BEN, None, f"{ADA} {BEN}", Ownership.OURS),
        (ADA, BEN, NOBODY, Ownership.THEIRS),
        (None, BEN, NOBODY, Ownership.OURS),
        (None, BEN, f"{ADA} {NOBODY}", Ownership.OURS),
        (None, BEN, ADA, Ownership.THEIRS),
    ],
)
def test_what_the_crm_took_from_calls_without_an_answer_is_ours(
    desk: Desk, shown: str | None, sent: str | None, tried: str | None, owner: Ownership
) -> None:
    account = desk.account("ada")
    with desk.store.begin() as uow:
        uow.connection.execute(update(cases).values(crm_contact_id=shown))
        row = update(outbox).where(outbox.c.object == "Case")
        uow.connection.execute(row.values(tried_contact_id=tried, sent_contact_id=sent))
    assert wanted(desk, "case", case_id_of(account)).ownership is owner


@pytest.mark.parametrize(
    "bearing", [{"origin": "crm"}, {"origin": "connector"}, {"origin": "connector", "case_id": None}], ids=str
)
def test_a_contact_that_a_row_bears_is_never_named_instead_of_the_gates(desk: Desk, bearing: dict[str, Any]) -> None:
    """A call that people moved into a case of ours comes with the contact that the CRM had put on it."""
    account = desk.account("ada")
    with desk.store.begin() as uow:
        uow.connection.execute(update(cases).values(crm_contact_id=BEN))
        uow.connection.execute(update(interactions).values(crm_contact_id=BEN, **bearing))

    def named() -> set[str | None]:
        case, said = wanted(desk, "case", case_id_of(account)), wanted(desk, "interaction", said_id_of(account))
        return {wanted(desk, "profile", account).contact, case.contact, said.contact}

    assert named() == {None}
    link = desk.yes(account).first.link_id
    assert named() == {ADA}
    consent.hold(desk.ctx, link, HoldReason.DISPUTE, PRIVACY)
    assert named() == {None}
    desk.undo(account)
    assert named() == {None}


def test_a_contact_that_the_crm_has_deleted_is_named_on_no_call_of_its_own(desk: Desk) -> None:
    with desk.store.begin() as uow:
        call = {"id": "call", "origin": "crm", "channel": "phone", "network": "phone", "kind": "call"}
        uow.connection.execute(insert(interactions).values(**call, item_id="call", received_at=1, crm_contact_id=ADA))
    assert wanted(desk, "interaction", "call").contact == ADA
    with desk.store.begin() as uow:
        uow.connection.execute(update(crm_contacts).where(crm_contacts.c.crm_id == ADA).values(is_deleted=True))
    assert wanted(desk, "interaction", "call").contact is None


def test_a_case_deleted_in_the_crm_is_left_alone_and_named_no_more(desk: Desk) -> None:
    account = desk.account("ada")
    with desk.store.begin() as uow:
        uow.connection.execute(update(cases).values(is_deleted=True))
    assert wanted(desk, "case", case_id_of(account)).left_alone
    assert "Case__r" not in wanted(desk, "interaction", said_id_of(account)).base


def test_the_digest_tells_content_not_contact(desk: Desk) -> None:
    account = desk.account("ada")
    before = wanted(desk, "interaction", said_id_of(account))
    desk.yes(account)
    after = wanted(desk, "interaction", said_id_of(account))
    assert after.contact == ADA
    assert after.digest == before.digest
