"""Several requests in one: composite with references, and batch."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Blueprint, Response, current_app, g, request
from werkzeug.test import create_environ, run_wsgi_app

from sandbox.calls import classify
from sandbox.errors import ApiError
from sandbox.web import JSON, answer, mapping, org

composite = Blueprint("composite", __name__)

MOST = 25
_REFERENCE = re.compile(r"@\{([^}]+)\}")
_ID = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
Reply = dict[str, Any]


class _RolledBack(Exception):
    """Undoes what the sub-requests wrote."""


@composite.post("/composite")
def run() -> Response:
    """One reply per sub-request; later ones may use what earlier ones answered."""
    body = mapping()
    requests = _requests(body.get("compositeRequest"))
    names = [sub.get("referenceId", "") for sub in requests]
    if len(set(names)) != len(names) or not all(_ID.fullmatch(str(name)) for name in names):
        raise ApiError(400, "INVALID_INPUT", "Each subrequest needs its own referenceId of letters, digits and _")
    replies: list[Reply] = []
    try:
        with org().db.transaction():
            _run_all(requests, replies, all_or_none=body.get("allOrNone") is True)
    except _RolledBack:
        replies = [_halted(sub, reply) for sub, reply in zip(requests, replies, strict=True)]
    return answer({"compositeResponse": replies})


def _run_all(requests: list[Reply], replies: list[Reply], *, all_or_none: bool) -> None:
    known: dict[str, Any] = {}
    for sub in requests:
        try:
            url, data = _filled(sub["url"], known), _filled(sub.get("body"), known)
        except KeyError as error:
            status, headers = 400, dict[str, str]()
            reply: Any = [
                {"errorCode": "PROCESSING_HALTED", "message": f"Invalid reference specified: {error.args[0]}"}
            ]
        else:
            status, reply, headers = _dispatch(sub["method"], url, data, sub.get("httpHeaders"))
        known[sub["referenceId"]] = reply
        replies.append(
            {"body": reply, "httpHeaders": headers, "httpStatusCode": status, "referenceId": sub["referenceId"]}
        )
    if all_or_none and any(reply["httpStatusCode"] >= 300 for reply in replies):
        raise _RolledBack


def _halted(sub: Reply, reply: Reply) -> Reply:
    if reply["httpStatusCode"] >= 300:
        return reply
    halted = [
        {"errorCode": "PROCESSING_HALTED", "message": "The transaction was rolled back since another operation in the "
         "same transaction failed."}
    ]  # fmt: skip
    return {"body": halted, "httpHeaders": {}, "httpStatusCode": 400, "referenceId": sub["referenceId"]}


@composite.post("/composite/batch")
def batch() -> Response:
    """One result per request; none depends on another."""
    body = mapping()
    results, failed = [], False
    for sub in _requests(body.get("batchRequests")):
        if failed and body.get("haltOnError") is True:
            halted = {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}
            results.append({"statusCode": 412, "result": [halted]})
            continue
        url = sub["url"] if sub["url"].startswith("/") else f"/services/data/{sub['url']}"
        _count(sub["method"], url)
        status, result, _ = _dispatch(sub["method"], url, sub.get("richInput"), None)
        failed = failed or status >= 300
        results.append({"statusCode": status, "result": result})
    return answer({"hasErrors": failed, "results": results})


def _count(method: str, url: str) -> None:
    """Each request of a batch is an API call of its own; the batch itself was counted as one."""
    kind, writes = classify(method, urlsplit(url).path)
    org().usage.count(kind, g.session.client_id, writes=writes)


def _requests(given: Any) -> list[Reply]:
    if not isinstance(given, list) or not given:
        raise ApiError(400, "INVALID_INPUT", "The request has no subrequests")
    if len(given) > MOST:
        raise ApiError(400, "LIMIT_EXCEEDED", f"The request can have at most {MOST} subrequests")
    for sub in given:
        if not isinstance(sub, dict) or not isinstance(sub.get("method"), str) or not isinstance(sub.get("url"), str):
            raise ApiError(400, "INVALID_INPUT", "Each subrequest needs a method and a url")
    return given


def _filled(value: Any, known: dict[str, Any]) -> Any:
    if isinstance(value, str):
        whole = _REFERENCE.fullmatch(value)
        return _look_up(whole[1], known) if whole else _REFERENCE.sub(lambda m: str(_look_up(m[1], known)), value)
    if isinstance(value, dict):
        return {key: _filled(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, known) for item in value]
    return value


def _look_up(path: str, known: dict[str, Any]) -> Any:
    value: Any = known
    for step in re.findall(r"[^.\[\]]+", path):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, ValueError, TypeError) as error:
            raise KeyError(path) from error
    return value


def _dispatch(method: str, url: str, body: Any, headers: Any) -> tuple[int, Any, dict[str, str]]:
    parts = urlsplit(url)
    environ = create_environ(parts.path, base_url=request.host_url, query_string=parts.query, method=method)
    data = b"" if body is None else orjson.dumps(body)
    environ |= {"wsgi.input": BytesIO(data), "CONTENT_LENGTH": str(len(data)), "CONTENT_TYPE": JSON}
    for name, value in (headers or {}).items():
        environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
    # The outer request was let in and counted; its parts run in its name.
    environ["sandbox.session"] = g.session
    chunks, status, found = run_wsgi_app(current_app.extensions["sandbox_inner"], environ)
    text = b"".join(chunks)
    location = found.get("Location")
    return int(status.split()[0]), orjson.loads(text) if text else None, {"Location": location} if location else {}
