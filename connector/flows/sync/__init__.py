"""Reads what people did in the CRM: contacts, users, cases, and what was said on channels that live there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import structlog

from connector.crm.port import CRM, Reading
from connector.domain.pacing import DAY_MS, UNKNOWN_TOTAL
from connector.errors import ConnectorError, CrmRateLimited, Misconfigured, StoreBusy
from connector.flows.context import Context
from connector.flows.sync.born import BornReader
from connector.flows.sync.cases import FIELDS as CASE_FIELDS
from connector.flows.sync.cases import CaseReader
from connector.flows.sync.contacts import USER_FIELDS, contact_fields, sync_contacts, sync_users
from connector.flows.sync.pull import Progress
from connector.flows.sync.turn import TURN, end_turn, take_turn
from connector.mapping.crm import CrmMapping
from connector.mapping.crm_born import OBJECTS
from connector.store.crm_state import hold_state, read_state, write_state
from connector.store.queues import database_now

log = structlog.get_logger(__name__)

READING = "reading"
"""The name under which the fault of the last reading is kept; empty when there was none."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What one reading changed in the store, by kind; ``is_busy`` tells that another process was reading already."""

    contacts: int = 0
    users: int = 0
    our_cases: int = 0
    crm_cases: int = 0
    skipped_cases: int = 0
    interactions: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    is_busy: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was new."""
        return not (self.contacts or self.users or self.our_cases or self.crm_cases or any(self.interactions.values()))


def fields_read(mapping: CrmMapping) -> dict[str, Reading]:
    """What a reading asks of each object; what people said on channels of the CRM is read where the org keeps it."""
    account = "Account.Name"  # seen by whoever sees the reference
    contact = tuple("AccountId" if each == account else each for each in contact_fields(mapping))
    needed = {"Contact": contact, "Case": (*CASE_FIELDS, mapping.objects["case"].key), "User": USER_FIELDS}
    return {
        **{name: Reading(fields) for name, fields in needed.items()},
        **{each.name: Reading(tuple(dict.fromkeys((*each.fields, *each.needed))), is_needed=False) for each in OBJECTS},
    }


def sync_once(ctx: Context, full: bool = False, on_progress: Progress | None = None) -> SyncReport:
    """Reads what has changed in the CRM since the last time, or everything, and tells what that changed here.

    Raises the CRM's faults; what was read before one stays, and the next reading goes on there.
    """
    crm, mapping = ctx.crm, ctx.crm_mapping
    if crm is None or mapping is None:
        raise Misconfigured("No CRM is configured; set CONNECTOR_CRM_URL and its client id and secret.")
    if not take_turn(ctx):
        return SyncReport(is_busy=True)
    try:
        report = _sync(ctx, crm, mapping, full=full, on_progress=on_progress)
    finally:
        end_turn(ctx)
    if not report.is_empty:  # at rest there is one every minute
        log.info(
            "synced", contacts=report.contacts, users=report.users, our_cases=report.our_cases,
            crm_cases=report.crm_cases, interactions=sum(report.interactions.values()), calls=report.calls,
        )  # fmt: skip
    return report


def _sync(ctx: Context, crm: CRM, mapping: CrmMapping, *, full: bool, on_progress: Progress | None) -> SyncReport:
    before = crm.calls().reads
    users = sync_users(ctx, crm, full=full, on_progress=on_progress)
    contacts = sync_contacts(ctx, crm, full=full, on_progress=on_progress)
    cases = CaseReader(ctx, mapping)
    cases.pull(crm, full=full, on_progress=on_progress)
    born = {
        each.name: BornReader(ctx, each, partial(cases.look_up, crm)).pull(crm, full=full, on_progress=on_progress)
        for each in OBJECTS
    }
    tally = cases.tally
    calls = crm.calls().reads - before
    return SyncReport(contacts, users, tally.ours, tally.born, tally.skipped, born, calls)


def _remember(ctx: Context, fault: dict[str, str]) -> None:
    """Keeps what the last reading ended in, for the health page; an unchanged answer costs a look, no write."""
    with ctx.store.read() as connection:
        known = read_state(connection, READING)
    if known != fault:
        with ctx.store.begin() as uow:
            write_state(uow, READING, dict(fault))


def sync_when_due(ctx: Context, every_seconds: float = 60.0) -> float:
    """Seconds until the next reading makes sense, after one that was due: for the schedules of many processes.

    Readings come as often as asked, but no more often than half of the connector's share of API calls allows; where the
    org asks for less, or is near its limit, nobody reads before the time that was told.
    """
    with ctx.store.read() as connection:
        wait = int(read_state(connection, TURN).get("next_at", 0)) - database_now(connection)
    if wait > 0:
        return wait / 1000
    try:
        report = sync_once(ctx)
    except ConnectorError as error:
        if not isinstance(error, StoreBusy):
            _remember(ctx, {"code": error.code, "message": error.message})
        if isinstance(error, CrmRateLimited) and error.retry_after is not None:
            _schedule(ctx, error.retry_after)
        raise
    _remember(ctx, {})
    budget = ctx.crm.budget() if ctx.crm else None
    total = budget.total if budget else UNKNOWN_TOTAL
    pause = max(every_seconds, report.calls * DAY_MS / 1000 / (ctx.crm_share / 2 * total))
    _schedule(ctx, pause)
    return pause


def _schedule(ctx: Context, pause: float) -> None:
    with ctx.store.begin() as uow:
        write_state(uow, TURN, {**hold_state(uow, TURN), "next_at": uow.database_now() + round(pause * 1000)})
