"""A query, read but not yet understood: names are as written, values as typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Column:
    """A field, perhaps of a parent: Contact.Account.Name."""

    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of at most one field: COUNT(Id), FIELDS(ALL), CALENDAR_MONTH(CreatedDate)."""

    name: str
    path: tuple[str, ...] | None
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Literal:
    """A value; its kind is the grammar's name for it, such as STRING, NUMBER, DATETIME or NULL."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """One test of an operand: =, !=, <, <=, >, >=, LIKE, IN, NOT IN, INCLUDES, EXCLUDES."""

    operand: Column | Call
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class SemiJoin:
    """IN or NOT IN the ids another query finds."""

    operand: Column | Call
    inside: bool
    query: Query


@dataclass(frozen=True, slots=True)
class Logic:
    """AND or OR over at least two conditions, or NOT over one."""

    operator: str
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Ordering:
    """One key of ORDER BY."""

    operand: Column | Call
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A whole SELECT."""

    select: tuple[Column | Call | Query, ...]
    source: str
    alias: str | None = None
    where: Condition | None = None
    group: tuple[Column | Call, ...] = ()
    having: Condition | None = None
    order: tuple[Ordering, ...] = ()
    limit: int | None = None
    offset: int = 0


Condition: TypeAlias = Comparison | SemiJoin | Logic
