"""The agent's pages: the inbox, the cases, one case with its conversation and "Who is this?"."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import Connection, RowMapping
from werkzeug.wrappers import Response

from connector.domain.channels import Channel
from connector.errors import NotFound
from connector.flows import suggest
from connector.flows.context import Context
from connector.queries import cases, people
from connector.queries.cases import CaseFilter
from connector.web.auth import context, may, principal
from connector.web.paging import PAGE_SIZE, choice, cursor
from connector.web.permissions import Permission
from connector.web.suggesting import guesses
from connector.web.who import people_behind, standing

blueprint = Blueprint("agent", __name__)

CHANNEL_NAMES = tuple(each.value for each in Channel)
TAB_NAMES = {
    "waiting": "Waiting for us",
    "unanswered": "Never answered",
    "unlinked": "Not linked",
    "answered": "Waiting for the customer",
}
PEEKED = 6
"""How many of the latest messages the inbox shows beside the list."""

RECEIPTS = {
    "rejected": "Remembered: not this one. It will not be suggested for this account again.",
    "yes": "Linked: the customer said yes. Their history is on its way to the CRM contact.",
    "no": "Noted: the customer said no. Nothing is linked, and nobody asks again for now.",
    "not_now": "Noted: not now. Nothing is linked; the next contact may ask again later.",
    "ended": "Unlinked. The history goes back, and the CRM copies follow.",
    "doubted": "On hold from now on: the person's history is closed, and the CRM copies lose the contact. It counts as "
    "never linked once a second person says so too.",
}


@blueprint.get("/")
def home() -> Response:
    """Where the work of this role begins."""
    return redirect(url_for("agent.inbox" if may(Permission.PEOPLE_READ) else "reports.index"))


@blueprint.get("/inbox")
def inbox() -> str:
    """Open cases, those that wait for us longest first."""
    ctx = context()
    tab = choice("tab", tuple(TAB_NAMES), "waiting") or "waiting"
    with ctx.store.read() as connection:
        networks = cases.networks_in_use(connection, ctx.channels.networks)
        wanted = CaseFilter(channel=choice("channel", CHANNEL_NAMES), network=choice("network", tuple(networks)))
        page = cases.inbox(connection, tab, wanted, cursor=cursor(), limit=PAGE_SIZE)
        return render_template(
            "inbox.html",
            section="inbox",
            tab=tab,
            tabs=cases.inbox_tabs(connection, wanted),
            tab_names=TAB_NAMES,
            wanted=wanted,
            networks=_titled(networks),
            page=page,
            people=people_behind(ctx, connection, [row["profile_id"] for row in page.rows]),
        )


@blueprint.get("/cases")
def case_list() -> str:
    """All cases, newest first; without names for whoever may not see them."""
    ctx = context()
    personal = may(Permission.PEOPLE_READ)
    with ctx.store.read() as connection:
        networks = cases.networks_in_use(connection, ctx.channels.networks)
        wanted = CaseFilter(
            channel=choice("channel", CHANNEL_NAMES),
            network=choice("network", tuple(networks)),
            state=choice("state", ("open", "closed")),
            origin=choice("origin", ("connector", "crm")),
        )
        page = cases.case_list(connection, wanted, cursor=cursor(), limit=PAGE_SIZE)
        behind = people_behind(ctx, connection, [row["profile_id"] for row in page.rows]) if personal else {}
        return render_template(
            "cases.html",
            section="cases",
            wanted=wanted,
            networks=_titled(networks),
            page=page,
            people=behind,
            personal=personal,
        )


@blueprint.get("/cases/<case_id>")
def case(case_id: str) -> str:
    """One case: what was said, and who it may be."""
    ctx = context()
    with ctx.store.read() as connection:
        row = _known(connection, case_id)
        said = cases.conversation(connection, case_id, cursor=cursor())
        return render_template(
            "case.html",
            section="inbox" if row["origin"] == "connector" else "cases",
            said=said.rows,
            earlier=said.next,
            older=cursor() is not None,
            parent=cases.parent_post(connection, row),
            events=cases.history(connection, case_id),
            others=cases.neighbours(connection, row),
            receipt=RECEIPTS.get(request.args.get("done", "")),
            **_who(ctx, connection, row),
        )


@blueprint.get("/cases/<case_id>/peek")
def peek(case_id: str) -> str:
    """One case in short, as a part of a page: the inbox shows it beside the list."""
    ctx = context()
    with ctx.store.read() as connection:
        row = _known(connection, case_id)
        said = cases.conversation(connection, case_id, limit=PEEKED).rows
        return render_template("_peek.html", said=said, **_who(ctx, connection, row))


@blueprint.post("/profiles/<profile_id>/reject")
def reject(profile_id: str) -> Response:
    """Remembers "not this one" and "none of these"."""
    for contact_id in request.form.getlist("contact")[:10]:
        suggest.reject(context(), profile_id, contact_id, principal().actor)
    return redirect(back_to(request.form.get("case"), profile_id, "rejected"))


def back_to(case_id: str | None, profile_id: str, done: str | None) -> str:
    """The case, or else the profile, with a receipt."""
    if case_id:
        return url_for("agent.case", case_id=case_id, done=done)
    return url_for("people.profile", profile_id=profile_id, done=done)


def _known(connection: Connection, case_id: str) -> RowMapping:
    row = cases.one_case(connection, case_id)
    if row is None:
        raise NotFound("There is no case of this id.")
    return row


def _who(ctx: Context, connection: Connection, row: RowMapping) -> dict[str, Any]:
    """What the card "Who is this?" needs, and the case it stands beside."""
    profile = people.profile(connection, row["profile_id"]) if row["profile_id"] else None
    shown = standing(ctx, connection, profile["id"]) if profile else None
    return {
        "row": row,
        "case_id": row["id"],
        "profile": profile,
        "standing": shown,
        "suggestions": guesses(ctx, connection, profile["id"]) if profile and shown and shown.is_open else [],
    }


def _titled(networks: list[str]) -> list[tuple[str, str]]:
    known = context().channels.networks
    return [(name, known[name].title if name in known else name) for name in networks]
