"""A disk that takes no more: no sender hears of a success that is none, and all goes on once there is room."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from random import Random

import pytest

from tests.chaos.checker import OrgReader, check_org, check_store
from tests.chaos.senders import Senders
from tests.chaos.story import Story, go_on
from tests.chaos.world import World, running_world, until

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(400),
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of a running process"),
]

TAKEN = "SELECT body FROM deliveries"


def test_a_full_disk_costs_no_delivery_that_was_answered_and_ends_when_there_is_room(tmp_path: Path) -> None:
    story = Story()
    with running_world(tmp_path) as world:
        world.start()
        world.await_answers()
        room(world, Path(world.database.url.removeprefix("sqlite:///")).stat().st_size)
        senders = Senders(world.ports, go_on(story, Random(1), 600))
        senders.start()
        assert until(lambda: "The store's disk refuses" in world.log.read_text(), 60), "the disk never was too small"
        answered = list(senders.answers)
        assert len(answered) < len(story.deliveries)
        assert {story.deliveries[number].body for number in answered} <= {
            row["body"] for row in world.database.look(TAKEN)
        }
        room(world, resource.RLIM_INFINITY)
        assert until(lambda: senders.are_done and world.is_settled(), 120), world.last_words()
        world.kill(*world.processes)
        assert set(senders.answers.values()) == {200}
        check_store(world.database, story)
        check_org(world.database, OrgReader(world.org_url), story)


def room(world: World, most: int) -> None:
    """Lets no file of the service grow beyond this from now on."""
    resource.prlimit(world.processes[0].id, resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY))
