"""What has to be done by the clock: leases that ran out go back, and what was kept long enough is forgotten."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from connector.domain.events import to_millis
from connector.flows.context import Context
from connector.store import idempotency, inbox, outbox

BODIES = timedelta(days=30)
KEYS = timedelta(days=400)
IDEMPOTENCY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Tidied:
    """Rows whose lease had run out: given back to be worked on again, and parked as poison after the third time."""

    given_back: int
    poisoned: int


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What retention removed: bodies of settled deliveries, whole deliveries, outcomes of keyed requests."""

    bodies: int
    deliveries: int
    outcomes: int


def give_back_expired(ctx: Context, *, everything: bool = False) -> Tidied:
    """Gives back what workers that ended had claimed; ``everything`` at the start of the only worker of a store."""
    with ctx.store.begin() as uow:
        found = [each.release_expired(uow, everything=everything) for each in (inbox, outbox)]
    return Tidied(sum(each.given_back for each in found), sum(each.poisoned for each in found))


def forget_old(ctx: Context) -> Forgotten:
    """Removes raw bodies 30 days and delivery keys 400 days after they were settled, and old outcomes of requests.

    What waits, is dead or lies on the shelf stays until a person has settled it.
    """
    now = ctx.clock()
    before = {"bodies_before": to_millis(now - BODIES), "keys_before": to_millis(now - KEYS)}
    bodies = deliveries = 0
    while True:
        with ctx.store.begin() as uow:
            piece = inbox.prune(uow, **before)
        bodies, deliveries = bodies + piece[0], deliveries + piece[1]
        if not any(piece):
            break
    with ctx.store.begin() as uow:
        outcomes = idempotency.forget_before(uow, now - IDEMPOTENCY)
    return Forgotten(bodies, deliveries, outcomes)


def lock_file(ctx: Context) -> Path | None:
    """Where the only worker of a SQLite store holds its lock; None on PostgreSQL, where many may work."""
    database = _database_file(ctx)
    return None if database is None else Path(f"{database}.worker")


def free_bytes(ctx: Context) -> int | None:
    """How much the disk under a SQLite store still takes; None where the store has no file here."""
    database = _database_file(ctx)
    return None if database is None else shutil.disk_usage(database.parent).free


def _database_file(ctx: Context) -> Path | None:
    database = ctx.store.engine.url.database
    if not ctx.store.is_sqlite or not database or database == ":memory:":
        return None
    return Path(database)
