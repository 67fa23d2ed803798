"""Transactions. The differences between SQLite and PostgreSQL live in ``store/`` alone, most of them here.

On SQLite the driver's own transaction handling is off and BEGIN IMMEDIATE is ours: with the default mode a rolled-back
outer transaction left the rows of its savepoints behind, and DDL too (measured; tests/contract/test_transactions.py).
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from connector.errors import Misconfigured, StoreBusy

IDLE_IN_TRANSACTION_MS = 300_000
BUSY_TIMEOUT_MS = 10_000
WAL_KEPT_BYTES = 64 * 2**20
"""While somebody reads for long (a backup), SQLite's log grows by all that is written; then it gives the disk back."""


class UnitOfWork:
    """One write transaction: everything in it happens, or nothing."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.is_sqlite = connection.dialect.name == "sqlite"

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """A part that may fail alone: what it wrote is undone, the rest of the transaction stays."""
        with self.connection.begin_nested():
            yield

    def database_now(self) -> int:
        """The database's clock, epoch milliseconds: leases and back-off go by it, whatever the hosts' clocks say."""
        if self.is_sqlite:
            statement = "SELECT CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
        else:
            statement = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
        return int(self.connection.execute(text(statement)).scalar_one())


class Turns:
    """One writer at a time, in the order they came.

    SQLite lets one transaction write; whoever finds it taken polls, up to 100 ms a look, and the unlucky poll long.
    Writers of one process therefore queue here and are woken at once; other processes still meet SQLite's own lock.
    """

    def __init__(self) -> None:
        self._mutex = Lock()
        self._waiting: deque[Lock] = deque()
        self._taken = False

    @contextmanager
    def turn(self) -> Iterator[None]:
        """The caller's turn to write; StoreBusy when it does not come in time."""
        self._wait()
        try:
            yield
        finally:
            with self._mutex:
                if self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._taken = False

    def _wait(self) -> None:
        with self._mutex:
            if not self._taken:
                self._taken = True
                return
            gate = Lock()
            gate.acquire()
            self._waiting.append(gate)
        if gate.acquire(timeout=BUSY_TIMEOUT_MS / 1000):
            return
        with self._mutex:
            if gate in self._waiting:  # else the turn came at the last moment and is ours
                self._waiting.remove(gate)
                raise StoreBusy("The store is busy with a long change; senders will send again.", retry_after=5)


class Store:
    """The database: one engine, write transactions and read-only looks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.is_sqlite = engine.dialect.name == "sqlite"
        self._turns = Turns() if self.is_sqlite else None

    def turn(self) -> AbstractContextManager[None]:
        """The caller's turn among this process's writers; PostgreSQL needs none."""
        return self._turns.turn() if self._turns else nullcontext()

    @contextmanager
    def begin(self) -> Iterator[UnitOfWork]:
        """A write transaction; commits at the end, rolls back on any exception.

        Raises StoreBusy when the database is locked, full or away, or all connections to it are in use for long.
        """
        try:
            with self.turn(), self.engine.begin() as connection:
                yield UnitOfWork(connection)
        except PoolTimeout as error:
            raise all_in_use() from error
        except DatabaseError as error:
            if not _is_fault(error):
                raise
            raise as_store_error(error) from error

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only look at one consistent state."""
        try:
            with self.engine.connect().execution_options(read_only=True) as connection:
                yield connection
        except PoolTimeout as error:
            raise all_in_use() from error
        except DatabaseError as error:
            if not _is_fault(error):
                raise
            raise as_store_error(error) from error

    def close(self) -> None:
        """Gives back every connection."""
        self.engine.dispose()


_FAULTS: tuple[tuple[tuple[str, ...], str, float], ...] = (
    (
        ("is full", "no space"),
        "The store's disk is full: free space in the data directory; senders will send again.",
        60,
    ),
    (
        ("i/o error",),
        "The store's disk refuses: look at its quota and at the system's log; senders will send again.",
        5,
    ),
    (
        ("read-only transaction",),
        "The database takes no changes, as a standby does: point CONNECTOR_DATABASE_URL at the one that does; senders "
        "will send again.",
        5,
    ),
    (
        ("readonly", "read-only"),
        "The store is read-only: give this user write access to the data directory.",
        60,
    ),
    (
        ("unable to open", "permission denied"),
        "The store cannot be opened: check CONNECTOR_DATABASE_URL, and that this user may read and write there.",
        60,
    ),
    (
        ("not a database", "malformed"),
        "The store's file is damaged, or no SQLite database: restore it from a backup, or correct the path.",
        60,
    ),
    (
        ("no such table", "no such column"),
        "The store's tables are not those of this release: run `connector migrate`.",
        60,
    ),
    (
        ("connection failed", "failed to resolve", "connection refused", "does not exist", "authentication failed"),
        "The database does not answer, or refuses the login: see that it runs, and check CONNECTOR_DATABASE_URL; "
        "senders will send again.",
        5,
    ),
)
"""What the databases say (in part), what a person is told, and after how many seconds it is worth another try."""


READ_ONLY = "25006"
_SERVER_STATES = (READ_ONLY, "25P03", "XX")
"""SQLSTATEs by which PostgreSQL says that it takes no changes now, waited too long for us, or is damaged."""


def _is_fault(error: DatabaseError) -> bool:
    # SQLite says "not a database" by the base class; the other subclasses tell of what we asked, not of the database.
    state = str(getattr(error.orig, "sqlstate", None) or "")
    return isinstance(error, OperationalError) or type(error) is DatabaseError or state.startswith(_SERVER_STATES)


def all_in_use() -> StoreBusy:
    """What a process says that waited in vain for one of its own connections."""
    return StoreBusy("All connections to the store are in use; senders will send again.", retry_after=5)


def as_store_error(error: DatabaseError) -> StoreBusy:
    """The database's fault as our own, with the cure."""
    words = str(error.orig).lower()
    for parts, told, seconds in _FAULTS:
        if any(part in words for part in parts):
            return StoreBusy(told, retry_after=seconds)
    return StoreBusy("The store is busy or away; senders will send again.", retry_after=5)


def open_store(url: str) -> Store:
    """The store at a database URL (SQLite or PostgreSQL), set up so that a commit survives a power cut.

    Raises Misconfigured for another database or a SQLite file whose folder cannot be made.
    """
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return Store(_sqlite_engine(url, parsed.database))
    if backend == "postgresql":
        return Store(_postgres_engine(url))
    raise Misconfigured(f"CONNECTOR_DATABASE_URL names {backend}: use sqlite:///path or postgresql+psycopg://…")


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        return None
    named = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(named).expanduser() if named and named != ":memory:" else None


def _sqlite_engine(url: str, path: str | None) -> Engine:
    if path and path != ":memory:":
        file = Path(path).expanduser()
        folder = file.parent
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not file.exists():
                file.touch(mode=0o600)  # what customers wrote is in it
        except OSError as error:
            raise Misconfigured(
                f"The store's folder {folder} cannot be used: {error.strerror}; correct CONNECTOR_DATA_DIR or "
                "CONNECTOR_DATABASE_URL."
            ) from error
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "recursive_triggers=ON",  # else INSERT OR REPLACE goes past the triggers of append-only tables
            "secure_delete=ON",
            f"busy_timeout={BUSY_TIMEOUT_MS}",
            "temp_store=MEMORY",
            "cache_size=-65536",
            "wal_autocheckpoint=4000",  # 16 MB: pages that every batch touches go into the file once for several
            f"journal_size_limit={WAL_KEPT_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def _postgres_engine(url: str) -> Engine:
    # A process that was stopped in the middle of a transaction must not keep its locks for ever. Compiling a statement
    # takes PostgreSQL longer than any of ours runs, and without statistics it compiles many of them.
    given = make_url(url).query.get("options", "")
    own = f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS} -c jit=off"
    limits = {"options": f"{given if isinstance(given, str) else ' '.join(given)} {own}".strip()}
    engine = create_engine(
        url,
        connect_args=limits,
        pool_size=10,
        max_overflow=10,
        pool_pre_ping=True,
        pool_timeout=10,
        hide_parameters=True,
    )

    @event.listens_for(engine, "handle_error")
    def leave_a_standby(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) == READ_ONLY:
            context.is_disconnect = True  # else the pool would keep leading to a server that was the primary once

    return engine
