"""Events that were applied, and the interactions they made."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, text

from connector.domain.items import Item
from connector.store.rows import Many, RowMap, among, by_place
from connector.store.tables import LOOSE, interactions
from connector.store.unit_of_work import UnitOfWork

ITEMS = RowMap(interactions, Item)
HOUR_MS = 3_600_000

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


def lookalikes(uow: UnitOfWork, items: Collection[Item], *, within: int) -> dict[str, list[Item]]:
    """For each of these items, all of one origin, those of the other that may be the same call or mail, by its id.

    Same channel, direction and customer, ``within`` milliseconds of each other, and no reference that tells them apart.
    """
    found: dict[str, list[Item]] = {}
    for group in _near(items):
        moments = [item.occurred_at or 0 for item in group]
        customers = {item.customer_id for item in group}
        theirs = among(uow, interactions.c.customer_id, {each for each in customers if each is not None})
        where = and_(
            interactions.c.occurred_at.between(min(moments) - within, max(moments) + within),
            interactions.c.channel.in_(sorted({item.channel for item in group})),
            interactions.c.origin != group[0].origin,
            or_(theirs, interactions.c.customer_id.is_(None)) if None in customers else theirs,
        )
        others: dict[str | None, list[Item]] = defaultdict(list)
        for other in sorted(_items(uow, where), key=attrgetter("id")):
            others[other.customer_id].append(other)
        for item in group:
            alike = [other for other in others[item.customer_id] if _look_alike(item, other, within)]
            if alike:
                found[item.id] = alike
    return found


def _look_alike(item: Item, other: Item, within: int) -> bool:
    apart = abs((item.occurred_at or 0) - (other.occurred_at or 0))
    tells_apart = other.reference is not None and other.reference == item.reference
    return (item.channel, item.direction) == (other.channel, other.direction) and apart <= within and not tells_apart


def _near(items: Collection[Item]) -> Iterator[list[Item]]:
    """The items by their time, parted where there is an hour between two: one look for each part."""
    group: list[Item] = []
    for item in sorted(items, key=lambda each: each.occurred_at or 0):
        if group and (item.occurred_at or 0) - (group[-1].occurred_at or 0) > HOUR_MS:
            yield group
            group = []
        group.append(item)
    if group:
        yield group


def _items(uow: UnitOfWork, where: ColumnElement[bool]) -> list[Item]:
    return [Item(*row) for row in uow.connection.execute(select(*ITEMS.columns).where(where)).all()]
