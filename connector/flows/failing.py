"""Which work fails each time: every worker tells through the store, so any process can say since when.

A worker keeps one row of its own. One that ended without a word says nothing any more after a while.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from threading import Lock
from uuid import uuid4

from sqlalchemy import Connection

from connector.flows.context import Context
from connector.store.crm_state import forget_state, read_states, write_state
from connector.store.queues import database_now
from connector.store.unit_of_work import UnitOfWork

ROW = "worker:"
TELL_SECONDS = 30.0
SILENT_MS = 150_000
"""A worker says at least every half minute that something still fails; after this long without a word it has ended."""

LASTING_MS = 60_000
"""What fails for less than this may be a hiccup, and is tried again within it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A part of the work that fails: since when (epoch milliseconds), how many times in a row, and in what words."""

    work: str
    since: int
    times: int
    code: str
    words: str


class Failures:
    """What fails in this process, kept in its row of the store as it changes; safe to share among threads."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._row = f"{ROW}{uuid4()}"
        self._mutex = Lock()
        self._failing: dict[str, Failure] = {}
        self._told = False

    def begin(self, *, alone: bool) -> None:
        """Forgets what workers that ended have said; ``alone`` tells that no other worker runs."""
        with self._ctx.store.begin() as uow:
            before = uow.database_now() - (0 if alone else SILENT_MS)
            forget_state(uow, [name for name, row in read_states(uow.connection, ROW).items() if row[0] <= before])

    def note(self, work: str, code: str, words: str) -> None:
        """This work failed just now."""
        with self._mutex, self._ctx.store.begin() as uow:
            known = self._failing.get(work) or Failure(work, uow.database_now(), 0, code, words)
            self._failing[work] = replace(known, times=known.times + 1, code=code, words=words)
            self._write(uow)

    def over(self, work: str) -> None:
        """This work went well just now."""
        if work in self._failing:
            with self._mutex:
                del self._failing[work]
            self.tell()

    def tell(self) -> None:
        """Says again what still fails, or that nothing does any more."""
        if self._failing or self._told:
            with self._mutex, self._ctx.store.begin() as uow:
                self._write(uow)

    def end(self) -> None:
        """This worker ends: nobody need wait for its word."""
        with self._mutex:
            self._failing.clear()
        self.tell()

    def _write(self, uow: UnitOfWork) -> None:
        if self._failing:
            failing = [asdict(each) for each in self._failing.values()]
            write_state(uow, self._row, {"told_at": uow.database_now(), "failing": failing})
        else:
            forget_state(uow, [self._row])
        self._told = bool(self._failing)


def lasting_failures(connection: Connection) -> list[Failure]:
    """What has failed in some worker for a minute or longer and still does, the longest first, one of each work."""
    now = database_now(connection)
    found: dict[str, Failure] = {}
    for told_at, value in read_states(connection, ROW).values():
        if told_at < now - SILENT_MS:
            continue
        for each in (Failure(**failing) for failing in value["failing"]):
            if each.since <= now - LASTING_MS and (each.work not in found or each.since < found[each.work].since):
                found[each.work] = each
    return sorted(found.values(), key=lambda each: (each.since, each.work))
