"""Plain rows to and from the tables, many at a time: what ingestion reads and writes is never more than a few
statements a batch, whatever the number of events in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Table
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError, StatementError

from connector.errors import EventInvalid
from connector.store.unit_of_work import UnitOfWork

T = TypeVar("T")
PAGE = 500
"""Values in one IN list: far under the limits of both databases."""


class RowMap:
    """A dataclass whose fields are the columns of a table, by name; reads and writes many at once.

    Writing goes by the driver's own executemany: for thousands of rows the parameters cost more than the rows.
    """

    def __init__(self, table: Table, kind: type[Any], *, key: str = "id") -> None:
        self.names = tuple(field.name for field in fields(kind))
        self.columns = [table.c[name] for name in self.names]
        self._table = table.name
        self._key = key
        self._row = attrgetter(*self.names)
        self._changed = attrgetter(*(name for name in self.names if name != key), key)

    def insert(self, uow: UnitOfWork, rows: Sequence[Any]) -> None:
        """Adds the rows."""
        marks = ", ".join([_mark(uow)] * len(self.names))
        statement = f"INSERT INTO {self._table} ({', '.join(self.names)}) VALUES ({marks})"
        self._run(uow, statement, [self._row(row) for row in rows])

    def update(self, uow: UnitOfWork, rows: Sequence[Any]) -> None:
        """Writes every column of the rows anew."""
        self.update_some(uow, [name for name in self.names if name != self._key], [self._changed(row) for row in rows])

    def update_some(self, uow: UnitOfWork, names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Writes these columns; each row gives their values and then its key."""
        mark = _mark(uow)
        changes = ", ".join(f"{name} = {mark}" for name in names)
        self._run(uow, f"UPDATE {self._table} SET {changes} WHERE {self._key} = {mark}", list(rows))

    def _run(self, uow: UnitOfWork, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            uow.connection.exec_driver_sql(statement, rows)


def _mark(uow: UnitOfWork) -> str:
    return "?" if uow.is_sqlite else "%s"


def paged(values: Iterable[T], size: int = PAGE) -> Iterator[list[T]]:
    """The values in lists of at most ``size``."""
    iterator = iter(values)
    while page := list(islice(iterator, size)):
        yield page


@contextmanager
def refusing() -> Iterator[None]:
    """Turns a row the database refuses for what is in it into EventInvalid; a busy or missing database passes."""
    try:
        yield
    except OperationalError:
        raise
    except (IntegrityError, DataError, ProgrammingError, StatementError) as error:
        cause = type(getattr(error, "orig", None) or error).__name__
        raise EventInvalid(f"The store refuses a value of this item ({cause}); correct the mapping.") from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise EventInvalid(
            f"A value of this item cannot be stored ({type(error).__name__}); correct the mapping."
        ) from error
