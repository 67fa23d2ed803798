"""Contacts and people of the CRM as last read, and the index of suggestions kept up with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from connector.domain.matching.facts import ContactFacts
from connector.store.queues import insert
from connector.store.rows import RowMap, paged
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.tables import crm_contacts, crm_users, links, social_profiles
from connector.store.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact as the CRM has it; ``master_id`` names the contact it was joined into there.

    ``order_refs`` are the numbers of its orders, separated by spaces.
    """

    crm_id: str
    first_name: str | None
    last_name: str | None
    email: str | None
    phone: str | None
    mobile: str | None
    city: str | None
    state: str | None
    country: str | None
    account_name: str | None
    is_deleted: bool
    master_id: str | None
    modified_at: int
    synced_at: int
    order_refs: str | None = None


@dataclass(frozen=True, slots=True)
class UserRow:
    """A person who works in the CRM."""

    crm_id: str
    name: str
    is_active: bool


CONTACTS = RowMap(crm_contacts, ContactRow, key="crm_id")
USERS = RowMap(crm_users, UserRow, key="crm_id")


def load_contacts(connection: Connection, ids: Collection[str]) -> dict[str, ContactRow]:
    """The stored contacts of these ids, by id."""
    found: dict[str, ContactRow] = {}
    for page in paged(sorted(ids)):
        for row in connection.execute(select(*CONTACTS.columns).where(crm_contacts.c.crm_id.in_(page))):
            found[row[0]] = ContactRow(*row)
    return found


def living_contact_ids(connection: Connection) -> set[str]:
    """Every contact that is not deleted."""
    return set(connection.execute(select(crm_contacts.c.crm_id).where(crm_contacts.c.is_deleted.is_(False))).scalars())


def put_contacts(uow: UnitOfWork, rows: Sequence[ContactRow]) -> list[tuple[ContactRow | None, ContactRow]]:
    """Writes those that are new or differ, each returned as (before, after); the suggestion index follows."""
    latest = {row.crm_id: row for row in rows}
    known = load_contacts(uow.connection, latest.keys())
    changed = [(known.get(key), row) for key, row in latest.items() if _differs(known.get(key), row)]
    CONTACTS.insert(uow, [after for before, after in changed if before is None])
    CONTACTS.update(uow, [after for before, after in changed if before is not None])
    _index(uow, [after for _, after in changed])
    return changed


def _differs(before: ContactRow | None, after: ContactRow) -> bool:
    return before is None or replace(before, synced_at=0) != replace(after, synced_at=0)


def _index(uow: UnitOfWork, rows: Sequence[ContactRow]) -> None:
    index = SqlSuggestionIndex(uow.connection)
    gone = [row.crm_id for row in rows if row.is_deleted]
    living = [row for row in rows if not row.is_deleted]
    if gone:
        index.delete(gone)
    if living:
        index.upsert(contact_facts(uow.connection, living))


def contact_facts(connection: Connection, rows: Iterable[ContactRow]) -> list[ContactFacts]:
    """What suggestions may go by, with the handles that the contacts confirmed by consent."""
    listed = list(rows)
    handles = _handles(connection, [row.crm_id for row in listed])
    return [
        ContactFacts(
            contact_id=row.crm_id,
            first_name=row.first_name,
            last_name=row.last_name,
            emails=tuple(each for each in (row.email,) if each),
            phones=tuple(each for each in (row.phone, row.mobile) if each),
            city=row.city,
            state=row.state,
            country=row.country,
            handles=tuple(handles.get(row.crm_id, ())),
            order_refs=tuple((row.order_refs or "").split()),
        )
        for row in listed
    ]


def _handles(connection: Connection, contact_ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    joined = links.join(social_profiles, social_profiles.c.id == links.c.profile_id)
    columns = select(links.c.contact_id, social_profiles.c.handle).select_from(joined)
    for page in paged(contact_ids):
        confirmed = columns.where(links.c.contact_id.in_(page), links.c.state == "active")
        for contact_id, handle in connection.execute(confirmed.order_by(social_profiles.c.handle)):
            if handle:
                found[contact_id].append(handle)
    return found


def put_users(uow: UnitOfWork, rows: Sequence[UserRow]) -> int:
    """How many people of the CRM were new or changed, now written."""
    latest = {row.crm_id: row for row in rows}
    known: dict[str, UserRow] = {}
    for page in paged(sorted(latest)):
        for row in uow.connection.execute(select(*USERS.columns).where(crm_users.c.crm_id.in_(page))):
            known[row[0]] = UserRow(*row)
    changed = [row for key, row in latest.items() if known.get(key) != row]
    USERS.update(uow, [row for row in changed if row.crm_id in known])
    fresh = [row for row in changed if row.crm_id not in known]
    if fresh:
        values = [{"crm_id": row.crm_id, "name": row.name, "is_active": row.is_active} for row in fresh]
        uow.connection.execute(insert(uow, crm_users).on_conflict_do_nothing(), values)
    return len(changed)


def known_users(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """The names of those of these ids that work in the CRM, by id."""
    found: dict[str, str] = {}
    for page in paged(sorted(ids)):
        statement = select(crm_users.c.crm_id, crm_users.c.name).where(crm_users.c.crm_id.in_(page))
        found.update({row.crm_id: row.name for row in connection.execute(statement)})
    return found
