"""Read models for whoever keeps it running: health figures, shelves, the outbox."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, ScalarSelect, func, literal, null, select, union_all

from connector.queries.paging import COUNTED, Page, page, uninviting
from connector.store.tables import crm_state, deliveries, outbox, shelf


@dataclass(frozen=True, slots=True)
class Health:
    """What waits, since when, and what needs a person."""

    waiting_deliveries: int
    oldest_delivery_at: int | None
    dead_deliveries: int
    open_shelf: int
    waiting_outbox: int
    oldest_outbox_at: int | None
    dead_outbox: int
    crm: dict[str, Any]
    """What the store remembers of the CRM, by name: the last login, budget, breaker, watermarks."""


def health(connection: Connection) -> Health:
    """The figures of /readyz, /metrics and the health page, read now; counts stop at 10,000."""
    new = _counted(select(deliveries.c.received_at.label("at")).where(deliveries.c.state == "new"))
    dead = _counted(select(deliveries.c.id.label("at")).where(deliveries.c.state == "dead"))
    opened = _counted(select(shelf.c.id.label("at")).where(shelf.c.state == "open"))
    pending = _counted(select(outbox.c.queued_at.label("at")).where(outbox.c.state == "pending"))
    stuck = _counted(select(outbox.c.id.label("at")).where(outbox.c.state == "dead"))
    row = connection.execute(
        select(
            *(select(func.count()).select_from(each).scalar_subquery() for each in (new, dead, opened, pending, stuck)),
            _first_waiting(),
            select(func.min(outbox.c.queued_at)).where(outbox.c.state == "pending").scalar_subquery(),
        )
    ).one()
    return Health(
        waiting_deliveries=row[0],
        dead_deliveries=row[1],
        open_shelf=row[2],
        waiting_outbox=row[3],
        dead_outbox=row[4],
        oldest_delivery_at=row[5],
        oldest_outbox_at=row[6],
        crm=crm_facts(connection),
    )


def _first_waiting() -> ScalarSelect[Any]:
    """Arrival by the row's number: in a backlog the least time of all would take a look at every row."""
    waiting = select(deliveries.c.received_at).where(deliveries.c.state == "new")
    return waiting.order_by(deliveries.c.id).limit(1).scalar_subquery()


def crm_facts(connection: Connection) -> dict[str, Any]:
    """What the store remembers of the CRM, by name, each with ``changed_at``."""
    rows = connection.execute(select(crm_state)).mappings()
    return {row["name"]: {"value": json.loads(row["value"]), "changed_at": row["changed_at"]} for row in rows}


def last_received(connection: Connection, sources: Sequence[str]) -> dict[str, int | None]:
    """When each source was last heard of; None for never."""
    if not sources:
        return {}
    asked = [
        select(
            literal(name).label("source"),
            select(func.max(deliveries.c.received_at)).where(deliveries.c.source == name).scalar_subquery().label("at"),
        )
        for name in sources
    ]
    return {row.source: row.at for row in connection.execute(union_all(*asked))}


def received_since(connection: Connection, sources: Sequence[str], since: int) -> dict[str, int]:
    """Deliveries of each of these sources since a moment (epoch milliseconds)."""
    if not sources:
        return {}
    asked = [
        select(literal(name).label("source"), func.count().label("n")).where(
            deliveries.c.source == name, deliveries.c.received_at >= since
        )
        for name in sources
    ]
    return {row.source: row.n for row in connection.execute(union_all(*asked))}


def delivery_list(
    connection: Connection, *, state: str | None, source: str | None, cursor: str | None, limit: int
) -> Page:
    """Deliveries, the latest first, without their bodies."""
    columns = [column for column in deliveries.c if column.name not in {"body", "headers"}]
    size = func.coalesce(func.length(deliveries.c.body), 0).label("size")
    statement = select(*columns, size)
    order = [deliveries.c.id]
    if state:
        statement = statement.where(deliveries.c.state == state)
    if source and state in ("new", "dead"):
        statement = statement.where(uninviting(connection, deliveries.c.source) == source)
    elif source:
        statement = statement.where(deliveries.c.source == source)
        order = [deliveries.c.received_at, deliveries.c.id]  # as its index has them
    return page(connection, statement, order, cursor=cursor, limit=limit, descending=True)


def delivery(connection: Connection, delivery_id: int) -> RowMapping | None:
    """One delivery with its body, while that is kept."""
    return connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).mappings().one_or_none()


def shelf_of_delivery(connection: Connection, delivery_id: int) -> list[RowMapping]:
    """The items of a delivery that were shelved."""
    statement = select(shelf).where(shelf.c.delivery_id == delivery_id).order_by(shelf.c.id)
    return list(connection.execute(statement).mappings())


def shelf_groups(connection: Connection) -> list[RowMapping]:
    """Open shelf items by source and reason, the largest group first."""
    statement = (
        select(
            shelf.c.source,
            shelf.c.reason,
            func.count().label("n"),
            func.min(shelf.c.shelved_at).label("oldest_at"),
            func.min(shelf.c.detail).label("detail"),
            func.min(shelf.c.cure).label("cure"),
            func.count(shelf.c.detail.distinct()).label("details"),
        )
        .where(shelf.c.state == "open")
        .group_by(shelf.c.source, shelf.c.reason)
        .order_by(func.count().desc(), shelf.c.source, shelf.c.reason)
    )
    return list(connection.execute(statement).mappings())


def shelf_list(
    connection: Connection, *, state: str | None, source: str | None, reason: str | None, cursor: str | None, limit: int
) -> Page:
    """Shelf items, the latest first."""
    statement = select(shelf)
    for column, value in (("state", state), ("source", source), ("reason", reason)):
        if value:
            statement = statement.where(shelf.c[column] == value)
    order = [shelf.c.id + 0 if state == "open" else shelf.c.id]  # the open ones are few: by their index, then sorted
    return page(connection, statement, order, cursor=cursor, limit=limit, descending=True)


def outbox_groups(connection: Connection) -> list[RowMapping]:
    """Dead outbox rows by object and the CRM's own words, the largest group first."""
    statement = (
        select(
            outbox.c.object,
            outbox.c.error_code,
            func.count().label("n"),
            func.min(outbox.c.queued_at).label("oldest_at"),
            func.min(outbox.c.error).label("error"),
            func.count(outbox.c.error.distinct()).label("errors"),
        )
        .where(outbox.c.state == "dead")
        .group_by(outbox.c.object, outbox.c.error_code)
        .order_by(func.count().desc(), outbox.c.object, outbox.c.error_code)
    )
    return list(connection.execute(statement).mappings())


def outbox_list(
    connection: Connection,
    *,
    state: str | None,
    obj: str | None,
    error_code: str | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Outbox rows, the latest first; of an empty error code those that the CRM gave none for."""
    statement = select(outbox)
    for column, value in (("state", state), ("object", obj)):
        if value:
            statement = statement.where(outbox.c[column] == value)
    if error_code is not None:
        statement = statement.where(outbox.c.error_code == (error_code or null()))
    few = state in ("dead", "pending")  # among all that was ever sent: by their index, then sorted
    order = [outbox.c.id + 0 if few else outbox.c.id]
    return page(connection, statement, order, cursor=cursor, limit=limit, descending=True)


def outbox_row(connection: Connection, row_id: int) -> RowMapping | None:
    """One outbox row."""
    return connection.execute(select(outbox).where(outbox.c.id == row_id)).mappings().one_or_none()


def _counted(statement: Any) -> Any:
    return statement.limit(COUNTED + 1).subquery()
