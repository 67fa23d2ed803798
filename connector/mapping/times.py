"""Every way the senders write a time, read into aware UTC at millisecond precision."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,9})?", re.ASCII)
_ISO = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(?:[.,]([0-9]{1,9}))?"
    r" ?(Z|z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}|[+-][0-9]{2})?",
    re.ASCII,
)
_CTIME = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([0-9]{1,2}) ([0-9]{2}:[0-9]{2}:[0-9]{2}) ([+-][0-9]{4}) ([0-9]{4})", re.ASCII
)
_NO_PLACE = re.compile(r"-0000(?: *\([^()]*\))?$", re.ASCII)
"""UTC by a machine that does not say where it stands: what many mail programs write (RFC 5322, 3.3)."""


class TimeUnreadable(ValueError):
    """The time is not in the stated format."""


def _epoch(unit: float) -> Callable[[object], datetime]:
    def read(value: object) -> datetime:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise TimeUnreadable("a number of seconds since 1970 is needed")
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise TimeUnreadable("not a number")
        number = float(value) if isinstance(value, float) or "." in str(value) else int(value)
        try:
            return _EPOCH + timedelta(seconds=number / unit)
        except (OverflowError, ValueError):
            raise TimeUnreadable("the number is out of range; is the unit right?") from None

    return read


def _iso(value: object) -> datetime:
    found = _ISO.fullmatch(_text(value))
    if found is None:
        raise TimeUnreadable("not an ISO 8601 time")
    day, minute, second, fraction, zone = found.groups()
    if zone is None:
        raise TimeUnreadable("no time zone; a time without one means nothing")
    offset = "+00:00" if zone in {"Z", "z", "UTC", "GMT"} else zone
    return _leap(f"{day}T{minute}", second or ":00", f".{(fraction or '0')[:6]:0<6}{offset}")


def _leap(start: str, second: str, rest: str) -> datetime:
    """The moment; a leap second (:60) counts as the last instant of its minute."""
    try:
        if second == ":60":
            return datetime.fromisoformat(f"{start}:59.999000{rest[7:]}")
        return datetime.fromisoformat(start + second + rest)
    except ValueError:
        raise TimeUnreadable("there is no such day or time of day") from None


def _rfc2822(value: object) -> datetime:
    text = _text(value)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise TimeUnreadable("not an RFC 2822 date") from None
    if _NO_PLACE.search(text):
        return moment.replace(tzinfo=UTC)
    if moment.tzinfo is None:
        raise TimeUnreadable("no time zone; a time without one means nothing")
    return moment


def _ctime(value: object) -> datetime:
    found = _CTIME.fullmatch(_text(value))
    if found is None:
        raise TimeUnreadable("not of the form `Wed Feb 05 08:39:31 +0000 2020`")
    month, day, clock, zone, year = found.groups()
    return _rfc2822(f"{day} {month} {year} {clock} {zone}")


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 64:
        raise TimeUnreadable("a text of at most 64 characters is needed")
    return value.strip()


FORMATS: dict[str, Callable[[object], datetime]] = {
    "iso": _iso,
    "epoch_s": _epoch(1),
    "epoch_ms": _epoch(1_000),
    "epoch_us": _epoch(1_000_000),
    "rfc2822": _rfc2822,
    "ctime": _ctime,
}
"""The names that a mapping's `time:` may hold, and how each is read."""


def parse_time(value: object, formats: tuple[str, ...]) -> datetime:
    """The moment in UTC, cut to milliseconds, by the first format that fits; TimeUnreadable when none does."""
    reasons: list[str] = []
    for name in formats:
        try:
            moment = FORMATS[name](value).astimezone(UTC)
        except (TimeUnreadable, OverflowError) as error:
            reasons.append(str(error))
            continue
        if EARLIEST <= moment < LATEST:
            return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
        reasons.append("the year is not between 1990 and 2099; is the unit right?")
    raise TimeUnreadable(", ".join(reasons) or "no format is stated")
