"""Tells the story: org, package, CRM rows, sync, deliveries, suggestions, answers, write-back, sync, summary."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import requests
from sqlalchemy import select

from connector.app import app_of, receiver_of
from connector.composition import build_context
from connector.crm.package import compose_zip
from connector.demo.org import Org
from connector.demo.place import CLIENT_ID, Place
from connector.demo.posting import post, signed_request
from connector.demo.story import ASKINGS, Asking, postings
from connector.demo.summary import Summary, look
from connector.domain.channels import Channel
from connector.errors import ConnectorError, CrmUnavailable, Misconfigured, StoreBusy
from connector.flows.consent import ask_script
from connector.flows.context import Context
from connector.flows.people import bootstrap_admin, create_key
from connector.flows.sync import sync_once
from connector.settings import Settings, load_settings
from connector.store.inbox import depth
from connector.store.migrate import migrate
from connector.store.outbox_shelf import counts
from connector.store.tables import social_profiles
from connector.store.unit_of_work import open_store
from connector.web.server import Serving
from connector.worker import Worker, hold
from sandbox.database import DataUnusable
from sandbox.org import Config
from sandbox.server import SandboxServer

PATIENCE_SECONDS = 120
HOST = "127.0.0.1"
TIMEOUT = (5, 30)

Step = Callable[[str], None]


class DemoStuck(ConnectorError):
    """The demo did not come to its end."""

    code = "demo_stuck"


@dataclass(slots=True)
class Telling:
    """A demo that is up: its addresses, its context, and the org beside it."""

    place: Place
    settings: Settings
    ctx: Context
    org: Org
    contacts: Mapping[str, str]
    web: str
    key: str
    stack: ExitStack

    def close(self) -> None:
        """Stops the server, the worker and the org."""
        self.stack.close()


def set_up(place: Place, *, port: int, org_port: int, step: Step) -> Telling:
    """Starts the org, the store and the service; Misconfigured when a port is taken or the folder cannot be used."""
    with ExitStack() as stack:
        return _set_up(place, port, org_port, step, stack)


def _set_up(place: Place, port: int, org_port: int, step: Step, stack: ExitStack) -> Telling:
    step("Starting the sandbox org")
    with hold(place.folder / "connector.db.worker"):
        pass  # a demo or `connector run` that still works here would lose its org's address and its port
    config = Config(client_id=CLIENT_ID, client_secret=place.secret("crm_client_secret"))
    try:
        server = stack.enter_context(SandboxServer(org_port, place.folder / "org", config=config))
    except DataUnusable as error:
        raise Misconfigured(f"{error}: choose another --data folder.") from error
    except OSError as error:
        raise Misconfigured(
            f"Port {org_port} is taken ({error.strerror}): stop what uses it, or choose --org-port."
        ) from error
    place.write_config(crm_url=server.url, public_url=f"http://{HOST}:{port or 8080}")
    settings = load_settings({}, place.config)
    store = open_store(settings.database_url)
    stack.callback(store.close)
    migrate(store)
    ctx = build_context(settings, store=store)
    if ctx.crm is None:
        raise CrmUnavailable("The demo's own org is not configured.")
    bootstrap_admin(ctx, settings.admin_password)
    key = _agent_key(place, ctx)
    step("Deploying the Salesforce package")
    ctx.crm.install(compose_zip())
    org = Org.sign_in(server.url, CLIENT_ID, settings.crm.client_secret)
    step("Filling the CRM with contacts, calls, mails and chats")
    contacts = org.seed(place.start())
    step("Reading the CRM")
    read_crm(ctx)
    web = _serve(ctx, settings, port, stack)
    return Telling(place, settings, ctx, org, contacts, web, key, stack.pop_all())


def _serve(ctx: Context, settings: Settings, port: int, stack: ExitStack) -> str:
    worker = Worker(ctx, poll_seconds=0.2)
    app = app_of(ctx, settings, on_stored=worker.kick)
    ready = Event()
    serving = Serving(app, receiver_of(app), HOST, port, on_ready=lambda _port: ready.set())
    worker.start()
    stack.callback(worker.stop)
    thread = Thread(target=serving.run, name="web", daemon=True)
    thread.start()
    stack.callback(thread.join, 15)
    stack.callback(serving.stop)
    if not ready.wait(15):
        raise DemoStuck("The web server did not come up within 15 s: see what it wrote above.")
    return f"http://{HOST}:{serving.port}"


def _agent_key(place: Place, ctx: Context) -> str:
    """The API key of the story's agent, made once and kept with the other secrets."""
    path = place.folder / "secrets" / "agent_key"
    if not path.exists():
        _key, token = create_key(ctx, "demo agent", "agent", actor="demo")
        place.keep("agent_key", token)
    return place.keep("agent_key", "")


def tell(telling: Telling, step: Step) -> Summary:
    """Plays the story once and gives what the org and the store then hold."""
    before = telling_stats(telling)
    step("Posting signed webhooks")
    deliver(telling)
    step("Taking them in")
    wait_until(lambda: waiting_deliveries(telling.ctx) == 0, "deliveries are still waiting")
    step("Asking the customers")
    for asking in ASKINGS:
        ask(telling, asking)
    step("Writing to the org")
    wait_until(lambda: waiting_writes(telling.ctx) == 0, "records are still waiting to be written")
    step("Reading back")
    read_crm(telling.ctx)
    wait_until(lambda: waiting_writes(telling.ctx) == 0, "records are still waiting to be written")
    after = telling_stats(telling)
    used = {name: after[name] - before[name] for name in ("calls", "write_calls")}
    return look(telling.ctx, telling.org, used)


def read_crm(ctx: Context) -> None:
    """Reads what people did in the CRM; returns when this reading is done, and not another's that was under way."""
    wait_until(lambda: not sync_once(ctx).is_busy, "another reading of the CRM goes on")


def telling_stats(telling: Telling) -> Mapping[str, Any]:
    """The org's own count of API calls."""
    answer = telling.org.session.get(f"{telling.org.url}/sandbox/stats", timeout=TIMEOUT)
    stats: Mapping[str, Any] = answer.json()
    return stats


def deliver(telling: Telling) -> None:
    """Posts every delivery of the story to its webhook; every one must be taken."""
    ctx = telling.ctx
    with requests.Session() as session:
        for posting in postings(telling.place.start()):
            source = ctx.sources[posting.source]
            signed = signed_request(
                source, ctx.public_url, posting.body, posting.content_type, ctx.clock(), posting.delivery_id
            )
            answer = post(session, telling.web, ctx.public_url, signed, posting.content_type, dict(posting.headers))
            if answer.status_code != 200:
                raise DemoStuck(
                    f"The delivery of {posting.source} was answered {answer.status_code}: {answer.text[:200]}"
                )


def ask(telling: Telling, asking: Asking) -> None:
    """An agent asks and records the answer by the API; the same key again changes nothing."""
    ctx = telling.ctx
    profile_id = profile_of(ctx, asking)
    script = ask_script(ctx, Channel.SOCIAL, "en", asking.network)
    body = {
        "profile_id": profile_id,
        "contact_id": telling.contacts[asking.person],
        "method": asking.method,
        "notice": {"id": script.notice_id, "version": script.version, "lang": script.lang},
        "answers": {"service": asking.answer.value},
        "evidence": {"wording": script.text, "customer_words": asking.words, "reference": f"demo:{asking.key}"},
    }
    link = _api(telling, "consent/records", f"demo-{asking.key}", body)["link"]
    if asking.withdraws:
        _api(telling, f"links/{link}/withdraw", f"demo-{asking.key}-withdraws", {"words": "Bitte doch nicht."})


def profile_of(ctx: Context, asking: Asking) -> str:
    """The id of the story's account, as ingestion made it."""
    wanted = select(social_profiles.c.id).where(
        social_profiles.c.network == asking.network, social_profiles.c.external_id == asking.external_id
    )
    with ctx.store.read() as connection:
        return str(connection.execute(wanted).scalar_one())


def _api(telling: Telling, path: str, key: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    headers = {"Authorization": f"Bearer {telling.key}", "Idempotency-Key": key}
    answer = requests.post(f"{telling.web}/api/v1/{path}", json=dict(body), headers=headers, timeout=TIMEOUT)
    if answer.status_code >= 300:
        raise DemoStuck(
            f"The API answered {answer.status_code} to {path.split('/', maxsplit=1)[0]}: {answer.text[:300]}"
        )
    found: Mapping[str, Any] = answer.json()
    return found


def waiting_deliveries(ctx: Context) -> int:
    """How many deliveries are not taken in yet."""
    with ctx.store.read() as connection:
        return depth(connection)


def waiting_writes(ctx: Context) -> int:
    """How many records the CRM has not got yet."""
    with ctx.store.read() as connection:
        return sum(each.number for each in counts(connection) if each.state == "pending")


def wait_until(done: Callable[[], bool], complaint: str) -> None:
    """Returns when it is so; DemoStuck with the complaint after two minutes."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            if done():
                return
        except StoreBusy:
            pass
        time.sleep(0.1)
    raise DemoStuck(f"After {PATIENCE_SECONDS} s {complaint}: see the shelves on the admin page.")
