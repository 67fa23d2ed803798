"""The REST deploy: post a zip, then ask for its result."""

from __future__ import annotations

from typing import Any

import orjson
from flask import Blueprint, Response, request

from sandbox.deploy import deploy
from sandbox.errors import ApiError
from sandbox.web import answer, base_url, org

metadata = Blueprint("metadata", __name__)


@metadata.post("/metadata/deployRequest")
def start() -> Response:
    """Takes a zip in."""
    upload = request.files.get("file")
    if upload is None:
        raise ApiError(400, "INVALID_INPUT", "The request needs a multipart part named file with the zip")
    options = _options()
    _check_production(options)
    deploy_id = deploy(org(), upload.read(), options)
    base = f"{base_url()}/metadata/deployRequest/{deploy_id}"
    return answer({"id": deploy_id, "url": base, "validatedDeployRequestId": None, "deployOptions": options}, 201)


@metadata.get("/metadata/deployRequest/<deploy_id>")
def status(deploy_id: str) -> Response:
    """How far the deploy is, with every component once it is done and details were asked for."""
    found = org().deploys.get(deploy_id)
    if found is None:
        raise ApiError(404, "NOT_FOUND", "The requested resource does not exist")
    result: dict[str, Any] = dict(found["result"])
    if found["polls"] > 0:
        found["polls"] -= 1
        result |= {"done": False, "success": False, "status": "InProgress", "numberComponentsDeployed": 0}
        result.pop("details")
    elif request.args.get("includeDetails", "").lower() != "true":
        result.pop("details")
    return answer({"id": deploy_id, "deployOptions": found["options"], "deployResult": result})


def _check_production(options: dict[str, Any]) -> None:
    """A production org runs what tests it must, and leaves nothing half done."""
    with org().db.transaction():
        row = org().db.one("SELECT IsSandbox FROM Organization")
    if row is None or row[0]:
        return
    if options.get("testLevel") == "NoTestRun":
        words = "testLevel of NoTestRun cannot be used in production organizations"
        raise ApiError(400, "INVALID_OPERATION", words)
    if options.get("rollbackOnError") is not True:
        raise ApiError(400, "INVALID_OPERATION", "rollbackOnError must be true in production organizations")


def _options() -> dict[str, Any]:
    # The guide names the part "json", Salesforce's own CLI sends "entity_content"; some clients send it as a file.
    for name in ("json", "entity_content"):
        part = request.files.get(name)
        given = request.form.get(name) or (part.read() if part else None)
        if given:
            try:
                options: dict[str, Any] = orjson.loads(given).get("deployOptions", {})
            except (orjson.JSONDecodeError, AttributeError) as error:
                raise ApiError(400, "JSON_PARSER_ERROR", "deployOptions cannot be read") from error
            return options
    return {}
