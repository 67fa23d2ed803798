"""Deploys a metadata zip by REST and waits for its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from connector.errors import CrmRejected, CrmUnavailable

PATIENCE_SECONDS = 1800.0
FIRST_LOOK, LONGEST_PAUSE = 0.2, 5.0

Rest = Callable[..., Any]
"""``restful`` of simple-salesforce: path, then method, data, headers, params."""


def deploy(
    rest: Rest, package: bytes, *, check_only: bool, sleep: Callable[[float], None], monotonic: Callable[[], float]
) -> list[str]:
    """The messages of the components once the deployment has succeeded; CrmRejected with the org's words otherwise."""
    # No testLevel: a production org refuses NoTestRun, and by itself runs no tests for a package without Apex.
    options = {"checkOnly": check_only, "rollbackOnError": True, "singlePackage": True}
    settings = RequestField("entity_content", orjson.dumps({"deployOptions": options}))
    settings.make_multipart(content_type="application/json")
    body, content_type = encode_multipart_formdata([settings, ("file", ("package.zip", package, "application/zip"))])
    started = rest("metadata/deployRequest", method="POST", data=body, headers={"Content-Type": content_type})
    answer = _wait(rest, started["id"], sleep, monotonic)
    details = answer.get("details") or {}
    if answer.get("success") is not True:
        words = "; ".join(_failures(details)) or answer.get("errorMessage") or answer.get("status")
        raise CrmRejected(f"The CRM did not take the package and changed nothing: {words}.")
    rows = [each for each in _rows(details, "componentSuccesses") if each.get("fullName") != "package.xml"]
    return [_message(each, check_only=check_only) for each in rows]


def _wait(rest: Rest, job: str, sleep: Callable[[float], None], monotonic: Callable[[], float]) -> Mapping[str, Any]:
    started, pause = monotonic(), FIRST_LOOK
    while monotonic() - started < PATIENCE_SECONDS:
        answer = rest(f"metadata/deployRequest/{job}", params={"includeDetails": "true"})["deployResult"]
        if answer.get("done") is True:
            result: Mapping[str, Any] = answer
            return result
        sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.6)
    raise CrmUnavailable("The CRM is still deploying after half an hour; see Deployment Status in its setup.")


def _rows(details: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    rows = details.get(name) or []
    return [rows] if isinstance(rows, dict) else list(rows)


def _message(row: Mapping[str, Any], *, check_only: bool) -> str:
    verb = "created" if row.get("created") else "changed" if row.get("changed") else "unchanged"
    return f"{row.get('componentType') or 'Component'} {row.get('fullName')}: {'would be ' if check_only else ''}{verb}"


def _failures(details: Mapping[str, Any]) -> Iterator[str]:
    for row in _rows(details, "componentFailures"):
        yield f"{row.get('componentType') or 'Component'} {row.get('fullName')}: {row.get('problem')}"
