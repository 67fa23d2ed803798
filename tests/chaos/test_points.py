"""A kill between any two steps that must not need each other leaves nothing lost, doubled, stale or half done.

Where tests/chaos/test_faults.py kills by chance, here every seam is hit for certain, on either database: a process
kills itself right there, sometimes twice in a row, and the next start must bring both stores to the same end as if
nothing had been. (A migration that is killed: tests/contract/test_transactions.py.)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.chaos.checker import OrgReader, check_org, check_store
from tests.chaos.points import POINTS
from tests.chaos.senders import Senders
from tests.chaos.story import Story, go_on
from tests.chaos.world import World, running_world, until
from tests.conftest import postgres_schema_named

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

EVENTS = 12
SQLITE_ALONE = {"inserted_before_commit"}
AFTER_ANOTHER = {"leases_given_back_before_commit"}
"""Points that a start reaches only where a kill before it left something to do."""

DEATHS = [
    *([name] for name in POINTS if name not in AFTER_ANOTHER),
    ["records_claimed_before_call", "leases_given_back_before_commit"],
    ["org_answered_before_settle", "org_answered_before_settle"],
    ["events_applied_before_commit", "deliveries_settled_before_commit"],
]


@dataclass
class Place:
    """A service that goes on from test to test, and all that was ever told to it."""

    world: World
    org: OrgReader
    random: Random = field(default_factory=lambda: Random(1))
    story: Story = field(default_factory=Story)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A prepared world on either database."""
    with ExitStack() as closing:
        on_postgres = request.param == "postgresql"
        url = closing.enter_context(postgres_schema_named(f"test_{os.getpid()}_points")) if on_postgres else ""
        world = closing.enter_context(running_world(tmp_path_factory.mktemp("points"), ("run",), url))
        yield Place(world, OrgReader(world.org_url))


@pytest.mark.parametrize("deaths", DEATHS, ids=" then ".join)
def test_after_a_kill_at(place: Place, deaths: list[str]) -> None:
    world, (process,) = place.world, place.world.processes
    if not world.database.is_sqlite and SQLITE_ALONE & set(deaths):
        pytest.skip("PostgreSQL commits each insert by itself")
    senders = Senders(world.ports, go_on(place.story, place.random, EVENTS), threads=2)
    senders.start()
    for point in deaths:
        world.start(process, point=point)
        assert until(lambda: world.is_dead(process), 120, every=0.02), f"it never came to {point}"
        world.note_death(process)
    world.start(process)
    assert until(lambda: senders.are_done and world.is_settled(), 120, every=0.05), world.last_words()
    world.kill(process)
    assert set(senders.answers.values()) == {200}
    check_store(world.database, place.story)
    check_org(world.database, place.org, place.story)
