"""Signing in and out, sessions, API keys, and the check that every request passes."""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from urllib.parse import urlsplit

from flask import Blueprint, Flask, Response, current_app, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response as BaseResponse

from connector.domain.people import Principal
from connector.errors import Forbidden, InputInvalid, NotFound, Unauthenticated
from connector.flows import people
from connector.flows.context import Context
from connector.web.errors import API_PREFIX
from connector.web.paging import page_before
from connector.web.permissions import PUBLIC, Permission, allows, rule_of

blueprint = Blueprint("auth", __name__)

SESSION_LASTS = timedelta(hours=12)
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
EXTENSION = "connector"


class FormExpired(InputInvalid):
    """The form was older than your session, so it was not taken; go back, reload the page and send it again."""

    code = "form_expired"


def context() -> Context:
    """The context of this app."""
    found = current_app.extensions[EXTENSION]
    if not isinstance(found, Context):
        raise TypeError("the app was not registered with a Context")
    return found


def principal() -> Principal:
    """Who is asking; raises Unauthenticated on a public route without anybody."""
    found = g.get("principal")
    if not isinstance(found, Principal):
        raise Unauthenticated
    return found


def may(permission: Permission | str) -> bool:
    """Whether the one who asks holds the permission."""
    found = g.get("principal")
    return isinstance(found, Principal) and allows(found.role, Permission(permission))


def csrf_token() -> str:
    """The token of this session, for the hidden field of every form."""
    token = session.get("csrf")
    if not isinstance(token, str):
        token = session["csrf"] = secrets.token_urlsafe(24)
    return token


def register_auth(app: Flask, ctx: Context) -> None:
    """Sessions signed with the installation's key, and the check before every request."""
    app.secret_key = ctx.secret_key
    app.permanent_session_lifetime = SESSION_LASTS
    app.register_blueprint(blueprint)
    app.before_request(check)
    app.jinja_env.globals.update(csrf_token=csrf_token, may=may)
    app.context_processor(lambda: {"me": g.get("principal")})


def check() -> BaseResponse | None:
    """Lets a request pass when its route's rule allows; deny by default, forms only with their token."""
    endpoint = request.endpoint
    if endpoint is None:
        return None
    if "\x00" in request.path:
        raise NotFound("There is nothing at this address; it holds a NUL character.")
    rule = rule_of(endpoint)
    if rule is None:
        raise Forbidden("This address has no access rule, so nobody may use it; tell the maintainers.")
    is_api = request.path.startswith(API_PREFIX)
    if rule == PUBLIC:
        if endpoint.startswith("auth."):
            _check_form()
        return None
    g.principal = _key_holder() if is_api else _session_holder()
    if g.principal is None:
        if is_api:
            raise Unauthenticated
        return redirect(_sign_in_first())
    if not is_api:
        _check_form()
    if not allows(g.principal.role, Permission(rule)):
        raise Forbidden
    return None


@blueprint.get("/login")
def login() -> str | BaseResponse:
    """The sign-in form."""
    if _session_holder() is not None:
        return redirect(url_for("agent.home"))
    lost = bool(request.args.get("lost"))
    return render_template("login.html", name="", problem=None, next=request.args.get("next", ""), lost=lost)


@blueprint.post("/login")
def login_submit() -> Response | BaseResponse | tuple[str, int]:
    """Signs in: a fresh session, so that nothing planted before survives."""
    name = request.form.get("name", "")
    try:
        user = people.sign_in(context(), name, request.form.get("password", ""), request.remote_addr or "")
    except (Unauthenticated, people.TooManyAttempts) as error:
        status = 429 if isinstance(error, people.TooManyAttempts) else 401
        page = render_template("login.html", name=name, problem=error.message, next=request.form.get("next", ""))
        return page, status
    session.clear()
    session.permanent = True
    session["user"] = user.id
    session["epoch"] = user.session_epoch
    csrf_token()
    return redirect(_safe_next(request.form.get("next", "")))


@blueprint.post("/logout")
def logout() -> BaseResponse:
    """Signs out everywhere: a copied cookie is worth nothing afterwards."""
    people.end_sessions(context(), principal().id)
    session.clear()
    return redirect(url_for("auth.login"))


def _session_holder() -> Principal | None:
    user_id, epoch = session.get("user"), session.get("epoch")
    if not isinstance(user_id, str) or not isinstance(epoch, int):
        return None
    user = people.session_user(context(), user_id, epoch)
    return people.user_principal(user) if user else None


def _key_holder() -> Principal | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        return None
    return people.key_principal(context(), token.strip())


def _check_form() -> None:
    if request.method not in UNSAFE:
        return
    sent, kept = request.form.get("csrf", ""), session.get("csrf")
    if not isinstance(kept, str) or not hmac.compare_digest(sent.encode(), kept.encode()):
        raise FormExpired


def _sign_in_first() -> str:
    """The sign-in form; whoever sent a form in vain is told so, and led back to the page that it stood on."""
    if request.method not in UNSAFE:
        query = request.query_string.decode("latin-1")
        return url_for("auth.login", next=f"{request.path}?{query}" if query else request.path)
    lost = None if request.endpoint == "auth.logout" else "1"
    return url_for("auth.login", next=page_before() if lost else "", lost=lost)


def _safe_next(target: str) -> str:
    """The path to go to after signing in: one of ours, never another site's."""
    parts = urlsplit(target)
    ours = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return (request.script_root + target) if ours and "\\" not in target else url_for("agent.home")
