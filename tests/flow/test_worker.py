"""The worker: one a SQLite store, any number on PostgreSQL, never stopped by one bad row, ended in seconds."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from sqlalchemy import update

from connector.errors import CrmUnavailable, Misconfigured, StoreBusy
from connector.flows import hints, ingest
from connector.flows.context import Context
from connector.flows.shelves import list_items
from connector.flows.upkeep import forget_old, give_back_expired, lock_file
from connector.store import inbox, insisting
from connector.store.tables import cases, deliveries
from connector.store.unit_of_work import Store
from connector.worker import Chore, Lane, Worker, WorkerRunning, hold, pause_after, run_due
from tests.conftest import FakeClock
from tests.flow.ingesting import make_context, rows, social_case
from tests.flow.test_ingest import count, post

SOON = 20.0
HOLDER = """
import sys
from pathlib import Path
from connector.worker import hold
held = hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def ctx(any_store: Store, clock: FakeClock) -> Context:
    """A context with every shipped source and no CRM."""
    return make_context(any_store, clock)


def settled(ctx: Context) -> bool:
    """Whether nothing waits in the inbox."""
    return all(each["state"] != "new" for each in rows(ctx.store, deliveries))


def wait_for(holds: Any, seconds: float = SOON) -> bool:
    """Whether the condition came true in time."""
    pause = Event()
    for _ in range(int(seconds / 0.02)):
        if holds():
            return True
        pause.wait(0.02)
    return False


def test_a_worker_takes_in_what_waits_and_what_comes_and_ends_within_seconds(ctx: Context) -> None:
    post(ctx, social_case(1))
    worker = Worker(ctx)
    worker.start()
    try:
        assert wait_for(lambda: settled(ctx))
        post(ctx, social_case(2))
        worker.kick()
        assert wait_for(lambda: settled(ctx))
        assert worker.is_alive
    finally:
        assert worker.stop()
    assert not worker.is_alive


def test_a_second_worker_on_sqlite_is_refused_with_one_sentence(store: Store, clock: FakeClock) -> None:
    ctx = make_context(store, clock)
    first = Worker(ctx)
    first.start()
    try:
        with pytest.raises(WorkerRunning, match="Another worker already works on this SQLite store: stop it, or"):
            Worker(ctx).start()
    finally:
        first.stop()
    again = Worker(ctx)
    again.start()
    assert again.stop()


def test_a_worker_that_was_killed_leaves_no_lock_behind(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(WorkerRunning):
            hold(path)
        other.kill()
        other.wait()
        hold(path).close()


@pytest.mark.postgres
def test_several_workers_share_a_postgresql_store(postgres_store: Store, clock: FakeClock) -> None:
    ctx = make_context(postgres_store, clock)
    assert lock_file(ctx) is None
    twin = replace(ctx, sources={**ctx.sources, "twin": replace(ctx.sources["social_case"], name="twin")})
    workers = [Worker(twin), Worker(twin)]
    for worker in workers:
        worker.start()
    try:
        for number in range(40):
            post(twin, social_case(number, by=f"c{number % 4}"))
            with twin.store.begin() as uow:  # the same thread by a second source, so that both workers meet in it
                twice = social_case(number + 100, by=f"c{number % 4}")
                uow.connection.execute(
                    deliveries.insert().values(source="twin", key=f"t{number}", received_at=1, body=_body(twice))
                )
        assert wait_for(lambda: settled(twin), 60)
    finally:
        stopped = [worker.stop() for worker in workers]
    assert stopped == [True, True]
    assert sorted(each["inbound_touches"] for each in rows(postgres_store, cases)) == [20, 20, 20, 20]
    assert list_items(twin) == []


def _body(item: Any) -> bytes:
    return json.dumps([item]).encode()


@pytest.mark.postgres
def test_a_hint_from_another_process_wakes_the_lane(postgres_store: Store, clock: FakeClock) -> None:
    ctx = make_context(postgres_store, clock)
    heard: list[str] = []
    ready = Event()

    def stopped() -> bool:
        ready.set()
        return bool(heard)

    listener = Thread(target=hints.listen, args=(ctx, heard.append, stopped))
    listener.start()
    assert ready.wait(SOON)
    hints.Announcer(ctx).stored()
    listener.join(SOON)
    assert heard == [hints.INGEST]


def test_on_sqlite_nobody_needs_hints(store: Store, clock: FakeClock) -> None:
    ctx = make_context(store, clock)
    hints.Announcer(ctx).stored()
    heard: list[str] = []
    hints.listen(ctx, heard.append, lambda: False)
    assert heard == []


def test_a_lane_goes_on_after_an_error_and_is_woken_by_a_kick() -> None:
    stopping, calls, third = Event(), [0], Event()

    def step() -> float:
        calls[0] += 1
        if calls[0] == 1:
            raise StoreBusy(retry_after=0.01)
        if calls[0] == 3:
            third.set()
        return 3600

    lane = Lane("test", step, stopping, lambda _work, _error: None)
    lane.start()
    assert wait_for(lambda: calls[0] == 2)
    lane.kick()
    assert third.wait(SOON)
    stopping.set()
    lane.kick()
    assert lane.join(SOON)
    assert lane.failures == 0


@pytest.mark.parametrize(
    ("error", "failures", "seconds"),
    [
        (CrmUnavailable(retry_after=7), 1, 7),
        (CrmUnavailable(retry_after=700), 1, 60),
        (CrmUnavailable(), 1, 1),
        (CrmUnavailable(), 3, 4),
        (CrmUnavailable(), 30, 60),
        (Misconfigured(), 1, 30),
        (ZeroDivisionError(), 2, 2),
    ],
)
def test_a_lane_rests_longer_the_more_often_it_failed(error: Exception, failures: int, seconds: float) -> None:
    assert pause_after(error, failures) == seconds


def test_a_chore_that_fails_keeps_no_other_from_its_turn() -> None:
    done: list[str] = []

    def fails() -> None:
        done.append("fails")
        raise StoreBusy

    told: list[tuple[str, str]] = []
    chores = [Chore("a", 3600, fails), Chore("b", 3600, lambda: done.append("b"))]
    for now in (100.0, 105.0, 160.0):
        run_due(chores, now, lambda work, error: told.append((work, type(error).__name__)))
    assert done == ["fails", "b", "fails"]
    assert told == [("a", "StoreBusy"), ("b", "NoneType"), ("a", "StoreBusy")]


def test_a_busy_store_hands_the_batch_back_and_the_lane_waits(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    post(ctx, social_case(1))

    def busy(*_: Any) -> Any:
        raise StoreBusy

    monkeypatch.setattr(ingest, "work", busy)
    with pytest.raises(StoreBusy):
        Worker(ctx)._ingest()
    [row] = rows(ctx.store, deliveries)
    assert (row["state"], row["claim"], row["attempts"]) == ("new", None, 1)


def test_a_store_away_for_a_moment_does_not_keep_a_source_from_being_worked_on(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settling fails, and so does giving back at first: the claim must not hold the source until its lease lapses."""
    post(ctx, social_case(1))
    settle, away = inbox.settle, [StoreBusy(), StoreBusy(), StoreBusy()]

    def settle_later(*about: Any) -> Any:
        if away:
            raise away.pop()
        return settle(*about)

    monkeypatch.setattr(inbox, "settle", settle_later)
    monkeypatch.setattr(insisting, "WAITS", (0, 0))
    with pytest.raises(StoreBusy):
        Worker(ctx)._ingest()
    [row] = rows(ctx.store, deliveries)
    assert (away, row["state"], row["claim"]) == ([], "new", None)


def test_what_a_killed_worker_held_is_given_back_when_the_next_one_starts(store: Store, clock: FakeClock) -> None:
    ctx = make_context(store, clock)
    post(ctx, social_case(1))
    assert ingest.claim(ctx) is not None
    assert give_back_expired(ctx).given_back == 0
    worker = Worker(ctx)
    worker.start()
    try:
        assert wait_for(lambda: settled(ctx))
    finally:
        worker.stop()
    assert count(store, deliveries) == 1


def test_retention_forgets_bodies_then_deliveries_but_nothing_that_waits_for_a_person(
    ctx: Context, clock: FakeClock
) -> None:
    kept = post(ctx, {"not": "an event"})
    gone = post(ctx, social_case(1))
    while ingest.ingest_once(ctx).claimed:
        pass
    with ctx.store.begin() as uow:
        uow.connection.execute(update(deliveries).values(settled_at=1))
    clock.now = clock.now.replace(year=1970, month=2, day=10)
    assert forget_old(ctx).bodies == 1
    bodies = {each["id"]: each["body"] for each in rows(ctx.store, deliveries)}
    assert bodies[gone] is None
    assert bodies[kept] is not None
    clock.now = clock.now.replace(year=1972)
    assert forget_old(ctx).deliveries == 1
    assert [each["id"] for each in rows(ctx.store, deliveries)] == [kept]
