"""The inbox on both databases: stored once, claimed in order, fenced, shelved, forgotten in time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from queue import Queue
from threading import Barrier

import pytest
from sqlalchemy import select, text

from connector.errors import Conflict, StoreBusy
from connector.store import inbox, shelf
from connector.store.accept import DepthCap
from connector.store.inbox import DeliveryRow, GroupCommit, NewDelivery, Settlement, Settling
from connector.store.tables import deliveries
from connector.store.unit_of_work import Store


def new(key: str, source: str = "x", body: bytes = b"{}") -> NewDelivery:
    return NewDelivery(source=source, key=key, received_at=1_769_850_000_000, body=body)


def deliver(store: Store, *wanted: NewDelivery) -> list[bool]:
    commit = GroupCommit(store)
    stored = [commit.accept(each) for each in wanted]
    commit.close()
    return stored


def claim(store: Store, limit: int = 200, lease: float = 60) -> list[DeliveryRow]:
    with store.begin() as uow:
        return inbox.claim(uow, limit, lease)


def settle(store: Store, rows: list[DeliveryRow], outcome: Settling = Settling.DONE, wait: float | None = None) -> int:
    with store.begin() as uow:
        return inbox.settle(uow, rows[0].claim, [Settlement(row.id, outcome, "why", wait) for row in rows])


def states(store: Store) -> list[str]:
    with store.read() as connection:
        return list(connection.execute(select(deliveries.c.state).order_by(deliveries.c.id)).scalars())


def test_a_delivery_is_stored_once_and_its_copies_are_counted(any_store: Store) -> None:
    assert deliver(any_store, new("k"), new("k"), new("k", source="y"), new("k")) == [True, False, True, False]
    with any_store.read() as connection:
        rows = connection.execute(select(deliveries.c.source, deliveries.c.duplicates).order_by(deliveries.c.id))
        assert [tuple(row) for row in rows] == [("x", 2), ("y", 0)]


def test_the_body_is_kept_byte_for_byte(any_store: Store) -> None:
    body = bytes(range(256)) + b'\x00{"text": "\\ud800"}'
    deliver(any_store, new("k", body=body))
    assert claim(any_store)[0].body == body


def test_the_same_delivery_sent_at_once_by_ten_is_stored_once(any_store: Store) -> None:
    commit = GroupCommit(any_store)
    start = Barrier(10)

    def send(_: int) -> bool:
        start.wait()
        return commit.accept(new("same"))

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, range(10)))
    commit.close()
    assert sorted(answers) == [False] * 9 + [True]
    assert states(any_store) == ["new"]


def test_every_row_of_many_threads_is_there(any_store: Store) -> None:
    commit = GroupCommit(any_store)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda number: commit.accept(new(f"k{number}")), range(300)))
    commit.close()
    assert all(answers)
    assert len(states(any_store)) == 300


def test_a_writer_in_between_and_the_intake_take_turns(store: Store) -> None:
    commit = GroupCommit(store)

    def work(number: int) -> bool:
        if number % 10:
            return commit.accept(new(f"k{number}"))
        with store.begin() as uow:
            uow.connection.execute(text("UPDATE deliveries SET error = 'seen'"))
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(200)))
    commit.close()
    assert len(states(store)) == 180


def test_the_error_of_a_group_reaches_every_request_in_it(store: Store) -> None:
    commit = GroupCommit(store)
    commit.accept(new("before"))
    with store.begin() as uow:
        uow.connection.execute(text("ALTER TABLE deliveries RENAME TO elsewhere"))
    start = Barrier(8)

    def send(number: int) -> str:
        start.wait()
        try:
            commit.accept(new(f"k{number}"))
        except StoreBusy as error:
            return error.code
        return "stored"

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(8))) == {"store_busy"}
    with store.begin() as uow:
        uow.connection.execute(text("ALTER TABLE elsewhere RENAME TO deliveries"))
    assert commit.accept(new("after"))
    commit.close()
    assert len(states(store)) == 2


def test_deliveries_are_claimed_in_the_order_of_arrival(any_store: Store) -> None:
    deliver(any_store, *(new(f"k{number}") for number in range(5)))
    first = claim(any_store, limit=3)
    settle(any_store, first)
    assert [row.id for row in first + claim(any_store)] == [1, 2, 3, 4, 5]


def test_large_bodies_come_a_few_at_a_time_so_that_a_round_fits_into_memory(
    any_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "CLAIM_BYTES", 10)
    deliver(any_store, *(new(str(size), body=b"x" * size) for size in (4, 5, 3, 12, 1)))
    claims = []
    while rows := claim(any_store):
        claims.append([len(row.body) for row in rows])
        settle(any_store, rows)
    assert claims == [[4, 5], [3], [12], [1]]


def test_one_claim_at_a_time_holds_a_source_and_others_go_on(any_store: Store) -> None:
    deliver(any_store, new("1", "x"), new("2", "x"), new("3", "y"))
    held = claim(any_store, limit=1)
    assert [row.source for row in claim(any_store)] == ["y"]
    assert claim(any_store) == []
    settle(any_store, held)
    assert [row.source for row in claim(any_store)] == ["x"]


def test_a_stale_worker_settles_nothing(any_store: Store) -> None:
    deliver(any_store, new("k"))
    stale = claim(any_store, lease=-1)
    with any_store.begin() as uow:
        assert inbox.release_expired(uow).given_back == 1
    fresh = claim(any_store)
    assert [settle(any_store, stale, outcome) for outcome in Settling] == [0, 0, 0]
    assert settle(any_store, fresh) == 1
    assert states(any_store) == ["done"]


def test_a_running_lease_is_left_alone_unless_the_only_worker_starts(any_store: Store) -> None:
    deliver(any_store, new("k"))
    claim(any_store)
    with any_store.begin() as uow:
        assert inbox.release_expired(uow).given_back == 0
        assert inbox.release_expired(uow, everything=True).given_back == 1


def test_a_delivery_that_ends_its_worker_three_times_is_dead(any_store: Store) -> None:
    deliver(any_store, new("k"))
    poisoned = []
    for _ in range(3):
        claim(any_store, lease=-1)
        with any_store.begin() as uow:
            poisoned.append(inbox.release_expired(uow).poisoned)
    assert poisoned == [0, 0, 1]
    assert claim(any_store) == []
    assert states(any_store) == ["dead"]


def test_a_delivery_that_failed_waits_and_others_pass(any_store: Store) -> None:
    deliver(any_store, new("1"), new("2"))
    settle(any_store, claim(any_store, limit=1), Settling.RETRY, wait=3600)
    assert [row.id for row in claim(any_store)] == [2]
    with any_store.begin() as uow:
        uow.connection.execute(text("UPDATE deliveries SET run_at = 0, claim = NULL WHERE id = 1"))
        inbox.release_expired(uow, everything=True)
    assert claim(any_store)[0].attempts == 1


def test_items_go_to_the_shelf_and_back_into_work(any_store: Store) -> None:
    deliver(any_store, new("k"))
    rows = claim(any_store)
    with any_store.begin() as uow:
        for reason in ("first", "second"):
            inbox.shelve(uow, rows[0].id, "x", "$.entry[0]", reason=reason, detail="no time", cure="Add a rule.")
    settle(any_store, rows)
    with any_store.read() as connection:
        (item,) = shelf.items(connection)
        assert shelf.counts(connection) == [("x", "second", 1)]
    with any_store.begin() as uow:
        assert shelf.retry(uow, [item["id"]], by="ana") == 1
        assert shelf.retry(uow, [item["id"]], by="ana") == 0
    assert [row.id for row in claim(any_store)] == [1]
    with any_store.begin() as uow:
        shelf.shelve(uow, 1, "x", "$.entry[0]", reason="again", detail="no time", cure="Add a rule.")
        assert shelf.drop(uow, [item["id"]], by="ana") == 1
    with any_store.read() as connection:
        found = shelf.find(connection, item["id"])
    assert found is not None
    assert (found["state"], found["settled_by"], found["reason"]) == ("dropped", "ana", "again")


def test_dead_deliveries_are_listed_and_settled_by_a_person(any_store: Store) -> None:
    deliver(any_store, new("1"), new("2"))
    settle(any_store, claim(any_store), Settling.DEAD)
    with any_store.read() as connection:
        assert [row["id"] for row in shelf.dead(connection)] == [1, 2]
    with any_store.begin() as uow:
        assert shelf.drop_deliveries(uow, [1]) == 1
        assert shelf.retry_deliveries(uow, [2]) == 1
    assert states(any_store) == ["done", "new"]


def test_bodies_go_first_and_keys_later_but_nothing_that_waits_for_a_person(any_store: Store) -> None:
    deliver(any_store, *(new(str(number)) for number in range(4)))
    rows = claim(any_store)
    with any_store.begin() as uow:
        shelf.shelve(uow, 2, "x", "$", reason="r", detail="d", cure="c")
    settle(any_store, rows[:2])
    settle(any_store, rows[2:3], Settling.DEAD)
    later = 4_000_000_000_000
    with any_store.begin() as uow:
        assert inbox.prune(uow, bodies_before=0, keys_before=0) == (0, 0)
        assert inbox.prune(uow, bodies_before=later, keys_before=0) == (1, 0)
    assert deliver(any_store, new("0")) == [False], "the key still tells a copy"
    with any_store.begin() as uow:
        assert inbox.prune(uow, bodies_before=later, keys_before=later) == (0, 1)
    assert len(states(any_store)) == 3


def test_retention_goes_in_pieces_the_oldest_first(any_store: Store) -> None:
    deliver(any_store, *(new(str(number)) for number in range(3)))
    settle(any_store, claim(any_store))
    with any_store.begin() as uow:
        uow.connection.execute(text("UPDATE deliveries SET settled_at = 10 - id"))
    pieces = []
    for _ in range(3):
        with any_store.begin() as uow:
            pieces.append(inbox.prune(uow, bodies_before=10, keys_before=0, limit=2))
    assert pieces == [(2, 0), (1, 0), (0, 0)]
    with any_store.begin() as uow:
        assert inbox.prune(uow, bodies_before=10, keys_before=10, limit=2) == (0, 2)
        assert list(uow.connection.execute(text("SELECT id FROM deliveries")).scalars()) == [1], "settled last"


def test_an_item_whose_body_is_gone_cannot_be_replayed(any_store: Store) -> None:
    deliver(any_store, new("k"))
    with any_store.begin() as uow:
        uow.connection.execute(text("UPDATE deliveries SET body = NULL, state = 'done'"))
        shelf.shelve(uow, 1, "x", "$", reason="r", detail="d", cure="c")
    with pytest.raises(Conflict, match="no longer kept"), any_store.begin() as uow:
        shelf.retry(uow, [1], by="ana")
    with pytest.raises(Conflict, match="no longer kept"), any_store.begin() as uow:
        shelf.retry_deliveries(uow, [1])


def test_a_full_inbox_says_so_and_takes_again_when_there_is_room(any_store: Store) -> None:
    commit = GroupCommit(any_store, cap=DepthCap(2, look_every_seconds=0))
    assert commit.accept(new("1"))
    assert commit.accept(new("2"))
    with pytest.raises(StoreBusy, match="inbox is full") as caught:
        commit.accept(new("3"))
    assert caught.value.retry_after
    settle(any_store, claim(any_store, limit=1))
    assert commit.accept(new("4"))
    settle(any_store, claim(any_store, limit=1))
    commit.close()
    with any_store.read() as connection:
        assert inbox.depth(connection) == 1
        assert inbox.oldest_seconds(connection) > 0


def test_between_two_looks_the_cap_counts_what_it_let_through() -> None:
    cap = DepthCap(3, clock=lambda: 0.0)
    for _ in range(3):
        cap.check(lambda: 0)
    with pytest.raises(StoreBusy):
        cap.check(lambda: 0)


def test_a_submitted_delivery_is_told_when_it_is_on_disk_and_the_worker_hears_of_new_ones(any_store: Store) -> None:
    heard: list[str] = []
    commit = GroupCommit(any_store, on_stored=lambda: heard.append("new"))
    told: Queue[bool | StoreBusy] = Queue()
    commit.submit(new("k"), told.put)
    assert told.get(timeout=20) is True
    commit.submit(new("k"), told.put)
    assert told.get(timeout=20) is False
    commit.close()
    assert heard == ["new"]
    assert states(any_store) == ["new"]
