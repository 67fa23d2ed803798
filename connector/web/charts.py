"""Charts as plain SVG with direct labels, from a report's own rows; the table below says the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import log10
from typing import Any

from markupsafe import Markup

from connector.reports.result import Result, Value
from connector.web.present import date_words, duration, plural

WIDTH = 800
LABEL = 120
TAIL = 120
ROW = 56
WIDEST_DAY = 48
EDGE = 70
"""Labels nearer to the end of the scale than this end at their point, so that they run into nothing."""
MARKS = (60, 600, 3600, 6 * 3600, 86_400, 7 * 86_400)


def volume_chart(result: Result, word: Callable[[str], str]) -> Markup:
    """Bars per day in one row per channel, each row to its own scale, with its total and its highest day."""
    days = sorted({str(row["day"]) for row in result.rows})
    keys = sorted({str(row["key"]) for row in result.rows})
    if not days:
        return Markup("")
    unit = result.query.unit
    counts = {(str(row["key"]), str(row["day"])): int(row[unit] or 0) for row in result.rows}
    sums = {str(row["key"]): int(row[unit] or 0) for row in result.series["keys"]}
    parts = [
        _volume_row(
            place, f"{word(key)}\n{plural(sums[key], unit.removesuffix('s'))}", [counts[key, day] for day in days], days
        )
        for place, key in enumerate(keys)
    ]
    bottom = len(keys) * ROW + 8
    first, last = (date_words(day, weekday=False) for day in (days[0], days[-1]))
    axis = [_text(LABEL, bottom + 12, first, "soft")]
    axis += [_text(WIDTH - TAIL, bottom + 12, last, "soft", "end")] if len(days) > 1 else []
    label = f"{unit.capitalize()} per day from {first} to {last}, one row per channel; the table has every value."
    return _svg(label, bottom + 20, [*parts, *axis])


def response_chart(result: Result, word: Callable[[str], str]) -> Markup:
    """One line per channel from half to 90 percent on a logarithmic clock; not reached ends open and dashed."""
    rows = [row for row in result.rows if row["cases"]]
    if not rows:
        return Markup("")
    clock = _clock(rows)
    bottom = len(rows) * ROW + 8
    parts = []
    for seconds in MARKS:
        if clock.low < seconds < clock.high:
            x = clock.x(seconds)
            parts.append(Markup('<line class="axis" x1="{0:.1f}" x2="{0:.1f}" y1="4" y2="{1}"/>').format(x, bottom))
            parts.append(_text(x, bottom + 14, duration(seconds), "soft", "middle"))
    parts += [_response_row(place, word(str(row["key"])), row, clock) for place, row in enumerate(rows)]
    label = "Time to the first answer per channel: half and 90 percent of the cases; the table has every value."
    return _svg(label, bottom + 24, parts)


@dataclass(frozen=True, slots=True)
class _Clock:
    """A logarithmic scale of seconds over the width of the chart."""

    low: float
    high: float

    def x(self, seconds: float) -> float:
        """Where so many seconds stand."""
        inside = max(self.low, min(seconds, self.high))
        share = (log10(inside) - log10(self.low)) / (log10(self.high) - log10(self.low))
        return LABEL + share * (WIDTH - LABEL - TAIL)


SHOWN = ("p50_all_seconds", "p90_all_seconds", "p50_all_bound_seconds", "p90_all_bound_seconds")


def _clock(rows: Sequence[Mapping[str, Value]]) -> _Clock:
    values = [max(1.0, float(row[name] or 0)) for row in rows for name in SHOWN if row[name] is not None]
    return _Clock(min(values, default=60.0) / 3, max(values, default=3600.0) * 3)


def _volume_row(place: int, name: str, values: Sequence[int], days: Sequence[str]) -> Markup:
    top, base = place * ROW + 6, place * ROW + ROW - 6
    highest = max(values) or 1
    step = min(WIDEST_DAY, (WIDTH - LABEL - TAIL) / len(days))
    title, _, total = name.partition("\n")
    parts = [
        _text(0, base - 14, title),
        _text(0, base, total, "soft"),
        Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(LABEL, WIDTH - TAIL, base, base),
    ]
    for at, value in enumerate(values):
        if not value:
            continue
        tall = max(1.5, (base - top) * value / highest)
        parts.append(
            Markup(
                '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}: {}</title></rect>'
            ).format(
                LABEL + at * step + step * 0.1, base - tall, max(1.0, step * 0.8), tall, date_words(days[at]), value
            )
        )
    peak = date_words(days[values.index(max(values))], weekday=False)
    parts.append(_text(WIDTH - TAIL + 8, base - 14, f"most {max(values):,}", "soft"))
    parts.append(_text(WIDTH - TAIL + 8, base, peak if max(values) else "", "soft"))
    return Markup("").join(parts)


def _response_row(place: int, name: str, row: Mapping[str, Value], clock: _Clock) -> Markup:
    found: dict[str, Any] = dict(row)
    base = place * ROW + ROW // 2 + 4
    half, most = found["p50_all_seconds"], found["p90_all_seconds"]
    waiting = found["unanswered"]
    parts = [_text(0, base - 4, name), _text(0, base + 12, plural(found["cases"], "case"), "soft")]
    start = half if half is not None else found["p50_all_bound_seconds"]
    end = most if most is not None else found["p90_all_bound_seconds"]
    if start is not None and end is not None and half is not None and most is not None:
        young = "" if found["mature"] else " young"
        parts.append(_line(f"span{young}", clock.x(start), clock.x(end), base))
    elif start is not None and (half is None or end is not None):
        parts.append(_line("open", clock.x(start), float(WIDTH - TAIL), base))
    if half is None and start is not None:
        parts.append(_label(clock.x(start), base, f"more than {duration(start)}", "soft"))
    if half is not None:
        parts.append(_dot(clock.x(half), base, f"half within {duration(half)}"))
        parts.append(_label(clock.x(half), base, duration(half)))
    if most is not None and (half is None or clock.x(most) - clock.x(half) > 60):
        parts.append(_dot(clock.x(most), base, f"90 % within {duration(most)}"))
        parts.append(_label(clock.x(most), base, duration(most)))
    tail = f"{waiting:,} waiting" if waiting else "all answered"
    parts.append(_text(WIDTH - TAIL + 8, base + 4, tail, "soft"))
    return Markup("").join(parts)


def _label(x: float, base: float, words: str, kind: str = "") -> Markup:
    end = WIDTH - TAIL
    return _text(min(x, end), base - 9, words, kind, "end" if x > end - EDGE else "middle")


def _line(kind: str, start: float, end: float, y: float) -> Markup:
    return Markup('<line class="{}" x1="{:.1f}" x2="{:.1f}" y1="{}" y2="{}"/>').format(
        kind, start, max(end, start + 0.1), y, y
    )


def _dot(x: float, y: float, title: str) -> Markup:
    return Markup('<circle class="dot" cx="{:.1f}" cy="{}" r="5"><title>{}</title></circle>').format(x, y, title)


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}" text-anchor="{}">{}</text>').format(x, y, kind, anchor, words)


def _svg(label: str, height: float, parts: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {:.0f}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, label, Markup("").join(parts)
    )
