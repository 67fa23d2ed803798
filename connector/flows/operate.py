"""What an operator does with what got stuck: again, or never; each act leaves a line in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row

from connector.errors import Conflict
from connector.flows.context import Context
from connector.flows.projection import Ownership, project
from connector.store import audit, outbox_shelf, shelf
from connector.store.outbox import NOBODY, tried
from connector.store.unit_of_work import UnitOfWork

Act = Callable[[UnitOfWork], int]


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
    for row in outbox_shelf.naming(uow.connection, row_ids):
        if _must_take_back(uow, ctx, row):
            raise Conflict(
                f"Row {row.id} takes back a contact whose consent has ended, so it cannot be set aside: cure what the "
                f"CRM says of it, then try it again with `connector outbox retry {row.id}`."
            )
    return outbox_shelf.drop(uow, row_ids)


def _must_take_back(uow: UnitOfWork, ctx: Context, row: Row[Any]) -> bool:
    if ctx.crm_mapping is None:
        return True
    obj = ctx.crm_mapping.kind_of(row.object)
    found = project(uow.connection, ctx.crm_mapping, ctx.consent, obj, [row.external_key], ctx.clock())
    wanted = found.get(row.external_key)
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
