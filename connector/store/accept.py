"""The durable accept: a delivery is committed before its sender is answered.

SQLite commits in groups: one commit to disk costs as much as a hundred rows, so the first request to wait for its turn
takes along every row that came meanwhile, and all of them share its commit or its error. PostgreSQL commits each
request by itself, for its server groups them. The statement goes by DB-API: it is the hottest of the product.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connector.errors import StoreBusy
from connector.store.unit_of_work import Store, all_in_use, as_store_error

POSTGRES_CONNECTIONS = 8
RECONNECT_SECONDS = 2
"""How long the pool tries by itself; its pauses double, and a server that is back would wait for the end of one. After
that whoever asks next makes it try at once."""
ROWS_AT_ONCE = 64
FULL_RETRY_SECONDS = 30

_DEPTH = "SELECT COUNT(*) FROM deliveries WHERE state = 'new'"
_COLUMNS = "source, key, received_at, body, content_type, headers"
_COUNT_AGAIN = "UPDATE deliveries SET duplicates = duplicates + 1 WHERE source = ? AND key = ?"
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


Outcome = bool | StoreBusy
"""True: stored; False: this source already sent the same; StoreBusy: nothing is promised."""


class DepthCap:
    """Says no while too many deliveries wait, so that a worker that stands still fills no disk."""

    def __init__(self, cap: int, *, look_every_seconds: float = 1.0, clock: Callable[[], float] = monotonic) -> None:
        self._cap = cap
        self._every = look_every_seconds
        self._clock = clock
        self._mutex = Lock()
        self._looked = float("-inf")
        self._depth = 0

    def check(self, count: Callable[[], int], coming: int = 1) -> None:
        """Nothing while there is room for the coming ones; StoreBusy when not. Counts at most once a second."""
        with self._mutex:
            stale = self._clock() - self._looked >= self._every
            if stale:
                self._looked = self._clock()
        if stale:
            self._depth = count()
        if self._depth >= self._cap:
            raise StoreBusy(
                f"The inbox is full ({self._cap} deliveries wait): see why the worker stands still.",
                retry_after=FULL_RETRY_SECONDS,
            )
        with self._mutex:
            self._depth += coming


class GroupCommit:
    """Stores deliveries durably, from any number of threads; ``on_stored`` is called after each commit that stored."""

    def __init__(
        self, store: Store, *, cap: DepthCap | None = None, on_stored: Callable[[], None] | None = None
    ) -> None:
        limit = cap or DepthCap(sys.maxsize)
        tell = on_stored or (lambda: None)
        self._way = _Grouped(store, limit, tell) if store.is_sqlite else _Pooled(store, limit, tell)

    def accept(self, delivery: NewDelivery) -> bool:
        """True when it was stored, False when this source already sent the same; both only once it is on disk.

        Raises StoreBusy for any fault of the database: then nothing is promised and the sender must send again.
        """
        return self._way.accept(delivery)

    def submit(self, delivery: NewDelivery, done: Callable[[Outcome], None]) -> None:
        """Stores it without holding the caller's thread; ``done`` is told the outcome in another one."""
        self._way.submit(delivery, done)

    def close(self) -> None:
        """Finishes what was submitted and gives back the connections; nothing is accepted afterwards."""
        self._way.close()


class _Waiting:
    """One request's row until its group is committed."""

    __slots__ = ("delivery", "done", "outcome")

    def __init__(self, delivery: NewDelivery, done: Callable[[Outcome], None]) -> None:
        self.delivery = delivery
        self.done = done
        self.outcome: Outcome = StoreBusy()


class _Grouped:
    def __init__(self, store: Store, cap: DepthCap, on_stored: Callable[[], None]) -> None:
        self._store = store
        self._cap = cap
        self._on_stored = on_stored
        self._mutex = Lock()
        self._queue: list[_Waiting] = []
        self._connection: sqlite3.Connection | None = None
        self._leader = ThreadPoolExecutor(1, thread_name_prefix="commit")

    def accept(self, delivery: NewDelivery) -> bool:
        gate = Lock()
        gate.acquire()
        mine = _Waiting(delivery, lambda _: gate.release())
        if self._enqueue(mine):
            self._lead()
        gate.acquire()
        if isinstance(mine.outcome, StoreBusy):
            raise mine.outcome
        return mine.outcome

    def submit(self, delivery: NewDelivery, done: Callable[[Outcome], None]) -> None:
        if self._enqueue(_Waiting(delivery, done)):
            self._leader.submit(self._lead)

    def _enqueue(self, waiting: _Waiting) -> bool:
        """Whether this one leads: it found nobody waiting."""
        with self._mutex:
            self._queue.append(waiting)
            return len(self._queue) == 1

    def _take(self) -> list[_Waiting]:
        with self._mutex:
            group, self._queue = self._queue, []
        return group

    def _lead(self) -> None:
        group: list[_Waiting] = []
        fault = StoreBusy()
        done = False
        try:
            with self._store.turn():
                group = self._take()
                self._commit(group)
            done = True
        except StoreBusy as error:
            fault = error
        except sqlite3.Error as error:
            self._forget()
            fault = as_store_error(OperationalError(None, None, error))
        finally:
            for each in group or self._take():
                if not done:
                    each.outcome = fault
                each.done(each.outcome)
        if any(each.outcome is True for each in group):
            self._on_stored()

    def _commit(self, group: Sequence[_Waiting]) -> None:
        if self._connection is None:
            self._connection = self._connect()
        cursor = self._connection.cursor()
        self._cap.check(lambda: int(cursor.execute(_DEPTH).fetchone()[0]), len(group))
        cursor.execute("BEGIN IMMEDIATE")
        for start in range(0, len(group), ROWS_AT_ONCE):
            _insert(cursor, group[start : start + ROWS_AT_ONCE])
        cursor.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        try:
            pooled = self._store.engine.raw_connection()
        except PoolTimeout as error:
            raise all_in_use() from error
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
        self._leader.shutdown(wait=True)
        with self._store.turn():
            self._forget()


def _insert(cursor: sqlite3.Cursor, group: Sequence[_Waiting]) -> None:
    """Inserts what is new, in two statements: each one more would hand Python's lock to and fro with the server."""
    pairs = [value for each in group for value in each.delivery.row[:2]]
    known = ", ".join(["(?, ?)"] * len(group))
    seen = set(cursor.execute(f"SELECT source, key FROM deliveries WHERE (source, key) IN (VALUES {known})", pairs))
    fresh: list[Any] = []
    for each in group:
        pair = each.delivery.row[:2]
        each.outcome = pair not in seen
        if each.outcome:
            seen.add(pair)
            fresh.extend(each.delivery.row)
        else:
            cursor.execute(_COUNT_AGAIN, pair)
    if fresh:
        values = ", ".join(["(?, ?, ?, ?, ?, ?)"] * (len(fresh) // 6))
        cursor.execute(f"INSERT INTO deliveries ({_COLUMNS}) VALUES {values}", fresh)


class _Pooled:
    def __init__(self, store: Store, cap: DepthCap, on_stored: Callable[[], None]) -> None:
        _, options = store.engine.dialect.create_connect_args(store.engine.url)
        self._options: dict[str, Any] = {**options, "autocommit": True}
        self._cap = cap
        self._on_stored = on_stored
        self._mutex = Lock()
        self._pool: ConnectionPool[psycopg.Connection[Any]] | None = None
        self._threads = ThreadPoolExecutor(POSTGRES_CONNECTIONS, thread_name_prefix="commit")

    def accept(self, delivery: NewDelivery) -> bool:
        try:
            stored = self._insert(delivery)
        except psycopg.Error as error:
            raise as_store_error(OperationalError(None, None, error)) from error
        if stored:
            self._on_stored()
        return stored

    def _insert(self, delivery: NewDelivery) -> bool:
        pool, connection = self._opened(), None
        try:
            with pool.connection() as connection:
                return self._run(connection, delivery)
        except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction):
            if connection is None or not connection.closed:
                raise
        # The server ended the connection, and likely the others that lay idle: a restart must not be paid for by one
        # refused sender for each. Made twice, the insert is still one row.
        pool.check()
        with pool.connection() as connection:
            return self._run(connection, delivery)

    def _run(self, connection: psycopg.Connection[Any], delivery: NewDelivery) -> bool:
        try:
            return self._stored(connection, delivery)
        except psycopg.errors.ReadOnlySqlTransaction:
            connection.close()  # it leads to a standby, perhaps one that was the primary when it was opened
            raise

    def _stored(self, connection: psycopg.Connection[Any], delivery: NewDelivery) -> bool:
        self._cap.check(lambda: int(connection.execute(_DEPTH).fetchone()[0]))  # type: ignore[index]  # one row
        if connection.execute(_POSTGRES[0], delivery.row).rowcount == 1:
            return True
        connection.execute(_POSTGRES[1], delivery.row[:2])
        return False

    def submit(self, delivery: NewDelivery, done: Callable[[Outcome], None]) -> None:
        self._threads.submit(self._accept_for, delivery, done)

    def _accept_for(self, delivery: NewDelivery, done: Callable[[Outcome], None]) -> None:
        outcome: Outcome = StoreBusy()
        try:
            outcome = self.accept(delivery)
        except StoreBusy as error:
            outcome = error
        finally:
            done(outcome)

    def _opened(self) -> ConnectionPool[psycopg.Connection[Any]]:
        with self._mutex:
            if self._pool is None:
                self._pool = ConnectionPool(
                    kwargs=self._options,
                    min_size=1,
                    max_size=POSTGRES_CONNECTIONS,
                    timeout=5,
                    reconnect_timeout=RECONNECT_SECONDS,
                    open=True,
                    name="intake",
                )
            return self._pool

    def close(self) -> None:
        self._threads.shutdown(wait=True)
        with self._mutex:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()
