"""By what a report is cut: the nine channels, the six groups, or the network."""

from __future__ import annotations

from sqlalchemy import ColumnElement, case

from connector.reports.result import Query

DIMENSIONS = ("channel", "group", "network")


def dimension(channel: ColumnElement[str], network: ColumnElement[str], query: Query) -> ColumnElement[str]:
    """The column that a report groups by."""
    if query.by == "network":
        return network
    if query.by == "group" and query.groups:
        return case(*((channel == name, group) for name, group in sorted(query.groups.items())), else_=channel)
    return channel


def key_filter(channel: ColumnElement[str], network: ColumnElement[str], query: Query) -> list[ColumnElement[bool]]:
    """The conditions of the report's own filters."""
    wanted = ((query.channel, channel), (query.network, network))
    return [column == value for value, column in wanted if value is not None]
