"""What the database refuses for what is in it goes to the shelf alone; what it refuses for its own reasons waits."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from sqlalchemy import text, update
from sqlalchemy.engine import make_url

from connector.domain.channels import Kind, Visibility
from connector.errors import StoreBusy
from connector.flows.ingest import ingest_once
from connector.flows.shelves import list_items
from connector.store import inbox
from connector.store.accept import GroupCommit, NewDelivery
from connector.store.rows import refusing
from connector.store.tables import deliveries, interactions
from connector.store.unit_of_work import Store, open_store
from tests.conftest import FakeClock
from tests.flow.ingesting import apply, make_context, rows, said, social_case


def wide(length: int) -> str:
    """Letters that take four bytes each and cannot be packed."""
    chance = random.Random(length)
    return "".join(chr(chance.randrange(0x10000, 0x1FFFF)) for _ in range(length))


def post(store: Store, *cases: Any) -> None:
    """Each case as a delivery of its own."""
    commit = GroupCommit(store)
    for number, case in enumerate(cases):
        commit.accept(NewDelivery("social_case", f"k{number}", 1, json.dumps([case]).encode(), "application/json"))
    commit.close()


@pytest.mark.postgres
def test_ids_beyond_what_an_index_takes_are_shelved_alone(postgres_store: Store, clock: FakeClock) -> None:
    """PostgreSQL says so by an operational error, as if it were a fault that passes."""
    ctx = make_context(postgres_store, clock)
    long = social_case(1, by=wide(512), kind="message", visibility="private")
    long["id"], long["data"]["account"]["id"] = "evt-long", wide(511)
    long["data"]["author"]["handle"] = "long"
    long["data"]["message"] |= {"id": "m-long", "thread_id": None}
    post(postgres_store, social_case(2), long, social_case(3))
    report = ingest_once(ctx)
    assert (report.settled, report.events, report.shelved) == (3, 2, 1)
    (item,) = list_items(ctx)
    assert "ProgramLimitExceeded" in item.detail


def test_a_message_id_longer_than_a_line_joins_nothing_and_loses_no_mail(any_store: Store) -> None:
    mail = {"kind": Kind.EMAIL, "network": "email", "visibility": Visibility.PRIVATE}
    apply(any_store, said("m1", 0, **mail, extra={"message_id": f"<{wide(5000)}@mail.example>"}))
    assert [each["reference"] for each in rows(any_store, interactions)] == [None]


def beside(store: Store, options: str = "") -> Store:
    """The same database through connections of its own, with these settings of the server."""
    url = make_url(store.engine.url)
    url = url.update_query_dict({"options": f"{url.query['options']} {options}"})
    return open_store(url.render_as_string(hide_password=False))


@pytest.mark.postgres
def test_a_standby_refuses_no_item_and_is_named_with_its_cure(postgres_store: Store) -> None:
    standby = beside(postgres_store, "-c default_transaction_read_only=on")
    commit = GroupCommit(standby)
    with pytest.raises(StoreBusy, match="as a standby does"), standby.begin() as uow, refusing(), uow.savepoint():
        uow.connection.execute(text("INSERT INTO installation VALUES ('a', 'b')"))
    with pytest.raises(StoreBusy, match="as a standby does"):
        commit.accept(NewDelivery("x", "k", 1, b"{}"))
    commit.close()
    standby.close()


@pytest.mark.postgres
def test_connections_to_what_has_become_a_standby_are_left(postgres_store: Store) -> None:
    store = beside(postgres_store)  # it has a single connection, which is the one that comes again
    with store.begin() as uow:
        uow.connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    with pytest.raises(StoreBusy, match="as a standby does"), store.begin() as uow:
        uow.connection.execute(text("INSERT INTO installation VALUES ('a', 'b')"))
    with store.begin() as uow:
        uow.connection.execute(text("INSERT INTO installation VALUES ('a', 'b')"))
    store.close()


@pytest.mark.postgres
@pytest.mark.parametrize("state", ["25P03", "XX001", "57014", "40001", "53100"])
def test_a_fault_of_the_server_is_no_fault_of_an_item(postgres_store: Store, state: str) -> None:
    fault = text(f"DO $$ BEGIN RAISE EXCEPTION 'at fault' USING ERRCODE = '{state}'; END $$")
    with pytest.raises(StoreBusy), postgres_store.begin() as uow, refusing(), uow.savepoint():
        uow.connection.execute(fault)


@pytest.mark.parametrize(("attempts", "together"), [(2, 30), (3, 3), (6, 1)])
def test_what_failed_again_and_again_goes_with_few_others_at_last_alone(
    any_store: Store, attempts: int, together: int
) -> None:
    post(any_store, *[social_case(number) for number in range(40)])
    with any_store.begin() as uow:
        uow.connection.execute(update(deliveries).values(attempts=attempts))
    with any_store.begin() as uow:
        assert len(inbox.claim(uow, 30)) == together
