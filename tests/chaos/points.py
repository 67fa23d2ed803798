"""Where a process can be told to die: between two steps that must not need each other.

The product knows nothing of this. A process of the nursery is armed before it starts: the named step kills it with
SIGKILL right after it was done (or right before), the first time it comes there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import connector.crm.salesforce
import connector.flows.ingest
import connector.flows.writeback
import connector.store.accept
import connector.store.inbox
import connector.store.outbox


def anything(_: object) -> bool:
    """Whatever the step gave, it was the one."""
    return True


def something(given: object) -> bool:
    """The step found work to do."""
    return given is not None


@dataclass(frozen=True, slots=True)
class Point:
    """A step of the product, by the place where its callers look it up; ``when`` tells by what it gave."""

    place: Any
    step: str
    before: bool = False
    when: Callable[[Any], bool] = anything


POINTS: dict[str, tuple[Point, ...]] = {
    # A delivery, from the socket to its row. PostgreSQL commits each insert by itself.
    "before_insert": (
        Point(connector.store.accept, "_insert", before=True),
        Point(connector.store.accept._Pooled, "accept", before=True),
    ),
    "inserted_before_commit": (Point(connector.store.accept, "_insert"),),
    "committed_before_200": (
        Point(connector.store.accept._Grouped, "_commit"),
        Point(connector.store.accept._Pooled, "accept"),
    ),
    # From deliveries to cases.
    "deliveries_claimed": (Point(connector.flows.ingest, "claim", when=something),),
    "events_applied_before_commit": (Point(connector.flows.ingest, "apply_events"),),
    "deliveries_settled_before_commit": (Point(connector.store.inbox, "settle"),),
    "events_committed": (Point(connector.flows.ingest, "work"),),
    # From cases to the CRM.
    "records_claimed_before_commit": (Point(connector.flows.writeback, "claim_batch", when=something),),
    "records_claimed_before_call": (Point(connector.flows.writeback, "_deliver", before=True),),
    "org_answered_before_settle": (Point(connector.crm.salesforce.SalesforceGateway, "upsert"),),
    "records_settled_before_commit": (Point(connector.flows.writeback, "settle_sent"),),
    "records_settled": (Point(connector.flows.writeback, "_deliver"),),
    # What is done by the clock.
    "leases_given_back_before_commit": (
        Point(connector.store.outbox, "release_expired", when=lambda given: given.given_back > 0),
    ),
}


def arm(name: str) -> None:
    """From now on this process ends at the point."""
    for point in POINTS[name]:
        setattr(point.place, point.step, dying(getattr(point.place, point.step), point))


def dying(step: Callable[..., Any], point: Point) -> Callable[..., Any]:
    """The step, with the end of the process right after it or right before it."""

    def last(*args: Any, **named: Any) -> Any:
        given = None if point.before else step(*args, **named)
        if point.before or point.when(given):
            os.kill(os.getpid(), signal.SIGKILL)
        return given

    return last
