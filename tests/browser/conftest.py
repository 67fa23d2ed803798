"""The site on a real port, and a real browser; skipped with a reason where there is none."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST
from flask import Flask
from werkzeug.serving import make_server

from connector.flows import people
from connector.store.unit_of_work import Store, open_store
from tests.conftest import FakeClock
from tests.web.conftest import PASSWORD, Site, make_site
from tests.web.seed import Seed, small_world

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


Desk = tuple[str, Site, dict[str, str]]
"""The address of a served site under a sub-path, the site, and the ids of what is in it."""


@pytest.fixture
def desk(store: Store, clock: FakeClock) -> Iterator[Desk]:
    """A site of this test's own, for tests that change what is in it."""
    with served(store, clock) as found:
        yield found


@pytest.fixture(scope="module")
def shown_desk(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A site that the tests of a module look at and leave as it is."""
    path = tmp_path_factory.mktemp("desk") / "connector.db"
    shutil.copy(migrated_file, path)
    store = open_store(f"sqlite:///{path}")
    with served(store, FakeClock(datetime(2026, 2, 2, 12, tzinfo=UTC))) as found:
        yield found
    store.close()


@contextmanager
def served(store: Store, clock: FakeClock) -> Iterator[Desk]:
    """The site around a store, on a real port."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    holder: list[Flask] = []

    def serve(environ: Any, start: Any) -> Any:
        return holder[0](environ, start)

    server = make_server("127.0.0.1", 0, serve, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}/desk"
    site = make_site(store, clock, public_url=url)
    holder.append(site.app)
    hashes = pytest.MonkeyPatch()
    hashes.setattr(people, "HASHER", PasswordHasher.from_parameters(CHEAPEST))
    people.create_user(site.ctx, "ada", PASSWORD, "admin")
    seed = Seed(site.ctx)
    ids = small_world(seed)
    seed.shelved(seed.delivery(state="done"))
    seed.delivery(state="dead", error="The body is not JSON.")
    seed.stuck("Case", "key-1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield url, site, ids
    finally:
        hashes.undo()
        server.shutdown()
        thread.join()
        server.server_close()
        site.app.extensions["connector_submitter"].close()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a screen."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM} (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield found
        found.close()
