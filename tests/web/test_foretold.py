"""What a yes will move, on the page where it is recorded and over the API: told before, written by nobody."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from connector.domain.consent import Answer
from connector.store.tables import cases, metadata
from tests.web.conftest import Site
from tests.web.seed import MARA, TOMAS, Seed, small_world
from tests.web.test_pages import words

PURPOSES = "purposes=service"


def rows(site: Site) -> dict[str, list[str]]:
    """Every row of every table but the people who are signed in."""
    with site.ctx.store.read() as connection:
        tables = [table for table in metadata.sorted_tables if table.name not in ("users", "api_keys", "audit")]
        return {table.name: sorted(map(repr, connection.execute(select(table)))) for table in tables}


def asked(site: Site, profile: str, contact: str = TOMAS, more: str = "") -> str:
    """What the page says; not a row is different after it."""
    before = rows(site)
    page = site.as_user("agent").get(f"/profiles/{profile}/ask?contact={contact}{more}")
    assert page.status_code == 200
    assert rows(site) == before
    return words(page)


def test_the_page_tells_what_a_yes_moves_before_it_is_recorded(site: Site, seed: Seed) -> None:
    """How much, where to, from when to when, by which channel; what the CRM gets, and what stays."""
    ids = small_world(seed)
    seed.say(
        ids["asked"], "And now by message", ago={"hours": 2}, channel="messaging", profile_id=ids["unknown"],
        visibility="private",
    )  # fmt: skip
    told = asked(site, ids["unknown"])
    for sentence in (
        "If the customer says yes 1 case and 2 interactions of this account are shown in the history of Tomás Quispe",
        "Messaging: 1 interaction on Mon 2 Feb 2026",
        "Social: 1 case, 1 interaction on Sun 1 Feb 2026",
        "the record of the account: the contact, link status, how it was linked, when it was linked",
        "1 case: the contact, number of the link",
        "2 interactions: the contact",
        "each case's status, owner, priority and subject",
        "After No or Not now nothing moves.",
    ):
        assert sentence in told


def test_a_case_whose_contact_somebody_chose_keeps_it(site: Site, seed: Seed) -> None:
    """The CRM's own word is never overwritten, and the page says so."""
    ids = small_world(seed)
    with site.ctx.store.begin() as uow:
        uow.connection.execute(update(cases).where(cases.c.id == ids["asked"]).values(crm_contact_id=MARA))
    told = asked(site, ids["unknown"])
    assert "1 case keeps the contact that somebody chose in the CRM." in told
    assert "number of the link" not in told


def test_a_yes_that_moves_nothing_says_why(site: Site, seed: Seed) -> None:
    """Already linked, linked with somebody else, or not to be asked again yet."""
    ids = small_world(seed)
    assert "It is shown there already" in asked(site, ids["linked"], MARA)
    assert "After a second yes it is shown on neither" in asked(site, ids["linked"])
    seed.yes(ids["unknown"], TOMAS, Answer.NO)
    told = asked(site, ids["unknown"])
    assert "An answer is refused until Sun 3 May 2026." in told
    assert "In the CRM this is written" not in told


def test_where_an_answer_would_be_refused_nobody_is_led_to_ask(site: Site, seed: Seed) -> None:
    """Neither the words to say nor a form to fill in for nothing; of several purposes the others may be asked."""
    ids = small_world(seed)
    seed.yes(ids["unknown"], TOMAS, Answer.NO)
    told = asked(site, ids["unknown"])
    assert "Do not ask now." in told
    assert "Say or send exactly this" not in told
    assert "What did the customer say?" not in told
    assert "What did the customer say?" in asked(site, ids["unknown"], more="&more=1")


def test_with_several_purposes_the_page_names_the_one_that_moves(site: Site, seed: Seed) -> None:
    """Offers and statistics move nothing."""
    ids = small_world(seed)
    told = asked(site, ids["unknown"], more="&more=1")
    assert "If the customer says yes to “See your messages here together with your calls and e-mails" in told


def test_of_a_handle_that_nobody_wrote_from_nothing_moves_yet(site: Site, seed: Seed) -> None:
    """What comes later does."""
    small_world(seed)
    before = rows(site)
    page = site.as_user("agent").get(f"/contacts/{TOMAS}/ask?network=instagram&handle=tquispe_pe")
    assert "Nothing moves yet, for there is nothing of this account." in words(page)
    assert rows(site) == before


def test_a_program_hears_the_same_in_figures(site: Site, seed: Seed) -> None:
    """With the CRM's own names for the fields."""
    ids = small_world(seed)
    before = rows(site)
    answer = site.api("GET", f"/consent/preview?account={ids['unknown']}&contact={TOMAS}&{PURPOSES}", role="agent")
    assert rows(site) == before
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json
    assert (found["cases"], found["interactions"], found["standstill"]) == (1, 1, None)
    assert found["first_at"] == "2026-02-01T06:00:00.000Z"
    assert found["shares"][0]["channel"] == "social"
    assert [(each["object"], each["records"], each["contact_field"], each["fields"]) for each in found["writes"]] == [
        (
            "Social_Profile__c", 1, "Contact__c",
            {"link_status": "Link_Status__c", "link_method": "Link_Method__c", "linked_at": "Linked_At__c"},
        ),
        ("Case", 1, "ContactId", {"link_ref": "Social_Link_Ref__c"}),
        ("Channel_Interaction__c", 1, "Contact__c", {}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("contact=003aa0000000099AAA&account={unknown}", "contact_not_found"),
        ("contact=" + TOMAS + "&account=none", "not_found"),
        ("contact=" + TOMAS, "input_invalid"),
        ("account={unknown}", "input_invalid"),
        ("contact=" + TOMAS + "&account={unknown}&purposes=cake", "input_invalid"),
        ("contact=" + TOMAS + "&network=x&handle=two+words", "handle_invalid"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_is_wrong(site: Site, seed: Seed, query: str, code: str) -> None:
    """With the codes of recording."""
    ids = small_world(seed)
    assert site.api("GET", f"/consent/preview?{query.format(**ids)}").json["code"] == code


def test_two_accounts_without_a_name_can_be_told_apart(site: Site, seed: Seed) -> None:
    """By the end of the id, and by the network's word where that does not stand beside it."""
    small_world(seed)
    for number in ("2201234567334821", "2201234567339907"):
        seed.insert(
            "social_profiles", id=number, network="messenger", external_id=number, first_seen_at=1, last_seen_at=1
        )
    told = words(site.as_user("agent").get("/people?network=messenger"))
    assert "Account …334821" in told
    assert "Account …339907" in told
    assert "Messenger account" not in told
    seed.yes("2201234567334821", TOMAS)
    contact = words(site.as_user("agent").get(f"/contacts/{TOMAS}"))
    assert "Linked Messenger account …334821, by phone" in contact
    assert "Account …334821 on Messenger" in contact
    assert "Account …334821 on Messenger" in words(site.as_user("agent").get("/profiles/2201234567334821"))


def test_only_those_who_record_may_ask(site: Site, seed: Seed) -> None:
    """A reporter may not look through accounts by it."""
    ids = small_world(seed)
    path = f"/consent/preview?account={ids['unknown']}&contact={TOMAS}"
    assert site.api("GET", path, role="reporter").status_code == 403
