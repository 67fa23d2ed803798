"""The site around a fresh store, and clients who are signed in or hold a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from flask import Flask
from flask.testing import FlaskClient

from connector.flows import people
from connector.flows.context import Context
from connector.flows.sources import Source
from connector.mapping.channels import load_channels
from connector.mapping.crm import load_crm_mapping
from connector.mapping.loader import load_mapping
from connector.mapping.purposes import load_consent
from connector.settings import default_mappings_dir
from connector.store.installation import read_namespace
from connector.store.unit_of_work import Store
from connector.web.site import register
from tests.conftest import FakeClock
from tests.web.seed import Seed

PASSWORD = "correct horse battery"
MAPPINGS = default_mappings_dir()
CHANNELS = load_channels(MAPPINGS / "channels.yml")
CONSENT = load_consent(MAPPINGS, "Fjordpost")
CRM_MAPPING = load_crm_mapping(MAPPINGS / "crm" / "salesforce.yml")


@dataclass
class Site:
    """The app with its context, and clients for every role."""

    app: Flask
    ctx: Context
    clients: dict[str, FlaskClient] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def as_user(self, role: str) -> FlaskClient:
        """A client signed in with the role."""
        if role not in self.clients:
            user = people.create_user(self.ctx, f"{role} person", PASSWORD, role)
            client = self.app.test_client()
            with client.session_transaction() as session:
                session["user"], session["epoch"], session["csrf"] = user.id, user.session_epoch, "token"
            self.clients[role] = client
        return self.clients[role]

    def post(self, role: str, path: str, /, **form: Any) -> Any:
        """A form of a signed-in user, with its token."""
        return self.as_user(role).post(path, data={"csrf": "token", **form})

    def key(self, role: str) -> dict[str, str]:
        """The headers of a program with a key of the role."""
        if role not in self.tokens:
            self.tokens[role] = people.create_key(self.ctx, f"{role} program", role)[1]
        return {"Authorization": f"Bearer {self.tokens[role]}"}

    def api(self, method: str, path: str, *, role: str = "admin", **more: Any) -> Any:
        """A call of the API with a key of the role."""
        headers = {**self.key(role), **more.pop("headers", {})}
        return self.app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **more)


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "HASHER", PasswordHasher.from_parameters(CHEAPEST))


def sources() -> dict[str, Source]:
    """A webhook source and the API's own."""
    mapping = load_mapping(MAPPINGS / "sources" / "social_case.yml", CHANNELS)
    return {"social": Source("social", mapping, secrets=("whsec_c2VjcmV0",)), "api": Source("api", mapping)}


def make_site(
    store: Store,
    clock: FakeClock,
    *,
    public_url: str = "http://localhost",
    timezone: str = "Europe/Oslo",
    trusted_proxies: int = 0,
) -> Site:
    """The site around a store."""
    ctx = Context(
        store=store,
        clock=clock,
        namespace=read_namespace(store),
        sources=sources(),
        channels=CHANNELS,
        consent=CONSENT,
        secret_key="k" * 32,
        public_url=public_url,
        company="Fjordpost",
        crm_mapping=CRM_MAPPING,
    )
    app = Flask("connector.web")
    app.testing = True
    app.config["PROPAGATE_EXCEPTIONS"] = False
    register(app, ctx, timezone=timezone, trusted_proxies=trusted_proxies)
    return Site(app, ctx)


@contextmanager
def standing(store: Store, clock: FakeClock) -> Iterator[Site]:
    """The site around a store, until the end of the block."""
    found = make_site(store, clock)
    yield found
    found.app.extensions["connector_submitter"].close()


@pytest.fixture
def site(store: Store, clock: FakeClock) -> Iterator[Site]:
    """The site around an empty store; a module whose tests must hold on PostgreSQL too gives its own."""
    with standing(store, clock) as found:
        yield found


@pytest.fixture
def seed(site: Site) -> Seed:
    """Writes rows into the site's store."""
    return Seed(site.ctx)


@pytest.fixture
def site_at(store: Store, clock: FakeClock) -> Callable[[str], Site]:
    """The site under another public URL."""
    return lambda url: make_site(store, clock, public_url=url)
