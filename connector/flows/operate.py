"""What an operator does with what got stuck: again, or never; each act leaves a line in the audit trail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection, Row

from connector.errors import Conflict
from connector.flows.context import Context
from connector.flows.projection import Ownership, Wanted, project
from connector.store import audit, outbox_shelf, shelf
from connector.store.outbox import NOBODY, tried
from connector.store.unit_of_work import UnitOfWork

Act = Callable[[UnitOfWork], int]

MOST_LOOKED_AT = 500
"""Dead rows that name a contact are looked at for the health page; more are counted as so many."""


def retry_items(ctx: Context, item_ids: Sequence[int], actor: str) -> int:
    """How many shelf items are worked on again; raises Conflict where a body is no longer kept."""
    return _done(ctx, "shelf.retry", "shelf", item_ids, actor, lambda uow: shelf.retry(uow, item_ids, by=actor))


def drop_items(ctx: Context, item_ids: Sequence[int], actor: str) -> int:
    """How many shelf items were set aside for good."""
    return _done(ctx, "shelf.drop", "shelf", item_ids, actor, lambda uow: shelf.drop(uow, item_ids, by=actor))


def retry_deliveries(ctx: Context, delivery_ids: Sequence[int], actor: str) -> int:
    """How many settled or dead deliveries are worked on again."""
    return _done(
        ctx, "delivery.retry", "delivery", delivery_ids, actor, lambda uow: shelf.retry_deliveries(uow, delivery_ids)
    )


def drop_deliveries(ctx: Context, delivery_ids: Sequence[int], actor: str) -> int:
    """How many dead deliveries were set aside for good; their reason stays readable."""
    return _done(
        ctx, "delivery.drop", "delivery", delivery_ids, actor, lambda uow: shelf.drop_deliveries(uow, delivery_ids)
    )


def retry_outbox(ctx: Context, row_ids: Sequence[int], actor: str) -> int:
    """How many dead, dropped or waiting outbox rows go out again now."""
    return _done(ctx, "outbox.retry", "outbox", row_ids, actor, lambda uow: outbox_shelf.retry(uow, row_ids))


def drop_outbox(ctx: Context, row_ids: Sequence[int], actor: str) -> int:
    """How many outbox rows were set aside for good; a later change of the record queues it again.

    Raises Conflict, and sets none aside, where the CRM still names a contact that must be taken back.
    """
    return _done(ctx, "outbox.drop", "outbox", row_ids, actor, lambda uow: _drop_outbox(uow, ctx, row_ids))


def _drop_outbox(uow: UnitOfWork, ctx: Context, row_ids: Sequence[int]) -> int:
    held = outbox_shelf.hold(uow, row_ids)  # else a withdrawal might come between the look and the dropping
    for row in _taking_back(ctx, uow.connection, outbox_shelf.naming(uow.connection, held)):
        raise Conflict(
            f"Row {row.id} takes back a contact whose consent has ended, so it cannot be set aside: cure what the "
            f"CRM says of it, then try it again with `connector outbox retry {row.id}`."
        )
    return outbox_shelf.drop(uow, held)


def never_taken_back(ctx: Context, connection: Connection) -> int:
    """How many records in the CRM still name a contact whose consent has ended, because it refuses the change.

    Nothing tries these again by itself; counted up to ``MOST_LOOKED_AT``.
    """
    return len(_taking_back(ctx, connection, outbox_shelf.dead_naming(connection, MOST_LOOKED_AT)))


def _taking_back(ctx: Context, connection: Connection, rows: Sequence[Row[Any]]) -> list[Row[Any]]:
    """Those of these rows that take a contact back: their records name it, or may, and must not any more."""
    if ctx.crm_mapping is None:
        return list(rows)
    by_object: dict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        by_object[row.object].append(row)
    found: list[Row[Any]] = []
    for name, alike in by_object.items():
        obj, keys = ctx.crm_mapping.kind_of(name), [row.external_key for row in alike]
        wanted = project(connection, ctx.crm_mapping, ctx.consent, obj, keys, ctx.clock())
        found += [row for row in alike if _must_take_back(row, wanted.get(row.external_key))]
    return found


def _must_take_back(row: Row[Any], wanted: Wanted | None) -> bool:
    if wanted is None or wanted.left_alone or wanted.ownership is not Ownership.OURS:
        return False
    return bool({row.sent_contact_id, *tried(row.tried_contact_id)} - {None, NOBODY, wanted.contact})


def retry_outbox_group(ctx: Context, error_code: str, actor: str) -> int:
    """How many dead outbox rows with this error go out again now."""
    return _done(
        ctx, "outbox.retry_group", "outbox", [], actor, lambda uow: outbox_shelf.retry(uow, error_code=error_code)
    )


def _done(ctx: Context, action: str, obj: str, ids: Sequence[int], actor: str, act: Act) -> int:
    with ctx.store.begin() as uow:
        changed = act(uow)
        if changed:
            which = str(ids[0]) if len(ids) == 1 else f"{len(ids)} rows" if ids else "group"
            audit.note(
                uow, at=ctx.clock(), actor=actor, action=action, obj=obj, object_id=which, detail={"changed": changed}
            )
    return changed
