"""Once: the same Idempotency-Key gives the same answer, refusals too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from connector.domain.events import to_millis
from connector.errors import Conflict, IdempotencyConflict
from connector.flows.context import Context
from connector.store import idempotency

KEPT = timedelta(days=7)
ABANDONED = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Replay:
    """The stored answer to an earlier request with this key."""

    status: int
    body: bytes


def begin(ctx: Context, principal: str, key: str, request_hash: str) -> Replay | None:
    """The stored answer, or None: then the request is ours to carry out and ``finish`` or ``abandon`` must follow.

    Raises IdempotencyConflict when the key stands for another request, Conflict while the first is still at work. A
    request that came to no answer within a minute (its process died) is taken over: the flows behind it are
    transactions, so it either happened whole or not at all.
    """
    now = ctx.clock()
    with ctx.store.begin() as uow:
        idempotency.forget_before(uow, now - KEPT)
        found = idempotency.reserve(uow, principal, key, request_hash, now)
        if found is None:
            return None
        if found.request_hash != request_hash:
            raise IdempotencyConflict
        if found.status != idempotency.UNFINISHED:
            return Replay(found.status, found.body)
        if found.created_at > to_millis(now - ABANDONED):
            raise Conflict("A request with this Idempotency-Key is still at work; ask again in a moment.")
        idempotency.release(uow, principal, key)
        idempotency.reserve(uow, principal, key, request_hash, now)
        return None


def finish(ctx: Context, principal: str, key: str, status: int, body: bytes) -> None:
    """Stores the answer for every later request with the key."""
    with ctx.store.begin() as uow:
        idempotency.finish(uow, principal, key, status, body)


def abandon(ctx: Context, principal: str, key: str) -> None:
    """Frees the key: nothing was decided, the same request may come again."""
    with ctx.store.begin() as uow:
        idempotency.release(uow, principal, key)
