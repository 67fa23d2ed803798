"""``connector demo``: sets everything up, tells the story, prints what came of it, and serves the pages."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from connector.commands.console import speaks_plainly

STEPS = 10


@click.command()
@click.option("--once", is_flag=True, help="Print the summary and stop, instead of serving the pages.")
@click.option("--port", default=8080, show_default=True, help="Port of the pages; 0 takes a free one.")
@click.option("--org-port", default=8801, show_default=True, help="Port of the sandbox org; 0 takes a free one.")
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path(".connector"), show_default=True, help="Folder to use."
)
@speaks_plainly
def demo(once: bool, port: int, org_port: int, data: Path) -> None:
    """Tell an invented story over real HTTP: webhooks in, consents asked, history written to a local org."""
    from connector.demo.place import open_place
    from connector.demo.telling import set_up, tell
    from connector.logs import configure_logs

    configure_logs(quiet=True)
    place = open_place(data)
    columns = (BarColumn(bar_width=24), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("Starting", total=STEPS)

        def step(words: str) -> None:
            bar.update(task, description=words, advance=1)

        telling = set_up(
            place, port=0 if once and port == 8080 else port, org_port=0 if port == 0 else org_port, step=step
        )
        try:
            summary = tell(telling, step)
        except BaseException:
            telling.close()
            raise
    try:
        width = max(len(name) for name, _ in summary.figures)
        for name, value in summary.figures:
            click.echo(f"{name:<{width}}  {value}")
        click.echo(f"{'digest of the store':<{width}}  {summary.store_digest}")
        click.echo(f"{'digest of the org':<{width}}  {summary.org_digest}")
        if not once:
            _serve(telling.web, telling.org.url, place.config, telling.settings.admin_password)
    finally:
        telling.close()


def _serve(web: str, org: str, config: Path, password: str) -> None:
    click.echo(f"\nPages      {web}/  (user admin, password {password})")
    click.echo(f"API        {web}/api/v1/openapi.json")
    click.echo(f"Health     {web}/readyz")
    click.echo(f"Org        {org}")
    click.echo(f"Commands   CONNECTOR_CONFIG={config} .venv/bin/connector --help")
    click.echo("Ctrl-C stops it.")
    stopping = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stopping.set())
    stopping.wait()
