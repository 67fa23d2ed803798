"""From stored bodies to rows and outbox: every shipped source, bad items, replays, crashes and poison."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import event, func, select, text, update

from connector.domain.channels import CONTENT, Kind
from connector.domain.events import to_millis
from connector.domain.keys import derive_id
from connector.errors import StoreBusy
from connector.flows import applying, ingest, operate
from connector.flows.context import Context
from connector.flows.ingest import IngestReport, ingest_once
from connector.flows.shelves import count_items, list_dead, list_items, retry_all, show_delivery, show_item
from connector.store.inbox import GroupCommit, NewDelivery
from connector.store.shelf import retry_deliveries
from connector.store.tables import cases, deliveries, events, interactions, outbox, shelf, social_profiles
from connector.store.unit_of_work import Store
from connector.worker import Worker
from tests.conftest import FakeClock
from tests.flow.ingesting import NAMESPACE, NOON, end_state, fixtures, make_context, rows, social_case

BODIES = fixtures()
SHIPPED = sorted({each.source for each in BODIES})
CONTENT_WORDS = {each.value for each in CONTENT}


@pytest.fixture
def ctx(store: Store, clock: FakeClock) -> Context:
    """A context with every shipped source."""
    return make_context(store, clock)


def deliver(ctx: Context, source: str, body: bytes, content_type: str = "application/json", headers: str = "{}") -> int:
    """The id of a body stored as the intake would, without asking for a proof."""
    commit = GroupCommit(ctx.store)
    key = sha256(body).hexdigest()
    commit.accept(NewDelivery(source, key, to_millis(NOON), body, content_type, headers))
    commit.close()
    return int(rows(ctx.store, deliveries, source=source, key=key)[0]["id"])


def post(ctx: Context, *items: Any) -> int:
    """The id of a delivery of generic social cases."""
    return deliver(ctx, "social_case", json.dumps(list(items)).encode())


def ingest_all(ctx: Context) -> IngestReport:
    """Works until nothing waits."""
    total = IngestReport()
    while (report := ingest_once(ctx)).claimed:
        total += report
    return total


def count(store: Store, table: Any) -> int:
    """How many rows a table has."""
    with store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def everything(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Every row that ingestion made."""
    with store.read() as connection:
        return end_state(connection)


@pytest.mark.parametrize("source", SHIPPED)
def test_the_bodies_of_every_shipped_source_become_rows_and_outbox(ctx: Context, source: str) -> None:
    expected = [each for body in BODIES if body.source == source for each in body.expected["events"]]
    failures = sum(len(body.expected.get("failures", ())) for body in BODIES if body.source == source)
    for body in BODIES:
        if body.source == source:
            deliver(ctx, source, body.body, body.content_type, body.headers)
    ingest_all(ctx)

    unknown = sum(each["kind"] == Kind.UNKNOWN for each in expected)
    assert count(ctx.store, shelf) == failures + unknown
    said = {each["id"]: each for each in rows(ctx.store, interactions) if each["kind"] is not None}
    for each in expected:
        if each["kind"] in CONTENT_WORDS and each.get("item_id"):
            key = derive_id(NAMESPACE, "interaction", each["network"], each.get("scope", ""), each["item_id"])
            assert key in said, each["kind"]
    _check_cases(ctx.store, list(said.values()))


def _check_cases(store: Store, said: list[dict[str, Any]]) -> None:
    queued = {(each["object"], each["external_key"]): each["parent_key"] for each in rows(store, outbox)}
    opened = {each["id"]: each for each in rows(store, cases)}
    profiles = {each["id"]: each for each in rows(store, social_profiles)}
    for case in opened.values():
        members = [each for each in said if each["case_id"] == case["id"]]
        assert any(each["direction"] == "inbound" for each in members), "the brand opened a case"
        assert queued[("Case", case["id"])] == case["profile_id"]
        if case["profile_id"] is not None:
            assert ("Social_Profile__c", case["profile_id"]) in queued
            assert profiles[case["profile_id"]]["network"] == case["network"]
    for each in said:
        if each["direction"] == "inbound" and each["author_role"] == "customer" and each["kind"] != "ticket_comment":
            assert each["case_id"] in opened
            assert opened[each["case_id"]]["profile_id"] == each["profile_id"]
        if each["case_id"] is not None:
            assert queued[("Channel_Interaction__c", each["id"])] == each["case_id"]


def test_working_on_every_delivery_a_second_time_changes_nothing(ctx: Context) -> None:
    ids = [deliver(ctx, each.source, each.body, each.content_type, each.headers) for each in BODIES]
    first = ingest_all(ctx)
    before, applied = everything(ctx.store), count(ctx.store, events)
    assert first.events == applied > 100
    with ctx.store.begin() as uow:
        retry_deliveries(uow, ids)
    again = ingest_all(ctx)
    assert again.events == 0
    assert everything(ctx.store) == before


def test_one_bad_item_costs_the_others_nothing(ctx: Context) -> None:
    bad = social_case(2)
    del bad["data"]["network"]
    delivery = post(ctx, social_case(1), bad, social_case(3))
    report = ingest_once(ctx)
    assert (report.events, report.shelved, report.settled) == (2, 1, 1)
    [item] = list_items(ctx)
    assert (item.delivery_id, item.item_path, item.reason) == (delivery, "$[1]", "network_unknown")
    assert item.cure
    assert show_delivery(ctx, delivery).state == "done"
    assert count_items(ctx) == [("social_case", "network_unknown", 1)]


def test_an_unreadable_body_is_one_shelf_item_and_its_body_stays_to_be_replayed(ctx: Context) -> None:
    deliver(ctx, "social_case", b"[{]")
    ingest_once(ctx)
    [item] = list_items(ctx, reason="payload_unreadable")
    assert item.item_path == "$"
    assert show_item(ctx, item.id)[1].body == b"[{]"


def test_a_delivery_of_a_source_that_is_gone_waits_on_the_shelf(ctx: Context) -> None:
    deliver(ctx, "former", b"{}")
    ingest_once(ctx)
    assert [each.reason for each in list_items(ctx, source="former")] == ["source_unknown"]


def test_replaying_the_shelf_works_on_the_stored_body_again(ctx: Context) -> None:
    bad = social_case(2)
    del bad["data"]["network"]
    post(ctx, social_case(1), bad)
    ingest_once(ctx)
    before = everything(ctx.store)
    assert retry_all(ctx, "ann", source="social_case", reason="network_unknown") == 1
    assert list_items(ctx) == []
    again = ingest_once(ctx)
    assert (again.events, again.duplicates, again.shelved) == (0, 1, 1)
    assert [each.item_path for each in list_items(ctx)] == ["$[1]"]
    assert everything(ctx.store) == before


def test_a_dropped_item_is_settled(ctx: Context) -> None:
    deliver(ctx, "social_case", b"[{]")
    ingest_once(ctx)
    [item] = list_items(ctx)
    operate.drop_items(ctx, [item.id], "ann")
    assert list_items(ctx) == []
    assert [each.settled_by for each in list_items(ctx, state="dropped")] == ["ann"]


class Wired:
    """Breaks a statement on its way to the database, as often as a test asks."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.left = 0

    def on(self, words: str, error: Callable[[], Exception], times: int = 1) -> None:
        """The next statements holding these words fail."""
        self.left = times

        def fail(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            if words in statement and self.left:
                self.left -= 1
                raise error()

        event.listen(self.store.engine, "before_cursor_execute", fail)


@pytest.fixture
def wired(store: Store) -> Iterator[Wired]:
    """The store's wire."""
    yield Wired(store)
    store.close()


class Broken(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize(
    "words", ["INSERT INTO cases", "INSERT INTO interactions", "INSERT INTO outbox", "UPDATE deliveries"]
)
def test_a_crash_in_mid_batch_leaves_nothing_and_the_next_round_does_all(
    ctx: Context, wired: Wired, words: str
) -> None:
    post(ctx, social_case(1), social_case(2), social_case(3, by="c2"))
    batch = ingest.claim(ctx)
    assert batch is not None
    wired.on(words, Broken)
    with pytest.raises(Broken):
        ingest.work(ctx, batch)
    assert count(ctx.store, interactions) == count(ctx.store, events) == count(ctx.store, outbox) == 0
    assert ingest.work(ctx, batch).events == 3
    assert count(ctx.store, cases) == 2


def test_what_the_store_refuses_goes_to_the_shelf_alone(any_store: Store, clock: FakeClock) -> None:
    ctx = make_context(any_store, clock)
    items = [social_case(number, by=f"c{number}") for number in range(40)]
    items[17]["data"]["message"]["duration_seconds"] = 5
    with any_store.begin() as uow:  # an interaction that another hand put there under the same natural key
        uow.connection.execute(
            interactions.insert().values(
                id="stray", origin="crm", channel="community", network="community", item_id="m-17-c17", received_at=1
            )
        )
    post(ctx, *items)
    report = ingest_once(ctx)
    assert (report.events, report.shelved) == (39, 1)
    [item] = list_items(ctx)
    assert (item.item_path, item.reason) == ("$[17]", "event_invalid")
    assert count(any_store, cases) == 39


def test_an_unforeseen_error_is_set_aside_by_the_worker_and_the_rest_is_through(
    ctx: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = applying.apply_events

    def fragile(uow: Any, desk: Any, arrivals: Any) -> Any:
        if any(each.path == "$[1]" for each in arrivals):
            raise ZeroDivisionError("Ada Byron, +44 7700 900123")
        return genuine(uow, desk, arrivals)

    monkeypatch.setattr(ingest, "apply_events", fragile)
    post(ctx, social_case(1), social_case(2), social_case(3))
    Worker(ctx)._ingest()
    [item] = list_items(ctx)
    assert (item.item_path, item.reason) == ("$[1]", "unforeseen")
    assert "ZeroDivisionError" in item.detail
    assert "Ada" not in item.detail
    assert count(ctx.store, events) == 2


def test_a_round_that_is_broken_off_hands_its_deliveries_back(ctx: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    post(ctx, social_case(1))

    def broken(*_: Any) -> Any:
        raise Broken

    monkeypatch.setattr(ingest, "apply_events", broken)
    with pytest.raises(Broken):
        ingest_once(ctx)
    [row] = rows(ctx.store, deliveries)
    assert (row["state"], row["claim"], row["attempts"]) == ("new", None, 1)


def test_a_worker_that_lost_its_lease_changes_nothing(ctx: Context) -> None:
    post(ctx, social_case(1))
    late = ingest.claim(ctx)
    assert late is not None
    with ctx.store.begin() as uow:
        uow.connection.execute(update(deliveries).values(claim="another"))
    with pytest.raises(StoreBusy):
        ingest.work(ctx, late)
    assert count(ctx.store, interactions) == 0


def test_a_delivery_that_ends_its_worker_three_times_is_parked(ctx: Context) -> None:
    delivery = post(ctx, social_case(1))
    for _ in range(3):
        assert ingest.claim(ctx) is not None
        with ctx.store.begin() as uow:
            uow.connection.execute(text("UPDATE deliveries SET lease_until = 1"))
        worker = Worker(ctx)
        worker._schedule()
    assert [each.id for each in list_dead(ctx)] == [delivery]
    assert ingest.claim(ctx) is None
