"""A report as CSV that no spreadsheet runs as formulas."""

from __future__ import annotations

import csv
from io import StringIO

from connector.reports.result import Result, Value

DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠")
BOM = "\ufeff"


def guarded(value: Value) -> str | int | float:
    """The value as a cell: text that a spreadsheet might run gets an apostrophe before it; numbers stay numbers."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return value
    return f"'{value}" if value.lstrip(" ").startswith(DANGEROUS) else value


def as_csv(result: Result) -> str:
    """The result as UTF-8 CSV with a byte order mark: the columns' stable names, every row, zone and as-of."""
    out = StringIO()
    writer = csv.writer(out)
    writer.writerow([*(column.name for column in result.columns), "timezone", "as_of_ms"])
    for row in result.rows:
        cells = [guarded(row[column.name]) for column in result.columns]
        writer.writerow([*cells, guarded(result.query.zone.key), result.query.as_of])
    return BOM + out.getvalue()
