"""How the service is, in figures and in one sentence; /readyz, /metrics and the health page all read it from here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from connector.domain.events import format_time, from_millis, to_millis
from connector.flows.context import Context
from connector.flows.failing import Failure, lasting_failures
from connector.flows.operate import MOST_LOOKED_AT, never_taken_back
from connector.flows.upkeep import free_bytes
from connector.queries import operations
from connector.web.present import count, duration, plural

SLOW_DELIVERY_SECONDS = 300
SLOW_OUTBOX_SECONDS = 900
NO_DISK_BYTES = 4 * 1024 * 1024
LITTLE_DISK_BYTES = 500 * 1024 * 1024

WORK = {
    "ingest": "Taking deliveries in",
    "writeback": "Writing to the CRM",
    "sync": "Reading from the CRM",
    "consent": "Ending consents whose time is over",
    "leases": "Giving back what ended workers held",
    "retention": "Forgetting what was kept long enough",
    "schedule": "The schedule",
    "hints": "Listening to other processes",
    "failing": "Telling what fails",
}
"""The work of a worker, as the health page calls it."""

CRMS_OWN = frozenset({"crm_unavailable", "crm_rate_limited"})
"""Faults that pass without a person: intake works on, and writes go out when the CRM is back."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """Everything that tells whether it is well, read from the database now."""

    health: operations.Health
    delivery_age: float
    outbox_age: float
    last_event: Mapping[str, int | None]
    newest_age: float | None
    never_taken_back: int
    """Records in the CRM that still name a contact whose consent has ended, and that nothing tries again."""
    failing: tuple[Failure, ...]
    """Work of some worker that has failed each time for a minute or longer."""
    problems: tuple[tuple[str, str], ...]
    """Each with its cure; empty when all is well."""
    warnings: tuple[tuple[str, str], ...]
    """What does not keep the service from its work yet, each with its cure."""

    @property
    def is_ready(self) -> bool:
        """Whether the service does its work."""
        return not self.problems

    @property
    def sentence(self) -> str:
        """The state in one sentence."""
        if self.problems:
            return self.problems[0][0]
        if self.warnings:
            return self.warnings[0][0]
        start = "It works, but some things need a person" if stuck(self.health) else "All well"
        waiting = self.health.waiting_deliveries + self.health.waiting_outbox
        rest = f"{count(waiting)} on the way" if waiting else "nothing waiting"
        if self.newest_age is None:
            return f"{start}: no delivery has come in yet, {rest}."
        return f"{start}: last delivery {duration(self.newest_age)} ago, {rest}."


def vitals(ctx: Context, connection: Connection) -> Vitals:
    """The vitals of this installation now."""
    now = to_millis(ctx.clock())
    health = operations.health(connection)
    delivery_age = _age(health.oldest_delivery_at, now)
    outbox_age = _age(health.oldest_outbox_at, now)
    last_event = operations.last_received(connection, sorted(ctx.sources))
    heard = [at for at in last_event.values() if at is not None]
    failing = lasting_failures(connection)
    naming = never_taken_back(ctx, connection) if ctx.crm is not None and health.dead_outbox else 0
    return Vitals(
        health=health,
        delivery_age=delivery_age,
        outbox_age=outbox_age,
        last_event=last_event,
        newest_age=_age(max(heard), now) if heard else None,
        never_taken_back=naming,
        failing=tuple(failing),
        problems=(*_problems(ctx, health, delivery_age, outbox_age), *_failing(failing, by_the_crm=False)),
        warnings=(*_naming(naming), *_warnings(ctx, health), *_failing(failing, by_the_crm=True)),
    )


def _naming(number: int) -> Iterator[tuple[str, str]]:
    if number:
        still = "record in the CRM still names" if number == 1 else "records in the CRM still name"
        most = " or more" if number == MOST_LOOKED_AT else ""
        yield (
            f"{count(number)}{most} {still} a contact whose consent has ended: the CRM refuses the change.",
            "Cure what the CRM says of each dead row of the outbox (`connector outbox list --state dead`), then try "
            "these again (`connector outbox retry`).",
        )


def _failing(failures: Sequence[Failure], *, by_the_crm: bool) -> Iterator[tuple[str, str]]:
    for each in failures:
        if (each.code in CRMS_OWN) is by_the_crm:
            since = format_time(from_millis(each.since))
            work = WORK.get(each.work, each.work)
            yield (
                f"{work} has failed since {since}, {plural(each.times, 'time')} in a row: {each.words}",
                f"Look for `lane_failed` with `{each.work}` in the worker's log, and run `connector check`.",
            )


def writing(health: operations.Health) -> Mapping[str, Any]:
    """How writing to the CRM stood after the last call: ``breaker``, ``used``, ``total``; empty before the first."""
    fact = health.crm.get("writeback", {}).get("value")
    return fact if isinstance(fact, dict) else {}


_READING = {"crm_login_failed": "login", "crm_rate_limited": "limited", "misconfigured": "halted"}
"""What a fault of reading the CRM stands for; any other means that it is away."""


def crm_login(health: operations.Health) -> str:
    """How the CRM took the last call: ok, login, halted, limited, away; or unknown before the first."""
    breaker = writing(health).get("breaker")
    if isinstance(breaker, dict) and (breaker.get("failures") or breaker.get("why") == "limited"):
        return str(breaker.get("why") or "ok")
    reading = health.crm.get("reading", {}).get("value")
    if isinstance(reading, dict) and reading.get("code"):
        return _READING.get(str(reading["code"]), "away")
    return "ok" if isinstance(breaker, dict) or isinstance(reading, dict) else "unknown"


def _age(since: int | None, now: int) -> float:
    return max(0.0, (now - since) / 1000) if since is not None else 0.0


def _problems(ctx: Context, health: operations.Health, delivery_age: float, outbox_age: float) -> list[tuple[str, str]]:
    found = []
    if (free := free_bytes(ctx)) is not None and free < NO_DISK_BYTES:
        found.append(
            (
                "The disk of the store is full: nothing new is taken, senders get 503 and send again.",
                "Free space in the data directory.",
            )
        )
    if delivery_age > SLOW_DELIVERY_SECONDS:
        found.append(
            (
                f"Deliveries are not worked on: the oldest has waited {duration(delivery_age)}.",
                "See that a worker runs: `connector run`, or `connector worker`.",
            )
        )
    login = crm_login(health)
    if ctx.crm is not None and login == "login":
        found.append(
            ("The CRM refuses the login.", "Run `connector check`; it names the setting to correct. Writes wait.")
        )
    elif ctx.crm is not None and login == "halted":
        found.append(
            (
                "The CRM refuses what it is asked to read or take, as it is set up.",
                "Run `connector check`; it names what to change.",
            )
        )
    elif ctx.crm is not None and outbox_age > SLOW_OUTBOX_SECONDS:
        found.append(
            (
                f"Writes to the CRM wait: the oldest for {duration(outbox_age)}.",
                "Run `connector check`: the login, the API budget or the network may be the cause.",
            )
        )
    return found


def _warnings(ctx: Context, health: operations.Health) -> list[tuple[str, str]]:
    found = []
    if ctx.crm is not None and crm_login(health) == "away":
        found.append(
            (
                "The CRM does not answer: cases still come in, writes wait and go out when it does.",
                "Run `connector check`: the network, CONNECTOR_CRM_URL or the org may be the cause.",
            )
        )
    free = free_bytes(ctx)
    if free is not None and NO_DISK_BYTES <= free < LITTLE_DISK_BYTES:
        found.append((f"The disk of the store has {free // 2**20} MiB left.", "Free space in the data directory."))
    return found


def stuck(health: operations.Health) -> str:
    """What needs a person, in words; empty when nothing does."""
    parts = [
        (health.open_shelf, "item"),
        (health.dead_deliveries, "unreadable delivery"),
        (health.dead_outbox, "record the CRM will not take"),
    ]
    named = {
        "unreadable delivery": "unreadable deliveries",
        "record the CRM will not take": "records the CRM will not take",
    }
    said = [plural(number, word, named.get(word)) for number, word in parts if number]
    return ", ".join(said)
