"""A store that is in use at any earlier release is brought to this one with all that is in it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, Table, insert, select, text

from connector.store.installation import namespace, read_namespace
from connector.store.migrate import head_revision, migrate, migrations_dir, schema_problem
from connector.store.unit_of_work import Store, open_store
from tests.contract.test_schema import dumped

MOMENT = 1_770_000_000_000
ROWS: dict[str, list[dict[str, Any]]] = {
    "deliveries": [
        {"source": "x", "key": state, "received_at": MOMENT, "body": b"{}", "state": state} for state in ("new", "done")
    ],
    "shelf": [
        {
            "delivery_id": 2, "source": "x", "item_path": "$", "reason": "field_missing", "detail": "d", "cure": "c",
            "shelved_at": MOMENT,
        },
    ],
    "events": [
        {
            "network": "x", "item": "i1", "kind": "mention", "version": "v", "delivery_id": 2, "applied_at": MOMENT,
        },
    ],
    "social_profiles": [
        {
            "id": "p1", "network": "x", "external_id": "e1", "handle": "Ada", "handle_key": "ada",
            "first_seen_at": MOMENT, "last_seen_at": MOMENT,
        },
    ],
    "profile_handles": [
        {"profile_id": "p1", "handle_key": "ada", "handle": "Ada", "first_seen_at": MOMENT, "last_seen_at": MOMENT}
    ],
    "crm_contacts": [{"crm_id": "0031", "last_name": "Holm", "modified_at": MOMENT, "synced_at": MOMENT}],
    "cases": [
        {
            "id": "c1", "origin": "connector", "channel": "social", "network": "x", "thread": "t", "profile_id": "p1",
            "opened_at": MOMENT,
        },
    ],
    "interactions": [
        {
            "id": "i1", "origin": "connector", "case_id": "c1", "profile_id": "p1", "channel": "social", "network": "x",
            "item_id": "i1", "kind": "mention", "direction": "inbound", "occurred_at": MOMENT, "received_at": MOMENT,
            "text": "Grüße 👋",
        },
    ],
    "case_events": [{"case_id": "c1", "type": "opened", "at": MOMENT, "recorded_at": MOMENT}],
    "links": [
        {
            "id": "l1", "profile_id": "p1", "contact_id": "0031", "state": "active", "h": 2, "c": 2, "asked_at": MOMENT,
            "by": "ana",
        },
    ],
    "ledger": [{"seq": 1, "at": MOMENT, "type": "asked", "link_id": "l1", "body": b"b", "prev": b"p", "hash": b"h"}],
    "audit": [{"at": MOMENT, "actor": "ana", "action": "view", "object": "case", "object_id": "c1"}],
    "outbox": [{"object": "Case", "external_key": "c1", "parent_key": "p1", "rank": 20, "queued_at": MOMENT}],
}  # fmt: skip
"""Some of what a store holds that was worked with, parents first."""


def revisions() -> list[str]:
    """All but the newest, oldest first."""
    script = ScriptDirectory(str(migrations_dir()))
    return [each.revision for each in reversed(list(script.walk_revisions())) if each.revision != head_revision()]


def used_since(store: Store, revision: str) -> dict[str, list[dict[str, Any]]]:
    """Brings an empty store to an earlier release's schema and fills it; the rows of each table as they then are."""
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    with store.begin() as uow:
        config.attributes.update(connection=uow.connection, on_step=lambda _: None)
        command.upgrade(config, revision)
        namespace(uow)
        for table in tables(uow.connection):
            if table.name in ROWS:
                uow.connection.execute(insert(table), ROWS[table.name])
    return contents(store)


def tables(connection: Any) -> list[Table]:
    """The tables as they are, parents first."""
    found = MetaData()
    found.reflect(connection)
    return found.sorted_tables


def contents(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table but the revision."""
    with store.read() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in tables(connection)
            if table.name != "alembic_version"
        }


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without a table."""
    return (
        f"sqlite:///{tmp_path}/old.db" if request.param == "sqlite" else str(request.getfixturevalue("empty_postgres"))
    )


@pytest.fixture
def empty(url: str) -> Iterator[Store]:
    """A store without a table."""
    store = open_store(url)
    yield store
    store.close()


@pytest.mark.parametrize("revision", revisions())
def test_a_store_in_use_is_brought_to_this_release_with_all_that_is_in_it(
    request: pytest.FixtureRequest, empty: Store, revision: str
) -> None:
    fresh: Store = request.getfixturevalue("store" if empty.is_sqlite else "postgres_store")
    before = used_since(empty, revision)
    assert "connector migrate" in str(schema_problem(empty))
    name = read_namespace(empty)
    assert migrate(empty)[-1] == head_revision()
    after = contents(empty)
    for table, rows in before.items():
        kept = [{column: row[column] for column in old} for row, old in zip(after[table], rows, strict=True)]
        assert kept == rows, table
    assert read_namespace(empty) == name
    with empty.read() as connection, fresh.read() as other:
        assert objects(connection) == objects(other)
        if empty.is_sqlite:
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


def objects(connection: Any) -> dict[tuple[str, str], str]:
    """The schema's objects, without the name of the PostgreSQL schema they are in."""
    here = "" if connection.dialect.name == "sqlite" else connection.execute(text("SELECT current_schema()")).scalar()
    return {key: statement.replace(f"{here}.", "") for key, statement in dumped(connection).items()}


UPGRADE = """
import os, signal, sys
from sqlalchemy import event
from connector.store.migrate import migrate
from connector.store.unit_of_work import open_store
store = open_store(sys.argv[1])
@event.listens_for(store.engine, "after_cursor_execute")
def end(connection, cursor, statement, *rest):
    if statement.startswith("ALTER TABLE social_profiles"):
        os.kill(os.getpid(), signal.SIGKILL)
migrate(store)
"""


@pytest.mark.chaos
def test_an_upgrade_that_is_killed_leaves_the_store_as_it_was(empty: Store, url: str) -> None:
    before = used_since(empty, "0001")
    with empty.read() as connection:
        schema = dumped(connection)
    done = subprocess.run([sys.executable, "-c", UPGRADE, url], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert contents(empty) == before
    with empty.read() as connection:
        assert dumped(connection) == schema
    assert migrate(empty)[-1] == head_revision()
