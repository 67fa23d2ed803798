"""The org's rows in SQLite: one table an object, built from the schema."""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sandbox.schema import NUMBER_TYPES, Field, SObject

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_UNINDEXED = frozenset({"CreatedById", "LastModifiedById", "OwnerId", "MasterRecordId"})

TABLES = """
CREATE TABLE IF NOT EXISTS _object (name TEXT PRIMARY KEY, prefix TEXT NOT NULL UNIQUE, spec TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS _counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS _component (kind TEXT, name TEXT, digest TEXT NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS _cleared (lost TEXT, object TEXT, field TEXT, record TEXT,
                                     PRIMARY KEY (lost, object, field, record));
CREATE TABLE IF NOT EXISTS _setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def quoted(name: str) -> str:
    """An API name as an SQL identifier; only letters, digits and underscores can be one."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not an API name: {name!r}")
    return f'"{name}"'


class DataUnusable(Exception):
    """The folder of the org's file cannot be used."""


class Database:
    """One connection, used by one thread at a time: every use happens inside ``transaction()``."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self._lock = threading.RLock()
        self._depth = 0
        try:
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(file or ":memory:", check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute("PRAGMA case_sensitive_like=OFF")
            self._connection.executescript(TABLES)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise DataUnusable(f"The org's file {file} cannot be used ({reason})") from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside is kept together or not at all; a transaction inside another is a savepoint."""
        with self._lock:
            name = f"s{self._depth}"
            self._connection.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE")
            outermost, self._depth = self._depth == 0, self._depth + 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                self._undo(name, outermost=outermost)
                raise
            self._depth -= 1
            self._connection.execute("COMMIT" if outermost else f"RELEASE {name}")

    def _undo(self, name: str, *, outermost: bool) -> None:
        if outermost:
            self._connection.execute("ROLLBACK")
        else:
            self._connection.execute(f"ROLLBACK TO {name}")
            self._connection.execute(f"RELEASE {name}")

    def all(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.execute(sql, parameters).fetchall()

    def one(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """The first row of a query, or None."""
        row: tuple[Any, ...] | None = self._connection.execute(sql, parameters).fetchone()
        return row

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Runs a statement and tells how many rows it touched."""
        return self._connection.execute(sql, parameters).rowcount

    def run_many(self, sql: str, parameters: Iterable[Sequence[Any]]) -> None:
        """Runs a statement once for each set of parameters."""
        self._connection.executemany(sql, parameters)

    def take_numbers(self, counter: str, count: int, start: int = 0) -> int:
        """The first of ``count`` numbers that nobody else gets."""
        row = self.one("SELECT value FROM _counter WHERE name = ?", (counter,))
        first = row[0] + 1 if row else start + 1
        self.run("INSERT OR REPLACE INTO _counter VALUES (?, ?)", (counter, first + count - 1))
        return int(first)

    def shape(self, item: SObject) -> None:
        """Brings the object's table to its schema: creates it, or adds the columns and indexes it lacks."""
        table = quoted(item.name)
        present = {row[1] for row in self.all(f"PRAGMA table_info({table})")}
        stored = [field for field in item.fields.values() if field.stored]
        if not present:
            columns = ", ".join(_column(field) for field in stored)
            self.run(f"CREATE TABLE {table} ({columns})")
        else:
            for field in stored:
                if field.name not in present:
                    self.run(f"ALTER TABLE {table} ADD COLUMN {_column(field)}")
        for field in stored:
            for statement in _indexes(item, field):
                self.run(statement)

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()


def _column(field: Field) -> str:
    name = quoted(field.name)
    if field.name == "Id":
        return f"{name} TEXT PRIMARY KEY"
    if field.type == "boolean":
        return f"{name} INTEGER NOT NULL DEFAULT {int(bool(field.default))}"
    if field.type in {"datetime", "int"}:
        return f"{name} INTEGER"
    if field.type in NUMBER_TYPES:
        return f"{name} REAL"
    return f"{name} TEXT" if field.matches_case else f"{name} TEXT COLLATE NOCASE"


def _indexes(item: SObject, field: Field) -> Iterator[str]:
    table, column = quoted(item.name), quoted(field.name)
    name = quoted(f"ix_{item.name}_{field.name}")
    if field.unique:
        # Records in the recycle bin do not hold on to their values.
        yield f"CREATE UNIQUE INDEX IF NOT EXISTS {name} ON {table} ({column}) WHERE IsDeleted = 0"
    elif field.name == "SystemModstamp" or (field.name != "Id" and (field.external_id or field.id_lookup)):
        yield f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column})"
    elif field.type == "reference" and field.name not in _UNINDEXED:
        yield f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({column}) WHERE {column} IS NOT NULL"
