"""A kill between any two steps that must not need each other leaves nothing lost, doubled, stale or half done.

Where tests/chaos/test_faults.py kills by chance, here every seam is hit for certain, on either database: a process
kills itself right there, sometimes twice in a row, and the next start must bring both stores to the same end as if
nothing had been. (A migration that is killed: tests/contract/test_transactions.py.)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import pytest

from tests.chaos.checker import OrgReader, check_org, check_store
from tests.chaos.points import POINTS, POISON
from tests.chaos.senders import Senders
from tests.chaos.story import Delivery, Story, go_on
from tests.chaos.world import World, running_world, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

EVENTS = 12
SQLITE_ALONE = {"inserted_before_commit"}
"""PostgreSQL commits each insert by itself."""

AFTER_ANOTHER = {"leases_given_back_before_commit"}
"""Points that a start reaches only where a kill before it left something to do."""

DEATHS = [
    *([name] for name in POINTS if name not in {*AFTER_ANOTHER, "poison_applied"}),
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


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A prepared world on either database."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("empty_postgres")
    with running_world(tmp_path, ("run",), url) as world:
        yield Place(world, OrgReader(world.org_url))


def test_after_a_kill_at_any_point_all_ends_as_if_nothing_had_been(place: Place, subtests: pytest.Subtests) -> None:
    for deaths in DEATHS:
        if place.world.database.is_sqlite or not SQLITE_ALONE & set(deaths):
            with subtests.test(" then ".join(deaths)):
                die_and_go_on(place, deaths)


def die_and_go_on(place: Place, deaths: list[str]) -> None:
    """Kills the service at these points, one after the other, while it is told more; checks how both stores end."""
    world, (process,) = place.world, place.world.processes
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


def test_a_delivery_that_ends_every_worker_waits_for_a_person_and_takes_no_other_with_it(tmp_path: Path) -> None:
    story = Story()
    deliveries = go_on(story, Random(1), EVENTS)
    said = json.loads(deliveries[0].body)
    said[0]["data"]["message"] |= {"id": "poison", "text": POISON}
    poison = Delivery(json.dumps([said[0] | {"id": "poison"}]).encode(), source=deliveries[0].source)
    with running_world(tmp_path) as world:
        (process,) = world.processes
        senders = Senders(world.ports, [*deliveries[:6], poison, *deliveries[6:]], threads=1)
        world.start(process, point="poison_applied")
        senders.start()
        while not world.database.look(DEAD):
            ended = until(lambda: world.is_dead(process) or bool(world.database.look(DEAD)), 120, every=0.02)
            assert ended, world.last_words()
            if not world.database.look(DEAD):
                world.note_death(process)
                world.start(process, point="poison_applied")
        assert until(lambda: senders.are_done and not world.database.look(NEW), 120, every=0.05), world.last_words()
        assert world.database.look(DEAD) == [{"body": poison.body, "touches": 3}]
        assert world.kills == 3
        assert world.stop() == [0]


DEAD = "SELECT body, touches FROM deliveries WHERE state = 'dead'"
NEW = "SELECT id FROM deliveries WHERE state = 'new'"
