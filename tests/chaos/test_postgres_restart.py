"""PostgreSQL itself dies and comes back in the middle of everything: nothing is lost, doubled or stale, and web and
worker, which go on living all the while, need no help."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from sqlalchemy.engine import make_url

from tests.chaos.checker import OrgReader, check_org, check_store
from tests.chaos.cluster import Cluster, binaries, running_cluster
from tests.chaos.database import APPLICATION
from tests.chaos.senders import Senders
from tests.chaos.story import tell
from tests.chaos.world import World, running_world, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

EVENTS = 1500
SLOW_MS = 40
"""An org that takes its time keeps something to be written back until the last restart."""

Told = Callable[[str, object], None]


def test_nothing_is_lost_doubled_or_stale_when_postgresql_dies(tmp_path: Path, record_property: Told) -> None:
    found = binaries()
    if found is None:
        pytest.skip("PostgreSQL's initdb is not installed")
    with running_cluster(found) as cluster:
        url = make_url(cluster.url).update_query_dict({"application_name": APPLICATION}).render_as_string(False)
        with running_world(tmp_path, ("web", "worker", "worker"), url) as world:
            run(world, cluster, record_property)


def run(world: World, cluster: Cluster, record_property: Told) -> None:
    """Tells a story of chance while the database dies: twice while senders send, twice while the org is written to."""
    seed = int(os.environ.get("CONNECTOR_CHAOS_SEED") or Random().randrange(10**6))
    record_property("told", f"repeat with CONNECTOR_CHAOS_SEED={seed}")
    story = tell(Random(seed), EVENTS)
    org = OrgReader(world.org_url)
    org.faults([{"fault": "latency", "on": "write", "ms": SLOW_MS}], seed)
    senders = Senders(world.ports, story.deliveries)
    world.start()
    senders.start()

    def answered(share: float) -> bool:
        return len(senders.answers) >= share * len(story.deliveries)

    def written(calls: int) -> bool:
        return int(org.stats()["write_calls"]) >= calls

    for how, share in ((signal.SIGKILL, 0.2), (signal.SIGQUIT, 0.6)):
        assert until(lambda share=share: answered(share), 60, every=0.005), world.last_words()  # type: ignore[misc]
        restart(world, cluster, how)
    for how in (signal.SIGKILL, signal.SIGINT):
        enough = int(org.stats()["write_calls"]) + 1
        assert until(lambda enough=enough: written(enough), 60, every=0.02), world.last_words()  # type: ignore[misc]
        restart(world, cluster, how)
    assert until(lambda: senders.are_done and world.is_settled(), 120), world.last_words()
    assert set(world.stop()) == {0}, "web and workers outlive their database"
    for number, delivery in enumerate(story.deliveries):
        assert senders.answers[number] == (401 if delivery.is_forged else 200)
    check_store(world.database, story)
    check_org(world.database, org, story)


def restart(world: World, cluster: Cluster, how: signal.Signals) -> None:
    """Ends the server and starts it again; the leases of claims whose commit nobody heard of lapse."""
    world.database.close()
    cluster.end(how)
    cluster.start()
    world.database.change(
        *(f"UPDATE {each} SET claim = NULL, lease_until = NULL WHERE claim IS NOT NULL"
          for each in ("deliveries", "outbox"))
    )  # fmt: skip
    world.database.close()
