"""Before a yes is recorded: what it would move, held against what it then does move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from connector.domain.consent import Assurance, HoldReason
from connector.domain.links import Permit
from connector.errors import ConnectorError, ContactNotFound, HandleInvalid, InputInvalid, NotFound
from connector.flows import consent
from connector.flows.consent import Preview, Standstill, preview
from connector.flows.projection import Ownership, project
from connector.store.tables import cases, crm_contacts, interactions, metadata, outbox, social_profiles
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.crm_org import CRM_MAPPING
from tests.flow.consenting import ADA, BEN, PRIVACY, Desk, desk_on

VIEW = "timeline.view"


@pytest.fixture
def desk(store: Store, clock: FakeClock) -> Desk:
    """A connector that knows the CRM's fields."""
    desk = desk_on(store, clock)
    desk.ctx = replace(desk.ctx, crm_mapping=CRM_MAPPING)
    return desk


def everything(store: Store) -> dict[str, list[Any]]:
    """Every row of every table."""
    with store.read() as connection:
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in metadata.sorted_tables}


def foretold(desk: Desk, account: str, contact: str = ADA, purposes: tuple[str, ...] | None = ("service",)) -> Preview:
    """The preview; not a row is different after it."""
    before = everything(desk.store)
    found = preview(desk.ctx, contact, profile_id=account, purposes=purposes)
    assert everything(desk.store) == before
    return found


def records(desk: Desk) -> dict[tuple[str, str], tuple[dict[str, Any], str | None]]:
    """Every record as the CRM would get it now, with the contact that the connector would write."""
    found = {}
    with desk.store.read() as connection:
        rows = connection.execute(select(outbox.c.object, outbox.c.external_key)).all()
        for kind, obj in CRM_MAPPING.objects.items():
            keys = [row.external_key for row in rows if row.object == obj.name]
            wanted = project(connection, CRM_MAPPING, desk.ctx.consent, obj, keys, desk.ctx.clock())
            for key, each in wanted.items():
                ours = each.contact if each.ownership is Ownership.OURS and not each.left_alone else None
                found[kind, key] = dict(each.base), ours
    return found


def busy_account(desk: Desk) -> str:
    """An account with cases of each sort: plain, deleted in the CRM, with a contact chosen there, with loose words."""
    account = desk.account("ada")
    desk.case(account, 1)
    gone, chosen = desk.case(account, 2), desk.case(account, 3)
    shared = {"origin": "connector", "channel": "messaging", "network": "x", "profile_id": account, "received_at": 0}
    rows: list[dict[str, Any]] = [
        {"id": "loose", "item_id": "a", "kind": "message", "occurred_at": 1_000, "case_id": None},
        {"id": "not yet come", "item_id": "b", "kind": None, "occurred_at": None, "case_id": chosen},
        {"id": "private", "item_id": "c", "kind": "message", "occurred_at": 2_000, "case_id": chosen},
    ]
    with desk.store.begin() as uow:
        uow.connection.execute(update(cases).where(cases.c.id == gone).values(is_deleted=True))
        uow.connection.execute(update(cases).where(cases.c.id == chosen).values(crm_contact_id=BEN))
        uow.connection.execute(insert(interactions), [{**shared, **row} for row in rows])
        uow.connection.execute(insert(crm_contacts).values(crm_id="other", last_name="O", modified_at=0, synced_at=0))
    return account


def test_what_is_foretold_is_what_then_happens(desk: Desk) -> None:
    """The records that name the contact, the fields that change, and the cases that keep theirs: to the last one."""
    account = busy_account(desk)
    desk.account("somebody else")
    told = foretold(desk, account)
    assert told.standstill is None
    assert [(each.channel, each.cases, each.interactions) for each in told.shares] == [
        ("messaging", 0, 2), ("social", 3, 3),
    ]  # fmt: skip
    assert told.first_at == 1_000
    assert told.purposes == ("service",)
    before = records(desk)
    assert {contact for _, contact in before.values()} == {None}
    desk.yes(account)
    after = records(desk)
    named: dict[str, int] = {}
    changed: dict[str, set[str]] = {}
    for (kind, key), (base, contact) in after.items():
        if contact is not None:
            assert contact == ADA
            named[kind] = named.get(kind, 0) + 1
        old = before.get((kind, key), (base, None))[0]
        changed.setdefault(kind, set()).update(name for name in base if base[name] != old.get(name))
    assert {each.kind: each.records for each in told.writes} == named
    assert {each.kind: set(each.fields.values()) for each in told.writes} == changed
    assert told.kept_by_crm == 1


def test_an_account_without_history_moves_only_itself(desk: Desk) -> None:
    """A handle that nobody wrote from yet has nothing at all."""
    told = preview(desk.ctx, ADA, network="x", handle="@not_seen")
    assert (told.profile_id, told.standstill, told.cases, told.interactions, told.writes) == (None, None, 0, 0, ())
    with desk.store.read() as connection:
        assert connection.execute(select(social_profiles.c.id)).all() == []


def test_a_handle_finds_the_account_that_wrote(desk: Desk) -> None:
    """As recording would."""
    account = desk.account("ada")
    assert preview(desk.ctx, ADA, network="twitter", handle="https://x.com/Ada").profile_id == account


Act = Callable[[Desk, str], Any]


def rest(desk: Desk, account: str) -> None:
    receipt = desk.yes(account)
    consent.hold(desk.ctx, receipt.first.link_id, HoldReason.DISPUTE, PRIVACY)


@pytest.mark.parametrize(
    ("before", "standstill"),
    [
        pytest.param(lambda desk, account: desk.yes(account), Standstill.ALREADY, id="said yes already"),
        pytest.param(lambda desk, account: desk.no(account), Standstill.COOLING_OFF, id="said no"),
        pytest.param(lambda desk, account: desk.yes(account, BEN), Standstill.AMBIGUOUS, id="somebody else said yes"),
        pytest.param(rest, Standstill.HOLD, id="rests"),
    ],
)
def test_a_yes_that_would_move_nothing_says_why(desk: Desk, before: Act, standstill: Standstill) -> None:
    """And foretells no write."""
    account = desk.account("ada")
    before(desk, account)
    told = foretold(desk, account)
    assert (told.standstill, told.writes) == (standstill, ())
    assert (told.until is not None) == (standstill is Standstill.COOLING_OFF)


def test_after_an_undo_a_new_yes_moves_everything_again(desk: Desk) -> None:
    """Nothing keeps the customer from changing their mind."""
    account = desk.account("ada")
    desk.yes(account)
    desk.undo(account)
    told = foretold(desk, account)
    assert told.standstill is None
    desk.yes(account)
    assert isinstance(desk.gate(account, VIEW), Permit)


def test_a_yes_to_something_else_moves_nothing(desk: Desk) -> None:
    """Neither does one that an agent's word is too weak for."""
    account = desk.account("ada")
    assert foretold(desk, account, purposes=("marketing",)).standstill is Standstill.NOT_ENOUGH
    service = replace(desk.ctx.consent.purposes["service"], minimum=Assurance(2, 2))
    strict = replace(desk.ctx.consent, purposes={**desk.ctx.consent.purposes, "service": service})
    desk.ctx = replace(desk.ctx, consent=strict)
    assert foretold(desk, account, purposes=None).standstill is Standstill.NOT_ENOUGH


@pytest.mark.parametrize(
    ("named", "contact", "error"),
    [
        ({"profile_id": "none"}, ADA, NotFound),
        ({"network": "x", "handle": "two words"}, ADA, HandleInvalid),
        ({}, ADA, InputInvalid),
        ({"network": "x", "handle": "ada"}, "003000000000009AAA", ContactNotFound),
        ({"network": "x", "handle": "ada", "purposes": ["cake"]}, ADA, InputInvalid),
        ({"network": "x", "handle": "ada", "purposes": []}, ADA, InputInvalid),
    ],
)
def test_what_could_not_be_recorded_cannot_be_foretold(
    desk: Desk, named: dict[str, Any], contact: str, error: type[ConnectorError]
) -> None:
    """With the same words."""
    with pytest.raises(error):
        preview(desk.ctx, contact, **named)
