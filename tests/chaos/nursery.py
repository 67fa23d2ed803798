"""Starts the service as fast as it can be killed: everything is loaded and tried once, every start is a fork of that.

Run as ``python -m tests.chaos.nursery LOG``. It reads requests from standard input, one a line, and answers each by a
number on standard output:

- ``do COMMAND …``: runs ``connector COMMAND`` to its end; its exit code.
- ``warm``: builds the service once, so that no start pays for what is only built once a process.
- ``start PART PORT POINT``: the process id of a new ``run``, ``web`` or ``worker``, which kills itself at the named
  point of tests/chaos/points.py (``-`` for none).
- ``gone PID``: waits for the end of a process; its exit code, or its signal as a negative number.
- ``look PID``: the same without waiting; ALIVE while it runs.
- ``halt PID``: stops a process in mid-air, all its threads, and waits until it stands; the signal that stopped it.
"""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import uvicorn.lifespan.off
import uvicorn.loops.uvloop  # noqa: F401  # imported before the fork, so that no start pays for it

import connector.crm.salesforce
import connector.worker
from connector.app import app_of, create_app, receiver_of
from connector.cli import main as command_line
from connector.commands import service
from connector.composition import build_context
from connector.flows import ingest
from connector.logs import configure_logs
from connector.settings import load_settings
from connector.store import hints, queues
from connector.web.server import serve
from tests.chaos.points import arm

ALIVE = 1000
POLL_SECONDS = 0.1
"""The workers look ten times as often as they do by default, so that a short life is a full one."""


def main() -> None:
    """Serves requests until standard input ends."""
    for line in sys.stdin:
        word, *rest = line.split()
        print(REQUESTS[word](*rest), flush=True)  # noqa: T201


def do(*command: str) -> int:
    """The exit code of a command."""
    return gone(str(fork(lambda: command_line(list(command), standalone_mode=False))))


def warm() -> int:
    """Builds the service once."""
    settings = load_settings()
    ctx = build_context(settings)
    app_of(ctx, settings)
    ctx.store.close()
    gc.freeze()
    return 0


def start(part: str, port: str, point: str) -> int:
    """The process id of a new part of the service."""
    return fork(lambda: play(part, int(port), point))


def gone(child: str) -> int:
    """How a process ended."""
    return os.waitstatus_to_exitcode(os.waitpid(int(child), 0)[1])


def look(child: str) -> int:
    """How a process ended, if it has."""
    found, status = os.waitpid(int(child), os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else ALIVE


def halt(child: str) -> int:
    """The signal that a process stands by now; a signal that was only sent says nothing of its threads yet."""
    os.kill(int(child), signal.SIGSTOP)
    return os.WSTOPSIG(os.waitpid(int(child), os.WUNTRACED)[1])


def fork(work: Callable[[], object]) -> int:
    """The process id of a child that does the work and ends."""
    child = os.fork()
    if child:
        return child
    code = 70
    try:
        log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  # whatever it is, it must not run on as a second nursery
        traceback.print_exc()
    finally:
        os._exit(code)


def play(part: str, port: int, point: str) -> None:
    """The work of one part of the service."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    random.seed()
    connector.worker.Worker = partial(connector.worker.Worker, poll_seconds=POLL_SECONDS)  # type: ignore[assignment,misc]
    vars(queues)["uuid4"] = claim_of_this_process
    hints.tell = vars(ingest)["tell"] = unreliable_hint(hints.tell)
    if point != "-":
        arm(point)
    PARTS[part](port)


def claim_of_this_process() -> UUID:
    """A claim that tells whose it is, so that the test can let the leases of the dead lapse, and no others."""
    return UUID(f"{os.getpid():08x}{uuid4().hex[8:]}")


def unreliable_hint(tell: Callable[..., None]) -> Callable[..., None]:
    """Hints between processes of which three in ten are lost and three in ten come twice."""

    def maybe(*about: Any) -> None:
        for _ in range(random.choices((0, 1, 2), (3, 4, 3))[0]):
            tell(*about)

    return maybe


def web(port: int) -> None:
    """The web alone: the app of wsgi.py behind the server of `connector run`."""
    configure_logs()
    app = create_app()
    serve(app, receiver_of(app), "127.0.0.1", port)


PARTS: dict[str, Callable[[int], object]] = {
    "run": lambda port: service.run.callback(host="127.0.0.1", port=port),  # type: ignore[misc]  # it has one
    "web": web,
    "worker": lambda _: service.worker.callback(),  # type: ignore[misc]
}
REQUESTS: dict[str, Callable[..., int]] = {each.__name__: each for each in (do, warm, start, gone, look, halt)}

if __name__ == "__main__":
    main()
