"""What hangs on an account: how many cases and interactions, by channel, and since when."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, and_, false, func, or_, select

from connector.store.tables import cases, interactions


@dataclass(frozen=True, slots=True)
class Share:
    """What one channel has of an account: counts, and the first and last moment in epoch milliseconds."""

    channel: str
    cases: int
    interactions: int
    first_at: int | None
    last_at: int | None


def shares(connection: Connection, profile_id: str) -> list[Share]:
    """What a timeline would show of this account, by channel in the order of their names."""
    opened = connection.execute(
        select(cases.c.channel, func.count(), func.min(cases.c.opened_at), func.max(cases.c.opened_at))
        .where(cases.c.profile_id == profile_id, cases.c.is_deleted == false())
        .group_by(cases.c.channel)
    ).all()
    at = interactions.c.occurred_at
    said = connection.execute(
        select(interactions.c.channel, func.count(), func.min(at), func.max(at))
        .select_from(interactions.outerjoin(cases, cases.c.id == interactions.c.case_id))
        .where(
            interactions.c.profile_id == profile_id,
            interactions.c.kind.is_not(None),
            or_(cases.c.is_deleted == false(), and_(interactions.c.case_id.is_(None), at.is_not(None))),
        )
        .group_by(interactions.c.channel)
    ).all()
    case_rows = {row[0]: row for row in opened}
    said_rows = {row[0]: row for row in said}
    found = []
    for channel in sorted(case_rows.keys() | said_rows.keys()):
        parts = [rows[channel] for rows in (case_rows, said_rows) if channel in rows]
        found.append(
            Share(
                channel,
                cases=case_rows[channel][1] if channel in case_rows else 0,
                interactions=said_rows[channel][1] if channel in said_rows else 0,
                first_at=min((row[2] for row in parts if row[2] is not None), default=None),
                last_at=max((row[3] for row in parts if row[3] is not None), default=None),
            )
        )
    return found


def records_with_contact(connection: Connection, profile_id: str) -> tuple[list[str], int]:
    """The ids of the account's cases that we write to the CRM, and how many interactions we do.

    They are those that ``flows.link.reproject`` queues and ``flows.projection`` gives the account's contact.
    """
    own = select(cases.c.id).where(
        cases.c.profile_id == profile_id, cases.c.origin == "connector", cases.c.is_deleted == false()
    )
    said = (
        select(func.count())
        .select_from(interactions.join(cases, cases.c.id == interactions.c.case_id))
        .where(
            interactions.c.profile_id == profile_id,
            interactions.c.kind.is_not(None),
            or_(interactions.c.origin == "connector", cases.c.origin == "connector"),
        )
    )
    return list(connection.execute(own).scalars()), int(connection.execute(said).scalar_one())
