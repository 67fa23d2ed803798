"""The inbox's tabs, and the case beside the list."""

from __future__ import annotations

import re

import pytest

from connector.domain.consent import Answer
from tests.web.conftest import Site
from tests.web.seed import MARA, TOMAS, Seed, small_world
from tests.web.test_pages import words


def listed(site: Site, tab: str) -> set[str]:
    """The cases of a tab."""
    page = site.as_user("agent").get(f"/inbox?tab={tab}").text
    return set(re.findall(r'class="row" href="/cases/([0-9a-f-]+)"', page))


def test_each_tab_holds_its_own_and_counts_it(site: Site, seed: Seed) -> None:
    """Waiting for us; of these who never had an answer, and whom nobody linked; and who waits for the customer."""
    seed.contact(MARA, "Mara", "Lindqvist")
    linked, stranger = seed.profile("linked"), seed.profile("stranger")
    seed.yes(linked, MARA)
    again = seed.case(linked, opened={"hours": 9}, answered={"hours": 8}, last_inbound_at=seed.ago(hours=1))
    fresh = seed.case(linked, opened={"hours": 5})
    unknown = seed.case(stranger, opened={"hours": 4})
    done = seed.case(stranger, opened={"hours": 3}, answered={"hours": 2})
    seed.case(stranger, opened={"days": 9}, closed_at=seed.ago(days=8))
    assert listed(site, "waiting") == {again, fresh, unknown}
    assert listed(site, "unanswered") == {fresh, unknown}
    assert listed(site, "unlinked") == {unknown}
    assert listed(site, "answered") == {done}
    tabs = words(site.as_user("agent").get("/inbox")).split("Channel")[0]
    assert "Waiting for us 3 oldest 5 h" in tabs
    assert "Never answered 2 oldest 5 h" in tabs
    assert "Not linked 1 oldest 4 h" in tabs
    assert "Waiting for the customer 1 oldest 3 h" in tabs


def test_a_said_no_still_counts_as_not_linked(site: Site, seed: Seed) -> None:
    """An answer alone is no link."""
    ids = small_world(seed)
    seed.yes(ids["unknown"], TOMAS, Answer.NO)
    assert ids["asked"] in listed(site, "unlinked")


def test_the_peek_is_a_part_of_a_page_with_the_latest_words_and_who_it_is(site: Site, seed: Seed) -> None:
    """The same card as on the case, and nothing that belongs to a whole page."""
    ids = small_world(seed)
    for number in range(9):
        seed.say(ids["asked"], f"word-{number}", ago={"minutes": 50 - number}, profile_id=ids["unknown"])
    part = site.as_user("agent").get(f"/cases/{ids['asked']}/peek")
    assert "<html" not in part.text
    assert re.findall(r"word-\d", part.text) == [f"word-{number}" for number in range(3, 9)]
    said = words(part)
    assert "Who is this?" in said
    assert "Tomás Quispe , Arequipa" in said
    assert f'href="/cases/{ids["asked"]}"' in part.text
    assert site.as_user("agent").get("/cases/none/peek").status_code == 404


@pytest.mark.parametrize("name", ["case", "rtl"])
def test_every_row_leads_to_its_case_and_names_its_peek(site: Site, seed: Seed, name: str) -> None:
    """The first works without script."""
    ids = small_world(seed)
    page = site.as_user("agent").get("/inbox").text
    assert f'href="/cases/{ids[name]}" data-peek="/cases/{ids[name]}/peek"' in page


def test_a_long_case_shows_its_latest_words_and_leads_to_those_before(site: Site, seed: Seed) -> None:
    """Two hundred messages a page, oldest first; each message stands on one page."""
    profile = seed.profile("endless")
    case = seed.case(profile, opened={"hours": 30})
    for number in range(450):
        seed.say(case, f"word-{number:03}", ago={"minutes": 500 - number}, profile_id=profile)
    client, pages, address = site.as_user("agent"), [], f"/cases/{case}?done=yes"
    while address:
        text = client.get(address).text
        pages.append(re.findall(r"word-(\d{3})", text))
        found = re.search(r'href="([^"]+)">Earlier messages', text)
        address = found[1] if found else ""
    assert [len(page) for page in pages] == [200, 200, 50]
    assert [word for page in reversed(pages) for word in page] == [f"{number:03}" for number in range(450)]


def test_a_closed_case_waits_for_nobody(site: Site, seed: Seed) -> None:
    """Whatever was said last in it: the list tells that it never had an answer, not that it still waits."""
    seed.case(seed.profile("ola"), opened={"days": 2}, status="Closed", closed_at=seed.ago(days=1))
    page = words(site.as_user("agent").get("/cases"))
    assert "waiting" not in page
    assert "First response" in page
