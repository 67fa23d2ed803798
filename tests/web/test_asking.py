"""On a call: from a contact and a spoken handle, or a pasted profile address, to a recorded answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from connector.store.tables import links, social_profiles
from tests.web.conftest import Site
from tests.web.seed import MARA, TOMAS, Seed, small_world
from tests.web.test_pages import words

ASK = f"/contacts/{TOMAS}/ask"


def ask(site: Site, **query: str) -> Any:
    """The page for what was typed."""
    return site.as_user("agent").get(ASK, query_string=query)


@pytest.mark.parametrize(
    ("typed", "network", "shown"),
    [
        ("@tquispe_pe", "instagram", "@tquispe_pe on Instagram"),
        ("https://www.instagram.com/tquispe_pe/", "x", "@tquispe_pe on Instagram"),
        ("https://x.com/tquispe_pe/status/17", "facebook", "@tquispe_pe on X"),
        ("https://twitter.com/tquispe_pe", "facebook", "@tquispe_pe on X"),
        ("t.me/tquispe_pe", "x", "@tquispe_pe on Telegram"),
        ("https://bsky.app/profile/tquispe.example", "x", "@tquispe.example on Bluesky"),
        ("https://m.facebook.com/tomas.quispe.7", "x", "@tomas.quispe.7 on Facebook"),
        ("https://peru.social/@tquispe", "mastodon", "tquispe@peru.social on Mastodon"),
    ],
)
def test_a_handle_or_a_pasted_address_names_the_account(
    site: Site, seed: Seed, typed: str, network: str, shown: str
) -> None:
    """An address names its network by itself; the chosen one holds for a handle, and for hosts that nobody knows."""
    small_world(seed)
    page = ask(site, handle=typed, network=network)
    assert shown in words(page)
    assert "May I note your name there with your Fjordpost record?" in page.text
    with site.ctx.store.read() as connection:
        assert connection.execute(select(links.c.id).where(links.c.contact_id == TOMAS)).all() == []


@pytest.mark.parametrize(
    ("typed", "network"),
    [
        ("two words", "x"),
        ("https://facebook.com/profile.php?id=100", "x"),
        ("tquispe", "nowhere"),
        ("https://x.com/", "x"),
    ],
)
def test_what_cannot_be_a_handle_is_told_and_stays_in_the_box(site: Site, seed: Seed, typed: str, network: str) -> None:
    """With the cure, and the form to correct it in."""
    small_world(seed)
    page = ask(site, handle=typed, network=network)
    assert "This cannot be a handle on that network" in page.text
    assert f'value="{typed}"' in page.text


def test_a_known_account_leads_to_its_own_question(site: Site, seed: Seed) -> None:
    """So nobody is asked about a second account of the same handle."""
    ids = small_world(seed)
    seed.profile("known_one")
    answer = ask(site, handle="@Known_One", network="x", method="agent_chat")
    assert answer.status_code == 302
    assert f"contact={TOMAS}" in answer.location
    assert "method=agent_chat" in answer.location
    assert ids["unknown"] not in answer.location


def test_two_accounts_of_one_handle_are_never_guessed_between(site: Site, seed: Seed) -> None:
    """The one that wrote is asked from its case."""
    small_world(seed)
    seed.profile("twin", network="discourse", scope="a")
    seed.insert(
        "social_profiles", id="other", network="discourse", scope="b", handle="twin", handle_key="twin",
        external_id="2", first_seen_at=1, last_seen_at=1,
    )  # fmt: skip
    assert "Several accounts have this handle" in ask(site, handle="twin", network="discourse").text


def test_a_spoken_handle_is_linked_by_the_customers_yes(site: Site, seed: Seed) -> None:
    """The account is noted by its handle and bound later; the receipt says what happened."""
    small_world(seed)
    page = ask(site, handle="https://www.instagram.com/tquispe_pe/")
    version = re.search(r'name="version" value="([^"]+)"', page.text)
    action = re.search(r'method="post" action="(/contacts/[^"]+)"', page.text)
    assert version is not None
    assert action is not None
    form = {"contact": TOMAS, "network": "instagram", "handle": "tquispe_pe", "method": "agent_phone", "lang": "en"}
    form |= {"version": version[1], "key": "k", "said": "yes, it is mine", "answer.service": "yes"}
    done = site.post("agent", action[1].replace("&amp;", "&"), **form)
    assert done.location == f"/contacts/{TOMAS}?done=yes"
    shown = words(site.as_user("agent").get(done.location))
    assert "Linked: the customer said yes." in shown
    assert "@tquispe_pe on Instagram Linked by consent service until" in shown
    with site.ctx.store.read() as connection:
        joined = links.join(social_profiles, social_profiles.c.id == links.c.profile_id)
        made = connection.execute(
            select(links.c.state, social_profiles.c.handle, social_profiles.c.external_id)
            .select_from(joined)
            .where(links.c.contact_id == TOMAS)
        ).all()
    assert made == [("active", "tquispe_pe", None)]


def test_without_an_answer_nothing_is_recorded(site: Site, seed: Seed) -> None:
    """And the page says so, with the words still in it."""
    small_world(seed)
    form = {"network": "instagram", "handle": "tquispe_pe", "method": "agent_phone", "lang": "en", "version": "1"}
    page = site.post("agent", ASK, **form, key="k", said="hmm")
    assert page.status_code == 422
    assert "The answer is missing" in page.text
    assert 'value="hmm"' in page.text


def test_a_deleted_contact_is_not_asked_about(site: Site, seed: Seed) -> None:
    """There is nobody to link."""
    small_world(seed)
    seed.contact("003aa0000000009AAA", "Gone", "Away", is_deleted=True)
    assert site.as_user("agent").get("/contacts/003aa0000000009AAA/ask?handle=x&network=x").status_code == 404
    assert "Ask about an account" in site.as_user("agent").get(f"/contacts/{MARA}").text
