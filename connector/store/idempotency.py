"""Outcomes of keyed requests, so that the same key gives the same answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from connector.domain.events import to_millis
from connector.store.tables import idempotency
from connector.store.unit_of_work import UnitOfWork

UNFINISHED = 0
"""The status of a request that was begun and not answered yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was answered to a keyed request; ``status`` 0 while it is still being worked on."""

    request_hash: str
    status: int
    body: bytes
    created_at: int


def reserve(uow: UnitOfWork, principal: str, key: str, request_hash: str, now: datetime) -> Outcome | None:
    """None where the key was free and is now ours; else what stands under it."""
    build = sqlite_insert if uow.is_sqlite else postgres_insert
    made = uow.connection.execute(
        build(idempotency)
        .values(
            principal=principal,
            key=key,
            request_hash=request_hash,
            status=UNFINISHED,
            body=b"",
            created_at=to_millis(now),
        )
        .on_conflict_do_nothing()
        .returning(idempotency.c.key)  # psycopg does not tell how many rows an insert made
    )
    if made.first() is not None:
        return None
    row = uow.connection.execute(
        select(idempotency).where(idempotency.c.principal == principal, idempotency.c.key == key)
    ).one()
    return Outcome(row.request_hash, row.status, bytes(row.body), row.created_at)


def finish(uow: UnitOfWork, principal: str, key: str, status: int, body: bytes) -> None:
    """Stores the answer under the key."""
    uow.connection.execute(
        update(idempotency)
        .where(idempotency.c.principal == principal, idempotency.c.key == key)
        .values(status=status, body=body)
    )


def release(uow: UnitOfWork, principal: str, key: str) -> None:
    """Frees a key whose request came to no answer."""
    uow.connection.execute(
        delete(idempotency).where(
            idempotency.c.principal == principal, idempotency.c.key == key, idempotency.c.status == UNFINISHED
        )
    )


def forget_before(uow: UnitOfWork, moment: datetime) -> int:
    """How many outcomes older than the moment were removed."""
    return uow.connection.execute(delete(idempotency).where(idempotency.c.created_at < to_millis(moment))).rowcount
