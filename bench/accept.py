"""Durable accepts a second, with the server that `connector run` uses and bodies held open that never finish.

    python -m bench.accept [--rounds 5] [--seconds 4] [--connections 32] [--unfinished 40]

Each round measures, one after the other: the store's own ceiling (one thread, one commit a row), bare Flask behind the
same server (no signature, no store), and the product on SQLite; on PostgreSQL too when CONNECTOR_TEST_POSTGRES names
one. Every accept is a signed delivery of its own, on disk before its 200; afterwards the rows are counted.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hmac import digest
from pathlib import Path
from typing import Any

import uvloop
from sqlalchemy import text
from sqlalchemy.engine import make_url

from connector.store.accept import GroupCommit, NewDelivery
from connector.store.migrate import migrate
from connector.store.unit_of_work import Store, open_store

SECRET = "bench-secret-of-32-characters-long"
BODY = b'{"object":"page","entry":[{"id":"1","time":1769850000,"messaging":[{"sender":{"id":"%d"},"text":"%s"}]}]}'
SCHEMA = "bench_accept"


@dataclass(frozen=True)
class Figure:
    """One measurement: what was done a second, the 99th percentile of a request in ms, the server's CPU µs for each."""

    rate: float
    p99: float
    wrong: int = 0
    cpu: float = 0.0


def serve(url: str, port: int) -> None:
    """Runs the product's server on a store, with a bare Flask page beside it; ends by SIGTERM."""
    import logging

    import structlog
    from flask import Flask

    from connector.domain.clock import system_clock
    from connector.flows.receive import Receiver
    from connector.flows.sources import Source
    from connector.mapping.loader import load_mappings
    from connector.settings import default_mappings_dir
    from connector.web.server import serve as run

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    app = Flask(__name__)
    app.add_url_rule("/bare", view_func=lambda: "", methods=["POST"])
    mapping = load_mappings(default_mappings_dir())["messenger"]
    source = Source("bench", mapping, secrets=(SECRET,))
    receiver = Receiver(open_store(url), {"bench": source}, system_clock, "http://127.0.0.1", inbox_cap=100_000_000)
    run(app, receiver, "127.0.0.1", port, on_ready=lambda found: print(found, flush=True))


@contextmanager
def server(url: str) -> Iterator[tuple[int, int]]:
    """The port and the process id of a product server of its own."""
    command = [sys.executable, "-m", "bench.accept", "--serve", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), process.pid
        process.terminate()


def cpu_seconds(pid: int) -> float:
    """The CPU time that a process has used, where the system tells."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def requests(path: str, count: int, seed: int, *, signed: bool) -> list[bytes]:
    """Ready-made requests, each with a body of its own."""
    made = []
    for number in range(count):
        body = BODY % (seed * 10_000_000 + number, b"Where is my order? " * 20)
        proof = f"x-hub-signature-256: sha256={digest(SECRET.encode(), body, 'sha256').hex()}\r\n" if signed else ""
        head = f"POST {path} HTTP/1.1\r\nhost: b\r\ncontent-type: application/json\r\n{proof}"
        made.append(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
    return made


def load(port: int, path: str, seconds: float, connections: int, seed: int, signed: bool, out: Any) -> None:
    """Sends as fast as the answers come, on so many connections, and puts a Figure and the count of 200s."""

    async def one(work: Iterator[bytes], end: float, took: list[float], wrong: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(next(work))
            head = await reader.readuntil(b"\r\n\r\n")
            if b"transfer-encoding: chunked" in head:
                await reader.readuntil(b"0\r\n\r\n")
            took.append((time.perf_counter() - started) * 1000)
            if not head.startswith(b"HTTP/1.1 200"):
                wrong.append(head)
        writer.close()

    async def run() -> tuple[Figure, int]:
        work = iter(requests(path, int(seconds * 12_000), seed, signed=signed))
        took: list[float] = []
        wrong: list[bytes] = []
        started = time.perf_counter()
        await asyncio.gather(*(one(work, started + seconds, took, wrong) for _ in range(connections)))
        spent = time.perf_counter() - started
        took.sort()
        figure = Figure(len(took) / spent, took[int(len(took) * 0.99)], len(wrong))
        return figure, len(took) - len(wrong)

    out.put(uvloop.run(run()))


def hold(port: int, count: int, ready: Any, done: Any) -> None:
    """Opens requests whose bodies never finish, and keeps them open: a byte every second."""

    async def run() -> None:
        head = b"POST /webhooks/bench HTTP/1.1\r\nhost: b\r\ncontent-length: 1000\r\n\r\n{"
        writers = []
        for _ in range(count):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            writers.append(writer)
        ready.set()
        while not done.is_set():
            await asyncio.sleep(1)
            for writer in writers:
                writer.write(b" ")

    uvloop.run(run())


def measure(
    at: tuple[int, int], path: str, options: argparse.Namespace, seed: int, *, signed: bool
) -> tuple[Figure, int]:
    """One round of load from a process of its own, with the unfinished bodies held open meanwhile."""
    port, pid = at
    context = multiprocessing.get_context("spawn")
    out, ready, done = context.SimpleQueue(), context.Event(), context.Event()
    holder = context.Process(target=hold, args=(port, options.unfinished, ready, done))
    holder.start()
    ready.wait(20)
    args = (port, path, options.seconds, options.connections, seed, signed, out)
    client = context.Process(target=load, args=args)
    before = cpu_seconds(pid)
    client.start()
    figure, stored = out.get()
    used = cpu_seconds(pid) - before
    client.join()
    done.set()
    holder.join()
    answered = stored + figure.wrong
    return replace(figure, cpu=used * 1e6 / max(1, answered)), stored


def ceiling(store: Store, seconds: float, seed: int) -> Figure:
    """Rows a second that one thread can commit, one by one: what the disk and the database allow without groups."""
    commit = GroupCommit(store)
    took: list[float] = []
    end = time.perf_counter() + seconds
    body = BODY % (0, b"Where is my order? " * 20)
    while time.perf_counter() < end:
        started = time.perf_counter()
        commit.accept(NewDelivery("ceiling", f"{seed}-{len(took)}", 0, body))
        took.append((time.perf_counter() - started) * 1000)
    commit.close()
    took.sort()
    return Figure(len(took) * 1000 / sum(took), took[int(len(took) * 0.99)])


def fresh(url: str) -> Store:
    """An empty, migrated store at this address."""
    store = open_store(url)
    if not store.is_sqlite:
        with store.begin() as uow:
            uow.connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
            uow.connection.execute(text(f"CREATE SCHEMA {SCHEMA}"))
    migrate(store)
    return store


def bench(name: str, url: str, options: argparse.Namespace) -> None:
    """Prints the figures of one database."""
    store = fresh(url)
    rows: dict[str, list[Figure]] = {"commit ceiling": [], "bare Flask": [], "durable accepts": []}
    sent = 0
    with server(url) as at:
        for number in range(options.rounds):
            rows["commit ceiling"].append(ceiling(store, options.seconds / 2, number))
            rows["bare Flask"].append(measure(at, "/bare", options, number, signed=False)[0])
            figure, stored = measure(at, "/webhooks/bench", options, number, signed=True)
            rows["durable accepts"].append(figure)
            sent += stored
    with store.read() as connection:
        found = connection.execute(text("SELECT COUNT(*) FROM deliveries WHERE source = 'bench'")).scalar_one()
    store.close()
    for what, figures in rows.items():
        rates = sorted(figure.rate for figure in figures)
        p99 = sorted(figure.p99 for figure in figures)
        wrong = sum(figure.wrong for figure in figures)
        cpu = statistics.median(figure.cpu for figure in figures)
        print(
            f"{name:10} {what:16} {rates[0]:8.0f} {statistics.median(rates):8.0f} {rates[-1]:8.0f} /s   "
            f"p99 {p99[0]:6.1f} {statistics.median(p99):6.1f} {p99[-1]:6.1f} ms   "
            f"server CPU {cpu:5.0f} µs each   wrong {wrong}"
        )
    print(f"{name:10} answered 200: {sent}, rows on disk: {found}")
    if found < sent:
        raise SystemExit("Deliveries were answered that are not on disk.")


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--unfinished", type=int, default=40)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, 0)
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}; "
        f"{options.rounds} rounds of {options.seconds} s, {options.connections} connections, "
        f"{options.unfinished} unfinished bodies held open; min, median, max"
    )
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        bench("SQLite", f"sqlite:///{folder}/bench.db", options)
    postgres = os.environ.get("CONNECTOR_TEST_POSTGRES")
    if postgres:
        url = make_url(postgres).update_query_dict({"options": f"-csearch_path={SCHEMA}"})
        bench("PostgreSQL", url.render_as_string(hide_password=False), options)
        with open_store(postgres).begin() as uow:
            uow.connection.execute(text(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE"))
    else:
        print("PostgreSQL skipped: CONNECTOR_TEST_POSTGRES is not set.")


if __name__ == "__main__":
    main()
