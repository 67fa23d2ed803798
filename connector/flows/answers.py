"""Settles what was sent: each record by what its own answer asks for, the rest by the fault of the whole call."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.crm.port import Budget, Outcome, RowResult
from connector.domain.events import from_millis
from connector.errors import ConnectorError, CrmRateLimited, Misconfigured
from connector.flows.context import Context
from connector.flows.link import relink
from connector.flows.pace import Pace, hold_pace, keep_pace
from connector.flows.projection import Ownership, Wanted
from connector.mapping.crm import ObjectMapping
from connector.store import ledger
from connector.store.crm_records import ShownContact, hold_records, note_case_answers, note_reopens
from connector.store.outbox import Claimed, Settlement, Settling, held, note_overtaken, settle
from connector.store.queues import backoff_seconds
from connector.store.unit_of_work import UnitOfWork

GONE = "NOT_IN_STORE"
GONE_WORDS = "The store no longer has this record; drop it with `connector outbox drop`."
MOST_MENDS = 5
MOST_UNKNOWN = 8
MEND_SECONDS = 5.0
ALONE_AFTER = 8
"""Failures in a row after which a call carries one record only (domain/pacing): then it may be that record's fault."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A claimed batch: the rows that went out, the results that came back by row id, the fault that cut it short.

    ``carried`` has the rows that need a call, each with the contact in it: NOBODY to take it back, None for not said.
    ``by_id`` has those that were sent as a change of a record that the CRM had, ``overtaken`` those that were held back
    because their contact may no longer be named.
    """

    obj: ObjectMapping
    rows: Sequence[Claimed]
    wanted: dict[str, Wanted]
    carried: Mapping[int, str | None]
    results: dict[int, RowResult] = field(default_factory=dict)
    called: set[int] = field(default_factory=set)
    by_id: set[int] = field(default_factory=set)
    overtaken: set[int] = field(default_factory=set)
    fault: ConnectorError | None = None


@dataclass(slots=True)
class Tally:
    """What settling came to; ``references`` are rows whose contact or parent the CRM no longer has."""

    sent: int = 0
    unchanged: int = 0
    retried: int = 0
    dead: int = 0
    wait_until: datetime | None = None
    references: list[Claimed] = field(default_factory=list)


def settle_sent(ctx: Context, uow: UnitOfWork, sent: Sent, budget: Budget | None, calls: int) -> Tally:
    """Settles every row of the batch and the pace of writing, in one transaction."""
    hold_records(uow, sent.obj.kind, [row.external_key for row in sent.rows])
    ledger.take_turn(uow)  # a change of consent queues records of many accounts, in another order than ours
    fault = sent.fault or _common_fault(sent.results)
    pace = hold_pace(uow, ctx.crm_share)
    if sent.results or fault:
        pace = pace.after_fault(calls, budget, fault) if fault else pace.after(calls, budget)
        keep_pace(uow, pace)
    tally = Tally(wait_until=_until(pace))
    claim = sent.rows[0].claim
    ours = held(uow, claim)
    _note_overtaken(uow, sent, ours)
    settlements = [_settlement(row, sent, pace, fault, tally) for row in sent.rows if row.id in ours]
    _remember(uow, sent, settlements)
    settle(uow, claim, settlements)
    _relink(uow, sent, ours)
    return tally


def _note_overtaken(uow: UnitOfWork, sent: Sent, ours: Collection[int]) -> None:
    """A worker that was so slow that others took its rows may have written after them: what it wrote is put right."""
    late = [row for row in sent.rows if row.id in sent.called and row.id not in ours]
    note_overtaken(uow, {row.id: sent.carried[row.id] for row in late})


def _relink(uow: UnitOfWork, sent: Sent, ours: Collection[int]) -> None:
    """An account whose record people deleted was made again just now; the org took it out of all that named it."""
    if sent.obj.kind == "profile":
        for row in sent.rows:
            result = sent.results.get(row.id)
            if row.id in ours and row.sent_ver and result is not None and result.created:
                relink(uow, row.external_key)


def _common_fault(results: dict[int, RowResult]) -> ConnectorError | None:
    """A refusal of every record alike is about the org, not about the records; so is one at the API limit."""
    halted = [each for each in results.values() if each.outcome is Outcome.HALT]
    if halted and len(halted) == len(results):
        return Misconfigured(
            f"The CRM takes no records ({halted[0].code}: {halted[0].message}); see `connector check`."
        )
    waiting = next((each for each in results.values() if each.outcome is Outcome.WAIT), None)
    return CrmRateLimited(f"The CRM's API limit is reached ({waiting.code}).") if waiting else None


def _settlement(row: Claimed, sent: Sent, pace: Pace, fault: ConnectorError | None, tally: Tally) -> Settlement:
    wanted = sent.wanted.get(row.external_key)
    if wanted is None:
        tally.dead += 1
        return Settlement(row.id, row.ver, Settling.DEAD, code=GONE, error=GONE_WORDS)
    if row.id not in sent.carried:
        tally.unchanged += 1
        return Settlement(
            row.id, row.ver, Settling.SENT, row.crm_id, row.sent_digest, row.sent_contact_id, said_contact=False
        )
    if row.id in sent.overtaken:
        tally.retried += 1
        return Settlement(row.id, row.ver, Settling.WAIT, wait_seconds=0)
    result = sent.results.get(row.id)
    if result is not None and result.outcome is Outcome.OK:
        tally.sent += 1
        contact = wanted.contact if wanted.ownership is Ownership.OURS else row.sent_contact_id
        said = sent.carried[row.id] is not None
        return Settlement(row.id, row.ver, Settling.SENT, result.crm_id, wanted.digest, contact, said_contact=said)
    if fault is not None and (result is None or result.outcome in (Outcome.HALT, Outcome.WAIT)):
        return _by_fault(row, len(sent.carried), pace, fault, tally)
    return _by_result(row, result or RowResult(Outcome.RETRY, code="NO_ANSWER"), tally)


def _by_fault(row: Claimed, rows: int, pace: Pace, fault: ConnectorError, tally: Tally) -> Settlement:
    """The whole call failed, which counts against no row, except the one that failed alone again and again."""
    tally.retried += 1
    alone = rows == 1 and pace.breaker.why == "away" and pace.breaker.failures > ALONE_AFTER
    seconds = max(0.0, (pace.breaker.open_until - pace.now) / 1000)
    if alone:
        wait = max(seconds, backoff_seconds(row.attempts))
        return Settlement(row.id, row.ver, Settling.RETRY, code=fault.code, error=fault.message, wait_seconds=wait)
    return Settlement(row.id, row.ver, Settling.WAIT, code=fault.code, error=fault.message, wait_seconds=seconds)


def _by_result(row: Claimed, result: RowResult, tally: Tally) -> Settlement:
    """The record's own answer: a lock is tried again, a lost parent or contact looked up, all else is for a person."""
    seconds = _seconds_to_retry(row, result)
    if seconds is None:
        tally.dead += 1
        return Settlement(row.id, row.ver, Settling.DEAD, code=result.code, error=result.message)
    if result.outcome is Outcome.REMAP:
        tally.references.append(row)
    tally.retried += 1
    return Settlement(row.id, row.ver, Settling.RETRY, code=result.code, error=result.message, wait_seconds=seconds)


def _seconds_to_retry(row: Claimed, result: RowResult) -> float | None:
    if result.outcome is Outcome.REMAP and row.attempts < MOST_MENDS:
        return MEND_SECONDS * row.attempts
    limited = result.code == "UNKNOWN_EXCEPTION" and row.attempts >= MOST_UNKNOWN
    if result.outcome is Outcome.RETRY and not limited:
        return backoff_seconds(row.attempts)
    return None


def _remember(uow: UnitOfWork, sent: Sent, settlements: Sequence[Settlement]) -> None:
    if sent.obj.kind != "case":
        return
    by_id = {row.id: row for row in sent.rows}
    told, contacts, records = {}, {}, {}
    for each in settlements:
        if each.outcome is not Settling.SENT or each.id not in sent.carried:
            continue
        row = by_id[each.id]
        wanted = sent.wanted[row.external_key]
        told[row.id] = wanted.reopens
        if sent.carried[row.id] is not None:
            contacts[row.external_key] = ShownContact(wanted.shown, each.contact_id)
        if each.crm_id:
            records[row.external_key] = each.crm_id
    note_reopens(uow, sent.rows[0].claim, told)
    note_case_answers(uow, contacts, records)


def _until(pace: Pace) -> datetime | None:
    until = pace.blocked_until
    return None if until is None else from_millis(until)
