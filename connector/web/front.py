"""What stands before Flask: it waits for bodies, so that no thread ever does, and answers webhooks itself.

A sender that never finishes costs a socket and what it sent so far, never a worker. A webhook goes to the receiver in a
thread of the intake; everything else goes to the WSGI application with its body already here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from threading import Lock
from time import monotonic
from typing import Any

import structlog
from a2wsgi import WSGIMiddleware

from connector.flows.receive import Answer, Authentic, Outcome, Receiver
from connector.web.errors import API_PREFIX, CODES, PROBLEM_JSON, Trouble, problem_body
from connector.web.loggable import loggable

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

INTAKE_THREADS = 4
INLINE_BYTES = 64 * 1024
"""Up to here a proof is checked on the spot: it takes less time than handing it to a thread."""
PAGE_THREADS = 16
PAGE_BYTES = 16 * 1024 * 1024
BODY_SECONDS = 30.0
DRAIN_BYTES = 4 * 1024 * 1024
DRAIN_SECONDS = 2.0
BUFFERED_BYTES = 256 * 1024 * 1024
WAITING_REQUESTS = 2000
PROBES = ("/healthz", "/readyz", "/metrics")

TOO_LARGE = Answer(413, body=b"The body is too large.")
TOO_SLOW = Answer(408, body=b"The body did not come in time.")
BUSY = Answer(503, body=b"Busy; send again later.", headers={"Retry-After": "5"})
NOT_ALLOWED = Answer(405, headers={"Allow": "GET, POST"})
BAD_TARGET = Answer(400, body=b"The address holds bytes that must be percent-encoded.")


class Gone(Exception):
    """The client left before its body was complete."""


class Front:
    """The ASGI application that the server runs."""

    def __init__(self, wsgi_app: Any, receiver: Receiver) -> None:
        self._receiver = receiver
        self._pages: Callable[..., Awaitable[None]] = WSGIMiddleware(wsgi_app, workers=PAGE_THREADS)
        self._intake = ThreadPoolExecutor(INTAKE_THREADS, thread_name_prefix="intake")
        self._mutex = Lock()
        self._outcomes: list[tuple[asyncio.Future[Outcome], Outcome]] = []
        self._buffered = 0
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        started = monotonic()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        source = self._source(scope)
        try:
            if not scope["query_string"].isascii():
                await _answer(sending, _as_asked(scope, BAD_TARGET))
            elif source is None:
                await self._page(scope, receive, sending)
            else:
                await self._webhook(source, scope, receive, sending)
        except Gone:
            status = 499
        if is_told(scope["path"], status, is_delivery=source is not None):
            took = round((monotonic() - started) * 1000)
            log.info("http_request", method=scope["method"], path=loggable(scope["path"]), status=status, took_ms=took)

    def close(self) -> None:
        """Waits until the intake's threads are through."""
        self._intake.shutdown(wait=True)

    def _source(self, scope: Scope) -> str | None:
        path: str = scope["path"]
        for prefix in self._receiver.paths:
            if path.startswith(prefix) and "/" not in path[len(prefix) :]:
                return path[len(prefix) :]
        return None

    async def _webhook(self, source: str, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        if scope["method"] not in {"GET", "POST"}:
            await _answer(send, NOT_ALLOWED)
            return
        refusal = self._refusal(source, headers)
        if refusal is not None:
            await _refuse(receive, send, refusal, expects=_value(headers, "expect") is not None)
            return
        body = await self._body(scope, receive, send, self._receiver.cap(source))
        if body is None:
            return
        request = {"method": scope["method"], "query": scope["query_string"].decode("ascii"), "headers": headers}
        examine = partial(self._receiver.examine, source, **request, body=bytes(body))
        try:
            if len(body) <= INLINE_BYTES and not self._receiver.may_wait(source):
                found = examine()
            else:
                found = await asyncio.get_running_loop().run_in_executor(self._intake, examine)
            answer = found if isinstance(found, Answer) else await self._store(found)
        finally:
            self._release(len(body))
        await _answer(send, answer)

    async def _store(self, found: Authentic) -> Answer:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()

        def done(outcome: Outcome) -> None:
            with self._mutex:
                self._outcomes.append((future, outcome))
                first = len(self._outcomes) == 1
            if first:  # a whole group of requests costs the loop one wake-up
                loop.call_soon_threadsafe(self._tell)

        self._receiver.store(found, done)
        return self._receiver.answer(found, await future)

    def _tell(self) -> None:
        with self._mutex:
            outcomes, self._outcomes = self._outcomes, []
        for future, outcome in outcomes:
            if not future.done():
                future.set_result(outcome)

    def _refusal(self, source: str, headers: list[tuple[str, str]]) -> Answer | None:
        length = _value(headers, "content-length") or "0"
        encoded = _value(headers, "content-encoding") is not None
        return self._receiver.refusal(source, int(length) if length.isdecimal() else None, encoded=encoded)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._body(scope, receive, send, PAGE_BYTES)
        if body is None:
            return
        rest = [bytes(body)]

        async def ready() -> Message:
            return {"type": "http.request", "body": rest.pop() if rest else b"", "more_body": False}

        # A name with an underscore would pass for another header in WSGI; chunked bodies have a length by now.
        left_out = {b"transfer-encoding", b"content-length"}
        headers = [(name, value) for name, value in scope["headers"] if name not in left_out and b"_" not in name]
        if body or scope["method"] in {"POST", "PUT", "PATCH"}:
            headers.append((b"content-length", str(len(body)).encode("ascii")))
        try:
            await self._pages({**scope, "headers": headers}, ready, send)
        finally:
            self._release(len(body))

    async def _body(self, scope: Scope, receive: Receive, send: Send, cap: int) -> bytearray | None:
        """The whole body, counted against what may be held at once; None when the refusal was already sent."""
        if self._waiting >= WAITING_REQUESTS:
            await _refuse(receive, send, _as_asked(scope, BUSY))
            return None
        body = bytearray()
        self._waiting += 1
        kept = False
        try:
            async with asyncio.timeout(BODY_SECONDS):
                refusal = await self._read(receive, body, cap)
            if refusal is None:
                kept = True
                return body
            await _refuse(receive, send, _as_asked(scope, refusal))
        except TimeoutError:
            await _answer(send, _as_asked(scope, TOO_SLOW), close=True)
        finally:
            if not kept:
                self._release(len(body))
        return None

    async def _read(self, receive: Receive, body: bytearray, cap: int) -> Answer | None:
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            chunk = message.get("body", b"")
            body += chunk
            self._buffered += len(chunk)
            if len(body) > cap:
                return TOO_LARGE
            if self._buffered > BUFFERED_BYTES:
                return BUSY
            more = message.get("more_body", False)
        return None

    def _release(self, size: int) -> None:
        self._buffered -= size
        self._waiting -= 1


def _as_asked(scope: Scope, answer: Answer) -> Answer:
    """The refusal as who asks reads it: programs of the API get problem+json, in the form of every other."""
    if API_PREFIX not in scope["path"]:
        return answer
    told = problem_body(Trouble(answer.status, CODES[answer.status], answer.body.decode("ascii")))
    return replace(answer, body=told, content_type=PROBLEM_JSON)


def is_told(path: str, status: int, *, is_delivery: bool) -> bool:
    """Whether a request is worth a line of the log: stored deliveries are counted, and probes that find all well are
    all that would be said at rest."""
    return status != 200 or not (is_delivery or path.endswith(PROBES))


def _value(headers: list[tuple[str, str]], name: str) -> str | None:
    return next((value for key, value in headers if key == name), None)


async def _answer(send: Send, answer: Answer, *, close: bool = False) -> None:
    headers = [
        (b"content-type", answer.content_type.encode("latin-1")),
        (b"content-length", str(len(answer.body)).encode("ascii")),
        *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()),
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _refuse(receive: Receive, send: Send, answer: Answer, *, expects: bool = False) -> None:
    """Answers a request whose body is not wanted and ends its connection.

    Some of the body is read away first: a connection that is closed with bytes unread loses its answer on the way.
    A client that waits for "100 Continue" has sent none.
    """
    if not expects:
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await _drain(receive)
        except TimeoutError:
            log.info("body_abandoned", status=answer.status)
    await _answer(send, answer, close=True)


async def _drain(receive: Receive) -> None:
    left = DRAIN_BYTES
    more = True
    while more and left > 0:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        left -= len(message.get("body", b""))
        more = message.get("more_body", False)
