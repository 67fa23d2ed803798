"""Who may sign in and which programs hold keys."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from flask import Blueprint, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from connector.domain.people import USER_ROLES, Role
from connector.errors import Refused
from connector.flows import people
from connector.web.auth import context, principal
from connector.web.errors import status_of

blueprint = Blueprint("admin_people", __name__, url_prefix="/admin")

RECEIPTS = {
    "created": "The user can sign in now.",
    "changed": "Changed; every session of that user has ended.",
    "made": "This key was made already, and its token is shown only once. If nobody copied it, revoke the key and make "
    "another.",
    "revoked": "The key is revoked; its program is refused from now on.",
}

NOTHING: Mapping[str, str] = {}
"""What a form that nobody filled in yet holds."""


@blueprint.get("/users")
def users() -> str:
    """Everybody who may sign in."""
    return _users_page()


@blueprint.post("/users")
def user_create() -> Response | tuple[str, int]:
    """Makes a user."""
    form = request.form
    try:
        people.create_user(
            context(), form.get("name", ""), form.get("password", ""), form.get("role", ""), actor=principal().actor
        )
    except Refused as error:
        return _users_page(error.message, form), status_of(error)
    return redirect(url_for("admin_people.users", done="created"))


@blueprint.post("/users/<user_id>")
def user_change(user_id: str) -> Response | tuple[str, int]:
    """Changes a role or a password, or ends and restores access."""
    form = request.form
    active = {"off": False, "on": True}.get(form.get("active", ""))
    try:
        people.change_user(
            context(),
            user_id,
            actor=principal().actor,
            role=form.get("role") or None,
            password=form.get("password") or None,
            is_active=active,
        )
    except Refused as error:
        return _users_page(error.message), status_of(error)
    return redirect(url_for("admin_people.users", done="changed"))


@blueprint.get("/keys")
def keys() -> str:
    """Every API key by its name and last four characters."""
    return _keys_page()


@blueprint.post("/keys")
def key_create() -> Response | str | tuple[str, int]:
    """Makes a key and shows its token, this once; the same form again makes no second one."""
    form = request.form
    once = form.get("once")
    if once and session.get("made_key") == once:
        return redirect(url_for("admin_people.keys", done="made"))
    try:
        _, token = people.create_key(context(), form.get("name", ""), form.get("role", ""), actor=principal().actor)
    except Refused as error:
        return _keys_page(problem=error.message), status_of(error)
    session["made_key"] = once
    return _keys_page(token=token)


@blueprint.post("/keys/<key_id>/revoke")
def key_revoke(key_id: str) -> Response | str:
    """Ends a key at once; asks first."""
    if not request.form.get("sure"):
        key = next((each for each in people.keys(context()) if each.id == key_id), None)
        return render_template("admin_key_revoke.html", section="admin", page="keys", key=key, key_id=key_id)
    people.revoke_key(context(), key_id, actor=principal().actor)
    return redirect(url_for("admin_people.keys", done="revoked"))


def _users_page(problem: str | None = None, typed: Mapping[str, str] = NOTHING) -> str:
    return render_template(
        "admin_users.html",
        section="admin",
        page="users",
        users=people.users(context()),
        roles=[(role.value, role.value) for role in USER_ROLES],
        typed=typed,
        problem=problem,
        receipt=RECEIPTS.get(request.args.get("done", "")),
    )


def _keys_page(token: str | None = None, problem: str | None = None) -> str:
    return render_template(
        "admin_keys.html",
        section="admin",
        page="keys",
        keys=people.keys(context()),
        roles=[(role.value, role.value) for role in Role],
        token=token,
        once=secrets.token_urlsafe(12),
        typed=request.form if problem else NOTHING,
        problem=problem,
        receipt=RECEIPTS.get(request.args.get("done", "")),
    )
