"""For whoever keeps it running: health first, then the shelves, the outbox and the sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import orjson
from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import RowMapping
from werkzeug.wrappers import Response

from connector.domain.events import to_millis
from connector.errors import InputInvalid, NotFound
from connector.flows import operate
from connector.flows.context import Context
from connector.queries import operations
from connector.web.auth import context, principal
from connector.web.paging import PAGE_SIZE, choice, cursor
from connector.web.present import plural
from connector.web.vitals import crm_login, stuck, vitals, writing

blueprint = Blueprint("admin", __name__, url_prefix="/admin")

Deed = Callable[[Context, Sequence[int], str], int]

DELIVERY_ACTS: Mapping[str, Deed] = {"retry": operate.retry_deliveries, "drop": operate.drop_deliveries}
SHELF_ACTS: Mapping[str, Deed] = {"retry": operate.retry_items, "drop": operate.drop_items}
OUTBOX_ACTS: Mapping[str, Deed] = {"retry": operate.retry_outbox, "drop": operate.drop_outbox}

SHOWN_BODY = 20_000
LARGEST_GROUP = 1000
ROW_NUMBER = re.compile(r"[0-9]{1,18}")
"""What can be the number of a row: digits that fit 64 bits."""


@blueprint.get("")
def health() -> str:
    """How the service is: one sentence, then the figures behind it."""
    ctx = context()
    with ctx.store.read() as connection:
        found = vitals(ctx, connection)
        return render_template(
            "admin_health.html",
            section="admin",
            page="health",
            vitals=found,
            stuck=stuck(found.health),
            login=crm_login(found.health) if ctx.crm is not None else "none",
            shelf_groups=operations.shelf_groups(connection),
            outbox_groups=operations.outbox_groups(connection),
            budget=writing(found.health),
        )


@blueprint.get("/deliveries")
def deliveries() -> str:
    """Deliveries as they came, the latest first."""
    ctx = context()
    with ctx.store.read() as connection:
        state = choice("state", ("new", "done", "dead"))
        source = request.args.get("source") or None
        page = operations.delivery_list(connection, state=state, source=source, cursor=cursor(), limit=PAGE_SIZE)
        return render_template(
            "admin_deliveries.html",
            section="admin",
            page="deliveries",
            found=page,
            state=state,
            source=source,
            sources=[(name, name) for name in sorted(ctx.sources)],
            receipt=_receipt(),
        )


@blueprint.get("/deliveries/<row:delivery_id>")
def delivery(delivery_id: int) -> str:
    """One delivery: its body while it is kept, and what was shelved of it."""
    with context().store.read() as connection:
        row = operations.delivery(connection, delivery_id)
        if row is None:
            raise NotFound("There is no delivery of this number.")
        return render_template(
            "admin_delivery.html",
            section="admin",
            page="deliveries",
            row=row,
            body=readable(row["body"]),
            headers=orjson.loads(row["headers"] or "{}"),
            items=operations.shelf_of_delivery(connection, delivery_id),
            receipt=_receipt(),
        )


@blueprint.post("/deliveries")
def delivery_act() -> str | Response:
    """Works on deliveries again, or sets dead ones aside; asks first, then gives a receipt."""
    return _act(DELIVERY_ACTS, "admin.deliveries", "delivery", "deliveries")


@blueprint.get("/shelf")
def shelf() -> str:
    """Items that could not be read, by reason."""
    ctx = context()
    with ctx.store.read() as connection:
        state = choice("state", ("open", "replayed", "dropped"), "open")
        source, reason = request.args.get("source") or None, request.args.get("reason") or None
        page = operations.shelf_list(
            connection, state=state, source=source, reason=reason, cursor=cursor(), limit=PAGE_SIZE
        )
        return render_template(
            "admin_shelf.html",
            section="admin",
            page="shelf",
            found=page,
            groups=_of_view(operations.shelf_groups(connection), source=source, reason=reason)
            if state == "open"
            else [],
            state=state,
            source=source,
            reason=reason,
            receipt=_receipt(),
        )


@blueprint.post("/shelf")
def shelf_act() -> str | Response:
    """Works on shelved items again, or sets them aside."""
    return _act(SHELF_ACTS, "admin.shelf", "item", "items", group=_shelf_group)


@blueprint.get("/outbox")
def outbox() -> str:
    """Records on their way to the CRM, and why some are stuck."""
    with context().store.read() as connection:
        state = choice("state", ("pending", "sent", "dead", "dropped"))
        obj, code = request.args.get("object") or None, request.args.get("code")
        page = operations.outbox_list(
            connection, state=state, obj=obj, error_code=code, cursor=cursor(), limit=PAGE_SIZE
        )
        return render_template(
            "admin_outbox.html",
            section="admin",
            page="outbox",
            found=page,
            groups=_of_view(operations.outbox_groups(connection), object=obj, error_code=code)
            if state in (None, "dead")
            else [],
            state=state,
            obj=obj,
            code=code,
            receipt=_receipt(),
        )


@blueprint.get("/outbox/<row:row_id>")
def outbox_row(row_id: int) -> str:
    """One record on its way."""
    with context().store.read() as connection:
        row = operations.outbox_row(connection, row_id)
    if row is None:
        raise NotFound("There is no outbox row of this number.")
    return render_template("admin_outbox_row.html", section="admin", page="outbox", row=row, receipt=_receipt())


@blueprint.post("/outbox")
def outbox_act() -> str | Response:
    """Sends records again, or sets them aside."""
    return _act(OUTBOX_ACTS, "admin.outbox", "record", "records", group=_outbox_group)


@blueprint.get("/sources")
def sources() -> str:
    """The configured senders: the address to paste, and when each was last heard of."""
    ctx = context()
    day_ago = to_millis(ctx.clock() - timedelta(days=1))
    with ctx.store.read() as connection:
        return render_template(
            "admin_sources.html",
            section="admin",
            page="sources",
            sources=[ctx.sources[name] for name in sorted(ctx.sources)],
            last=operations.last_received(connection, sorted(ctx.sources)),
            today=operations.received_since(connection, sorted(ctx.sources), day_ago),
            public_url=ctx.public_url,
        )


def readable(body: bytes | None) -> str | None:
    """A body as text to read, indented where it is JSON, cut where it is long; None once it is no longer kept."""
    if body is None:
        return None
    try:
        text = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        text = body.decode("utf-8", "replace")
    return text if len(text) <= SHOWN_BODY else f"{text[:SHOWN_BODY]}\n… cut here"


def _of_view(groups: Sequence[RowMapping], **wanted: str | None) -> list[RowMapping]:
    """The groups of what is being looked at: whoever chose one wants its lines, not all the others above them."""
    return [each for each in groups if all(value in (None, each[name] or "") for name, value in wanted.items())]


def _act(
    acts: Mapping[str, Deed],
    back: str,
    one: str,
    many: str,
    group: Callable[[], list[int]] | None = None,
) -> str | Response:
    deed = request.form.get("act", "")
    if deed not in acts:
        raise InputInvalid("Choose what to do: again, or set aside.")
    ids = _ids() or (group() if group is not None and request.form.get("group") else [])
    if not ids:
        raise InputInvalid("Nothing is chosen; tick at least one line.")
    if not request.form.get("sure"):
        words = plural(len(ids), one, many)
        return render_template(
            "admin_confirm.html",
            section="admin",
            page=back.split(".")[1],
            act=deed,
            ids=ids,
            words=words,
            back=back,
            is_cut=len(ids) == LARGEST_GROUP,
        )
    changed = acts[deed](context(), ids, principal().actor)
    return redirect(url_for(back, done=deed, n=changed))


def _ids() -> list[int]:
    return [int(each) for each in request.form.getlist("id")[:LARGEST_GROUP] if ROW_NUMBER.fullmatch(each)]


def _shelf_group() -> list[int]:
    with context().store.read() as connection:
        page = operations.shelf_list(
            connection,
            state="open",
            source=request.form.get("source"),
            reason=request.form.get("reason"),
            cursor=None,
            limit=LARGEST_GROUP,
        )
    return [row["id"] for row in page.rows]


def _outbox_group() -> list[int]:
    with context().store.read() as connection:
        page = operations.outbox_list(
            connection,
            state="dead",
            obj=request.form.get("object"),
            error_code=request.form.get("code"),
            cursor=None,
            limit=LARGEST_GROUP,
        )
    return [row["id"] for row in page.rows]


def _receipt() -> str | None:
    done, number = request.args.get("done"), request.args.get("n", "")
    if done not in ("retry", "drop") or not ROW_NUMBER.fullmatch(number):
        return None
    if done == "retry":
        return f"{plural(int(number), 'row is', 'rows are')} worked on again."
    return f"{plural(int(number), 'row was', 'rows were')} set aside."
