"""How the index grows: build time, size, memory, one upsert and a suggestion's time, by the number of contacts.

`python -m bench.identity.growth --sizes 10000,100000,1000000`; `--postgres`: on CONNECTOR_TEST_POSTGRES.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, MetaData, create_engine, text

from bench.identity.generate import contacts, handle_of
from connector.domain.matching import ContactFacts, ProfileQuery, SuggestionEngine
from connector.mapping.scorecard import load_scorecard
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.suggestion_tables import define

ASKED = 500


@contextmanager
def _base(folder: Path, postgres: bool) -> Iterator[tuple[Connection, str]]:
    url = os.environ["CONNECTOR_TEST_POSTGRES"] if postgres else f"sqlite:///{folder / 'growth.db'}"
    engine = create_engine(url, connect_args={"options": "-csearch_path=growth"} if postgres else {})
    metadata = MetaData()
    define(metadata)
    with engine.connect() as connection:
        if postgres:
            connection.execute(text("DROP SCHEMA IF EXISTS growth CASCADE"))
            connection.execute(text("CREATE SCHEMA growth"))
        metadata.create_all(connection)
        connection.commit()
        yield connection, engine.dialect.name
        if postgres:
            connection.rollback()
            connection.execute(text("DROP SCHEMA growth CASCADE"))
            connection.commit()
    engine.dispose()


def _size(connection: Connection, dialect: str) -> float:
    query = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    if dialect == "postgresql":
        query = (
            "SELECT sum(pg_total_relation_size(oid)) FROM pg_class"
            " WHERE relnamespace = 'growth'::regnamespace AND relkind = 'r'"
        )
    return float(connection.execute(text(query)).scalar_one()) / 1e6


def _sampled(everybody: Iterator[ContactFacts], size: int, kept: list[ContactFacts]) -> Iterator[ContactFacts]:
    for number, each in enumerate(everybody):
        if number % max(size // ASKED, 1) == 0:
            kept.append(each)
        yield each


def _ask(engine: SuggestionEngine, people: list[ContactFacts]) -> tuple[list[float], list[float], float, float]:
    rng = random.Random(9)
    times, work, right, error = [], [], 0, 0.0
    for person in people:
        query = ProfileQuery(network="x", handle=handle_of(rng, person))
        begin, worked = time.perf_counter(), time.process_time()
        found = engine.suggest(query)
        times.append((time.perf_counter() - begin) * 1000)
        work.append((time.process_time() - worked) * 1000)
        right += any(each.contact_id == person.contact_id for each in found)
        error += (found[0].score - (found[0].contact_id == person.contact_id)) if found else 0.0
    return sorted(times), sorted(work), right / len(people), error / len(people)


def grow(size: int, postgres: bool) -> None:
    """Prints one row: the index of so many contacts."""
    with TemporaryDirectory() as folder, _base(Path(folder), postgres) as (connection, dialect):
        index = SqlSuggestionIndex(connection)
        people: list[ContactFacts] = []
        begin = time.perf_counter()
        index.rebuild(_sampled(contacts(size, seed=3), size, people))
        connection.commit()
        built = time.perf_counter() - begin
        engine = SuggestionEngine(index, load_scorecard())
        _ask(engine, people[:50])
        times, work, recall, bias = _ask(engine, people)
        begin = time.perf_counter()
        for person in people[:200]:
            index.upsert([replace(person, city="Elsewhere")])
        connection.commit()
        upsert = (time.perf_counter() - begin) * 1000 / len(people[:200])
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"| {dialect} | {size:,} | {built:.0f} | {_size(connection, dialect):.0f} | {memory:.0f} | {upsert:.2f} |"
            f" {times[len(times) // 2]:.1f} | {times[int(len(times) * 0.99)]:.1f} |"
            f" {work[len(work) // 2]:.1f} | {work[int(len(work) * 0.99)]:.1f} | {recall:.3f} | {bias:+.3f} |",
            flush=True,
        )


def main() -> None:
    """Prints the growth table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", default="10000,100000,1000000")
    arguments.add_argument("--postgres", action="store_true")
    options = arguments.parse_args()
    columns = [
        "store",
        "contacts",
        "build s",
        "MB",
        "RSS MB",
        "upsert ms",
        "ms p50",
        "ms p99",
        "CPU ms p50",
        "CPU ms p99",
        "R@5",
        "bias",
    ]
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|", flush=True)
    for size in options.sizes.split(","):
        grow(int(size), options.postgres)


if __name__ == "__main__":
    main()
