"""What the org's answers tell about its API limit, and what this process has used of it."""

from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock

from connector.crm.port import Budget, Calls
from connector.domain.clock import Clock, system_clock

# The header may also hold "per-app-api-usage=17/250(appName=…)", before or after: only the org's own figure counts.
_USAGE = re.compile(r"(?<![\w-])api-usage=(\d+)/(\d+)")
# A record's id, or the locator of a page: each by its own name would be one more line to count, for ever.
_ID = re.compile(r"/[a-zA-Z0-9]{15,18}(?:-\d+)?(?=/|$)")


class Meter:
    """Counts the calls of this process and keeps the last figures that the org told; safe to share among threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._kinds: Counter[str] = Counter()
        self._paths: Counter[str] = Counter()
        self._budget: Budget | None = None
        self._ahead = timedelta()

    def count_login(self) -> None:
        """One request to the token endpoint; the org does not count these as API calls."""
        with self._lock:
            self._kinds["logins"] += 1

    def count_call(self, method: str, path: str) -> None:
        """One API call, counted when it leaves: a lost answer was a call too."""
        with self._lock:
            self._kinds["reads" if method == "GET" else "writes"] += 1
            self._paths[f"{method} {_ID.sub('/…', path)}"] += 1

    def read_header(self, header: str | None) -> None:
        """Takes the figures of a Sforce-Limit-Info header, in its plain and its per-app form."""
        found = _USAGE.search(header or "")
        if found and int(found[2]):  # a limit of nothing would be one that is always reached
            with self._lock:
                self._budget = Budget(int(found[1]), int(found[2]), self._clock())

    def read_date(self, header: str | None) -> None:
        """Takes the org's clock from a Date header."""
        try:
            told = parsedate_to_datetime(header) if header else None
        except ValueError:
            return
        if told is not None and told.tzinfo is not None:
            self._ahead = told - system_clock()

    def ahead(self) -> float:
        """Seconds by which the org's clock is ahead of this machine's; 0 before the first answer."""
        return self._ahead.total_seconds()

    def now(self) -> datetime:
        """The time by the org's clock; this machine's before the first answer."""
        return system_clock() + self._ahead

    def budget(self) -> Budget | None:
        """The org's figures as last told; None before the first answer."""
        with self._lock:
            return self._budget

    def calls(self) -> Calls:
        """The calls made so far."""
        with self._lock:
            kinds = self._kinds
            return Calls(kinds["reads"], kinds["writes"], kinds["logins"], dict(self._paths))
