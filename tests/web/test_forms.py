"""Forms after a refusal, sent twice, or sent by who was signed out meanwhile: nothing is lost or done twice."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from sqlalchemy import select

from connector.flows import people
from connector.store.tables import links
from tests.web.conftest import PASSWORD, Site
from tests.web.seed import TOMAS, Seed, small_world
from tests.web.test_pages import words


def test_a_refused_user_keeps_name_and_role(site: Site) -> None:
    """The password has to be typed again, for it is never sent back."""
    page = site.post("admin", "/admin/users", name="Ida", password="short", role="reporter")
    assert page.status_code == 422
    assert 'name="name" value="Ida"' in page.text
    assert re.search(r'<option value="reporter" selected>reporter</option>(?!.*selected)', page.text, re.DOTALL)
    assert "short" not in page.text


def test_a_refused_key_keeps_name_and_role(site: Site) -> None:
    """So that only what was wrong is corrected."""
    page = site.post("admin", "/admin/keys", name="k" * 101, role="agent")
    assert page.status_code == 422
    assert f'value="{"k" * 101}"' in page.text
    assert '<option value="agent" selected>' in page.text


def test_the_form_of_a_new_key_sent_again_makes_no_second_key(site: Site) -> None:
    """As by reloading the page that shows the token: the page says what to do if it was not copied."""
    once = re.search(r'name="once" value="([^"]+)"', site.as_user("admin").get("/admin/keys").text)
    assert once is not None
    form = {"name": "warehouse", "role": "reporter", "once": once[1]}
    assert "shown this once" in site.post("admin", "/admin/keys", **form).text
    again = site.post("admin", "/admin/keys", **form)
    assert again.status_code == 302
    assert "If nobody copied it, revoke the key" in words(site.as_user("admin").get(again.location))
    assert len(people.keys(site.ctx)) == 1


def test_several_answers_stay_chosen_after_a_refusal(site: Site, seed: Seed) -> None:
    """A yes without the customer's words is refused; the four choices are still there."""
    ids = small_world(seed)
    answers = {"answer.service": "yes", "answer.marketing": "no"}
    form = {"contact": TOMAS, "method": "agent_phone", "lang": "en", "version": "1", "more": "1", **answers}
    page = site.post("agent", f"/profiles/{ids['unknown']}/ask", **form)
    assert page.status_code == 422
    assert 'name="answer.service" value="yes" checked' in page.text
    assert 'name="answer.marketing" value="no" checked' in page.text
    assert page.text.count("checked") == 2


def test_another_answer_from_a_page_that_was_sent_already_is_refused_and_asked_for_anew(site: Site, seed: Seed) -> None:
    """Back in the browser after a yes, then No: the page must not say that the no was recorded while the yes stands."""
    ids = small_world(seed)
    path = f"/profiles/{ids['unknown']}/ask"
    form = {"contact": TOMAS, "method": "agent_phone", "lang": "en", "version": "1", "key": "k", "said": "sure"}
    assert site.post("agent", path, **form, **{"answer.service": "yes"}).status_code == 302
    page = site.post("agent", path, **form, **{"answer.service": "no"})
    assert page.status_code == 422
    assert "Another answer was recorded" in words(page)
    anew = re.search(r'name="key" value="([^"]+)"', page.text)
    assert anew is not None
    assert anew[1] != "k"
    assert site.post("agent", path, **form | {"key": anew[1]}, **{"answer.service": "no"}).status_code == 302
    with site.ctx.store.read() as connection:
        assert connection.execute(select(links.c.state).where(links.c.contact_id == TOMAS)).scalars().all() == [
            "withdrawn"
        ]


@pytest.mark.parametrize("url", ["http://localhost", "http://localhost/desk"])
def test_who_was_signed_out_is_told_that_nothing_was_saved_and_led_back_to_the_form(
    site_at: Callable[[str], Site], url: str
) -> None:
    """The page of the form, not the address that it was sent to: that may have no page at all."""
    site = site_at(url)
    people.create_user(site.ctx, "Ida", PASSWORD, "admin")
    client = site.app.test_client()
    base = url.removeprefix("http://localhost")
    whence = {"Referer": f"{url}/admin/users?x=1"}
    sent = client.post(f"{base}/admin/users/usr_1", data={"role": "agent"}, headers=whence)
    assert sent.status_code == 302
    page = client.get(sent.location)
    assert "You had been signed out, so what you sent was not saved." in words(page)
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    back = re.search(r'name="next" value="([^"]*)"', page.text)
    assert token is not None
    assert back is not None
    form = {"csrf": token[1], "next": back[1], "name": "Ida", "password": PASSWORD}
    assert client.post(f"{base}/login", data=form).location == f"{base}/admin/users?x=1"


@pytest.mark.parametrize("came_from", [None, "https://evil.test/admin/users", "http://localhost.evil.test/admin"])
def test_where_a_form_came_from_is_only_followed_within_the_site(site: Site, came_from: str | None) -> None:
    """Else the work begins at the start."""
    headers = {"Referer": came_from} if came_from else {}
    answer = site.app.test_client().post("/admin/users", headers=headers)
    assert answer.location == "/login?next=&lost=1"


def test_signing_out_twice_is_no_loss(site: Site) -> None:
    """Nothing was to be saved."""
    assert site.app.test_client().post("/logout").location == "/login?next="


def test_a_form_that_is_too_old_says_so_in_its_title(site: Site) -> None:
    """Not that something in it was wrong."""
    page = site.as_user("admin").post("/admin/keys", data={"csrf": "old", "name": "x", "role": "agent"})
    assert page.status_code == 422
    assert "This page was open for too long" in words(page)
    assert "correct it" not in words(page)


def test_an_error_leads_back_to_a_fresh_form(site: Site) -> None:
    """With the filters of its page; never to another site, and not where nothing was sent."""
    admin = site.as_user("admin")
    form = {"csrf": "token", "act": "retry"}
    page = admin.post("/admin/shelf", data=form, headers={"Referer": "http://localhost/admin/shelf?reason=bad_time"})
    assert page.status_code == 422
    assert '<a class="button" href="/admin/shelf?reason=bad_time">Back to the form</a>' in page.text
    for headers in ({"Referer": "https://evil.test/admin/shelf"}, {}):
        assert "Back to the form" not in admin.post("/admin/shelf", data=form, headers=headers).text
    assert "Back to the form" not in admin.get("/cases/none", headers={"Referer": "http://localhost/cases"}).text
