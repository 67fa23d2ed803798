"""The shelf: items of a delivery that could not be read or applied, each with its place, its reason and the cure.

The good items of the same delivery are already through. Replaying an item works on its delivery again: what was applied
is recognised by its event key, what fails again comes back to the shelf.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from connector.errors import Conflict
from connector.store.queues import insert, run
from connector.store.tables import deliveries, shelf
from connector.store.unit_of_work import UnitOfWork

_SETTLE = """
UPDATE shelf SET state = :state, settled_at = {now}, settled_by = :by WHERE state = 'open' AND id IN :ids
"""
_AGAIN = """
UPDATE deliveries SET state = 'new', attempts = 0, touches = 0, run_at = 0, first_failed_at = NULL, settled_at = NULL
WHERE claim IS NULL AND state <> 'new' AND id IN :ids
"""
_BODILESS = "SELECT id FROM deliveries WHERE body IS NULL AND id IN :ids"
_GONE = "The body of this delivery is no longer kept, so it cannot be replayed"
_DROP = """
UPDATE deliveries SET state = 'done', settled_at = {now} WHERE claim IS NULL AND state = 'dead' AND id IN :ids
"""
_COUNTS = "SELECT source, reason, COUNT(*) FROM shelf WHERE state = 'open' GROUP BY source, reason ORDER BY 1, 2"


def shelve(
    uow: UnitOfWork, delivery_id: int, source: str, item_path: str, *, reason: str, detail: str, cure: str
) -> None:
    """Puts an item on the shelf; an item that was there before is open again, with the newer reason."""
    now = uow.database_now()
    values = {"reason": reason, "detail": detail, "cure": cure, "state": "open", "shelved_at": now}
    statement = insert(uow, shelf).values(delivery_id=delivery_id, source=source, item_path=item_path, **values)
    uow.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["delivery_id", "item_path"], set_=values | {"settled_at": None, "settled_by": None}
        )
    )


def items(
    connection: Connection,
    *,
    state: str = "open",
    source: str | None = None,
    reason: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[dict[str, Any]]:
    """A page of shelf items, those with an id above ``after``."""
    number = shelf.c.id + 0 if state == "open" else shelf.c.id  # the open ones are few: by their index, then sorted
    statement = select(shelf).where(shelf.c.state == state, number > after).order_by(number).limit(limit)
    if source is not None:
        statement = statement.where(shelf.c.source == source)
    if reason is not None:
        statement = statement.where(shelf.c.reason == reason)
    return [dict(row) for row in connection.execute(statement).mappings()]


def find(connection: Connection, item_id: int) -> dict[str, Any] | None:
    """One shelf item, or None."""
    row = connection.execute(select(shelf).where(shelf.c.id == item_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def counts(connection: Connection) -> list[tuple[str, str, int]]:
    """Open items as (source, reason, number)."""
    return [(source, reason, number) for source, reason, number in run(connection, _COUNTS)]


def dead(connection: Connection, *, after: int = 0, limit: int = 100) -> list[dict[str, Any]]:
    """A page of deliveries that could not be worked on at all, without their bodies."""
    columns = [column for column in deliveries.c if column.name not in {"body", "headers"}]
    statement = select(*columns).where(deliveries.c.state == "dead", deliveries.c.id > after)
    return [dict(row) for row in connection.execute(statement.order_by(deliveries.c.id).limit(limit)).mappings()]


def delivery(connection: Connection, delivery_id: int) -> dict[str, Any] | None:
    """One delivery with its body, or None."""
    row = connection.execute(select(deliveries).where(deliveries.c.id == delivery_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def retry(uow: UnitOfWork, item_ids: Sequence[int], *, by: str) -> int:
    """How many open items are worked on again; Conflict when the body of one is no longer kept."""
    statement = (
        select(shelf.c.delivery_id, deliveries.c.body.is_(None).label("gone"))
        .join(deliveries, deliveries.c.id == shelf.c.delivery_id)
        .where(shelf.c.id.in_(list(item_ids)), shelf.c.state == "open")
    )
    found = uow.connection.execute(statement).all()
    if any(row.gone for row in found):
        raise Conflict(f"{_GONE}; drop the item instead.")
    retry_deliveries(uow, sorted({row.delivery_id for row in found}))
    return _settle(uow, item_ids, "replayed", by)


def drop(uow: UnitOfWork, item_ids: Sequence[int], *, by: str) -> int:
    """How many open items were settled without being applied."""
    return _settle(uow, item_ids, "dropped", by)


def retry_deliveries(uow: UnitOfWork, delivery_ids: Sequence[int]) -> int:
    """How many settled or dead deliveries are worked on again; Conflict when the body of one is no longer kept."""
    if run(uow.connection, _BODILESS, {"ids": list(delivery_ids)}).first():
        raise Conflict(f"{_GONE}.")
    return int(run(uow.connection, _AGAIN, {"ids": list(delivery_ids)}).rowcount)


def drop_deliveries(uow: UnitOfWork, delivery_ids: Sequence[int]) -> int:
    """How many dead deliveries were settled without being applied; their reason stays readable."""
    return int(run(uow.connection, _DROP, {"ids": list(delivery_ids)}).rowcount)


def _settle(uow: UnitOfWork, item_ids: Sequence[int], state: str, by: str) -> int:
    return int(run(uow.connection, _SETTLE, {"state": state, "by": by, "ids": list(item_ids)}).rowcount)
