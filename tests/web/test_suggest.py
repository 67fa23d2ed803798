"""Suggestions of the service: whom to ask about, from what the store knows; asking changes nothing."""

from __future__ import annotations

from dataclasses import replace
from math import log

import pytest
from sqlalchemy import select, update

from connector.domain.consent import Actor, ActorKind, Answer
from connector.errors import NotFound
from connector.flows.consent import WithdrawConsent, withdraw
from connector.flows.suggest import reject, suggest
from connector.store.tables import interactions, metadata
from connector.web.suggesting import guesses
from tests.web.conftest import Site
from tests.web.seed import MARA, TOMAS, Seed, small_world


def everything(site: Site) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table."""
    with site.ctx.store.read() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
        }


def who(site: Site, profile: str) -> list[str]:
    return [each.contact_id for each in suggest(site.ctx, profile)]


def test_asking_changes_no_row_of_any_table(site: Site, seed: Seed) -> None:
    small_world(seed)
    profiles = [str(row[0]) for row in everything(site)["social_profiles"]]
    before = everything(site)
    shown = [candidate for profile in profiles for candidate in suggest(site.ctx, profile)]
    assert shown
    assert everything(site) == before


def test_an_account_whose_handle_holds_a_contacts_name_leads_to_that_contact(site: Site, seed: Seed) -> None:
    seed.contact(TOMAS, "Tomás", "Quispe", city="Arequipa", country="PE")
    assert who(site, seed.profile("tomas_quispe", location="Arequipa")) == [TOMAS]


def test_a_contact_that_is_there_twice_is_one_candidate_whose_weights_add_up(site: Site, seed: Seed) -> None:
    seed.contact(TOMAS, "Tomás", "Quispe", city="Arequipa", country="PE", email="t.quispe@andes.pe")
    seed.contact(MARA, "Tomás", "Quispe", city="Arequipa", country="PE", email="t.quispe@andes.pe")
    profile = seed.profile("tomas_quispe", location="Arequipa")
    (found,) = site.api("GET", f"/profiles/{profile}/suggestions", role="agent").json["candidates"]
    assert sorted([found["contact_id"], *found["duplicates"]]) == sorted([TOMAS, MARA])
    logit = log(found["score"] / (1 - found["score"]))
    assert sum(reason["weight"] for reason in found["reasons"]) == pytest.approx(logit, abs=1e-6)
    reject(site.ctx, profile, MARA, "user:1")
    assert site.api("GET", f"/profiles/{profile}/suggestions", role="agent").json["candidates"] == []


def test_what_the_customer_wrote_is_a_hint(site: Site, seed: Seed) -> None:
    seed.contact(MARA, "Mara", "Lindqvist", email="mara.lindqvist@fjordpost.no", country="NO")
    profile = seed.profile("blue_heron_77")
    assert who(site, profile) == []
    seed.say(
        seed.case(profile, opened={"hours": 1}), "My address is mara.lindqvist@fjordpost.no", ago={"hours": 1},
        profile_id=profile,
    )  # fmt: skip
    assert who(site, profile) == [MARA]


def test_the_share_of_writers_who_are_customers_is_counted_and_no_reason_of_one_candidate(
    site: Site, seed: Seed
) -> None:
    seed.contact(TOMAS, "Tomás", "Quispe", city="Arequipa", country="PE")
    profile = seed.profile("tomas_quispe")
    (plain,) = suggest(site.ctx, profile)
    many = replace(site.ctx, known_share=0.95)
    (surer,) = suggest(many, profile)
    assert surer.score > plain.score
    with site.ctx.store.read() as connection:
        (guess,) = guesses(many, connection, profile)
    assert guess.reasons
    assert not any("your writers" in reason for reason in guess.reasons)


def test_a_hint_is_gone_with_the_message_it_stood_in(site: Site, seed: Seed) -> None:
    seed.contact(MARA, "Mara", "Lindqvist", email="mara.lindqvist@fjordpost.no", country="NO")
    profile = seed.profile("blue_heron_77")
    case = seed.case(profile, opened={"hours": 1})
    seed.say(case, "My address is mara.lindqvist@fjordpost.no", ago={"hours": 1}, profile_id=profile)
    assert who(site, profile) == [MARA]
    with site.ctx.store.begin() as uow:
        uow.connection.execute(update(interactions).values(state="deleted", text=None))
    assert who(site, profile) == []


def test_the_address_of_an_e_mail_account_counts(site: Site, seed: Seed) -> None:
    seed.contact(MARA, "Mara", "Lindqvist", email="mara.lindqvist@fjordpost.no", country="NO")
    address = "mara.lindqvist@fjordpost.no"
    assert who(site, seed.profile(address, network="email")) == [MARA]


def test_not_this_one_is_remembered(site: Site, seed: Seed) -> None:
    seed.contact(TOMAS, "Tomás", "Quispe", city="Arequipa", country="PE")
    profile = seed.profile("tomas_quispe", location="Arequipa")
    reject(site.ctx, profile, TOMAS, "user:1")
    reject(site.ctx, profile, TOMAS, "user:1")
    assert who(site, profile) == []


def test_a_contact_that_said_no_is_not_suggested_again(site: Site, seed: Seed) -> None:
    seed.contact(TOMAS, "Tomás", "Quispe", city="Arequipa", country="PE")
    profile = seed.profile("tomas_quispe", location="Arequipa")
    seed.yes(profile, TOMAS, Answer.NO)
    assert who(site, profile) == []


def test_a_deleted_contact_is_nobody(site: Site, seed: Seed) -> None:
    seed.contact(TOMAS, "Tomás", "Quispe", city="Arequipa", country="PE", is_deleted=True)
    assert who(site, seed.profile("tomas_quispe", location="Arequipa")) == []


def test_a_brands_own_account_is_nobody(site: Site, seed: Seed) -> None:
    seed.contact(TOMAS, "Tomás", "Quispe", city="Arequipa", country="PE")
    assert who(site, seed.profile("tomas_quispe", location="Arequipa", kind="brand")) == []


def test_a_confirmed_handle_speaks_on_another_network_until_it_is_withdrawn(site: Site, seed: Seed) -> None:
    seed.contact(MARA, "Mara", "Lindqvist", country="NO")
    seed.yes(seed.profile("blue_heron_77"), MARA)
    elsewhere = seed.profile("blue_heron_77", network="instagram")
    assert who(site, elsewhere) == [MARA]
    withdraw(site.ctx, WithdrawConsent(Actor(ActorKind.CUSTOMER, "customer"), contact_id=MARA))
    assert who(site, elsewhere) == []


@pytest.mark.parametrize("act", [suggest, lambda ctx, profile: reject(ctx, profile, TOMAS, "user:1")])
def test_an_unknown_profile_is_told_so(site: Site, act: object) -> None:
    assert callable(act)
    with pytest.raises(NotFound, match="no profile"):
        act(site.ctx, "nobody")
