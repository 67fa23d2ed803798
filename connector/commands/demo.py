"""``connector demo``: sets everything up, tells the story, prints what came of it, and serves the pages."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn

from connector.commands.console import PORT, progress, speaks_plainly

if TYPE_CHECKING:
    from connector.demo.summary import Summary

STEPS = 10


@click.command()
@click.option("--once", is_flag=True, help="Print the summary and stop, instead of serving the pages.")
@click.option("--port", type=PORT, help="Port of the pages; 8080 if not said, and any free one with --once.")
@click.option("--org-port", type=PORT, help="Port of the sandbox org; 8801 if not said, and any free one with --once.")
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path(".connector"), show_default=True, help="Folder to use."
)
@speaks_plainly
def demo(once: bool, port: int | None, org_port: int | None, data: Path) -> None:
    """Tell an invented story over real HTTP: webhooks in, consents asked, history written to a local org."""
    from connector.demo.place import open_place
    from connector.demo.telling import set_up, tell
    from connector.logs import configure_logs

    configure_logs(quiet=True)
    place = open_place(data)
    columns = (BarColumn(bar_width=24), TextColumn("{task.description}"), TimeElapsedColumn())
    with ExitStack() as stack:
        with progress(*columns) as bar:
            task = bar.add_task("Starting", total=STEPS)

            def step(words: str) -> None:
                bar.update(task, description=words, advance=1)

            up = set_up(place, port=_port(port, 8080, once), org_port=_port(org_port, 8801, once), step=step)
            telling = stack.enter_context(closing(up))
            summary = tell(telling, step)
        _print(summary)
        if not once:
            _serve(telling.web, telling.org.url, place.config, telling.settings.admin_password)


def _port(wanted: int | None, usual: int, once: bool) -> int:
    if wanted is not None:
        return wanted
    return 0 if once else usual


def _print(summary: Summary) -> None:
    lines = (
        *summary.figures,
        ("digest of the store", summary.store_digest),
        ("digest of the org", summary.org_digest),
    )
    width = max(len(name) for name, _ in lines)
    for name, value in lines:
        click.echo(f"{name:<{width}}  {value}")


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
