"""The page's own address with another cursor, so that filters stay."""

from __future__ import annotations

from flask import request, url_for

PAGE_SIZE = 50


def cursor() -> str | None:
    """The cursor the page was asked with."""
    return request.args.get("after") or None


def next_url(after: str) -> str:
    """This page's address with the same filters, from the cursor on."""
    query = {name: value for name, value in request.args.items() if name != "after" and value}
    return url_for(request.endpoint or "", **{**(request.view_args or {}), **query, "after": after})


def choice(name: str, allowed: tuple[str, ...], default: str | None = None) -> str | None:
    """A filter of the query string where its value is one of the allowed, else the default."""
    value = request.args.get(name, "")
    return value if value in allowed else default
