"""Deliveries, the outbox and the sources over the API, for whoever keeps it running."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, cast

import orjson
from pydantic import BaseModel
from sqlalchemy import RowMapping

from connector.domain.events import to_millis
from connector.errors import Conflict, NotFound
from connector.flows import operate
from connector.queries import operations
from connector.web.api_call import Call, Operation, iso
from connector.web.api_models import Done, Paged


class DeliveryQuery(Paged):
    """Which deliveries."""

    state: Literal["new", "done", "dead"] | None = None
    source: str | None = None


class DeliveryOut(BaseModel):
    """A delivery as received."""

    id: int
    source: str
    key: str
    state: str
    received_at: str | None
    settled_at: str | None
    attempts: int
    duplicates: int
    size: int | None = None
    error: str | None


class DeliveryList(BaseModel):
    """A page of deliveries, the latest first."""

    items: list[DeliveryOut]
    next: str | None


class ShelfItem(BaseModel):
    """An item of a delivery that could not be read, with the cure."""

    id: int
    item_path: str
    reason: str
    detail: str
    cure: str
    state: str


class DeliveryDetail(DeliveryOut):
    """A delivery with its body while that is kept, and what was shelved of it."""

    content_type: str
    headers: dict[str, Any]
    body: str | None
    shelf: list[ShelfItem]


class OutboxQuery(Paged):
    """Which outbox rows."""

    state: Literal["pending", "sent", "dead", "dropped"] | None = None
    object: Literal["Social_Profile__c", "Case", "Channel_Interaction__c"] | None = None
    error_code: str | None = None


class OutboxOut(BaseModel):
    """A record on its way to the CRM; never what is in it."""

    id: int
    object: str
    external_key: str
    parent_key: str | None
    state: str
    ver: int
    sent_ver: int
    attempts: int
    queued_at: str | None
    run_at: str | None
    settled_at: str | None
    crm_id: str | None
    error_code: str | None
    error: str | None


class OutboxList(BaseModel):
    """A page of outbox rows, the latest first."""

    items: list[OutboxOut]
    next: str | None


class SourceOut(BaseModel):
    """A configured sender; secrets are never told."""

    name: str
    title: str
    address: str
    last_event_at: str | None
    deliveries_24h: int


class SourceList(BaseModel):
    """Every configured sender, by name."""

    items: list[SourceOut]


def list_deliveries(call: Call) -> DeliveryList:
    """Deliveries, the latest first."""
    query = cast(DeliveryQuery, call.query)
    with call.ctx.store.read() as connection:
        page = operations.delivery_list(
            connection, state=query.state, source=query.source, cursor=query.cursor, limit=query.limit
        )
    return DeliveryList(items=[DeliveryOut(**_delivery(row)) for row in page.rows], next=page.next)


def show_delivery(call: Call) -> DeliveryDetail:
    """One delivery with its body and its shelf."""
    number = call.number("delivery_id")
    with call.ctx.store.read() as connection:
        row = operations.delivery(connection, number)
        if row is None:
            raise NotFound("There is no delivery of this number.")
        items = operations.shelf_of_delivery(connection, number)
    body = row["body"]
    return DeliveryDetail(
        **_delivery(row),
        content_type=row["content_type"],
        headers=orjson.loads(row["headers"] or "{}"),
        body=None if body is None else bytes(body).decode("utf-8", "replace"),
        shelf=[ShelfItem(**{name: item[name] for name in ShelfItem.model_fields}) for item in items],
    )


def retry_delivery(call: Call) -> Done:
    """Works on a delivery again; what already went through is recognised by its key."""
    changed = operate.retry_deliveries(call.ctx, [call.number("delivery_id")], call.principal.actor)
    return _changed(changed, "There is no settled or dead delivery of this number whose body is still kept.")


def drop_delivery(call: Call) -> Done:
    """Sets a dead delivery aside."""
    changed = operate.drop_deliveries(call.ctx, [call.number("delivery_id")], call.principal.actor)
    return _changed(changed, "There is no dead delivery of this number.")


def list_outbox(call: Call) -> OutboxList:
    """Outbox rows, the latest first."""
    query = cast(OutboxQuery, call.query)
    with call.ctx.store.read() as connection:
        page = operations.outbox_list(
            connection,
            state=query.state,
            obj=query.object,
            error_code=query.error_code or None,
            cursor=query.cursor,
            limit=query.limit,
        )
    return OutboxList(items=[_outbox(row) for row in page.rows], next=page.next)


def show_outbox_row(call: Call) -> OutboxOut:
    """One outbox row."""
    with call.ctx.store.read() as connection:
        row = operations.outbox_row(connection, call.number("row_id"))
    if row is None:
        raise NotFound("There is no outbox row of this number.")
    return _outbox(row)


def retry_outbox_row(call: Call) -> Done:
    """Sends a record again now."""
    changed = operate.retry_outbox(call.ctx, [call.number("row_id")], call.principal.actor)
    return _changed(changed, "There is no waiting, dead or dropped outbox row of this number.")


def drop_outbox_row(call: Call) -> Done:
    """Sets a record aside; a later change of it queues it again."""
    changed = operate.drop_outbox(call.ctx, [call.number("row_id")], call.principal.actor)
    return _changed(changed, "There is no outbox row of this number that is dead or waits.")


def list_sources(call: Call) -> SourceList:
    """The configured senders."""
    ctx = call.ctx
    names = sorted(ctx.sources)
    with ctx.store.read() as connection:
        last = operations.last_received(connection, names)
        today = operations.received_since(connection, names, to_millis(ctx.clock() - timedelta(days=1)))
    return SourceList(
        items=[
            SourceOut(
                name=name,
                title=ctx.sources[name].mapping.title,
                address=f"{ctx.public_url}/api/v1/cases"
                if name == "api"
                else ctx.sources[name].address(ctx.public_url),
                last_event_at=iso(last[name]),
                deliveries_24h=today.get(name, 0),
            )
            for name in names
        ]
    )


def _changed(number: int, otherwise: str) -> Done:
    if number == 0:
        raise Conflict(otherwise)
    return Done(changed=number)


def _delivery(row: RowMapping) -> dict[str, Any]:
    names = ("id", "source", "key", "state", "attempts", "duplicates", "error")
    values: dict[str, Any] = {name: row[name] for name in names}
    values.update({name: iso(row[name]) for name in ("received_at", "settled_at")})
    return values | {"size": row.get("size")}


def _outbox(row: RowMapping) -> OutboxOut:
    times = ("queued_at", "run_at", "settled_at")
    plain = [name for name in OutboxOut.model_fields if name not in times]
    values: dict[str, Any] = {name: row[name] for name in plain}
    values.update({name: iso(row[name] or None) for name in times})
    return OutboxOut(**values)


def _act(name: str, path: str, summary: str, handler: Any, tag: str) -> Operation:
    return Operation(name, "POST", path, summary, handler, Done, tag=tag)


OPERATIONS = (
    Operation(
        "list_deliveries", "GET", "/deliveries", "Deliveries, the latest first", list_deliveries, DeliveryList,
        DeliveryQuery, tag="deliveries",
    ),
    Operation(
        "show_delivery", "GET", "/deliveries/<row:delivery_id>", "One delivery", show_delivery, DeliveryDetail,
        tag="deliveries",
    ),
    _act("retry_delivery", "/deliveries/<row:delivery_id>/retry", "Work on it again", retry_delivery, "deliveries"),
    _act("drop_delivery", "/deliveries/<row:delivery_id>/drop", "Set it aside", drop_delivery, "deliveries"),
    Operation(
        "list_outbox", "GET", "/outbox", "Records on their way to the CRM", list_outbox, OutboxList, OutboxQuery,
        tag="outbox",
    ),
    Operation("show_outbox_row", "GET", "/outbox/<row:row_id>", "One record", show_outbox_row, OutboxOut, tag="outbox"),
    _act("retry_outbox_row", "/outbox/<row:row_id>/retry", "Send it again now", retry_outbox_row, "outbox"),
    _act("drop_outbox_row", "/outbox/<row:row_id>/drop", "Set it aside", drop_outbox_row, "outbox"),
    Operation("list_sources", "GET", "/sources", "The configured senders", list_sources, SourceList, tag="sources"),
)  # fmt: skip
