"""Events that were applied, and the interactions they made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, or_, select, text

from connector.domain.items import Item
from connector.store.queues import insert
from connector.store.rows import RowMap, paged
from connector.store.tables import LOOSE, events, interactions
from connector.store.unit_of_work import UnitOfWork

ITEMS = RowMap(interactions, Item)

EventKey = tuple[str, str, str, str, str]
"""Network, scope, item, kind, version: what makes an event the same event."""


@dataclass(frozen=True, slots=True)
class Applied:
    """An event about to be applied: its unique key, and the delivery it came with."""

    key: EventKey
    delivery_id: int | None
    applied_at: int


def record_new(uow: UnitOfWork, applied: Sequence[Applied]) -> set[EventKey]:
    """The keys of those events that were never applied before, now on record; the unique key decides, not a look."""
    rows = [
        {
            "network": each.key[0], "scope": each.key[1], "item": each.key[2], "kind": each.key[3],
            "version": each.key[4], "delivery_id": each.delivery_id, "applied_at": each.applied_at,
        }
        for each in applied
    ]  # fmt: skip
    columns = (events.c.network, events.c.scope, events.c.item, events.c.kind, events.c.version)
    statement = insert(uow, events).on_conflict_do_nothing().returning(*columns)
    return {_key(row) for row in uow.connection.execute(statement, rows)} if rows else set()


def _key(row: Any) -> EventKey:
    return (row[0], row[1], row[2], row[3], row[4])


def load_items(uow: UnitOfWork, ids: Collection[str]) -> dict[str, Item]:
    """The stored items of these ids, by id."""
    found: dict[str, Item] = {}
    for page in paged(sorted(ids)):
        for row in uow.connection.execute(select(*ITEMS.columns).where(interactions.c.id.in_(page))):
            found[row[0]] = Item(*row)
    return found


def items_of_cases(uow: UnitOfWork, case_ids: Collection[str]) -> list[Item]:
    """Every interaction of these cases."""
    found: list[Item] = []
    for page in paged(sorted(case_ids)):
        rows = uow.connection.execute(select(*ITEMS.columns).where(interactions.c.case_id.in_(page)))
        found.extend(Item(*row) for row in rows)
    return found


def loose_items(uow: UnitOfWork, threads: Collection[tuple[str, str, str]]) -> list[Item]:
    """The items of these threads (network, scope, thread) that have no case, or whose case follows from other items."""
    grouped: dict[tuple[str, str], set[str]] = {}
    for network, scope, thread in threads:
        grouped.setdefault((network, scope), set()).add(thread)
    found: list[Item] = []
    for (network, scope), names in sorted(grouped.items()):
        for page in paged(sorted(names)):
            where = and_(
                interactions.c.network == network,
                interactions.c.scope == scope,
                interactions.c.thread.in_(page),
                text(LOOSE),
            )
            found.extend(Item(*row) for row in uow.connection.execute(select(*ITEMS.columns).where(where)))
    return found


def items_by_reference(uow: UnitOfWork, references: Collection[str]) -> dict[str, Item]:
    """Items that carry a call SID or Message-ID of these, by it."""
    found: dict[str, Item] = {}
    for page in paged(sorted(references)):
        statement = select(*ITEMS.columns).where(interactions.c.reference.in_(page)).order_by(interactions.c.id)
        for row in uow.connection.execute(statement):
            item = Item(*row)
            found.setdefault(item.reference or "", item)
    return found


def lookalikes(uow: UnitOfWork, item: Item, *, within: int) -> list[Item]:
    """Items of the other origin that may be the same call or mail: same channel, direction, customer, near in time."""
    moment = item.occurred_at or 0
    where = and_(
        interactions.c.occurred_at.between(moment - within, moment + within),
        interactions.c.channel == item.channel,
        interactions.c.direction == item.direction,
        interactions.c.origin != item.origin,
        interactions.c.customer_id == item.customer_id,
        or_(interactions.c.reference.is_(None), interactions.c.reference != (item.reference or "")),
    )
    return [Item(*row) for row in uow.connection.execute(select(*ITEMS.columns).where(where))]
