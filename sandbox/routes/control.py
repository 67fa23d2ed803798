"""The handles a test or a demo pulls: faults, figures, merges, a fresh start. No part of Salesforce."""

from __future__ import annotations

from flask import Blueprint, Response

from sandbox.digest import digest
from sandbox.errors import ApiError
from sandbox.faults import PlanInvalid
from sandbox.lifecycle import merge, undelete
from sandbox.web import answer, mapping, org

control = Blueprint("control", __name__, url_prefix="/sandbox")


@control.get("/health")
def health() -> Response:
    """Whether the org is up, and the client it lets in."""
    return answer({"ok": True, "organization_id": org().org_id})


@control.get("/stats")
def stats() -> Response:
    """API calls by class, write calls, rows and faults since the start."""
    return answer(org().usage.report())


@control.get("/digest")
def show_digest() -> Response:
    """The digest of all rows' business content."""
    return answer(digest(org()))


@control.post("/faults")
def faults() -> Response:
    """Puts a fault plan in force; an empty one ends all faults."""
    try:
        org().faults.load(mapping())
    except PlanInvalid as error:
        raise ApiError(400, "INVALID_INPUT", str(error)) from error
    return answer({"ok": True})


@control.post("/merge")
def merge_records() -> Response:
    """Merges records as people do in the CRM: {"master": id, "losers": [id, …]}."""
    body = mapping()
    merge(org(), str(body.get("master")), [str(one) for one in body.get("losers", [])])
    return answer({"ok": True})


@control.post("/undelete")
def undelete_records() -> Response:
    """Takes records out of the recycle bin: {"ids": [id, …]}."""
    undelete(org(), [str(one) for one in mapping().get("ids", [])])
    return answer({"ok": True})


@control.post("/expire")
def expire() -> Response:
    """Ends every session, as a restart of the org would."""
    org().sessions.clear()
    return answer({"ok": True})


@control.post("/reset")
def reset() -> Response:
    """The org as on its first day."""
    org().reset()
    return answer({"ok": True})
