"""PostgreSQL's index built anew: tables beside the old ones, loaded bare, indexed, then put in their place.

Loading into an index that is there costs twice as much as making the index afterwards, and ten times where deleted rows
still stand in it. All of it is one transaction: a rebuild that is killed leaves the old tables as they were.
"""

from __future__ import annotations

import sqlite3
from itertools import chain
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from connector.errors import StoreBusy
from connector.store.suggestion_stage import STAGED, Staged

_LINES = 20_000
_SLICE_MS = 200
"""Readers wait no longer than this for a swap that itself waits for one of them; under the server's check for deadlocks
(a second), so that none of them is ever broken off."""
_PAUSE_SECONDS = 1.0
_PATIENCE_SECONDS = 300.0
_LOCK_NOT_AVAILABLE = "55P03"

# Only a plain table that is ours, and on which nothing of others hangs (a view, a grant, a second index, a setting), is
# replaced by another of its name.
_OWN_KEY = text(
    "SELECT i.indexrelid::regclass::text FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary"
    " WHERE c.oid = to_regclass(:table) AND c.relkind = 'r' AND NOT c.relispartition AND c.relacl IS NULL"
    " AND c.reloptions IS NULL"
    " AND c.relnamespace = current_schema()::regnamespace AND has_schema_privilege(c.relnamespace, 'CREATE')"
    " AND pg_has_role(c.relowner, 'USAGE')"
    " AND (SELECT count(*) FROM pg_index WHERE indrelid = c.oid) = 1"
    # A subscriber knows the tables that were published, not those that are made now.
    " AND NOT EXISTS (SELECT FROM pg_publication_tables WHERE schemaname = current_schema() AND tablename = c.relname)"
    " AND NOT EXISTS (SELECT FROM pg_depend WHERE refclassid = 'pg_class'::regclass AND refobjid = c.oid"
    " AND classid NOT IN ('pg_class'::regclass, 'pg_type'::regclass, 'pg_constraint'::regclass))"
)


def fill(connection: Connection, staged: sqlite3.Connection) -> int:
    """Replaces the rows of the index by the staged ones; returns how many contacts there are."""
    keys = _own_keys(connection)
    swapped = len(keys) == len(STAGED)
    counts = {}
    for each in STAGED:
        target = _fresh(each.table) if swapped else each.table
        if swapped:
            connection.execute(text(f"CREATE TABLE {target} (LIKE {each.table} INCLUDING ALL EXCLUDING INDEXES)"))
        else:
            connection.execute(text(f"DELETE FROM {target}"))
        counts[each.table] = _copy(connection, staged, each, target, "FORMAT csv, FREEZE" if swapped else "FORMAT csv")
        if swapped:
            connection.execute(text(f"ALTER TABLE {target} ADD CONSTRAINT {target}_key PRIMARY KEY ({each.key})"))
        connection.execute(text(f"ANALYZE {target}"))
    if swapped:
        _swap(connection, keys)
    return counts["suggestion_contact"]


def _own_keys(connection: Connection) -> dict[str, str]:
    """The name of the primary key's index of every table that another may replace."""
    found = {each.table: connection.execute(_OWN_KEY, {"table": each.table}).scalar() for each in STAGED}
    return {table: str(key) for table, key in found.items() if key}


def _fresh(table: str) -> str:
    return f"{table}_fresh"


def _copy(connection: Connection, staged: sqlite3.Connection, each: Staged, target: str, options: str) -> int:
    """Sends the rows as lines of CSV that SQLite itself writes, so that no row costs Python anything; their number."""
    cells = """ || '","' || """.join(f"""replace({cell}, '"', '""')""" for cell in each.cells)
    line = f"""CAST('"' || {cells} || '"' || char(10) AS BLOB)"""
    cursor: Any = connection.connection.cursor()
    # The copy begins before the rows are put in order: that may take minutes, and an idle transaction is broken off.
    with cursor.copy(f"COPY {target} ({each.columns}) FROM STDIN ({options})") as copy:
        rows = staged.execute(each.ordered(line))
        while some := rows.fetchmany(_LINES):
            copy.write(b"".join(chain.from_iterable(some)))
    return int(cursor.rowcount)


def _swap(connection: Connection, keys: dict[str, str]) -> None:
    _shut_out_readers(connection, list(keys))
    for table, key in keys.items():
        fresh = _fresh(table)
        for statement in (
            f"DROP TABLE {table}",
            f"ALTER TABLE {fresh} RENAME TO {table}",
            f"ALTER INDEX {fresh}_key RENAME TO {key}",
        ):
            connection.execute(text(statement))


def _shut_out_readers(connection: Connection, tables: list[str]) -> None:
    """Takes all the tables at once or none: readers come to them in any order."""
    give_up = monotonic() + _PATIENCE_SECONDS
    while not _taken(connection, tables):
        if monotonic() > give_up:
            raise StoreBusy(
                "Another connection has been reading the suggestion index for minutes (a backup?); "
                "the index is as it was: rebuild it again afterwards.",
                retry_after=60,
            )
        sleep(_PAUSE_SECONDS)


def _taken(connection: Connection, tables: list[str]) -> bool:
    try:
        with connection.begin_nested():
            connection.execute(text(f"SET LOCAL lock_timeout = {_SLICE_MS}"))
            connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"))
            connection.execute(text("SET LOCAL lock_timeout TO DEFAULT"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
            raise
        return False
    return True
