"""How the index grows: build time, size, memory, one upsert and a suggestion's time, by the number of contacts.

`python -m bench.identity.growth --sizes 10000,100000,1000000`; `--postgres`: on CONNECTOR_TEST_POSTGRES; `--nightly`:
ten millions too. People are written to a CSV first, as the bulk command reads it; the build is timed from that file on.
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, MetaData, create_engine, text

from bench.identity.generate import contacts, handle_of
from bench.identity.metrics import measure
from connector.bulk_suggest import read_contacts
from connector.domain.matching import ContactFacts, ProfileQuery, SuggestionEngine
from connector.mapping.scorecard import load_scorecard
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.suggestion_tables import define

SIZES = (10_000, 100_000, 1_000_000)
NIGHTLY = 10_000_000
WARM, KNOWN, MISSING, CHANGED = 200, 1600, 400, 200
COLUMNS = (
    "store | contacts | build s (CPU s) | MB | RSS MB (each process) | upsert CPU ms | suggestion CPU ms p50 | p99"
    " | wall ms p50 | p99 | R@1 | R@5 | no-match shown >=.9 | calibration error | load"
)


def table(sizes: list[int], postgres: bool, processes: int) -> None:
    """Prints the growth table; each size runs in a process of its own, so that its memory is its own."""
    print(f"| {COLUMNS} |\n" + "|---" * (COLUMNS.count("|") + 1) + "|", flush=True)
    for size in sizes:
        process = get_context("spawn").Process(target=grow, args=(size, postgres, processes))
        process.start()
        process.join()
        if process.exitcode:
            print(f"| {size:,} contacts: not finished, see the error above |", flush=True)


def grow(size: int, postgres: bool, processes: int) -> None:
    """Prints one row: the index of so many contacts."""
    with TemporaryDirectory(prefix="growth-") as folder, _base(Path(folder), postgres) as (connection, dialect):
        people = Path(folder) / "contacts.csv"
        asked = _write(people, size)
        index = SqlSuggestionIndex(connection)
        begin, worked = time.perf_counter(), _cpu()
        index.rebuild(islice(read_contacts(people, print), size), None, processes)
        connection.commit()
        cells = [dialect, f"{size:,}", f"{time.perf_counter() - begin:.0f} ({_cpu() - worked:.0f})"]
        memory = [_peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024]
        cells += [f"{_size(connection, dialect):.0f}", " + ".join(str(each) for each in memory if each)]
        answered = _answer(SuggestionEngine(index, load_scorecard()), asked)
        cells += [f"{_upsert(connection, index, asked[WARM : WARM + CHANGED]):.2f}", *answered]
        print(f"| {' | '.join(cells)} | {os.getloadavg()[0]:.1f} |", flush=True)


def _cpu() -> float:
    """Seconds of this process and of its children that have ended; a database server's are not in it."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _peak() -> int:
    """Megabytes this process held at most; on Linux from the kernel, since getrusage counts its parent's as well."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(lines["VmHWM"].split()[0]) // 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _write(path: Path, size: int) -> list[ContactFacts]:
    """Writes so many people and some more who are not in the base; returns whom to ask for, the missing ones last."""
    step = size // (WARM + KNOWN)
    known, missing = [], []
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("contact_id", "first_name", "last_name", "email", "city", "country"))
        for number, each in enumerate(contacts(size + MISSING, seed=3)):
            email = each.emails[0] if each.emails else None
            rows.writerow((each.contact_id, each.first_name, each.last_name, email, each.city, each.country))
            if number >= size:
                missing.append(each)
            elif number % step == 0:
                known.append(each)
    return known[: WARM + KNOWN] + missing


def _answer(engine: SuggestionEngine, people: list[ContactFacts]) -> list[str]:
    """Asks for a handle of each person once, the first ones for warmth only."""
    rng = random.Random(9)
    wall, work, answers, truth = [], [], {}, {}
    for number, person in enumerate(people):
        query = ProfileQuery(network="x", handle=handle_of(rng, person))
        begin, worked = time.perf_counter(), time.process_time()
        found = engine.suggest(query)
        if number < WARM:
            continue
        wall.append((time.perf_counter() - begin) * 1000)
        work.append((time.process_time() - worked) * 1000)
        answers[person.contact_id] = [(each.contact_id, each.score) for each in found]
        if number < WARM + KNOWN:
            truth[person.contact_id] = frozenset([person.contact_id])
    figures = measure(list(answers), truth, answers)
    times = [f"{sorted(each)[int(len(each) * share)]:.1f}" for each in (work, wall) for share in (0.5, 0.99)]
    shares = (figures.recall[1], figures.recall[5], figures.shown_without_match, figures.calibration_error)
    return [*times, *(f"{share:.3f}" for share in shares)]


def _upsert(connection: Connection, index: SqlSuggestionIndex, people: list[ContactFacts]) -> float:
    """CPU milliseconds of this process for one changed contact; the transaction is taken back."""
    worked = time.process_time()
    for person in people:
        index.upsert([replace(person, city="Elsewhere")])
    spent = (time.process_time() - worked) * 1000 / len(people)
    connection.rollback()
    return spent


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
        else:
            connection.execute(text("PRAGMA cache_size=-65536"))  # as the service has it
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


def main() -> None:
    """Prints the growth table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sizes", default=",".join(map(str, SIZES)))
    arguments.add_argument("--nightly", action="store_true", help="ten million contacts too (12 GB of disk, an hour)")
    arguments.add_argument("--postgres", action="store_true", help="on the database of CONNECTOR_TEST_POSTGRES")
    arguments.add_argument("--processes", type=int, default=2, help="processes that build (default 2)")
    options = arguments.parse_args()
    if options.postgres and "CONNECTOR_TEST_POSTGRES" not in os.environ:
        raise SystemExit("--postgres: set CONNECTOR_TEST_POSTGRES to the address of a database to use.")
    sizes = [int(size) for size in options.sizes.split(",") if size] + [NIGHTLY] * options.nightly
    table(sizes, options.postgres, options.processes)


if __name__ == "__main__":
    main()
