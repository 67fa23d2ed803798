"""The site on a real port, and a real browser; skipped with a reason where there is none."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.serving import make_server

from connector.flows import people
from connector.store.unit_of_work import Store
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


@pytest.fixture
def desk(store: Store, clock: FakeClock) -> Iterator[tuple[str, Site, dict[str, str]]]:
    """The address of a served site under a sub-path, the site, and the ids of what is in it."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    holder: list[Flask] = []

    def serve(environ: Any, start: Any) -> Any:
        return holder[0](environ, start)

    server = make_server("127.0.0.1", 0, serve, threaded=True)
    url = f"http://127.0.0.1:{server.server_port}/desk"
    site = make_site(store, clock, public_url=url)
    holder.append(site.app)
    people.create_user(site.ctx, "ada", PASSWORD, "admin")
    seed = Seed(site.ctx)
    ids = small_world(seed)
    seed.shelved(seed.delivery(state="done"))
    seed.delivery(state="dead", error="The body is not JSON.")
    seed.stuck("Case", "key-1")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield url, site, ids
    server.shutdown()
    thread.join()
    server.server_close()


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
