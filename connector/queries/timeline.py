"""Read models of a contact's history over all channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    false,
    func,
    literal,
    or_,
    select,
    union_all,
)

from connector.queries.cases import cases_of_keys
from connector.queries.paging import Page, page, uninviting
from connector.store.tables import cases, interactions

Ids = Sequence[str]

MOST_WALKS = 50
"""Accounts of one person that are looked up one by one."""


def history(
    connection: Connection,
    contact_ids: Ids,
    profile_ids: Ids,
    *,
    channel: str | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Interactions of a person, newest first: the CRM's own, and those of the profiles given.

    ``profile_ids`` must be the permitted ones: this query knows no consent.
    """
    said = union_all(*_walks(contact_ids, profile_ids, channel)).subquery()
    found = page(connection, select(said), [said.c.at, said.c.id], cursor=cursor, limit=limit, descending=True)
    rows = _interactions(connection, [row["id"] for row in found.rows])
    return Page([rows[row["id"]] for row in found.rows if row["id"] in rows], found.next)


def _walks(contact_ids: Ids, profile_ids: Ids, channel: str | None) -> list[Select[Any]]:
    """One look-up for each account, so that its index is walked in the order of time and left once a page is full."""
    alone, together = profile_ids[:MOST_WALKS], profile_ids[MOST_WALKS:]
    asserted = and_(interactions.c.origin == "crm", interactions.c.crm_contact_id.in_(contact_ids))
    if profile_ids:
        of_nobody_here = interactions.c.profile_id.not_in(profile_ids)
        asserted = and_(asserted, or_(interactions.c.profile_id.is_(None), of_nobody_here))
    spoken: list[ColumnElement[bool]] = [interactions.c.profile_id == each for each in alone]
    spoken += [interactions.c.profile_id.in_(together)] if together else []
    kept: list[ColumnElement[bool]] = [interactions.c.kind.is_not(None), interactions.c.occurred_at.is_not(None)]
    kept += [interactions.c.channel == channel] if channel else []
    columns = (interactions.c.occurred_at.label("at"), interactions.c.id.label("id"))
    return [select(*columns).where(each, *kept) for each in (asserted, *spoken)]


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """Some entries of a timeline, newest first: each is a case, or an interaction outside any case."""

    entries: tuple[tuple[str, RowMapping], ...]
    after: int | None
    """When the oldest entry of this page happened, where older ones follow."""
    next: str | None


def timeline_page(
    connection: Connection,
    contact_ids: Ids,
    profile_ids: Ids,
    *,
    channel: str | None,
    cursor: str | None,
    limit: int,
) -> TimelinePage:
    """A person's cases and single interactions, newest first.

    ``profile_ids`` must be the permitted ones: this query knows no consent.
    """
    opened = select(cases.c.opened_at.label("at"), cases.c.id.label("id"), literal("case").label("kind")).where(
        _case_of(contact_ids, profile_ids), cases.c.is_deleted == false()
    )
    alone = select(interactions.c.occurred_at, interactions.c.id, literal("alone")).where(
        _said_by(contact_ids, profile_ids),
        interactions.c.case_id.is_(None),
        interactions.c.kind.is_not(None),
        interactions.c.occurred_at.is_not(None),
    )
    if channel:
        opened = opened.where(or_(cases.c.channel == channel, _said_in_case_by(channel)))
        alone = alone.where(interactions.c.channel == channel)
    both = union_all(opened, alone).subquery()
    order = [both.c.at, both.c.id]
    found = page(connection, select(both), order, cursor=cursor, limit=limit, descending=True)
    rows = {row["id"]: row for row in cases_of_keys(connection, [r["id"] for r in found.rows if r["kind"] == "case"])}
    rows |= _interactions(connection, [row["id"] for row in found.rows if row["kind"] == "alone"])
    entries = tuple((str(row["kind"]), rows[row["id"]]) for row in found.rows if row["id"] in rows)
    return TimelinePage(entries, int(found.rows[-1]["at"]) if found.next else None, found.next)


@dataclass(frozen=True, slots=True)
class Said:
    """What was said in a case, oldest first: the words that began it and the latest, and how many there are in all."""

    rows: tuple[RowMapping, ...]
    total: int

    @property
    def between(self) -> int:
        """How many messages are left out after the first one."""
        return self.total - len(self.rows)


def said_in_cases(connection: Connection, case_ids: Ids, *, most: int) -> dict[str, Said]:
    """What was said in each of these cases, of each at most ``most`` messages; a case without a word is missing."""
    if not case_ids:
        return {}
    i = interactions.c
    # A look-up for each case, so that its index is left once there are enough: a case may hold a hundred thousand.
    shown = union_all(*(part for each in case_ids for part in (_edge(each, 1), _edge(each, 1 - most)))).subquery()
    statement = select(interactions).where(i.id.in_(select(shown.c.id))).order_by(i.case_id, i.occurred_at, i.id)
    found: dict[str, list[RowMapping]] = {}
    for row in connection.execute(statement).mappings():
        found.setdefault(row["case_id"], []).append(row)
    counted = select(i.case_id, func.count()).where(i.case_id.in_(found), i.kind.is_not(None)).group_by(i.case_id)
    return {case_id: Said(tuple(found[case_id]), total) for case_id, total in connection.execute(counted)}


def _edge(case_id: str, most: int) -> Select[Any]:
    """The ids of the first messages of a case, or of the last ones where ``most`` is negative."""
    i = interactions.c
    order = [i.occurred_at, i.id] if most > 0 else [i.occurred_at.desc(), i.id.desc()]
    said = select(i.id).where(i.case_id == case_id, i.kind.is_not(None)).order_by(*order).limit(abs(most)).subquery()
    return select(said.c.id)


def channel_counts(connection: Connection, contact_ids: Ids, profile_ids: Ids) -> dict[str, int]:
    """How many interactions a person has per channel."""
    statement = (
        select(interactions.c.channel, func.count().label("n"))
        .where(_said_by(contact_ids, profile_ids), interactions.c.kind.is_not(None))
        .group_by(interactions.c.channel)
    )
    return {row.channel: row.n for row in connection.execute(statement)}


def case_counts(connection: Connection, contact_ids: Ids, profile_ids: Ids) -> dict[str, int]:
    """How many cases a person has per channel that began by it; some were logged without a word in them."""
    statement = (
        select(cases.c.channel, func.count().label("n"))
        .where(_case_of(contact_ids, profile_ids), cases.c.is_deleted == false())
        .group_by(cases.c.channel)
    )
    return {row.channel: row.n for row in connection.execute(statement)}


def interaction_list(
    connection: Connection,
    *,
    case_id: str | None,
    channel: str | None,
    network: str | None,
    direction: str | None,
    since: int | None,
    until: int | None,
    cursor: str | None,
    limit: int,
) -> Page:
    """Interactions of everybody, newest first."""
    statement = select(interactions).where(interactions.c.kind.is_not(None), interactions.c.occurred_at.is_not(None))
    for column, value in (("case_id", case_id), ("channel", channel), ("direction", direction)):
        if value is not None:
            statement = statement.where(interactions.c[column] == value)
    if network is not None:
        statement = statement.where(uninviting(connection, interactions.c.network) == network)
    if since is not None:
        statement = statement.where(interactions.c.occurred_at >= since)
    if until is not None:
        statement = statement.where(interactions.c.occurred_at < until)
    order = [interactions.c.occurred_at, interactions.c.id]
    return page(connection, statement, order, cursor=cursor, limit=limit, descending=True)


def one_interaction(connection: Connection, interaction_id: str) -> RowMapping | None:
    """One interaction; None where there is none."""
    statement = select(interactions).where(interactions.c.id == interaction_id)
    return connection.execute(statement).mappings().one_or_none()


def _said_by(contact_ids: Ids, profile_ids: Ids) -> ColumnElement[bool]:
    asserted = and_(interactions.c.origin == "crm", interactions.c.crm_contact_id.in_(contact_ids))
    return or_(asserted, interactions.c.profile_id.in_(profile_ids)) if profile_ids else asserted


def _case_of(contact_ids: Ids, profile_ids: Ids) -> ColumnElement[bool]:
    asserted = and_(cases.c.origin == "crm", cases.c.crm_contact_id.in_(contact_ids))
    return or_(asserted, cases.c.profile_id.in_(profile_ids)) if profile_ids else asserted


def _said_in_case_by(channel: str) -> ColumnElement[bool]:
    said = select(interactions.c.id).where(interactions.c.case_id == cases.c.id, interactions.c.channel == channel)
    return said.correlate(cases).exists()


def _interactions(connection: Connection, ids: Ids) -> dict[str, RowMapping]:
    statement = select(interactions).where(interactions.c.id.in_(ids))
    return {row["id"]: row for row in connection.execute(statement).mappings()}
