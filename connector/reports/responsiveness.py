"""C3 · How fast do we answer? First response, with those who still wait counted in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    RowMapping,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    select,
)

from connector.reports.dimensions import dimension, key_filter
from connector.reports.result import Column, Drill, Query, Result, Value
from connector.reports.zones import around, day_number, local_day, offsets_between
from connector.store.tables import cases

NAME = "first-response"
VERSION = 1
ALL = ""
"""The key of the row over everything."""

HOUR_MS = 3_600_000
BANDS = (
    ("under_1h", "under 1 h", HOUR_MS),
    ("under_3h", "1 to 3 h", 3 * HOUR_MS),
    ("under_24h", "3 to 24 h", 24 * HOUR_MS),
)
FEW = 10
"""Below so many cases a 90th percentile is one case's story, so it is not shown."""

COLUMNS = (
    Column("key", "Channel"),
    Column("cases", "Cases", "count"),
    Column("answered", "Answered", "count"),
    Column("unanswered", "Not answered yet", "count"),
    Column("p50_all_seconds", "Half within", "seconds"),
    Column("p90_all_seconds", "90 % within", "seconds"),
    Column("p50_answered_seconds", "Half of the answered", "seconds"),
    Column("p90_answered_seconds", "90 % of the answered", "seconds"),
    Column("mean_answered_seconds", "Mean of the answered", "seconds"),
    Column("under_1h", "Under 1 h", "count"),
    Column("under_3h", "1 to 3 h", "count"),
    Column("under_24h", "3 to 24 h", "count"),
    Column("over_24h", "24 h and more", "count"),
    Column("p50_all_bound_seconds", "Half: at least", "seconds"),
    Column("p90_all_bound_seconds", "90 %: at least", "seconds"),
    Column("mature", "Settled", "flag"),
)


def first_response(connection: Connection, query: Query) -> Result:
    """Time from the customer's first message to the first human answer, per channel: p50 and p90.

    Cohort: cases whose first customer message falls on a local day of the span. The clock is the customer's: around the
    clock, from the post itself, not from when it was noticed; bots, likes and notes do not stop it. Percentiles are
    nearest rank: the smallest observed time that at least p % of the cases do not exceed. "All" counts who still waits
    as not answered yet; where the rank falls among them, the time is not reached and only a lower bound is known.
    """
    rows = [_row(each) for each in connection.execute(_ranked(query, per_key=True)).mappings()]
    overall = [_row(each) for each in connection.execute(_ranked(query, per_key=False)).mappings()]
    rows.sort(key=lambda row: str(row["key"]))
    return Result(
        name=NAME,
        definition_version=VERSION,
        query=query,
        columns=COLUMNS,
        rows=tuple(rows),
        totals=overall[0] if overall else {},
        excluded=_excluded(connection, query),
        notes=("Reopening does not restart the clock.", "A negative time (clocks that disagree) counts as 0."),
    )


def first_response_cases(query: Query, drill: Drill) -> Select[Any]:
    """The ids of the cases behind a row or one of its bands, as a statement."""
    base = _base(query, per_key=True)
    statement = select(base.c.id)
    if drill.key:
        statement = statement.where(base.c.key == drill.key)
    if drill.answered is not None:
        known = base.c.duration.is_not(None)
        statement = statement.where(known if drill.answered else ~known)
    if drill.band is not None:
        low, high = band_limits(drill.band)
        statement = statement.where(base.c.duration >= low)
        statement = statement.where(base.c.duration < high) if high is not None else statement
    return statement


def band_limits(band: str) -> tuple[int, int | None]:
    """The band's limits in milliseconds, the upper one exclusive and None for the last."""
    low = 0
    for name, _, high in BANDS:
        if name == band:
            return low, high
        low = high
    return low, None


def _ranked(query: Query, *, per_key: bool) -> Select[Any]:
    base = _base(query, per_key=per_key)
    known = base.c.duration.is_not(None)
    waited = case((known, base.c.duration), else_=base.c.age)
    answered_first = case((known, 0), else_=1)
    ranked = select(
        base.c.key,
        base.c.duration,
        base.c.age,
        waited.label("waited"),
        func.count().over(partition_by=base.c.key).label("n"),
        func.count(base.c.duration).over(partition_by=base.c.key).label("n_answered"),
        func.row_number()
        .over(partition_by=base.c.key, order_by=(answered_first, base.c.duration, base.c.id))
        .label("place"),
        func.row_number().over(partition_by=base.c.key, order_by=(waited, base.c.id)).label("bound_place"),
    ).cte("ranked")
    return _summed(ranked)


def _summed(ranked: CTE) -> Select[Any]:
    r = ranked.c
    known = r.duration.is_not(None)

    def rank(percent: int, place: ColumnElement[int], of: ColumnElement[int], value: ColumnElement[int]) -> Any:
        return func.min(case((100 * place >= percent * of, value)))

    def answered(percent: int, of: ColumnElement[int]) -> Any:
        return func.min(case((and_(known, 100 * r.place >= percent * of), r.duration)))

    bands = []
    for name, _, _ in BANDS:
        low, high = band_limits(name)
        bands.append(func.sum(case((and_(r.duration >= low, r.duration < high), 1), else_=0)).label(name))
    return select(
        r.key,
        func.count().label("n"),
        func.count(r.duration).label("n_answered"),
        answered(50, r.n).label("p50_all"),
        answered(90, r.n).label("p90_all"),
        answered(50, r.n_answered).label("p50_answered"),
        answered(90, r.n_answered).label("p90_answered"),
        rank(50, r.bound_place, r.n, r.waited).label("p50_bound"),
        rank(90, r.bound_place, r.n, r.waited).label("p90_bound"),
        func.sum(r.duration).label("total"),
        func.min(case((r.duration.is_(None), r.age))).label("youngest_waiting"),
        func.sum(case((r.duration >= 24 * HOUR_MS, 1), else_=0)).label("over_24h"),
        *bands,
    ).group_by(r.key)


def _base(query: Query, *, per_key: bool) -> CTE:
    start, end = around(query.first, query.last)
    offsets = offsets_between(query.zone, start, end)
    c = cases.c
    day = local_day(c.first_inbound_at, offsets)
    known = and_(c.first_response_at.is_not(None), c.first_response_at <= query.as_of)
    took = c.first_response_at - c.first_inbound_at
    key = dimension(c.channel, c.network, query) if per_key else literal(ALL)
    return (
        select(
            c.id,
            key.label("key"),
            case((and_(known, took >= 0), took), (known, literal(0, BigInteger))).label("duration"),
            (literal(query.as_of, BigInteger) - c.first_inbound_at).label("age"),
        )
        .where(
            c.first_inbound_at >= start,
            c.first_inbound_at < end,
            c.first_inbound_at <= query.as_of,
            day.between(day_number(query.first), day_number(query.last)),
            c.is_deleted == false(),
            *key_filter(c.channel, c.network, query),
        )
        .cte("base")
    )


def _excluded(connection: Connection, query: Query) -> dict[str, int]:
    start, end = around(query.first, query.last)
    c = cases.c
    day = local_day(c.first_inbound_at, offsets_between(query.zone, start, end))
    inside = and_(
        c.first_inbound_at >= start,
        c.first_inbound_at < end,
        day.between(day_number(query.first), day_number(query.last)),
        *key_filter(c.channel, c.network, query),
    )
    negative = and_(c.is_deleted == false(), c.first_response_at < c.first_inbound_at)
    counts = select(func.sum(case((c.is_deleted, 1), else_=0)), func.sum(case((negative, 1), else_=0))).where(inside)
    deleted, backwards = connection.execute(counts).one()
    return {"deleted_cases": int(deleted or 0), "counted_as_0_clocks_disagree": int(backwards or 0)}


def _row(found: RowMapping) -> Mapping[str, Value]:
    answered, n = int(found["n_answered"]), int(found["n"])
    p90 = found["p90_all"] if n >= FEW else None
    shown = p90 if p90 is not None else found["p50_all"]
    youngest = found["youngest_waiting"]
    return {
        "key": found["key"],
        "cases": n,
        "answered": answered,
        "unanswered": n - answered,
        "p50_all_seconds": _seconds(found["p50_all"]),
        "p90_all_seconds": _seconds(p90),
        "p50_answered_seconds": _seconds(found["p50_answered"]),
        "p90_answered_seconds": _seconds(found["p90_answered"]) if answered >= FEW else None,
        "mean_answered_seconds": round(int(found["total"]) / answered / 1000, 3) if answered else None,
        **{name: int(found[name]) for name, _, _ in BANDS},
        "over_24h": int(found["over_24h"]),
        "p50_all_bound_seconds": _seconds(found["p50_bound"]) if found["p50_all"] is None else None,
        "p90_all_bound_seconds": _seconds(found["p90_bound"]) if found["p90_all"] is None and n >= FEW else None,
        "mature": youngest is None or (shown is not None and int(youngest) >= int(shown)),
    }


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else round(int(millis) / 1000, 3)
