"""The durable accept: a delivery is committed before its sender is answered.

SQLite commits in groups: one commit to disk costs as much as a hundred rows, so the first request to wait for its turn
takes along every row that came meanwhile, and all of them share its commit or its error. PostgreSQL commits each
request by itself, where the server groups them. The statement goes by DB-API: it is the hottest of the product.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool
from sqlalchemy.exc import OperationalError

from connector.errors import StoreBusy
from connector.store.queues import run
from connector.store.unit_of_work import Store, as_store_error

POSTGRES_CONNECTIONS = 8

_COLUMNS = "source, key, received_at, body, content_type, headers"
_SQLITE = (
    f"INSERT INTO deliveries ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (source, key) DO NOTHING",
    "UPDATE deliveries SET duplicates = duplicates + 1 WHERE source = ? AND key = ?",
)
_POSTGRES = (
    f"INSERT INTO deliveries ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (source, key) DO NOTHING",
    "UPDATE deliveries SET duplicates = duplicates + 1 WHERE source = %s AND key = %s",
)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """An authentic request to be stored: ``key`` is its delivery key, ``headers`` the allowed ones as JSON."""

    source: str
    key: str
    received_at: int
    body: bytes
    content_type: str = ""
    headers: str = "{}"

    @property
    def row(self) -> tuple[str, str, int, bytes, str, str]:
        """The values in the order of the insert."""
        return (self.source, self.key, self.received_at, self.body, self.content_type, self.headers)


class GroupCommit:
    """Stores deliveries durably, from any number of threads."""

    def __init__(self, store: Store) -> None:
        self._way = _Grouped(store) if store.is_sqlite else _Pooled(store)

    def accept(self, delivery: NewDelivery) -> bool:
        """True when it was stored, False when this source already sent the same; both only once it is on disk.

        Raises StoreBusy for any fault of the database: then nothing is promised and the sender must send again.
        """
        return self._way.accept(delivery)

    def close(self) -> None:
        """Gives back its connections; a later accept opens them again."""
        self._way.close()


class _Waiting:
    """One request's row until its group is committed."""

    __slots__ = ("delivery", "error", "gate", "stored")

    def __init__(self, delivery: NewDelivery) -> None:
        self.delivery = delivery
        self.stored = False
        self.error: StoreBusy | None = None
        self.gate = Lock()
        self.gate.acquire()


class _Grouped:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._mutex = Lock()
        self._queue: list[_Waiting] = []
        self._connection: sqlite3.Connection | None = None

    def accept(self, delivery: NewDelivery) -> bool:
        mine = _Waiting(delivery)
        with self._mutex:
            self._queue.append(mine)
            leads = len(self._queue) == 1
        if leads:
            self._lead()
        mine.gate.acquire()
        if mine.error is not None:
            raise mine.error
        return mine.stored

    def _lead(self) -> None:
        error: StoreBusy | None = StoreBusy()
        group: list[_Waiting] = []
        try:
            with self._store.turn():
                group = self._take()
                self._commit(group)
            error = None
        except StoreBusy as fault:
            error = fault
        except sqlite3.Error as fault:
            self._forget()
            error = as_store_error(OperationalError(None, None, fault))
        finally:
            for each in group or self._take():
                each.error = error
                each.gate.release()

    def _take(self) -> list[_Waiting]:
        with self._mutex:
            group, self._queue = self._queue, []
        return group

    def _commit(self, group: Sequence[_Waiting]) -> None:
        if self._connection is None:
            self._connection = self._connect()
        cursor = self._connection.cursor()
        cursor.execute("BEGIN IMMEDIATE")
        for each in group:
            cursor.execute(_SQLITE[0], each.delivery.row)
            each.stored = cursor.rowcount == 1
            if not each.stored:
                cursor.execute(_SQLITE[1], each.delivery.row[:2])
        cursor.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        try:
            pooled = self._store.engine.raw_connection()
        except OperationalError as error:
            raise as_store_error(error) from error
        connection = pooled.driver_connection
        pooled.detach()
        if not isinstance(connection, sqlite3.Connection):
            raise TypeError("the embedded store is SQLite")
        return connection

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        with self._store.turn():
            self._forget()


class _Pooled:
    def __init__(self, store: Store) -> None:
        _, options = store.engine.dialect.create_connect_args(store.engine.url)
        self._options: dict[str, Any] = {**options, "autocommit": True}
        self._mutex = Lock()
        self._pool: ConnectionPool[psycopg.Connection[Any]] | None = None

    def accept(self, delivery: NewDelivery) -> bool:
        try:
            with self._opened().connection() as connection:
                if connection.execute(_POSTGRES[0], delivery.row).rowcount == 1:
                    return True
                connection.execute(_POSTGRES[1], delivery.row[:2])
                return False
        except psycopg.Error as error:
            raise as_store_error(OperationalError(None, None, error)) from error

    def _opened(self) -> ConnectionPool[psycopg.Connection[Any]]:
        with self._mutex:
            if self._pool is None:
                self._pool = ConnectionPool(
                    kwargs=self._options, min_size=1, max_size=POSTGRES_CONNECTIONS, timeout=5, open=True, name="intake"
                )
            return self._pool

    def close(self) -> None:
        with self._mutex:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()


class DepthCap:
    """Says no while too many deliveries wait, so that a stuck worker fills no disk."""

    def __init__(
        self, store: Store, cap: int, *, look_every_seconds: float = 1.0, monotonic: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._cap = cap
        self._every = look_every_seconds
        self._monotonic = monotonic
        self._mutex = Lock()
        self._looked = float("-inf")
        self._depth = 0

    def check(self) -> None:
        """Nothing while there is room; StoreBusy when the inbox is full. Counts at most once a second."""
        with self._mutex:
            stale = self._monotonic() - self._looked >= self._every
            if stale:
                self._looked = self._monotonic()
            self._depth += 1
        if stale:
            with self._store.read() as connection:
                self._depth = int(run(connection, "SELECT COUNT(*) FROM deliveries WHERE state = 'new'").scalar_one())
        if self._depth >= self._cap:
            raise StoreBusy(
                f"The inbox is full ({self._cap} deliveries wait): see why the worker stands still.", retry_after=30
            )
