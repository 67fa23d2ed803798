"""How SQLite finds the rows of the lists: it keeps no statistics here, so the statements must lead it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event

from connector.queries import cases, operations, timeline
from connector.store import outbox_shelf, shelf
from connector.store.tables import cases as cases_table
from connector.store.tables import interactions, social_profiles
from connector.store.unit_of_work import Store

Look = Callable[[Connection], Any]
PAGE: dict[str, Any] = {"cursor": None, "limit": 50}
SORTED = "USE TEMP B-TREE FOR ORDER BY"


def plan(store: Store, look: Look) -> str:
    """What SQLite does for the statements of this look."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        asked.append((statement, values))

    event.listen(store.engine, "before_cursor_execute", note)
    with store.read() as connection:
        look(connection)
    event.remove(store.engine, "before_cursor_execute", note)
    with store.read() as connection:
        steps = [
            str(row[-1])
            for statement, values in asked
            if statement != "BEGIN"
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        ]
    return "\n".join(steps)


def said_where(**kept: str | None) -> Look:
    """A look at the interactions of everybody."""
    every: dict[str, Any] = dict.fromkeys(("case_id", "channel", "network", "direction", "since", "until"))
    return lambda connection: timeline.interaction_list(connection, **(every | kept | PAGE))


IN_ORDER: dict[str, tuple[Look, str]] = {
    "the inbox of a network": (
        lambda c: cases.inbox(c, "waiting", cases.CaseFilter(network="x"), **PAGE), "cases USING INDEX ix_cases_inbox",
    ),
    "what was said on a network": (said_where(network="x", channel="social"), "ix_interactions_occurred_at"),
    "a person's history": (
        lambda c: timeline.history(c, ["0031"], ["p1", "p2"], channel=None, **PAGE),
        "ix_interactions_profile_id (profile_id=? AND occurred_at>?)",
    ),
    "deliveries of a source": (
        lambda c: operations.delivery_list(c, state=None, source="x", **PAGE), "ix_deliveries_source_received_at",
    ),
    "dead deliveries of a source": (
        lambda c: operations.delivery_list(c, state="dead", source="x", **PAGE), "ix_deliveries_dead",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("look", "index"), IN_ORDER.values(), ids=IN_ORDER)
def test_a_list_is_read_in_its_order_and_left_when_a_page_is_full(store: Store, look: Look, index: str) -> None:
    found = plan(store, look)
    assert index in found
    assert SORTED not in found


FEW: dict[str, tuple[Look, str]] = {
    "records the CRM refused": (
        lambda c: operations.outbox_list(c, state="dead", obj=None, error_code=None, **PAGE), "ix_outbox_dead",
    ),
    "records that wait": (
        lambda c: operations.outbox_list(c, state="pending", obj=None, error_code=None, **PAGE), "ix_outbox_waiting",
    ),
    "the same from the command line": (lambda c: outbox_shelf.rows(c, state="dead"), "ix_outbox_dead"),
    "open items of the shelf": (
        lambda c: operations.shelf_list(c, state="open", source=None, reason=None, **PAGE), "ix_shelf_open",
    ),
    "open items from the command line": (shelf.items, "ix_shelf_open"),
    "deliveries of a day": (
        lambda c: operations.received_since(c, ["x", "line"], 1), "received_at (source=? AND received_at>?)",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("look", "index"), FEW.values(), ids=FEW)
def test_the_few_among_very_many_are_found_by_their_own_index(store: Store, look: Look, index: str) -> None:
    found = plan(store, look)
    assert index in found
    assert "SCAN outbox\n" not in f"{found}\n"
    assert "SCAN shelf\n" not in f"{found}\n"


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 30])
def test_of_a_long_case_the_first_words_and_the_latest_are_read(any_store: Store, count: int) -> None:
    ids = [f"l{number:03d}" for number in range(count)]
    with any_store.begin() as uow:
        uow.connection.execute(social_profiles.insert(), [_profile("p1")])
        uow.connection.execute(cases_table.insert(), [_case("long"), _case("short")])
        said = [_said(each, "long", number) for number, each in enumerate(ids)]
        uow.connection.execute(interactions.insert(), [*said, _said("s1", "short", 5)])
    with any_store.read() as connection:
        found = timeline.said_in_cases(connection, ["long", "short", "none"], most=10)
        assert timeline.said_in_cases(connection, [], most=10) == {}
    shown = ids if count <= 10 else [ids[0], *ids[-9:]]
    assert [each["id"] for each in found["long"].rows] == shown
    assert (found["long"].total, found["long"].between) == (count, count - len(shown))
    assert [each["id"] for each in found["short"].rows] == ["s1"]
    assert "none" not in found


def test_a_history_is_of_all_accounts_in_one_order_page_by_page(any_store: Store) -> None:
    with any_store.begin() as uow:
        uow.connection.execute(social_profiles.insert(), [_profile("p1"), _profile("p2"), _profile("p3")])
        uow.connection.execute(cases_table.insert(), [_case("c1")])
        rows = [_said(f"i{number}", "c1", number, profile_id=f"p{number % 3 + 1}") for number in range(9)]
        known = {"origin": "crm", "crm_contact_id": "0031"}
        rows += [_said("born", None, 20, profile_id=None) | known, _said("both", None, 21, profile_id="p1") | known]
        uow.connection.execute(interactions.insert(), rows)
    expected = ["both", "born", *(f"i{number}" for number in range(8, -1, -1) if number % 3 != 2)]
    found: list[str] = []
    cursor: str | None = None
    while True:
        with any_store.read() as connection:
            page = timeline.history(connection, ["0031"], ["p1", "p2"], channel=None, cursor=cursor, limit=3)
        found += [row["id"] for row in page.rows]
        cursor = page.next
        if cursor is None:
            break
    assert found == expected


def _profile(name: str) -> dict[str, Any]:
    return {"id": name, "network": "x", "external_id": name, "first_seen_at": 1, "last_seen_at": 1}


def _case(name: str) -> dict[str, Any]:
    return {
        "id": name, "origin": "connector", "channel": "social", "network": "x", "thread": name, "profile_id": "p1",
        "opened_at": 1,
    }  # fmt: skip


def _said(name: str, case_id: str | None, at: int, *, profile_id: str | None = "p1") -> dict[str, Any]:
    return {
        "id": name, "origin": "connector", "case_id": case_id, "profile_id": profile_id, "channel": "social",
        "network": "x", "item_id": name, "kind": "comment", "direction": "inbound", "occurred_at": at,
        "received_at": at, "text": name, "crm_contact_id": None,
    }  # fmt: skip
