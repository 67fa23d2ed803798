"""From deliveries to cases: claim, read by the source's mapping, apply, settle.

Reading happens before the transaction, applying in one transaction for the whole claim: a crash means that nothing
happened. Items that cannot be read or applied go to the shelf one by one; the others of their delivery are through.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from connector.domain.channels import Kind
from connector.domain.events import to_millis
from connector.errors import EventInvalid, StoreBusy
from connector.flows.applying import Outcome, apply_events
from connector.flows.board import Arrival, Desk
from connector.flows.context import Context
from connector.flows.hints import WRITEBACK
from connector.flows.signals import heed_signals, take_turn_to_heed
from connector.mapping.normalise import normalise
from connector.store import inbox
from connector.store.hints import tell
from connector.store.inbox import DeliveryRow, Settlement, Settling
from connector.store.insisting import insist
from connector.store.locks import take_networks
from connector.store.rows import paged, refusing
from connector.store.shelf import shelve
from connector.store.unit_of_work import UnitOfWork

CLAIM = 500
"""Deliveries in one transaction: two commits to disk are shared by all of them."""

LEASE_SECONDS = 60.0
PAGE = 500
"""Events applied together; more would only hold the store longer."""


@dataclass(frozen=True, slots=True)
class Shelved:
    """An item that could not become part of a case: its place in the body, why, and the cure."""

    path: str
    reason: str
    detail: str
    cure: str


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one round did."""

    claimed: int = 0
    settled: int = 0
    events: int = 0
    duplicates: int = 0
    shelved: int = 0

    def __add__(self, other: IngestReport) -> IngestReport:
        return IngestReport(
            self.claimed + other.claimed,
            self.settled + other.settled,
            self.events + other.events,
            self.duplicates + other.duplicates,
            self.shelved + other.shelved,
        )


@dataclass(slots=True)
class Batch:
    """Claimed deliveries on their way.

    ``at`` is the delivery and item being worked on, so that whoever catches an unforeseen error can set that one
    aside and go on with the others, one at a time.
    """

    rows: list[DeliveryRow]
    singly: bool = False
    at: tuple[int, str] | None = None
    aside: dict[tuple[int, str], Shelved] = field(default_factory=dict)

    @property
    def claim(self) -> str:
        """The token that fences everything done with these deliveries."""
        return self.rows[0].claim


def ingest_once(ctx: Context, limit: int = CLAIM) -> IngestReport:
    """Takes up to ``limit`` waiting deliveries through; an unforeseen error hands them back and is raised."""
    batch = claim(ctx, limit)
    if batch is None:
        return IngestReport()
    done = False
    try:
        report = work(ctx, batch)
        done = True
    finally:
        if not done:
            hand_back(ctx, batch, "the round was broken off")
    return report


def claim(ctx: Context, limit: int = CLAIM) -> Batch | None:
    """The next deliveries to work on, leased to the caller; None when nothing waits."""
    with ctx.store.begin() as uow:
        rows = inbox.claim(uow, limit, LEASE_SECONDS)
    return Batch(rows) if rows else None


def work(ctx: Context, batch: Batch) -> IngestReport:
    """Applies and settles the batch; nothing of it is kept when this raises.

    Raises StoreBusy when the store is away or the lease ran out meanwhile.
    """
    read = {row.id: list(_read(ctx, batch, row)) for row in batch.rows}
    batch.at = None
    desk = Desk(ctx.namespace, ctx.channels, to_millis(ctx.clock()))
    arrivals = [each for row in batch.rows for each in read[row.id] if isinstance(each, Arrival)]
    failures = [(row.id, row.source, each) for row in batch.rows for each in read[row.id] if isinstance(each, Shelved)]
    applied = duplicates = 0
    with ctx.store.begin() as uow:
        take_networks(uow, {each.event.network for each in arrivals})
        take_turn_to_heed(uow, (each.event for each in arrivals))
        for page in paged(arrivals, PAGE):
            outcomes, refused = _apply_page(uow, ctx, desk, batch, page)
            failures += [(each.delivery_id or 0, each.source, shelved) for each, shelved in refused]
            applied += sum(each.applied for each in outcomes)
            duplicates += sum(each.duplicates for each in outcomes)
        for delivery_id, source, each in failures:
            shelve(uow, delivery_id, source, each.path, reason=each.reason, detail=each.detail, cure=each.cure)
        if applied:
            tell(uow, WRITEBACK)
        settled = inbox.settle(uow, batch.claim, [Settlement(row.id) for row in batch.rows])
        if settled < len(batch.rows):
            raise StoreBusy("The lease of these deliveries ran out while they were worked on; others have them now.")
    return IngestReport(len(batch.rows), settled, applied, duplicates, len(failures))


def hand_back(ctx: Context, batch: Batch, why: str, *, wait_seconds: float | None = None) -> None:
    """Gives the deliveries back unharmed, to be tried again later; while they are held, their source stands still."""
    results = [Settlement(row.id, Settling.RETRY, why, wait_seconds) for row in batch.rows]
    insist(ctx.store, lambda uow: inbox.settle(uow, batch.claim, results))


def set_aside(batch: Batch, error: Exception) -> bool:
    """After an unforeseen error: from now on one item at a time, and the item it struck goes to the shelf.

    False when it struck no single item, so that trying again would change nothing. The error's own text may hold what
    the customer wrote, so only its type is kept.
    """
    if batch.singly and (batch.at is None or batch.at in batch.aside):
        return False
    if batch.singly and batch.at is not None:
        batch.aside[batch.at] = Shelved(
            batch.at[1],
            "unforeseen",
            f"Working on this item ended in {type(error).__name__}.",
            "Report it with the mapping and a made-up body of the same shape; replay it after the correction.",
        )
    batch.singly = True
    batch.at = None
    return True


def _read(ctx: Context, batch: Batch, row: DeliveryRow) -> Iterator[Arrival | Shelved]:
    """Every item of a delivery, as an arrival or with the reason why it is none."""
    source = ctx.sources.get(row.source)
    if source is None:
        yield Shelved("$", "source_unknown", "Its source is not configured any more.", "Configure it, then replay.")
        return
    batch.at = (row.id, "$")
    if (row.id, "$") in batch.aside:
        yield batch.aside[(row.id, "$")]
        return
    headers = json.loads(row.headers or "{}")
    result = normalise(source.mapping, row.body, headers, row.content_type, source.account_ids)
    for item in result.items:
        if item.failure is not None:
            yield Shelved(item.failure.path, item.failure.code, item.failure.reason, item.failure.cure)
        elif item.event is not None and item.event.kind is Kind.UNKNOWN:
            yield _unknown(item.path, item.event.extra.get("keys") or item.event.extra.get("type"))
        elif item.event is not None and item.event.kind is not Kind.IGNORE:
            event = item.event
            if source.scope and not event.scope:
                event = replace(event, scope=source.scope)
            arrival = Arrival(event, row.id, item.path, row.source, row.received_at, item.digest)
            yield batch.aside.get((row.id, item.path), arrival)


def _unknown(path: str, told: object) -> Shelved:
    hint = f" It has: {told}." if isinstance(told, str) and told else ""
    return Shelved(path, "mapping_unmatched", f"No rule of the mapping fits this item.{hint}", EventInvalid.cure)


def _apply_page(
    uow: UnitOfWork, ctx: Context, desk: Desk, batch: Batch, page: Sequence[Arrival]
) -> tuple[list[Outcome], list[tuple[Arrival, Shelved]]]:
    """Applies a page at once; when the store refuses something in it, in halves, until the refused event is alone."""
    if batch.singly and len(page) > 1:
        return _in_parts(uow, ctx, desk, batch, [[each] for each in page])
    if len(page) == 1:
        batch.at = (page[0].delivery_id or 0, page[0].path)
    try:
        return [_apply(uow, ctx, desk, page)], []
    except EventInvalid as error:
        if len(page) == 1:
            return [], [(page[0], Shelved(page[0].path, error.code, error.message, error.cure))]
    half = len(page) // 2
    return _in_parts(uow, ctx, desk, batch, [page[:half], page[half:]])


def _in_parts(
    uow: UnitOfWork, ctx: Context, desk: Desk, batch: Batch, parts: Sequence[Sequence[Arrival]]
) -> tuple[list[Outcome], list[tuple[Arrival, Shelved]]]:
    outcomes: list[Outcome] = []
    refused: list[tuple[Arrival, Shelved]] = []
    for part in parts:
        more, less = _apply_page(uow, ctx, desk, batch, part)
        outcomes += more
        refused += less
    return outcomes, refused


def _apply(uow: UnitOfWork, ctx: Context, desk: Desk, arrivals: Sequence[Arrival]) -> Outcome:
    with refusing(), uow.savepoint():
        outcome = apply_events(uow, desk, arrivals)
        heed_signals(uow, ctx, outcome.signals)
    return outcome
