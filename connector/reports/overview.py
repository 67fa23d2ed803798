"""The figures that stand before the reports: six of them, each with what it was in the span of equal length before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection

from connector.reports.responsiveness import NAME as FIRST_RESPONSE
from connector.reports.responsiveness import first_response
from connector.reports.result import Query, Value
from connector.reports.volume import NAME as VOLUME
from connector.reports.volume import volume


@dataclass(frozen=True, slots=True)
class Reading:
    """One value: None where nothing was counted; ``at_least`` where the rank falls among those who still wait."""

    value: float | None
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the overview: its name in words, what it is (count or seconds), now and before.

    ``of`` is how many cases it is about, where it is about cases.
    """

    label: str
    kind: str
    now: Reading
    before: Reading
    report: str
    of: int | None = None
    unit: str | None = None

    @property
    def change(self) -> float | None:
        """The change as a share of the value before; None where one of the two is not known or was nothing."""
        now, before = self.now.value, self.before.value
        if now is None or not before or self.now.at_least or self.before.at_least:
            return None
        return now / before - 1


def overview(connection: Connection, query: Query) -> list[Figure]:
    """Six figures of the span, each from its report's own totals, beside the span of equal length before it."""
    earlier = before(query)
    came, came_before = volume(connection, query).totals, volume(connection, earlier).totals
    answered, answered_before = first_response(connection, query).totals, first_response(connection, earlier).totals
    begun = _whole(answered.get("cases"))
    counts = [
        Figure(label, "count", _count(came, unit), _count(came_before, unit), VOLUME, unit=unit)
        for label, unit in (("Attempts to reach us", "attempts"), ("Messages, posts and calls", "interactions"))
    ]
    new = Figure("Cases begun", "count", _count(answered, "cases"), _count(answered_before, "cases"), FIRST_RESPONSE)
    still, still_before = _count(answered, "unanswered"), _count(answered_before, "unanswered")
    waiting = Figure("Not answered yet", "count", still, still_before, FIRST_RESPONSE, begun)
    times = [
        Figure(label, "seconds", _time(answered, rank), _time(answered_before, rank), FIRST_RESPONSE, begun)
        for label, rank in (("Half answered within", "p50"), ("90 % answered within", "p90"))
    ]
    return [*counts, new, waiting, *times]


def before(query: Query) -> Query:
    """The same question about as many days just before."""
    days = (query.last - query.first).days + 1
    return replace(query, first=query.first - timedelta(days=days), last=query.first - timedelta(days=1))


def _count(totals: Mapping[str, Value], name: str) -> Reading:
    return Reading(_whole(totals.get(name)))


def _time(totals: Mapping[str, Value], rank: str) -> Reading:
    reached, bound = totals.get(f"{rank}_all_seconds"), totals.get(f"{rank}_all_bound_seconds")
    known = reached if reached is not None else bound
    return Reading(None if known is None else float(known), at_least=reached is None and known is not None)


def _whole(value: Value) -> int:
    return int(value or 0)
