"""The processes of the fault test: the org, the service in its nursery, and senders that never give up."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, Queue
from random import Random

import requests
from standardwebhooks import Webhook

from connector.settings import default_mappings_dir
from tests.chaos.story import Delivery

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FORGED = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
ROOT = Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def answers(url: str, within: float = 30.0) -> None:
    """Waits until somebody answers there."""
    until = time.monotonic() + within
    while True:
        try:
            requests.get(url, timeout=2)
        except requests.ConnectionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
        else:
            return


def settings_file(folder: Path, org: str) -> Path:
    """A configuration with one source, and only that source's mapping, so that a start costs little."""
    mappings = folder / "mappings"
    shutil.copytree(default_mappings_dir(), mappings, ignore=shutil.ignore_patterns("sources"))
    (mappings / "sources").mkdir()
    shutil.copy(default_mappings_dir() / "sources" / "social_case.yml", mappings / "sources")
    path = folder / "connector.toml"
    path.write_text(
        f"""
data_dir = "{folder / "data"}"
secret_key = "{"k" * 40}"
mappings_dir = "{mappings}"
crm_url = "{org}"
crm_client_id = "sandbox-client"
crm_client_secret = "sandbox-secret"
[sources.desk]
mapping = "social_case"
secrets = ["{SECRET}"]
account_ids = ["brand"]
""",
        encoding="utf-8",
    )
    return path


class World:
    """One org and one service in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = folder / "data" / "connector.db"
        self.port = free_port()
        org_port = free_port()
        self.org_url = f"http://127.0.0.1:{org_port}"
        self._org = subprocess.Popen(
            [sys.executable, "-m", "sandbox", "--port", str(org_port)], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        self.environment = {**os.environ, "CONNECTOR_CONFIG": str(settings_file(folder, self.org_url))}
        self.log = folder / "service.log"
        self._nursery: subprocess.Popen[str] | None = None
        self.child = 0
        self.kills = 0

    def prepare(self) -> None:
        """The package is in the org, the store is migrated, and the service is ready to be forked."""
        answers(f"{self.org_url}/sandbox/health")
        for command in (["migrate"], ["crm", "install"]):
            subprocess.run(
                [sys.executable, "-m", "connector", *command], cwd=ROOT, env=self.environment, check=True,
                capture_output=True,
            )  # fmt: skip
        self._nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery", str(self.log)], cwd=ROOT, env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def start(self) -> None:
        """Starts the service; it may not be ready yet."""
        self.child = self._ask(f"start {self.port}")

    def kill(self) -> None:
        """Ends the service as a power cut would; it must not have ended by itself before."""
        os.kill(self.child, signal.SIGKILL)
        ended = self._ask(f"gone {self.child}")
        assert ended == -signal.SIGKILL, f"the service ended by itself ({ended}): {self.log.read_text()[-2000:]}"
        self.kills += 1

    def stop(self) -> int:
        """Asks the service to end; its exit code."""
        os.kill(self.child, signal.SIGTERM)
        return self._ask(f"gone {self.child}")

    def _ask(self, line: str) -> int:
        assert self._nursery is not None
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{line}\n")
        self._nursery.stdin.flush()
        return int(self._nursery.stdout.readline())

    def execute(self, sql: str) -> int:
        """A change made by a person's hand in the store's file; how many rows it changed."""
        connection = sqlite3.connect(self.store, timeout=20, isolation_level=None)
        try:
            return connection.execute(sql).rowcount
        finally:
            connection.close()

    def hurry(self) -> None:
        """Time passes: back-off, lingering and the breaker are over."""
        self.execute("UPDATE outbox SET run_at = 0, queued_at = 0 WHERE state = 'pending' AND claim IS NULL")
        self.execute("UPDATE deliveries SET run_at = 0 WHERE state = 'new' AND claim IS NULL")
        self.execute("DELETE FROM crm_state WHERE name = 'writeback'")

    def close(self) -> None:
        """Ends everything."""
        with suppress(ProcessLookupError):
            if self.child:
                os.kill(self.child, signal.SIGKILL)
        for process in (self._nursery, self._org):
            if process is not None:
                process.kill()
                process.communicate()


class Senders:
    """Threads that send deliveries until each was answered, whatever happens to the service."""

    def __init__(self, url: str, deliveries: list[Delivery], threads: int = 4) -> None:
        self.url = url
        self.answers: dict[int, int] = {}
        self._queue: Queue[tuple[int, Delivery]] = Queue()
        for number, each in enumerate(deliveries):
            self._queue.put((number, each))
        self._pause = threading.Event()
        self._threads = [threading.Thread(target=self._send, daemon=True) for _ in range(threads)]

    def start(self) -> None:
        """Begins."""
        for thread in self._threads:
            thread.start()

    @property
    def are_done(self) -> bool:
        """Whether everything was answered."""
        return not any(thread.is_alive() for thread in self._threads)

    def _send(self) -> None:
        session = requests.Session()
        session.trust_env = False
        while True:
            try:
                number, delivery = self._queue.get_nowait()
            except Empty:
                return
            self.answers[number] = self._until_answered(session, delivery)

    def _until_answered(self, session: requests.Session, delivery: Delivery) -> int:
        while True:
            try:
                status = session.post(self.url, data=delivery.body, headers=signed(delivery), timeout=10).status_code
            except requests.RequestException:
                time.sleep(0.02)
                continue
            if status < 500:
                return status
            time.sleep(0.05)


def signed(delivery: Delivery) -> dict[str, str]:
    """The headers of Standard Webhooks, made by its own library."""
    now = datetime.now(tz=UTC)
    name = f"msg_{abs(hash(delivery.body))}"
    signature = Webhook(FORGED if delivery.is_forged else SECRET).sign(name, now, delivery.body.decode())
    return {
        "webhook-id": name, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature,
        "content-type": "application/json",
    }  # fmt: skip


def until(holds: Callable[[], bool], seconds: float, *, every: float = 0.1) -> bool:
    """Whether the condition came true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(every)
    return False


def torment(world: World, random: Random, kills: int, busy: Callable[[], bool]) -> None:
    """Kills and restarts the service at moments that nothing in it can foresee, at least so many times.

    One in five is killed while it starts; the others live for up to a second after their first answer. While there is
    something left to send it goes on, but not for ever: a slow machine must come to an end too.
    """
    while world.kills < kills or (busy() and world.kills < 2 * kills):
        world.start()
        if random.random() < 0.2:
            time.sleep(random.uniform(0.0, 0.3))
        else:
            answers(f"http://127.0.0.1:{world.port}/healthz")
            time.sleep(random.uniform(0.0, 1.0))
        world.kill()
        world.hurry()
