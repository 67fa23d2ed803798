"""`python -m sandbox`: the org in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from sandbox.server import SandboxServer


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8801, show_default=True, help="Port to listen on.")
@click.option("--data", type=click.Path(path_type=Path), help="Folder for the org's file; without it, memory.")
@click.option("--tls", is_flag=True, help="Serve https with a self-signed certificate.")
def main(host: str, port: int, data: Path | None, tls: bool) -> None:
    """Runs a local Salesforce-compatible org."""
    server = SandboxServer(port, data, tls, host=host)
    click.echo(f"Sandbox org on {server.url} (Ctrl-C stops it).")
    server.run()


main()
