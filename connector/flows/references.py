"""After the CRM said that a record names something it no longer has: finds out what became of it, and mends the store.

The record itself goes again a little later and is built anew, so it then names what is there.
"""

from __future__ import annotations

from collections.abc import Sequence

from connector.crm.port import CRM, Outcome, RowResult
from connector.errors import ConnectorError
from connector.flows.answers import Sent
from connector.flows.context import Context
from connector.flows.sync.contacts import look_up_contacts
from connector.mapping.crm import CrmMapping, ObjectMapping
from connector.store.crm_records import (
    case_rows,
    correct_record_ids,
    forget_sent,
    interaction_rows,
    mark_cases_deleted,
)
from connector.store.outbox import Claimed, queue_many

CASE_SENSITIVE = 15
"""So many characters of a record id tell it; the three behind them only make up for lost upper case."""


def in_their_order(
    crm: CRM, obj: ObjectMapping, records: Sequence[tuple[str, str | None]], results: Sequence[RowResult]
) -> Sequence[RowResult]:
    """The answers to these records (by key and known record id); none where one is about another record.

    Then nobody can tell which answer is whose, and all of them are asked for again.
    """
    told = {
        key: result.crm_id
        for (key, known), result in zip(records, results, strict=True)
        if known and result.crm_id and not result.created and not _same(known, result.crm_id)
    }
    if not told:
        return results
    there = crm.keyed(obj.name, obj.key, sorted(told))  # a record that was made again has a new id
    if all(_same(there.get(key), record_id) for key, record_id in told.items()):
        return results
    words = "The CRM's answers are not in the order of the records: look for a proxy between that changes them."
    return [RowResult(Outcome.RETRY, code="ANSWERS_MIXED_UP", message=words) for _ in records]


def _same(one: str | None, other: str | None) -> bool:
    return (one or "")[:CASE_SENSITIVE] == (other or "")[:CASE_SENSITIVE]


def mend_references(ctx: Context, crm: CRM, mapping: CrmMapping, sent: Sent, rows: Sequence[Claimed]) -> None:
    """Looks up the parents and contacts that these rows name; what cannot be read now is looked up the next time."""
    try:
        _mend_parents(ctx, crm, mapping, sent, rows)
        contacts = {sent.wanted[row.external_key].contact for row in rows}
        look_up_contacts(ctx, crm, [each for each in contacts if each])
    except ConnectorError:
        # The rows stay in their back-off; the next refusal of the CRM brings them here again.
        return


def _mend_parents(ctx: Context, crm: CRM, mapping: CrmMapping, sent: Sent, rows: Sequence[Claimed]) -> None:
    profiles, cases = _parents(ctx, sent, rows)
    profile, case = mapping.objects["profile"], mapping.objects["case"]
    lost_profiles = profiles - crm.keyed(profile.name, profile.key, sorted(profiles)).keys() if profiles else set()
    there = crm.keyed(case.name, case.key, sorted(cases)) if cases else {}
    lost_cases = cases - there.keys()
    ids = {row.external_key: row.crm_id for row in rows if row.id in sent.by_id}
    moved = {key: there[key] for key, known in ids.items() if key in there and not _same(known, there[key])}
    if not lost_profiles and not lost_cases and not moved:
        return
    with ctx.store.begin() as uow:
        correct_record_ids(uow, case.name, moved)
        # A profile is ours alone: it is made anew. A case that a person deleted stays deleted.
        forget_sent(uow, profile.name, lost_profiles)
        queue_many(uow, profile.name, [(key, None) for key in sorted(lost_profiles)])
        mark_cases_deleted(uow, lost_cases)


def _parents(ctx: Context, sent: Sent, rows: Sequence[Claimed]) -> tuple[set[str], set[str]]:
    keys = [row.external_key for row in rows]
    with ctx.store.read() as connection:
        if sent.obj.kind == "case":
            found = [each.row for each in case_rows(connection, keys).values()]
            # A case that the CRM had may itself be what a person has deleted.
            had = {row.external_key for row in rows if row.id in sent.by_id}
            return _named(found, "profile_id"), _named(found, "parent_id") | had
        if sent.obj.kind == "interaction":
            said = list(interaction_rows(connection, keys).values())
            ours = [row for row in said if row.case_origin == "connector"]
            return _named(said, "profile_id"), _named(ours, "case_id")
    return set(), set()


def _named(rows: Sequence[object], column: str) -> set[str]:
    return {str(value) for row in rows if (value := getattr(row, column)) is not None}
