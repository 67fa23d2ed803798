"""Reports as CSV: figures stay figures, and no spreadsheet runs a cell."""

from __future__ import annotations

import csv

import pytest

from connector.reports.result import Value
from connector.web.export import guarded
from tests.web.conftest import Site
from tests.web.seed import Seed


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "\x00=1"])
def test_text_that_a_spreadsheet_might_run_gets_an_apostrophe(text: str) -> None:
    """It reads as text then."""
    assert guarded(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "cell"), [(-5, -5), (0.5, 0.5), (None, ""), (True, "yes"), (False, "no"), ("x", "x"), ("a=b", "a=b")]
)
def test_everything_else_stays_what_it_is(value: Value, cell: object) -> None:
    """Numbers above all."""
    assert guarded(value) == cell


def test_an_exported_name_from_outside_is_text(site: Site, seed: Seed) -> None:
    """The file begins with a byte order mark, names its columns, and says zone and moment in every line."""
    case = seed.case(seed.profile("ola", network="=cmd|x"), opened={"hours": 2}, network="=cmd|x")
    seed.say(case, "hello", ago={"hours": 2}, network="=cmd|x")
    text = site.as_user("reporter").get("/reports/volume.csv?by=network&from=2026-02-02").text
    assert text.startswith("\ufeff")
    header, row = csv.reader(text.removeprefix("\ufeff").splitlines())
    assert header == ["day", "key", "attempts", "interactions", "cases", "timezone", "as_of_ms"]
    assert row[:6] == ["2026-02-02", "'=cmd|x", "1", "1", "1", "Europe/Oslo"]
