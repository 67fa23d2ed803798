"""The API: one dispatcher for every operation, so that keys, roles, bodies and idempotency work alike everywhere."""

from __future__ import annotations

from hashlib import sha256

import orjson
from flask import Blueprint, Response, current_app, request

from connector.errors import EncodingRefused, InputInvalid, PayloadTooLarge, PayloadUnreadable, Permanent, Refused
from connector.flows import idempotency
from connector.web import api_cases, api_consent, api_operations, api_people, api_reports
from connector.web.api_call import Call, Operation
from connector.web.auth import context, principal
from connector.web.errors import problem_response, trouble_of
from connector.web.openapi import document

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")

OPERATIONS: tuple[Operation, ...] = (
    *api_cases.OPERATIONS,
    *api_people.OPERATIONS,
    *api_consent.OPERATIONS,
    *api_operations.OPERATIONS,
    *api_reports.OPERATIONS,
)

LARGEST_BODY = 1024 * 1024
LONGEST_KEY = 200
REPLAYED = "Idempotency-Replayed"


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The description of this API, made from the code that serves it."""
    ctx = context()
    return _json(document(OPERATIONS, ctx.public_url), 200)


def _serve(operation: Operation, path: dict[str, str | int]) -> Response:
    if operation.method == "GET":
        return _carry_out(operation, path, b"")
    body = _body()
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return _carry_out(operation, path, body)
    return _once(operation, path, body, key)


def _once(operation: Operation, path: dict[str, str | int], body: bytes, key: str) -> Response:
    if not 0 < len(key) <= LONGEST_KEY or not (key.isascii() and key.isprintable()):
        raise InputInvalid(f"The Idempotency-Key is not 1 to {LONGEST_KEY} printable ASCII characters.")
    ctx, who = context(), principal().id
    digest = sha256(b"\x00".join((request.method.encode(), request.full_path.encode(), body))).hexdigest()
    before = idempotency.begin(ctx, who, key, digest)
    if before is not None:
        kind = "application/json" if before.status < 400 else "application/problem+json"
        replay = Response(before.body, before.status, content_type=kind)
        replay.headers[REPLAYED] = "true"
        return replay
    decided = False
    try:
        response = _answer(operation, path, body, key)
        idempotency.finish(ctx, who, key, response.status_code, response.get_data())
        decided = True
        return response
    finally:
        if not decided:
            idempotency.abandon(ctx, who, key)


def _answer(operation: Operation, path: dict[str, str | int], body: bytes, key: str) -> Response:
    """The outcome to keep: a refusal is one too, a fault of ours or the outside's is not."""
    try:
        return _carry_out(operation, path, body, key)
    except (Refused, Permanent) as error:
        return problem_response(trouble_of(error))


def _carry_out(operation: Operation, path: dict[str, str | int], body: bytes, key: str | None = None) -> Response:
    call = Call(
        ctx=context(),
        principal=principal(),
        path=path,
        query=operation.read_query(request.args.to_dict()),
        body=operation.read_body(body),
        raw=body,
        key=key,
        timezone=str(current_app.config["CONNECTOR_TIMEZONE"]),
        extensions=current_app.extensions,
    )
    return _json(operation.handler(call).model_dump(mode="json", by_alias=True), operation.status)


def _body() -> bytes:
    if "Content-Encoding" in request.headers:
        raise EncodingRefused
    if (request.content_length or 0) > LARGEST_BODY:
        raise PayloadTooLarge
    body = request.stream.read(LARGEST_BODY + 1)
    if len(body) > LARGEST_BODY:
        raise PayloadTooLarge
    if body and not request.is_json:
        raise PayloadUnreadable("The body is not JSON; send it with Content-Type: application/json.")
    return body


def _json(value: object, status: int) -> Response:
    return Response(orjson.dumps(value), status, content_type="application/json")


def _add(operation: Operation) -> None:
    def view(**path: str | int) -> Response:
        return _serve(operation, path)

    view.__doc__ = operation.summary
    blueprint.add_url_rule(operation.path, operation.name, view, methods=[operation.method])


for _operation in OPERATIONS:
    _add(_operation)
