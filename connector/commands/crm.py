"""``connector crm``: the Salesforce package, and what people did in the CRM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import click
from rich.progress import SpinnerColumn, TextColumn

from connector.commands.console import fail, print_json, progress, speaks_plainly
from connector.commands.place import here
from connector.composition import build_crm
from connector.crm.package import compose_zip
from connector.errors import Misconfigured
from connector.flows.sync import sync_once
from connector.settings import load_settings


@click.group()
def crm() -> None:
    """The CRM: install the package, pull what people did there."""


@crm.command("install")
@click.option("--dry-run", is_flag=True, help="Let the org check the package without changing anything.")
@speaks_plainly
def install(dry_run: bool) -> None:
    """Deploy the connector's objects, fields and permission sets to the org."""
    settings = load_settings()
    gateway = build_crm(settings)
    if gateway is None:
        raise Misconfigured("CONNECTOR_CRM_URL is not set: give the org's My Domain address.")
    package = compose_zip()
    with progress(SpinnerColumn(), TextColumn("{task.description}")) as bar:
        bar.add_task("The org is checking the package …" if dry_run else "Deploying the package …")
        messages = gateway.install(package, check_only=dry_run)
    for message in messages:
        click.echo(message)
    click.echo(f"{len(messages)} components {'would be' if dry_run else 'are'} in the org.", err=True)


@crm.command("sync")
@click.option("--full", is_flag=True, help="Read everything again, not only what changed since the last time.")
@click.option("--json", "as_json", is_flag=True, help="The figures as one JSON document.")
@speaks_plainly
def sync(full: bool, as_json: bool) -> None:
    """Pull contacts, users, cases and their calls, mails and chats from the CRM."""
    with here() as ctx:
        if ctx.crm is None:
            fail("CONNECTOR_CRM_URL is not set: give the org's My Domain address.", 1)
        with progress(SpinnerColumn(), TextColumn("{task.description}")) as bar:
            task = bar.add_task("Reading the CRM …")

            def tell(what: str, done: int) -> None:
                bar.update(task, description=f"{what}: {done} read")

            report = sync_once(ctx, full=full, on_progress=tell)
    if as_json:
        print_json(asdict(report))
    elif report.is_busy:
        click.echo("Another process is reading the CRM right now; its figures are on the health page.", err=True)
    else:
        for name, number in asdict(report).items():
            if name != "is_busy":
                click.echo(f"{name.replace('_', ' '):<14} {number if isinstance(number, int) else _sum(number)}")


def _sum(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items()) or "0"
