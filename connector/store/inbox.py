"""The inbox: deliveries exactly as they came, stored before they are answered, worked on once.

One claim at a time holds a source: so deliveries of one sender, and with them every thread and author, are worked on
in the order of arrival, and workers never wait for each other's rows. Different sources go side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from sqlalchemy import Connection

from connector.store import queues
from connector.store.accept import GroupCommit, NewDelivery
from connector.store.queues import GIVE_UP_SECONDS, backoff_seconds, run
from connector.store.rows import Many
from connector.store.shelf import shelve
from connector.store.unit_of_work import UnitOfWork

__all__ = [
    "DeliveryRow", "GroupCommit", "NewDelivery", "Settlement", "Settling",
    "claim", "depth", "oldest_seconds", "prune", "release_expired", "settle", "shelve",
]  # fmt: skip

CLAIM_BYTES = 2 * 2**20
"""What the bodies of one claim may come to; a larger one goes alone. A round's memory goes by them, and how long it
keeps the store to itself: 2 MB of small events are about a second."""

PRUNED = 2000
"""Deliveries that one transaction of retention forgets."""

_CANDIDATES = """
SELECT id, COALESCE(LENGTH(body), 0) AS size,
  CASE WHEN touches > 0 THEN touches WHEN attempts >= 6 THEN 2 WHEN attempts >= 3 THEN 1 ELSE 0 END AS touches
FROM deliveries
WHERE state = 'new' AND claim IS NULL AND run_at <= {now}
  AND source NOT IN (
    SELECT DISTINCT held.source FROM (SELECT source FROM deliveries WHERE claim IS NOT NULL ORDER BY claim) AS held)
ORDER BY id LIMIT :limit
"""
"""What failed again and again goes with few others, at last alone, as what ended its worker does: it may be the reason.

The order of the claimed rows says which index to read: there are few of them, whatever the server believes."""

_CLAIMED = (
    "SELECT id, source, received_at, content_type, headers, attempts, claim, body "
    "FROM deliveries WHERE claim = :claim ORDER BY id"
)
_ATTEMPTS = "SELECT id, attempts FROM deliveries WHERE claim = :claim"
_CLEAR = "claim = NULL, lease_until = NULL, touches = 0"
_DONE = f"{_CLEAR}, state = 'done', error = :error, settled_at = {{now}}"
_RETRY = f"""
  {_CLEAR}, attempts = attempts + 1, run_at = {{now}} + :wait, error = :error,
  first_failed_at = COALESCE(first_failed_at, {{now}}),
  state = CASE WHEN first_failed_at < {{now}} - :give_up THEN 'dead' ELSE 'new' END
"""
_DEAD = f"{_CLEAR}, attempts = attempts + 1, state = 'dead', error = :error, settled_at = {{now}}"
_DEPTH = "SELECT COUNT(*) FROM deliveries WHERE state = 'new'"
_OLDEST = "SELECT ({now} - MIN(received_at)) / 1000.0 FROM deliveries WHERE state = 'new'"
_SETTLED = (
    "state = 'done' AND settled_at < :before AND NOT EXISTS ("
    "SELECT 1 FROM shelf s WHERE s.delivery_id = deliveries.id AND s.state = 'open')"
)
_OLD_BODIES = f"SELECT id FROM deliveries WHERE body IS NOT NULL AND {_SETTLED} ORDER BY settled_at LIMIT :limit"
_OLD = f"SELECT id FROM deliveries WHERE {_SETTLED} ORDER BY settled_at LIMIT :limit"
_FORGET_BODIES = "UPDATE deliveries SET body = NULL, headers = '{{}}' WHERE id IN :ids"
_FORGET = (
    "UPDATE events SET delivery_id = NULL WHERE delivery_id IN :ids",
    "DELETE FROM shelf WHERE delivery_id IN :ids",
    "DELETE FROM deliveries WHERE id IN :ids",
)


class Settling(StrEnum):
    """What became of a claimed delivery."""

    DONE = "done"  # worked through; items that could not be read are on the shelf
    RETRY = "retry"  # something outside it failed: later; dead after three days of that
    DEAD = "dead"  # never as it is: a person decides


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A claimed delivery; ``claim`` fences everything done with it."""

    id: int
    source: str
    received_at: int
    content_type: str
    headers: str
    attempts: int
    claim: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one claimed delivery; ``error`` is for people and holds nothing personal."""

    id: int
    outcome: Settling = Settling.DONE
    error: str | None = None
    wait_seconds: float | None = None


def claim(uow: UnitOfWork, limit: int = 200, lease_seconds: float = 60) -> list[DeliveryRow]:
    """Up to ``limit`` deliveries in the order of arrival, leased to the caller; empty when nothing is due.

    Sources that another claim holds are left out until it settles or lapses; of large bodies there are fewer.
    """
    queues.begin_claim(uow, "deliveries")
    with queues.walking(uow.connection):
        candidates = run(uow.connection, _CANDIDATES, {"limit": limit}).all()
    head = queues.batch(candidates, limit)
    sizes = accumulate(row.size for row in head)
    head = [row for row, size in zip(head, sizes, strict=True) if size <= CLAIM_BYTES] or head[:1]
    free = queues.lock(uow, "deliveries", "new", [row.id for row in head])
    ids = [row.id for row in head if row.id in free]
    if not ids:
        return []
    token = queues.take(uow, "deliveries", ids, lease_seconds)
    return [
        DeliveryRow(
            row.id, row.source, row.received_at, row.content_type, row.headers, row.attempts, row.claim,
            bytes(row.body or b""),
        )
        for row in run(uow.connection, _CLAIMED, {"claim": token}).all()
    ]  # fmt: skip


def settle(uow: UnitOfWork, claim_id: str, results: Sequence[Settlement]) -> int:
    """How many deliveries were settled; those whose lease ran out meanwhile belong to another claim.

    A caller that gets fewer than it worked on must roll its transaction back.
    """
    retries = any(each.outcome is Settling.RETRY for each in results)
    attempts = dict(run(uow.connection, _ATTEMPTS, {"claim": claim_id}).all()) if retries else {}
    changed = 0
    for outcome, statement in _STATEMENTS.items():
        rows = [_values(each, claim_id, attempts.get(each.id, 0)) for each in results if each.outcome is outcome]
        changed += statement.run(uow, rows)
    return changed


def release_expired(uow: UnitOfWork, *, everything: bool = False) -> queues.Expired:
    """Gives back the deliveries whose lease ran out; the third time one is parked as poison (store/queues.py)."""
    return queues.release_expired(uow, "deliveries", everything=everything)


def depth(connection: Connection) -> int:
    """How many deliveries wait to be worked on."""
    return int(run(connection, _DEPTH).scalar_one())


def oldest_seconds(connection: Connection) -> float:
    """How long ago the oldest waiting delivery came; 0 when none waits."""
    return max(0.0, float(run(connection, _OLDEST).scalar_one() or 0))


def prune(uow: UnitOfWork, *, bodies_before: int, keys_before: int, limit: int = PRUNED) -> tuple[int, int]:
    """How many bodies, and how many whole deliveries, were forgotten: settled before these times (epoch ms).

    At most ``limit`` of each, the oldest first, so that nobody waits long for this transaction. Waiting and dead
    deliveries, and those with an item on the shelf, stay until a person has settled them.
    """
    bodies = _ids(uow, _OLD_BODIES, bodies_before, limit)
    run(uow.connection, _FORGET_BODIES, {"ids": bodies})
    deliveries = _ids(uow, _OLD, keys_before, limit)
    for statement in _FORGET:
        run(uow.connection, statement, {"ids": deliveries})
    return len(bodies), len(deliveries)


def _ids(uow: UnitOfWork, statement: str, before: int, limit: int) -> list[int]:
    return list(run(uow.connection, statement, {"before": before, "limit": limit}).scalars())


def _values(each: Settlement, claim_id: str, attempts: int) -> tuple[object, ...]:
    wait = backoff_seconds(attempts) if each.wait_seconds is None else each.wait_seconds
    return (each.error, round(wait * 1000), GIVE_UP_SECONDS * 1000, each.id, claim_id)


_KINDS = {"error": "text", "wait": "bigint", "give_up": "bigint", "id": "bigint", "claim": "text"}
_STATEMENTS = {
    outcome: Many.update("deliveries", _KINDS, changes, "id = :id AND claim = :claim")
    for outcome, changes in {Settling.DONE: _DONE, Settling.RETRY: _RETRY, Settling.DEAD: _DEAD}.items()
}
