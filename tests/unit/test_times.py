"""Times: every format that senders use, and a reason for everything else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mapping.times import FORMATS, TimeUnreadable, parse_time

MOMENT = datetime(2026, 3, 2, 8, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "name", "millis"),
    [
        ("2026-03-02T08:15:30Z", "iso", 0),
        ("2026-03-02T08:15:30.123Z", "iso", 123),
        ("2026-03-02T08:15:30.123456Z", "iso", 123),
        ("2026-03-02T08:15:30.123999789Z", "iso", 123),
        ("2026-03-02T08:15:30,5Z", "iso", 500),
        ("2026-03-02T09:15:30+01:00", "iso", 0),
        ("2026-03-02T08:15:30+0000", "iso", 0),
        ("2026-03-02T09:15:30+01", "iso", 0),
        ("2026-03-02 08:15:30 UTC", "iso", 0),
        (1772439330, "epoch_s", 0),
        ("1772439330", "epoch_s", 0),
        (1772439330.5, "epoch_s", 500),
        ("1772439330.25", "epoch_s", 250),
        (1772439330123, "epoch_ms", 123),
        ("1772439330123", "epoch_ms", 123),
        (1772439330123456, "epoch_us", 123),
        ("Mon, 02 Mar 2026 08:15:30 +0000", "rfc2822", 0),
        ("Mon, 2 Mar 2026 03:15:30 -0500", "rfc2822", 0),
        ("Mon, 2 Mar 2026 08:15:30 -0000", "rfc2822", 0),
        ("Mon, 2 Mar 2026 08:15:30 -0000 (UTC)", "rfc2822", 0),
        ("Mon Mar 02 08:15:30 +0000 2026", "ctime", 0),
    ],
)
def test_a_time_is_read_as_utc_to_the_millisecond(value: Any, name: str, millis: int) -> None:
    assert parse_time(value, (name,)) == MOMENT + timedelta(milliseconds=millis)


def test_a_leap_second_is_the_last_instant_of_its_minute() -> None:
    assert parse_time("2016-12-31T23:59:60Z", ("iso",)) == datetime(2016, 12, 31, 23, 59, 59, 999000, UTC)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("2026-03-02T08:15:30", "iso"),
        ("Mon, 2 Mar 2026 08:15:30", "rfc2822"),
        ("Mon, 2 Mar 2026 08:15:30 XYZ", "rfc2822"),
        ("0001-01-01T00:00:00Z", "iso"),
        ("9999-12-31T23:59:59Z", "iso"),
        ("9999-12-31T23:59:59-14:00", "iso"),
        ("2026-02-30T00:00:00Z", "iso"),
        ("2026-03-02T08:15:61Z", "iso"),
        ("yesterday", "iso"),
        ("", "epoch_s"),
        ("１７７２", "epoch_s"),
        (True, "epoch_s"),
        (None, "epoch_s"),
        (1772439330123, "epoch_s"),
        (1772439330, "epoch_ms"),
        (10**30, "epoch_s"),
        ("9" * 20, "epoch_us"),
        (float("1e300"), "epoch_s"),
        ([], "rfc2822"),
        ("x" * 100, "rfc2822"),
        ("Mon Foo 02 08:15:30 +0000 2026", "ctime"),
    ],
)
def test_a_time_that_means_nothing_says_why(value: Any, name: str) -> None:
    with pytest.raises(TimeUnreadable, match=r"\w"):
        parse_time(value, (name,))


def test_the_first_format_that_fits_is_taken_and_all_reasons_are_told() -> None:
    assert parse_time(1772439330, ("iso", "epoch_s")) == MOMENT
    with pytest.raises(TimeUnreadable, match=r"ISO 8601.*not a number"):
        parse_time("noon", ("iso", "epoch_s"))


@given(st.integers(694_224_000, 4_070_908_800), st.integers(0, 999_999), st.integers(-14 * 60, 14 * 60))
def test_every_moment_survives_iso_in_any_zone(seconds: int, micros: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    moment = datetime.fromtimestamp(seconds, zone).replace(microsecond=micros)
    read = parse_time(moment.isoformat(), ("iso",))
    assert timedelta(0) <= moment - read < timedelta(milliseconds=1)


@given(
    st.one_of(st.text(max_size=70), st.integers(), st.floats(), st.none(), st.booleans()),
    st.sampled_from(sorted(FORMATS)),
)
def test_any_value_is_a_time_or_a_reason(value: Any, name: str) -> None:
    try:
        moment = parse_time(value, (name,))
    except TimeUnreadable:
        return
    assert moment.tzinfo is UTC
