"""A report's filters out of a query string, for the page, the export and the API alike."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connector.domain.channels import Channel
from connector.domain.events import to_millis
from connector.errors import InputInvalid, NotFound
from connector.flows.context import Context
from connector.reports.catalogue import REPORTS, Report
from connector.reports.dimensions import DIMENSIONS
from connector.reports.result import LONGEST_DAYS, Query
from connector.reports.volume import UNITS

USUAL = timedelta(days=27)
NAMES = frozenset({"from", "to", "tz", "by", "unit", "channel", "network"})


def report_named(name: str) -> Report:
    """The report of this name; raises NotFound."""
    report = REPORTS.get(name)
    if report is None:
        raise NotFound(f"There is no report of this name; there are: {', '.join(REPORTS)}.")
    return report


def report_query(ctx: Context, timezone: str, given: Mapping[str, str]) -> Query:
    """The filters as the reports want them; raises InputInvalid naming the wrong one and its cure."""
    zone = _zone(given.get("tz") or timezone)
    now = ctx.clock()
    last = _day("to", given.get("to"), now.astimezone(zone).date())
    first = _day("from", given.get("from"), last - USUAL)
    if first > last:
        raise InputInvalid("`from` is after `to`; swap them.")
    if (last - first).days >= LONGEST_DAYS:
        raise InputInvalid(f"The span is longer than {LONGEST_DAYS} days; ask for a shorter one.")
    groups = {channel.value: ctx.channels.report_group(channel).value for channel in Channel}
    return Query(
        first=first,
        last=last,
        zone=zone,
        as_of=to_millis(now),
        by=_one_of("by", given.get("by"), DIMENSIONS),
        unit=_one_of("unit", given.get("unit"), UNITS),
        channel=_one_of("channel", given["channel"], tuple(Channel)) if given.get("channel") else None,
        network=_network(ctx, given.get("network")),
        groups=groups,
    )


def _network(ctx: Context, name: str | None) -> str | None:
    if not name:
        return None
    known = ctx.channels.canonical_network(name)
    if known is None:
        raise InputInvalid("`network` is no network that channels.yml knows; use a name such as instagram.")
    return known


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputInvalid("`tz` is no IANA zone; use a name such as Europe/Berlin.") from error


def _day(name: str, text: str | None, default: date) -> date:
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InputInvalid(f"`{name}` is no date; write it as 2026-01-31.") from error
    if not 1990 <= day.year <= 2100:
        raise InputInvalid(f"`{name}` lies outside 1990 to 2100; correct it.")
    return day


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> str:
    if not value:
        return allowed[0]
    if value not in allowed:
        raise InputInvalid(f"`{name}` is one of: {', '.join(allowed)}.")
    return value
