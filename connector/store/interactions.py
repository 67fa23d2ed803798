"""Events that were applied, and the interactions they made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, text

from connector.domain.items import Item
from connector.store.rows import Many, RowMap, among, by_place
from connector.store.tables import LOOSE, interactions
from connector.store.unit_of_work import UnitOfWork

ITEMS = RowMap(interactions, Item)

_KEY = dict.fromkeys(("network", "scope", "item", "kind", "version"), "text")
_RECORD_NEW = Many.insert(
    "events",
    {**_KEY, "delivery_id": "bigint", "applied_at": "bigint"},
    f"ON CONFLICT DO NOTHING RETURNING {', '.join(_KEY)}",
)

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
    rows = [(*each.key, each.delivery_id, each.applied_at) for each in applied]
    return {_key(row) for row in _RECORD_NEW.returning(uow, rows)}


def _key(row: Any) -> EventKey:
    return (row[0], row[1], row[2], row[3], row[4])


def load_items(uow: UnitOfWork, ids: Collection[str]) -> dict[str, Item]:
    """The stored items of these ids, by id."""
    return {item.id: item for item in _items(uow, among(uow, interactions.c.id, ids))}


def items_of_cases(uow: UnitOfWork, case_ids: Collection[str], *, since: int | None = None) -> list[Item]:
    """Every interaction of these cases, or those that happened at ``since`` (epoch milliseconds) or later."""
    if not case_ids:
        return []
    within = among(uow, interactions.c.case_id, case_ids)
    return _items(uow, within if since is None else and_(within, interactions.c.occurred_at >= since))


def loose_items(uow: UnitOfWork, threads: Collection[tuple[str, str, str]]) -> list[Item]:
    """The items of these threads (network, scope, thread) that have no case, or whose case follows from other items."""
    found: list[Item] = []
    for (network, scope), names in by_place(threads).items():
        within = and_(interactions.c.network == network, interactions.c.scope == scope)
        found += _items(uow, and_(within, among(uow, interactions.c.thread, names), text(LOOSE)))
    return found


def items_by_reference(uow: UnitOfWork, references: Collection[str]) -> dict[str, list[Item]]:
    """All items that carry a call SID or Message-ID of these, by it; a Message-ID is anybody's to write."""
    found: dict[str, list[Item]] = defaultdict(list)
    if not references:
        return found
    for item in sorted(_items(uow, among(uow, interactions.c.reference, references)), key=attrgetter("id")):
        found[item.reference or ""].append(item)
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
    return _items(uow, where)


def _items(uow: UnitOfWork, where: ColumnElement[bool]) -> list[Item]:
    return [Item(*row) for row in uow.connection.execute(select(*ITEMS.columns).where(where)).all()]
