"""People: search, contacts with their timeline over all channels, social profiles."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import Connection, RowMapping
from werkzeug.wrappers import Response

from connector.domain.profiles import handle_key
from connector.errors import NotFound
from connector.flows.context import Context
from connector.flows.find import find_contacts
from connector.queries import cases, people, timeline
from connector.queries.paging import position
from connector.queries.people import LinkView
from connector.queries.timeline import Said, TimelinePage
from connector.web.agent import CHANNEL_NAMES, RECEIPTS
from connector.web.auth import context
from connector.web.paging import PAGE_SIZE, choice, cursor
from connector.web.present import LINK_STATES, METHODS, person_name, presenter
from connector.web.suggesting import guesses
from connector.web.who import living_contact, people_behind, permitted_profiles, standing

blueprint = Blueprint("people", __name__)

ENTRIES_A_PAGE = 40
FOUND = 20
SAID = 20
"""How many messages of a case a timeline shows; the case has all."""
NOTHING = Said((), 0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a timeline: a folded case, a single interaction, or a consent event as a thin line."""

    kind: str
    at: int
    row: RowMapping | None = None
    title: str = ""
    said: Said = NOTHING
    why: str | None = None
    shape: str = ""
    words: str = ""
    open: bool = False


@blueprint.get("/people")
def people_list() -> str:
    """Social profiles, the latest seen first."""
    ctx = context()
    with ctx.store.read() as connection:
        networks = cases.networks_in_use(connection, ctx.channels.networks)
        network = choice("network", tuple(networks))
        page = people.profile_list(connection, network=network, handle=None, cursor=cursor(), limit=PAGE_SIZE)
        return render_template(
            "people.html",
            section="people",
            q=None,
            network=network,
            networks=[(name, _title(ctx, name)) for name in networks],
            page=page,
            people=people_behind(ctx, connection, [row["id"] for row in page.rows]),
        )


@blueprint.get("/search")
def search() -> str | Response:
    """Contacts and profiles that fit what was typed; a case number leads straight to its case."""
    ctx = context()
    q = request.args.get("q", "").strip()
    for_profile = request.args.get("profile")
    if not q and not for_profile:
        return redirect(url_for("people.people_list"))
    with ctx.store.read() as connection:
        case_id = None if for_profile or not q else cases.case_with_number(connection, q)
        if case_id:
            return redirect(url_for("agent.case", case_id=case_id))
        found = _contact_ids(connection, q)
        rows = people.contacts(connection, found)
        key = handle_key("", q)
        page = people.profile_list(connection, network=None, handle=key or "\U0010ffff", cursor=None, limit=FOUND)
        return render_template(
            "people.html",
            section="people",
            q=q,
            contacts=[rows[each] for each in found if each in rows],
            page=page,
            people=people_behind(ctx, connection, [row["id"] for row in page.rows]),
            profile_for=people.profile(connection, for_profile) if for_profile else None,
            case_id=request.args.get("case") or None,
        )


@blueprint.get("/contacts/<crm_id>")
def contact(crm_id: str) -> str | Response:
    """A person's history over all channels, newest first; a merged contact leads to the one that stayed."""
    ctx = context()
    channel = choice("channel", CHANNEL_NAMES)
    with ctx.store.read() as connection:
        row = living_contact(connection, crm_id)
        if row is None:
            raise NotFound("The CRM's mirror has no contact of this id; `connector crm sync` brings new ones in.")
        if row["crm_id"] != crm_id:
            return redirect(url_for("people.contact", crm_id=row["crm_id"], channel=channel))
        ids = people.same_person(connection, crm_id)
        allowed = permitted_profiles(ctx, connection, crm_id)
        links = people.links_of(connection, contact_ids=ids)
        page = timeline.timeline_page(connection, ids, allowed, channel=channel, cursor=cursor(), limit=ENTRIES_A_PAGE)
        entries = _entries(connection, allowed, links, page, with_consent=channel is None)
        return render_template(
            "contact.html",
            section="people",
            contact=row,
            name=person_name(row["first_name"], row["last_name"]),
            links=links,
            counts=timeline.channel_counts(connection, ids, allowed),
            case_counts=timeline.case_counts(connection, ids, allowed),
            channel=channel,
            entries=entries,
            next=page.next,
            receipt=RECEIPTS.get(request.args.get("done", "")),
        )


@blueprint.get("/profiles/<profile_id>")
def profile(profile_id: str) -> str:
    """One social account: as last seen, its cases, and who it may be."""
    ctx = context()
    with ctx.store.read() as connection:
        row = people.profile(connection, profile_id)
        if row is None:
            raise NotFound("There is no social profile of this id.")
        shown = standing(ctx, connection, profile_id)
        own = cases.case_list(connection, cases.CaseFilter(profile_id=profile_id), cursor=None, limit=20)
        return render_template(
            "profile.html",
            section="people",
            profile=row,
            handles=people.handles(connection, profile_id),
            cases=own.rows,
            links=people.links_of(connection, profile_id=profile_id),
            standing=shown,
            suggestions=guesses(ctx, connection, profile_id) if shown.is_open else [],
            case_id=None,
            receipt=RECEIPTS.get(request.args.get("done", "")),
        )


def _contact_ids(connection: Connection, q: str) -> list[str]:
    exact = people.contact_by_identifier(connection, q, limit=FOUND) if q else []
    similar = find_contacts(connection, q, limit=FOUND) if q else []
    return list(dict.fromkeys([*exact, *similar]))[:FOUND]


def _title(ctx: Context, name: str) -> str:
    known = ctx.channels.networks.get(name)
    return known.title if known else name


def _entries(
    connection: Connection, allowed: list[str], links: list[LinkView], page: TimelinePage, *, with_consent: bool
) -> list[Entry]:
    reasons = {view.row["profile_id"]: _why(view) for view in links if view.row["profile_id"] in allowed}
    ids = [row["id"] for kind, row in page.entries if kind == "case"]
    said = timeline.said_in_cases(connection, ids, most=SAID)
    entries = [
        _case_entry(row, said.get(row["id"], NOTHING), reasons)
        if kind == "case"
        else Entry("alone", row["occurred_at"], row, why=reasons.get(row["profile_id"]))
        for kind, row in page.entries
    ]
    if with_consent:
        after = cursor()
        before = int(position(after, (int, str))[0]) if after else None
        entries += [each for each in _consent_lines(links) if _within(each.at, page.after, before)]
    entries.sort(key=lambda entry: -entry.at)
    return entries


def _case_entry(row: RowMapping, said: Said, reasons: dict[str, str]) -> Entry:
    first = next((each["text"] for each in said.rows if each["text"]), None)
    title = row["subject"] or (first or "")[:120] or "Case without words"
    return Entry("case", row["opened_at"], row, title, said, reasons.get(row["profile_id"]), open=False)


def _within(at: int, after: int | None, before: int | None) -> bool:
    return (after is None or at > after) and (before is None or at <= before)


def _consent_lines(links: list[LinkView]) -> list[Entry]:
    lines = []
    for view in links:
        row = view.row
        account = presenter().account(row)
        began = row["state"] in ("active", "withdrawn", "expired", "revoked", "invalidated", "superseded")
        if row["answered_at"]:
            words = f"Linked {account}, {_how(view)}" if began else f"{LINK_STATES[row['state']][1]}: {account}"
            lines.append(Entry("consent", row["answered_at"], shape="linked" if began else "none", words=words))
        else:
            lines.append(Entry("consent", row["asked_at"], shape="asked", words=f"Asked about {account}"))
        if row["ended_at"] and began:
            lines.append(
                Entry("consent", row["ended_at"], shape="none", words=f"{LINK_STATES[row['state']][1]}: {account}")
            )
    return lines


def _how(view: LinkView) -> str:
    return METHODS.get(view.row["method"] or "", "by consent")


def _why(view: LinkView) -> str:
    granted = [each["purpose"].replace("_", " ") for each in view.purposes if each["state"] == "granted"]
    account = presenter().account(view.row)
    return (
        f"{account} is linked to this person because they agreed ({_how(view)}), "
        f"for {' and '.join(granted) or 'service'}. It leaves this page when they withdraw."
    )
