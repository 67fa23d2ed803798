"""The card "Who is this?" in the states of consent: what it says is true, and what it offers can be done."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from connector.domain.consent import Actor, ActorKind, Answer, HoldReason
from connector.flows.consent.holding import hold
from connector.store.tables import links
from tests.conftest import FakeClock
from tests.web.conftest import Site
from tests.web.seed import MARA, TOMAS, Seed
from tests.web.test_pages import words


@pytest.fixture
def mara(seed: Seed) -> str:
    """An account that can only be Mara's."""
    seed.contact(MARA, "Mara", "Lindqvist", email="mara.lindqvist@fjordpost.no", city="Oslo", country="NO")
    seed.contact(TOMAS, "Tomás", "Quispe", email="tquispe@andenet.pe", city="Arequipa", country="PE")
    return seed.profile("mara_lindqvist", display_name="Mara Lindqvist")


def page(site: Site, profile_id: str) -> str:
    """The account's page as an agent gets it."""
    return site.as_user("agent").get(f"/profiles/{profile_id}").text


def asks(site: Site, profile_id: str) -> int:
    """How many questions the card offers."""
    return page(site, profile_id).count(f"/profiles/{profile_id}/ask?")


def test_who_said_not_now_is_not_offered_to_be_asked_again(site: Site, seed: Seed, mara: str, clock: FakeClock) -> None:
    """The card says what was answered and until when it rests, beside the suggestion itself; then it asks again."""
    assert asks(site, mara) == 1
    seed.yes(mara, MARA, Answer.NOT_NOW)
    shown = words(site.as_user("agent").get(f"/profiles/{mara}"))
    assert "The customer said not now." in shown
    assert "nobody asks again before Mon 16 Feb 2026" in shown
    assert "Asked: not now." in shown
    assert asks(site, mara) == 0
    clock.move(days=15)
    assert asks(site, mara) == 1


def test_two_contacts_of_one_account_are_told_apart_by_unlinking(site: Site, seed: Seed, mara: str) -> None:
    """Neither is shown, nobody is guessed, and each of the two links can be undone from here."""
    seed.yes(mara, MARA)
    seed.yes(mara, TOMAS)
    shown = page(site, mara)
    assert "Two contacts are linked with this account" in shown
    assert "not linked" not in shown
    assert "plausible guess" not in shown
    assert "Mara" not in shown.replace("Mara Lindqvist</bdi></dd>", "").replace("mara_lindqvist", "")
    with site.ctx.store.read() as connection:
        both = connection.execute(select(links.c.id)).scalars().all()
    assert [f"/links/{each}/end" in shown for each in both] == [True, True]


def test_a_consent_that_ran_out_leads_to_a_new_question(site: Site, seed: Seed, mara: str, clock: FakeClock) -> None:
    """Its contact is no suggestion, for the link is still there: the card leads to the question itself."""
    seed.yes(mara, MARA)
    clock.move(days=3 * 365)
    shown = page(site, mara)
    assert "The consent ran out." in shown
    assert f"/profiles/{mara}/ask?contact={MARA}" in shown
    assert "plausible guess" not in shown


@pytest.mark.parametrize("reason", list(HoldReason))
def test_every_hold_says_why_and_what_ends_it(site: Site, seed: Seed, mara: str, reason: HoldReason) -> None:
    """In words, and never in a code's."""
    seed.yes(mara, MARA)
    with site.ctx.store.read() as connection:
        link = connection.execute(select(links.c.id)).scalar_one()
    hold(site.ctx, link, reason, Actor(ActorKind.SYSTEM, "system"))
    shown = words(site.as_user("agent").get(f"/profiles/{mara}"))
    said = shown.partition("Why, and until when?")[2].partition("Unlink")[0]
    assert ", since just now ." in said
    assert len(said.partition("since just now .")[2].strip()) > 20
    assert reason.value not in said
