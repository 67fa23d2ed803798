"""The server on real sockets: bodies that never finish, broken framing, limits, and a stop that loses nothing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Queue
from threading import Event, Thread

import jwt
import pytest
from sqlalchemy import text

from connector.errors import Misconfigured
from connector.flows.receive import Receiver
from connector.store.unit_of_work import Store
from connector.web import front, protocol
from connector.web.loggable import loggable
from connector.web.server import Serving
from tests.conftest import FakeClock
from tests.web.intake import BODY, CAP, NOW, PUBLIC_URL, Ask, signed, source, sources

GOOD = signed("messenger")
META = "x-hub-signature-256"
WAIT = 20.0


@dataclass
class Site:
    """A server under test, and what its pages were asked."""

    port: int
    store: Store
    pages: Queue[tuple[str, bytes]]
    hold: Event

    def open(self) -> socket.socket:
        """A fresh connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WAIT)

    def send(self, raw: bytes) -> bytes:
        """Everything that is answered to these bytes until the server closes."""
        with self.open() as client:
            client.sendall(raw)
            return until_closed(client)

    def stored(self) -> int:
        """How many deliveries are on disk."""
        with self.store.read() as connection:
            return int(connection.execute(text("SELECT COUNT(*) FROM deliveries")).scalar_one())


def until_closed(client: socket.socket) -> bytes:
    found = b""
    while True:
        try:
            chunk = client.recv(65536)
        except ConnectionResetError:
            return found
        if not chunk:
            return found
        found += chunk


def head(ask: Ask = GOOD, *, length: int | str | None = None, more: str = "", close: bool = True) -> bytes:
    """The head of a delivery; ``length`` "" leaves the length out."""
    lines = [f"POST /webhooks/{ask.source}{'?' + ask.query if ask.query else ''} HTTP/1.1", "host: test"]
    lines += [f"{name}: {value}" for name, value in ask.headers]
    if length != "":
        lines.append(f"content-length: {len(ask.body) if length is None else length}")
    lines += [*more.split("\n")] if more else []
    lines += ["connection: close"] if close else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.fixture
def site(store: Store) -> Iterator[Site]:
    pages: Queue[tuple[str, bytes]] = Queue()
    hold = Event()
    hold.set()

    def app(environ: dict[str, object], start_response: object) -> list[bytes]:
        body: bytes = environ["wsgi.input"].read()  # type: ignore[attr-defined]  # WSGI's own
        pages.put((str(environ["PATH_INFO"]), body))
        hold.wait(WAIT)
        start_response("200 OK", [("Content-Type", "text/plain")])  # type: ignore[operator]
        return [b"a page of %d bytes" % len(body)]

    def keys_that_do_not_come() -> dict[str, object]:
        hold.wait(WAIT)
        return {}

    pushed = replace(source("google_business"), max_bytes=CAP, keys=keys_that_do_not_come)
    receiver = Receiver(store, {**sources(), "pushed": pushed}, FakeClock(NOW), PUBLIC_URL)
    ready = Event()
    serving = Serving(app, receiver, "127.0.0.1", 0, lambda _: ready.set())
    thread = Thread(target=serving.run)
    thread.start()
    assert ready.wait(WAIT)
    yield Site(serving.port, store, pages, hold)
    hold.set()
    serving.stop()
    thread.join(WAIT)
    receiver.close()
    assert not thread.is_alive()


FRAMING = {
    "with its length": (head() + BODY, 200, 1),
    "in chunks, without a length": (head(length="", more="transfer-encoding: chunked") + chunked(BODY), 200, 1),
    "with a length and in chunks": (head(more="transfer-encoding: chunked") + chunked(BODY), 400, 0),
    "with two lengths": (head(more="content-length: 3") + BODY, 400, 0),
    "with a negative length": (head(length=-1) + BODY, 400, 0),
    "with a length in words": (head(length="many") + BODY, 400, 0),
    "without length and without body": (head(length=""), 401, 0),
    "declared too large": (head(length=CAP + 1) + b" " * (CAP + 1), 413, 0),
    "declared far too large": (head(length=10**12) + b" " * 1000, 413, 0),
    "too large in chunks": (
        head(length="", more="transfer-encoding: chunked") + chunked(b" " * (CAP + 1)),
        413,
        0,
    ),
    "with broken chunks": (head(length="", more="transfer-encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n", 400, 0),
    "compressed": (head(more="content-encoding: gzip") + BODY, 415, 0),
    "with its signature twice": (head(more=f"{META}: {GOOD.header(META)}") + BODY, 401, 0),
    "to nobody": (head(Ask("nobody", BODY)) + BODY, 404, 0),
    "by PUT": (head().replace(b"POST", b"PUT", 1) + BODY, 405, 0),
    "not HTTP": (b"\x16\x03\x01 hello\r\n\r\n", 400, 0),
    "with a head too large": (head(more="x-filler: " + "a" * protocol.HEAD_BYTES) + BODY, 431, 0),
    "with too many fields": (head(more="\n".join(f"x-{n}: 1" for n in range(protocol.HEAD_FIELDS))) + BODY, 431, 0),
    "with a head that does not end": (b"GET / HTTP/1.1\r\nx: " + b"a" * (protocol.HEAD_BYTES + 70_000), 431, 0),
    "with raw bytes in its address": (head().replace(b"messenger", b"messenger?a=\xff", 1) + BODY, 400, 0),
}


@pytest.mark.parametrize(("raw", "expected", "stored"), FRAMING.values(), ids=FRAMING.keys())
def test_a_delivery(site: Site, raw: bytes, expected: int, stored: int) -> None:
    answer = site.send(raw)
    assert (status(answer), site.stored()) == (expected, stored)
    assert b"Traceback" not in answer


@pytest.mark.parametrize("path", ["/webhooks/messenger", "/a-page"])
def test_bodies_that_never_finish_block_nobody(site: Site, path: str) -> None:
    clients = [site.open() for _ in range(40)]
    for client in clients:
        client.sendall(f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: 1000\r\n\r\n{{".encode())
    assert status(site.send(head() + BODY)) == 200
    assert b"a page of 0 bytes" in site.send(b"GET /other HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
    for client in clients:
        client.close()


def test_keys_that_do_not_come_block_nobody_else(site: Site) -> None:
    """Whoever posts to a source that is proven by Google's keys can make it wait for Google."""
    site.hold.clear()
    pushed = Ask("pushed", BODY, (("authorization", f"Bearer {jwt.encode({}, 'k' * 32, headers={'kid': 'k1'})}"),))
    waiting = site.open()
    waiting.sendall(head(pushed) + BODY)
    assert status(site.send(head() + BODY)) == 200
    site.hold.set()
    assert status(until_closed(waiting)) == 401
    waiting.close()


def test_a_body_that_does_not_come_in_time_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "BODY_SECONDS", 0.05)
    assert status(site.send(head(length=1000) + b"{")) == 408


def test_a_head_that_does_not_come_in_time_is_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.05)
    assert site.send(b"POST /webhooks/messenger HTTP/1.1\r\nhost:") == b""
    assert site.send(b"") == b""


@pytest.mark.parametrize(
    ("path", "kind"), [("/desk/api/v1/cases", b"application/problem+json"), ("/form", b"text/plain")]
)
def test_a_program_is_refused_in_the_form_of_every_other_refusal(
    site: Site, monkeypatch: pytest.MonkeyPatch, path: str, kind: bytes
) -> None:
    monkeypatch.setattr(front, "PAGE_BYTES", 10)
    raw = f"POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: 11\r\nconnection: close\r\n\r\n".encode()
    answer = site.send(raw + b"x" * 11)
    assert (status(answer), kind in answer) == (413, True)
    assert (b'"code": "payload_too_large"' in answer) is path.startswith("/desk/api/")


def test_what_may_be_held_at_once_is_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "BUFFERED_BYTES", 10)
    answer = site.send(head() + BODY)
    assert status(answer) == 503
    assert b"retry-after" in answer
    monkeypatch.setattr(front, "BUFFERED_BYTES", 1_000_000)
    monkeypatch.setattr(front, "WAITING_REQUESTS", 0)
    assert status(site.send(head() + BODY)) == 503
    monkeypatch.setattr(front, "WAITING_REQUESTS", 10)
    assert status(site.send(head() + BODY)) == 200


def test_a_client_that_asks_first_is_refused_before_it_sends(site: Site) -> None:
    answer = site.send(head(length=CAP + 1, more="expect: 100-continue"))
    assert status(answer) == 413
    assert b"100 Continue" not in answer


def test_several_deliveries_on_one_connection(site: Site) -> None:
    asks = [signed("messenger", b'{"n":%d}' % number) for number in range(3)]
    raw = b"".join(head(ask, close=ask is asks[-1]) + ask.body for ask in asks)
    assert site.send(raw).count(b"HTTP/1.1 200") == 3
    assert site.stored() == 3


def test_the_same_delivery_at_once_by_ten_is_stored_once_and_answered_alike(site: Site) -> None:
    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: status(site.send(head() + BODY)), range(10)))
    assert answers == [200] * 10
    assert site.stored() == 1


def test_pages_get_their_whole_body_and_no_header_under_a_false_name(site: Site) -> None:
    raw = b"POST /form HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\ncontent_length: 9\r\n"
    raw += b"connection: close\r\n\r\n"
    assert b"a page of 5 bytes" in site.send(raw + chunked(b"a=b&c"))
    assert site.pages.get(timeout=WAIT) == ("/form", b"a=b&c")


def test_a_webhook_below_the_public_path_is_a_webhook(site: Site) -> None:
    raw = (head() + BODY).replace(b"/webhooks/", b"/desk/webhooks/", 1)
    assert (status(site.send(raw)), site.pages.qsize()) == (200, 0)


@pytest.mark.parametrize(
    ("path", "status", "is_delivery", "told"),
    [
        ("/healthz", 200, False, False),
        ("/desk/readyz", 200, False, False),
        ("/desk/readyz", 503, False, True),
        ("/metrics", 200, False, False),
        ("/webhooks/x", 200, True, False),
        ("/webhooks/x", 401, True, True),
        ("/inbox", 200, False, True),
    ],
)
def test_an_idle_service_says_nothing(path: str, status: int, *, is_delivery: bool, told: bool) -> None:
    """Two probes every ten seconds would be all that is in the log."""
    assert front.is_told(path, status, is_delivery=is_delivery) is told


def test_a_client_that_leaves_harms_nobody(site: Site) -> None:
    with site.open() as client:
        client.sendall(head(length=1000) + b"{")
    assert status(site.send(head() + BODY)) == 200


@pytest.mark.parametrize(
    ("path", "logged"),
    [
        ("/c/abc123", "/c/…"),
        ("/m/abc/withdraw", "/m/…/withdraw"),
        ("/privacy/deletions/f00", "/privacy/deletions/…"),
        ("/api/v1/contacts/ada.field@example.com/history", "/api/v1/contacts/…/history"),
        ("/api/v1/contacts/441632960777/history", "/api/v1/contacts/…/history"),
        ("/profiles/@ada_field/ask", "/profiles/…/ask"),
        ("/Ada Field", "/…"),
        ("/cases/adafield", "/cases/…"),
        ("/webhooks/not a source", "/webhooks/…"),
    ],
)
def test_no_token_and_nothing_that_may_be_personal_is_logged(path: str, logged: str) -> None:
    assert loggable(path) == logged


@pytest.mark.parametrize(
    "path",
    [
        "/", "/inbox", "/webhooks/facebook_page", "/reports/first-response", "/admin/deliveries/42", "/static/app.css",
        "/cases/6e68b1b0-ddd4-5c6f-b3fd-ab842df0937d", "/contacts/003SB0000000001YAA/ask",
        "/api/v1/links/lnk_WEA0oYk6g1paIBCzWmdPBg/withdraw",
    ],
)  # fmt: skip
def test_addresses_and_ids_of_ours_are_logged_as_they_are(path: str) -> None:
    assert loggable(path) == path


def test_a_port_in_use_is_a_wrong_setting(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(Misconfigured, match="cannot listen"):
        Serving(lambda *_: [], None, "127.0.0.1", taken.getsockname()[1])  # type: ignore[arg-type]  # never reached


# A process of its own ------------------------------------------------------------------------------------------------

SERVE = """
import sys, time
from connector.flows.receive import Receiver
from connector.store.unit_of_work import open_store
from connector.web.server import serve
from tests.conftest import FakeClock
from tests.web.intake import NOW, PUBLIC_URL, sources
receiver = Receiver(open_store(sys.argv[1]), sources(), FakeClock(NOW), PUBLIC_URL)
if sys.argv[2] == "silent":
    receiver.answer = lambda found, outcome: time.sleep(60)
def page(environ, start_response):
    print("asked", flush=True)
    time.sleep(0.5)
    start_response("200 OK", [])
    return [b"finished"]
serve(page, receiver, "127.0.0.1", 0, on_ready=lambda port: print("port", port, flush=True))
receiver.close()
print("returned", flush=True)
"""


@pytest.fixture
def process(store: Store, request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], int]]:
    url = store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", SERVE, url, getattr(request, "param", "answering")]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as running:
        assert running.stdout is not None
        port = next(int(line.split()[1]) for line in running.stdout if line.startswith("port"))
        yield running, port
        running.kill()


@pytest.mark.chaos
@pytest.mark.parametrize("process", ["silent"], indirect=True)
def test_a_kill_between_commit_and_answer_loses_nothing(
    process: tuple[subprocess.Popen[str], int], store: Store
) -> None:
    """The sender hears nothing and sends again: the delivery is there, once."""
    running, port = process
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as client:
        client.sendall(head() + BODY)
        while count(store) == 0:
            assert running.poll() is None
        running.send_signal(signal.SIGKILL)
        assert until_closed(client) == b""
    running.wait(WAIT)
    receiver = Receiver(store, sources(), FakeClock(NOW), PUBLIC_URL)
    answer = receiver.receive("messenger", method="POST", query="", headers=GOOD.headers, body=BODY)
    receiver.close()
    assert (answer.status, count(store)) == (200, 1)


@pytest.mark.chaos
def test_a_stop_answers_what_is_in_flight_and_returns(process: tuple[subprocess.Popen[str], int]) -> None:
    running, port = process
    assert running.stdout is not None
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nhost: t\r\n\r\n")
        assert any(line.startswith("asked") for line in running.stdout)
        running.send_signal(signal.SIGTERM)
        assert b"finished" in until_closed(client)
    assert "returned" in running.stdout.read()
    assert running.wait(WAIT) == 0


def count(store: Store) -> int:
    with store.read() as connection:
        return int(connection.execute(text("SELECT COUNT(*) FROM deliveries")).scalar_one())
