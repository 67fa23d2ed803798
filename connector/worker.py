"""The background work: takes deliveries in, writes to the CRM, reads from it, and does what the clock asks for.

Each lane is a thread that asks its flow for work until there is none, then waits for a kick or a second. Rows in the
store are the truth: a worker that is killed loses nothing, its leases lapse. Errors become queue moves here, and here
alone is every error caught: whatever happens to one row, the others go on.
"""

from __future__ import annotations

import fcntl
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from threading import Condition, Event, Thread, current_thread, main_thread
from time import monotonic
from types import FrameType
from typing import TypeVar

import structlog

from connector.errors import ConnectorError, Misconfigured, Retryable, StoreBusy
from connector.flows import hints, ingest
from connector.flows.consent import expire_due
from connector.flows.context import Context
from connector.flows.failing import TELL_SECONDS, Failures
from connector.flows.sync import sync_when_due
from connector.flows.upkeep import forget_old, give_back_expired, lock_file
from connector.flows.writeback import drain_once

log = structlog.get_logger(__name__)
T = TypeVar("T")

POLL_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
MISCONFIGURED_SECONDS = 30.0

Watch = Callable[[str, "Exception | None"], None]
"""Is told after each step of some work how it ended: with this error, or well."""


class WorkerRunning(Misconfigured):
    """Another worker already works on this SQLite store: stop it, or use PostgreSQL, where several may work."""

    code = "worker_running"


def attempt(step: Callable[[], T]) -> T | Exception:
    """What the step gives, or the error it ended in: the one place where every error is caught."""
    try:
        return step()
    except Exception as error:  # noqa: BLE001  # one bad row must not end the work on all others
        return error


class Lane:
    """A thread that repeats its step. The step returns how many seconds to wait, at most, before the next."""

    def __init__(self, name: str, step: Callable[[], float], stopping: Event, watch: Watch) -> None:
        self.name = name
        self.failures = 0
        self._step = step
        self._stopping = stopping
        self._watch = watch
        self._condition = Condition()
        self._kicked = False
        self._thread = Thread(target=self._run, name=f"lane-{name}", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def kick(self) -> None:
        """Wakes the lane: there may be work."""
        with self._condition:
            self._kicked = True
            self._condition.notify()

    def join(self, seconds: float) -> bool:
        """Whether the lane has ended within this time."""
        self._thread.join(max(0.0, seconds))
        return not self._thread.is_alive()

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._pause(self._once())

    def _once(self) -> float:
        outcome = attempt(self._step)
        if not isinstance(outcome, Exception):
            self.failures = 0
            self._watch(self.name, None)
            return outcome
        self.failures += 1
        self._watch(self.name, outcome)
        return pause_after(outcome, self.failures)

    def _pause(self, seconds: float) -> None:
        with self._condition:
            if seconds > 0 and not self._kicked and not self._stopping.is_set():
                self._condition.wait(seconds)
            self._kicked = False


def pause_after(error: Exception, failures: int) -> float:
    """How long a lane rests after this many failures in a row: as told, else doubling up to a minute."""
    if isinstance(error, Retryable) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_PAUSE_SECONDS)
    if isinstance(error, Misconfigured):
        return MISCONFIGURED_SECONDS
    return min(LONGEST_PAUSE_SECONDS, POLL_SECONDS * 2.0 ** min(failures - 1, 10))


def _report(lane: str, error: Exception) -> None:
    if isinstance(error, ConnectorError):
        log.warning("lane_failed", lane=lane, code=error.code, reason=error.message)
    else:
        log.error("lane_failed", lane=lane, error=type(error).__name__, place=_place(error))


def _place(error: Exception) -> str:
    """Where an unforeseen error was raised; its own text may hold what a customer wrote, so that is told nowhere."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    return f"{Path(last[0].filename).name}:{last[0].lineno}" if last else ""


def in_words(error: Exception) -> tuple[str, str]:
    """A code and a sentence for whoever looks at the health page."""
    if isinstance(error, ConnectorError):
        return error.code, error.message
    return "unforeseen", f"{type(error).__name__} at {_place(error)}, an error of the program."


@dataclass(slots=True)
class Chore:
    """Something to do every so many seconds."""

    name: str
    every_seconds: float
    do: Callable[[], object]
    due: float = 0.0


class Worker:
    """The lanes of this process; on SQLite the only one of its store."""

    def __init__(self, ctx: Context, *, poll_seconds: float = POLL_SECONDS, sync_seconds: float = 60.0) -> None:
        self._ctx = ctx
        self._poll = poll_seconds
        self._stopping = Event()
        self._lock: TextIOWrapper | None = None
        self._failing = Failures(ctx)
        self._chores = [
            Chore("failing", TELL_SECONDS, self._failing.tell),
            Chore("leases", 15.0, lambda: give_back_expired(ctx)),
            Chore("consent", 60.0, self._expire_consent),
            Chore("retention", 3600.0, lambda: forget_old(ctx)),
        ]
        steps: dict[str, Callable[[], float]] = {hints.INGEST: self._ingest, "schedule": self._schedule}
        if ctx.crm is not None:
            steps[hints.WRITEBACK] = self._write_back
            self._sync_seconds = sync_seconds
            steps["sync"] = self._sync
        if not ctx.store.is_sqlite:
            steps["hints"] = self._listen
        self._lanes = {name: Lane(name, step, self._stopping, self._watch) for name, step in steps.items()}

    def start(self) -> None:
        """Begins all lanes; WorkerRunning when another process works on this SQLite store."""
        path = lock_file(self._ctx)
        if path is not None:
            self._lock = hold(path)
            give_back_expired(self._ctx, everything=True)
        self._failing.begin(alone=path is not None)
        for lane in self._lanes.values():
            lane.start()
        log.info("worker_started", lanes=sorted(self._lanes))

    def kick(self, lane: str = hints.INGEST) -> None:
        """Wakes a lane of this process; a name it does not have is none of its business."""
        found = self._lanes.get(lane)
        if found is not None:
            found.kick()

    @property
    def is_alive(self) -> bool:
        """Whether every lane runs."""
        return all(lane.is_alive for lane in self._lanes.values())

    @property
    def failures(self) -> dict[str, int]:
        """How many times in a row each lane has failed."""
        return {name: lane.failures for name, lane in self._lanes.items()}

    def stop(self, seconds: float = 10.0) -> bool:
        """Whether every lane ended its step in time; what has not is left to its lease."""
        self._stopping.set()
        for lane in self._lanes.values():
            lane.kick()
        until = monotonic() + seconds
        late = [name for name, lane in self._lanes.items() if lane.is_alive and not lane.join(until - monotonic())]
        attempt(self._failing.end)
        if self._lock is not None and not late:
            self._lock.close()
        log.info("worker_stopped", late=late)
        return not late

    def run(self) -> bool:
        """Works until SIGTERM or SIGINT, then stops cleanly: for a process that does nothing else."""
        asked = Event()

        def ask(_number: int, _frame: FrameType | None) -> None:
            asked.set()

        if current_thread() is main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, ask)
        self.start()
        asked.wait()
        return self.stop()

    def _watch(self, work: str, error: Exception | None) -> None:
        """Tells the log and the store how some work ended; a store that is away shows by itself."""
        if error is None:
            attempt(lambda: self._failing.over(work))
        else:
            _report(work, error)
            attempt(lambda: self._failing.note(work, *in_words(error)))

    def _ingest(self) -> float:
        batch = ingest.claim(self._ctx)
        if batch is None:
            return self._poll
        while True:
            outcome = attempt(lambda: ingest.work(self._ctx, batch))
            if not isinstance(outcome, Exception):
                if outcome.events:
                    self.kick(hints.WRITEBACK)
                return 0
            if isinstance(outcome, ConnectorError) or not ingest.set_aside(batch, outcome):
                with suppress(StoreBusy):  # the lease gives them back too, only later
                    ingest.hand_back(self._ctx, batch, type(outcome).__name__)
                raise outcome
            _report(hints.INGEST, outcome)

    def _write_back(self) -> float:
        return self._poll if drain_once(self._ctx).is_idle else 0

    def _sync(self) -> float:
        pause = sync_when_due(self._ctx, self._sync_seconds)
        self.kick(hints.WRITEBACK)
        return pause

    def _expire_consent(self) -> None:
        while expire_due(self._ctx).more and not self._stopping.is_set():
            continue
        self.kick(hints.WRITEBACK)

    def _listen(self) -> float:
        hints.listen(self._ctx, self.kick, self._stopping.is_set)
        return 0

    def _schedule(self) -> float:
        run_due(self._chores, monotonic(), self._watch)
        return self._poll


def run_due(chores: Sequence[Chore], now: float, watch: Watch) -> None:
    """Does what is due; one that fails is tried again within a minute and keeps no other from its turn."""
    for chore in chores:
        if chore.due <= now:
            outcome = attempt(chore.do)
            error = outcome if isinstance(outcome, Exception) else None
            chore.due = now + (min(chore.every_seconds, LONGEST_PAUSE_SECONDS) if error else chore.every_seconds)
            watch(chore.name, error)


def hold(path: Path) -> TextIOWrapper:
    """The lock of the only worker, held until this process ends in whatever way; WorkerRunning when it is taken."""
    try:
        file = path.open("a", encoding="ascii")
    except OSError as error:
        raise Misconfigured(f"{path} cannot be written ({error.strerror}): give this user write access.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise WorkerRunning from error
    return file
