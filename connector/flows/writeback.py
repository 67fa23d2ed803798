"""Sends what changed to the CRM: claim, commit, call outside any transaction, settle each record under its fence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import monotonic
from typing import Any

import structlog

from connector.crm.port import CRM, Record, Writing
from connector.domain.events import from_millis
from connector.domain.pacing import MOST_ROWS
from connector.errors import ConnectorError, Misconfigured
from connector.flows.answers import Sent, settle_sent
from connector.flows.context import Context
from connector.flows.pace import hold_pace, keep_pace, look_at_pace
from connector.flows.projection import Ownership, Wanted, project
from connector.flows.references import in_their_order, mend_references
from connector.mapping.crm import CrmMapping, ObjectMapping
from connector.store.crm_records import note_reopens, note_tries, ready
from connector.store.insisting import insist
from connector.store.outbox import NOBODY, OVERTAKEN, Claimed, claim
from connector.store.unit_of_work import UnitOfWork

log = structlog.get_logger(__name__)

LEASE_SECONDS = 180
"""Longer than a call may take; a worker that outlives it settles nothing, and what it wrote is sent again."""

LATEST_CALL_SECONDS = 90
"""No call begins later than this after the claim: others may have the rows before it ends."""


@dataclass(frozen=True, slots=True)
class DrainReport:
    """What one drain did; ``wait_until`` tells when the next makes sense, None for at once, or for when work comes."""

    sent: int = 0
    unchanged: int = 0
    retried: int = 0
    dead: int = 0
    calls: int = 0
    wait_until: datetime | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing was claimed."""
        return not (self.sent or self.unchanged or self.retried or self.dead)


@dataclass(frozen=True, slots=True)
class Batch:
    """Claimed rows of one object, the records wanted for them, those rows that need a call, and the contact that each
    of these carries (NOBODY to take it back, None where it says nothing of it)."""

    obj: ObjectMapping
    rows: Sequence[Claimed]
    wanted: dict[str, Wanted]
    changed: Sequence[Claimed]
    carried: Mapping[int, str | None]
    claimed_at: float = field(default_factory=monotonic)

    @property
    def is_late(self) -> bool:
        """Whether it is too late to begin a call: this process stood still, or the CRM was slow."""
        return monotonic() - self.claimed_at > LATEST_CALL_SECONDS


def fields_written(mapping: CrmMapping) -> dict[str, Writing]:
    """What a record may be given, by object: for the check of the org."""
    return {each.name: _writing(mapping, each) for each in mapping.objects.values()}


def _writing(mapping: CrmMapping, obj: ObjectMapping) -> Writing:
    words: dict[str, frozenset[str]] = {}
    lengths: dict[str, int] = {}
    for name, rule in obj.rules():
        words[name] = words.get(name, frozenset()) | mapping.words(rule.value)
        lengths[name] = max(lengths.get(name, 0), rule.cut or rule.longest or 0)
    return Writing(
        tuple(obj.written()),
        {name: each for name, each in words.items() if each},
        {name: most for name, most in lengths.items() if most},
    )


def drain_once(ctx: Context, *, flush: bool = False) -> DrainReport:
    """Sends one batch of at most 200 records of one object; an idle report when nothing is due or nothing may go.

    A part-filled batch waits a little for more to gather, unless ``flush``. Faults of the CRM never raise: they show in
    the report, and the breaker, shared by all processes, keeps everybody away until the org may be back.
    """
    crm, mapping = ctx.crm, ctx.crm_mapping
    if crm is None:
        return DrainReport()
    if mapping is None:
        raise Misconfigured("The CRM mapping was not loaded; see mappings/crm/salesforce.yml.")
    nothing = _nothing_yet(ctx, flush=flush)
    if nothing is not None:
        return nothing
    with ctx.store.begin() as uow:
        pace = hold_pace(uow, ctx.crm_share)
        if pace.blocked_until is not None:
            return _wait(pace.blocked_until)
        batch = claim_batch(ctx, uow, mapping, limit=pace.breaker.rows)
        if batch is None:
            return DrainReport()
        if batch.changed:
            keep_pace(uow, pace.probing())
    return _deliver(ctx, crm, mapping, batch)


def _nothing_yet(ctx: Context, *, flush: bool) -> DrainReport | None:
    """An idle report when a look without any lock shows that no call is due."""
    with ctx.store.read() as connection:
        due = ready(connection)
        pace = look_at_pace(connection, ctx.crm_share)
    if not due.rows or due.oldest_at is None:
        return _wait(due.next_at)
    if pace.blocked_until is not None:
        return _wait(pace.blocked_until)
    linger_until = due.oldest_at + pace.linger_ms
    if not flush and due.rows < MOST_ROWS and pace.now < linger_until:
        return _wait(linger_until)
    return None


def _wait(until: int | None) -> DrainReport:
    return DrainReport(wait_until=None if until is None else from_millis(until))


def claim_batch(ctx: Context, uow: UnitOfWork, mapping: CrmMapping, *, limit: int = MOST_ROWS) -> Batch | None:
    """The next rows with their records as they should be right now, the gate asked anew; None when nothing is due."""
    rows = claim(uow, limit, LEASE_SECONDS)
    if not rows:
        return None
    obj = mapping.kind_of(rows[0].object)
    wanted = project(uow.connection, mapping, ctx.consent, obj, [row.external_key for row in rows], ctx.clock())
    changed = [row for row in rows if row.external_key in wanted and needs_call(row, wanted[row.external_key])]
    if obj.once:
        first = [row for row in changed if row.crm_id is None and not wanted[row.external_key].tried]
        note_reopens(uow, rows[0].claim, {row.id: 0 for row in first})
    carried = {row.id: _carried(obj, row, wanted[row.external_key]) for row in changed}
    note_tries(uow, rows[0].claim, carried)
    return Batch(obj, rows, wanted, changed, carried)


def _carried(obj: ObjectMapping, row: Claimed, wanted: Wanted) -> str | None:
    return (wanted.contact or NOBODY) if _says_contact(obj, row, wanted) else None


def needs_call(row: Claimed, wanted: Wanted) -> bool:
    """Whether the CRM does not have the record as it should be."""
    if wanted.left_alone:
        return False
    return row.sent_digest != wanted.digest or bool(wanted.reopen) or _moves_contact(row, wanted)


def _moves_contact(row: Claimed, wanted: Wanted) -> bool:
    if wanted.ownership is not Ownership.OURS:
        return False
    # After a call without an answer, or one too late, the CRM may hold what was in it: the contact is said in any case.
    unsure = row.tried_contact_id is not None or row.sent_digest == OVERTAKEN
    return unsure or wanted.contact != row.sent_contact_id


def _says_contact(obj: ObjectMapping, row: Claimed, wanted: Wanted) -> bool:
    # What people deleted in the CRM is made again by an upsert, and then it must be whole; a case never is.
    is_upserted = not obj.once
    return _moves_contact(row, wanted) or (is_upserted and wanted.contact is not None)


def record_of(obj: ObjectMapping, row: Claimed, wanted: Wanted, *, creates: bool) -> Record:
    """The record as it goes out: create-only fields on creation, a case's contact only where ours differs from it."""
    fields: dict[str, Any] = {**wanted.base, **wanted.reopen}
    if creates:
        fields |= wanted.once
    if obj.contact and _says_contact(obj, row, wanted):
        fields[obj.contact] = wanted.contact
    return fields


def _deliver(ctx: Context, crm: CRM, mapping: CrmMapping, batch: Batch) -> DrainReport:
    before = _calls(crm)
    sent = Sent(batch.obj, batch.rows, batch.wanted, batch.carried)
    try:
        _call(ctx, crm, batch, sent)
    except ConnectorError as fault:
        sent = replace(sent, fault=fault)
    calls = _calls(crm) - before
    tally = insist(ctx.store, lambda uow: settle_sent(ctx, uow, sent, crm.budget(), calls))
    if tally.references:
        mend_references(ctx, crm, mapping, sent, tally.references)
    report = DrainReport(tally.sent, tally.unchanged, tally.retried, tally.dead, calls, tally.wait_until)
    log.info(
        "drained", object=batch.obj.name, sent=report.sent, unchanged=report.unchanged, retried=report.retried,
        dead=report.dead, calls=calls, fault=sent.fault.code if sent.fault else None,
    )  # fmt: skip
    return report


def _call(ctx: Context, crm: CRM, batch: Batch, sent: Sent) -> None:
    """Fills the results in; what is in when a call fails, stays."""
    obj = batch.obj
    new = [row for row in batch.changed if row.crm_id is None]
    lost = [row.external_key for row in new if obj.once and batch.wanted[row.external_key].tried]
    # After a lost answer the record may be there, and its create-only fields belong to the CRM since; or people have
    # deleted it already.
    there = crm.keyed(obj.name, obj.key, lost, deleted=True) if lost else {}
    known = {row.id: row.crm_id or there.get(row.external_key) for row in batch.changed}
    # What belongs to people once it is made is changed by its record id: one that they deleted is not made again.
    theirs = [row for row in batch.changed if obj.once and known[row.id]]
    ours = [row for row in batch.changed if not (obj.once and known[row.id])]
    for claimed, creates in ((theirs, False), (ours, bool(obj.once))):
        part = _still_so(ctx, batch, claimed)
        sent.overtaken.update({row.id for row in claimed} - {row.id for row in part})
        if not part or batch.is_late:
            continue
        sent.called.update(row.id for row in part)
        records = [record_of(obj, row, batch.wanted[row.external_key], creates=creates) for row in part]
        if claimed is theirs:
            by_id = {known[row.id] or "": record for row, record in zip(part, records, strict=True)}
            sent.by_id.update(row.id for row in part)
            results = crm.update(obj.name, by_id)
        else:
            results = crm.upsert(obj.name, obj.key, records, assign=obj.assign and creates)
        told = in_their_order(crm, obj, [(row.external_key, known[row.id]) for row in part], results)
        sent.results.update(zip((row.id for row in part), told, strict=True))


def _still_so(ctx: Context, batch: Batch, rows: Sequence[Claimed]) -> list[Claimed]:
    """The rows without those whose contact may no longer be named: another call may have come before this one."""
    naming = {row.external_key for row in rows if batch.carried[row.id] not in (None, NOBODY)}
    if not naming or ctx.crm_mapping is None:
        return list(rows)
    with ctx.store.read() as connection:
        now = project(connection, ctx.crm_mapping, ctx.consent, batch.obj, naming, ctx.clock())
    kept = {key for key, each in now.items() if each.contact == batch.wanted[key].contact}
    return [row for row in rows if row.external_key not in naming - kept]


def _calls(crm: CRM) -> int:
    made = crm.calls()
    return made.reads + made.writes
