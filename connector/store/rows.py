"""Plain rows to and from the tables, many at a time: what ingestion reads and writes is never more than a few
statements a batch, whatever the number of events in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from itertools import islice
from operator import attrgetter
from typing import Any, TypeVar

from sqlalchemy import Table, bindparam, insert, update
from sqlalchemy.exc import DataError, IntegrityError, OperationalError, ProgrammingError, StatementError

from connector.errors import EventInvalid
from connector.store.unit_of_work import UnitOfWork

T = TypeVar("T")
PAGE = 500
"""Values in one IN list: far under the limits of both databases."""


class RowMap:
    """A dataclass whose fields are the columns of a table, by name; reads and writes many at once."""

    def __init__(self, table: Table, kind: type[Any], *, key: str = "id") -> None:
        self.names = tuple(field.name for field in fields(kind))
        self.columns = [table.c[name] for name in self.names]
        self.kind = kind
        self._values = attrgetter(*self.names)
        self._insert = insert(table)
        changes: dict[str, Any] = {name: bindparam(f"v_{name}") for name in self.names if name != key}
        self._update = update(table).where(table.c[key] == bindparam("v_key")).values(changes)
        self._update_names = tuple("v_key" if name == key else f"v_{name}" for name in self.names)

    def insert(self, uow: UnitOfWork, rows: Sequence[Any]) -> None:
        """Adds the rows."""
        if rows:
            uow.connection.execute(
                self._insert, [dict(zip(self.names, self._values(row), strict=True)) for row in rows]
            )

    def update(self, uow: UnitOfWork, rows: Sequence[Any]) -> None:
        """Writes every column of the rows anew."""
        if rows:
            names = self._update_names
            uow.connection.execute(self._update, [dict(zip(names, self._values(row), strict=True)) for row in rows])


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
