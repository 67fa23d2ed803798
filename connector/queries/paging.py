"""Cursor paging by key: the next page starts after the last row's own key, so it costs the same at any depth."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, RowMapping, Select, literal, tuple_

from connector.errors import InputInvalid

LARGEST = 200
COUNTED = 10_000
"""Counts stop here: a list tells "10,000+" rather than reading the whole table."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and the cursor of the rows after them; None at the end."""

    rows: list[RowMapping]
    next: str | None


def page(
    connection: Connection,
    statement: Select[Any],
    order: Sequence[ColumnElement[Any]],
    *,
    cursor: str | None,
    limit: int,
    descending: bool = False,
) -> Page:
    """The statement's rows in the order of its key columns, at most ``limit``, from the cursor on.

    The key's columns must be in the statement as ``key_0``, ``key_1``, … and never be null.
    """
    limit = max(1, min(limit, LARGEST))
    keyed = statement.add_columns(*(column.label(f"key_{place}") for place, column in enumerate(order)))
    if cursor:
        kinds = [int if isinstance(column.type, Integer) else str for column in order]
        last = tuple_(*(literal(value) for value in position(cursor, kinds)))
        here = tuple_(*order)
        keyed = keyed.where(here < last if descending else here > last)
    directed = [column.desc() if descending else column.asc() for column in order]
    rows = list(connection.execute(keyed.order_by(*directed).limit(limit + 1)).mappings())
    if len(rows) <= limit:
        return Page(rows, None)
    rows = rows[:limit]
    return Page(rows, _encode([rows[-1][f"key_{place}"] for place in range(len(order))]))


def uninviting(connection: Connection, column: ColumnElement[str]) -> ColumnElement[str]:
    """The text column, on SQLite without its index.

    SQLite does not know to how many rows that leads: it would read all of them and sort them, where another index has
    them in the order of the list.
    """
    return column.concat("") if connection.dialect.name == "sqlite" else column


def position(cursor: str, kinds: Sequence[type[str | int]]) -> list[str | int]:
    """The key that a cursor stands for, a value of each kind. Raises InputInvalid for one that is not ours."""
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        values = None
    if not isinstance(values, list) or [type(value) for value in values] != list(kinds) or not all(map(_fits, values)):
        raise InputInvalid("The cursor is not one of ours; take it from the answer before, or leave it out.")
    return values


def _encode(values: Sequence[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def _fits(value: str | int) -> bool:
    """Whether a database can compare with it: 64 bits, and text that PostgreSQL takes."""
    return -(2**63) <= value < 2**63 if isinstance(value, int) else "\x00" not in value and value.isprintable()
