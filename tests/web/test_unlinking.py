"""Unlinking by a page: what it does is said first, what it did is said truly, and the way leads back."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from connector.store.tables import links
from tests.web.conftest import Site
from tests.web.seed import MARA, Seed, small_world
from tests.web.test_pages import words


@pytest.fixture
def ids(seed: Seed) -> dict[str, str]:
    """The small world, in which Mara's account is linked."""
    return small_world(seed)


@pytest.fixture
def address(site: Site, ids: dict[str, str]) -> str:
    """Where Mara's link is ended."""
    with site.ctx.store.read() as connection:
        link = connection.execute(select(links.c.id).where(links.c.profile_id == ids["linked"])).scalar_one()
    return f"/links/{link}/end"


def state(site: Site, ids: dict[str, str]) -> str:
    """What the link of Mara's account is in."""
    with site.ctx.store.read() as connection:
        statement = select(links.c.state).where(links.c.profile_id == ids["linked"])
        return str(connection.execute(statement).scalar_one())


def unlinked(site: Site, role: str, address: str, **form: Any) -> str:
    """The page that unlinking leads to."""
    done = site.post(role, address, **form)
    assert done.status_code == 302
    return words(site.as_user(role).get(done.location))


@pytest.mark.parametrize("whence", ["case", "contact", "profile"])
def test_the_receipt_stands_where_one_came_from(site: Site, ids: dict[str, str], address: str, whence: str) -> None:
    """From the case, the person or the account: there again, with what was done."""
    form = {"case": ids["case"]} if whence == "case" else {"contact": MARA} if whence == "contact" else {}
    back = {"case": f"/cases/{ids['case']}", "contact": f"/contacts/{MARA}", "profile": f"/profiles/{ids['linked']}"}
    assert f'href="{back[whence]}">Keep it' in site.as_user("agent").get(address, query_string=form).text
    done = site.post("agent", address, why="withdrawn", **form)
    assert done.location == f"{back[whence]}?done=ended"
    assert "Unlinked. The history goes back" in words(site.as_user("agent").get(done.location))


def test_one_agents_word_that_it_was_never_them_is_a_hold_and_said_to_be_one(
    site: Site, ids: dict[str, str], address: str
) -> None:
    """The page before says that it takes two; a second time by the same person changes nothing and says the same."""
    assert "a second person has to say so too" in words(site.as_user("agent").get(address))
    for _ in range(2):
        shown = unlinked(site, "agent", address, why="not_me", words="never had that account")
        assert "On hold from now on" in shown
        assert "Unlinked." not in shown
        assert state(site, ids) == "active"
    assert "Unlinked." in unlinked(site, "admin", address, why="not_me", words="she told me so too")
    assert state(site, ids) == "invalidated"


def test_what_was_chosen_and_typed_stays_after_a_refusal(site: Site, ids: dict[str, str], address: str) -> None:
    """Nothing has to be filled in twice."""
    refused = site.post("agent", address, why="not_me", case=ids["case"])
    assert refused.status_code == 422
    assert "The reason is missing: write what was said." in words(refused)
    assert 'value="not_me" required checked' in refused.text
    assert f'name="case" value="{ids["case"]}"' in refused.text
    assert 'value="please"' in site.post("agent", address, words="please").text


def test_a_link_that_has_ended_is_not_offered_to_be_ended(site: Site, ids: dict[str, str], address: str) -> None:
    """As after going back in the browser, or in a second tab; sending the old form again does no harm."""
    unlinked(site, "agent", address, why="withdrawn")
    page = site.as_user("agent").get(address)
    assert page.status_code == 200
    assert "This link has ended" in words(page)
    assert '<form method="post" class="stack card"' not in page.text
    assert "Unlinked." in unlinked(site, "agent", address, why="withdrawn")
    assert state(site, ids) == "withdrawn"
