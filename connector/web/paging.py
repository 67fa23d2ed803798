"""Addresses: rows by their number, the page's own with another cursor, so that filters stay, and the page before."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask import request, url_for
from werkzeug.routing import IntegerConverter, Map

PAGE_SIZE = 50


class RowNumber(IntegerConverter):
    """A row's number in an address, ``<row:name>``; one that no database could hold is an address of nothing."""

    LARGEST = 2**63 - 1

    def __init__(self, url_map: Map, **options: Any) -> None:
        super().__init__(url_map, max=self.LARGEST, **options)


def cursor() -> str | None:
    """The cursor the page was asked with."""
    return request.args.get("after") or None


def next_url(after: str) -> str:
    """This page's address with the same filters, from the cursor on."""
    query = {name: value for name, value in request.args.items() if name != "after" and value}
    return url_for(request.endpoint or "", **{**(request.view_args or {}), **query, "after": after})


def page_before() -> str:
    """The page of ours that the browser says it came from; nothing where it says none, or another site's."""
    parts = urlsplit(request.referrer or "")
    ours = f"{parts.scheme}://{parts.netloc}/" == request.host_url and parts.path.startswith(f"{request.script_root}/")
    if not ours:
        return ""
    path = parts.path.removeprefix(request.script_root)
    return f"{path}?{parts.query}" if parts.query else path


def choice(name: str, allowed: tuple[str, ...], default: str | None = None) -> str | None:
    """A filter of the query string where its value is one of the allowed, else the default."""
    value = request.args.get(name, "")
    return value if value in allowed else default
