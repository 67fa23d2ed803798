"""Plain rows to and from the tables, many at a time: what ingestion reads and writes is never more than a few
statements a batch, whatever the number of events in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

import orjson
from sqlalchemy import ARRAY, Column, ColumnElement, Row, Table, Text, bindparam, func, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, StatementError

from connector.errors import EventInvalid
from connector.store.queues import NOW
from connector.store.unit_of_work import UnitOfWork

_NAMED = re.compile(r":([a-z_]+)")
_KINDS = {str: "text", int: "bigint", bool: "boolean"}
T = TypeVar("T")
PAGE = 500
"""Values in one IN list: far under the limits of both databases."""


class Many:
    """A statement over many rows, each a tuple of the values of these names (each with its PostgreSQL type).

    In its parts ``:name`` stands for a value of the row and ``{now}`` for the database's clock. SQLite's driver runs it
    once a row. PostgreSQL runs it once over all of them, sent as one JSON text: there a message for each row costs more
    than the row. No two of the rows may mean the same row of the table.
    """

    def __init__(self, once: str, at_once: str, kinds: Mapping[str, str]) -> None:
        places = {name: at for at, name in enumerate(kinds, start=1)}
        self._once = _NAMED.sub(lambda found: f"?{places[found[1]]}", once).format(now=NOW["sqlite"])
        self._at_once = {
            dialect: _NAMED.sub(r"given_\1", at_once).format(now=now, rows=_given(dialect, kinds))
            for dialect, now in NOW.items()
        }

    @classmethod
    def insert(cls, table: str, kinds: Mapping[str, str], then: str = "", **fixed: str) -> Many:
        """Adds rows of these columns, and of others with the same value in each; ``then`` is said after the values."""
        into = f"INSERT INTO {table} ({', '.join((*kinds, *fixed))})"
        values = ", ".join((*(f":{name}" for name in kinds), *fixed.values()))
        return cls(f"{into} VALUES ({values}) {then}", f"{into} SELECT {values} FROM {{rows}} WHERE true {then}", kinds)

    @classmethod
    def update(cls, table: str, kinds: Mapping[str, str], changes: str, where: str) -> Many:
        """Changes the row that the condition finds; the last name must stand in it."""
        change = f"UPDATE {table} SET {changes}"
        return cls(f"{change} WHERE {where}", f"{change} FROM {{rows}} WHERE {where}", kinds)

    def run(self, uow: UnitOfWork, rows: Sequence[tuple[Any, ...]]) -> int:
        """How many rows of the table were written."""
        if not rows:
            return 0
        if uow.is_sqlite:
            return uow.connection.exec_driver_sql(self._once, list(rows)).rowcount
        return uow.connection.exec_driver_sql(self._at_once["postgresql"], (as_json(rows),)).rowcount

    def returning(self, uow: UnitOfWork, rows: Sequence[tuple[Any, ...]]) -> Sequence[Row[Any]]:
        """What the statement's RETURNING gives."""
        if not rows:
            return []
        return uow.connection.exec_driver_sql(self._at_once[uow.connection.dialect.name], (as_json(rows),)).all()


def _given(dialect: str, kinds: Mapping[str, str]) -> str:
    """The rows of one JSON text as a table of the values ``given_name``."""
    value, source = {
        "sqlite": ("json_extract(value, '$[{at}]')", "json_each(?)"),
        "postgresql": ("(value ->> {at})::{kind}", "jsonb_array_elements(%s::jsonb)"),
    }[dialect]
    values = (value.format(at=at, kind=kind) + f" AS given_{name}" for at, (name, kind) in enumerate(kinds.items()))
    return f"(SELECT {', '.join(values)} FROM {source}) AS given"


def as_json(rows: Sequence[Any]) -> str:
    """The rows as one JSON text; EventInvalid for a value that no column can hold."""
    try:
        return orjson.dumps(rows).decode()
    except orjson.JSONEncodeError as error:
        raise EventInvalid("A value of this item cannot be stored (no text or number of the store).") from error


class RowMap:
    """A dataclass whose fields are the columns of a table, by name; reads and writes many at once."""

    def __init__(self, table: Table, kind: type[Any], *, key: str = "id") -> None:
        self.names = tuple(field.name for field in fields(kind))
        self.columns = [table.c[name] for name in self.names]
        self._table = table
        self._key = key
        self._row = attrgetter(*self.names)
        rest = tuple(name for name in self.names if name != key)
        self._changed = attrgetter(*rest, key)
        self._insert = Many.insert(table.name, self._kinds(self.names))
        self._update = self.changing(rest)

    def insert(self, uow: UnitOfWork, rows: Iterable[Any]) -> None:
        """Adds the rows."""
        self._insert.run(uow, [self._row(row) for row in rows])

    def update(self, uow: UnitOfWork, rows: Iterable[Any]) -> None:
        """Writes every column of the rows anew."""
        self._update.run(uow, [self._changed(row) for row in rows])

    def changing(self, names: Sequence[str]) -> Many:
        """A statement that writes these columns; each row gives their values and then its key."""
        changes = ", ".join(f"{name} = :{name}" for name in names)
        where = f"{self._key} = :{self._key}"
        return Many.update(self._table.name, self._kinds((*names, self._key)), changes, where)

    def _kinds(self, names: Sequence[str]) -> dict[str, str]:
        return {name: _KINDS[self._table.c[name].type.python_type] for name in names}


def among(uow: UnitOfWork, column: Column[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """Whether the column holds one of these texts: one parameter, however many they are."""
    if uow.is_sqlite:
        each = func.json_each(as_json(sorted(values))).table_valued("value")
        return column.in_(select(each.c.value))
    return column == func.any(bindparam(None, sorted(values), type_=ARRAY(Text)))


def by_place(wanted: Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], list[str]]:
    """The ids or threads of these keys by their network and scope, the space that they live in."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for network, scope, name in sorted(wanted):
        grouped.setdefault((network, scope), []).append(name)
    return grouped


def paged(values: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """The values in lists of at most ``size``."""
    iterator = iter(values)
    while page := list(islice(iterator, size)):
        yield page


VALUES_REFUSED = ("22", "23", "54")
"""Classes of PostgreSQL's SQLSTATE: wrong data, a constraint, and more than a row or an index takes (which comes as an
operational error, and would be tried again for ever)."""


def _is_about_values(error: StatementError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return str(state).startswith(VALUES_REFUSED)
    return isinstance(error, (IntegrityError, DataError, ProgrammingError)) or not isinstance(error, DBAPIError)


@contextmanager
def refusing() -> Iterator[None]:
    """Turns a row the database refuses for what is in it into EventInvalid; the database's own faults pass."""
    try:
        yield
    except StatementError as error:
        if not _is_about_values(error):
            raise
        cause = type(error.orig or error).__name__
        raise EventInvalid(f"The store refuses a value of this item ({cause}); correct the mapping.") from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise EventInvalid(
            f"A value of this item cannot be stored ({type(error).__name__}); correct the mapping."
        ) from error
