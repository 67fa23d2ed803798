"""The composition root: a Flask app from settings, with nothing started."""

from __future__ import annotations

from collections.abc import Callable

from flask import Flask

from connector.composition import build_context
from connector.crm.port import CRM
from connector.domain.clock import Clock
from connector.flows.context import Context
from connector.flows.hints import Announcer
from connector.flows.receive import Receiver
from connector.settings import Settings, load_settings
from connector.web.site import register
from connector.web.webhooks import RECEIVER, webhooks


def create_app(settings: Settings | None = None, *, crm: CRM | None = None, clock: Clock | None = None) -> Flask:
    """The service as a WSGI app: webhooks, pages and API. Starts no thread and calls nothing outside.

    ``crm`` and ``clock`` replace the configured ones. Raises Misconfigured or SchemaOutdated when it cannot work.
    """
    found = settings or load_settings()
    return app_of(build_context(found, crm=crm, clock=clock), found)


def app_of(ctx: Context, settings: Settings, on_stored: Callable[[], None] | None = None) -> Flask:
    """The app over a context that was built already; its receiver is in ``app.extensions[RECEIVER]``.

    ``on_stored`` hears of each new delivery; without it, workers in other processes are told.
    """
    app = Flask("connector.web")
    stored = on_stored or Announcer(ctx).stored
    app.extensions[RECEIVER] = Receiver(
        ctx.store, ctx.sources, ctx.clock, ctx.public_url, ctx.inbox_cap, on_stored=stored
    )
    app.register_blueprint(webhooks)
    register(app, ctx, timezone=settings.timezone, on_stored=stored, trusted_proxies=settings.trusted_proxies)
    return app


def receiver_of(app: Flask) -> Receiver:
    """What takes the webhooks of this app."""
    receiver: Receiver = app.extensions[RECEIVER]
    return receiver
