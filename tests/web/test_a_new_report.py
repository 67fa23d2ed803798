"""A report added as docs/adding-a-report.md says: one function and one line, and every place shows it."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest
from sqlalchemy import Connection, Select, func, select

from connector.reports.catalogue import REPORTS, Report
from connector.reports.dimensions import columns_of, dimension
from connector.reports.result import Column, Drill, Query, Result, Value
from connector.store.tables import cases
from tests.web.conftest import Site
from tests.web.seed import Seed, small_world
from tests.web.test_pages import words

NAME = "reopened"
COLUMNS = (
    Column("key", "Channel"), Column("cases", "Cases", "count"), Column("share", "Reopened", "share"),
    Column("longest_seconds", "Longest", "seconds"), Column("settled", "Settled", "flag"), Column("note", "Note"),
)  # fmt: skip


def reopened(connection: Connection, query: Query) -> Result:
    """Cases that were opened again, over all cases.

    Nothing is left out.
    """
    key = dimension(cases.c.channel, cases.c.network, query)
    counted = connection.execute(select(key, func.count()).group_by(key).order_by(key)).all()
    more: dict[str, Value] = {"share": 0.25, "longest_seconds": None, "settled": True, "note": "<b>"}
    rows = tuple({**more, "key": str(channel), "cases": int(n)} for channel, n in counted)
    totals = {**more, "key": "", "cases": sum(int(n) for _, n in counted)}
    return Result(NAME, 1, query, columns_of(COLUMNS, query), rows, totals)


def reopened_cases(query: Query, drill: Drill) -> Select[Any]:
    """The ids of the cases behind a key."""
    key = dimension(cases.c.channel, cases.c.network, query)
    return select(cases.c.id) if drill.key is None else select(cases.c.id).where(key == drill.key)


@pytest.fixture
def desk(site: Site, seed: Seed, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with the report registered, and some cases in it."""
    small_world(seed)
    report = Report(NAME, "How many come back?", reopened, reopened_cases, "Whether it was the same matter.")
    monkeypatch.setitem(cast(dict[str, Report], REPORTS), NAME, report)
    return site


def test_its_page_shows_every_kind_of_value_and_leads_to_the_cases(desk: Site) -> None:
    client = desk.as_user("reporter")
    assert "How many come back?" in words(client.get("/reports"))
    page = client.get(f"/reports/{NAME}")
    assert page.status_code == 200
    assert re.search(r"Channel Cases Reopened Longest Settled Note All \d+ 25.0 % – yes &lt;b&gt;", words(page))
    assert "<svg" not in page.text.partition("<main")[2]
    assert client.get(f"/reports/{NAME}/cases?key=social").status_code == 200
    assert words(client.get(f"/reports/{NAME}?by=network")).count("Network Cases Reopened") == 1


def test_the_api_and_the_export_have_the_same_rows(desk: Site) -> None:
    told = desk.api("GET", f"/reports/{NAME}", role="reporter").json
    export = desk.as_user("reporter").get(f"/reports/{NAME}.csv").text
    assert [row["cases"] for row in told["rows"]] == [int(line.split(",")[1]) for line in export.splitlines()[1:]]
