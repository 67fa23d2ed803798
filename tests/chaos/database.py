"""The store as somebody else than the service sees and changes it: plain SQL, no code of the service."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import psycopg
from psycopg.rows import dict_row

Row = dict[str, Any]
APPLICATION = "connector-chaos"


class Database:
    """The database at a URL; opened at the first look."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_sqlite = url.startswith("sqlite:")
        self._connection: sqlite3.Connection | psycopg.Connection[Row] | None = None

    def look(self, sql: str) -> list[Row]:
        """The rows that a query finds."""
        return [dict(row) for row in self._opened().execute(sql).fetchall()]

    def change(self, *statements: str) -> None:
        """Changes made by a person's hand, each committed by itself."""
        for each in statements:
            self._opened().execute(each)

    def is_free(self) -> bool:
        """Whether nobody is in the middle of a write to this SQLite file."""
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=0.2)) as connection:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return False
        return True

    def listeners(self) -> int:
        """How many workers listen for hints on PostgreSQL, which they do once they work."""
        listening = f"application_name = '{APPLICATION}' AND query LIKE 'LISTEN%'"
        return len(self.look(f"SELECT pid FROM pg_stat_activity WHERE {listening}"))

    def cut_connections(self) -> int:
        """Ends every connection of the service, as a restart of PostgreSQL does; how many there were."""
        ended = self.look(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{APPLICATION}'"
        )
        return len(ended)

    def close(self) -> None:
        """Gives the connection back; the next look opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _opened(self) -> Any:
        if self._connection is None:
            self._connection = self._sqlite() if self.is_sqlite else self._postgres()
        return self._connection

    def _sqlite(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.url.removeprefix("sqlite:///"), timeout=20, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=OFF")
        return connection

    def _postgres(self) -> psycopg.Connection[Row]:
        url = self.url.replace("+psycopg", "", 1)
        return psycopg.connect(url, autocommit=True, row_factory=dict_row, application_name="connector-checker")
