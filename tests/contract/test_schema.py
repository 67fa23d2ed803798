"""The migrations make exactly the schema that ``store.tables`` declares, and nothing half."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from connector.store.installation import namespace, read_namespace
from connector.store.migrate import migrate, schema_problem
from connector.store.tables import metadata
from connector.store.unit_of_work import Store, open_store

SQLITE_DDL = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name <> 'alembic_version' ORDER BY type, name"
POSTGRES_DDL = (
    "SELECT 'column', table_name || '.' || column_name, "
    "  concat_ws(' ', data_type, is_nullable, column_default, collation_name, is_identity) "
    "FROM information_schema.columns WHERE table_schema = current_schema() AND table_name <> 'alembic_version' "
    "UNION ALL SELECT 'constraint', conrelid::regclass::text || '.' || conname, pg_get_constraintdef(oid) "
    "FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND conname <> 'alembic_version_pkc' "
    "UNION ALL SELECT 'index', indexname, indexdef FROM pg_indexes "
    "WHERE schemaname = current_schema() AND tablename <> 'alembic_version' "
    "UNION ALL SELECT 'trigger', tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid "
    "WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal "
    "UNION ALL SELECT 'function', proname, prosrc FROM pg_proc WHERE pronamespace = current_schema()::regnamespace "
    "ORDER BY 1, 2"
)

ADDED = re.compile(r", (?=\w+ [A-Z]+(?: DEFAULT '[^']*')?(?: NOT NULL)?$)")
"""Where SQLite puts down a column that was added later: behind the last one, on its line."""


def dumped(connection: Connection) -> dict[tuple[str, str], str]:
    """Every object of the schema and the statement that would make it, spacing and column order aside."""
    is_sqlite = connection.dialect.name == "sqlite"
    rows = connection.execute(text(SQLITE_DDL if is_sqlite else POSTGRES_DDL))
    return {(kind, name): _plain(statement) for kind, name, statement in rows}


def _plain(statement: str | None) -> str:
    body = " ".join((statement or "").replace('"', "").split())
    opening = body.partition(" (")[0]
    if not opening.startswith("CREATE TABLE"):
        return body
    lines = (statement or "").replace('"', "").splitlines()[1:]
    parts = [part.strip() for line in lines for part in ADDED.split(line.strip().rstrip(","))]
    return f"{opening} ({'; '.join(sorted(parts))}"


def test_the_migrated_schema_is_the_declared_one(any_store: Store, tmp_path: object) -> None:
    with any_store.read() as connection:
        migrated = dumped(connection)
    assert migrated == _declared(any_store, str(tmp_path))
    assert any(kind == "trigger" for kind, _ in migrated)


def _declared(like: Store, folder: str) -> dict[tuple[str, str], str]:
    if like.is_sqlite:
        fresh = open_store(f"sqlite:///{folder}/declared.db")
        with fresh.begin() as uow:
            metadata.create_all(uow.connection)
            found = dumped(uow.connection)
        fresh.close()
        return found
    with like.engine.connect() as connection:
        here = connection.execute(text("SELECT current_schema()")).scalar_one()
        connection.execute(text("CREATE SCHEMA declared_for_test"))
        connection.execute(text("SET LOCAL search_path = declared_for_test"))
        metadata.create_all(connection)
        rows = dumped(connection)
        connection.rollback()
    return {key: statement.replace("declared_for_test.", f"{here}.") for key, statement in rows.items()}


@pytest.mark.parametrize("table", ["ledger", "audit"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = 0", "DELETE FROM {}", "EVERYTHING"])
def test_append_only_tables_refuse_every_change(any_store: Store, table: str, change: str) -> None:
    rows = {
        "ledger": "INSERT INTO ledger (seq, at, type, body, prev, hash) VALUES (1, 1, 'asked', 'b', 'p', 'h')",
        "audit": "INSERT INTO audit (at, actor, action, object, object_id) VALUES (1, 'a', 'view', 'case', '1')",
    }
    if change == "EVERYTHING":
        change = "REPLACE INTO {0} SELECT * FROM {0}" if any_store.is_sqlite else "TRUNCATE {}"
    with any_store.begin() as uow:
        uow.connection.execute(text(rows[table]))
    with pytest.raises(DBAPIError, match="append-only"), any_store.begin() as uow:
        uow.connection.execute(text(change.format(table)))
    with any_store.read() as connection:
        assert connection.execute(text(f"SELECT at FROM {table}")).scalar_one() == 1


def test_migrating_twice_changes_nothing_and_keeps_the_namespace(any_store: Store) -> None:
    before = read_namespace(any_store)
    assert migrate(any_store) == []
    with any_store.begin() as uow:
        assert namespace(uow) == before
    assert schema_problem(any_store) is None


def test_an_empty_store_is_told_to_migrate(tmp_path: object) -> None:
    store = open_store(f"sqlite:///{tmp_path}/empty.db")
    assert "connector migrate" in str(schema_problem(store))
    told: list[str] = []
    assert migrate(store, told.append) == told == ["0001", "0002", "0003", "0004"]
    store.close()


def test_a_store_of_a_newer_release_is_named_as_such(store: Store) -> None:
    with store.begin() as uow:
        uow.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "newer than this release" in str(schema_problem(store))
