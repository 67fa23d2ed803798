"""Cases and interactions that were born in the CRM, and what the CRM decides about our own cases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, replace

from sqlalchemy import Connection, bindparam, func, select, update

from connector.domain.cases import Figures
from connector.domain.items import Item
from connector.store.interactions import ITEMS
from connector.store.outbox import queue_many
from connector.store.rows import RowMap, paged
from connector.store.tables import cases, interactions, outbox
from connector.store.unit_of_work import UnitOfWork

INTERACTION = "Channel_Interaction__c"
DERIVED = ("Case", "CaseComment", "EmailMessage")
"""Objects whose records name no contact of their own: they follow their case."""


@dataclass(slots=True)
class BornCase:
    """A case of the CRM as mirrored: never written back."""

    id: str
    origin: str
    channel: str
    network: str
    thread: str
    parent_id: str | None
    subject: str | None
    opened_at: int
    closed_at: int | None
    status: str
    owner_crm_id: str | None
    priority: str | None
    reopen_count: int
    reopened_at: int | None
    reopened_from_at: int | None
    crm_id: str
    crm_number: str | None
    crm_contact_id: str | None
    crm_modified_at: int | None
    is_deleted: bool


@dataclass(slots=True)
class OurCase:
    """A case of ours: what the CRM decides about it."""

    id: str
    channel: str
    network: str
    subject: str | None
    closed_at: int | None
    status: str
    owner_crm_id: str | None
    priority: str | None
    crm_id: str | None
    crm_number: str | None
    crm_contact_id: str | None
    crm_modified_at: int | None
    is_deleted: bool


BORN_CASES = RowMap(cases, BornCase)
OUR_CASES = RowMap(cases, OurCase)
_FIGURES = ("first_inbound_at", "last_inbound_at", "first_response_at", "last_outbound_at", "inbound_touches",
            "outbound_touches")  # fmt: skip
_WRITE_FIGURES = update(cases).where(cases.c.id == bindparam("key"))


@dataclass(frozen=True, slots=True)
class KnownCase:
    """Where a record of the CRM belongs: our id of its case, who made the case, its customer and contact."""

    id: str
    origin: str
    channel: str
    network: str
    profile_id: str | None
    crm_contact_id: str | None
    is_deleted: bool


def load_born_cases(uow: UnitOfWork, ids: Collection[str]) -> dict[str, BornCase]:
    """The mirrored cases of these ids, by id."""
    return {
        row[0]: BornCase(*row)
        for page in paged(sorted(ids))
        for row in uow.connection.execute(
            select(*BORN_CASES.columns).where(cases.c.id.in_(page), cases.c.origin == "crm")
        )
    }


def load_our_cases(uow: UnitOfWork, ids: Collection[str]) -> dict[str, OurCase]:
    """Our cases of these ids, by id."""
    return {
        row[0]: OurCase(*row)
        for page in paged(sorted(ids))
        for row in uow.connection.execute(
            select(*OUR_CASES.columns).where(cases.c.id.in_(page), cases.c.origin == "connector")
        )
    }


def mark_deleted(uow: UnitOfWork, crm_ids: Collection[str]) -> dict[str, str]:
    """Notes that the CRM has deleted these cases for good; the origin of those that were there until now, by our id."""
    found: dict[str, str] = {}
    for page in paged(sorted(crm_ids)):
        statement = update(cases).where(cases.c.crm_id.in_(page), cases.c.is_deleted.is_(False))
        marked = statement.values(is_deleted=True).returning(cases.c.id, cases.c.origin)
        found |= {row.id: row.origin for row in uow.connection.execute(marked)}
    return found


def living_cases(connection: Connection, behind: str, limit: int) -> list[tuple[str, str]]:
    """The next cases, ours and mirrored, that the CRM has by what is known; each twice by its record id."""
    statement = select(cases.c.crm_id).where(cases.c.crm_id > behind, cases.c.is_deleted.is_(False))
    return [(each, each) for each in connection.execute(statement.order_by(cases.c.crm_id).limit(limit)).scalars()]


def living_items(connection: Connection, behind: str, limit: int, *, obj: str) -> list[tuple[str, str]]:
    """The next interactions that were born as records of this object and not deleted: our id and the record id."""
    born = (interactions.c.origin == "crm", interactions.c.crm_object == obj, interactions.c.state == "live")
    statement = select(interactions.c.id, interactions.c.crm_id).where(interactions.c.id > behind, *born)
    return [(row.id, row.crm_id) for row in connection.execute(statement.order_by(interactions.c.id).limit(limit))]


def openings_in(uow: UnitOfWork, case_ids: Collection[str]) -> list[Item]:
    """The first messages, not deleted, that cases of the CRM are themselves, among the interactions of these cases."""
    born = (interactions.c.origin == "crm", interactions.c.crm_object == "Case", interactions.c.state == "live")
    return [
        Item(*row)
        for page in paged(sorted(case_ids))
        for row in uow.connection.execute(select(*ITEMS.columns).where(interactions.c.case_id.in_(page), *born))
    ]


def untold_reopens(uow: UnitOfWork, ids: Collection[str]) -> set[str]:
    """Those of our cases whose last reopening the CRM does not know yet: what it says of their status is old."""
    joined = cases.outerjoin(outbox, (outbox.c.external_key == cases.c.id) & (outbox.c.object == "Case"))
    statement = (
        select(cases.c.id).select_from(joined).where(cases.c.reopen_count > func.coalesce(outbox.c.told_reopens, 0))
    )
    return {
        key
        for page in paged(sorted(ids))
        for key in uow.connection.execute(statement.where(cases.c.id.in_(page))).scalars()
    }


def cases_by_crm_id(connection: Connection, crm_ids: Collection[str]) -> dict[str, KnownCase]:
    """The cases, ours and mirrored, that have these record ids in the CRM, by record id."""
    columns = (cases.c.crm_id, cases.c.id, cases.c.origin, cases.c.channel, cases.c.network, cases.c.profile_id,
               cases.c.crm_contact_id, cases.c.is_deleted)  # fmt: skip
    return {
        row[0]: KnownCase(*row[1:])
        for page in paged(sorted(crm_ids))
        for row in connection.execute(select(*columns).where(cases.c.crm_id.in_(page)))
    }


def put_items(uow: UnitOfWork, items: Sequence[Item]) -> list[Item]:
    """Writes those that are new or differ and returns them."""
    latest = {item.id: item for item in items}
    known = items_by_id(uow, latest)
    fresh = [item for key, item in latest.items() if key not in known and item.state == "live"]
    changed = [after for key, before in known.items() if _differ(before, after := _over(before, latest[key]))]
    ITEMS.insert(uow, fresh)
    ITEMS.update(uow, changed)
    return fresh + changed


def _over(before: Item, after: Item) -> Item:
    """The item as it should now be; what a webhook told of it, and what only the store knows, stays."""
    if before.source is not None and after.source is None:
        return replace(
            before, case_id=before.case_id or after.case_id, crm_object=after.crm_object, crm_id=after.crm_id,
            crm_contact_id=after.crm_contact_id,
        )  # fmt: skip
    return replace(
        after, received_at=before.received_at,
        possible_duplicate=after.possible_duplicate or before.possible_duplicate,
    )  # fmt: skip


def items_by_id(uow: UnitOfWork, ids: Collection[str]) -> dict[str, Item]:
    """The interactions of these ids, by id."""
    return {
        row[0]: Item(*row)
        for page in paged(sorted(ids))
        for row in uow.connection.execute(select(*ITEMS.columns).where(interactions.c.id.in_(page)))
    }


def _differ(before: Item, after: Item) -> bool:
    return astuple(before) != astuple(after)


def our_cases(uow: UnitOfWork, ids: Collection[str]) -> set[str]:
    """Those of these cases that are ours."""
    statement = select(cases.c.id).where(cases.c.origin == "connector")
    return {
        key
        for page in paged(sorted(ids))
        for key in uow.connection.execute(statement.where(cases.c.id.in_(page))).scalars()
    }


def write_counts(uow: UnitOfWork, figures: Mapping[str, Figures]) -> None:
    """Keeps what the interactions of mirrored cases come to; everything else of them is the CRM's."""
    rows = [{"key": key, **{name: getattr(each, name) for name in _FIGURES}} for key, each in figures.items()]
    if rows:
        uow.connection.execute(_WRITE_FIGURES, rows)


def queue_born(uow: UnitOfWork, ids: Iterable[str]) -> None:
    """Queues these interactions for the CRM's cross-channel history."""
    queue_many(uow, INTERACTION, [(key, None) for key in ids])


def follow_case_contacts(uow: UnitOfWork, contacts: Mapping[str, str | None]) -> None:
    """Gives the records that name no contact of their own the one that their case (by its id) has now."""
    by_contact: dict[str | None, list[str]] = defaultdict(list)
    for case_id, contact in contacts.items():
        by_contact[contact].append(case_id)
    for contact, case_ids in by_contact.items():
        for page in paged(sorted(case_ids)):
            statement = (
                update(interactions)
                .where(interactions.c.case_id.in_(page), interactions.c.crm_object.in_(DERIVED))
                .where(interactions.c.origin == "crm")
                .values(crm_contact_id=contact)
                .returning(interactions.c.id)
            )
            queue_born(uow, sorted(uow.connection.execute(statement).scalars()))


def move_to_cases(uow: UnitOfWork, joined: Mapping[str, str]) -> int:
    """How many CRM-born interactions went from a case to the one it was joined into (both by our id)."""
    ids: list[str] = []
    for case_id, master_id in joined.items():
        statement = (
            update(interactions)
            .where(interactions.c.case_id == case_id, interactions.c.origin == "crm")
            .values(case_id=master_id)
            .returning(interactions.c.id)
        )
        ids += uow.connection.execute(statement).scalars()
    queue_born(uow, sorted(ids))
    return len(ids)


def move_contact(uow: UnitOfWork, contact_id: str, survivor: str | None) -> int:
    """How many CRM-born interactions name another contact now, since theirs was merged, deleted or brought back.

    Without a survivor the rows keep the id, in case the contact comes back; their records in the CRM lose it.
    """
    where = (interactions.c.origin == "crm", interactions.c.crm_contact_id == contact_id)
    ids = sorted(uow.connection.execute(select(interactions.c.id).where(*where)).scalars())
    if survivor and survivor != contact_id:
        uow.connection.execute(update(interactions).where(*where).values(crm_contact_id=survivor))
        moved = update(cases).where(cases.c.origin == "crm", cases.c.crm_contact_id == contact_id)
        uow.connection.execute(moved.values(crm_contact_id=survivor))
    queue_born(uow, ids)
    return len(ids)
