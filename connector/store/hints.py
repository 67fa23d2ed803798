"""Hints between processes: "look, there is work". On PostgreSQL by NOTIFY; a lost hint costs a second, never data."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
from sqlalchemy import text

from connector.errors import StoreBusy
from connector.store.unit_of_work import Store, UnitOfWork

CHANNEL = "connector"


def tell(uow: UnitOfWork, lane: str) -> None:
    """Tells the workers of every process that this lane has work, once the transaction is committed."""
    if not uow.is_sqlite:
        uow.connection.execute(text("SELECT pg_notify(:channel, :lane)"), {"channel": CHANNEL, "lane": lane})


def listen(store: Store, on_hint: Callable[[str], None], stopped: Callable[[], bool]) -> None:
    """Hands every hint to ``on_hint`` until ``stopped``; returns at once on SQLite, where one process does the work.

    Raises StoreBusy when the connection is lost; whoever calls listens again.
    """
    if store.is_sqlite:
        return
    url = store.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"LISTEN {CHANNEL}")
            while not stopped():
                for hint in connection.notifies(timeout=1.0, stop_after=1):
                    on_hint(hint.payload)
    except psycopg.Error as error:
        raise StoreBusy("The store does not answer; hints wait until it does.", retry_after=5) from error
