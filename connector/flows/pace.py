"""How writing stands, shared by all processes through one row: the breaker, the calls in hand, the org's limit."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, replace
from typing import Any

from sqlalchemy import Connection

from connector.crm.port import Budget
from connector.domain.pacing import ORG_CEILING, UNKNOWN_TOTAL, Breaker, Bucket, linger_ms
from connector.errors import ConnectorError, CrmLoginFailed, CrmRateLimited, Retryable
from connector.store.crm_state import hold_state, read_state, write_state
from connector.store.queues import database_now
from connector.store.unit_of_work import UnitOfWork

STATE = "writeback"
LIMIT_PAUSE_MS = 900_000
_jitter = random.Random()  # noqa: S311 - spreads processes; nothing secret hangs on it


@dataclass(frozen=True, slots=True)
class Pace:
    """How writing stands at a moment of the database's clock (``now``)."""

    now: int
    share: float
    breaker: Breaker
    bucket: Bucket
    used: int = 0
    total: int = UNKNOWN_TOTAL

    @property
    def blocked_until(self) -> int | None:
        """When something may be sent again; None for now."""
        if self.breaker.is_open(self.now):
            return self.breaker.open_until
        ready_at = self.bucket.ready_at(self.total, self.share)
        return ready_at if ready_at > self.now else None

    @property
    def linger_ms(self) -> int:
        """How long a part-filled batch waits for more."""
        return linger_ms(self.bucket, self.total, self.share)

    def probing(self) -> Pace:
        """The pace while a call is under way: its token is taken, and after a failure the others wait for its end."""
        return replace(self, bucket=self.bucket.taken(1), breaker=self.breaker.probing(self.now))

    def after(self, calls: int, budget: Budget | None) -> Pace:
        """The pace after the org answered and took records."""
        paid = replace(self, bucket=self.bucket.taken(calls - 1), breaker=self.breaker.succeeded())
        return paid.told(budget)

    def after_fault(self, calls: int, budget: Budget | None, fault: ConnectorError) -> Pace:
        """The pace after a whole call failed: nobody calls before the org may be back."""
        why, wait = _why(fault)
        breaker = self.breaker.failed(self.now, why, fault.message, wait, _jitter.random())
        paid = replace(self, bucket=self.bucket.taken(max(0, calls - 1)))
        return replace(paid.told(budget), breaker=breaker)

    def told(self, budget: Budget | None) -> Pace:
        """The pace with what the org told of its limit; near it, writes wait."""
        if budget is None:
            return self
        seen = replace(self, used=budget.used, total=budget.total)
        if budget.used < ORG_CEILING * budget.total:
            return seen
        words = f"{budget.used} of the org's {budget.total} API calls are used; writes wait above 90 %."
        return replace(seen, breaker=Breaker(0, self.now + LIMIT_PAUSE_MS, "limited", words, self.now))


def _why(fault: ConnectorError) -> tuple[str, int | None]:
    wait = fault.retry_after if isinstance(fault, Retryable) else None
    wait_ms = None if wait is None else round(wait * 1000)
    if isinstance(fault, CrmLoginFailed):
        return "login", wait_ms
    if isinstance(fault, CrmRateLimited):
        return "limited", LIMIT_PAUSE_MS if wait_ms is None else wait_ms
    return ("away", wait_ms) if isinstance(fault, Retryable) else ("halted", None)


def look_at_pace(connection: Connection, share: float) -> Pace:
    """How writing stands now."""
    return _read(read_state(connection, STATE), share, database_now(connection))


def hold_pace(uow: UnitOfWork, share: float) -> Pace:
    """How writing stands now; no other process changes it until this transaction ends."""
    value = hold_state(uow, STATE)
    return _read(value, share, uow.database_now())


def keep_pace(uow: UnitOfWork, pace: Pace) -> None:
    """Remembers how writing stands."""
    bucket = {"tokens": round(pace.bucket.tokens, 3), "at": pace.bucket.at}
    value = {"breaker": asdict(pace.breaker), "bucket": bucket, "used": pace.used, "total": pace.total}
    write_state(uow, STATE, value)


def _read(value: dict[str, Any], share: float, now: int) -> Pace:
    used, total = int(value.get("used", 0)), int(value.get("total", UNKNOWN_TOTAL))
    bucket = Bucket(**value["bucket"]) if "bucket" in value else Bucket.full(total, share, now)
    return Pace(now, share, Breaker(**value.get("breaker", {})), bucket.refilled(total, share, now), used, total)
