"""Random steps of consent against an oracle; and faults put in on purpose, each of which must be found."""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from connector.domain.consent import Answer, LinkRecord
from connector.domain.links import Permit
from connector.errors import ConnectorError
from connector.flows import access, consent
from connector.flows.consent import acts, ending, merging, upkeep
from connector.mapping.purposes import ConsentRegistry
from connector.store.consent import active_links, links_where
from connector.store.ledger import verify_ledger
from connector.store.tables import ledger, links
from connector.store.unit_of_work import Store, open_store
from tests.conftest import FakeClock
from tests.flow import consent_world
from tests.flow.consent_world import START, STEPS, World
from tests.flow.consenting import Desk, Write, desk_on

RECORD = sys.modules["connector.flows.consent.record"]
"""The module; the package has a function of the same name."""


@contextmanager
def fresh_world(migrated_file: Path, folder: Path) -> Iterator[World]:
    """A world on an empty store of its own; nothing here is lost by a power cut, so nothing waits for the disk."""
    path = folder / "world.db"
    for each in folder.glob("world.db*"):
        each.unlink()
    shutil.copy(migrated_file, path)
    store = open_store(f"sqlite:///{path}")
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    clock = FakeClock(START)
    try:
        yield World(desk_on(store, clock), clock)
    finally:
        store.close()


def folded(store: Store) -> dict[str, tuple[str, int, int, frozenset[str], frozenset[tuple[str, str]]]]:
    """Every link's state, proofs, holds and purposes, told by the ledger alone."""
    found: dict[str, Any] = {}
    with store.read() as connection:
        bodies = [json.loads(row) for row in connection.execute(select(ledger.c.body).order_by(ledger.c.seq)).scalars()]
    for body in bodies:
        purposes = dict(found.get(body["link"], (None,) * 4 + ((),))[4])
        purposes |= {each["p"]: each["state"] for each in body.get("purposes", [])}
        level = body["assurance"]
        found[body["link"]] = (
            body["state"], level["h"], level["c"], frozenset(body["holds"]), frozenset(purposes.items()),
        )  # fmt: skip
    return found


def stored(store: Store) -> dict[str, tuple[str, int, int, frozenset[str], frozenset[tuple[str, str]]]]:
    with store.read() as connection:
        records = links_where(connection, links.c.id.is_not(None))
    return {
        each.id: (
            each.state.value, each.assurance.h, each.assurance.c,
            frozenset(hold.reason.value for hold in each.holds),
            frozenset((name, grant.state.value) for name, grant in each.grants.items()),
        )
        for each in records
    }  # fmt: skip


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**16)), min_size=15, max_size=30))
def test_the_gate_the_links_and_the_crm_agree_with_the_rules_after_any_steps(
    migrated_file: Path, tmp_path: Path, steps: list[tuple[str, int]]
) -> None:
    with fresh_world(migrated_file, tmp_path) as world:
        for step, seed in steps:
            world.do(step, random.Random(seed))
        world.do("deliver", random.Random(0))
        with world.desk.store.read() as connection:
            assert verify_ledger(connection).ok
        assert folded(world.desk.store) == stored(world.desk.store)


# Faults put in on purpose ------------------------------------------------------------------------------------------


def auto_link_on_suggestion(patch: pytest.MonkeyPatch) -> None:
    def suggest(world: World, profile: str, contact: str) -> None:
        if contact not in world.deleted:
            command = world.desk.answer(profile, contact, {"service": Answer.YES})
            with pytest.MonkeyPatch.context() as inner:
                inner.setattr(RECORD, "_check_pair", lambda *_: None)
                consent.record(world.desk.ctx, command)

    patch.setattr(consent_world, "suggest_to_agent", suggest)


def terminal_revived(patch: pytest.MonkeyPatch) -> None:
    original = acts.open_link

    def reopen(uow: Any, profile_id: str, contact_id: str, actor: Any, now: Any, before: Any = ()) -> LinkRecord:
        ended: list[LinkRecord] = list(before)
        return ended[-1] if ended else original(uow, profile_id, contact_id, actor, now)

    patch.setattr(RECORD, "open_link", reopen)


def no_expiry(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(access._Gate, "over", lambda *_: None)
    patch.setattr(upkeep, "links_with_expired_grants", lambda *_: [])


def no_level_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(access._Gate, "too_weak", lambda *_: None)


def no_notice_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ConsentRegistry, "is_stale", lambda *_: False)


def holds_ignored(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(access._Gate, "on_hold", lambda *_: None)


def first_of_several_contacts(patch: pytest.MonkeyPatch) -> None:
    def first_only(connection: Any, profile_ids: Any) -> dict[str, list[LinkRecord]]:
        return {name: found[:1] for name, found in active_links(connection, profile_ids).items()}

    patch.setattr(access, "active_links", first_only)


def permissive_merge(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(merging, "_narrowed", lambda *_: [])


def no_compensation(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(acts, "reproject", lambda *_: 0)


def only_new_records_projected(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("connector.flows.link.queue_many", lambda *_: None)


def stale_queue_row(patch: pytest.MonkeyPatch) -> None:
    """The contact is taken when a record is queued, not when it is sent."""
    taken: dict[str, str | None] = {}
    original_check, original_deliver = World.check, Desk.deliver

    def check(self: World) -> None:
        for profile in self.profiles:
            answer = self.desk.gate(profile)
            if isinstance(answer, Permit):
                taken[profile] = answer.contact_id
        original_check(self)

    def deliver(self: Desk, obj: str, key: str) -> None:
        original_deliver(self, obj, key)
        profile = self.profile_of(obj, key)
        self.writes[-1] = Write(obj, key, profile, taken.get(profile))

    patch.setattr(World, "check", check)
    patch.setattr(Desk, "deliver", deliver)


def withdraw_by_row_only(patch: pytest.MonkeyPatch) -> None:
    original = ending._meant

    def one_row(uow: Any, command: Any) -> list[LinkRecord]:
        return [each for each in original(uow, command) if command.link_id in (None, each.id)]

    patch.setattr(ending, "_meant", one_row)


def replay_accepted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RECORD, "digest_of", lambda _: None)
    patch.setattr(ending, "digest_of", lambda _: None)


FAULTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    auto_link_on_suggestion, terminal_revived, no_expiry, no_level_check, no_notice_check, holds_ignored,
    first_of_several_contacts, permissive_merge, no_compensation, only_new_records_projected, stale_queue_row,
    withdraw_by_row_only, replay_accepted,
]  # fmt: skip

WALKS, LENGTH = 150, 30


def walks_until_found(migrated_file: Path, folder: Path) -> int | None:
    """The number of the walk that found the fault, or None."""
    for number in range(WALKS):
        rng = random.Random(number)
        try:
            with fresh_world(migrated_file, folder) as world:
                for _ in range(LENGTH):
                    world.do(rng.choice(STEPS), rng)
        except (AssertionError, ConnectorError):
            return number
    return None


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_put_in_on_purpose_is_found(
    fault: Callable[[pytest.MonkeyPatch], None], migrated_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault(monkeypatch)
    assert walks_until_found(migrated_file, tmp_path) is not None
