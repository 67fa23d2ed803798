"""Bringing the store to this release, in one transaction: a migration that is killed or fails leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from connector.store.installation import namespace
from connector.store.unit_of_work import Store

LOCK_KEY = 0x636F6E6E
"""Processes that migrate the same PostgreSQL database at once take turns on this advisory lock."""


def migrations_dir() -> Path:
    """Where the migrations are: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / "migrations"
    return beside if (beside / "env.py").is_file() else package / "_data" / "migrations"


def migrate(store: Store, on_progress: Callable[[str], None] | None = None) -> list[str]:
    """The revisions that were applied, oldest first; none when the store already is at this release.

    ``on_progress`` is told each revision when it is through. Raises StoreBusy when the database is locked or away.
    """
    applied: list[str] = []

    def step(revision: str) -> None:
        applied.append(revision)
        if on_progress is not None:
            on_progress(revision)

    with store.begin() as uow:
        if not uow.is_sqlite:
            uow.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        config = _config()
        config.attributes.update(connection=uow.connection, on_step=step)
        command.upgrade(config, "head")
        namespace(uow)
    return applied


def schema_problem(store: Store) -> str | None:
    """Why this release cannot work on the store's schema, with the cure; None when it can."""
    wanted = head_revision()
    with store.read() as connection:
        found = current_revision(connection)
    if found == wanted:
        return None
    if found is None:
        return "The store has no tables yet: run `connector migrate`."
    if found > wanted:
        return f"The store is at schema {found}, newer than this release knows ({wanted}): install the newer release."
    return f"The store is at schema {found} and this release needs {wanted}: run `connector migrate`."


def head_revision() -> str:
    """The schema revision that this release needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def current_revision(connection: Connection) -> str | None:
    """The schema revision the store is at, or None for an empty store."""
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    return config
