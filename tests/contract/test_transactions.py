"""All or nothing: rolled-back batches with savepoints, failing and killed migrations, turns of writers."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

import pytest
from sqlalchemy import text

from connector.errors import Misconfigured, StoreBusy
from connector.store import unit_of_work
from connector.store.installation import fact, remember
from connector.store.migrate import migrate, schema_problem
from connector.store.unit_of_work import Store, Turns, UnitOfWork, open_store
from tests.contract.test_schema import dumped

FULL = 2  # SQLite's number of the level at which a commit survives a power cut


class Stop(Exception):
    """What the tests break a transaction with."""


def facts(store: Store) -> set[str]:
    with store.read() as connection:
        return set(connection.execute(text("SELECT name FROM installation WHERE name <> 'namespace'")).scalars())


def write_and_stop(store: Store, work: Callable[[UnitOfWork], object]) -> None:
    """Does the work in a transaction that fails at its end."""
    with contextlib.suppress(Stop), store.begin() as uow:
        work(uow)
        raise Stop


def test_a_rolled_back_batch_leaves_nothing_of_its_savepoints(any_store: Store) -> None:
    def batch(uow: UnitOfWork) -> None:
        for name in ("one", "two"):
            with uow.savepoint():
                remember(uow, name, "x")

    write_and_stop(any_store, batch)
    assert facts(any_store) == set()


def test_a_failed_part_is_undone_alone(any_store: Store) -> None:
    with any_store.begin() as uow:
        remember(uow, "before", "x")
        with contextlib.suppress(Stop), uow.savepoint():
            remember(uow, "bad", "x")
            raise Stop
        with uow.savepoint():
            remember(uow, "after", "x")
    assert facts(any_store) == {"before", "after"}


def test_a_database_error_in_a_part_does_not_spoil_the_batch(any_store: Store) -> None:
    with any_store.begin() as uow:
        with pytest.raises(Exception, match=r"(?i)syntax"), uow.savepoint():
            uow.connection.execute(text("SELEC"))
        remember(uow, "after", "x")
    assert facts(any_store) == {"after"}


def test_rolled_back_ddl_leaves_nothing(any_store: Store) -> None:
    write_and_stop(any_store, lambda uow: uow.connection.execute(text("CREATE TABLE half (id INTEGER)")))
    with any_store.read() as connection:
        assert not any("half" in name for _, name in dumped(connection))


def test_a_look_sees_one_state_while_others_write(any_store: Store) -> None:
    with any_store.begin() as uow:
        remember(uow, "name", "old")
    with any_store.read() as connection:
        if not any_store.is_sqlite:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        assert fact(connection, "name") == "old"
        with any_store.begin() as uow:
            remember(uow, "name", "new")
        assert fact(connection, "name") == "old"


KILLED = """
import os, signal, sys
from sqlalchemy import event
from connector.store.migrate import migrate
from connector.store.unit_of_work import open_store
store = open_store(sys.argv[1])
seen = 0
@event.listens_for(store.engine, "after_cursor_execute")
def count(connection, cursor, statement, *rest):
    global seen
    seen += 1
    if seen == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
migrate(store)
"""


def killed_at(url: str, statement: int) -> None:
    """Migrates in a process that is killed -9 right after this statement."""
    done = subprocess.run([sys.executable, "-c", KILLED, url, str(statement)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.chaos
@pytest.mark.parametrize("statement", [8, 40, 75, 85])
def test_a_killed_migration_leaves_nothing(tmp_path: Path, statement: int) -> None:
    url = f"sqlite:///{tmp_path}/killed.db"
    killed_at(url, statement)
    store = open_store(url)
    with store.read() as connection:
        assert dumped(connection) == {}
    assert schema_problem(store) is not None
    assert migrate(store) == ["0001", "0002", "0003", "0004"]
    assert schema_problem(store) is None
    store.close()


@pytest.mark.chaos
@pytest.mark.postgres
def test_a_killed_migration_leaves_nothing_on_postgresql(empty_postgres: str) -> None:
    killed_at(empty_postgres, 40)
    store = open_store(empty_postgres)
    with store.read() as connection:
        assert dumped(connection) == {}
    assert migrate(store) == ["0001", "0002", "0003", "0004"]
    store.close()


def test_a_migration_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise Stop

    monkeypatch.setattr("connector.store.migrate.namespace", broken)
    store = open_store(f"sqlite:///{tmp_path}/failed.db")
    with pytest.raises(Stop):
        migrate(store)
    with store.read() as connection:
        assert dumped(connection) == {}
    store.close()


def test_a_commit_is_on_disk_before_anybody_is_told(tmp_path: Path) -> None:
    """As the product opens its file; most tests do not wait for the disk."""
    store = open_store(f"sqlite:///{tmp_path}/connector.db")
    with store.read() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar_one() == FULL
    store.close()


def test_a_read_only_folder_is_named_with_its_cure(store: Store) -> None:
    with store.begin() as uow:
        uow.connection.execute(text("PRAGMA query_only=ON"))
    with pytest.raises(StoreBusy, match="read-only"), store.begin() as uow:
        remember(uow, "name", "x")


def test_a_folder_that_cannot_be_made_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured, match="correct CONNECTOR_DATA_DIR or CONNECTOR_DATABASE_URL"):
        open_store(f"sqlite:///{tmp_path}/file/connector.db")


def test_the_log_that_grew_during_a_backup_gives_the_disk_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.store.unit_of_work.WAL_KEPT_BYTES", 2**20)
    store = open_store(f"sqlite:///{tmp_path}/busy.db")

    def write(number: int) -> None:
        for _ in range(number):
            with store.begin() as uow:
                uow.connection.execute(text("INSERT INTO kept VALUES (zeroblob(4000000))"))

    with store.begin() as uow:
        uow.connection.execute(text("CREATE TABLE kept (bytes BLOB)"))
    log = tmp_path / "busy.db-wal"
    with store.read() as connection:
        connection.execute(text("SELECT COUNT(*) FROM kept")).scalar_one()
        write(6)
        assert log.stat().st_size > 20_000_000
    write(1)  # takes what is in the log over into the file, and begins the log anew
    with store.begin() as uow:
        uow.connection.execute(text("INSERT INTO kept VALUES ('small')"))
    assert log.stat().st_size <= 2**20
    store.close()


def test_a_full_disk_is_named_with_its_cure(store: Store) -> None:
    with store.begin() as uow:
        pages = uow.connection.execute(text("PRAGMA page_count")).scalar_one()
        uow.connection.execute(text(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(StoreBusy, match="disk is full"), store.begin() as uow:
        remember(uow, "name", "x" * 1_000_000)
    assert facts(store) == set()


def test_a_database_that_is_away_is_busy_not_broken() -> None:
    store = open_store("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2")
    with pytest.raises(StoreBusy, match="does not answer"), store.begin():
        pass
    store.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "sqlite:////proc/nowhere/x.db"])
def test_a_database_that_cannot_be_used_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(Misconfigured, match="CONNECTOR_"):
        open_store(url)


def test_writers_go_in_the_order_they_came() -> None:
    turns = Turns()
    order: list[int] = []

    def write(number: int, before: Callable[[], None]) -> None:
        before()
        with turns.turn():
            order.append(number)

    with turns.turn():
        threads = []
        for number in range(5):
            arrived = Event()
            thread = Thread(target=write, args=(number, arrived.set))
            thread.start()
            arrived.wait(10)
            while len(turns._waiting) <= number:
                arrived.wait(0.001)
            threads.append(thread)
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_a_writer_that_waits_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_of_work, "BUSY_TIMEOUT_MS", 1)
    turns = Turns()
    told: list[str] = []

    def write() -> None:
        try:
            with turns.turn():
                told.append("wrote")
        except StoreBusy as error:
            told.append(error.code)

    with turns.turn():
        thread = Thread(target=write)
        thread.start()
        thread.join(10)
    assert told == ["store_busy"]
    with turns.turn():
        assert not turns._waiting
