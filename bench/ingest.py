"""Events applied a second: from stored deliveries to cases, interactions, profiles and outbox, one event a delivery.

    python -m bench.ingest [--rounds 5] [--events 4000] [--turns 4]

Each round works through fresh signed-and-stored deliveries: ``turns`` events a conversation (mention, the brand's
answer, replies), each conversation a customer of its own. Beside it stands the ceiling of the same round: exactly the
rows that ingestion wrote, put into an empty store of the same schema by bare executemany, one commit per 500 events.
On PostgreSQL too when CONNECTOR_TEST_POSTGRES names a server.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import insert, select, text
from sqlalchemy.engine import make_url

from connector.domain.clock import system_clock
from connector.flows.context import Context
from connector.flows.ingest import ingest_once
from connector.flows.sources import Source
from connector.mapping.channels import load_channels
from connector.mapping.loader import load_mappings
from connector.mapping.purposes import load_consent
from connector.settings import default_mappings_dir
from connector.store.installation import read_namespace
from connector.store.migrate import migrate
from connector.store.tables import (
    case_events,
    cases,
    deliveries,
    events,
    interactions,
    outbox,
    profile_handles,
    social_profiles,
)
from connector.store.unit_of_work import Store, open_store

STORY = datetime(2026, 2, 2, 12, tzinfo=UTC)
WRITTEN = (social_profiles, profile_handles, cases, interactions, case_events, events, outbox)
BATCH = 500


@dataclass(frozen=True)
class Figure:
    """One round: events a second through ingestion, the same rows bare, and the CPU µs that ingestion took for each."""

    ingested: float
    ceiling: float
    cpu: float


def body(number: int, turns: int) -> bytes:
    """One event of the generic social case."""
    customer, turn = divmod(number, turns)
    is_brand = turn % 2 == 1
    author = {"id": "brand", "role": "agent"} if is_brand else {"id": f"c{customer}", "handle": f"handle{customer}"}
    sent_at = (STORY + timedelta(seconds=number)).isoformat()
    message = {
        "id": f"m{number}",
        "kind": "reply" if turn else "mention",
        "visibility": "public",
        "thread_id": f"t{customer}",
        "sent_at": sent_at,
        "text": f"My order {number} has not arrived, can you look into it please?",
        "language": "en",
    }
    data = {
        "network": "x", "account": {"id": "brand"}, "author": author, "customer": {"id": f"c{customer}"},
        "message": message,
    }  # fmt: skip
    return json.dumps({"id": f"e{number}", "type": "message.created", "timestamp": sent_at, "data": data}).encode()


def fill(store: Store, count: int, turns: int) -> None:
    """Stores deliveries as the intake would."""
    rows = [
        {
            "source": "bench", "key": str(uuid4()), "received_at": 1_770_000_000_000, "body": body(number, turns),
            "content_type": "application/json",
        }
        for number in range(count)
    ]  # fmt: skip
    with store.begin() as uow:
        uow.connection.execute(insert(deliveries), rows)


def context(store: Store) -> Context:
    """A context with the one source of this bench."""
    folder = default_mappings_dir()
    mapping = load_mappings(folder)["social_case"]
    return Context(
        store=store,
        clock=system_clock,
        namespace=read_namespace(store),
        sources={"bench": Source("bench", mapping, ("secret",), ("brand",))},
        channels=load_channels(folder / "channels.yml"),
        consent=load_consent(folder),
        secret_key="k" * 32,
        public_url="http://127.0.0.1:8080",
    )


def measure(fresh: Any, count: int, turns: int) -> Figure:
    """Works through the deliveries of one round, then writes the same rows bare."""
    with fresh() as store:
        fill(store, count, turns)
        ctx = context(store)
        started, busy = time.perf_counter(), time.process_time()
        done = 0
        while (report := ingest_once(ctx, BATCH)).claimed:
            done += report.events
        ingested = done / (time.perf_counter() - started)
        cpu = (time.process_time() - busy) / max(done, 1) * 1e6
        if done != count:
            raise SystemExit(f"{done} of {count} events were applied")
        with store.read() as connection:
            kept = {table: [dict(row) for row in connection.execute(select(table)).mappings()] for table in WRITTEN}
    with fresh() as store:
        fill(store, count, turns)
        ceiling = count / bare(store, kept, count)
    return Figure(ingested, ceiling, cpu)


def bare(store: Store, kept: dict[Any, list[dict[str, Any]]], count: int) -> float:
    """Seconds to write the rows by executemany on the driver, one commit per 500 events."""
    batches = -(-count // BATCH)
    mark = "?" if store.is_sqlite else "%s"
    statements = {
        table: f"INSERT INTO {table.name} ({', '.join(column.name for column in table.c)}) "
        f"VALUES ({', '.join(mark for _ in table.c)})"
        for table in WRITTEN
    }
    rows = {table: [tuple(row.values()) for row in kept[table]] for table in WRITTEN}
    connection = store.engine.raw_connection()
    cursor = connection.cursor()
    started = time.perf_counter()
    for number in range(batches):
        if store.is_sqlite:
            cursor.execute("BEGIN IMMEDIATE")
        for table in WRITTEN:
            size = -(-len(rows[table]) // batches)
            cursor.executemany(statements[table], rows[table][number * size : (number + 1) * size])
        cursor.execute("COMMIT") if store.is_sqlite else connection.commit()
    seconds = time.perf_counter() - started
    connection.close()
    return seconds


@contextmanager
def sqlite_store() -> Iterator[Store]:
    """An empty migrated SQLite store with the product's own durability."""
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"sqlite:///{Path(folder) / 'bench.db'}")
        migrate(store)
        yield store
        store.close()


@contextmanager
def postgres_store() -> Iterator[Store]:
    """An empty migrated PostgreSQL schema."""
    url = os.environ["CONNECTOR_TEST_POSTGRES"]
    server = open_store(url)
    name = f"bench_ingest_{os.getpid()}"
    with server.begin() as uow:
        uow.connection.execute(text(f'CREATE SCHEMA "{name}"'))
    store = open_store(make_url(url).update_query_dict({"options": f"-csearch_path={name}"}).render_as_string(False))
    try:
        migrate(store)
        yield store
    finally:
        store.close()
        with server.begin() as uow:
            uow.connection.execute(text(f'DROP SCHEMA "{name}" CASCADE'))
        server.close()


def report(name: str, figures: list[Figure]) -> None:
    """Prints min, median and max of the rounds."""
    shown = {
        "ingestion, events/s": ([each.ingested for each in figures], 0),
        "the same rows bare, events/s": ([each.ceiling for each in figures], 0),
        "share of bare": ([each.ingested / each.ceiling for each in figures], 2),
        "CPU of this process, µs an event": ([each.cpu for each in figures], 0),
    }
    for what, (values, digits) in shown.items():
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:10} {what:34} {low:9.{digits}f} {middle:9.{digits}f} {high:9.{digits}f}")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--turns", type=int, default=4)
    given = parser.parse_args()
    stores = {"SQLite": sqlite_store}
    if os.environ.get("CONNECTOR_TEST_POSTGRES"):
        stores["PostgreSQL"] = postgres_store
    figures: dict[str, list[Figure]] = {name: [] for name in stores}
    for _ in range(given.rounds):
        for name, fresh in stores.items():
            figures[name].append(measure(fresh, given.events, given.turns))
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.rounds} rounds of")
    print(f"{given.events} events, {given.turns} a conversation; min, median, max")
    for name, measured in figures.items():
        report(name, measured)


if __name__ == "__main__":
    main()
