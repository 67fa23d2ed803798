"""Starts the service as fast as it can be killed: the modules are imported once, every start is a fork of them.

Run as ``python -m tests.chaos.nursery LOG``. Each line ``start PORT`` on standard input is answered by the process id
of a child that runs ``connector run --port PORT`` in it; ``gone PID`` by how that child ended.
"""

from __future__ import annotations

import os
import signal
import sys

import connector.app
import connector.crm.salesforce
import connector.web.server
import connector.worker  # noqa: F401  # imported before the fork, so that no start pays for it
from connector.commands import service


def main() -> None:
    """Serves requests until standard input ends."""
    for line in sys.stdin:
        word, number = line.split()
        print(start(int(number)) if word == "start" else ended(int(number)), flush=True)  # noqa: T201


def start(port: int) -> int:
    """The process id of a new service."""
    child = os.fork()
    if child == 0:
        log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        run = service.run.callback
        assert run is not None
        run(host="127.0.0.1", port=port)
        os._exit(0)
    return child


def ended(child: int) -> int:
    """The signal that ended a child, as a negative number, or its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
