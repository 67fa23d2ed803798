"""The server that `connector run` uses: uvicorn, with limits, in the main thread beside the worker's threads.

Why this one, and what it was measured against: docs/decisions/0030-the-server.md.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import uvicorn

from connector.errors import Misconfigured
from connector.flows.receive import Receiver
from connector.web.front import Front
from connector.web.protocol import GuardedProtocol

log = structlog.get_logger()

BACKLOG = 1024
KEEP_ALIVE_SECONDS = 30
STOP_SECONDS = 10


class _Server(uvicorn.Server):
    """uvicorn, but a signal ends ``serve`` with a return: the caller still has a worker to stop."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, then says so."""
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Takes SIGTERM and SIGINT as the wish to stop, for as long as the server runs."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


class Serving:
    """A server that listens already and answers once it is run."""

    def __init__(
        self,
        wsgi_app: Any,
        receiver: Receiver,
        host: str,
        port: int,
        on_ready: Callable[[int], None] | None = None,
    ) -> None:
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]
        self._front = Front(wsgi_app, receiver)
        config = uvicorn.Config(
            self._front,
            http=GuardedProtocol,
            loop="uvloop",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self._server = _Server(config, lambda: on_ready(self.port) if on_ready else None)

    def run(self) -> None:
        """Serves until SIGTERM, SIGINT or ``stop``; what is in flight is answered first."""
        log.info("server_started", port=self.port)
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._front.close()
            self._socket.close()
        log.info("server_stopped", port=self.port)

    def stop(self) -> None:
        """Asks the server to end, from any thread."""
        self._server.should_exit = True


def serve(
    wsgi_app: Any, receiver: Receiver, host: str, port: int, on_ready: Callable[[int], None] | None = None
) -> None:
    """Serves pages and webhooks until SIGTERM or SIGINT, answering what is in flight first.

    ``on_ready`` is told the port once requests are taken (port 0 takes any free one). Raises Misconfigured when the
    address cannot be had.
    """
    Serving(wsgi_app, receiver, host, port, on_ready).run()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise Misconfigured(
            f"The server cannot listen on {host}:{port} ({error.strerror}): stop what uses it, or choose another port."
        ) from error
    listener.setblocking(False)
    return listener
