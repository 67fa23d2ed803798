"""Contacts and users read from the CRM; merges and deletions made there are followed in the same transaction."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connector.crm.port import CRM, Record
from connector.domain.events import to_millis
from connector.flows.consent.holding import contact_back_in, contact_gone_in, contact_kept_in, contacts_parted_in
from connector.flows.consent.merging import follow_merge_in
from connector.flows.context import Context
from connector.flows.sync.pull import (
    BATCH,
    Progress,
    batches,
    deletions,
    deletions_forgotten,
    note_deletions,
    parse_millis,
    pull,
)
from connector.mapping.crm import CrmMapping
from connector.store import ledger
from connector.store.contacts import ContactRow, UserRow, living_contact_ids, load_contacts, put_contacts, put_users
from connector.store.crm_born import move_contact
from connector.store.crm_records import surviving_contacts
from connector.store.unit_of_work import UnitOfWork

FIELDS = (
    "Id", "FirstName", "LastName", "Email", "Phone", "MobilePhone", "MailingCity", "MailingState", "MailingCountry",
    "Account.Name", "IsDeleted", "MasterRecordId", "SystemModstamp",
)  # fmt: skip
ORDERS_APART = re.compile(r"[\s;,]+")
USER_FIELDS = ("Id", "Name", "IsActive", "UserType", "SystemModstamp")
PORTAL = frozenset(
    {"CSPLitePortal", "CspLitePortal", "CustomerSuccess", "PowerCustomerSuccess", "PowerPartner", "Guest"}
)
"""User types that are customers or partners, not people of the brand."""


def contact_fields(mapping: CrmMapping | None) -> tuple[str, ...]:
    """What a reading asks of a contact, with the fields that hold order numbers where the org has some."""
    return tuple(dict.fromkeys((*FIELDS, *(mapping.order_fields if mapping else ()))))


def sync_contacts(ctx: Context, crm: CRM, *, full: bool = False, on_progress: Progress | None = None) -> int:
    """How many contacts were new or changed; what was deleted or merged in the CRM is followed.

    After a pause longer than the org's memory of deletions everything is read, as if asked for.
    """
    seen: set[str] = set()
    full = full or deletions_forgotten(ctx, crm, "Contact")
    started = crm.now()

    def handle(uow: UnitOfWork, batch: Sequence[Record]) -> int:
        if full:
            seen.update(str(record["Id"]) for record in batch)
        return take_contacts(ctx, uow, batch)

    if full:
        with ctx.store.read() as connection:
            before = living_contact_ids(connection)
    changed = pull(ctx, crm, "Contact", contact_fields(ctx.crm_mapping), handle, full=full, on_progress=on_progress)
    if full:
        changed += _gone(ctx, sorted(before - seen))
        note_deletions(ctx, "Contact", started)
        return changed
    return changed + sum(_gone(ctx, ids) for ids in deletions(ctx, crm, "Contact"))


def take_contacts(ctx: Context, uow: UnitOfWork, records: Sequence[Record]) -> int:
    """How many of these contacts were new or changed, now stored; links follow the merged and rest for the deleted."""
    now = to_millis(ctx.clock())
    orders = ctx.crm_mapping.order_fields if ctx.crm_mapping else ()
    return _put(ctx, uow, [_row(record, now, orders) for record in records])


def _put(ctx: Context, uow: UnitOfWork, rows: Sequence[ContactRow]) -> int:
    ledger.take_turn(uow)  # before the turn at the index that the rows need: whoever records consent needs both too
    changed = put_contacts(uow, rows)
    gone = [after for before, after in changed if after.is_deleted and not (before and _same_end(before, after))]
    survivors = surviving_contacts(uow.connection, [row.crm_id for row in gone])
    for row in gone:
        survivor = survivors[row.crm_id]
        if survivor:
            follow_merge_in(uow, ctx, row.crm_id, survivor)
        else:
            contact_gone_in(uow, ctx, row.crm_id)
        move_contact(uow, row.crm_id, survivor)
    for before, after in changed:
        if before and before.is_deleted and not after.is_deleted:
            contact_back_in(uow, ctx, after.crm_id)
            if before.master_id:
                survivor = surviving_contacts(uow.connection, [before.master_id])[before.master_id]
                contacts_parted_in(uow, ctx, survivor or before.master_id)
            move_contact(uow, after.crm_id, after.crm_id)
        elif before and not after.is_deleted and after.master_id and after.master_id != before.master_id:
            contact_kept_in(uow, after.crm_id, after.master_id)
    return len(changed)


def _same_end(before: ContactRow, after: ContactRow) -> bool:
    return before.is_deleted and before.master_id == after.master_id


def look_up_contacts(ctx: Context, crm: CRM, ids: Sequence[str]) -> int:
    """How many of these contacts had changed, now that the CRM was asked for them by id."""
    changed = 0
    for batch in batches(sorted(set(ids)), 100):
        listed = ", ".join(f"'{each}'" for each in batch if each.isalnum())
        records = list(crm.changed("Contact", contact_fields(ctx.crm_mapping), None, where=f"Id IN ({listed})"))
        missing = sorted(set(batch) - {str(record["Id"]) for record in records})
        with ctx.store.begin() as uow:
            changed += take_contacts(ctx, uow, records)
        changed += _gone(ctx, missing)
    return changed


def _gone(ctx: Context, ids: Sequence[str]) -> int:
    changed = 0
    for batch in batches(ids, BATCH):
        with ctx.store.begin() as uow:
            known = load_contacts(uow.connection, batch).values()
            changed += _put(ctx, uow, [replace(row, is_deleted=True) for row in known if not row.is_deleted])
    return changed


def _row(record: Record, now: int, order_fields: Sequence[str] = ()) -> ContactRow:
    account: Any = record.get("Account") or {}
    return ContactRow(
        crm_id=record["Id"],
        first_name=record.get("FirstName"),
        last_name=record.get("LastName"),
        email=record.get("Email"),
        phone=record.get("Phone"),
        mobile=record.get("MobilePhone"),
        city=record.get("MailingCity"),
        state=record.get("MailingState"),
        country=record.get("MailingCountry"),
        account_name=account.get("Name"),
        is_deleted=bool(record.get("IsDeleted")),
        master_id=record.get("MasterRecordId"),
        modified_at=parse_millis(record["SystemModstamp"]) or 0,
        synced_at=now,
        order_refs=_orders([record.get(name) for name in order_fields]),
    )


def _orders(values: Sequence[Any]) -> str | None:
    """The order numbers in these fields, each once; a number field comes as 7781.0."""
    texts = (str(int(each)) if isinstance(each, float) and each.is_integer() else str(each) for each in values if each)
    numbers = (number for text in texts for number in ORDERS_APART.split(text))
    return " ".join(dict.fromkeys(number for number in numbers if number)) or None


def sync_users(ctx: Context, crm: CRM, *, full: bool = False, on_progress: Progress | None = None) -> int:
    """How many people who work in the CRM were new or changed; customers with a portal login are not among them."""

    def handle(uow: UnitOfWork, batch: Sequence[Record]) -> int:
        rows = [
            UserRow(record["Id"], record.get("Name") or "", bool(record.get("IsActive")))
            for record in batch
            if record.get("UserType") not in PORTAL
        ]
        return put_users(uow, rows)

    return pull(ctx, crm, "User", USER_FIELDS, handle, full=full, on_progress=on_progress)
