"""Cases as ingestion reads and writes them: found by their derived ids, opened, reopened, and their figures kept."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import and_, func, select, update

from connector.domain.cases import Figures
from connector.store.rows import Many, RowMap, among, by_place
from connector.store.tables import case_events, cases
from connector.store.unit_of_work import UnitOfWork


@dataclass(slots=True)
class CaseRow:
    """A case of ours: its key, its state, and the figures of its interactions."""

    id: str
    network: str
    scope: str
    thread: str
    profile_id: str | None
    sequence: int
    parent_id: str | None
    opened_at: int
    channel: str = ""
    source: str | None = None
    visibility: str | None = None
    subject: str | None = None
    closed_at: int | None = None
    status: str = "New"
    reopen_count: int = 0
    reopened_at: int | None = None
    reopened_from_at: int | None = None
    first_inbound_at: int | None = None
    first_response_at: int | None = None
    moved_to_private_at: int | None = None
    last_inbound_at: int | None = None
    last_outbound_at: int | None = None
    inbound_touches: int = 0
    outbound_touches: int = 0
    is_deleted: bool = False
    origin: str = field(default="connector")


CASES = RowMap(cases, CaseRow)
_FIGURES = tuple(each.name for each in fields(Figures))
_figures = attrgetter(*_FIGURES)
_REOPENED = ("closed_at", "status", "reopen_count", "reopened_at", "reopened_from_at")
_reopened = attrgetter(*_REOPENED, "id")
_WRITE_FIGURES = CASES.changing(_FIGURES)
_WRITE_REOPENED = CASES.changing(_REOPENED)


def load_cases(uow: UnitOfWork, ids: Collection[str]) -> dict[str, CaseRow]:
    """The stored cases of these ids, by id; on PostgreSQL their rows stay ours until the transaction ends."""
    if not ids:
        return {}
    statement = select(*CASES.columns).where(among(uow, cases.c.id, ids)).order_by(cases.c.id).with_for_update()
    return {row[0]: CaseRow(*row) for row in uow.connection.execute(statement).all()}


def write_figures(uow: UnitOfWork, changed: Sequence[tuple[str, Figures]]) -> None:
    """Keeps the figures of these cases; what the CRM owns is not touched."""
    _WRITE_FIGURES.run(uow, [(*_figures(figures), case_id) for case_id, figures in changed])


def write_reopened(uow: UnitOfWork, reopened: Sequence[CaseRow]) -> None:
    """Keeps that these cases are open again."""
    _WRITE_REOPENED.run(uow, [_reopened(row) for row in reopened])


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """Something that happened to a case, at its own time."""

    case_id: str
    type: str
    at: int
    recorded_at: int
    actor: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)


_HAPPENED = Many.insert(
    "case_events",
    {"case_id": "text", "type": "text", "at": "bigint", "recorded_at": "bigint", "actor": "text", "detail": "text"},
    "ON CONFLICT DO NOTHING",
)


def record_case_events(uow: UnitOfWork, happened: Sequence[CaseEvent]) -> None:
    """Adds to the history of cases; the same thing at the same time is kept once."""
    rows = [
        (each.case_id, each.type, each.at, each.recorded_at, each.actor, json.dumps(each.detail, sort_keys=True))
        for each in happened
    ]
    _HAPPENED.run(uow, rows)


def move_case_event(uow: UnitOfWork, case_id: str, kind: str, before: int, after: int) -> None:
    """Corrects when something happened to a case, after an earlier event of it came late."""
    where = (case_events.c.case_id == case_id, case_events.c.type == kind, case_events.c.at == before)
    uow.connection.execute(update(case_events).where(*where).values(at=after))


def threads_begun_by(uow: UnitOfWork, threads: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], CaseRow]:
    """The case that spoke first in each of these threads (network, scope, thread)."""
    found: dict[tuple[str, str, str], CaseRow] = {}
    for (network, scope), names in by_place(threads).items():
        where = and_(cases.c.network == network, cases.c.scope == scope, among(uow, cases.c.thread, names))
        opened = select(cases.c.thread, func.min(cases.c.opened_at).label("at")).where(where, cases.c.sequence == 0)
        first = opened.group_by(cases.c.thread).subquery()
        begun = and_(cases.c.thread == first.c.thread, cases.c.opened_at == first.c.at)
        statement = select(*CASES.columns).join(first, begun).where(where).order_by(cases.c.id)
        for row in uow.connection.execute(statement).all():
            found.setdefault((network, scope, row.thread), CaseRow(*row))
    return found
