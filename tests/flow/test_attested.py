"""What senders tell beside a message: what a network attests rules the suggestions, other things are hints."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from connector.domain.events import Event, to_millis
from connector.domain.identifiers import CROWDED_AT
from connector.domain.matching import Candidate
from connector.flows.applying import apply_events
from connector.flows.board import Arrival
from connector.flows.contact_index import reindex
from connector.flows.context import Context
from connector.flows.suggest import suggest
from connector.flows.sync import fields_read
from connector.flows.sync.contacts import look_up_contacts
from connector.store.tables import crm_contacts, interactions, links, metadata, social_profiles
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.flow.crm_desk import CrmDesk
from tests.flow.ingesting import DESK, NOON, apply, fixtures, make_context, rows
from tests.web.seed import MARA, TOMAS, Seed

PHONE, OLD_PHONE = "+46700000042", "+46700000077"
EMAIL = "mara@mail.example"
PROVEN = {
    "the account's owner shared their own phone number, and it is this contact's",
    "the account's e-mail address is confirmed, and it is this contact's",
}


@dataclass
class World:
    """A connector that took in what the fixtures hold, and the contacts beside it."""

    ctx: Context
    seed: Seed

    def takes_in(self, source: str, name: str, **extra: object) -> str:
        """The profile behind the fixture's one event; ``extra`` replaces what came along."""
        event = self.event(source, name, **extra)
        apply(self.ctx.store, event)
        (item,) = rows(self.ctx.store, interactions, item_id=event.item_id)
        return str(item["profile_id"])

    def is_told(self, source: str, name: str, **extra: object) -> str:
        """The profile that the fixture's one event tells about apart from any message."""
        event = self.event(source, name, **extra)
        apply(self.ctx.store, event)
        (profile,) = rows(self.ctx.store, social_profiles, external_id=event.customer_id or event.author.external_id)
        return str(profile["id"])

    def event(self, source: str, name: str, **extra: object) -> Event:
        """The fixture's one event."""
        fixture = next(each for each in fixtures() if (each.source, each.name) == (source, name))
        taken = self.ctx.sources[source]
        (event,) = taken.mapping.normalise(
            fixture.body, json.loads(fixture.headers), fixture.content_type, taken.account_ids
        ).events
        return replace(event, extra={**event.extra, **extra})

    def has_orders(self, contact: str, *numbers: str) -> None:
        """A contact whose orders the CRM knows by these numbers."""
        self.seed.contact(contact, "Ingrid", "Holm", order_refs=" ".join(numbers))
        with self.ctx.store.begin() as uow:
            reindex(uow, [contact])

    def asked(self, profile: str) -> list[Candidate]:
        return list(suggest(self.ctx, profile))

    def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """Every row of every table."""
        with self.ctx.store.read() as connection:
            return {
                table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
                for table in metadata.sorted_tables
            }


@pytest.fixture
def world(any_store: Store, clock: FakeClock) -> World:
    """A fresh world on either database."""
    ctx = make_context(any_store, clock)
    return World(ctx, Seed(ctx))


def who(found: list[Candidate]) -> list[str]:
    return [each.contact_id for each in found]


def is_proven(candidate: Candidate) -> bool:
    return any(reason.detail in PROVEN for reason in candidate.reasons)


def assert_only_asked_first(world: World, profile: str, contact: str) -> None:
    """The contact is proven and comes first, and asking changes nothing and links nobody."""
    before = world.everything()
    first = world.asked(profile)[0]
    assert first.contact_id == contact
    assert is_proven(first)
    assert world.everything() == before
    assert rows(world.ctx.store, links) == []


def test_who_shares_the_own_number_in_telegram_is_asked_about_first_and_asking_changes_nothing(world: World) -> None:
    world.seed.contact(TOMAS, "Mara", "Lindqvist", city="Malmö")  # bears the very name that the account shows
    world.seed.contact(MARA, "Ingrid", "Holm", phone=PHONE)
    profile = world.takes_in("telegram", "message__own_number_shared")
    assert_only_asked_first(world, profile, MARA)


def test_a_verified_contact_of_chatwoot_is_the_one_with_the_address(world: World) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", email="Mara@Mail.example")
    found = world.asked(world.takes_in("chatwoot", "message_created__new"))
    assert who(found) == [MARA]
    assert is_proven(found[0])


def test_a_contact_of_chatwoot_that_nobody_verified_is_a_hint_as_if_written(world: World) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", email=EMAIL)
    found = world.asked(world.takes_in("chatwoot", "message_created__new", verified_contact=False))
    assert who(found) == [MARA]
    assert not is_proven(found[0])
    assert "email" in {reason.kind for reason in found[0].reasons}


def test_a_number_that_the_network_tells_of_is_a_hint(world: World) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", phone=PHONE)
    found = world.asked(world.takes_in("whatsapp", "message_text__new"))
    assert MARA in who(found)
    assert not is_proven(found[0])


def test_two_contacts_with_the_proven_number_are_both_proven(world: World) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", phone=PHONE)
    world.seed.contact(TOMAS, "Gustav", "Berg", phone=PHONE)
    found = world.asked(world.takes_in("telegram", "message__own_number_shared"))
    assert sorted(who(found)) == sorted([MARA, TOMAS])
    assert all(map(is_proven, found))


def test_of_two_shared_numbers_the_later_is_the_proof(world: World) -> None:
    world.seed.contact(TOMAS, "Gustav", "Berg", phone=OLD_PHONE)
    world.seed.contact(MARA, "Ingrid", "Holm", phone=PHONE)
    profile = world.takes_in("telegram", "message__own_number_shared")
    (item,) = rows(world.ctx.store, interactions)
    earlier = {**item, "id": "earlier", "item_id": "earlier", "occurred_at": item["occurred_at"] - 1}
    world.seed.insert("interactions", **{**earlier, "extra": f'{{"own_phone": "{OLD_PHONE}"}}'})
    found = world.asked(profile)
    assert [each.contact_id for each in found if is_proven(each)] == [MARA]
    assert found[0].contact_id == MARA


def test_a_number_that_a_crowd_shares_proves_nobody(world: World) -> None:
    for at in range(CROWDED_AT + 1):
        world.seed.contact(f"003crowd{at:010}", "Ingrid", f"Holm{at}", phone=PHONE)
    assert world.asked(world.takes_in("telegram", "message__own_number_shared")) == []


@pytest.mark.parametrize("junk", ["+46000000000", "+1", "none", "", None, 46, ["+46700000042"]])
def test_what_is_no_number_proves_nobody(world: World, junk: object) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", phone=PHONE)
    assert world.asked(world.takes_in("telegram", "message__own_number_shared", own_phone=junk)) == []


@pytest.mark.parametrize("junk", ["test@mail.example", "info@mail.example", "mara@", {"mara": 1}])
def test_a_desks_address_proves_nobody(world: World, junk: object) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", email=EMAIL)
    told = {"verified_contact": True, "email": junk, "phone": None}
    assert world.asked(world.takes_in("chatwoot", "message_created__new", **told)) == []


def test_a_deleted_contact_is_not_proven(world: World) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", phone=PHONE)
    profile = world.takes_in("telegram", "message__own_number_shared")
    with world.ctx.store.begin() as uow:
        uow.connection.execute(update(crm_contacts).values(is_deleted=True))
    assert world.asked(profile) == []


def test_a_proof_is_gone_with_the_message_it_came_with(world: World) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", phone=PHONE)
    profile = world.takes_in("telegram", "message__own_number_shared")
    with world.ctx.store.begin() as uow:
        uow.connection.execute(update(interactions).values(state="deleted"))
    assert world.asked(profile) == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("discourse", "user_confirmed_email__profile"),
        ("discourse", "user_updated__profile"),  # the forum's own login vouches for it
        ("hootsuite", "conversation_updated__confirmed_email"),
        ("social_case", "contact_updated__verified"),
    ],
)
def test_an_address_that_is_told_as_confirmed_apart_from_a_message_is_a_proof(
    world: World, source: str, name: str
) -> None:
    world.seed.contact(TOMAS, "Mara", "Lindqvist", city="Malmö")  # bears the very name that the account shows
    world.seed.contact(MARA, "Ingrid", "Holm", email=EMAIL)
    profile = world.is_told(source, name)
    assert_only_asked_first(world, profile, MARA)


@pytest.mark.parametrize(
    ("source", "name", "address"),
    [
        ("discourse", "user_created__typed_address", EMAIL),
        ("intercom", "contact_email_updated__profile", "mara@post.example"),
        ("social_case", "contact_updated__profile", EMAIL),
    ],
)
def test_an_address_that_nobody_checked_is_a_hint(world: World, source: str, name: str, address: str) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", email=address)
    found = world.asked(world.is_told(source, name))
    assert MARA in who(found)
    assert not any(map(is_proven, found))


def test_what_was_told_apart_from_messages_is_gone_when_the_account_asks_to_be_forgotten(world: World) -> None:
    world.seed.contact(MARA, "Ingrid", "Holm", email=EMAIL)
    told = replace(world.event("discourse", "user_updated__profile"), occurred_at=NOON)
    gone = replace(world.event("discourse", "user_destroyed__gone"), occurred_at=NOON + timedelta(hours=1))
    gone = replace(gone, scope=told.scope, author=told.author, customer_id=told.customer_id)
    apply(world.ctx.store, told)
    (profile,) = rows(world.ctx.store, social_profiles)
    assert who(world.asked(profile["id"])) == [MARA]
    apply(world.ctx.store, gone)
    assert world.asked(profile["id"]) == []
    late = replace(told, occurred_at=NOON + timedelta(minutes=30), extra={**told.extra, "phone": PHONE})
    apply(world.ctx.store, late)
    assert world.asked(profile["id"]) == []
    assert EMAIL not in repr(rows(world.ctx.store, social_profiles))


def test_a_sender_whose_clock_is_years_ahead_has_not_the_last_word_for_years(world: World) -> None:
    """What it tells or takes back counts as told when it came; what comes later is newer."""
    world.seed.contact(MARA, "Ingrid", "Holm", email=EMAIL)
    told = world.event("discourse", "user_updated__profile")
    gone = world.event("discourse", "user_destroyed__gone")
    gone = replace(gone, scope=told.scope, author=told.author, customer_id=told.customer_id)
    years = timedelta(days=40 * 365)
    wrong = replace(told, extra={**told.extra, "email": "old@mail.example", "confirmed_email": "old@mail.example"})
    for hour, (event, ahead) in enumerate(((wrong, years), (gone, years), (told, timedelta()))):
        came = NOON + timedelta(hours=hour)
        dated = replace(event, occurred_at=came + ahead)
        with world.ctx.store.begin() as uow:
            apply_events(uow, DESK, [Arrival(dated, None, "$", "discourse", to_millis(came))])
    (profile,) = rows(world.ctx.store, social_profiles)
    assert who(world.asked(profile["id"])) == [MARA]


@pytest.mark.parametrize(
    "words", ["Where is bm-2026-10042?", "bm202610042 never came", "Order (BM-2026-10042), please!"]
)
def test_an_order_number_in_a_message_leads_to_the_contact_with_that_order(world: World, words: str) -> None:
    world.has_orders(MARA, "BM-2026-10042", "BM-2026-10077")
    profile = world.seed.profile("blue_heron_77")
    world.seed.say(None, words, ago={"hours": 1}, profile_id=profile)
    found = world.asked(profile)
    assert who(found) == [MARA]
    assert "order" in {reason.kind for reason in found[0].reasons}


def test_an_order_number_is_found_among_many_other_numbers(world: World) -> None:
    world.has_orders(MARA, "ZZ-99887")
    profile = world.seed.profile("blue_heron_77")
    many = " ".join(f"AA-{number}" for number in range(10000, 10030))
    world.seed.say(None, f"{many} ZZ-99887", ago={"hours": 1}, profile_id=profile)
    assert who(world.asked(profile)) == [MARA]


@pytest.mark.parametrize("words", ["Is it BM-2026?", "99887", "BM-2026-100421", "BM 2026 10042", "It costs 9988"])
def test_what_is_not_the_whole_number_of_an_order_leads_to_nobody(world: World, words: str) -> None:
    world.has_orders(MARA, "BM-2026-10042", "9988", "BM-202")
    profile = world.seed.profile("blue_heron_77")
    world.seed.say(None, words, ago={"hours": 1}, profile_id=profile)
    assert world.asked(profile) == []


def test_a_reviews_order_number_leads_to_the_contact_with_that_order(world: World) -> None:
    (review,) = (
        each for each in fixtures() if each.name == "service_review_created__new" and each.source == "trustpilot"
    )
    reference = review.expected["events"][0]["extra"]["reference_id"]
    world.has_orders(MARA, reference)
    found = world.asked(world.takes_in("trustpilot", "service_review_created__new"))
    assert who(found) == [MARA]
    assert "order" in {reason.kind for reason in found[0].reasons}


def test_the_fields_named_in_the_mapping_are_read_from_the_crm_as_orders(crm: CrmDesk) -> None:
    ordered = crm.person(LastName="Holm", Department="BM-2026-10042; BM-2026-10077,BM-2026-10042")
    other = crm.person(LastName="Berg")
    crm.sync()
    assert crm.contact_row(ordered).order_refs is None
    assert crm.ctx.crm_mapping is not None
    mapping = replace(crm.ctx.crm_mapping, order_fields=("Department",))
    assert "Department" in fields_read(mapping)["Contact"].fields
    crm.ctx = replace(crm.ctx, crm_mapping=mapping)
    crm.sync(full=True)
    assert crm.contact_row(ordered).order_refs == "BM-2026-10042 BM-2026-10077"
    assert crm.contact_row(other).order_refs is None
    seed = Seed(crm.ctx)
    profile = seed.profile("blue_heron_77")
    seed.say(None, "Where is BM-2026-10077?", ago={"hours": 1}, profile_id=profile)
    assert who(list(suggest(crm.ctx, profile))) == [ordered]
    assert crm.org is not None
    crm.org.change("Contact", ordered, Department="BM-2026-20000")
    assert look_up_contacts(crm.ctx, crm.org.gateway, [ordered]) == 1
    assert crm.contact_row(ordered).order_refs == "BM-2026-20000"
    assert suggest(crm.ctx, profile) == ()
