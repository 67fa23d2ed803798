"""A PostgreSQL server of a test's own, which may be killed as nobody may kill the one that all tests share."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests.chaos.world import free_port, until

DEBIAN = Path("/usr/lib/postgresql")
SECONDS = 60


def binaries() -> Path | None:
    """Where the newest server of this machine is; None where there is none."""
    found = [each.parent for each in DEBIAN.glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    newest = max(found, key=lambda each: float(each.parent.name), default=None)
    return newest or (Path(on_path).parent if on_path else None)


def unprivileged() -> str | None:
    """Whose processes they are: PostgreSQL refuses to run as root. None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Cluster:
    """A server with its files in a folder; killed by a signal and started again as often as one likes."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.port = free_port()
        self.url = f"postgresql+psycopg://connector@127.0.0.1:{self.port}/postgres"
        self._bin, self._data, self._user = bin_folder, folder / "data", unprivileged()
        if self._user is not None:
            shutil.chown(folder, self._user)
        # What was written survives the death of a process without any fsync; no test pulls the plug.
        initdb = ("initdb", "-D", str(self._data), "-A", "trust", "-U", "connector", "-E", "UTF8", "--locale=C", "-N")
        assert self._run(*initdb).wait(SECONDS) == 0, "initdb failed"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server; back when it takes connections."""
        assert until(self._starts, SECONDS, every=0.05), "PostgreSQL does not start"

    def end(self, how: signal.Signals) -> None:
        """Ends the server: SIGKILL as a crash, SIGQUIT at once, SIGINT as an orderly restart under way."""
        assert self._server is not None
        self._server.send_signal(how)
        self._server.wait(SECONDS)

    def close(self) -> None:
        """Ends it if it still runs."""
        if self._server is not None and self._server.poll() is None:
            self.end(signal.SIGQUIT)

    def _starts(self) -> bool:
        """After a crash it ends again at once while processes of the one before are still about."""
        if self._server is None or self._server.poll() is not None:
            options = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "shared_buffers=16MB")
            told = [part for each in options for part in ("-c", each)]
            self._server = self._run("postgres", "-D", str(self._data), "-p", str(self.port), *told)
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url.replace("+psycopg", "", 1), connect_timeout=2).close()
            return True
        return False

    def _run(self, program: str, *rest: str) -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen([str(self._bin / program), *rest], cwd="/", user=self._user, stdout=quiet, stderr=quiet)


@contextmanager
def running_cluster(bin_folder: Path) -> Iterator[Cluster]:
    """A server that runs, and is gone afterwards with all that was in it."""
    # The folder that pytest gives is for its own user alone.
    with TemporaryDirectory(prefix="connector-cluster-") as folder:
        cluster = Cluster(Path(folder), bin_folder)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.close()
