"""What a report is asked and what it answers; page, CSV, API and chart all come from the same answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from zoneinfo import ZoneInfo

Value = str | int | float | bool | None

LONGEST_DAYS = 1100


@dataclass(frozen=True, slots=True)
class Query:
    """A report's filters: local days from first to last (both included) in a zone, as known at ``as_of`` (epoch ms).

    ``by`` is the dimension: channel (nine), group (the six-channel reports) or network; ``groups`` maps a channel to
    its group.
    """

    first: date
    last: date
    zone: ZoneInfo
    as_of: int
    by: str = "channel"
    unit: str = "attempts"
    channel: str | None = None
    network: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a result: its stable name, its heading, and what its values are (text, count, seconds, share)."""

    name: str
    label: str
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Drill:
    """Which cases stand behind one row or one cell."""

    key: str | None = None
    day: date | None = None
    answered: bool | None = None
    band: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A report's answer: one row per key, the totals, what was left out, and what it cannot know."""

    name: str
    definition_version: int
    query: Query
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, Value], ...]
    totals: Mapping[str, Value]
    series: Mapping[str, Sequence[Mapping[str, Value]]] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all was counted."""
        return not self.rows
