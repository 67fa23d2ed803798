"""Addresses that senders tell of an account apart from its messages help to find whom to ask, and are shown nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import pytest
from sqlalchemy import select, update
from structlog.testing import capture_logs
from werkzeug.routing import Rule

from connector.domain.addresses import NOTHING, with_told
from connector.flows.contact_index import reindex
from connector.flows.projection import project
from connector.flows.suggest import suggest
from connector.store.tables import cases, interactions, links, social_profiles
from tests.web.conftest import CRM_MAPPING, Site
from tests.web.seed import MARA, TOMAS, Seed, small_world

EMAIL, PHONE = "never.shown@told.example", "+4799912345"
SECRETS = ("never.shown", "told.example", "99912345", "999 12 345")


@pytest.fixture
def accounts(site: Site, seed: Seed) -> list[str]:
    """Accounts of each of which a sender told an address and a number, confirmed ones too."""
    small_world(seed)
    told = with_told(NOTHING, {"email": EMAIL, "phone": PHONE, "verified_contact": True}, seed.ago(hours=1))
    with site.ctx.store.begin() as uow:
        uow.connection.execute(update(social_profiles).values(addresses=told))
        return list(uow.connection.execute(select(social_profiles.c.id)).scalars())


def shown_in(text: str) -> list[str]:
    return [each for each in SECRETS if each in text]


def addresses(site: Site, rule: Rule) -> Iterator[str]:
    """The rule's address with each thing that there is in its blank."""
    if not rule.arguments:
        yield rule.rule
        return
    tables = (social_profiles.c.id, cases.c.id, interactions.c.id, links.c.id)
    with site.ctx.store.read() as connection:
        ids = [each for column in tables for each in connection.execute(select(column)).scalars()]
    takes_numbers = "<row:" in rule.rule
    for each in [1] if takes_numbers else [*ids, MARA, TOMAS, "volume", "cases"]:
        built = rule.build(dict.fromkeys(rule.arguments, each), append_unknown=False)
        if built is not None:
            yield built[1]


def test_no_page_no_answer_and_no_line_of_the_log_tells_them(site: Site, accounts: list[str]) -> None:
    found, seen = [], 0
    with capture_logs() as logs:
        for rule in site.app.url_map.iter_rules():
            if "GET" not in (rule.methods or ()) or "logout" in rule.rule or rule.endpoint.endswith("static"):
                continue
            for path in addresses(site, rule):
                is_api = path.startswith("/api/v1")
                answer = site.api("GET", path[7:]) if is_api else site.as_user("admin").get(path)
                seen += answer.status_code == 200 and any(each in path for each in accounts)
                found += [(path, each) for each in shown_in(answer.get_data(as_text=True))]
    assert found == []
    assert seen >= len(accounts), "no page about an account was looked at"
    assert shown_in(repr(logs)) == []


def test_nothing_that_is_sent_to_the_crm_holds_them(site: Site, accounts: list[str]) -> None:
    with site.ctx.store.read() as connection:
        for kind, table in (("profile", social_profiles), ("case", cases), ("interaction", interactions)):
            obj, keys = CRM_MAPPING.objects[kind], list(connection.execute(select(table.c.id)).scalars())
            wanted = project(connection, CRM_MAPPING, site.ctx.consent, obj, keys, site.ctx.clock())
            assert wanted
            assert shown_in(json.dumps([asdict(each) for each in wanted.values()], default=str)) == []


def test_a_suggestion_that_rests_on_one_names_the_contact_and_changes_nothing(
    site: Site, seed: Seed, accounts: list[str]
) -> None:
    """What the CRM itself has of the contact may be shown; that the account has it too is said without it."""
    contact = seed.contact("003000000000077AAA", "Ingrid", "Holm", email=EMAIL)
    with site.ctx.store.begin() as uow:
        reindex(uow, [contact])
        before = uow.connection.execute(select(links)).all()
    for account in accounts:
        candidates = [each for each in suggest(site.ctx, account) if each.contact_id == contact]
        assert candidates
        assert shown_in(repr([each.reasons for each in candidates])) == []
    with site.ctx.store.read() as connection:
        assert connection.execute(select(links)).all() == before
