"""Links on which something is due by the clock: an expired grant, a newer wording, a hold nobody looked at."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, exists, func, select

from connector.domain.consent import TERMINAL, GrantState, HoldReason, LinkState
from connector.domain.events import to_millis
from connector.store.tables import evidence, grants, link_holds, links, social_profiles


def _newest() -> ColumnElement[bool]:
    """Of each link and purpose only the row that stands."""
    later = grants.alias("later")
    same = and_(later.c.link_id == grants.c.link_id, later.c.purpose == grants.c.purpose)
    return ~exists().where(and_(same, later.c.seq > grants.c.seq))


def links_with_expired_grants(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Links in force with a grant whose time is over."""
    states = (GrantState.GRANTED.value, GrantState.STALE.value)
    due = and_(grants.c.state.in_(states), grants.c.expires_at <= to_millis(now), _newest())
    return _active_ids(connection, due, limit)


def versions_granted(connection: Connection) -> list[tuple[str, str | None, str | None]]:
    """Every (purpose, notice id, version) that some link in force was granted under."""
    rows = connection.execute(
        select(grants.c.purpose, grants.c.notice_id, grants.c.notice_version)
        .join(links, links.c.id == grants.c.link_id)
        .where(links.c.state == LinkState.ACTIVE.value, grants.c.state == GrantState.GRANTED.value)
        .distinct()
    )
    return [(row.purpose, row.notice_id, row.notice_version) for row in rows]


def links_granted_under(
    connection: Connection, purpose: str, notice_id: str | None, version: str | None, limit: int
) -> list[str]:
    """Links in force whose standing grant of the purpose rests on that version of the notice."""
    under = and_(
        grants.c.purpose == purpose,
        grants.c.state == GrantState.GRANTED.value,
        grants.c.notice_id.is_(None) if notice_id is None else grants.c.notice_id == notice_id,
        grants.c.notice_version.is_(None) if version is None else grants.c.notice_version == version,
        _newest(),
    )
    return _active_ids(connection, under, limit)


def _active_ids(connection: Connection, condition: ColumnElement[bool], limit: int) -> list[str]:
    statement = (
        select(links.c.id)
        .join(grants, grants.c.link_id == links.c.id)
        .where(links.c.state == LinkState.ACTIVE.value, condition)
        .distinct()
        .order_by(links.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def links_held_since(connection: Connection, reason: HoldReason, before: datetime, limit: int) -> list[str]:
    """Links in force that rest for this reason since that time or longer."""
    statement = (
        select(links.c.id)
        .join(link_holds, link_holds.c.link_id == links.c.id)
        .where(links.c.state == LinkState.ACTIVE.value, link_holds.c.reason == reason.value)
        .where(link_holds.c.since_at <= to_millis(before))
        .order_by(links.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def links_to_review(connection: Connection, now: datetime, limit: int) -> list[str]:
    """Links in force whose possible withdrawal nobody has read in time."""
    statement = (
        select(links.c.id)
        .join(link_holds, link_holds.c.link_id == links.c.id)
        .where(links.c.state == LinkState.ACTIVE.value, link_holds.c.review_by_at <= to_millis(now))
        .where(link_holds.c.reason == HoldReason.POSSIBLE_WITHDRAWAL.value)
        .order_by(links.c.id)
        .limit(limit)
    )
    return list(connection.execute(statement).scalars())


def unbound_links(connection: Connection, after: str, limit: int) -> list[tuple[str, str]]:
    """(link, account) of links in force, by id, whose account is known by its handle only and has no open review."""
    under_review = exists().where(
        and_(link_holds.c.link_id == links.c.id, link_holds.c.reason == HoldReason.BINDING_REVIEW.value)
    )
    statement = (
        select(links.c.id, links.c.profile_id)
        .join(social_profiles, social_profiles.c.id == links.c.profile_id)
        .where(social_profiles.c.external_id.is_(None), links.c.state == LinkState.ACTIVE.value, ~under_review)
        .where(links.c.id > after)
        .order_by(links.c.id)
        .limit(limit)
    )
    return [(row.id, row.profile_id) for row in connection.execute(statement)]


def links_with_evidence_ended_before(connection: Connection, before: datetime, limit: int) -> list[str]:
    """Links that ended by then, or were never more than put off, and still have evidence."""
    over = func.coalesce(links.c.ended_at, links.c.answered_at) <= to_millis(before)
    kept = exists().where(evidence.c.link_id == links.c.id)
    states = [each.value for each in (*TERMINAL, LinkState.DEFERRED)]
    statement = select(links.c.id).where(links.c.state.in_(states), over, kept).order_by(links.c.id).limit(limit)
    return list(connection.execute(statement).scalars())
