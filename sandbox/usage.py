"""API calls: counted by class, told on every answer, refused at the cap."""

from __future__ import annotations

from collections import Counter
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.org import Config


class Usage:
    """What this org was asked, and how much of its allowance is left."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._lock = Lock()
        self._by_class: Counter[str] = Counter()
        self._extra: Counter[str] = Counter()
        self._by_app: Counter[str] = Counter()
        self._writes = 0

    def count(self, kind: str, app: str | None, *, writes: bool) -> None:
        """Counts one API call."""
        with self._lock:
            self._by_class[kind] += 1
            self._writes += writes
            if app:
                self._by_app[app] += 1

    def note(self, what: str, number: int = 1) -> None:
        """Counts something that is no API call: a token, rows written, a fault."""
        with self._lock:
            self._extra[what] += number

    @property
    def used(self) -> int:
        """API calls so far."""
        with self._lock:
            return self._by_class.total()

    def exhausted(self, app: str | None) -> bool:
        """Whether the next call is over the org's cap, or the app's."""
        limit = self._config.app_limit
        with self._lock:
            over = self._by_class.total() >= self._config.daily_limit
            return over or (limit is not None and app is not None and self._by_app[app] >= limit)

    def header(self, app: str | None) -> str:
        """The value of Sforce-Limit-Info, with the app's own part where one is set."""
        with self._lock:
            used = min(self._by_class.total(), self._config.daily_limit)
            text = f"api-usage={used}/{self._config.daily_limit}"
            if self._config.app_limit is not None and app:
                text += f"; per-app-api-usage={self._by_app[app]}/{self._config.app_limit}"
                text += f"(appName={self._config.app_name})"
            return text

    def report(self) -> dict[str, Any]:
        """All figures, for `GET /sandbox/stats`."""
        with self._lock:
            return {
                "calls": self._by_class.total(),
                "write_calls": self._writes,
                "by_class": dict(sorted(self._by_class.items())),
                **{name: self._extra[name] for name in ("tokens", "rows_created", "rows_updated", "rows_deleted")},
                "faults": {
                    name.removeprefix("fault:"): number
                    for name, number in sorted(self._extra.items())
                    if name.startswith("fault:")
                },
            }

    def clear(self) -> None:
        """Starts counting anew."""
        with self._lock:
            self._by_class.clear()
            self._extra.clear()
            self._by_app.clear()
            self._writes = 0
