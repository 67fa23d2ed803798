"""The org as a server: in a background thread for tests and the demo, in the foreground for people."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from sandbox.app import create_sandbox
from sandbox.database import DataUnusable
from sandbox.org import Clock, Config, Org, wall_clock
from sandbox.tls import certificate


class _Handler(WSGIRequestHandler):
    # Head and body go out in two writes; with Nagle's algorithm the second waits for the client's late ACK.
    disable_nagle_algorithm = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Says nothing: the stats tell what was asked."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Says nothing: cut connections are the plan."""


class SandboxServer:
    """One org on a port of its own: ``with SandboxServer() as org: org.url``."""

    def __init__(
        self,
        port: int = 0,
        data: Path | None = None,
        tls: bool = False,
        *,
        host: str = "127.0.0.1",
        config: Config | None = None,
        clock: Clock = wall_clock,
    ) -> None:
        listener = _listen(host, port)
        try:
            self.app: Flask = create_sandbox(data, config, clock)
        except DataUnusable:
            listener.close()
            raise
        self.org: Org = self.app.extensions["sandbox"]
        self.certificate: Path | None = None
        context = None
        if tls:
            self.certificate, key = certificate(data)
            context = (str(self.certificate), str(key))
        self._server: BaseWSGIServer = make_server(
            host, port, self.app, threaded=True, request_handler=_Handler, ssl_context=context, fd=listener.fileno()
        )
        listener.close()  # the server works on its own copy
        self.url = f"{'https' if tls else 'http'}://{host}:{self._server.port}"
        self._thread: threading.Thread | None = None

    def start(self) -> SandboxServer:
        """Serves from a background thread."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def run(self) -> None:
        """Serves until interrupted."""
        try:
            self._server.serve_forever()
        finally:
            self.stop()

    def stop(self) -> None:
        """Stops serving and closes the org's file."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._thread = None
        self._server.server_close()
        self.org.db.close()

    def __enter__(self) -> SandboxServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(
    host: str = "127.0.0.1",
    port: int = 8801,
    data: Path | None = None,
    tls: bool = False,
    on_ready: Callable[[str], None] = lambda _url: None,
) -> None:
    """Runs the org in the foreground until interrupted; ``on_ready`` is told its address.

    Raises OSError when the address cannot be had, DataUnusable when the folder cannot.
    """
    server = SandboxServer(port, data, tls, host=host)
    with suppress(KeyboardInterrupt):  # how it is meant to end, from the moment it says so
        on_ready(server.url)
        server.run()


def _listen(host: str, port: int) -> socket.socket:
    # The web server's own way to say that a port is taken is to end the process.
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener
