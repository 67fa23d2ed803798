"""Where a process can be told to die: between two steps that must not need each other.

The product knows nothing of this. A process of the nursery is armed before it starts: the named step kills it with
SIGKILL right after it was done (or right before), the first time it comes there.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import connector.crm.salesforce
import connector.flows.ingest
import connector.flows.writeback
import connector.store.accept
import connector.store.inbox
import connector.store.outbox


def anything(_given: Any, _args: Sequence[Any]) -> bool:
    """Whatever the step was about, it was the one."""
    return True


def something(given: Any, _args: Sequence[Any]) -> bool:
    """The step found work to do."""
    return given is not None


def is_poison(_: Any, args: Sequence[Any]) -> bool:
    """The step is about an event that ends whoever works on it."""
    return any(arrival.event.text == POISON for arrival in args[2])


@dataclass(frozen=True, slots=True)
class Point:
    """A step of the product, by the place where its callers look it up; ``when`` tells by what it gave and got."""

    place: Any
    step: str
    before: bool = False
    when: Callable[[Any, Sequence[Any]], bool] = anything


POISON = "whoever works on this, ends"


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
        Point(connector.store.outbox, "release_expired", when=lambda given, _: given.given_back > 0),
    ),
    "poison_applied": (Point(connector.flows.ingest, "apply_events", before=True, when=is_poison),),
}


def arm(name: str) -> None:
    """From now on this process ends at the point."""
    for point in POINTS[name]:
        setattr(point.place, point.step, dying(getattr(point.place, point.step), point))


def dying(step: Callable[..., Any], point: Point) -> Callable[..., Any]:
    """The step, with the end of the process right after it or right before it."""

    def last(*args: Any, **named: Any) -> Any:
        given = None if point.before else step(*args, **named)
        if point.when(given, args):
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*args, **named) if point.before else given

    return last
