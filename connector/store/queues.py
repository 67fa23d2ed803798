"""What the inbox and the outbox share: the database's clock, claims with lease and fence, back-off and the janitor.

A claim is a fresh uuid written on the rows with a lease. Every later change of a claimed row says
``WHERE id = ? AND claim = ?``: a worker whose lease ran out changes nothing. Leases and back-off go by the database's
clock, so hosts with wrong clocks do no harm.
"""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from connector.store.unit_of_work import UnitOfWork

BASE_SECONDS = 5.0
CAP_SECONDS = 3600.0
GIVE_UP_SECONDS = 3 * 24 * 3600
POISON_TOUCHES = 3
SHARES = (1, 10)
"""Rows whose lease ran out once are claimed a tenth of a batch at a time, later alone: so a row that kills its worker
takes no innocent ones with it to the dead shelf."""

POISON = "poison pill"

_jitter = random.Random()  # noqa: S311  # spreads retries; nothing secret hangs on it


def insert(uow: UnitOfWork, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT, in the dialect of this transaction."""
    return sqlite.insert(table) if uow.is_sqlite else postgresql.insert(table)


def backoff_seconds(attempts: int) -> float:
    """How long to wait after this many failures: full jitter under 5 s times 2^n, at most an hour."""
    ceiling = min(CAP_SECONDS, BASE_SECONDS * 2 ** min(attempts, 20))
    return _jitter.uniform(0, ceiling)


def now_sql(uow: UnitOfWork) -> str:
    """The database's clock in epoch milliseconds, as an SQL expression."""
    if uow.is_sqlite:
        return "CAST(ROUND((julianday('now') - 2440587.5) * 86400000) AS INTEGER)"
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"
