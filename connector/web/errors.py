"""Errors as people and programs see them: one table of statuses, problem+json for the API, calm pages for people."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from flask import Flask, Response, make_response, render_template, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from connector import errors
from connector.web.paging import page_before

log = structlog.get_logger()

STATUS: Mapping[type[errors.ConnectorError], int] = {
    errors.SignatureInvalid: 401,
    errors.HandshakeRefused: 403,
    errors.SourceUnknown: 404,
    errors.PayloadTooLarge: 413,
    errors.EncodingRefused: 415,
    errors.InputInvalid: 422,
    errors.NotFound: 404,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.ConsentRequired: 403,
    errors.IdempotencyConflict: 422,
    errors.Conflict: 409,
    errors.Refused: 400,
    errors.Retryable: 503,
    errors.Permanent: 422,
    errors.Misconfigured: 500,
    errors.ConnectorError: 500,
}
"""The nearest class of the tree decides."""

CODES = {
    400: "refused",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "payload_too_large",
    415: "media_type_refused",
    429: "too_many_requests",
    503: "store_busy",
}

API_PREFIX = "/api/"
PROBLEM_JSON = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Trouble:
    """One error on its way out: status, stable code, a sentence, and headers."""

    status: int
    code: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Mapping[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """What happened, what it means for the person, and what to do."""

    title: str
    meaning: str
    advice: str


WORDS: Mapping[int, Words] = {
    400: Words("That request could not be read", "Nothing was changed.", "Go back, reload the page and try again."),
    401: Words("You are not signed in", "Nothing was changed.", "Sign in and try again."),
    403: Words("This is not open to you", "Nothing was changed.", "If your work needs it, ask an admin for the role."),
    404: Words(
        "There is nothing here",
        "The address may be mistyped, or what was here has been removed.",
        "Search for the person or the case, or go back to the start.",
    ),
    405: Words("That does not work this way", "Nothing was changed.", "Go back and use the page's own buttons."),
    409: Words("That no longer fits", "Nothing was changed.", "Reload the page and look again."),
    413: Words("That is too large", "Nothing was stored.", "Send less at once."),
    415: Words(
        "That cannot be read as it was sent", "Nothing was stored.", "Send it plain, in the form that is asked for."
    ),
    422: Words("Something is missing or wrong", "Nothing was changed.", "Go back, correct it and send it again."),
    500: Words(
        "Something broke on our side",
        "What you sent may not have been saved.",
        "Try again; if it happens again, tell an admin when it happened.",
    ),
    429: Words("Too often in a short time", "Nothing was changed.", "Wait a few minutes and try again."),
    503: Words("Busy for a moment", "Nothing was changed and nothing is lost.", "Wait a few seconds and try again."),
}

WORDS_OF_CODES: Mapping[str, Words] = {
    "form_expired": Words(
        "This page was open for too long", "Nothing was changed.", "What you typed may be gone: type it again."
    ),
}
"""Where what happened is better told by the code than by the status."""


def words_of(status: int) -> Words:
    """What a status means; one that is not in the table is still told as the right side's fault."""
    return WORDS.get(status) or WORDS[400 if status < 500 else 500]


def status_of(error: errors.ConnectorError) -> int:
    """The HTTP status of an error, by the nearest class in the table."""
    return next(STATUS[each] for each in type(error).__mro__ if each in STATUS)


def trouble_of(error: Exception) -> Trouble:
    """The error as it may leave the house: never a stack trace, never what was inside a value."""
    if isinstance(error, errors.ConnectorError):
        return _own(error)
    if isinstance(error, ValidationError):
        return _invalid(error)
    if isinstance(error, HTTPException):
        status = error.code or 500
        return Trouble(status, CODES.get(status, "http_error"), error.description or error.name, _kept_headers(error))
    return Trouble(500, "internal", "Something broke on our side; the log has the time and the kind.")


def problem_response(trouble: Trouble) -> Response:
    """The trouble as RFC 9457 problem+json with its stable code."""
    response = Response(problem_body(trouble), trouble.status, content_type=PROBLEM_JSON)
    response.headers.extend(trouble.headers)
    return response


def problem_body(trouble: Trouble) -> bytes:
    """The document of problem+json."""
    body: dict[str, object] = {
        "type": f"about:blank#{trouble.code}",
        "title": words_of(trouble.status).title,
        "status": trouble.status,
        "code": trouble.code,
        "detail": trouble.detail,
    }
    if trouble.problems:
        body["problems"] = [dict(each) for each in trouble.problems]
    return json.dumps(body, ensure_ascii=False).encode()


def register_errors(app: Flask) -> None:
    """Every error of the app leaves through here."""
    app.register_error_handler(Exception, answer)


def answer(error: Exception) -> Response:
    """The response to an error: problem+json under /api/, a page everywhere else."""
    trouble = trouble_of(error)
    if trouble.status >= 500:
        log.error(
            "request_failed",
            kind=type(error).__name__,
            endpoint=request.endpoint,
            status=trouble.status,
            frames=_frames(error),
        )
    if request.path.startswith(API_PREFIX):
        return problem_response(trouble)
    words = WORDS_OF_CODES.get(trouble.code) or words_of(trouble.status)
    # A refused form is filled in again on a fresh page: going back would bring the old one, with its old token.
    form = page_before() if request.method == "POST" else ""
    back = request.script_root + form if form else None
    page = render_template("error.html", trouble=trouble, words=words, back=back)
    response = make_response(page, trouble.status)
    response.headers.extend(trouble.headers)
    return response


def _frames(error: Exception) -> list[str]:
    """Where it broke, innermost last: files, lines and functions, and nothing of what was in them."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]


def _own(error: errors.ConnectorError) -> Trouble:
    headers: dict[str, str] = {}
    if isinstance(error, errors.Retryable):
        headers["Retry-After"] = str(max(1, round(error.retry_after or 5)))
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="connector"'
    return Trouble(status_of(error), error.code, error.message, headers)


def _invalid(error: ValidationError) -> Trouble:
    problems = tuple(
        {"where": ".".join(str(part) for part in each["loc"]) or "body", "what": each["msg"]}
        for each in error.errors(include_input=False, include_url=False, include_context=False)
    )
    first = problems[0]
    return Trouble(422, "input_invalid", f"{first['where']}: {first['what']}.", problems=problems)


def _kept_headers(error: HTTPException) -> dict[str, str]:
    response = error.get_response()
    return {name: value for name, value in response.headers if name in {"Allow", "Location", "Retry-After"}}
