"""Role by address, generated from the URL map: who is let in, who is refused, and how."""

from __future__ import annotations

import pytest
from werkzeug.routing import Rule

from connector.domain.people import Role
from connector.web.permissions import PUBLIC, Permission, allows, rule_of
from tests.web.conftest import Site

REFUSED = {401, 403}


def address(rule: Rule) -> str:
    """The rule's address with something in every blank."""
    values = {name: 1 if "row:" + name in str(rule) else "none" for name in rule.arguments}
    built = rule.build(values, append_unknown=False)
    assert built is not None
    return built[1]


def routes(site: Site, *, api: bool) -> list[tuple[str, str, Permission | str]]:
    """Every guarded route as method, address and rule."""
    found = []
    for rule in site.app.url_map.iter_rules():
        wanted = rule_of(rule.endpoint)
        if wanted in (PUBLIC, None) or rule.endpoint.startswith("api.") is not api:
            continue
        method = "POST" if "POST" in (rule.methods or ()) else "GET"
        assert wanted is not None
        found.append((method, address(rule), wanted))
    return found


@pytest.mark.parametrize("role", list(Role))
def test_the_api_lets_each_role_do_what_its_table_says_and_nothing_else(site: Site, role: Role) -> None:
    """A refusal is 403 with its code; where the role may, the answer is anything but a refusal."""
    wrong = []
    for method, path, rule in routes(site, api=True):
        answer = site.api(method, path.removeprefix("/api/v1"), role=role)
        refused = answer.status_code == 403 and answer.json["code"] == "forbidden"
        if refused == allows(role, Permission(rule)):
            wrong.append((method, path, answer.status_code))
    assert wrong == []


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.INGEST])
def test_pages_let_each_role_in_as_its_table_says(site: Site, role: Role) -> None:
    """The same for people; signing out comes last because it ends the session."""
    wrong = []
    for method, path, rule in sorted(routes(site, api=False), key=lambda route: "logout" in route[1]):
        client = site.as_user(role)
        answer = client.post(path, data={"csrf": "token"}) if method == "POST" else client.get(path)
        if (answer.status_code == 403) == allows(role, Permission(rule)):
            wrong.append((method, path, answer.status_code))
    assert wrong == []


def test_nobody_gets_into_the_api_without_a_key(site: Site) -> None:
    """No key, a made-up key, and a session instead of a key are all refused."""
    client = site.app.test_client()
    for method, path, _ in routes(site, api=True):
        for answer in (
            client.open(path, method=method),
            client.open(path, method=method, headers={"Authorization": "Bearer cnk_made_up"}),
            site.as_user("admin").open(path, method=method),
        ):
            assert answer.status_code == 401, path
            assert answer.content_type == "application/problem+json"
            assert (answer.json or {})["code"] == "unauthenticated"


def test_pages_lead_to_the_sign_in_form(site: Site) -> None:
    """And bring the person back afterwards."""
    client = site.app.test_client()
    for method, path, _ in routes(site, api=False):
        answer = client.open(path, method=method)
        assert answer.status_code == 302, path
        assert answer.location.startswith("/login?next="), path


def test_an_ingest_key_can_post_a_case_and_nothing_else(site: Site) -> None:
    """The key that lies in some program's settings is worth little to a thief."""
    allowed = [
        path
        for method, path, _ in routes(site, api=True)
        if site.api(method, path.removeprefix("/api/v1"), role="ingest").status_code not in REFUSED
    ]
    assert allowed == ["/api/v1/cases"]
    assert site.api("GET", "/cases", role="ingest").status_code == 403
