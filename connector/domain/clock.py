"""Time as the domain sees it; leases and claim order use the database's clock instead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Now, aware UTC."""
    return datetime.now(tz=UTC)


def file_clock(path: Path) -> Clock:
    """A clock that reads its ISO time from a file at each look, so that tests can move it (CONNECTOR_CLOCK_FILE)."""

    def now() -> datetime:
        moment = datetime.fromisoformat(path.read_text(encoding="ascii").strip())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    return now
