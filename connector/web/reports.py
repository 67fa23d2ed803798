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
from connector.reports.result import Drill, Result, Value
from connector.web.auth import context, may
from connector.web.charts import response_chart, volume_chart
from connector.web.export import as_csv
from connector.web.paging import PAGE_SIZE, cursor
from connector.web.permissions import Permission
from connector.web.present import CHANNELS
from connector.web.report_query import NAMES, report_named, report_query

blueprint = Blueprint("reports", __name__)

CHARTS: Mapping[str, Callable[[Result, Callable[[str], str]], Markup]] = {
    "volume": volume_chart,
    "first-response": response_chart,
}
"""A report without a chart is shown as its table alone."""


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
def show(name: str) -> str:
    """One report; its filters stand in the address, so a view can be shared."""
    report = report_named(name)
    result = _result(name)
    word = _word(result.query.by)
    with context().store.read() as connection:
        networks = case_queries.networks_in_use(connection, context().channels.networks)
    return render_template(
        "report.html",
        section="reports",
        report=report,
        result=result,
        query=result.query,
        chart=CHARTS[name](result, word) if name in CHARTS else None,
        word=word,
        table=_pivot(result) if name == "volume" else None,
        networks=[(each, _network(each)) for each in networks],
        filters=_filters(),
        drill=lambda **more: _drill_url(name, more),
        bands=[(band, label) for band, label, _ in BANDS] + [("over_24h", "24 h and more")],
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
        page = case_queries.behind_figure(connection, counted, cursor=cursor(), limit=PAGE_SIZE)
    return render_template(
        "report_cases.html",
        section="reports",
        report=report,
        query=query,
        drill=drill,
        word=_word(query.by),
        page=page,
        personal=may(Permission.PEOPLE_READ),
        back=f"{url_for('reports.show', name=name)}?{urlencode(_filters())}",
    )


def drill_of(given: Mapping[str, str]) -> Drill:
    """Which row or cell a query string points at."""
    day = given.get("day")
    answered = given.get("answered")
    try:
        return Drill(
            key=given.get("key") or None,
            day=date.fromisoformat(day) if day else None,
            answered=None if answered not in ("yes", "no") else answered == "yes",
            band=given.get("band") or None,
        )
    except ValueError as error:
        raise InputInvalid("`day` is no date; write it as 2026-01-31.") from error


def _result(name: str) -> Result:
    report = report_named(name)
    query = report_query(context(), _timezone(), request.args)
    with context().store.read() as connection:
        return report.measure(connection, query)


def _timezone() -> str:
    return str(current_app.config["CONNECTOR_TIMEZONE"])


def _filters() -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name in NAMES and value}


def _drill_url(name: str, more: Mapping[str, Any]) -> str:
    given = {key: value for key, value in {**_filters(), **more}.items() if value not in (None, "")}
    return f"{url_for('reports.cases', name=name)}?{urlencode(given)}"


def _network(name: str) -> str:
    known = context().channels.networks.get(name)
    return known.title if known else name.replace("_", " ")


def _word(by: str) -> Callable[[str], str]:
    return _network if by == "network" else lambda key: CHANNELS.get(key, key) if key else "All"


def _pivot(result: Result) -> dict[str, Any]:
    keys = sorted({str(row["key"]) for row in result.rows})
    unit = result.query.unit
    cells: dict[str, dict[str, Value]] = {}
    for row in result.rows:
        cells.setdefault(str(row["day"]), {})[str(row["key"])] = row[unit]
    sums = {key: sum(int(day[key] or 0) for day in cells.values()) for key in keys}
    return {"keys": keys, "days": sorted(cells, reverse=True), "cells": cells, "sums": sums}
