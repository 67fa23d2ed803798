"""An event that was answered 2xx is never lost, counts once, and reaches the CRM as the store knows it in the end.

The service is killed with -9 at moments nobody chose while it takes deliveries, works on them and writes to an org that
fails a fifth of its calls; a tenth of all deliveries comes twice, and some can be read by nobody.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from random import Random

import pytest

from tests.chaos.checker import OrgReader, check_org, check_store, look
from tests.chaos.story import tell
from tests.chaos.world import Senders, World, torment, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

EVENTS = 5000
KILLS = 30
FAULTS = [
    {"fault": "unavailable", "rate": 0.08},
    {"fault": "rate_limited", "rate": 0.04, "retry_after": 1},
    {"fault": "lost_answer", "on": "write", "rate": 0.06},
    {"fault": "cut", "rate": 0.02},
    {"fault": "row_lock", "rate": 0.01},
]


def test_nothing_is_lost_doubled_or_stale(tmp_path: Path) -> None:
    seed = int(os.environ.get("CONNECTOR_CHAOS_SEED") or Random().randrange(10**6))
    print(f"chaos seed {seed}: repeat with CONNECTOR_CHAOS_SEED={seed}")  # noqa: T201
    random = Random(seed)
    story = tell(random, EVENTS)
    world = World(tmp_path)
    try:
        world.prepare()
        org = OrgReader(world.org_url)
        org.faults(FAULTS, seed)
        senders = Senders(f"http://127.0.0.1:{world.port}/webhooks/desk", story.deliveries)
        senders.start()
        started = time.monotonic()
        torment(world, random, KILLS, lambda: not senders.are_done)
        world.start()
        assert until(lambda: senders.are_done and _is_settled(world), 200)
        print(f"{world.kills} kills, {story.events} events, {time.monotonic() - started:.0f} s, {org.stats()}")  # noqa: T201
        org.faults([], seed)
        assert world.stop() == 0
        for number, delivery in enumerate(story.deliveries):
            assert senders.answers[number] == (401 if delivery.is_forged else 200)
        check_store(world.store, story)
        check_org(world.store, org, story)
    finally:
        world.close()


def _is_settled(world: World) -> bool:
    """Whether all is worked through; rows parked because the service died three times over them go again."""
    world.execute("UPDATE deliveries SET state = 'new', touches = 0 WHERE state = 'dead'")
    world.execute("UPDATE outbox SET state = 'pending', touches = 0 WHERE state = 'dead' AND error LIKE 'poison%'")
    world.hurry()
    waiting = look(
        world.store,
        "SELECT (SELECT COUNT(*) FROM deliveries WHERE state <> 'done') + "
        "(SELECT COUNT(*) FROM outbox WHERE state <> 'sent') AS n",
    )
    return waiting == [{"n": 0}]
