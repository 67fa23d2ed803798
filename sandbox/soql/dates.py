"""Date literals: TODAY, LAST_N_DAYS:30 and their like, as spans of days in UTC."""

from __future__ import annotations

from datetime import date, timedelta


def span(literal: str, today: date) -> tuple[date, date]:
    """First day of the span and the first day after it."""
    word, _, number = literal.upper().partition(":")
    count = int(number or 0)
    if word in {"TODAY", "YESTERDAY", "TOMORROW"}:
        first = today + timedelta(days={"TODAY": 0, "YESTERDAY": -1, "TOMORROW": 1}[word])
        return first, first + timedelta(days=1)
    if word.endswith("_AGO"):
        unit = word.split("_")[1].rstrip("S")
        return _start(unit, today, -count), _start(unit, today, 1 - count)
    if word in {"LAST_90_DAYS", "NEXT_90_DAYS"}:
        word, count = f"{word[:4]}_N_DAYS", 90
    which, unit = word.rsplit("_", 1)
    return _units(which, unit.rstrip("S"), count, today)


def _units(which: str, unit: str, count: int, today: date) -> tuple[date, date]:
    this, after = _start(unit, today, 0), _start(unit, today, 1)
    if which == "THIS":
        return this, after
    if which == "NEXT":
        return after, _start(unit, today, 2)
    if which == "NEXT_N":
        return after, _start(unit, today, count + 1)
    # The last n days count today in; the last n weeks, months and years end before the present one.
    end = after if unit == "DAY" else this
    return _start(unit, today, -(count or 1)), end if which == "LAST_N" else this


def _start(unit: str, today: date, steps: int) -> date:
    if unit == "DAY":
        return today + timedelta(days=steps)
    if unit == "WEEK":
        sunday = today - timedelta(days=(today.weekday() + 1) % 7)
        return sunday + timedelta(weeks=steps)
    if unit == "YEAR":
        return date(today.year + steps, 1, 1)
    size = 3 if unit == "QUARTER" else 1
    month = (today.year * 12 + today.month - 1) // size * size + steps * size
    return date(month // 12, month % 12 + 1, 1)
