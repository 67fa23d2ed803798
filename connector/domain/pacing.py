"""How fast writes may go: a share of the org's daily calls, and a breaker for an org that is away. Pure rules.

Times are epoch milliseconds of the database's clock, so that all processes agree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

DAY_MS = 86_400_000
UNKNOWN_TOTAL = 15_000
"""The smallest daily limit that Salesforce gives (trial and developer orgs), assumed until the org has told its own."""

ORG_CEILING = 0.9
"""Above this share of the org's own limit no write goes out: the rest is for people, reads and other apps."""

MOST_ROWS = 200
PROBE_MS = 90_000
BASE_MS, CAP_MS = 5_000, 3_600_000
HALT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """Calls that writes may use: refilled evenly, an hour's worth at most saved up."""

    tokens: float
    at: int

    @staticmethod
    def full(total: int, share: float, now: int) -> Bucket:
        """The bucket of an org whose share nobody has used yet."""
        return Bucket(_burst(total, share), now)

    def refilled(self, total: int, share: float, now: int) -> Bucket:
        """The bucket as of now."""
        earned = max(0, now - self.at) * _rate(total, share)
        return Bucket(min(_burst(total, share), self.tokens + earned), max(now, self.at))

    def taken(self, calls: int) -> Bucket:
        """The bucket after these calls; it may go below zero when a call took more than planned."""
        return replace(self, tokens=self.tokens - calls)

    def ready_at(self, total: int, share: float) -> int:
        """When one call is affordable."""
        if self.tokens >= 1:
            return self.at
        return self.at + round((1 - self.tokens) / _rate(total, share))


def linger_ms(bucket: Bucket, total: int, share: float, calls_a_flush: int = 3) -> int:
    """How long to let changes gather before a part-filled batch goes: 1 s with budget in hand, up to 2 min without.

    At the longest linger, flushes of ``calls_a_flush`` calls use no more than the share allows in 24 hours.
    """
    emptiness = 1 - max(0.0, bucket.tokens) / _burst(total, share)
    return round(min(120_000, max(1_000, emptiness * calls_a_flush / _rate(total, share))))


def _rate(total: int, share: float) -> float:
    # Burst and refill together stay within the share of any 24 hours.
    return max(1.0, total * share) * 23 / 24 / DAY_MS


def _burst(total: int, share: float) -> float:
    return max(1.0, total * share / 24)


@dataclass(frozen=True, slots=True)
class Breaker:
    """Whether the org takes writes; ``why`` is away, limited, login or halted, ``message`` the CRM's own words."""

    failures: int = 0
    open_until: int = 0
    why: str = ""
    message: str = ""
    since: int = 0

    def is_open(self, now: int) -> bool:
        """Whether nothing may be sent yet."""
        return now < self.open_until

    @property
    def rows(self) -> int:
        """Rows that the next call may carry: fewer after each failure, so that one poison record ends up alone."""
        return max(1, MOST_ROWS >> min(self.failures, 8)) if self.why == "away" else MOST_ROWS

    def probing(self, now: int) -> Breaker:
        """The breaker while one process tries whether the org is back; the others wait for its finding."""
        return replace(self, open_until=now + PROBE_MS) if self.failures else self

    def succeeded(self) -> Breaker:
        """The breaker after the org took a call: closed, with calls growing back in a few steps."""
        return Breaker(self.failures // 2, 0, "away") if self.why == "away" and self.failures > 1 else Breaker()

    def failed(self, now: int, why: str, message: str, wait_ms: int | None, jitter: float) -> Breaker:
        """The breaker after a whole call failed; ``jitter`` in 0..1 spreads processes, a wait told by the org holds."""
        failures = self.failures + 1
        base = HALT_MS if why in ("halted", "login") else BASE_MS
        ceiling = min(CAP_MS, base * 2 ** min(failures - 1, 20))
        pause = wait_ms if wait_ms is not None else round(ceiling * (0.5 + jitter / 2))
        return Breaker(failures, now + pause, why, message, self.since or now)
