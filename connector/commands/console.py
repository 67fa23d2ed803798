"""What every command shares: settings, the context, printing, and errors as one sentence on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeVar

import click
import orjson
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table

from connector.errors import ConnectorError, Misconfigured, Refused, Retryable, StoreBusy

_PRETTY = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z
"""Rows name their columns by a kind of text of SQLAlchemy's own, which orjson takes for no string."""

P = ParamSpec("P")
R = TypeVar("R")

FOUND_PROBLEMS = 1
WRONG_INPUT = 2

PORT = click.IntRange(0, 65_535)
"""What an address can carry; 0 takes a free one."""


def fail(message: str, code: int) -> NoReturn:
    """Ends the command: the message on stderr, the exit code (1 found problems, 2 wrong usage or input)."""
    click.echo(message, err=True)
    sys.exit(code)


def speaks_plainly(command: Callable[P, R]) -> Callable[P, R]:
    """A command whose known errors end in one sentence with the cure, never in a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except StoreBusy as error:
            fail(to_a_person(error), FOUND_PROBLEMS)
        except (Misconfigured, Retryable) as error:
            fail(error.message, FOUND_PROBLEMS)
        except Refused as error:
            fail(error.message, WRONG_INPUT)
        except ConnectorError as error:
            fail(error.message, FOUND_PROBLEMS)

    return run


TO_SENDERS = "; senders will send again."


def to_a_person(error: StoreBusy) -> str:
    """The store's fault for who starts a command or a process: nobody sends again here, they start it again."""
    told = error.message.removesuffix(TO_SENDERS).removesuffix(".")
    if ":" in told:  # the cure is in it
        return f"{told}; then start this again."
    return f"{told}: see that the database of CONNECTOR_DATABASE_URL runs and answers, then start this again."


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    click.echo(orjson.dumps(value, option=_PRETTY, default=str).decode())


def print_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    """One JSON object a line on stdout."""
    for row in rows:
        click.echo(orjson.dumps(row, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z).decode())


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str) -> None:
    """A table for people; the sentence when there is nothing."""
    listed = [[_cell(cell) for cell in row] for row in rows]
    if not listed:
        click.echo(empty)
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in listed:
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else 160, markup=False, highlight=False).print(table)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return "" if value is None else str(value)


def contents(path: Path) -> bytes:
    """What a file holds; ends the command where it cannot be read."""
    try:
        return existing(str(path)).read_bytes()
    except OSError as error:
        fail(f"{path} cannot be read ({error.strerror}): give a file that this user may read.", WRONG_INPUT)


def progress(*columns: ProgressColumn) -> Progress:
    """A bar on stderr that goes when it is done; nothing at all where no person looks on."""
    console = Console(stderr=True)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def existing(path: str) -> Path:
    """The path, when there is such a file; ends the command otherwise."""
    found = Path(path)
    try:
        found.stat()
    except (FileNotFoundError, NotADirectoryError):
        fail(f"There is no file {path}: check the path.", WRONG_INPUT)
    except OSError as error:
        fail(f"{path} cannot be read ({error.strerror}): give a file that this user may read.", WRONG_INPUT)
    return found
