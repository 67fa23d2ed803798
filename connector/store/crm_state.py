"""What is remembered between runs: watermarks of the CRM, breaker, budget, what fails. One JSON value a name."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import Connection, delete, select, update

from connector.store.queues import insert
from connector.store.tables import crm_state
from connector.store.unit_of_work import UnitOfWork


def read_state(connection: Connection, name: str) -> dict[str, Any]:
    """The value under a name; empty when nothing was ever written there."""
    raw = connection.execute(select(crm_state.c.value).where(crm_state.c.name == name)).scalar_one_or_none()
    return {} if raw is None else dict(orjson.loads(raw))


def read_states(connection: Connection, prefix: str) -> dict[str, tuple[int, dict[str, Any]]]:
    """When each value whose name begins so was written, by the database's clock, and the value; by name."""
    rows = connection.execute(select(crm_state).where(crm_state.c.name.startswith(prefix, autoescape=True)))
    return {row.name: (row.changed_at, dict(orjson.loads(row.value))) for row in rows}


def forget_state(uow: UnitOfWork, names: Collection[str]) -> None:
    """Forgets the values under these names."""
    if names:
        uow.connection.execute(delete(crm_state).where(crm_state.c.name.in_(names)))


def hold_state(uow: UnitOfWork, name: str) -> dict[str, Any]:
    """The value under a name, which no other transaction changes until this one ends."""
    fresh = {"name": name, "value": "{}", "changed_at": uow.database_now()}
    if not uow.is_sqlite:
        # SQLite's write transaction is alone already; PostgreSQL needs a row to lock.
        uow.connection.execute(insert(uow, crm_state).values(fresh).on_conflict_do_nothing())
        uow.connection.execute(select(crm_state.c.name).where(crm_state.c.name == name).with_for_update())
    return read_state(uow.connection, name)


def write_state(uow: UnitOfWork, name: str, value: dict[str, Any]) -> None:
    """Remembers the value; an equal one is not written again."""
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    known = uow.connection.execute(select(crm_state.c.value).where(crm_state.c.name == name)).scalar_one_or_none()
    if known == text:
        return
    now = uow.database_now()
    if known is None:
        uow.connection.execute(
            insert(uow, crm_state)
            .values(name=name, value=text, changed_at=now)
            .on_conflict_do_update(index_elements=[crm_state.c.name], set_={"value": text, "changed_at": now})
        )
    else:
        uow.connection.execute(update(crm_state).where(crm_state.c.name == name).values(value=text, changed_at=now))
