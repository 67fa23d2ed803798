"""By what a report is cut: the nine channels, the six groups, or the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, case

from connector.reports.result import Column, Query

DIMENSIONS = ("channel", "group", "network")
HEADINGS = {"channel": "Channel", "group": "Channel, six groups", "network": "Network"}


def columns_of(columns: Sequence[Column], query: Query) -> tuple[Column, ...]:
    """The columns, ``key`` under the heading of what the report is cut by."""
    return tuple(replace(each, label=HEADINGS[query.by]) if each.name == "key" else each for each in columns)


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
