"""Versions as numbers: edit times and counters of every sender, in one order."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_NUMBER = re.compile(r"(\d{1,19})(?:\.(\d+))?")
LIMIT = 10**19


def version_order(version: str) -> int:
    """The version as a number that orders versions of one sender; 0 for one that is neither a number nor a time.

    Digits count as they are, with a fraction as thousandths; ISO times as epoch milliseconds.
    """
    found = _NUMBER.fullmatch(version)
    if found:
        whole, fraction = found.groups()
        return int(whole) if fraction is None else min(int(whole) * 1000 + int(f"{fraction}000"[:3]), LIMIT)
    try:
        moment = datetime.fromisoformat(version)
    except ValueError:
        return 0
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, round(aware.timestamp() * 1000))
