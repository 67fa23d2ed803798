"""Queries and what a client asks first: versions, limits."""

from __future__ import annotations

import re

from flask import Blueprint, Response, request

from sandbox.errors import ApiError
from sandbox.soql.run import Queries
from sandbox.web import answer, base_url, org

queries = Blueprint("queries", __name__)

_BATCH = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)


@queries.get("/query")
def query() -> Response:
    """The first page of a query, without deleted records."""
    return answer(Queries(org(), base_url()).run(_text(), page=_page()))


@queries.get("/queryAll")
def query_all() -> Response:
    """The first page of a query, deleted records included."""
    return answer(Queries(org(), base_url()).run(_text(), with_deleted=True, page=_page()))


@queries.get("/query/<locator>")
@queries.get("/queryAll/<locator>")
def more(locator: str) -> Response:
    """The next page."""
    return answer(Queries(org(), base_url()).more(locator, _page()))


@queries.get("/limits")
def limits() -> Response:
    """What the org allows in a day, and what is left."""
    here = org()
    total = here.config.daily_limit
    left = max(total - here.usage.used, 0)
    return answer(
        {
            "DailyApiRequests": {"Max": total, "Remaining": left},
            "DailyBulkApiBatches": {"Max": 15000, "Remaining": 15000},
            "DailyBulkV2QueryJobs": {"Max": 10000, "Remaining": 10000},
            "DataStorageMB": {"Max": 1024, "Remaining": 1024},
            "FileStorageMB": {"Max": 1024, "Remaining": 1024},
        }
    )


@queries.get("/")
def resources() -> Response:
    """What this version offers."""
    base = base_url()
    return answer(
        {name: f"{base}/{name}" for name in ("sobjects", "query", "queryAll", "limits", "composite", "metadata")}
    )


def _text() -> str:
    text = request.args.get("q")
    if not text:
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    return text


def _page() -> int:
    most = org().config.page_size
    asked = _BATCH.search(request.headers.get("Sforce-Query-Options", ""))
    # Salesforce takes 200 to 2,000; the org's own page size stays the upper bound, so tests can page early.
    return min(most, max(200, min(2000, int(asked[1])))) if asked else most
