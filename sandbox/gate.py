"""The fault plan at work, around the whole app: before a request reaches it, and after it answered."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import orjson
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from sandbox.calls import LOGIN, classify
from sandbox.faults import AFTER, BEFORE, Rule
from sandbox.web import JSON

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from sandbox.org import Org

HTML = "<html><head><title>Down for Maintenance</title></head><body>We are down for maintenance.</body></html>"


class ConnectionCut(ConnectionAbortedError):
    """The connection ends without an answer."""


class FaultGate:
    """A WSGI app that breaks another one on purpose."""

    def __init__(self, inner: WSGIApplication, org: Org) -> None:
        self._inner = inner
        self._org = org

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The inner app's answer, unless the plan has another idea."""
        kind, writes = classify(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if not kind:
            return self._inner(environ, start_response)
        for fault in BEFORE:
            rule = self._strike(fault, kind, writes)
            if rule is not None and (reply := self._before(fault, rule, environ, kind, writes)) is not None:
                return reply(environ, start_response)
        for fault in AFTER:
            rule = self._strike(fault, kind, writes)
            if rule is not None:
                return self._after(fault, environ)(environ, start_response)
        return self._inner(environ, start_response)

    def _strike(self, fault: str, kind: str, writes: bool) -> Rule | None:
        rule = self._org.faults.strike(fault, kind, writes=writes)
        if rule is not None:
            self._org.usage.note(f"fault:{fault}")
        return rule

    def _before(self, fault: str, rule: Rule, environ: WSGIEnvironment, kind: str, writes: bool) -> Response | None:
        if fault == "latency":
            time.sleep(rule.ms / 1000)
            return None
        # The inner app does not see these requests, so they are counted here.
        if kind != LOGIN:
            self._org.usage.count(kind, None, writes=writes)
        if fault == "cut":
            cut(environ)
        response = ANSWERS[fault](rule)
        if fault in {"expired_token", "limit_exceeded"}:
            # These come from the org itself, not from the edge before it.
            response.headers["Sforce-Limit-Info"] = self._org.usage.header(None)
        return response

    def _after(self, fault: str, environ: WSGIEnvironment) -> Response:
        chunks, status, headers = run_wsgi_app(self._inner, environ)
        body = b"".join(chunks)
        if fault == "lost_answer":
            cut(environ)
        body = _shorter(body) if fault == "short_list" else body[: len(body) // 2]
        headers.remove("Content-Length")
        return Response(body, status, headers)


def cut(environ: WSGIEnvironment) -> None:
    """Ends the connection under the server's hands, so that the client sees no byte of an answer."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionCut


def _error(status: int, code: str, message: str) -> Response:
    return Response(orjson.dumps([{"errorCode": code, "message": message}]), status, content_type=JSON)


def _unavailable(rule: Rule) -> Response:
    return _with_retry(_error(503, "SERVER_UNAVAILABLE", "The server is busy, try again later"), rule)


def _rate_limited(rule: Rule) -> Response:
    return _with_retry(_error(429, "TOO_MANY_REQUESTS", "Too many requests"), rule)


def _with_retry(response: Response, rule: Rule) -> Response:
    if rule.retry_after is not None:
        response.headers["Retry-After"] = str(rule.retry_after)
    return response


ANSWERS: dict[str, Callable[[Rule], Response]] = {
    "cut": _unavailable,
    "unavailable": _unavailable,
    "rate_limited": _rate_limited,
    "expired_token": lambda _: _error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    "html": lambda _: Response(HTML, 503, content_type="text/html"),
    "limit_exceeded": lambda _: _error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
}


def _shorter(body: bytes) -> bytes:
    """The same JSON with the last result missing, from the list itself or from the records of a query."""
    found: Any = orjson.loads(body) if body else None
    if isinstance(found, list):
        return orjson.dumps(found[:-1])
    if isinstance(found, dict) and isinstance(found.get("records"), list):
        return orjson.dumps(found | {"records": found["records"][:-1]})
    return body
