"""A worker that stood still past its lease settles nothing when it wakes: another has done its work since."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from connector.composition import build_context
from connector.flows.upkeep import give_back_expired
from connector.flows.writeback import drain_once
from connector.settings import load_settings
from tests.chaos.checker import OrgReader
from tests.chaos.senders import Senders
from tests.chaos.story import BRAND, Delivery
from tests.chaos.world import World, running_world, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]

STANDS = "SELECT object, external_key, state, ver - sent_ver AS behind, sent_digest, claim FROM outbox ORDER BY id"
WAITING = "SELECT id FROM outbox WHERE state <> 'sent'"
CLAIMED = "SELECT id FROM outbox WHERE claim IS NOT NULL"


def one_message(item: str) -> Delivery:
    """A customer says one thing."""
    body = (
        f'[{{"id": "{item}", "type": "message.created", "data": {{"network": "x", "account": {{"id": "{BRAND}"}}, '
        f'"author": {{"id": "{item}"}}, "message": {{"id": "{item}", "kind": "mention", "visibility": "public", '
        f'"thread_id": "{item}", "sent_at": "2026-02-02T08:00:00Z", "text": "Hello"}}}}}}]'
    )
    return Delivery(body.encode())


def test_a_worker_paused_past_its_lease_is_fenced(tmp_path: Path) -> None:
    with running_world(tmp_path) as world:
        org = OrgReader(world.org_url)
        look = world.database.look
        org.faults([{"fault": "latency", "on": "write", "ms": 4000, "count": 1}], 1)
        world.start()
        send(world, "first")
        assert until(lambda: hurried(world) and org.stats()["faults"].get("latency") == 1, 60)
        pause(world)
        assert look(CLAIMED), "the worker was stopped too late to hold anything"
        world.database.change("UPDATE outbox SET lease_until = 1 WHERE claim IS NOT NULL")
        world.hurry()
        another_worker_drains(world)
        assert look(WAITING) == []
        before = look(STANDS)
        os.kill(world.processes[0].id, signal.SIGCONT)
        send(world, "second")  # what it sends next shows that it is through with what it had in hand, called too late
        assert until(lambda: hurried(world) and len(look(STANDS)) == 6 and not look(WAITING), 60)
        assert look(STANDS)[:3] == before
        assert world.stop() == [0]
        assert len(org.rows("SELECT Interaction_Key__c FROM Channel_Interaction__c")) == 2


def send(world: World, item: str) -> None:
    """Sends one message until it is answered."""
    senders = Senders(world.ports, [one_message(item)], threads=1)
    senders.start()
    assert until(lambda: senders.are_done, 60, every=0.02)
    assert senders.answers == {0: 200}


def pause(world: World) -> None:
    """Stops the service in mid-air, but not while one of its threads keeps everybody else out of the file."""
    while True:
        world.halt(world.processes[0])
        if world.database.is_free():
            return
        os.kill(world.processes[0].id, signal.SIGCONT)
        time.sleep(0.05)


def hurried(world: World) -> bool:
    """Time passes; always true."""
    world.hurry()
    return True


def another_worker_drains(world: World) -> None:
    """What a worker elsewhere would do meanwhile."""
    ctx = build_context(load_settings({"CONNECTOR_CONFIG": world.environment["CONNECTOR_CONFIG"]}))
    try:
        assert give_back_expired(ctx).given_back > 0
        while not drain_once(ctx, flush=True).is_idle:
            world.hurry()
    finally:
        ctx.store.close()
