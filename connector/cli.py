"""The ``connector`` command. Its families live in ``connector.commands``; each is imported when it is called."""

from __future__ import annotations

import io
import sys
from importlib import import_module
from typing import Any

import click
import structlog

from connector.logs import configure_logs

COMMANDS = {
    "demo": "demo",
    "run": "service",
    "worker": "service",
    "migrate": "service",
    "check": "checks",
    "sandbox": "service",
    "crm": "crm",
    "mappings": "mappings",
    "replay": "mappings",
    "suggest": "suggestions",
    "suggestions": "suggestions",
    "consent": "consent",
    "ledger": "consent",
    "deliveries": "shelves",
    "outbox": "shelves",
    "user": "people",
    "key": "people",
}
"""Each command and the module under ``connector.commands`` that has it, in the order of the help."""


INTERRUPTED = 130
"""The exit code of a command that was stopped by Ctrl-C, as shells have it."""


class Family(click.Group):
    """The commands by name, imported one by one: `connector check` can speak where another's imports would fail."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Every command, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, or None."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        found: click.Command = getattr(import_module(f"connector.commands.{module}"), cmd_name)
        return found

    def invoke(self, ctx: click.Context) -> Any:
        """Carries the command out; Ctrl-C ends it without a traceback."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, click.Abort):
            click.echo("Stopped.", err=True)
            ctx.exit(INTERRUPTED)

    def main(self, *args: Any, **extra: Any) -> Any:
        """Runs the command line; a file or an output that cannot be had is told in a sentence."""
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if error.strerror is None:  # a library's own, not the system's
                raise
            if error.filename is None:  # what is left in the buffer would fail again at the end
                sys.stdout = io.StringIO()
            where = error.filename or "The output"
            click.echo(
                f"{where} cannot be read or written ({error.strerror}): free space, or give this user access, then "
                "start this again.",
                err=True,
            )
            sys.exit(1)


@click.group(cls=Family, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="social-crm-connector", prog_name="connector")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Social customer service cases in Salesforce, linked to contacts only by recorded consent."""
    # What a command prints is its answer, perhaps for a script to read; `run` and `worker` tell more, on stderr too.
    configure_logs(quiet=True)
    ctx.call_on_close(structlog.reset_defaults)
