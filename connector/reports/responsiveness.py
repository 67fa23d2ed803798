"""C3 · How fast do we answer? First response, with those who still wait counted in."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    text,
)
from sqlalchemy.sql.functions import coalesce

from connector.domain.items import CUSTOMERS
from connector.reports.dimensions import columns_of, dimension, key_filter
from connector.reports.result import Column, Drill, Query, Result, Value
from connector.reports.zones import around, day_number, local_day, offsets_between
from connector.store.tables import DELETED, cases, interactions

NAME = "first-response"
VERSION = 2
ALL = ""
"""The key of the row over everything."""

HOUR_MS = 3_600_000
STREAMED = 10_000
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
    """Time from the customer's first message to the first human answer: within what half (p50) and 90 % (p90) had one.

    Cohort: cases whose first customer message falls on a local day of the span. The clock is the customer's: around the
    clock, from the post itself, not from when it was noticed; bots, likes and notes do not stop it. Percentiles are
    nearest rank: the smallest observed time that at least p % of the cases do not exceed. "All" counts who still waits
    as not answered yet; where the rank falls among them, the time is not reached and only a lower bound is known. Whose
    customer deleted every word before an answer is left out: there is nothing left to answer.
    """
    groups, overall = _measured(connection, query)
    rows = [_row(key, times) for key, times in groups.items()]
    rows.sort(key=lambda row: str(row["key"]))
    return Result(
        name=NAME,
        definition_version=VERSION,
        query=query,
        columns=columns_of(COLUMNS, query),
        rows=tuple(rows),
        totals=_row(ALL, overall) if groups else {},
        excluded=_excluded(connection, query),
        notes=("Reopening does not restart the clock.", "A negative time (clocks that disagree) counts as 0."),
    )


def first_response_cases(query: Query, drill: Drill) -> Select[Any]:
    """The ids of the cases behind a row or one of its bands, as a statement."""
    base = _base(query)
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


class _Times:
    """The times of one group: how long the answered took, and how long the others wait, in milliseconds."""

    def __init__(self) -> None:
        self.took = array("q")
        self.wait = array("q")

    def add(self, took: int | None, age: int) -> None:
        """Adds one case."""
        if took is None:
            self.wait.append(age)
        else:
            self.took.append(took)


def _measured(connection: Connection, query: Query) -> tuple[dict[str, _Times], _Times]:
    """The times by key and over everything, in one pass.

    Ranking by window functions says the same and was seven times slower on SQLite at 150,000 cases.
    """
    base = _base(query)
    groups: dict[str, _Times] = {}
    overall = _Times()
    statement = select(base.c.key, base.c.duration, base.c.age)
    for key, took, age in connection.execution_options(yield_per=STREAMED).execute(statement):
        groups.setdefault(key, _Times()).add(took, age)
        overall.add(took, age)
    return groups, overall


def nearest_rank(ordered: Sequence[int], percent: int, of: int) -> int | None:
    """The value at the rank of ``percent`` among ``of``; None where the rank lies beyond the ordered values."""
    rank = max(1, -(-percent * of // 100))
    return ordered[rank - 1] if rank <= len(ordered) else None


def _base(query: Query) -> CTE:
    start, end = around(query.first, query.last)
    offsets = offsets_between(query.zone, start, end)
    c = cases.c
    day = local_day(c.first_inbound_at, offsets)
    known = and_(c.first_response_at.is_not(None), c.first_response_at <= query.as_of)
    took = c.first_response_at - c.first_inbound_at
    key = dimension(c.channel, c.network, query)
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
            or_(known, ~_taken_back(query)),
            *key_filter(c.channel, c.network, query),
        )
        .cte("base")
    )


def _taken_back(query: Query) -> ColumnElement[bool]:
    """Whether the customer had deleted all that was said in the case, and something was said."""
    i = interactions.c
    words = and_(i.direction == "inbound", i.author_role.in_(sorted(CUSTOMERS)), i.kind.is_not(None))
    gone = and_(text(DELETED), coalesce(i.deleted_at, 0) <= query.as_of)
    # Few cases have lost a word at all: they are looked up first, once, by their own index.
    lost = select(i.case_id).where(words, gone, i.case_id.is_not(None))
    left = select(i.id).where(i.case_id == cases.c.id, words, not_(gone))
    return and_(cases.c.id.in_(lost), ~left.exists())


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
    stands = c.is_deleted == false()
    known = and_(c.first_response_at.is_not(None), c.first_response_at <= query.as_of)
    counted = (
        c.is_deleted,
        and_(stands, c.first_inbound_at <= query.as_of, not_(known), _taken_back(query)),
        and_(stands, known, c.first_response_at < c.first_inbound_at),
    )
    row = connection.execute(select(*(func.sum(case((each, 1), else_=0)) for each in counted)).where(inside)).one()
    names = ("deleted_cases", "deleted_by_the_customer_before_an_answer", "counted_as_0_clocks_disagree")
    return {name: int(number or 0) for name, number in zip(names, row, strict=True)}


def _row(key: str, times: _Times) -> Mapping[str, Value]:
    took = sorted(times.took)
    bound = sorted((*took, *times.wait))
    n, answered = len(bound), len(took)
    p50, p90 = nearest_rank(took, 50, n), nearest_rank(took, 90, n)
    shown = p90 if p90 is not None and n >= FEW else p50
    youngest = min(times.wait, default=None)
    return {
        "key": key,
        "cases": n,
        "answered": answered,
        "unanswered": n - answered,
        "p50_all_seconds": _seconds(p50),
        "p90_all_seconds": _seconds(p90) if n >= FEW else None,
        "p50_answered_seconds": _seconds(nearest_rank(took, 50, answered)),
        "p90_answered_seconds": _seconds(nearest_rank(took, 90, answered)) if answered >= FEW else None,
        "mean_answered_seconds": round(sum(took) / answered / 1000, 3) if answered else None,
        **{name: _between(took, *band_limits(name)) for name, _, _ in BANDS},
        "over_24h": _between(took, *band_limits("over_24h")),
        "p50_all_bound_seconds": _seconds(nearest_rank(bound, 50, n)) if p50 is None else None,
        "p90_all_bound_seconds": _seconds(nearest_rank(bound, 90, n)) if p90 is None and n >= FEW else None,
        "mature": youngest is None or (shown is not None and youngest >= shown),
    }


def _between(ordered: Sequence[int], low: int, high: int | None) -> int:
    end = len(ordered) if high is None else bisect_left(ordered, high)
    return end - bisect_left(ordered, low)


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else round(millis / 1000, 3)
