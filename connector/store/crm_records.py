"""The rows that a CRM record is built from, many at once, and what is kept of the CRM's answer."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, select, text, update

from connector.store.locks import take_networks
from connector.store.outbox import ALSO_TRIED, CLAIMABLE, tried
from connector.store.queues import run, walking
from connector.store.rows import paged
from connector.store.tables import cases, crm_contacts, interactions, outbox, social_profiles
from connector.store.unit_of_work import UnitOfWork

MOST_MERGES = 10
"""Merges followed from one contact to the one it ended in; a longer chain, or a ring, is left where it was."""

_TABLES: Mapping[str, Table] = {"profile": social_profiles, "case": cases, "interaction": interactions}

_REOPENS = text("UPDATE outbox SET told_reopens = :reopens WHERE id = :id AND claim = :claim")
_TRIES = text(
    f"UPDATE outbox SET sent_digest = NULL, tried_contact_id = {ALSO_TRIED} WHERE id = :id AND claim = :claim"
)
_FORGET = text(
    "UPDATE outbox SET sent_digest = NULL, sent_contact_id = NULL, crm_id = NULL, told_reopens = NULL, "
    "tried_contact_id = CASE WHEN sent_contact_id IS NULL THEN tried_contact_id "
    "WHEN tried_contact_id IS NULL THEN sent_contact_id ELSE tried_contact_id || ' ' || sent_contact_id END "
    "WHERE object = :object AND external_key = :key"
)
_READY = f"""
SELECT COUNT(*), MIN(queued_at) FROM (
  SELECT o.queued_at FROM outbox o WHERE {CLAIMABLE} ORDER BY o.rank, o.id LIMIT 200
) AS due
"""
_NEXT = "SELECT MIN(run_at) FROM outbox WHERE state = 'pending' AND claim IS NULL AND run_at > {now}"
_SHOWN = (
    update(cases)
    .where(cases.c.id == bindparam("key"), cases.c.crm_contact_id.is_not_distinct_from(bindparam("before")))
    .values(crm_contact_id=bindparam("contact"))
)
_CRM_ID = (
    update(cases).where(cases.c.id == bindparam("key"), cases.c.crm_id.is_(None)).values(crm_id=bindparam("record"))
)


@dataclass(frozen=True, slots=True)
class CaseRow:
    """A case with what its record needs besides its own columns."""

    row: Row[Any]
    channels: int
    told_reopens: int | None
    sent_contact_id: str | None
    tried_contacts: frozenset[str]


def profile_rows(connection: Connection, ids: Collection[str]) -> dict[str, Row[Any]]:
    """The profiles of these ids."""
    return {
        row.id: row
        for page in paged(sorted(ids))
        for row in connection.execute(select(social_profiles).where(social_profiles.c.id.in_(page))).all()
    }


def case_rows(connection: Connection, ids: Collection[str]) -> dict[str, CaseRow]:
    """The cases of these ids, with the number of channels they used and what the CRM was told of them last."""
    channels: dict[str, set[str]] = defaultdict(set)
    told: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for page in paged(sorted(ids)):
        used = select(interactions.c.case_id, interactions.c.channel).distinct()
        for case_id, channel in connection.execute(
            used.where(interactions.c.case_id.in_(page), interactions.c.kind.is_not(None))
        ).all():
            channels[case_id].add(channel)
        sent = select(outbox.c.external_key, outbox.c.told_reopens, outbox.c.sent_contact_id, outbox.c.tried_contact_id)
        for row in connection.execute(sent.where(outbox.c.object == "Case", outbox.c.external_key.in_(page))).all():
            told[row.external_key] = row
        for row in connection.execute(select(cases).where(cases.c.id.in_(page))).all():
            found[row.id] = row
    return {
        key: CaseRow(
            row,
            len(channels[key] | {row.channel}),
            told[key].told_reopens if key in told else None,
            told[key].sent_contact_id if key in told else None,
            tried(told[key].tried_contact_id) if key in told else frozenset(),
        )
        for key, row in found.items()
    }


def interaction_rows(connection: Connection, ids: Collection[str]) -> dict[str, Row[Any]]:
    """The interactions of these ids, each with the origin, CRM id and deletion of its case."""
    statement = select(
        interactions,
        cases.c.origin.label("case_origin"),
        cases.c.crm_id.label("case_crm_id"),
        cases.c.is_deleted.label("case_is_deleted"),
        cases.c.profile_id.label("case_profile_id"),
    ).select_from(interactions.outerjoin(cases, interactions.c.case_id == cases.c.id))
    return {
        row.id: row
        for page in paged(sorted(ids))
        for row in connection.execute(statement.where(interactions.c.id.in_(page))).all()
    }


def surviving_contacts(connection: Connection, ids: Iterable[str | None]) -> dict[str, str | None]:
    """For each contact the one it ended in after merges made in the CRM; None where that one is deleted.

    A contact that was never read is its own.
    """
    wanted = {each for each in ids if each}
    ends = {each: each for each in wanted}
    masters: dict[str, str] = {}
    gone: dict[str, bool] = {}
    for _ in range(MOST_MERGES):
        _read_ends(connection, sorted({end for end in ends.values() if end not in gone}), gone, masters)
        further = {each: masters.get(end, end) for each, end in ends.items()}
        if further == ends:
            break
        ends = further
    return {each: None if gone.get(end, True) else end for each, end in ends.items()}


def _read_ends(connection: Connection, ids: Sequence[str], gone: dict[str, bool], masters: dict[str, str]) -> None:
    columns = select(crm_contacts.c.crm_id, crm_contacts.c.master_id, crm_contacts.c.is_deleted)
    for page in paged(ids):
        for row in connection.execute(columns.where(crm_contacts.c.crm_id.in_(page))):
            gone[row.crm_id] = bool(row.is_deleted)
            if row.is_deleted and row.master_id:
                masters[row.crm_id] = row.master_id
    gone.update({each: False for each in ids if each not in gone})


def hold_records(uow: UnitOfWork, kind: str, keys: Sequence[str]) -> None:
    """On PostgreSQL, takes the turn of whoever changes these records, before anything else in a transaction is locked.

    All others change a record first and its row of the outbox after it; settling begins with the outbox. Without the
    turn they would wait for each other, and the database would break one of them off.
    """
    if uow.is_sqlite:
        return
    table = _TABLES[kind]
    these = table.c.id.in_(keys)
    take_networks(uow, set(uow.connection.execute(select(table.c.network).distinct().where(these)).scalars()))
    if table is cases:
        uow.connection.execute(select(cases.c.id).where(these).order_by(cases.c.id).with_for_update())


def note_tries(uow: UnitOfWork, claim: str, contacts: Mapping[int, str | None]) -> None:
    """Notes, before a call, which rows it carries and with which contact: its answer may be lost after the CRM took it.

    NOBODY is noted where the call takes a contact back, None where it says nothing of the contact.
    Until an answer says otherwise, what the CRM holds of these rows is unknown, so they are sent in full.
    """
    rows = [{"id": row, "claim": claim, "contact": contact} for row, contact in contacts.items()]
    if rows:
        uow.connection.execute(_TRIES, rows)


def note_reopens(uow: UnitOfWork, claim: str, told: Mapping[int, int]) -> None:
    """Remembers, by outbox row, how many reopenings the CRM has been told; only under the claim that told it.

    Zero before a creation marks that it was tried: if its answer is lost, the record may be there all the same.
    """
    rows = [{"id": row_id, "claim": claim, "reopens": reopens} for row_id, reopens in told.items()]
    if rows:
        uow.connection.execute(_REOPENS, rows)


@dataclass(frozen=True, slots=True)
class ShownContact:
    """The contact that the CRM showed on a case before we wrote, as far as was known, and what we wrote."""

    before: str | None
    now: str | None


def note_case_answers(uow: UnitOfWork, contacts: Mapping[str, ShownContact], records: Mapping[str, str]) -> None:
    """Remembers the contact that the CRM now shows on these cases, because we wrote it, and their record ids.

    Where another contact was read while the call was under way, that one stays: a person may have chosen it after us.
    If it was before us, our own write is read next.
    """
    if contacts:
        rows = [{"key": key, "before": each.before, "contact": each.now} for key, each in contacts.items()]
        uow.connection.execute(_SHOWN, rows)
    if records:
        uow.connection.execute(_CRM_ID, [{"key": key, "record": value} for key, value in records.items()])


def forget_sent(uow: UnitOfWork, obj: str, keys: Collection[str]) -> None:
    """Forgets that the CRM has these records: it lost them, so the next drain makes them anew.

    A person may bring them back from the bin first, with the contact that we named in them, so that is kept in mind.
    """
    for key in sorted(keys):
        uow.connection.execute(_FORGET, {"object": obj, "key": key})


def correct_record_ids(uow: UnitOfWork, obj: str, records: Mapping[str, str]) -> None:
    """Notes under which record ids the CRM has these cases, where others were taken for theirs."""
    free_record_ids(uow, records.values())
    for key, record in sorted(records.items()):
        uow.connection.execute(update(cases).where(cases.c.id == key).values(crm_id=record))
        sent = update(outbox).where(outbox.c.object == obj, outbox.c.external_key == key)
        uow.connection.execute(sent.values(crm_id=record))


def free_record_ids(uow: UnitOfWork, record_ids: Iterable[str]) -> None:
    """Takes these record ids from those cases of ours that bear them wrongly, before others get them."""
    for page in paged(sorted(record_ids)):
        for bearing in (
            update(cases).where(cases.c.crm_id.in_(page), cases.c.origin == "connector"),
            update(outbox).where(outbox.c.crm_id.in_(page), outbox.c.object == "Case"),
        ):
            uow.connection.execute(bearing.values(crm_id=None))


def mark_cases_deleted(uow: UnitOfWork, keys: Collection[str]) -> None:
    """Notes that a person deleted these cases in the CRM: they are left alone from now on."""
    for page in paged(sorted(keys)):
        uow.connection.execute(update(cases).where(cases.c.id.in_(page)).values(is_deleted=True))


@dataclass(frozen=True, slots=True)
class Ready:
    """Rows that could be claimed now (counted up to 200), how long the oldest has waited, and when the next is due."""

    rows: int
    oldest_at: int | None
    next_at: int | None


def ready(connection: Connection) -> Ready:
    """How much waits to be sent."""
    with walking(connection):
        count, oldest = run(connection, _READY).one()
        return Ready(count, oldest, None if count else run(connection, _NEXT).scalar_one())
