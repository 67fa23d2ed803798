"""The reports there are, each with its question and its written definition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import getdoc
from typing import Any

from sqlalchemy import Connection, Select

from connector.reports.responsiveness import NAME as FIRST_RESPONSE
from connector.reports.responsiveness import first_response, first_response_cases
from connector.reports.result import Drill, Query, Result
from connector.reports.volume import NAME as VOLUME
from connector.reports.volume import volume, volume_cases


@dataclass(frozen=True, slots=True)
class Report:
    """One report: its name in addresses, its title as a question, and the functions that answer it."""

    name: str
    question: str
    measure: Callable[[Connection, Query], Result]
    behind: Callable[[Query, Drill], Select[Any]]
    cannot_know: str

    @property
    def headline(self) -> str:
        """The definition in one line."""
        return self.definition.split("\n\n", maxsplit=1)[0].replace("\n", " ")

    @property
    def definition(self) -> str:
        """The written definition: the measuring function's own words."""
        return getdoc(self.measure) or ""


REPORTS: Mapping[str, Report] = {
    report.name: report
    for report in (
        Report(
            VOLUME,
            "How much reaches us, by which channel?",
            volume,
            volume_cases,
            "What nobody told the connector about: a page that is not connected, a call that was never logged.",
        ),
        Report(
            FIRST_RESPONSE,
            "How fast do we answer?",
            first_response,
            first_response_cases,
            "Answers given where the connector cannot see them: by hand on the network before the page was connected, "
            "or by phone without a logged call.",
        ),
    )
}
