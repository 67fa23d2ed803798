"""Thousands of events, kills in the middle of everything, a failing org: nothing is lost, doubled or stale.

The service is ended by kill -9 at moments nobody chose while it takes deliveries, works on them and writes to an org
that fails more than a fifth of its calls; a tenth of all deliveries comes twice, and some can be read by nobody. Once
it is one process on SQLite; once two webs and two workers on PostgreSQL, whose connections are cut too, and whose hints
to one another are lost or come twice.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.engine import make_url

from tests.chaos.checker import OrgReader, check_org, check_store
from tests.chaos.database import APPLICATION, Row
from tests.chaos.senders import Senders
from tests.chaos.story import Story, tell
from tests.chaos.world import World, running_world, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]

EVENTS = 5000
KILLS = 30
CUTS = 2
SHARE = 0.2
FAULTS = [
    {"fault": "unavailable", "rate": 0.12},
    {"fault": "rate_limited", "rate": 0.08, "retry_after": 1},
    {"fault": "cut", "rate": 0.08},
    {"fault": "truncated", "rate": 0.05},
    {"fault": "short_list", "on": "write", "rate": 0.03},
    {"fault": "lost_answer", "on": "write", "rate": 0.08},
    {"fault": "row_lock", "rate": 0.01},
]
"""More than a third of the writes fail as a whole, so that among a hundred calls a fifth is certain to (3.6 sigma)."""

Told = Callable[[str, object], None]


def test_nothing_is_lost_doubled_or_stale(tmp_path: Path, record_property: Told) -> None:
    with running_world(tmp_path) as world:
        run(world, record_property)


@pytest.mark.postgres
def test_nothing_is_lost_doubled_or_stale_among_several_processes(
    tmp_path: Path, empty_postgres: str, record_property: Told
) -> None:
    url = make_url(empty_postgres).update_query_dict({"application_name": APPLICATION}).render_as_string(False)
    with running_world(tmp_path, ("web", "web", "worker", "worker"), url) as world:
        run(world, record_property)
        assert min(each.kills for each in world.processes) >= KILLS // len(world.processes)


def run(world: World, record_property: Told) -> None:
    """Tells a story of chance to a world that breaks, and checks how both stores end."""
    seed = int(os.environ.get("CONNECTOR_CHAOS_SEED") or Random().randrange(10**6))
    record_property("told", f"repeat with CONNECTOR_CHAOS_SEED={seed}")
    random = Random(seed)
    story = tell(random, EVENTS)
    org = OrgReader(world.org_url)
    before = org.stats()
    org.faults(FAULTS, seed)
    senders = Senders(world.ports, story.deliveries)
    senders.start()
    started = time.monotonic()
    torment(world, random, senders, story)
    tormented = time.monotonic()
    assert until(lambda: senders.are_done and world.is_settled(), 300), world.last_words()
    ended = time.monotonic()
    after = org.stats()
    org.faults([], seed)
    record_property(
        "told",
        f"{world.kills} kills in {tormented - started:.0f} s, settled {ended - tormented:.0f} s later; {story.events} "
        f"events in {len(story.deliveries)} deliveries; {calls(before, after)} calls, {failed(before, after)} failed",
    )
    assert failed(before, after) >= SHARE * calls(before, after), after
    assert after["faults"]["row_lock"] > 0
    assert set(world.stop()) == {0}
    for number, delivery in enumerate(story.deliveries):
        assert senders.answers[number] == (401 if delivery.is_forged else 200)
    check_store(world.database, story)
    check_org(world.database, org, story)


def torment(world: World, random: Random, senders: Senders, story: Story) -> None:
    """Kills and restarts parts of the service at moments that nothing in it can foresee, each part in its turn.

    One kill in five comes while a part starts, one in ten takes all parts at once; else the service lives until chance
    has had enough of its answers. The senders end a few kills before the last, so that the work behind them is hit too.
    While there is something left to send it goes on, but not for ever: a slow machine must come to an end too.
    """
    share = len(story.deliveries) * 5 // (KILLS * 4)
    cuts = set() if world.database.is_sqlite else set(random.sample(range(3, KILLS - 3), CUTS))
    turns: list[int] = []
    world.start()
    while world.kills < KILLS or (not senders.are_done and world.kills < 2 * KILLS):
        live(world, random, senders, random.randint(0, 2 * share))
        turns = turns or random.sample(range(len(world.processes)), len(world.processes))
        victims = [world.processes[turns.pop()]] if random.random() < 0.9 else world.processes
        if cuts and world.kills >= min(cuts):
            cuts.remove(min(cuts))
            world.cut_connections()
        world.kill(*victims)
        world.hurry()
        world.start(*victims)


def live(world: World, random: Random, senders: Senders, answers: int) -> None:
    """Lets the service live: hardly at all, or for so many answers, or for a while when there is nothing to answer."""
    if random.random() < 0.2:
        time.sleep(random.uniform(0, 0.15))
        return
    world.await_answers()
    enough = len(senders.answers) + answers
    until(lambda: len(senders.answers) >= enough or senders.are_done, 1, every=0.005)
    if senders.are_done:
        time.sleep(random.uniform(0, 0.5))


def calls(before: Row, after: Row) -> int:
    """API calls that the org was asked meanwhile."""
    return int(after["calls"] - before["calls"])


def failed(before: Row, after: Row) -> int:
    """How many of them failed as a whole."""
    faults: Counter[str] = Counter(after["faults"])
    faults.subtract(before["faults"])
    del faults["row_lock"]
    return faults.total()
