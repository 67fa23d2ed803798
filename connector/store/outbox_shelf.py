"""What a person sees and does at the outbox: list, show, try again, drop, and how much waits for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, and_, or_, select

from connector.store.queues import lock, run
from connector.store.tables import outbox
from connector.store.unit_of_work import UnitOfWork

_COUNTS = """
SELECT object, state, '' AS reason, COUNT(*) AS number FROM outbox WHERE state IN ('sent', 'dropped') GROUP BY 1, 2
UNION ALL
SELECT object, state, COALESCE(error_code, 'poison') AS reason, COUNT(*) FROM outbox WHERE state = 'dead'
GROUP BY 1, 2, 3
UNION ALL
SELECT o.object, o.state, CASE
  WHEN o.claim IS NOT NULL THEN 'sending'
  WHEN o.run_at > {now} THEN COALESCE(o.error_code, 'backing_off')
  WHEN EXISTS (SELECT 1 FROM outbox p WHERE p.external_key = o.parent_key AND p.sent_ver = 0) THEN 'waiting_for_parent'
  ELSE 'ready' END AS reason, COUNT(*)
FROM outbox o WHERE o.state = 'pending' GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
"""
_OLDEST = "SELECT ({now} - MIN(queued_at)) / 1000.0 FROM outbox WHERE state = 'pending'"
_AGAIN = """
UPDATE outbox SET state = 'pending', attempts = 0, touches = 0, run_at = 0, first_failed_at = NULL,
  error_code = NULL, error = NULL, queued_at = {now}, settled_at = NULL
WHERE claim IS NULL AND (state IN ('dead', 'dropped') OR (state = 'pending' AND run_at > 0))
"""
_DROP = """
UPDATE outbox SET state = 'dropped', claim = NULL, lease_until = NULL, settled_at = {now}
WHERE state IN ('dead', 'pending') AND claim IS NULL AND id IN :ids
"""


@dataclass(frozen=True, slots=True)
class Count:
    """How many rows of an object are in a state, and why they are not through."""

    object: str
    state: str
    reason: str
    number: int


def counts(connection: Connection) -> list[Count]:
    """Rows by object, state and reason: ready, sending, waiting_for_parent, backing_off, or the CRM's error code."""
    return [Count(*row) for row in run(connection, _COUNTS)]


def oldest_seconds(connection: Connection) -> float:
    """How long the oldest unsent change has been waiting; 0 when nothing waits."""
    return max(0.0, float(run(connection, _OLDEST).scalar_one() or 0))


def rows(
    connection: Connection, *, state: str | None = None, error_code: str | None = None, after: int = 0, limit: int = 100
) -> list[dict[str, Any]]:
    """A page of outbox rows in the order they were queued, those with an id above ``after``."""
    # Those that wait for a person or their turn are few among all that was ever sent: by their index, then sorted.
    number = outbox.c.id + 0 if state in ("dead", "pending") else outbox.c.id
    statement = select(outbox).where(number > after).order_by(number).limit(limit)
    if state is not None:
        statement = statement.where(outbox.c.state == state)
    if error_code is not None:
        statement = statement.where(outbox.c.error_code == error_code)
    return [dict(row) for row in connection.execute(statement).mappings()]


def find(connection: Connection, row_id: int) -> dict[str, Any] | None:
    """One outbox row, or None."""
    row = connection.execute(select(outbox).where(outbox.c.id == row_id)).mappings().one_or_none()
    return None if row is None else dict(row)


def retry(uow: UnitOfWork, ids: Sequence[int] | None = None, *, error_code: str | None = None) -> int:
    """How many dead, dropped or backed-off rows go out again now; by ids, or in bulk by error code."""
    values: dict[str, Any] = {}
    statement = _AGAIN
    if ids is not None:
        statement += " AND id IN :ids"
        values["ids"] = list(ids)
    else:
        statement += " AND state = 'dead'"
    if error_code is not None:
        statement += " AND error_code = :code"
        values["code"] = error_code
    return int(run(uow.connection, statement, values).rowcount)


_NAMED = or_(outbox.c.sent_contact_id.is_not(None), outbox.c.tried_contact_id.is_not(None))


def hold(uow: UnitOfWork, ids: Sequence[int]) -> list[int]:
    """Those of these unsent rows that nobody changes right now, and nobody does until the end of this transaction."""
    return sorted(lock(uow, "outbox", "pending", ids) | lock(uow, "outbox", "dead", ids))


def naming(connection: Connection, ids: Sequence[int]) -> list[Row[Any]]:
    """Those of these unsent rows whose record in the CRM names a contact of ours, or may name one."""
    waiting = and_(outbox.c.id.in_(ids), outbox.c.state.in_(("dead", "pending")), _NAMED)
    return list(connection.execute(select(outbox).where(waiting).order_by(outbox.c.id)))


def dead_naming(connection: Connection, limit: int) -> list[Row[Any]]:
    """Dead rows whose record in the CRM names a contact of ours, or may name one, in no order; at most so many."""
    return list(connection.execute(select(outbox).where(outbox.c.state == "dead", _NAMED).limit(limit)))


def drop(uow: UnitOfWork, ids: Sequence[int]) -> int:
    """How many rows were set aside for good; rows under way stay, and a later change of the record queues it again."""
    return int(run(uow.connection, _DROP, {"ids": list(ids)}).rowcount)
