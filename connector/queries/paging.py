"""Cursor paging by key: the next page starts after the last row's own key, so it costs the same at any depth."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, literal, tuple_

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
        last = tuple_(*(literal(value) for value in _decode(cursor, len(order))))
        here = tuple_(*order)
        keyed = keyed.where(here < last if descending else here > last)
    directed = [column.desc() if descending else column.asc() for column in order]
    rows = list(connection.execute(keyed.order_by(*directed).limit(limit + 1)).mappings())
    if len(rows) <= limit:
        return Page(rows, None)
    rows = rows[:limit]
    return Page(rows, _encode([rows[-1][f"key_{place}"] for place in range(len(order))]))


def position(cursor: str | None, length: int) -> list[str | int] | None:
    """The key that a cursor stands for; None for the first page. Raises InputInvalid for one that is not ours."""
    return _decode(cursor, length) if cursor else None


def _encode(values: Sequence[str | int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode()).decode().rstrip("=")


def _decode(cursor: str, length: int) -> list[str | int]:
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        values = None
    if not isinstance(values, list) or len(values) != length or not all(isinstance(v, str | int) for v in values):
        raise InputInvalid("The cursor is not one of ours; take it from the answer before, or leave it out.")
    return values
