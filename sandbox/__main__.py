"""`python -m sandbox`: the org in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from sandbox.database import DataUnusable
from sandbox.server import serve


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8801, show_default=True, type=click.IntRange(0, 65_535), help="Port to listen on.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder for the org's file; without it, memory.")
@click.option("--tls", is_flag=True, help="Serve https with a self-signed certificate.")
def main(host: str, port: int, data: Path | None, tls: bool) -> None:
    """Runs a local Salesforce-compatible org."""
    try:
        serve(host, port, data, tls, on_ready=lambda url: click.echo(f"Sandbox org on {url} (Ctrl-C stops it)."))
    except DataUnusable as error:
        raise click.ClickException(f"{error}: choose another --data folder.") from error
    except OSError as error:
        told = f"The sandbox cannot listen on {host}:{port} ({error.strerror}): choose another --port."
        raise click.ClickException(told) from error


if __name__ == "__main__":
    main()
