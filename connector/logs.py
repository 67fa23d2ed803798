"""Structured logs, one JSON object a line on stderr: event names, ids, counts and codes; nothing personal.

What may be said is an allow-list of keys: a value under any other key is left out, so a careless line cannot leak.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

SAID = frozenset(
    {
        "asked", "calls", "code", "contacts", "crm_cases", "dead", "endpoint", "error", "event", "fault", "frames",
        "interactions", "kind", "lane", "lanes", "late", "level", "method", "missing", "object", "our_cases", "path",
        "place", "port", "reason", "retried", "sent", "since", "source", "status", "timestamp", "took_ms", "unchanged",
        "users",
    }
)  # fmt: skip


def withhold(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """The line without values under keys that are not on the list; their names are told, so a gap is seen."""
    kept = {key: value for key, value in line.items() if key in SAID}
    left_out = sorted(set(line) - set(kept))
    return {**kept, "withheld": left_out} if left_out else kept


def configure_logs(*, quiet: bool = False, stream: TextIO | None = None) -> None:
    """Sends this process's logs to stderr, or to the stream; ``quiet`` keeps all but warnings to itself."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            withhold,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if quiet else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
