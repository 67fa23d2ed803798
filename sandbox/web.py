"""What the routes share: the org, the caller, JSON in and out."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Response, current_app, g, request

from sandbox.errors import ApiError
from sandbox.org import Org
from sandbox.schema import SObject

JSON = "application/json;charset=UTF-8"


def org() -> Org:
    """The org this app serves."""
    found: Org = current_app.extensions["sandbox"]
    return found


def base_url() -> str:
    """The path of the API version the caller speaks."""
    return f"/services/data/v{g.version}"


def answer(body: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(body), status, content_type=JSON)


def empty(status: int = 204) -> Response:
    """An answer without a body."""
    return Response(status=status)


def payload() -> Any:
    """The request's JSON; raises ApiError with JSON_PARSER_ERROR."""
    try:
        return orjson.loads(request.get_data())
    except orjson.JSONDecodeError as error:
        raise ApiError(
            400, "JSON_PARSER_ERROR", f"{error.msg} at [line:{error.lineno}, column:{error.colno}]"
        ) from error


def mapping() -> dict[str, Any]:
    """The request's JSON object; raises ApiError where it is something else."""
    found = payload()
    if not isinstance(found, dict):
        raise ApiError(400, "JSON_PARSER_ERROR", "Can not deserialize: unexpected array at [line:1, column:1]")
    return found


def sobject(name: str) -> SObject:
    """The object of this name in a path; raises ApiError with NOT_FOUND."""
    found = org().schema.find(name)
    if found is None:
        raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
    return found


def user_id() -> str:
    """The user the caller's token stands for."""
    found: str = g.session.user_id if g.get("session") else org().user_id
    return found


def kind() -> str:
    """The class of the present call."""
    found: str = g.get("kind", "")
    return found
