"""Links, grants and holds: rows to domain and back.

Nothing here decides; whoever changes a link goes through ``flows/consent/acts``, which writes the ledger with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from connector.domain.consent import (
    Assurance,
    Grant,
    GrantState,
    Hold,
    HoldReason,
    LinkRecord,
    LinkState,
    Method,
)
from connector.domain.events import from_millis, to_millis
from connector.store.tables import crm_contacts, grants, ledger, link_holds, links
from connector.store.unit_of_work import UnitOfWork

T = TypeVar("T")
CHUNK = 500
"""How many keys one statement takes; SQLite's oldest limit is 999."""


_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_IN_ORDER = select(links).order_by(links.c.asked_at, links.c.id)
_ACTIVE = _IN_ORDER.where(links.c.profile_id.in_(_IDS), links.c.state == LinkState.ACTIVE.value)
_OF_ACCOUNTS = _IN_ORDER.where(links.c.profile_id.in_(_IDS))
_GRANTS = select(grants).where(grants.c.link_id.in_(_IDS)).order_by(grants.c.seq)
_HOLDS = select(link_holds).where(link_holds.c.link_id.in_(_IDS))
_ENTRIES = select(ledger.c.seq, ledger.c.link_id).where(ledger.c.seq.in_(_IDS))
_LIVING = select(crm_contacts.c.crm_id).where(crm_contacts.c.crm_id.in_(_IDS), crm_contacts.c.is_deleted.is_(False))
"""Built once: the gate runs them for every record that is written."""


def links_of_profile(connection: Connection, profile_id: str) -> list[LinkRecord]:
    """Every link of the account, in whatever state, oldest first."""
    return links_where(connection, links.c.profile_id == profile_id)


def links_of_contact(connection: Connection, contact_id: str) -> list[LinkRecord]:
    """Every link of the contact, in whatever state, oldest first."""
    return links_where(connection, links.c.contact_id == contact_id)


def links_of_pair(connection: Connection, profile_id: str, contact_id: str) -> list[LinkRecord]:
    """Every link of this account with this contact, in whatever state, oldest first."""
    return links_where(connection, and_(links.c.profile_id == profile_id, links.c.contact_id == contact_id))


def link_by_id(connection: Connection, link_id: str) -> LinkRecord | None:
    """The link of this id, or None."""
    found = links_where(connection, links.c.id == link_id)
    return found[0] if found else None


def links_by_ids(connection: Connection, ids: Collection[str]) -> list[LinkRecord]:
    """The links of these ids, oldest first."""
    return [each for part in chunks(ids) for each in links_where(connection, links.c.id.in_(part))]


def active_links(connection: Connection, profile_ids: Collection[str]) -> dict[str, list[LinkRecord]]:
    """The links in force of each account that has any."""
    found: dict[str, list[LinkRecord]] = {}
    for part in chunks(profile_ids):
        for each in _records(connection, connection.execute(_ACTIVE, {"ids": part}).all()):
            found.setdefault(each.profile_id, []).append(each)
    return found


def latest_links(connection: Connection, profile_ids: Collection[str]) -> dict[str, LinkRecord]:
    """Each account's newest link, in whatever state."""
    found: dict[str, LinkRecord] = {}
    for part in chunks(profile_ids):
        rows = connection.execute(_OF_ACCOUNTS, {"ids": part}).all()
        found |= {each.profile_id: each for each in _records(connection, rows)}
    return found


def links_where(connection: Connection, condition: ColumnElement[bool]) -> list[LinkRecord]:
    """The links that meet the condition with what stands for each purpose and their holds, oldest first."""
    return _records(connection, connection.execute(_IN_ORDER.where(condition)).all())


def _records(connection: Connection, rows: Sequence[Row[Any]]) -> list[LinkRecord]:
    ids = [row.id for row in rows]
    standing: dict[str, dict[str, Grant]] = {each: {} for each in ids}
    resting: dict[str, list[Hold]] = {each: [] for each in ids}
    for part in chunks(ids):
        for row in connection.execute(_GRANTS, {"ids": part}):
            standing[row.link_id][row.purpose] = _grant(row)
        for row in connection.execute(_HOLDS, {"ids": part}):
            resting[row.link_id].append(_hold(row))
    return [_link(row, standing[row.id], resting[row.id]) for row in rows]


def entries_behind(connection: Connection, records: Iterable[LinkRecord]) -> set[tuple[int, str]]:
    """The (entry, link) pairs of the ledger that the grants of these links rest on."""
    wanted = {grant.seq for record in records for grant in record.grants.values()}
    found: set[tuple[int, str]] = set()
    for part in chunks(wanted):
        found |= {(row.seq, row.link_id) for row in connection.execute(_ENTRIES, {"ids": part})}
    return found


def decisions_of_links(connection: Connection, link_ids: Collection[str]) -> list[tuple[str, Grant]]:
    """All that was ever decided for these links, each with its link's id."""
    rows = (row for part in chunks(link_ids) for row in connection.execute(_GRANTS, {"ids": part}))
    return [(row.link_id, _grant(row)) for row in rows]


def living_contacts(connection: Connection, contact_ids: Collection[str]) -> set[str]:
    """Those of the contacts that the CRM has and has not deleted."""
    found: set[str] = set()
    for part in chunks(contact_ids):
        found |= set(connection.execute(_LIVING, {"ids": part}).scalars())
    return found


def insert_link(uow: UnitOfWork, record: LinkRecord) -> None:
    """Writes a new link; the database refuses a second live one for the same pair."""
    uow.connection.execute(
        insert(links).values(
            id=record.id,
            profile_id=record.profile_id,
            contact_id=record.contact_id,
            state=record.state.value,
            h=record.assurance.h,
            c=record.assurance.c,
            asked_at=to_millis(record.asked_at),
            by=record.by,
        )
    )


def update_link(uow: UnitOfWork, link_id: str, values: Mapping[str, Any]) -> None:
    """Changes columns of a link."""
    uow.connection.execute(update(links).where(links.c.id == link_id).values(**values))


def insert_grants(uow: UnitOfWork, link_id: str, seq: int, decided: Iterable[Grant]) -> None:
    """Adds what was decided by the ledger entry ``seq``; earlier rows stay, the newest stands."""
    rows = [
        {
            "link_id": link_id,
            "purpose": each.purpose,
            "seq": seq,
            "state": each.state.value,
            "decided_at": to_millis(each.decided_at),
            "notice_id": each.notice_id,
            "notice_version": each.notice_version,
            "granted_at": _millis(each.granted_at),
            "expires_at": _millis(each.expires_at),
        }
        for each in decided
    ]
    if rows:
        uow.connection.execute(insert(grants), rows)


def insert_hold(uow: UnitOfWork, link_id: str, hold: Hold) -> None:
    """Adds a reason why the link rests."""
    uow.connection.execute(
        insert(link_holds).values(
            link_id=link_id,
            reason=hold.reason.value,
            since_at=to_millis(hold.since_at),
            review_by_at=_millis(hold.review_by_at),
            by=hold.by,
        )
    )


def delete_hold(uow: UnitOfWork, link_id: str, reason: HoldReason) -> None:
    """Takes away a reason why the link rests."""
    gone = and_(link_holds.c.link_id == link_id, link_holds.c.reason == reason.value)
    uow.connection.execute(delete(link_holds).where(gone))


def _link(row: Row[Any], standing: Mapping[str, Grant], resting: list[Hold]) -> LinkRecord:
    return LinkRecord(
        id=row.id,
        profile_id=row.profile_id,
        contact_id=row.contact_id,
        state=LinkState(row.state),
        assurance=Assurance(row.h, row.c),
        asked_at=from_millis(row.asked_at),
        by=row.by,
        method=Method(row.method) if row.method else None,
        answered_at=_moment(row.answered_at),
        ended_at=_moment(row.ended_at),
        cool_until_at=_moment(row.cool_until_at),
        grants=standing,
        holds=tuple(sorted(resting, key=lambda hold: hold.reason)),
    )


def _grant(row: Row[Any]) -> Grant:
    return Grant(
        purpose=row.purpose,
        state=GrantState(row.state),
        decided_at=from_millis(row.decided_at),
        seq=row.seq,
        notice_id=row.notice_id,
        notice_version=row.notice_version,
        granted_at=_moment(row.granted_at),
        expires_at=_moment(row.expires_at),
    )


def _hold(row: Row[Any]) -> Hold:
    return Hold(HoldReason(row.reason), from_millis(row.since_at), row.by, _moment(row.review_by_at))


def _moment(millis: int | None) -> datetime | None:
    return None if millis is None else from_millis(millis)


def _millis(moment: datetime | None) -> int | None:
    return None if moment is None else to_millis(moment)


def chunks(keys: Collection[T]) -> Iterable[list[T]]:
    """The keys in lists short enough for one statement."""
    listed = list(keys)
    return (listed[at : at + CHUNK] for at in range(0, len(listed), CHUNK))
