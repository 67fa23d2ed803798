"""The ``connector`` command. Its families live in ``connector.commands``; each is imported when it is called."""

from __future__ import annotations

from importlib import import_module

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


@click.group(cls=Family, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="social-crm-connector", prog_name="connector")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Social customer service cases in Salesforce, linked to contacts only by recorded consent."""
    # What a command prints is its answer, perhaps for a script to read; `run` and `worker` tell more, on stderr too.
    configure_logs(quiet=True)
    ctx.call_on_close(structlog.reset_defaults)
