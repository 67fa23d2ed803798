"""On PostgreSQL the pages and the API show, letter for letter, what they show on SQLite."""

from __future__ import annotations

import random
import secrets
from base64 import urlsafe_b64encode

import pytest
from sqlalchemy import Column, select, update

from connector.store.installation import NAMESPACE, read_namespace
from connector.store.tables import installation, interactions, links, outbox
from connector.store.unit_of_work import Store
from tests.conftest import FakeClock
from tests.web.conftest import Site, standing
from tests.web.seed import MARA, TOMAS, Seed, small_world

NOT_OF_THE_STORE = {"static", "health.metrics"}
QUERIES = {
    "agent.inbox": ("", "?tab=answered", "?tab=unlinked"),
    "agent.case_list": ("", "?state=closed", "?channel=social"),
    "people.search": ("?q=mara", "?q=نور", "?q=4711", "?q=00001042"),
    "consent.ask": (f"?contact={TOMAS}",),
    "reports.show": ("", "?by=network", "?by=group"),
    "api.list_cases": ("", "?waiting=true", "?limit=1"),
    "api.list_interactions": ("", "?limit=2", "?direction=outbound"),
    "api.list_links": (f"?contact={MARA}",),
    "api.preview_consent": (f"?contact={TOMAS}&account={{unknown}}", f"?contact={TOMAS}&account={{linked}}"),
    "api.show_permit": ("?operation=timeline.view&account={linked}", "?operation=timeline.view&account={unknown}"),
}
"""What is asked for at an address, where that is more than the bare one."""


def one(site: Site, column: Column[str]) -> str:
    """The first value of a column."""
    with site.ctx.store.read() as connection:
        return str(connection.execute(select(column).order_by(column).limit(1)).scalar_one())


def furnished(site: Site) -> list[str]:
    """Every address that can be read, in a world with people, cases and trouble."""
    seed = Seed(site.ctx)
    ids = small_world(seed)
    dead = seed.delivery(state="dead", error="The body is not JSON.")
    seed.shelved(dead)
    seed.stuck("Case", "key-1")
    with site.ctx.store.begin() as uow:
        uow.connection.execute(update(outbox).values(queued_at=seed.ago(hours=5)))  # else by the database's clock
    there: dict[str, list[str | int]] = {
        "crm_id": [MARA],
        "case_id": [ids["case"], ids["phone"]],
        "profile_id": [ids["unknown"], ids["linked"]],
        "link_id": [one(site, links.c.id)],
        "interaction_id": [one(site, interactions.c.id)],
        "delivery_id": [dead],
        "row_id": [one(site, outbox.c.id)],
        "name": ["volume", "first-response"],
    }
    adapter = site.app.url_map.bind("localhost")
    return [
        adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, value)) + query.format(**ids)
        for rule in site.app.url_map.iter_rules()
        if "GET" in (rule.methods or ()) and rule.endpoint not in NOT_OF_THE_STORE
        for value in (there[next(iter(rule.arguments))] if rule.arguments else [""])
        for query in QUERIES.get(rule.endpoint, ("",))
    ]


def walked(store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[int, str]]:
    """What every address says to an admin, or to whom it is for, with the same dice in every walk."""
    dice = random.Random(1)  # so that ids made by chance are the same
    monkeypatch.setattr(secrets, "token_bytes", dice.randbytes)
    monkeypatch.setattr(
        secrets, "token_urlsafe", lambda size: urlsafe_b64encode(dice.randbytes(size)).rstrip(b"=").decode()
    )
    said = {}
    with standing(store, clock) as site:
        for path in furnished(site):
            program = path.startswith("/api/")
            role = "privacy" if path.endswith("/evidence") else "admin"
            answer = (
                site.api("GET", path.removeprefix("/api/v1"), role=role) if program else site.as_user(role).get(path)
            )
            said[path] = (answer.status_code, answer.text)
    return said


@pytest.mark.postgres
def test_every_address_says_the_same(
    store: Store, postgres_store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And none refuses; the addresses come from the site itself, so that a new one is walked too."""
    same = {"value": str(read_namespace(store))}
    with postgres_store.begin() as uow:
        uow.connection.execute(update(installation).where(installation.c.name == NAMESPACE).values(same))
    on_sqlite = walked(store, clock, monkeypatch)
    on_postgres = walked(postgres_store, clock, monkeypatch)
    assert len(on_sqlite) > 60
    assert {path: status for path, (status, _) in on_sqlite.items() if status not in (200, 302)} == {}
    assert list(on_postgres) == list(on_sqlite)
    assert {path: on_postgres[path] for path in on_sqlite if on_postgres[path] != on_sqlite[path]} == {}
