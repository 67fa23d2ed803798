"""C1 · How much reaches us? Inbound volume by channel and day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import CTE, ColumnElement, Connection, Select, and_, case, func, or_, select
from sqlalchemy.sql.functions import coalesce

from connector.reports.dimensions import dimension, key_filter
from connector.reports.result import Column, Drill, Query, Result, Value
from connector.reports.zones import around, day_number, days_between, local_day, offsets_between
from connector.store.tables import interactions

NAME = "volume"
VERSION = 1
GAP_MS = 30 * 60 * 1000
UNITS = ("attempts", "interactions", "cases")

COLUMNS = (
    Column("day", "Day"),
    Column("key", "Channel"),
    Column("attempts", "Attempts", "count"),
    Column("interactions", "Interactions", "count"),
    Column("cases", "Cases", "count"),
)


def volume(connection: Connection, query: Query) -> Result:
    """Inbound volume per local day and channel, in attempts, interactions and cases; days without any are 0 rows.

    An interaction is one thing a customer wrote, posted or called about; deleted ones still count. An attempt is a run
    of them in one case without an answer between and with gaps of at most 30 minutes, so that five quick posts, one
    e-mail and one call each weigh 1. Cases are those with at least one such interaction that day.
    """
    counted = {(row.key, row.day): row for row in connection.execute(_counts(query))}
    keys = sorted({key for key, _ in counted})
    days = days_between(query.first, query.last)
    rows = tuple(_row(key, day, counted.get((key, day_number(day)))) for key in keys for day in days)
    total = {unit: sum(int(row[unit] or 0) for row in rows) for unit in UNITS}
    return Result(
        name=NAME,
        definition_version=VERSION,
        query=query,
        columns=COLUMNS,
        rows=rows,
        totals={"keys": len(keys), "days": len(days), **total, "weekend_ratio": _weekend_ratio(rows, days, query.unit)},
        excluded=_excluded(connection, query),
        notes=("Deleted messages count; their text is gone.", "A case with messages on two days counts on both."),
    )


def volume_cases(query: Query, drill: Drill) -> Select[Any]:
    """The ids of the cases behind a key and a day (or the whole span), as a statement."""
    said = _said(query)
    statement = select(said.c.case_id).where(said.c.inbound == 1, said.c.case_id.is_not(None)).distinct()
    statement = statement.where(said.c.day.between(day_number(query.first), day_number(query.last)))
    if drill.key is not None:
        statement = statement.where(said.c.key == drill.key)
    if drill.day is not None:
        statement = statement.where(said.c.day == day_number(drill.day))
    return statement


def _counts(query: Query) -> Select[Any]:
    marked = _marked(_said(query))
    return (
        select(
            marked.c.key,
            marked.c.day,
            func.sum(marked.c.starts).label("attempts"),
            func.count().label("interactions"),
            func.count(func.distinct(marked.c.case_id)).label("cases"),
        )
        .where(marked.c.inbound == 1, marked.c.day.between(day_number(query.first), day_number(query.last)))
        .group_by(marked.c.key, marked.c.day)
    )


def _marked(said: CTE) -> CTE:
    """Each interaction with whether it begins an attempt: the first, after an answer, or after a long silence."""
    order = (said.c.occurred_at, said.c.id)
    before = select(
        *said.c,
        func.lag(said.c.inbound).over(partition_by=said.c.burst, order_by=order).label("inbound_before"),
        func.lag(said.c.occurred_at).over(partition_by=said.c.burst, order_by=order).label("at_before"),
    ).cte("before")
    goes_on = and_(before.c.inbound_before == 1, before.c.occurred_at - before.c.at_before <= GAP_MS)
    return select(*before.c, case((goes_on, 0), else_=1).label("starts")).cte("marked")


def _said(query: Query) -> CTE:
    start, end = around(query.first, query.last)
    offsets = offsets_between(query.zone, start, end)
    i = interactions.c
    statement = select(
        i.id,
        i.case_id,
        i.occurred_at,
        coalesce(i.case_id, i.id).label("burst"),
        case((_customer(), 1), else_=0).label("inbound"),
        dimension(i.channel, i.network, query).label("key"),
        local_day(i.occurred_at, offsets).label("day"),
    ).where(i.occurred_at >= start, i.occurred_at < end, i.occurred_at <= query.as_of, i.kind.is_not(None))
    return statement.where(or_(_customer(), _answer()), *key_filter(i.channel, i.network, query)).cte("said")


def _customer() -> ColumnElement[bool]:
    return and_(interactions.c.direction == "inbound", interactions.c.author_role == "customer")


def _answer() -> ColumnElement[bool]:
    return and_(interactions.c.direction == "outbound", interactions.c.author_role == "agent")


def _excluded(connection: Connection, query: Query) -> dict[str, int]:
    start, end = around(query.first, query.last)
    i = interactions.c
    day = local_day(i.occurred_at, offsets_between(query.zone, start, end))
    counted = [
        func.sum(case((and_(i.direction == "inbound", i.author_role != "customer"), 1), else_=0)),
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


def _row(key: str, day: date, found: Any) -> Mapping[str, Value]:
    counts = {unit: int(getattr(found, unit)) if found is not None else 0 for unit in UNITS}
    return {"day": day.isoformat(), "key": key, **counts}


def _weekend_ratio(rows: tuple[Mapping[str, Value], ...], days: list[date], unit: str) -> float | None:
    weekend = {day.isoformat() for day in days if day.weekday() >= 5}
    if not weekend or len(weekend) == len(days):
        return None
    inside = sum(int(row[unit] or 0) for row in rows if row["day"] in weekend) / len(weekend)
    outside = sum(int(row[unit] or 0) for row in rows if row["day"] not in weekend) / (len(days) - len(weekend))
    return round(inside / outside, 3) if outside else None
