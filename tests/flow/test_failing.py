"""What fails each time is known to every process that looks, until it goes well again or its worker has ended."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from connector.flows import ingest
from connector.flows.context import Context
from connector.flows.failing import SILENT_MS, Failures, lasting_failures
from connector.store.crm_state import read_states
from connector.store.tables import crm_state
from connector.store.unit_of_work import Store
from connector.worker import Worker
from tests.conftest import FakeClock
from tests.flow.ingesting import make_context
from tests.flow.test_worker import wait_for


@pytest.fixture
def ctx(any_store: Store, clock: FakeClock) -> Context:
    """A context with every shipped source and no CRM."""
    return make_context(any_store, clock)


def lasting(ctx: Context) -> list[tuple[str, int, str]]:
    with ctx.store.read() as connection:
        return [(each.work, each.times, each.words) for each in lasting_failures(connection)]


def told(ctx: Context) -> dict[str, Any]:
    with ctx.store.read() as connection:
        return read_states(connection, "worker:")


def minutes_pass(ctx: Context, minutes: int, *, in_silence: bool = False) -> None:
    """As if everything told so far had been told so long ago; in silence, nobody has said a word since."""
    with ctx.store.begin() as uow:
        for row in uow.connection.execute(select(crm_state).where(crm_state.c.name.like("worker:%"))).all():
            value = orjson.loads(row.value)
            for each in value["failing"]:
                each["since"] -= minutes * 60_000
            changed_at = row.changed_at - (SILENT_MS + 1 if in_silence else 0)
            values = {"value": orjson.dumps(value).decode(), "changed_at": changed_at}
            uow.connection.execute(update(crm_state).where(crm_state.c.name == row.name).values(**values))


def test_what_fails_for_a_minute_is_told_until_it_goes_well_again(ctx: Context) -> None:
    failures = Failures(ctx)
    failures.note("sync", "crm_unavailable", "The CRM is away.")
    assert lasting(ctx) == []
    minutes_pass(ctx, 2)
    assert lasting(ctx) == [("sync", 1, "The CRM is away.")]
    failures.over("ingest")
    failures.over("sync")
    assert (lasting(ctx), told(ctx)) == ([], {})


def test_one_workers_luck_does_not_hide_what_fails_in_another(ctx: Context) -> None:
    first, second = Failures(ctx), Failures(ctx)
    first.note("sync", "crm_unavailable", "First.")
    first.note("sync", "crm_unavailable", "Again.")
    minutes_pass(ctx, 3)
    second.note("sync", "crm_unavailable", "Second.")
    minutes_pass(ctx, 2)
    second.over("sync")
    assert lasting(ctx) == [("sync", 2, "Again.")]


def test_a_worker_that_ended_without_a_word_is_not_waited_for(ctx: Context) -> None:
    Failures(ctx).note("sync", "crm_unavailable", "The CRM is away.")
    minutes_pass(ctx, 9, in_silence=True)
    assert lasting(ctx) == []
    Failures(ctx).begin(alone=False)
    assert told(ctx) == {}


def test_the_only_worker_of_a_store_begins_with_a_clean_slate(ctx: Context) -> None:
    Failures(ctx).note("sync", "crm_unavailable", "The CRM is away.")
    Failures(ctx).begin(alone=True)
    assert told(ctx) == {}


def test_a_lane_that_raises_each_time_is_known_outside_its_process_and_no_customers_words_with_it(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise ValueError("what a customer wrote")

    monkeypatch.setattr(ingest, "claim", broken)
    worker = Worker(ctx)
    worker.start()
    try:
        assert wait_for(lambda: told(ctx))
        minutes_pass(ctx, 2)
        [(work, _, words)] = lasting(ctx)
    finally:
        worker.stop()
    assert work == "ingest"
    assert words.startswith("ValueError at test_failing.py:")
    assert "customer" not in words
    assert told(ctx) == {}, "a worker that ends says so"


def test_a_chore_of_the_schedule_that_fails_each_time_is_told_by_its_name(ctx: Context) -> None:
    worker = Worker(ctx)
    for chore in worker._chores:
        if chore.name == "consent":
            chore.do = _broken
    worker._schedule()
    minutes_pass(ctx, 2)
    assert [work for work, _, _ in lasting(ctx)] == ["consent"]


def _broken() -> None:
    raise KeyError
