"""Reports: a question, its definition, one chart, its table, the cases behind it, and exports of the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, render_template, request, url_for
from markupsafe import Markup

from connector.errors import InputInvalid
from connector.queries import cases as case_queries
from connector.reports.catalogue import REPORTS
from connector.reports.overview import before, overview
from connector.reports.responsiveness import BANDS
from connector.reports.result import Drill, Query, Result, Value
from connector.web.auth import context, may
from connector.web.charts import response_chart, volume_chart
from connector.web.errors import status_of
from connector.web.export import as_csv
from connector.web.paging import PAGE_SIZE, cursor
from connector.web.permissions import Permission
from connector.web.present import CHANNELS, date_words, span
from connector.web.report_query import NAMES, report_named, report_query

blueprint = Blueprint("reports", __name__)

CHARTS: Mapping[str, Callable[[Result, Callable[[str], str]], Markup]] = {
    "volume": volume_chart,
    "first-response": response_chart,
}
"""A report without a chart is shown as its table alone."""

BAND_WORDS = {band: label for band, label, _ in BANDS} | {"over_24h": "24 h and more"}
"""How long an answer took, in words."""


@blueprint.get("/reports")
def index() -> str:
    """Six figures with their change, and the reports there are, each with its definition in one line."""
    query = report_query(context(), _timezone(), {})
    with context().store.read() as connection:
        figures = overview(connection, query)
    return render_template(
        "reports.html",
        section="reports",
        reports=REPORTS.values(),
        figures=figures,
        query=query,
        earlier=before(query),
    )


@blueprint.get("/reports/<name>")
def show(name: str) -> str | tuple[str, int]:
    """One report; its filters stand in the address, so a view can be shared. A wrong one is told beside its field."""
    report = report_named(name)
    with context().store.read() as connection:
        networks = case_queries.networks_in_use(connection, context().channels.networks)
    shown: dict[str, Any] = {
        "section": "reports",
        "report": report,
        "networks": [(each, _network(each)) for each in networks],
        "filters": _filters(),
    }
    try:
        result = _result(name)
    except InputInvalid as error:
        query = report_query(context(), _timezone(), {})
        return render_template("report.html", query=query, problem=error.message, **shown), status_of(error)
    word = _word(result.query.by)
    return render_template(
        "report.html",
        result=result,
        query=result.query,
        chart=CHARTS[name](result, word) if name in CHARTS else None,
        word=word,
        table=_pivot(result) if name == "volume" else None,
        drill=_drill(name),
        bands=BAND_WORDS.items(),
        **shown,
    )


@blueprint.get("/reports/<name>.csv")
def export(name: str) -> Response:
    """The same result as CSV."""
    result = _result(name)
    response = Response(as_csv(result), content_type="text/csv; charset=utf-8")
    span = f"{result.query.first.isoformat()}_{result.query.last.isoformat()}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}_{span}.csv"'
    return response


@blueprint.get("/reports/<name>/cases")
def cases(name: str) -> str:
    """The cases behind one figure, without anything personal."""
    report = report_named(name)
    query = report_query(context(), _timezone(), request.args)
    drill = drill_of(request.args)
    with context().store.read() as connection:
        counted = report.behind(query, drill)
        number = case_queries.how_many(connection, counted)
        page = case_queries.behind_figure(connection, counted, cursor=cursor(), limit=PAGE_SIZE)
    return render_template(
        "report_cases.html",
        section="reports",
        report=report,
        query=query,
        drill=drill,
        said=_said(query, drill),
        number=number,
        page=page,
        personal=may(Permission.PEOPLE_READ),
        back=f"{url_for('reports.show', name=name)}?{urlencode(_filters())}",
    )


def drill_of(given: Mapping[str, str]) -> Drill:
    """Which row or cell a query string points at; raises InputInvalid naming what is wrong and its cure."""
    day, answered, band = given.get("day"), given.get("answered"), given.get("band")
    if answered and answered not in ("yes", "no"):
        raise InputInvalid("`answered` is yes or no.")
    if band and band not in BAND_WORDS:
        raise InputInvalid(f"`band` is one of: {', '.join(BAND_WORDS)}.")
    try:
        return Drill(
            key=given.get("key") or None,
            day=date.fromisoformat(day) if day else None,
            answered=answered == "yes" if answered else None,
            band=band or None,
        )
    except ValueError as error:
        raise InputInvalid("`day` is no date; write it as 2026-01-31.") from error


def _said(query: Query, drill: Drill) -> list[str]:
    """What the cases have in common, in words: the row or cell, and the filters."""
    said = [_word(query.by)(drill.key or "")]
    said += [CHANNELS[query.channel]] if query.channel and (query.by, drill.key) != ("channel", query.channel) else []
    said += [_network(query.network)] if query.network and (query.by, drill.key) != ("network", query.network) else []
    said.append(date_words(drill.day) if drill.day else span(query.first, query.last))
    if drill.answered is not None:
        said.append("answered" if drill.answered else "not answered yet")
    if drill.band:
        said.append(f"answered after {BAND_WORDS[drill.band]}")
    return said


def _result(name: str) -> Result:
    report = report_named(name)
    query = report_query(context(), _timezone(), request.args)
    with context().store.read() as connection:
        return report.measure(connection, query)


def _timezone() -> str:
    return str(current_app.config["CONNECTOR_TIMEZONE"])


def _filters() -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name in NAMES and value}


def _drill(name: str) -> Callable[..., str]:
    """Leads from a cell to its cases; the address is looked up once, for a year of nine channels has thousands."""
    start, kept = url_for("reports.cases", name=name), _filters()

    def address(**more: Any) -> str:
        given = {key: value for key, value in {**kept, **more}.items() if value not in (None, "")}
        return f"{start}?{urlencode(given)}"

    return address


def _network(name: str) -> str:
    known = context().channels.networks.get(name)
    return known.title if known else name.replace("_", " ")


def _word(by: str) -> Callable[[str], str]:
    def word(key: str) -> str:
        if not key:
            return "All"
        return _network(key) if by == "network" else CHANNELS.get(key, key)

    return word


def _pivot(result: Result) -> dict[str, Any]:
    unit = result.query.unit
    cells: dict[str, dict[str, Value]] = {}
    for row in result.rows:
        cells.setdefault(str(row["day"]), {})[str(row["key"])] = row[unit]
    return {
        "keys": [str(row["key"]) for row in result.series["keys"]],
        "cells": cells,
        "sums": {str(row["key"]): row[unit] for row in result.series["keys"]},
        "days": {str(row["day"]): row[unit] for row in reversed(result.series["days"])},
        "sum": result.totals[unit],
    }
