"""Any history of deliveries, changes, claims, crashes, stale workers and replays leaves the queues in order."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import event, text

from connector.store import inbox, outbox, outbox_shelf, shelf
from connector.store.inbox import GroupCommit, NewDelivery
from connector.store.queues import POISON_TOUCHES
from connector.store.unit_of_work import Store

PARENTS = {"p1": None, "c1": "p1", "c2": "p1", "m1": "c1", "m2": "c1", "m3": "c2"}
OBJECTS = {"p": "Social_Profile__c", "c": "Case", "m": "Channel_Interaction__c"}
CHANGES = st.lists(st.sampled_from(sorted(PARENTS)), min_size=1, max_size=6)
LIMITS = st.sampled_from([1, 2, 30])


@dataclass
class Row:
    """What the model believes of one queue row."""

    state: str
    ver: int = 1
    sent_ver: int = 0
    touches: int = 0
    holder: str | None = None


@dataclass
class Held:
    """A worker's claim: the rows and the versions it was given."""

    claim: str
    rows: dict[Any, tuple[int, int]] = field(default_factory=dict)  # key -> (id, version)


class Queues(RuleBasedStateMachine):
    """The real queues beside a model that fits on one page."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.commit = GroupCommit(store)
        self.inbox: dict[tuple[str, str], Row] = {}
        self.outbox: dict[str, Row] = {}
        self.claims: list[tuple[str, Held]] = []
        with store.begin() as uow:
            uow.connection.execute(text("DELETE FROM deliveries"))
            uow.connection.execute(text("DELETE FROM outbox"))

    def teardown(self) -> None:
        self.commit.close()

    # Rules -----------------------------------------------------------------------------------------------------------

    @rule(source=st.sampled_from(["x", "line"]), keys=st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6))
    def deliver(self, source: str, keys: list[str]) -> None:
        for key in keys:
            stored = self.commit.accept(NewDelivery(source, key, 0, b"{}"))
            assert stored is ((source, key) not in self.inbox)
            self.inbox.setdefault((source, key), Row("new"))

    @rule(keys=CHANGES)
    def change(self, keys: list[str]) -> None:
        with self.store.begin() as uow:
            for key in keys:
                outbox.queue(uow, OBJECTS[key[0]], key, parent_key=PARENTS[key])
        for key in keys:
            row = self.outbox.setdefault(key, Row("pending", ver=0))
            if row.state != "pending":
                row.touches = 0
            row.ver += 1
            row.state = "pending"

    @rule(limit=LIMITS)
    def claim_deliveries(self, limit: int) -> None:
        busy = {source for (source, _), row in self.inbox.items() if row.holder}
        with self.store.begin() as uow:
            rows = inbox.claim(uow, limit)
        if not rows:
            assert all(source in busy for (source, _), row in self.inbox.items() if row.state == "new")
            return
        assert [row.id for row in rows] == sorted(row.id for row in rows)
        assert not busy & {row.source for row in rows}
        with self.store.read() as connection:
            keys: dict[int, str] = dict(connection.execute(text("SELECT id, key FROM deliveries")).all())
        held = Held(rows[0].claim, {(row.source, keys[row.id]): (row.id, 1) for row in rows})
        self._hold("inbox", held, self.inbox, "new")

    @rule(limit=LIMITS)
    def claim_records(self, limit: int) -> None:
        with self.store.begin() as uow:
            rows = outbox.claim(uow, limit)
        if not rows:
            assert not any(self._may_go(key) for key in self.outbox)
            return
        assert len({row.object for row in rows}) == 1
        for row in rows:
            parent = self.outbox.get(PARENTS[row.external_key] or "")
            assert parent is None or parent.sent_ver > 0, "a child must not go before its parent"
            assert row.ver == self.outbox[row.external_key].ver
            assert not self._waited_for(row.external_key), "an earlier sibling is still under way"
        held = Held(rows[0].claim, {row.external_key: (row.id, row.ver) for row in rows})
        self._hold("outbox", held, self.outbox, "pending")

    @precondition(lambda self: self.claims)
    @rule(back=st.integers(0, 5), outcome=st.sampled_from(["good", "good", "retry", "dead"]))
    def settle(self, back: int, outcome: str) -> None:
        """By a live worker or a stale one; a stale one must change nothing. A settled claim stays to try again."""
        queue, held = self.claims[-1 - back % len(self.claims)]
        model: dict[Any, Row] = self.inbox if queue == "inbox" else self.outbox
        changed = (self._settle_inbox if queue == "inbox" else self._settle_outbox)(held, outcome)
        mine = [key for key in held.rows if model[key].holder == held.claim]
        assert changed == len(mine)
        for key in mine:
            row, version = model[key], held.rows[key][1]
            row.holder = None
            row.touches = 0
            if outcome == "good":
                row.sent_ver = version
                row.state = "done" if queue == "inbox" else ("pending" if row.ver > version else "sent")
            elif outcome == "dead" and (queue == "inbox" or row.ver == version):
                row.state = "dead"

    @rule(limit=LIMITS, outcome=st.sampled_from(["good", "good", "retry", "dead"]), meanwhile=CHANGES)
    def work_on_records(self, limit: int, outcome: str, meanwhile: list[str]) -> None:
        before = len(self.claims)
        self.claim_records(limit)
        self.change(meanwhile)
        if len(self.claims) > before:
            self.settle(0, outcome)

    @rule(everything=st.booleans())
    def worker_dies_and_leases_lapse(self, everything: bool) -> None:
        with self.store.begin() as uow:
            if not everything:
                for table in ("deliveries", "outbox"):
                    uow.connection.execute(text(f"UPDATE {table} SET lease_until = 0 WHERE claim IS NOT NULL"))
            inbox.release_expired(uow, everything=everything)
            outbox.release_expired(uow, everything=everything)
        for row in (*self.inbox.values(), *self.outbox.values()):
            if row.holder:
                row.holder = None
                row.touches += 1
                if row.touches >= POISON_TOUCHES:
                    row.state = "dead"

    @rule(discard=st.booleans())
    def a_person_settles_the_dead(self, discard: bool) -> None:
        with self.store.begin() as uow:
            letters = [row["id"] for row in shelf.dead(uow.connection)]
            records = [row["id"] for row in outbox_shelf.rows(uow.connection, state="dead")]
            if discard:
                assert shelf.drop_deliveries(uow, letters) == len(letters)
                assert outbox_shelf.drop(uow, records) == len(records)
            else:
                assert shelf.retry_deliveries(uow, letters) == len(letters)
                assert outbox_shelf.retry(uow, records) == len(records)
        for model, again, gone in ((self.inbox, "new", "done"), (self.outbox, "pending", "dropped")):
            for row in model.values():
                if row.state == "dead":
                    row.state = gone if discard else again
                    row.touches = 0 if not discard else row.touches

    # Invariants ------------------------------------------------------------------------------------------------------

    @invariant()
    def every_accepted_delivery_is_in_exactly_one_state(self) -> None:
        with self.store.read() as connection:
            rows = connection.execute(text("SELECT source, key, state, claim FROM deliveries")).all()
        assert {(row.source, row.key): (row.state, row.claim) for row in rows} == {
            key: (row.state, row.holder) for key, row in self.inbox.items()
        }

    @invariant()
    def every_record_is_at_the_version_that_was_sent(self) -> None:
        with self.store.read() as connection:
            rows = connection.execute(text("SELECT external_key, state, ver, sent_ver, claim FROM outbox")).all()
        assert {row[0]: tuple(row[1:]) for row in rows} == {
            key: (row.state, row.ver, row.sent_ver, row.holder) for key, row in self.outbox.items()
        }
        assert all(row.sent_ver <= row.ver for row in rows)

    # Helpers ---------------------------------------------------------------------------------------------------------

    def _hold(self, queue: str, held: Held, model: Any, state: str) -> None:
        for key in held.rows:
            assert model[key].state == state
            assert model[key].holder is None, "no two live claims on one row"
            model[key].holder = held.claim
        self.claims.append((queue, held))

    def _may_go(self, key: str) -> bool:
        row, parent = self.outbox[key], self.outbox.get(PARENTS[key] or "")
        if row.state != "pending" or row.holder or (parent is not None and parent.sent_ver == 0):
            return False
        siblings = (other for other in self.outbox if PARENTS[other] == PARENTS[key] and other[0] == key[0])
        return not any(self.outbox[other].holder for other in siblings if PARENTS[key])

    def _waited_for(self, key: str) -> list[str]:
        order = list(self.outbox)
        earlier = order[: order.index(key)]
        siblings = [other for other in earlier if PARENTS[key] and PARENTS[other] == PARENTS[key]]
        return [other for other in siblings if self.outbox[other].holder and self.outbox[other].sent_ver == 0]

    def _settle_inbox(self, held: Held, outcome: str) -> int:
        kind = {"good": inbox.Settling.DONE, "retry": inbox.Settling.RETRY, "dead": inbox.Settling.DEAD}[outcome]
        results = [inbox.Settlement(row_id, kind, wait_seconds=-1) for row_id, _ in held.rows.values()]
        with self.store.begin() as uow:
            return inbox.settle(uow, held.claim, results)

    def _settle_outbox(self, held: Held, outcome: str) -> int:
        kind = {"good": outbox.Settling.SENT, "retry": outbox.Settling.RETRY, "dead": outbox.Settling.DEAD}[outcome]
        results = [outbox.Settlement(row_id, ver, kind, wait_seconds=-1) for row_id, ver in held.rows.values()]
        with self.store.begin() as uow:
            return outbox.settle(uow, held.claim, results)


def run(store: Store, examples: int, steps: int) -> None:
    """So many histories; what a disk does is not the question here, so SQLite need not wait for it."""
    if store.is_sqlite:

        @event.listens_for(store.engine, "connect")
        def do_not_wait(connection: sqlite3.Connection, _record: object) -> None:
            connection.execute("PRAGMA synchronous=OFF")

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    chosen = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=checks, database=None
    )
    run_state_machine_as_test(lambda: Queues(store), settings=chosen)  # type: ignore[arg-type]  # a factory will do


def test_the_queues_keep_their_promises(store: Store) -> None:
    run(store, examples=30, steps=40)
    assert store.is_sqlite


@pytest.mark.postgres
def test_the_queues_keep_their_promises_on_postgresql(postgres_store: Store) -> None:
    run(postgres_store, examples=10, steps=40)
    assert not postgres_store.is_sqlite
