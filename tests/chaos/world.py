"""The processes of the fault tests: an org, and the service in as many parts as it is given, in their nursery."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from connector.settings import default_mappings_dir
from tests.chaos.database import Database
from tests.chaos.senders import SECRET
from tests.chaos.story import SOURCES

ROOT = Path(__file__).resolve().parent.parent.parent
ALIVE = 1000


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(holds: Callable[[], bool], seconds: float, *, every: float = 0.1) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(every)
    return False


def answers(port: int, path: str = "/healthz") -> bool:
    """Whether somebody answers there."""
    line = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", path)
        line.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        line.close()
    return True


def settings_file(folder: Path, org: str) -> Path:
    """A configuration with two sources of one mapping, and only that mapping, so that a start costs little."""
    mappings = folder / "mappings"
    shutil.copytree(default_mappings_dir(), mappings, ignore=shutil.ignore_patterns("sources"))
    (mappings / "sources").mkdir()
    shutil.copy(default_mappings_dir() / "sources" / "social_case.yml", mappings / "sources")
    path = folder / "connector.toml"
    source = f'mapping = "social_case"\nsecrets = ["{SECRET}"]\naccount_ids = ["brand"]\n'
    path.write_text(
        f'data_dir = "{folder / "data"}"\n'
        f'secret_key = "{"k" * 40}"\n'
        f'mappings_dir = "{mappings}"\n'
        f'crm_url = "{org}"\n'
        'crm_client_id = "sandbox-client"\n'
        'crm_client_secret = "sandbox-secret"\n' + "".join(f"[sources.{name}]\n{source}" for name in SOURCES),
        encoding="utf-8",
    )
    return path


@dataclass
class Process:
    """A part of the service (run, web or worker); a worker's port stays closed."""

    part: str
    port: int
    id: int = 0
    kills: int = 0


class World:
    """One org, one store, and the service in parts."""

    def __init__(self, folder: Path, parts: Sequence[str] = ("run",), database_url: str = "") -> None:
        self.processes = [Process(part, free_port()) for part in parts]
        self.ports = [each.port for each in self.processes if each.part != "worker"]
        org_port = free_port()
        self.org_url = f"http://127.0.0.1:{org_port}"
        self.log = folder / "service.log"
        self.environment = {"CONNECTOR_CONFIG": str(settings_file(folder, self.org_url))}
        if database_url:
            self.environment["CONNECTOR_DATABASE_URL"] = database_url
        self.database = Database(database_url or f"sqlite:///{folder / 'data' / 'connector.db'}")
        environment = {**os.environ, **self.environment}
        self._org = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--port", str(org_port)],
            cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery", str(self.log)],
            cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def prepare(self) -> None:
        """The store is migrated, the package is in the org, and the service is ready to be forked."""
        port = urlsplit(self.org_url).port
        assert port
        assert until(lambda: answers(port, "/sandbox/health"), 60, every=0.02)
        for request in ("do migrate", "do crm install", "warm"):
            assert self._ask(request) == 0, f"{request}: {self.last_words()}"

    @property
    def kills(self) -> int:
        """How many processes were killed so far."""
        return sum(each.kills for each in self.processes)

    def start(self, *processes: Process, point: str = "") -> None:
        """Starts these parts, or all; they may not be ready yet. With a point, they kill themselves there."""
        for each in processes or self.processes:
            each.id = self._ask(f"start {each.part} {each.port} {point or '-'}")

    def await_answers(self) -> None:
        """Waits until every part that takes requests answers."""
        for port in self.ports:
            assert until(lambda port=port: answers(port), 60, every=0.01), self.last_words()  # type: ignore[misc]

    def cut_connections(self) -> None:
        """Ends every connection to PostgreSQL under the hands of parts that are at work; one that starts would end."""
        self.await_answers()
        workers = sum(each.part == "worker" for each in self.processes)
        assert until(lambda: self.database.listeners() == workers, 60, every=0.02), self.last_words()
        assert self.database.cut_connections() > workers

    def kill(self, *processes: Process) -> None:
        """Ends these parts as a power cut would; they must not have ended by themselves before."""
        for each in processes:
            os.kill(each.id, signal.SIGKILL)
        for each in processes:
            ended = self._ask(f"gone {each.id}")
            assert ended == -signal.SIGKILL, f"a {each.part} ended by itself ({ended}): {self.last_words()}"
            self.note_death(each)

    def halt(self, process: Process) -> None:
        """Stops a part in mid-air; it stands when this returns."""
        assert self._ask(f"halt {process.id}") == signal.SIGSTOP

    def is_dead(self, process: Process) -> bool:
        """Whether it has ended, which only a kill may do; until then, time passes for it."""
        ended = self._ask(f"look {process.id}")
        assert ended in (ALIVE, -signal.SIGKILL), f"it ended by itself ({ended}): {self.last_words()}"
        if ended == ALIVE:
            self.hurry()
        return ended != ALIVE

    def note_death(self, process: Process) -> None:
        """The leases of a process that was killed lapse; on SQLite the next start itself takes them back."""
        process.kills += 1
        if not self.database.is_sqlite:
            held = f"WHERE claim LIKE '{process.id:08x}-%'"
            self.database.change(*(f"UPDATE {each} SET lease_until = 1 {held}" for each in ("deliveries", "outbox")))
        process.id = 0

    def stop(self) -> list[int]:
        """Asks every part to end; their exit codes."""
        running = [each for each in self.processes if each.id]
        for each in running:
            os.kill(each.id, signal.SIGTERM)
        ended = [self._ask(f"gone {each.id}") for each in running]
        for each in running:
            each.id = 0
        return ended

    def hurry(self) -> None:
        """Time passes: back-off, lingering and the breaker are over."""
        # Rows that somebody writes right now are left alone: two who wait for each other would not be the service's.
        free = "" if self.database.is_sqlite else "FOR UPDATE SKIP LOCKED"
        self.database.change(
            "UPDATE outbox SET run_at = 0, queued_at = 0 WHERE id IN (SELECT id FROM outbox WHERE state = 'pending' "
            f"AND claim IS NULL AND (run_at > 0 OR queued_at > 0) {free})",
            "UPDATE deliveries SET run_at = 0 WHERE id IN (SELECT id FROM deliveries WHERE state = 'new' "
            f"AND claim IS NULL AND run_at > 0 {free})",
            "UPDATE crm_state SET value = '{}' WHERE name = 'writeback'",
        )

    def is_settled(self) -> bool:
        """Whether all is worked through; time passes, and a person revives rows that were parked by the kills."""
        self.database.change(
            "UPDATE deliveries SET state = 'new', touches = 0 WHERE state = 'dead'",
            "UPDATE outbox SET state = 'pending', touches = 0 WHERE state = 'dead' AND error LIKE 'poison%'",
        )
        self.hurry()
        return self.database.look(_WAITING) == [{"n": 0}]

    def last_words(self) -> str:
        """The end of the service's log."""
        return self.log.read_text()[-3000:] if self.log.exists() else "nothing was logged"

    def close(self) -> None:
        """Ends everything."""
        for each in self.processes:
            with suppress(ProcessLookupError):
                if each.id:
                    os.kill(each.id, signal.SIGKILL)
        for process in (self._nursery, self._org):
            process.kill()
            process.communicate()
        self.database.close()

    def _ask(self, line: str) -> int:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{line}\n")
        self._nursery.stdin.flush()
        answer = self._nursery.stdout.readline()
        assert answer, f"the nursery ended at {line!r}: {self.last_words()}"
        return int(answer)


_WAITING = (
    "SELECT (SELECT COUNT(*) FROM deliveries WHERE state <> 'done') + "
    "(SELECT COUNT(*) FROM outbox WHERE state <> 'sent') AS n"
)


@contextmanager
def running_world(folder: Path, parts: Sequence[str] = ("run",), database_url: str = "") -> Iterator[World]:
    """A world that is prepared, and ended whatever happens."""
    world = World(folder, parts, database_url)
    try:
        world.prepare()
        yield world
    finally:
        world.close()
