"""C1 · How much reaches us? Inbound volume by channel and day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, case, func, or_, select, true

from connector.domain.items import CUSTOMERS
from connector.reports.dimensions import columns_of, dimension, key_filter
from connector.reports.result import Column, Drill, Query, Result, Value
from connector.reports.zones import around, day_number, days_between, local_day, offsets_between
from connector.store.tables import interactions

NAME = "volume"
VERSION = 2
GAP_MS = 30 * 60 * 1000
STREAMED = 10_000
UNITS = ("attempts", "interactions", "cases")

COLUMNS = (
    Column("day", "Day"),
    Column("key", "Channel"),
    Column("attempts", "Attempts", "count"),
    Column("interactions", "Interactions", "count"),
    Column("cases", "Cases", "count"),
)


def volume(connection: Connection, query: Query) -> Result:
    """Inbound volume per local day and channel, counted as attempts, interactions or cases.

    An interaction is one thing a customer wrote, posted or called about; deleted ones still count. An attempt is a run
    of them in one case without an answer between, by whichever channel, and with gaps of at most 30 minutes, so that
    five quick posts, one e-mail and one call each weigh 1; it counts where and when it began. Cases are those with at
    least one such interaction: on two days or by two channels a case counts in each, but once in every sum.
    """
    counted = _counted(connection, query)
    keys = sorted({key for key, _ in counted.cells})
    days = days_between(query.first, query.last)
    rows: tuple[Mapping[str, Value], ...] = tuple(
        {"day": day.isoformat(), "key": key, **_counts(counted.cells.get((key, day_number(day))))}
        for key in keys
        for day in days
    )
    by_day: tuple[Mapping[str, Value], ...] = tuple(
        {"day": day.isoformat(), **_counts(counted.days.get(day_number(day)))} for day in days
    )
    by_key: tuple[Mapping[str, Value], ...] = tuple({"key": key, **_counts(counted.keys[key])} for key in keys)
    ratio = _weekend_ratio(by_day, days, query.unit)
    return Result(
        name=NAME,
        definition_version=VERSION,
        query=query,
        columns=columns_of(COLUMNS, query),
        rows=rows,
        totals={"keys": len(keys), "days": len(days), **_counts(counted.overall), "weekend_ratio": ratio},
        series={"keys": by_key, "days": by_day},
        excluded=_excluded(connection, query),
        notes=("Deleted messages count; their text is gone.", "A call that was answered ends its attempt."),
    )


def volume_cases(query: Query, drill: Drill) -> Select[Any]:
    """The ids of the cases behind a key and a day (or the whole span), as a statement."""
    said = _said(query)
    statement = select(said.c.case_id).where(said.c.inbound == 1, said.c.wanted == 1).distinct()
    statement = statement.where(said.c.case_id.is_not(None))
    statement = statement.where(said.c.day.between(day_number(query.first), day_number(query.last)))
    if drill.key is not None:
        statement = statement.where(said.c.key == drill.key)
    if drill.day is not None:
        statement = statement.where(said.c.day == day_number(drill.day))
    return statement


class _Cell:
    """What is counted for one key, one day, or both."""

    __slots__ = ("attempts", "cases", "interactions")

    def __init__(self) -> None:
        self.attempts = 0
        self.interactions = 0
        self.cases = 0


class _Counted:
    """The cells by key and day, and the sums over keys, over days and over both; each counts a case once."""

    def __init__(self) -> None:
        self.cells: defaultdict[tuple[str, int], _Cell] = defaultdict(_Cell)
        self.keys: defaultdict[str, _Cell] = defaultdict(_Cell)
        self.days: defaultdict[int, _Cell] = defaultdict(_Cell)
        self.overall = _Cell()
        self._last_day: dict[tuple[str, str], int] = {}
        self._last_day_of_all: dict[str, int] = {}

    def add(self, key: str, day: int, case_id: str | None, *, begins: bool) -> None:
        """Counts one interaction; they come in the order in which they happened."""
        cell = self.cells[key, day]
        cell.attempts += begins
        cell.interactions += 1
        if case_id and self._last_day.get((case_id, key)) != day:
            self._add_case(key, day, case_id)

    def _add_case(self, key: str, day: int, case_id: str) -> None:
        before = self._last_day_of_all.get(case_id)
        self.cells[key, day].cases += 1
        self.keys[key].cases += (case_id, key) not in self._last_day
        self.days[day].cases += before != day
        self.overall.cases += before is None
        self._last_day[case_id, key] = self._last_day_of_all[case_id] = day

    def sum_up(self) -> None:
        """Adds up what the cells say of attempts and interactions; of cases the sums were kept along the way."""
        for (key, day), cell in self.cells.items():
            for total in (self.keys[key], self.days[day], self.overall):
                total.attempts += cell.attempts
                total.interactions += cell.interactions


def _counted(connection: Connection, query: Query) -> _Counted:
    """What is counted, in one pass over the rows as they happened.

    Window functions say the same and were seven times slower on SQLite at half a million rows.
    """
    said = _said(query)
    columns = (
        said.c.case_id,
        said.c.occurred_at,
        said.c.inbound,
        said.c.answered,
        said.c.wanted,
        said.c.key,
        said.c.day,
    )
    statement = select(*columns).order_by(said.c.occurred_at, said.c.case_id, said.c.direction)
    first, last = day_number(query.first), day_number(query.last)
    found = _Counted()
    goes_on_until: dict[str, int] = {}
    rows = connection.execution_options(yield_per=STREAMED).execute(statement)
    for case_id, at, inbound, answered, wanted, key, day in rows:
        begins = case_id is None or at > goes_on_until.get(case_id, 0)
        if answered:
            goes_on_until.pop(case_id, None)
        elif case_id is not None:
            goes_on_until[case_id] = at + GAP_MS
        if inbound and wanted and first <= day <= last:
            found.add(key, day, case_id, begins=begins)
    found.sum_up()
    return found


def _said(query: Query) -> CTE:
    start, end = around(query.first, query.last)
    offsets = offsets_between(query.zone, start, end)
    i = interactions.c
    statement = select(
        i.case_id,
        i.occurred_at,
        i.direction,
        case((_customer(), 1), else_=0).label("inbound"),
        case((or_(_answer(), _picked_up()), 1), else_=0).label("answered"),
        case((and_(true(), *key_filter(i.channel, i.network, query)), 1), else_=0).label("wanted"),
        dimension(i.channel, i.network, query).label("key"),
        local_day(i.occurred_at, offsets).label("day"),
    ).where(i.occurred_at >= start, i.occurred_at < end, i.occurred_at <= query.as_of, i.kind.is_not(None))
    # What another channel or network holds is not counted but read: an answer there ends an attempt here.
    return statement.where(or_(_customer(), _answer())).cte("said")


def _customer() -> ColumnElement[bool]:
    return and_(interactions.c.direction == "inbound", interactions.c.author_role.in_(sorted(CUSTOMERS)))


def _picked_up() -> ColumnElement[bool]:
    return and_(_customer(), interactions.c.kind == "call", interactions.c.duration_seconds > 0)


def _answer() -> ColumnElement[bool]:
    return and_(interactions.c.direction == "outbound", interactions.c.author_role == "agent")


def _excluded(connection: Connection, query: Query) -> dict[str, int]:
    start, end = around(query.first, query.last)
    i = interactions.c
    day = local_day(i.occurred_at, offsets_between(query.zone, start, end))
    counted = [
        func.sum(case((and_(i.direction == "inbound", i.author_role.not_in(sorted(CUSTOMERS))), 1), else_=0)),
        func.sum(case((and_(_customer(), i.possible_duplicate), 1), else_=0)),
    ]
    statement = select(*counted).where(
        i.occurred_at >= start,
        i.occurred_at < end,
        i.occurred_at <= query.as_of,
        i.kind.is_not(None),
        day.between(day_number(query.first), day_number(query.last)),
        *key_filter(i.channel, i.network, query),
    )
    row = connection.execute(statement).one()
    return {"inbound_not_by_a_customer": int(row[0] or 0), "counted_but_possibly_twice": int(row[1] or 0)}


def _counts(found: _Cell | None) -> dict[str, int]:
    return {unit: int(getattr(found, unit)) if found is not None else 0 for unit in UNITS}


def _weekend_ratio(rows: tuple[Mapping[str, Value], ...], days: list[date], unit: str) -> float | None:
    weekend = {day.isoformat() for day in days if day.weekday() >= 5}
    if not weekend or len(weekend) == len(days):
        return None
    inside = sum(int(row[unit] or 0) for row in rows if row["day"] in weekend) / len(weekend)
    outside = sum(int(row[unit] or 0) for row in rows if row["day"] not in weekend) / (len(days) - len(weekend))
    return round(inside / outside, 3) if outside else None
