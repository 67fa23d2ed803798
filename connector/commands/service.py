"""``connector run``, ``worker``, ``migrate`` and ``sandbox``: the long-running parts, and bringing the store up."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import SpinnerColumn, TextColumn

from connector.commands.console import PORT, fail, progress, speaks_plainly
from connector.commands.place import here
from connector.composition import build_context
from connector.flows.contact_index import index_problem
from connector.logs import configure_logs
from connector.settings import Settings, load_settings
from connector.store.migrate import migrate as migrate_store
from connector.store.unit_of_work import open_store


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=PORT, help="Port to listen on; 0 takes a free one.")
@speaks_plainly
def run(host: str, port: int) -> None:
    """Run everything in one process: web, worker, schedule."""
    from connector.app import app_of, receiver_of
    from connector.web.server import Serving
    from connector.worker import Worker

    configure_logs()
    settings = load_settings()
    ctx = build_context(settings)
    worker = Worker(ctx)
    app = app_of(ctx, settings, on_stored=worker.kick)
    serving = Serving(app, receiver_of(app), host, port, on_ready=_say_where)
    worker.start()
    try:
        serving.run()
    finally:
        stopped = worker.stop()
        ctx.store.close()
    if not stopped:
        fail(
            "The worker was stopped in the middle of a step; its leases lapse and the work goes on at the next start.",
            1,
        )


def _say_where(port: int) -> None:
    click.echo(f"Listening on port {port}; Ctrl-C stops.", err=True)


@click.command()
@speaks_plainly
def worker() -> None:
    """Background work only; start as many as wanted on PostgreSQL, on any machine."""
    from connector.worker import Worker

    configure_logs()
    with here() as ctx:
        Worker(ctx).run()


@click.command()
@speaks_plainly
def migrate() -> None:
    """Bring the store to this release; makes the first admin where CONNECTOR_ADMIN_PASSWORD is set."""
    settings = load_settings()
    store = open_store(settings.database_url)
    try:
        with progress(SpinnerColumn(), TextColumn("{task.description}")) as bar:
            task = bar.add_task("Looking at the store …")
            applied = migrate_store(store, lambda revision: bar.update(task, description=f"{revision} went through …"))
        outdated = index_problem(store)
    finally:
        store.close()
    for revision in applied:  # only now: they are one transaction
        click.echo(f"Applied {revision}.", err=True)
    click.echo(f"The store is at this release ({len(applied)} migrations applied)." if applied else "Nothing to do.")
    if outdated:
        click.echo(outdated, err=True)
    first_admin(settings)


def first_admin(settings: Settings) -> None:
    """Makes the user ``admin`` from the configured password, where there is no user at all."""
    from connector.flows.people import bootstrap_admin

    if not (settings.admin_password and settings.secret_key):
        return
    ctx = build_context(settings)
    try:
        made = bootstrap_admin(ctx, settings.admin_password)
    finally:
        ctx.store.close()
    if made:
        click.echo(f"{made.name} may sign in with the configured password.", err=True)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8801, show_default=True, type=PORT, help="Port to listen on; 0 takes a free one.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder for the org's file; without it, memory only.")
@click.option("--tls", is_flag=True, help="Serve https with a self-signed certificate.")
@speaks_plainly
def sandbox(host: str, port: int, data: Path | None, tls: bool) -> None:
    """Run a local Salesforce-compatible org: to try, to test, to break on purpose."""
    from sandbox.database import DataUnusable
    from sandbox.server import serve

    try:
        serve(host, port, data, tls, on_ready=lambda url: click.echo(f"An org at {url}; Ctrl-C stops it.", err=True))
    except DataUnusable as error:
        fail(f"{error}: choose another --data folder.", 1)
    except OSError as error:
        fail(
            f"The sandbox cannot listen on {host}:{port} ({error.strerror}): choose another --port.",
            1,
        )
