"""Composition: an org, its routes, and the faults around them."""

from __future__ import annotations

from pathlib import Path

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from sandbox.calls import LOGIN, classify
from sandbox.errors import ApiError
from sandbox.gate import FaultGate
from sandbox.org import Clock, Config, Org, wall_clock
from sandbox.routes.collections import collections
from sandbox.routes.composite import composite
from sandbox.routes.control import control
from sandbox.routes.metadata import metadata
from sandbox.routes.oauth import oauth
from sandbox.routes.query import queries
from sandbox.routes.records import records
from sandbox.web import answer

VERSIONS = [f"{number}.0" for number in range(50, 69)]
_OPEN = frozenset({"/services/data"})


def create_sandbox(data: Path | None = None, config: Config | None = None, clock: Clock = wall_clock) -> Flask:
    """A Flask app that is one Salesforce-compatible org; without ``data`` it lives in memory."""
    app = Flask("sandbox")
    app.url_map.strict_slashes = False
    org = Org(data, config, clock)
    app.extensions["sandbox"] = org
    app.register_blueprint(oauth)
    app.register_blueprint(control)
    for blueprint in (records, collections, composite, queries, metadata):
        app.register_blueprint(blueprint, url_prefix="/services/data/v<version>")
    app.url_value_preprocessor(_take_version)
    app.add_url_rule("/services/data", "versions", _versions)
    app.before_request(lambda: _let_in(org))
    app.after_request(lambda response: _tell_usage(org, response))
    app.register_error_handler(ApiError, lambda error: answer(error.body(), error.status))
    app.register_error_handler(HTTPException, _http_error)
    app.extensions["sandbox_inner"] = app.wsgi_app
    app.wsgi_app = FaultGate(app.wsgi_app, org)  # type: ignore[method-assign]
    return app


def _versions() -> Response:
    return answer([{"label": f"API {v}", "url": f"/services/data/v{v}", "version": v} for v in VERSIONS])


def _take_version(_endpoint: str | None, values: dict[str, str] | None) -> None:
    g.version = (values or {}).pop("version", "")


def _let_in(org: Org) -> None:
    """Counts an API call and lets it in: the token first, then the allowance."""
    kind, writes = classify(request.method, request.path)
    if kind in {"", LOGIN}:
        return
    g.kind = kind
    g.session = request.environ.get("sandbox.session")
    if g.session is not None:
        return
    path = request.path.rstrip("/")
    g.session = org.sessions.find(_token()) if path not in _OPEN else None
    g.app = g.session.client_id if g.session else None
    exhausted = org.usage.exhausted(g.app)
    org.usage.count(kind, g.app, writes=writes and _may_write(kind))
    if path not in _OPEN:
        _check(exhausted=exhausted)


def _may_write(kind: str) -> bool:
    """Whether a call of a writing class writes; of those with parts, the parts decide."""
    if not kind.startswith("composite"):
        return True
    body = request.get_json(force=True, silent=True)
    parts = (body.get("compositeRequest") or body.get("batchRequests") or []) if isinstance(body, dict) else []
    return kind == "composite" and any(isinstance(part, dict) and part.get("method") != "GET" for part in parts)


def _check(*, exhausted: bool) -> None:
    if g.session is None:
        raise ApiError(401, "INVALID_SESSION_ID", "Session expired or invalid")
    if exhausted:
        raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    if g.get("version") and g.version not in VERSIONS:
        raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")


def _token() -> str:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if kind in {"Bearer", "OAuth"} else ""


def _tell_usage(org: Org, response: Response) -> Response:
    if g.get("kind"):
        response.headers["Sforce-Limit-Info"] = org.usage.header(g.get("app"))
    return response


def _http_error(error: HTTPException) -> Response:
    if error.code == 405:
        message = f"HTTP Method '{request.method}' not allowed. Allowed are {','.join(error.valid_methods or [])}"  # type: ignore[attr-defined]
        return answer([{"errorCode": "METHOD_NOT_ALLOWED", "message": message}], 405)
    if error.code == 404:
        return answer([{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}], 404)
    return answer([{"errorCode": "UNKNOWN_EXCEPTION", "message": "An unexpected error occurred"}], error.code or 500)
