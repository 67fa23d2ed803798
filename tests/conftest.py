"""Fixtures that every test may ask for: a migrated store on either database, and a clock moved by hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import Table, event, text
from sqlalchemy.engine import make_url

from connector.store.installation import namespace
from connector.store.migrate import migrate
from connector.store.tables import metadata
from connector.store.unit_of_work import Store, open_store

# Time decides no test. A run in CI looks at the same examples each time, so that it says something of the change;
# everywhere else new ones are looked for.
settings.register_profile(
    "here", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=bool(os.environ.get("CI"))
)
settings.load_profile("here")

POSTGRES_VARIABLE = "CONNECTOR_TEST_POSTGRES"
POSTGRES_REASON = f"{POSTGRES_VARIABLE} names no PostgreSQL server (postgresql+psycopg://user@host/database)"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows what tests tell by ``record_property("told", …)`` of every run, good or bad, such as the seed of chance."""
    told = {
        f"{report.nodeid}: {value}": None
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "told"
    }
    if told:
        terminalreporter.section("told by the tests")
    for line in told:
        terminalreporter.write_line(line)


class FakeClock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, **amount: float) -> datetime:
        """The time after moving by ``timedelta(**amount)``; negative moves go back."""
        self.now += timedelta(**amount)
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    """A clock at noon UTC of 2 February 2026, moved by ``clock.move(days=1)``."""
    return FakeClock(datetime(2026, 2, 2, 12, tzinfo=UTC))


def open_quickly(path: Path) -> Store:
    """A SQLite store that does not wait for the disk at each commit: no test pulls the plug, and all of them wait."""
    store = open_store(f"sqlite:///{path}")
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    return store


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that was migrated once in this test process; copy it, never write to it."""
    path = tmp_path_factory.mktemp("template") / "connector.db"
    store = open_quickly(path)
    migrate(store)
    store.close()
    return path


@pytest.fixture
def store(migrated_file: Path, tmp_path: Path) -> Iterator[Store]:
    """A fresh migrated SQLite store of this test's own."""
    path = tmp_path / "connector.db"
    shutil.copy(migrated_file, path)
    store = open_quickly(path)
    yield store
    store.close()


@pytest.fixture(scope="session")
def postgres_schema() -> Iterator[Store]:
    """A migrated PostgreSQL schema of this test process; it is dropped at the end."""
    url = os.environ.get(POSTGRES_VARIABLE)
    if not url:
        pytest.skip(POSTGRES_REASON)
    name = f"test_{os.getpid()}"
    server = open_store(url)
    with server.begin() as uow:
        uow.connection.execute(text(f'CREATE SCHEMA "{name}"'))
    query = {"options": f"-csearch_path={name} -csynchronous_commit=off", "application_name": name}
    store = open_store(make_url(url).update_query_dict(query).render_as_string(False))
    migrate(store)
    yield store
    store.close()
    with server.begin() as uow:
        uow.connection.execute(text(f'DROP SCHEMA "{name}" CASCADE'))
    server.close()


@contextmanager
def postgres_schema_named(name: str) -> Iterator[str]:
    """The URL of a PostgreSQL schema of this name, without a table; it is dropped at the end."""
    url = os.environ.get(POSTGRES_VARIABLE)
    if not url:
        pytest.skip(POSTGRES_REASON)
    server = open_store(url)
    with server.begin() as uow:
        uow.connection.execute(text(f'CREATE SCHEMA "{name}"'))
    yield make_url(url).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(False)
    with server.begin() as uow:
        uow.connection.execute(text(f'DROP SCHEMA "{name}" CASCADE'))
    server.close()


@pytest.fixture
def empty_postgres() -> Iterator[str]:
    """The URL of a PostgreSQL schema without a table; it is dropped after the test."""
    with postgres_schema_named(f"test_{os.getpid()}_empty") as url:
        yield url


def _written(table: Table) -> str:
    """Asks for the table's name where it has rows, or had some that took numbers."""
    had = f"SELECT '{table.name}' WHERE EXISTS (SELECT 1 FROM {table.name})"
    if table.autoincrement_column is None:
        return had
    sequence = f"pg_get_serial_sequence('{table.name}', '{table.autoincrement_column.name}')"
    return f"{had} OR pg_sequence_last_value({sequence}) IS NOT NULL"


WRITTEN = text(" UNION ALL ".join(map(_written, metadata.sorted_tables)))
"""The tables that a test wrote to: to empty one costs the server more than to ask them all."""
APPEND_ONLY = {"ledger", "audit"}


@pytest.fixture
def postgres_store(postgres_schema: Store) -> Iterator[Store]:
    """A migrated PostgreSQL store without rows."""
    yield postgres_schema
    empty_store(postgres_schema)


def empty_store(store: Store) -> None:
    """Takes every row out of a PostgreSQL store, which is as new then."""
    with store.begin() as uow:
        written = uow.connection.execute(WRITTEN).scalars().all()
        # What must never be emptied is, here: by whoever owns the tables, in so many words.
        guarded = [name for name in written if name in APPEND_ONLY]
        for change in (
            *(f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in guarded),
            *([f"TRUNCATE {', '.join(written)} RESTART IDENTITY CASCADE"] if written else []),
            *(f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in guarded),
        ):
            uow.connection.execute(text(change))
        namespace(uow)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest) -> Store:
    """A fresh migrated store, once on SQLite and once on PostgreSQL."""
    name = "store" if request.param == "sqlite" else "postgres_store"
    found: Store = request.getfixturevalue(name)
    return found
