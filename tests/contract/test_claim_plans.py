"""How PostgreSQL finds what is due when it knows nothing of a table yet, as right after a bulk load."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event, text

from connector.store import crm_records, inbox, outbox
from connector.store.unit_of_work import Store

pytestmark = pytest.mark.postgres

LOADED = 3000
DELIVERIES = f"""
INSERT INTO deliveries (source, key, received_at)
SELECT 'source' || g % 5, md5(g::text), g FROM generate_series(1, {LOADED}) g
"""
RECORDS = f"""
INSERT INTO outbox (object, external_key, parent_key, rank, queued_at)
SELECT 'Case', 'case' || g, 'profile' || g % 50, 20, g FROM generate_series(1, {LOADED}) g
"""


def plans(store: Store, act: Callable[[], object]) -> list[str]:
    """What the server says it will do for each reading statement of the act."""
    found: list[str] = []

    def explain(_connection: object, cursor: Any, statement: str, values: Any, *_: object) -> None:
        if statement.lstrip().startswith("SELECT") and " FROM " in statement and "set_config" not in statement:
            cursor.execute(f"EXPLAIN {statement}", values)
            found.append("\n".join(row[0] for row in cursor.fetchall()))

    event.listen(store.engine, "before_cursor_execute", explain)
    try:
        act()
    finally:
        event.remove(store.engine, "before_cursor_execute", explain)
    return found


def load(store: Store, statement: str) -> None:
    with store.begin() as uow:
        uow.connection.execute(text(statement))


def assert_walked(found: list[str], index: str) -> None:
    assert any(index in plan for plan in found)
    for plan in found:
        assert "Seq Scan" not in plan
        assert "Sort" not in plan or "_claimed" in plan  # the few rows of the claim itself may be sorted


def test_a_claim_of_deliveries_walks_the_queue(postgres_store: Store) -> None:
    load(postgres_store, DELIVERIES)

    def claim() -> None:
        with postgres_store.begin() as uow:
            assert len(inbox.claim(uow, 200)) == 200

    assert_walked(plans(postgres_store, claim), "ix_deliveries_waiting")


def test_a_claim_of_records_and_the_look_before_it_walk_the_queue(postgres_store: Store) -> None:
    load(postgres_store, RECORDS)

    def claim() -> None:
        with postgres_store.read() as connection:
            assert crm_records.ready(connection).rows == 200
        with postgres_store.begin() as uow:
            assert len(outbox.claim(uow, 200)) == 200

    assert_walked(plans(postgres_store, claim), "ix_outbox_waiting")


def test_after_a_claim_the_server_plans_as_ever(postgres_store: Store) -> None:
    load(postgres_store, DELIVERIES)
    with postgres_store.begin() as uow:
        inbox.claim(uow, 200)
        assert uow.connection.execute(text("SHOW enable_sort")).scalar_one() == "on"
        assert uow.connection.execute(text("SHOW enable_seqscan")).scalar_one() == "on"
