"""Reports over the API: the same result as the page and the export."""

from __future__ import annotations

from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from connector.reports.catalogue import REPORTS
from connector.reports.result import Result
from connector.web.api_call import Call, Operation, iso
from connector.web.report_query import report_named, report_query

DATE: JsonDict = {"format": "date"}


class ReportOut(BaseModel):
    """A report there is, with its written definition."""

    name: str
    question: str
    definition: str


class ReportList(BaseModel):
    """Every report."""

    items: list[ReportOut]


class ReportQuery(BaseModel):
    """The filters; days are local days of the zone, both included."""

    model_config = ConfigDict(extra="forbid")

    from_: str | None = Field(None, alias="from", description="First local day: 2026-01-01", json_schema_extra=DATE)
    to: str | None = Field(None, description="Last local day", json_schema_extra=DATE)
    tz: str | None = Field(None, description="IANA zone; the installation's without it")
    by: str | None = Field(None, description="channel, group or network")
    unit: str | None = Field(None, description="volume: attempts, interactions or cases")
    channel: str | None = None
    network: str | None = None


class ColumnOut(BaseModel):
    """One column of a report."""

    name: str
    label: str
    kind: str


class ReportResult(BaseModel):
    """A report's answer."""

    name: str
    definition: str
    definition_version: int
    timezone: str
    as_of: str | None
    first_day: str
    last_day: str
    by: str
    columns: list[ColumnOut]
    rows: list[dict[str, Any]]
    totals: dict[str, Any]
    series: dict[str, list[dict[str, Any]]] = Field(description="volume: the sums per key and per day")
    excluded: dict[str, int]
    notes: list[str]
    cannot_know: str


def list_reports(_call: Call) -> ReportList:
    """Every report with its definition."""
    return ReportList(
        items=[
            ReportOut(name=each.name, question=each.question, definition=each.definition) for each in REPORTS.values()
        ]
    )


def show_report(call: Call) -> ReportResult:
    """One report's answer."""
    given = cast(ReportQuery, call.query).model_dump(by_alias=True, exclude_none=True)
    report = report_named(call.text("name"))
    query = report_query(call.ctx, call.timezone, given)
    with call.ctx.store.read() as connection:
        result = report.measure(connection, query)
    return _out(result, report.definition, report.cannot_know)


def _out(result: Result, definition: str, cannot_know: str) -> ReportResult:
    query = result.query
    return ReportResult(
        name=result.name,
        definition=definition,
        definition_version=result.definition_version,
        timezone=query.zone.key,
        as_of=iso(query.as_of),
        first_day=query.first.isoformat(),
        last_day=query.last.isoformat(),
        by=query.by,
        columns=[ColumnOut(name=each.name, label=each.label, kind=each.kind) for each in result.columns],
        rows=[dict(row) for row in result.rows],
        totals=dict(result.totals),
        series={name: [dict(row) for row in rows] for name, rows in result.series.items()},
        excluded=dict(result.excluded),
        notes=list(result.notes),
        cannot_know=cannot_know,
    )


OPERATIONS = (
    Operation("list_reports", "GET", "/reports", "The reports there are", list_reports, ReportList, tag="reports"),
    Operation(
        "show_report", "GET", "/reports/<name>", "One report", show_report, ReportResult, ReportQuery, tag="reports"
    ),
)
