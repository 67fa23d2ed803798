"""When the store cannot take a delivery, its sender is told to send again, and never that it was taken."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event, text

from connector.errors import StoreBusy
from connector.flows.receive import Answer, Receiver
from connector.store import unit_of_work
from connector.store.accept import GroupCommit, NewDelivery
from connector.store.unit_of_work import Store, open_store
from tests.conftest import FakeClock
from tests.web.intake import NOW, PUBLIC_URL, signed, sources


@contextmanager
def receiving(store: Store, cap: int = 100_000) -> Iterator[Callable[[bytes], Answer]]:
    """Sends a delivery with this body and gives the answer."""
    receiver = Receiver(store, sources(), FakeClock(NOW), PUBLIC_URL, cap)

    def send(body: bytes) -> Answer:
        ask = signed("messenger", body)
        return receiver.receive("messenger", method="POST", query="", headers=ask.headers, body=body)

    yield send
    receiver.close()


def bodies(store: Store) -> set[bytes]:
    with store.read() as connection:
        return {bytes(body) for body in connection.execute(text("SELECT body FROM deliveries")).scalars()}


def come_again(answer: Answer) -> bool:
    return answer.status == 503 and int(answer.headers["Retry-After"]) > 0


def test_a_full_disk_is_503_and_never_200(store: Store) -> None:
    with store.read() as connection:
        pages = connection.execute(text("PRAGMA page_count")).scalar_one()
    store.close()

    @event.listens_for(store.engine, "connect")
    def small_disk(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages + 20}")

    sent = [b"%d " % number + b"x" * 3000 for number in range(60)]
    with receiving(store) as send:
        answers = [send(body) for body in sent]
    taken = {body for body, answer in zip(sent, answers, strict=True) if answer.status == 200}
    assert 0 < len(taken) < 60
    assert all(come_again(answer) for answer in answers if answer.status != 200)
    assert bodies(store) == taken


def test_a_read_only_file_is_503(store: Store) -> None:
    @event.listens_for(store.engine, "connect")
    def read_only(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA query_only=ON")

    with receiving(store) as send:
        assert come_again(send(b"{}"))
    assert bodies(store) == set()


def test_a_store_held_by_another_process_is_503_until_it_is_free(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unit_of_work, "BUSY_TIMEOUT_MS", 20)
    impatient = open_store(store.engine.url.render_as_string(hide_password=False))
    holder = sqlite3.connect(tmp_path / "connector.db", isolation_level=None)
    with receiving(impatient) as send:
        holder.execute("BEGIN IMMEDIATE")
        assert come_again(send(b"{}"))
        holder.execute("COMMIT")
        assert send(b"{}").status == 200
    holder.close()
    impatient.close()


def test_a_store_that_was_never_migrated_is_503(tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path}/empty.db")
    with receiving(empty) as send:
        assert come_again(send(b"{}"))
    empty.close()


def test_a_database_that_is_away_is_503() -> None:
    away = open_store("postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=1")
    commit = GroupCommit(away)
    with pytest.raises(StoreBusy, match="busy or away"):
        commit.accept(NewDelivery("x", "k", 0, b""))
    commit.close()
    away.close()


def test_a_full_inbox_is_503_and_a_copy_of_what_is_there_too(any_store: Store) -> None:
    with receiving(any_store, cap=2) as send:
        statuses = [send(b"%d" % number).status for number in range(4)]
    assert statuses == [200, 200, 503, 503]
    assert bodies(any_store) == {b"0", b"1"}


def test_the_same_delivery_at_once_by_ten_is_one_row(any_store: Store) -> None:
    with receiving(any_store) as send, ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, [b"{}"] * 10))
    assert {(answer.status, answer.body) for answer in answers} == {(200, b"")}
    with any_store.read() as connection:
        assert connection.execute(text("SELECT duplicates FROM deliveries")).scalar_one() == 9


@pytest.mark.postgres
def test_connections_that_the_server_ended_cost_no_delivery(postgres_store: Store) -> None:
    with receiving(postgres_store) as send:
        assert send(b"before").status == 200
        with postgres_store.begin() as uow:
            uow.connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND application_name = current_setting('application_name')"
                )
            )
        assert [send(b"%d" % number).status for number in range(12)] == [200] * 12
    assert bodies(postgres_store) == {b"before", *(b"%d" % number for number in range(12))}
