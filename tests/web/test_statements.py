"""How many statements a page asks of the store: as many for one row as for forty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from tests.web.conftest import Site
from tests.web.seed import MARA, Seed, small_world

PAGES = (
    "/inbox", "/inbox?tab=unlinked", "/cases", "/people", "/search?q=somebody", f"/contacts/{MARA}", "/reports",
    "/reports/volume", "/reports/first-response", "/reports/volume/cases", "/admin", "/admin/deliveries",
    "/admin/shelf", "/admin/outbox", "/admin/sources", "/admin/users", "/admin/keys",
)  # fmt: skip
ADDRESSES = (
    "/cases?limit=200", "/interactions?limit=200", "/profiles?limit=200", f"/contacts/{MARA}/history?limit=200",
    f"/links?contact={MARA}", "/consent/records?limit=200", "/deliveries?limit=200", "/outbox?limit=200",
)  # fmt: skip


@contextmanager
def counted(site: Site) -> Iterator[list[str]]:
    """The statements that reach the database meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(site.ctx.store.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(site.ctx.store.engine, "before_cursor_execute", note)


def crowd(seed: Seed, linked: str) -> None:
    """Forty more of everything, one person's among them."""
    for number in range(40):
        profile = seed.profile(f"somebody_{number:02d}")
        for whose in (profile, linked):
            case = seed.case(whose, opened={"minutes": number + 5})
            seed.say(case, "hello", ago={"minutes": number + 5}, profile_id=whose)
        seed.shelved(seed.delivery(state="done"), path=f"$[{number}]")
        seed.stuck("Case", f"case-{number}")


@pytest.fixture
def numbers(site: Site, seed: Seed) -> tuple[dict[str, int], dict[str, int]]:
    """Statements by address, before and after the crowd came."""
    ids = small_world(seed)
    seed.shelved(seed.delivery(state="done"))
    seed.stuck("Case", "case")
    seed.profile("somebody")

    def ask() -> dict[str, int]:
        found = {}
        for path in (*PAGES, f"/profiles/{ids['linked']}", f"/cases/{ids['case']}"):
            with counted(site) as asked:
                assert site.as_user("admin").get(path).status_code == 200
            found[path] = len(asked)
        for path in ADDRESSES:
            with counted(site) as asked:
                assert site.api("GET", path).status_code == 200
            found[f"/api{path}"] = len(asked)
        return found

    ask()  # users and keys are made by the first to ask
    few = ask()
    crowd(seed, ids["linked"])
    return few, ask()


def test_no_page_and_no_list_asks_more_for_more_rows(numbers: tuple[dict[str, int], dict[str, int]]) -> None:
    """A statement per row is the commonest way for a list to become slow."""
    few, many = numbers
    assert {path: (few[path], many[path]) for path in few if many[path] > few[path]} == {}
    assert min(few.values()) > 0
