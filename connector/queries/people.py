"""Read models of people: contacts as the CRM has them, social profiles, and the links between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, and_, func, or_, select

from connector.queries.paging import Page, page
from connector.store.tables import (
    cases,
    crm_contacts,
    grants,
    interactions,
    link_holds,
    links,
    profile_handles,
    social_profiles,
)

_CALLED = tuple(social_profiles.c[name] for name in ("network", "handle", "display_name", "external_id"))
"""What an account is called by."""


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link as it may be shown: its state, the standing answer per purpose, and its holds."""

    row: RowMapping
    purposes: tuple[RowMapping, ...]
    holds: tuple[RowMapping, ...]


def contact(connection: Connection, contact_id: str) -> RowMapping | None:
    """One contact; None where the CRM's mirror has none of this id."""
    statement = select(crm_contacts).where(crm_contacts.c.crm_id == contact_id)
    return connection.execute(statement).mappings().one_or_none()


def contacts(connection: Connection, contact_ids: Sequence[str]) -> dict[str, RowMapping]:
    """The contacts of these ids, by id."""
    statement = select(crm_contacts).where(crm_contacts.c.crm_id.in_(contact_ids))
    return {row["crm_id"]: row for row in connection.execute(statement).mappings()}


def same_person(connection: Connection, contact_id: str) -> list[str]:
    """The contact's id and those of contacts that the CRM merged into it, through any number of merges.

    One that people took out of the merge again is nobody else any more, whatever the CRM still says of its master.
    """
    found = [contact_id]
    fresh = [contact_id]
    while fresh:
        merged = and_(crm_contacts.c.master_id.in_(fresh), crm_contacts.c.is_deleted.is_(True))
        statement = select(crm_contacts.c.crm_id).where(merged)
        fresh = [each for each in connection.execute(statement).scalars() if each not in found]
        found.extend(fresh)
    return found


def contact_by_identifier(connection: Connection, text: str, *, limit: int = 20) -> list[str]:
    """Ids of contacts whose e-mail, phone or id is exactly this, as the CRM writes it."""
    forms = list(dict.fromkeys([text, text.lower()]))
    statement = (
        select(crm_contacts.c.crm_id)
        .where(
            or_(
                crm_contacts.c.crm_id == text,
                crm_contacts.c.email.in_(forms),
                crm_contacts.c.phone == text,
                crm_contacts.c.mobile == text,
            )
        )
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def profile(connection: Connection, profile_id: str) -> RowMapping | None:
    """One social profile; None where there is none."""
    statement = select(social_profiles).where(social_profiles.c.id == profile_id)
    return connection.execute(statement).mappings().one_or_none()


def profile_list(
    connection: Connection, *, network: str | None, handle: str | None, cursor: str | None, limit: int
) -> Page:
    """Social profiles, the latest seen first, or those whose handle begins so."""
    statement = select(social_profiles)
    if network:
        statement = statement.where(social_profiles.c.network == network)
    if handle:
        statement = statement.where(
            social_profiles.c.handle_key >= handle, social_profiles.c.handle_key < handle + "\U0010ffff"
        )
    order = [social_profiles.c.last_seen_at, social_profiles.c.id]
    return page(connection, statement, order, cursor=cursor, limit=limit, descending=True)


def handles(connection: Connection, profile_id: str) -> list[RowMapping]:
    """The handles a profile has had, the latest first."""
    statement = (
        select(profile_handles)
        .where(profile_handles.c.profile_id == profile_id)
        .order_by(profile_handles.c.last_seen_at.desc(), profile_handles.c.handle_key)
    )
    return list(connection.execute(statement).mappings())


def with_handle(connection: Connection, network: str, key: str) -> list[RowMapping]:
    """The living accounts of customers that have this handle now and have written; its key is ``handle_key``'s."""
    table = social_profiles.c
    statement = select(social_profiles).where(
        table.network == network,
        table.handle_key == key,
        table.status == "active",
        table.kind != "brand",
        table.external_id.is_not(None),
    )
    return list(connection.execute(statement.order_by(table.id)).mappings())


def links_of(
    connection: Connection, *, profile_id: str | None = None, contact_ids: Sequence[str] | None = None
) -> list[LinkView]:
    """Links of a profile or a contact, live ones first, then the latest."""
    statement = select(links, *_CALLED).join(social_profiles, social_profiles.c.id == links.c.profile_id)
    if profile_id is not None:
        statement = statement.where(links.c.profile_id == profile_id)
    if contact_ids is not None:
        statement = statement.where(links.c.contact_id.in_(contact_ids))
    rows = list(connection.execute(statement.order_by(links.c.asked_at.desc(), links.c.id)).mappings())
    rows.sort(key=lambda row: row["state"] not in ("active", "asked"))
    return _with_parts(connection, rows)


def link(connection: Connection, link_id: str) -> LinkView | None:
    """One link; None where there is none."""
    statement = (
        select(links, *_CALLED)
        .join(social_profiles, social_profiles.c.id == links.c.profile_id)
        .where(links.c.id == link_id)
    )
    found = _with_parts(connection, list(connection.execute(statement).mappings()))
    return found[0] if found else None


def _with_parts(connection: Connection, rows: Sequence[RowMapping]) -> list[LinkView]:
    ids = [row["id"] for row in rows]
    standing: dict[str, list[RowMapping]] = {}
    held: dict[str, list[RowMapping]] = {}
    latest = (
        select(grants.c.link_id, grants.c.purpose, func.max(grants.c.seq).label("seq"))
        .where(grants.c.link_id.in_(ids))
        .group_by(grants.c.link_id, grants.c.purpose)
        .subquery()
    )
    newest = select(grants).join(
        latest,
        and_(
            grants.c.link_id == latest.c.link_id,
            grants.c.purpose == latest.c.purpose,
            grants.c.seq == latest.c.seq,
        ),
    )
    for row in connection.execute(newest.order_by(grants.c.purpose)).mappings():
        standing.setdefault(row["link_id"], []).append(row)
    for row in connection.execute(select(link_holds).where(link_holds.c.link_id.in_(ids))).mappings():
        held.setdefault(row["link_id"], []).append(row)
    return [LinkView(row, tuple(standing.get(row["id"], ())), tuple(held.get(row["id"], ()))) for row in rows]


def reach(connection: Connection, profile_id: str) -> tuple[int, int]:
    """How many cases and interactions hang on an account: what a change of its link touches."""
    row = connection.execute(
        select(
            select(func.count()).select_from(cases).where(cases.c.profile_id == profile_id).scalar_subquery(),
            select(func.count())
            .select_from(interactions)
            .where(interactions.c.profile_id == profile_id)
            .scalar_subquery(),
        )
    ).one()
    return int(row[0]), int(row[1])
