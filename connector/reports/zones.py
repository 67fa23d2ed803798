"""Local days in SQL: an IANA zone as a CASE over its own transitions, equal on every database.

Database time zone functions differ and some are wrong; epoch milliseconds plus the zone's offset never do.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, case, literal

DAY_MS = 86_400_000
STEP = timedelta(hours=6)
"""Transitions are looked for in steps of six hours; no zone has changed its offset twice in one."""

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Offsets:
    """A zone's offsets over a span: from each moment on (epoch ms), local time is UTC plus so many milliseconds."""

    since: tuple[int, ...]
    offset_ms: tuple[int, ...]

    def at(self, millis: int) -> int:
        """The offset at a moment, in milliseconds."""
        return self.offset_ms[max(0, bisect_right(self.since, millis) - 1)]


def offsets_between(zone: ZoneInfo, start: int, end: int) -> Offsets:
    """The zone's offsets from ``start`` to ``end`` (epoch ms)."""
    moment = datetime.fromtimestamp(start / 1000, tz=UTC)
    last = datetime.fromtimestamp(end / 1000, tz=UTC)
    since, found = [start], [_offset(zone, moment)]
    while moment < last:
        following = min(moment + STEP, last)
        if _offset(zone, following) != found[-1]:
            since.append(_transition(zone, moment, following))
            found.append(_offset(zone, following))
        moment = following
    return Offsets(tuple(since), tuple(found))


def local_day(column: ColumnElement[int], offsets: Offsets) -> ColumnElement[int]:
    """The local day of an epoch-millisecond column, as days since 1970-01-01."""
    return (column + _offset_case(column, offsets)) // literal(DAY_MS, BigInteger)


def day_number(day: date) -> int:
    """The day as days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(number: int) -> date:
    """The day of a number of days since 1970-01-01."""
    return EPOCH + timedelta(days=number)


def days_between(first: date, last: date) -> list[date]:
    """Every day from the first to the last, both included."""
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def day_start(day: date, zone: ZoneInfo) -> int:
    """The first moment of a local day, epoch milliseconds; where midnight is skipped, the first moment after."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def day_hours(day: date, zone: ZoneInfo) -> float:
    """How many hours a local day has: 24, or 23 or 25 when the clocks change."""
    return (day_start(day + timedelta(days=1), zone) - day_start(day, zone)) / 3_600_000


def around(first: date, last: date) -> tuple[int, int]:
    """A span of epoch milliseconds that holds these local days in any zone; the exact days are filtered by day."""
    return (day_number(first) - 1) * DAY_MS, (day_number(last) + 2) * DAY_MS


def _offset_case(column: ColumnElement[int], offsets: Offsets) -> ColumnElement[int]:
    later: Sequence[tuple[int, int]] = list(zip(offsets.since, offsets.offset_ms, strict=True))[1:]
    first = literal(offsets.offset_ms[0], BigInteger)
    if not later:
        return first
    whens = [(column >= since, literal(offset, BigInteger)) for since, offset in reversed(later)]
    return case(*whens, else_=first)


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    offset = moment.astimezone(zone).utcoffset() or timedelta()
    return round(offset.total_seconds() * 1000)


def _transition(zone: ZoneInfo, before: datetime, after: datetime) -> int:
    low, high = round(before.timestamp() * 1000), round(after.timestamp() * 1000)
    old = _offset(zone, before)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, datetime.fromtimestamp(middle / 1000, tz=UTC)) == old:
            low = middle
        else:
            high = middle
    return high
