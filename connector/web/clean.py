"""Requests whose fields hold no NUL character: no text has one, PostgreSQL takes none, and SQLite cuts there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flask import Request
from werkzeug.datastructures import ImmutableMultiDict


class CleanValues(ImmutableMultiDict[str, str]):
    """The fields of a query string or a form, without NUL characters."""

    def __init__(self, pairs: Any = None) -> None:
        super().__init__([(_clean(name), _clean(value)) for name, value in _each(pairs)])


class CleanRequest(Request):
    """A request whose query string and form are read so."""

    parameter_storage_class = CleanValues


def _each(pairs: Any) -> Iterable[tuple[str, str]]:
    found: Iterable[tuple[str, str]] = ImmutableMultiDict(pairs).items(multi=True)
    return found


def _clean(text: str) -> str:
    return text.replace("\x00", "")
