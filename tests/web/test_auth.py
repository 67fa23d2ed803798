"""Signing in and out: what works, what does not, and what a thief of a cookie or a form would find."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from connector.errors import Conflict, InputInvalid, NotFound, Unauthenticated
from connector.flows import people
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.web.conftest import PASSWORD, Site, make_site


def sign_in(client: FlaskClient, name: str, password: str, **more: str) -> Any:
    """Loads the form and sends it."""
    client.get("/login")
    with client.session_transaction() as session:
        token = session["csrf"]
    return client.post("/login", data={"csrf": token, "name": name, "password": password, **more})


def test_signing_in_leads_to_the_work_and_signing_out_ends_it_everywhere(site: Site) -> None:
    """A cookie that was copied before is worth nothing after."""
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    client, thief = site.app.test_client(), site.app.test_client()
    assert sign_in(client, "Ida", PASSWORD).location == "/"
    assert client.get("/inbox").status_code == 200
    copied = client.get_cookie("connector_session")
    assert copied is not None
    thief.set_cookie("connector_session", copied.value)
    assert thief.get("/inbox").status_code == 200
    with client.session_transaction() as session:
        token = session["csrf"]
    client.post("/logout", data={"csrf": token})
    assert client.get("/inbox").status_code == 302
    assert thief.get("/inbox").status_code == 302


@pytest.mark.parametrize(
    ("proxies", "told", "then"),
    [
        (1, ["203.0.113.1", "203.0.113.2"], 302),
        (1, ["203.0.113.1", "203.0.113.2, 203.0.113.1"], 429),
        (2, ["203.0.113.1, 10.0.0.7", "203.0.113.2, 10.0.0.7"], 302),
        (0, ["203.0.113.1", "203.0.113.2"], 429),
    ],
    ids=["another client", "the same, inventing one before it", "another behind two", "nobody is trusted"],
)
def test_guesses_are_counted_by_the_client_that_the_trusted_proxies_saw(
    store: Store, clock: FakeClock, proxies: int, told: list[str], then: int
) -> None:
    """Else one guesser behind the proxy would lock everybody out, or invent a new address for each guess."""
    site = make_site(store, clock, trusted_proxies=proxies)
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    client = site.app.test_client()
    client.environ_base["HTTP_X_FORWARDED_FOR"] = told[0]
    assert [sign_in(client, "Ida", "wrong password").status_code for _ in range(6)] == [401] * 5 + [429]
    client.environ_base["HTTP_X_FORWARDED_FOR"] = told[1]
    assert sign_in(client, "Ida", PASSWORD).status_code == then
    site.app.extensions["connector_submitter"].close()


def test_one_name_is_guessed_thirty_times_at_most_from_however_many_addresses(site: Site) -> None:
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    for number in range(30):
        with pytest.raises(Unauthenticated):
            people.sign_in(site.ctx, "Ida", "wrong password", f"203.0.113.{number}")
    with pytest.raises(people.TooManyAttempts):
        people.sign_in(site.ctx, "Ida", PASSWORD, "198.51.100.1")


@pytest.mark.parametrize("name", ["Ida", "nobody"])
def test_a_wrong_password_and_an_unknown_name_look_the_same(site: Site, name: str) -> None:
    """So the form tells nobody who has an account."""
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    answer = sign_in(site.app.test_client(), name, "wrong password")
    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text


def test_guessing_is_stopped_after_five_tries_for_five_minutes(site: Site, clock: FakeClock) -> None:
    """The right password does not help then; five minutes later it does."""
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    client = site.app.test_client()
    for _ in range(5):
        assert sign_in(client, "Ida", "wrong password").status_code == 401
    assert sign_in(client, "Ida", PASSWORD).status_code == 429
    clock.move(minutes=5)
    assert sign_in(client, "Ida", PASSWORD).status_code == 302


def test_a_session_from_before_signing_in_does_not_survive_it(site: Site) -> None:
    """Whoever planted it knows neither the new session nor its form token."""
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    client = site.app.test_client()
    client.get("/login")
    with client.session_transaction() as session:
        before = session["csrf"]
        session["planted"] = "by somebody"
    sign_in(client, "Ida", PASSWORD)
    with client.session_transaction() as session:
        assert session["csrf"] != before
        assert "planted" not in session


@pytest.mark.parametrize(
    "target",
    ["https://evil.test/", "//evil.test", "/\\evil.test", "javascript:alert(1)", "http:/\\evil.test", "", "inbox"],
)
def test_signing_in_never_leads_to_another_site(site: Site, target: str) -> None:
    """Only a path of ours is followed."""
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    answer = sign_in(site.app.test_client(), "Ida", PASSWORD, next=target)
    assert answer.location == "/"


def test_signing_in_leads_back_to_where_one_came_from(site: Site) -> None:
    """With the filters of that page."""
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    answer = sign_in(site.app.test_client(), "Ida", PASSWORD, next="/cases?state=open")
    assert answer.location == "/cases?state=open"


@pytest.mark.parametrize("token", ["", "another", "tøken"])
def test_a_form_without_its_token_is_not_taken(site: Site, token: str) -> None:
    """Another site's form can send the cookie but never the token."""
    answer = site.as_user("admin").post("/admin/keys", data={"csrf": token, "name": "x", "role": "agent"})
    assert answer.status_code == 422
    assert "older than your session" in answer.text
    assert people.keys(site.ctx) == []


def test_changing_a_role_ends_the_sessions_of_that_user(site: Site) -> None:
    """The old rights end with it."""
    agent = site.as_user("agent")
    user = people.user_named(site.ctx, "agent person")
    site.post("admin", f"/admin/users/{user.id}", role="reporter")
    assert agent.get("/inbox").status_code == 302
    assert people.user_named(site.ctx, "agent person").role == "reporter"


def test_the_last_admin_can_be_neither_removed_nor_demoted(site: Site) -> None:
    """Nobody could ever let anybody in again."""
    user = people.create_user(site.ctx, "root", PASSWORD, "admin")
    with pytest.raises(Conflict):
        people.change_user(site.ctx, user.id, role="agent")
    with pytest.raises(Conflict):
        people.change_user(site.ctx, user.id, is_active=False)
    people.create_user(site.ctx, "second", PASSWORD, "admin")
    assert people.change_user(site.ctx, user.id, role="agent").role == "agent"


def test_the_bootstrap_admin_is_made_once(site: Site) -> None:
    """A password left in the environment opens nothing after the first user exists."""
    assert people.bootstrap_admin(site.ctx, "") is None
    first = people.bootstrap_admin(site.ctx, PASSWORD)
    assert first is not None
    assert first.role == "admin"
    assert people.bootstrap_admin(site.ctx, PASSWORD) is None


def test_a_key_is_shown_once_stored_hashed_and_dead_when_revoked(site: Site) -> None:
    """The page shows the last four characters, and the store not the token."""
    page = site.post("admin", "/admin/keys", name="warehouse", role="reporter")
    token = page.text.split("<code>cnk_")[1].split("</code>")[0]
    assert people.key_principal(site.ctx, f"cnk_{token}").name == "warehouse"
    again = site.as_user("admin").get("/admin/keys")
    assert f"…{token[-4:]}" in again.text
    assert token not in again.text
    key = people.keys(site.ctx)[0]
    site.post("admin", f"/admin/keys/{key.id}/revoke")
    assert people.keys(site.ctx)[0].revoked_at is None
    site.post("admin", f"/admin/keys/{key.id}/revoke", sure="1")
    with pytest.raises(Unauthenticated):
        people.key_principal(site.ctx, f"cnk_{token}")
    with pytest.raises(NotFound):
        people.revoke_key(site.ctx, key.id)


@pytest.mark.parametrize(
    ("name", "password", "role"), [("", PASSWORD, "agent"), ("a", "short", "agent"), ("a", PASSWORD, "ingest")]
)
def test_a_user_needs_a_name_a_long_password_and_a_role_of_people(
    site: Site, name: str, password: str, role: str
) -> None:
    """Each with a sentence that says so."""
    with pytest.raises(InputInvalid):
        people.create_user(site.ctx, name, password, role)


@pytest.mark.parametrize(
    ("url", "secure", "path"), [("https://desk.example/help", True, "/help"), ("http://127.0.0.1:8080", False, "/")]
)
def test_cookie_flags_follow_the_public_address(
    site_at: Callable[[str], Site], url: str, secure: bool, path: str
) -> None:
    """Never a cookie over plain HTTP where the address is HTTPS, and only under the own path."""
    site = site_at(url)
    answer = site.app.test_client().get("/login")
    cookie = answer.headers["Set-Cookie"]
    assert ("Secure" in cookie) is secure
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert f"Path={path}" in cookie
    assert ("Strict-Transport-Security" in answer.headers) is secure


@pytest.mark.parametrize("path", ["/login", "/help/login"])
def test_links_stay_under_the_sub_path_whether_the_proxy_cuts_it_or_not(
    site_at: Callable[[str], Site], path: str
) -> None:
    """And whatever Host header comes along."""
    site = site_at("https://desk.example/help")
    page = site.app.test_client().get(path, headers={"Host": "evil.test"}).text
    assert 'action="/help/login"' in page
    assert 'href="/help/static/app.css"' in page
    assert "evil.test" not in page


@pytest.mark.parametrize("proxy_cuts_it", [True, False])
def test_everything_works_below_a_sub_path(site_at: Callable[[str], Site], *, proxy_cuts_it: bool) -> None:
    """Pages, forms, their cookie, the API with its own description, and health."""
    site = site_at("https://desk.example/help")
    below = "" if proxy_cuts_it else "/help"
    people.create_user(site.ctx, "Ida", PASSWORD, "agent")
    client = site.app.test_client(use_cookies=False)
    asked = client.get(f"{below}/inbox", base_url="https://desk.example")
    assert asked.location == "/help/login?next=/inbox"
    page = client.get(f"{below}/login?next=/inbox", base_url="https://desk.example")
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token is not None
    form = {"csrf": token[1], "name": "Ida", "password": PASSWORD, "next": "/inbox"}
    inside = client.post(f"{below}/login", data=form, headers={"Cookie": cookie}, base_url="https://desk.example")
    assert (inside.status_code, inside.location) == (302, "/help/inbox")
    api = client.get(f"{below}/api/v1/openapi.json", headers=site.key("agent"), base_url="https://desk.example")
    assert api.get_json()["servers"] == [{"url": "https://desk.example/help/api/v1"}]
    assert client.get(f"{below}/api/v1/cases", headers=site.key("agent")).status_code == 200
    assert client.get(f"{below}/healthz").status_code == 200


def test_every_answer_carries_the_security_headers(site: Site) -> None:
    """Pages, the API, errors and health alike; personal pages are kept by nobody."""
    for answer in (
        site.as_user("agent").get("/inbox"),
        site.as_user("agent").get("/nowhere"),
        site.api("GET", "/cases"),
        site.app.test_client().get("/healthz"),
    ):
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"
