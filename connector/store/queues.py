"""What the inbox and the outbox share: the database's clock, claims with lease and fence, back-off and the janitor.

A claim is a fresh uuid written on the rows with a lease. Every later change of a claimed row says
``WHERE id = ? AND claim = ?``: a worker whose lease ran out changes nothing. Leases and back-off go by the database's
clock, so hosts with wrong clocks do no harm.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Row, Table, text
from sqlalchemy.dialects import postgresql, sqlite

from connector.store.unit_of_work import UnitOfWork

BASE_SECONDS = 5.0
CAP_SECONDS = 3600.0
GIVE_UP_SECONDS = 3 * 24 * 3600
POISON_TOUCHES = 3
POISON = "poison pill: the worker ended three times while it held this row"
CLAIM_LOCKS: Mapping[str, int] = {"deliveries": 0x636F6E01, "outbox": 0x636F6E02}
"""Claims of one queue take turns on PostgreSQL, so that each sees what the others took (advisory lock keys)."""

_jitter = random.Random()  # noqa: S311  # spreads retries; nothing secret hangs on it

NOW: Mapping[str, str] = {
    "sqlite": "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)",
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
}
"""The database's clock in epoch milliseconds, as SQL."""

_OTHER_PLANS = ("enable_seqscan", "enable_bitmapscan", "enable_sort", "enable_hashjoin", "enable_mergejoin")
_WALK, _AS_EVER = (
    text("SELECT " + ", ".join(f"set_config('{name}', {value}, true)" for name in _OTHER_PLANS))
    for value in ("'off'", "NULL")
)

_IDS = {"sqlite": "IN (SELECT value FROM json_each(:ids))", "postgresql": "= ANY(CAST(:ids AS BIGINT[]))"}
_TAKE = "UPDATE {table} SET claim = :claim, lease_until = {now} + :lease WHERE id IN :ids"
_LOCK = (
    "SELECT id FROM {table} WHERE id IN :ids AND claim IS NULL AND state = :state ORDER BY id FOR UPDATE SKIP LOCKED"
)
_EXPIRE = """
UPDATE {table} SET
  claim = NULL, lease_until = NULL, touches = touches + 1,
  state = CASE WHEN touches + 1 >= :most THEN 'dead' ELSE state END,
  error = CASE WHEN touches + 1 >= :most THEN :poison ELSE error END,
  settled_at = CASE WHEN touches + 1 >= :most THEN {now} ELSE settled_at END
WHERE claim IS NOT NULL AND (lease_until < {now} OR :everything)
RETURNING state
"""


@dataclass(frozen=True, slots=True)
class Expired:
    """What the janitor did: rows given back, and rows parked as poison."""

    given_back: int
    poisoned: int


def now_sql(connection: Connection) -> str:
    """The database's clock in epoch milliseconds, as an SQL expression."""
    return NOW[connection.dialect.name]


def database_now(connection: Connection) -> int:
    """The database's clock in epoch milliseconds."""
    return int(connection.execute(text(f"SELECT {now_sql(connection)}")).scalar_one())


def insert(uow: UnitOfWork, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, in the dialect of this transaction."""
    return sqlite.insert(table) if uow.is_sqlite else postgresql.insert(table)


def run(connection: Connection, statement: str, values: Any = None) -> Any:
    """The result of a statement in which ``{now}`` stands for the database's clock and ``IN :ids`` takes numbers."""
    if ":ids" in statement:  # one parameter, however many they are
        statement = statement.replace("IN :ids", _IDS[connection.dialect.name])
        ids = list(values["ids"])
        values = {**values, "ids": json.dumps(ids) if connection.dialect.name == "sqlite" else ids}
    return connection.execute(text(statement.format(now=now_sql(connection))), values or {})


@contextmanager
def walking(connection: Connection) -> Iterator[None]:
    """While inside, PostgreSQL walks a queue by its index, in its order, and stops once it has enough.

    Right after a bulk load it knows nothing of the table, takes most rows for claimed, and would read and sort all that
    waits: seconds instead of milliseconds, at every claim, until it has looked.
    """
    if connection.dialect.name == "sqlite":
        yield
        return
    connection.execute(_WALK)
    yield
    connection.execute(_AS_EVER)  # after an error the whole transaction goes, and this with it


def backoff_seconds(attempts: int) -> float:
    """How long to wait after this many failures: full jitter under 5 s times 2^n, at most an hour."""
    return _jitter.uniform(0, min(CAP_SECONDS, BASE_SECONDS * 2 ** min(attempts, 20)))


def begin_claim(uow: UnitOfWork, table: str) -> None:
    """Waits until no other claim of this queue is under way."""
    if not uow.is_sqlite:
        uow.connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CLAIM_LOCKS[table]})


def batch(candidates: Sequence[Row[Any]], limit: int) -> list[Row[Any]]:
    """The head of the candidates that may share one claim.

    Rows whose lease ran out once go a tenth of a batch at a time, later alone: so a row that kills its worker takes no
    innocent ones with it to the dead shelf.
    """
    if not candidates:
        return []
    touches = candidates[0].touches
    share = (limit, max(1, limit // 10), 1)[min(touches, 2)]
    head: list[Row[Any]] = []
    for row in candidates[:share]:
        if row.touches != touches:
            break
        head.append(row)
    return head


def lock(uow: UnitOfWork, table: str, state: str, ids: Sequence[int]) -> set[int]:
    """Those rows that no other transaction holds right now, locked until the end of this one."""
    if uow.is_sqlite:
        return set(ids)
    with walking(uow.connection):
        found = run(uow.connection, _LOCK.replace("{table}", table), {"ids": list(ids), "state": state})
    return set(found.scalars())


def take(uow: UnitOfWork, table: str, ids: Sequence[int], lease_seconds: float) -> str:
    """The claim that now stands on these rows; it lapses after the lease."""
    claim = str(uuid4())
    values = {"claim": claim, "lease": round(lease_seconds * 1000), "ids": list(ids)}
    run(uow.connection, _TAKE.replace("{table}", table), values)
    return claim


def release_expired(uow: UnitOfWork, table: str, *, everything: bool = False) -> Expired:
    """Gives back the rows whose lease ran out; the third time a row is parked as poison.

    ``everything`` takes running leases too: for the start of the only worker, when no other can hold them.
    """
    values = {"most": POISON_TOUCHES, "poison": POISON, "everything": everything}
    with walking(uow.connection):
        states = list(run(uow.connection, _EXPIRE.replace("{table}", table), values).scalars())
    poisoned = states.count("dead")
    return Expired(given_back=len(states) - poisoned, poisoned=poisoned)
