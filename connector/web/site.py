"""Puts the pages, the API and the health addresses into an app."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from connector.flows.context import Context
from connector.flows.submit import Submitter
from connector.web import admin, admin_people, agent, api, consent, health, people, reports
from connector.web.auth import EXTENSION, register_auth
from connector.web.clean import CleanRequest
from connector.web.errors import register_errors
from connector.web.paging import RowNumber, next_url
from connector.web.present import register_presenter
from connector.web.security import secure

FORM_BYTES = 1024 * 1024
SUBMITTER = "connector_submitter"


def register(
    app: Flask,
    ctx: Context,
    *,
    timezone: str = "UTC",
    on_stored: Callable[[], None] | None = None,
    trusted_proxies: int = 0,
) -> None:
    """Registers everything people and programs see, but the webhooks.

    Call it once, on a ``Flask("connector.web")`` (templates and styles lie there), with the zone that pages show times
    in; ``on_stored`` hears of each case posted to the API; ``trusted_proxies`` of them tell who the client is. The
    context's secret key signs sessions; its public URL decides cookie flags and the path the app lives under.
    """
    app.config["CONNECTOR_TIMEZONE"] = timezone
    app.config["MAX_FORM_MEMORY_SIZE"] = FORM_BYTES
    app.url_map.strict_slashes = False
    app.request_class = CleanRequest
    app.url_map.converters["row"] = RowNumber
    app.extensions[EXTENSION] = ctx
    app.extensions[SUBMITTER] = Submitter(ctx, on_stored)
    secure(app, ctx.public_url, trusted_proxies)
    register_errors(app)
    register_presenter(app, ctx, timezone)
    register_auth(app, ctx)
    app.jinja_env.globals["next_url"] = next_url
    for module in (health, agent, people, consent, reports, admin, admin_people, api):
        app.register_blueprint(module.blueprint)
