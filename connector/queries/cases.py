"""Read models of cases: the inbox, the list, one case and its conversation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)
from sqlalchemy.sql.functions import coalesce

from connector.queries.paging import COUNTED, LARGEST, Page, page, uninviting
from connector.store.tables import case_events, cases, crm_contacts, crm_users, interactions, links, social_profiles

WAITING = and_(
    cases.c.last_inbound_at.is_not(None),
    or_(cases.c.last_outbound_at.is_(None), cases.c.last_outbound_at < cases.c.last_inbound_at),
)
"""The customer wrote last: the brand must act."""

QUEUE = and_(cases.c.closed_at.is_(None), cases.c.origin == "connector", cases.c.last_inbound_at.is_not(None))

LINKED = select(links.c.id).where(links.c.profile_id == cases.c.profile_id, links.c.state == "active").exists()

TABS: Mapping[str, ColumnElement[bool]] = {
    "waiting": WAITING,
    "unanswered": cases.c.last_outbound_at.is_(None),
    "unlinked": and_(WAITING, ~LINKED),
    "answered": ~WAITING,
}
"""The tabs of the inbox: who waits for us, who of them never had an answer, whom nobody has asked yet, and the rest."""


NUMBER_DIGITS = 8
"""How many digits Salesforce gives a case number."""


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """Which cases to list; None means any."""

    channel: str | None = None
    network: str | None = None
    state: str | None = None
    origin: str | None = None
    profile_id: str | None = None
    waiting: bool | None = None
    opened_from: int | None = None
    opened_to: int | None = None


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab of the inbox: how many cases (counting stops at 10,000) and since when the oldest waits."""

    name: str
    count: int
    oldest_at: int | None


def inbox(connection: Connection, tab: str, wanted: CaseFilter, *, cursor: str | None, limit: int) -> Page:
    """Open cases born on the connector's channels that belong to one of ``TABS``, the longest waiting first."""
    statement = _listed(with_words=True).where(
        QUEUE, TABS[tab], *_conditions(wanted, uninviting(connection, cases.c.network))
    )
    return page(connection, statement, [cases.c.last_inbound_at, cases.c.id], cursor=cursor, limit=limit)


def inbox_tabs(connection: Connection, wanted: CaseFilter) -> list[Tab]:
    """The tabs of the inbox with their counts and oldest waits."""
    return [_tab(connection, name, wanted) for name in TABS]


def case_list(
    connection: Connection, wanted: CaseFilter, *, cursor: str | None, limit: int, with_words: bool = False
) -> Page:
    """Cases of every origin, newest first."""
    statement = _listed(with_words=with_words).where(*_conditions(wanted))
    order = [cases.c.opened_at, cases.c.id]
    return page(connection, statement, order, cursor=cursor, limit=limit, descending=True)


def cases_of_keys(connection: Connection, case_ids: Sequence[str]) -> list[RowMapping]:
    """The cases of these ids, newest first."""
    statement = _listed(with_words=False).where(cases.c.id.in_(case_ids)).order_by(cases.c.opened_at.desc(), cases.c.id)
    return list(connection.execute(statement).mappings())


def behind_figure(connection: Connection, case_ids: Select[Any], *, cursor: str | None, limit: int) -> Page:
    """The cases that a report counted, the latest opened first, without anything personal."""
    columns = (
        cases.c.id, cases.c.crm_number, cases.c.channel, cases.c.network, cases.c.status, cases.c.opened_at,
        cases.c.first_inbound_at, cases.c.first_response_at, cases.c.closed_at,
    )  # fmt: skip
    order = [cases.c.opened_at, cases.c.id]
    statement = select(*columns).where(cases.c.id.in_(case_ids))
    return page(connection, statement, order, cursor=cursor, limit=limit, descending=True)


def how_many(connection: Connection, case_ids: Select[Any]) -> int:
    """How many cases a report counted."""
    return connection.execute(select(func.count()).select_from(case_ids.subquery())).scalar_one()


def one_case(connection: Connection, case_id: str) -> RowMapping | None:
    """One case with its profile's name and handle; None where there is none."""
    return connection.execute(_listed(with_words=False).where(cases.c.id == case_id)).mappings().one_or_none()


def case_with_number(connection: Connection, number: str) -> str | None:
    """The id of the case with this CRM case number, with or without its leading zeros; None where there is none."""
    written = {number, number.zfill(NUMBER_DIGITS)} if number.isascii() and number.isdigit() else {number}
    statement = select(cases.c.id).where(cases.c.crm_number.in_(sorted(written, key=len))).limit(1)
    found = connection.execute(statement).scalar_one_or_none()
    return str(found) if found is not None else None


def conversation(connection: Connection, case_id: str, *, cursor: str | None = None, limit: int = LARGEST) -> Page:
    """What was said in a case, oldest first: its latest messages, or with a cursor those before them."""
    statement = select(interactions).where(interactions.c.case_id == case_id, interactions.c.kind.is_not(None))
    order = [interactions.c.occurred_at, interactions.c.id]
    latest = page(connection, statement, order, cursor=cursor, limit=limit, descending=True)
    return Page(latest.rows[::-1], latest.next)


def parent_post(connection: Connection, row: RowMapping) -> RowMapping | None:
    """The brand's own post that the case's thread hangs under; None where there is none in the store."""
    if not row["thread"]:
        return None
    statement = select(interactions).where(
        interactions.c.network == row["network"],
        interactions.c.scope == row["scope"],
        interactions.c.item_id == row["thread"],
        or_(interactions.c.case_id.is_(None), interactions.c.case_id != row["id"]),
    )
    return connection.execute(statement).mappings().first()


def history(connection: Connection, case_id: str) -> list[RowMapping]:
    """What happened to a case, oldest first: opened, closed, reopened, owners."""
    statement = select(case_events).where(case_events.c.case_id == case_id).order_by(case_events.c.at, case_events.c.id)
    return list(connection.execute(statement).mappings())


def neighbours(connection: Connection, row: RowMapping, *, limit: int = 5) -> list[RowMapping]:
    """Other cases in the same thread, newest first: other people's, or this person's earlier ones."""
    if not row["thread"] or not row["network"]:
        return []
    other = cases.alias("other")
    latest = (
        select(other.c.id)
        .where(
            other.c.network == row["network"],
            other.c.scope == row["scope"],
            other.c.thread == row["thread"],
            other.c.id != row["id"],
        )
        # "+ 0" keeps SQLite from walking the whole network by time instead of looking up the thread (60 ms against 3)
        .order_by((other.c.opened_at + 0).desc())
        .limit(limit)
    )
    # Of all others in a thread of thousands, only so many are read whole.
    statement = _listed(with_words=False).where(cases.c.id.in_(latest)).order_by(cases.c.opened_at.desc())
    return list(connection.execute(statement).mappings())


def networks_in_use(connection: Connection, known: Iterable[str]) -> list[str]:
    """Those of the known networks that any profile or case belongs to, for the filters; one look-up each."""
    asked = [
        select(literal(name).label("name")).where(
            or_(
                select(cases.c.id).where(cases.c.network == name).exists(),
                select(social_profiles.c.id).where(social_profiles.c.network == name).exists(),
            )
        )
        for name in known
    ]
    return sorted(str(name) for name in connection.execute(union_all(*asked)).scalars()) if asked else []


def _tab(connection: Connection, name: str, wanted: CaseFilter) -> Tab:
    matching = (
        select(cases.c.last_inbound_at.label("at"))
        .where(QUEUE, TABS[name], *_conditions(wanted, uninviting(connection, cases.c.network)))
        .order_by(cases.c.last_inbound_at)
        .limit(COUNTED + 1)
        .subquery()
    )
    row = connection.execute(select(func.count(), func.min(matching.c.at))).one()
    return Tab(name, int(row[0]), row[1])


def _conditions(wanted: CaseFilter, network: ColumnElement[str] = cases.c.network) -> list[ColumnElement[bool]]:
    columns: list[tuple[object, ColumnElement[bool]]] = [
        (wanted.channel, cases.c.channel == wanted.channel),
        (wanted.network, network == wanted.network),
        (wanted.origin, cases.c.origin == wanted.origin),
        (wanted.profile_id, cases.c.profile_id == wanted.profile_id),
        (wanted.opened_from, cases.c.opened_at >= (wanted.opened_from or 0)),
        (wanted.opened_to, cases.c.opened_at < (wanted.opened_to or 0)),
        (wanted.waiting, WAITING),
    ]
    found = [condition for value, condition in columns if value is not None and value is not False]
    if wanted.state == "open":
        found.append(cases.c.closed_at.is_(None))
    if wanted.state == "closed":
        found.append(cases.c.closed_at.is_not(None))
    found.append(cases.c.is_deleted == false())
    return found


def _listed(*, with_words: bool) -> Select[Any]:
    contact = crm_contacts.alias("contact")
    statement = (
        select(
            cases,
            social_profiles.c.handle,
            social_profiles.c.external_id,
            social_profiles.c.display_name,
            social_profiles.c.followers,
            social_profiles.c.kind.label("profile_kind"),
            social_profiles.c.status.label("profile_status"),
            contact.c.first_name.label("crm_first_name"),
            contact.c.last_name.label("crm_last_name"),
            crm_users.c.name.label("owner_name"),
            case((WAITING, 1), else_=0).label("is_waiting"),
        )
        .select_from(cases)
        .outerjoin(social_profiles, social_profiles.c.id == cases.c.profile_id)
        .outerjoin(contact, and_(cases.c.origin == "crm", contact.c.crm_id == cases.c.crm_contact_id))
        .outerjoin(crm_users, crm_users.c.crm_id == cases.c.owner_crm_id)
    )
    if not with_words:
        return statement
    said = (
        select(interactions.c.text)
        .where(
            interactions.c.case_id == cases.c.id,
            interactions.c.direction == "inbound",
            interactions.c.state == "live",
            interactions.c.text.is_not(None),
        )
        .order_by(interactions.c.occurred_at.desc())
        .limit(1)
        .correlate(cases)
        .scalar_subquery()
    )
    return statement.add_columns(coalesce(said, cases.c.subject).label("words"))
