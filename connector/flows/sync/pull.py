"""Reads what changed in one object of the CRM, batch by batch, and remembers how far the reading reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

import structlog
from sqlalchemy import Connection

from connector.crm.port import CRM, Record
from connector.domain.events import format_time
from connector.domain.pacing import ORG_CEILING
from connector.errors import CrmRateLimited
from connector.flows.context import Context
from connector.flows.sync.turn import extend_turn
from connector.store.crm_state import read_state, write_state
from connector.store.unit_of_work import UnitOfWork

T = TypeVar("T")

log = structlog.get_logger(__name__)

BATCH = 500
ASKED = 400
"""Ids in one question: their address stays under the 16 KB that the org takes."""

LOOKBACK = timedelta(minutes=5)
"""A record may be committed later than its stamp says; whatever is younger than this is read again the next time."""

LIMIT_PAUSE = 900.0
"""Seconds after which a reading that rests near the org's limit may look again."""

DELETED_EVERY = timedelta(minutes=15)
DELETED_REACH = timedelta(days=14)
"""The org keeps its list of deleted records for 15 days; after a longer pause every known record is asked for."""

Progress = Callable[[str, int], None]
Handle = Callable[[UnitOfWork, Sequence[Record]], int]
Prepare = Callable[[Sequence[Record]], Sequence[Record]]
Known = Callable[[Connection, str, int], Sequence[tuple[str, str]]]
"""Known records that are not deleted, each as (place, record id): the next ones behind a place, at most so many."""


def pull(
    ctx: Context,
    crm: CRM,
    obj: str,
    fields: Sequence[str],
    handle: Handle,
    *,
    full: bool = False,
    where: str = "",
    prepare: Prepare | None = None,
    on_progress: Progress | None = None,
) -> int:
    """How many changes ``handle`` made of what the CRM has changed since the last reading, or of everything if full.

    Each batch is one transaction that also moves the mark, so a reading that breaks off goes on where it was. Near the
    org's daily limit it rests (CrmRateLimited): a first reading of years of mails must not use up what people and other
    apps need. ``prepare`` sees each batch before its transaction: the place for further questions to the CRM. What it
    gives is handled together with the batch.
    """
    name = f"watermark:{obj}"
    with ctx.store.read() as connection:
        since = parse_time(read_state(connection, name).get("since"))
    started = crm.now()
    changes = read = 0
    newest = None
    for batch in batches(crm.changed(obj, fields, None if full else since, where=where), BATCH):
        newest = parse_time(batch[-1]["SystemModstamp"]) or newest
        further = prepare(batch) if prepare else ()
        with ctx.store.begin() as uow:
            changes += handle(uow, [*further, *batch])
            extend_turn(uow)
            if newest is not None:
                write_state(uow, name, {"since": format_time(min(newest, started - LOOKBACK))})
        read += len(batch)
        if on_progress:
            on_progress(obj, read)
        _rest_near_the_limit(crm)
    return changes


def _rest_near_the_limit(crm: CRM) -> None:
    budget = crm.budget()
    if budget is not None and budget.used >= ORG_CEILING * budget.total:
        raise CrmRateLimited(
            f"{budget.used} of the org's {budget.total} API calls are used; reading rests above 90 % and goes on by "
            "itself where it was.",
            retry_after=LIMIT_PAUSE,
        )


def deletions(ctx: Context, crm: CRM, obj: str) -> Iterator[list[str]]:
    """Ids deleted since the last look, in lists: also those that no query shows, since the recycle bin was emptied.

    Looks at most every 15 minutes; the first time it only notes where to begin.
    """
    since = _looked_until(ctx, obj)
    covered = until = crm.now()
    if since is not None and until - since < DELETED_EVERY:
        return
    if since is not None:
        deleted = crm.deleted(obj, max(since, until - DELETED_REACH), until)
        yield from batches(deleted.ids, BATCH)
        covered = deleted.covered_until
    note_deletions(ctx, obj, covered)


def gone(ctx: Context, crm: CRM, obj: str, known: Known, *, full: bool = False) -> Iterator[list[str]]:
    """Ids of records that the org no longer has, in lists: by its list of deletions, or of all that are known.

    Every ``known`` record is asked for where the list no longer reaches back to the last look, or if ``full``. The
    org's own list also has records that nobody here knows.
    """
    if full or deletions_forgotten(ctx, crm, obj):
        yield from _missing(ctx, crm, obj, known)
    else:
        yield from deletions(ctx, crm, obj)


def _missing(ctx: Context, crm: CRM, obj: str, known: Known) -> Iterator[list[str]]:
    until, place = crm.now(), ""
    asked = missed = 0
    while page := _known_behind(ctx, known, place):
        place = page[-1][0]
        ids = [crm_id for _, crm_id in page]
        there = {str(record["Id"]) for record in by_id(crm, obj, ("Id",), ids)}
        missing = [each for each in ids if each not in there]
        if missing:
            yield missing
        with ctx.store.begin() as uow:
            extend_turn(uow)
        asked += len(ids)
        missed += len(missing)
    note_deletions(ctx, obj, until)
    log.info("asked_for_known_records", object=obj, asked=asked, missing=missed)


def _known_behind(ctx: Context, known: Known, place: str) -> Sequence[tuple[str, str]]:
    with ctx.store.read() as connection:
        return known(connection, place, ASKED)


def by_id(crm: CRM, obj: str, fields: Sequence[str], ids: Sequence[str]) -> list[Record]:
    """The records of these ids that the CRM has, deleted ones that it still keeps included."""
    listed = ",".join(f"'{each}'" for each in ids if each.isalnum())
    return list(crm.changed(obj, fields, None, where=f"Id IN ({listed})")) if listed else []


def deletions_forgotten(ctx: Context, crm: CRM, obj: str) -> bool:
    """Whether the last look is so long ago that the org no longer lists all that was deleted since; the log says so."""
    since = _looked_until(ctx, obj)
    is_forgotten = since is not None and crm.now() - since > DELETED_REACH
    if is_forgotten:
        log.warning("deletions_forgotten", object=obj, since=since and format_time(since))
    return is_forgotten


def note_deletions(ctx: Context, obj: str, until: datetime) -> None:
    """Notes that everything deleted until then is known."""
    with ctx.store.begin() as uow:
        write_state(uow, f"deletions:{obj}", {"until": format_time(until)})


def _looked_until(ctx: Context, obj: str) -> datetime | None:
    with ctx.store.read() as connection:
        return parse_time(read_state(connection, f"deletions:{obj}").get("until"))


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """The values in lists of at most ``size``."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch


def parse_time(text: object) -> datetime | None:
    """The moment in a time of the CRM (2026-01-31T09:30:00.000+0000); None for none."""
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


def parse_millis(text: object) -> int | None:
    """The moment in a time of the CRM as epoch milliseconds; None for none."""
    moment = parse_time(text)
    return None if moment is None else round(moment.timestamp() * 1000)
