"""Telling the workers that there is work, and hearing it; work is found without hints too, a second later."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from connector.errors import StoreBusy
from connector.flows.context import Context
from connector.store import hints

INGEST, WRITEBACK = "ingest", "writeback"


class Announcer:
    """Tells workers in other processes about new deliveries, at most ten times a second."""

    def __init__(self, ctx: Context, *, every_seconds: float = 0.1, clock: Callable[[], float] = monotonic) -> None:
        self._ctx = ctx
        self._every = every_seconds
        self._clock = clock
        self._mutex = Lock()
        self._told = float("-inf")

    def stored(self) -> None:
        """A delivery was stored: for ``Receiver(on_stored=…)`` where the worker is another process."""
        if self._ctx.store.is_sqlite:
            return
        with self._mutex:
            if self._clock() - self._told < self._every:
                return
            self._told = self._clock()
        try:
            with self._ctx.store.begin() as uow:
                hints.tell(uow, INGEST)
        except StoreBusy:
            return  # the delivery is stored; its sender must not hear of a hint that was lost


def listen(ctx: Context, on_hint: Callable[[str], None], stopped: Callable[[], bool]) -> None:
    """Hands the name of every lane that has work to ``on_hint`` until ``stopped``; returns at once on SQLite."""
    hints.listen(ctx.store, on_hint, stopped)
