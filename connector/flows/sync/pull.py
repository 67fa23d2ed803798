"""Reads what changed in one object of the CRM, batch by batch, and remembers how far the reading reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TypeVar

from connector.crm.port import CRM, Record
from connector.domain.events import format_time
from connector.flows.context import Context
from connector.flows.sync.turn import extend_turn
from connector.store.crm_state import read_state, write_state
from connector.store.unit_of_work import UnitOfWork

T = TypeVar("T")

BATCH = 500
LOOKBACK = timedelta(minutes=5)
"""A record may be committed later than its stamp says; whatever is younger than this is read again the next time."""

DELETED_EVERY = timedelta(minutes=15)
DELETED_REACH = timedelta(days=14)
"""The org keeps its list of deleted records for 15 days; after a longer pause only a full reading knows."""

Progress = Callable[[str, int], None]
Handle = Callable[[UnitOfWork, Sequence[Record]], int]
Prepare = Callable[[Sequence[Record]], None]


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

    Each batch is one transaction that also moves the mark, so a reading that breaks off goes on where it was.
    ``prepare`` sees each batch before its transaction: the place for further questions to the CRM.
    """
    name = f"watermark:{obj}"
    with ctx.store.read() as connection:
        since = parse_time(read_state(connection, name).get("since"))
    started = crm.now()
    changes = read = 0
    newest = None
    for batch in batches(crm.changed(obj, fields, None if full else since, where=where), BATCH):
        newest = parse_time(batch[-1]["SystemModstamp"]) or newest
        if prepare:
            prepare(batch)
        with ctx.store.begin() as uow:
            changes += handle(uow, batch)
            extend_turn(uow)
            if newest is not None:
                write_state(uow, name, {"since": format_time(min(newest, started - LOOKBACK))})
        read += len(batch)
        if on_progress:
            on_progress(obj, read)
    return changes


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


def deletions_forgotten(ctx: Context, crm: CRM, obj: str) -> bool:
    """Whether the last look is so long ago that the org no longer lists all that was deleted since."""
    since = _looked_until(ctx, obj)
    return since is not None and crm.now() - since > DELETED_REACH


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
