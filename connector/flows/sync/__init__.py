"""Reads what people did in the CRM: contacts, users, cases, and what was said on channels that live there."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import structlog

from connector.crm.port import CRM
from connector.errors import Misconfigured
from connector.flows.context import Context
from connector.flows.sync.born import BornReader
from connector.flows.sync.cases import CaseReader
from connector.flows.sync.contacts import sync_contacts, sync_users
from connector.flows.sync.pull import Progress
from connector.mapping.crm import CrmMapping
from connector.mapping.crm_born import OBJECTS
from connector.store.crm_state import hold_state, write_state

log = structlog.get_logger(__name__)

TURN = "sync"
TURN_MS = 600_000


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


def sync_once(ctx: Context, full: bool = False, on_progress: Progress | None = None) -> SyncReport:
    """Reads what has changed in the CRM since the last time, or everything, and tells what that changed here.

    Raises the CRM's faults; what was read before one stays, and the next reading goes on there.
    """
    crm, mapping = ctx.crm, ctx.crm_mapping
    if crm is None or mapping is None:
        raise Misconfigured("No CRM is configured; set CONNECTOR_CRM_URL and its client id and secret.")
    if not _take_turn(ctx):
        return SyncReport(is_busy=True)
    try:
        report = _sync(ctx, crm, mapping, full=full, on_progress=on_progress)
    finally:
        _end_turn(ctx)
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


def _take_turn(ctx: Context) -> bool:
    with ctx.store.begin() as uow:
        now = uow.database_now()
        if int(hold_state(uow, TURN).get("until", 0)) > now:
            return False
        write_state(uow, TURN, {"until": now + TURN_MS})
    return True


def _end_turn(ctx: Context) -> None:
    with ctx.store.begin() as uow:
        write_state(uow, TURN, {"until": 0})
