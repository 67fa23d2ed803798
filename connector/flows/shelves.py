"""Looking at the shelves of the inbox: what could not be worked on, and why; ``flows.operate`` retries and drops.

Retrying reads the stored body again with the mapping of today; what was applied before is recognised, so it may be
done any number of times.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connector.domain.events import from_millis
from connector.errors import NotFound
from connector.flows.context import Context
from connector.flows.operate import retry_items
from connector.store import shelf


@dataclass(frozen=True, slots=True)
class ShelfItem:
    """An item of a delivery that could not become part of a case: where it is, why, and the cure."""

    id: int
    delivery_id: int
    source: str
    item_path: str
    reason: str
    detail: str
    cure: str
    state: str
    shelved_at: datetime
    settled_at: datetime | None
    settled_by: str | None


@dataclass(frozen=True, slots=True)
class DeadDelivery:
    """A delivery that could not be worked on at all: it ended its worker three times, or failed for three days."""

    id: int
    source: str
    received_at: datetime
    attempts: int
    error: str | None


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery as it was received; ``body`` is None once its retention has passed."""

    id: int
    source: str
    received_at: datetime
    state: str
    content_type: str
    headers: str
    body: bytes | None
    attempts: int
    duplicates: int
    error: str | None


def list_items(
    ctx: Context,
    *,
    source: str | None = None,
    reason: str | None = None,
    state: str = "open",
    after: int = 0,
    limit: int = 100,
) -> list[ShelfItem]:
    """A page of shelf items, oldest first, those with an id above ``after``."""
    with ctx.store.read() as connection:
        found = shelf.items(connection, state=state, source=source, reason=reason, after=after, limit=limit)
    return [_item(each) for each in found]


def count_items(ctx: Context) -> list[tuple[str, str, int]]:
    """Open items as (source, reason, number)."""
    with ctx.store.read() as connection:
        return shelf.counts(connection)


def show_item(ctx: Context, item_id: int) -> tuple[ShelfItem, StoredDelivery]:
    """One shelf item with the delivery it came in; NotFound when there is none."""
    with ctx.store.read() as connection:
        found = shelf.find(connection, item_id)
        if found is None:
            raise NotFound(f"There is no shelf item {item_id}.")
        stored = shelf.delivery(connection, found["delivery_id"])
    if stored is None:
        raise NotFound(f"The delivery of shelf item {item_id} is no longer kept.")
    return _item(found), _delivery(stored)


def show_delivery(ctx: Context, delivery_id: int) -> StoredDelivery:
    """One delivery with its body; NotFound when there is none."""
    with ctx.store.read() as connection:
        stored = shelf.delivery(connection, delivery_id)
    if stored is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return _delivery(stored)


def list_dead(ctx: Context, *, after: int = 0, limit: int = 100) -> list[DeadDelivery]:
    """A page of deliveries that could not be worked on at all, oldest first."""
    with ctx.store.read() as connection:
        found = shelf.dead(connection, after=after, limit=limit)
    return [
        DeadDelivery(each["id"], each["source"], from_millis(each["received_at"]), each["attempts"], each["error"])
        for each in found
    ]


def retry_all(ctx: Context, actor: str, *, source: str | None = None, reason: str | None = None) -> int:
    """How many open items of this source and reason are worked on again: after a mapping was corrected."""
    retried, after = 0, 0
    while page := list_items(ctx, source=source, reason=reason, after=after, limit=500):
        retried += retry_items(ctx, [each.id for each in page], actor)
        after = page[-1].id
    return retried


def _item(row: Mapping[str, Any]) -> ShelfItem:
    settled_at = row["settled_at"]
    return ShelfItem(
        id=row["id"],
        delivery_id=row["delivery_id"],
        source=row["source"],
        item_path=row["item_path"],
        reason=row["reason"],
        detail=row["detail"],
        cure=row["cure"],
        state=row["state"],
        shelved_at=from_millis(row["shelved_at"]),
        settled_at=None if settled_at is None else from_millis(settled_at),
        settled_by=row["settled_by"],
    )


def _delivery(row: Mapping[str, Any]) -> StoredDelivery:
    body = row["body"]
    return StoredDelivery(
        id=row["id"],
        source=row["source"],
        received_at=from_millis(row["received_at"]),
        state=row["state"],
        content_type=row["content_type"],
        headers=row["headers"],
        body=None if body is None else bytes(body),
        attempts=row["attempts"],
        duplicates=row["duplicates"],
        error=row["error"],
    )
