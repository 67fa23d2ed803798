"""Writes docs/cli.md from the commands themselves: ``python -m tests.repo.reference``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from connector.cli import main

PLACE = Path(__file__).resolve().parents[2] / "docs" / "cli.md"
HEAD = """# Commands

Written from the commands themselves (`python -m tests.repo.reference`); `connector COMMAND --help` says the same.
Exit codes: 0 fine, 1 found problems, 2 wrong usage or input, 130 stopped by Ctrl-C (0 where that is how it is meant to
end: `run`, `worker`, `sandbox`, `demo` once it serves). Errors go to stderr, in a sentence with the cure.
"""


def text() -> str:
    """The whole document."""
    return HEAD + "".join(_section(path, command) for path, command in walk(main, "connector"))


def walk(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its path, in the order of the help."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, info_name=path)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None:
            yield from walk(found, f"{path} {name}")


def _section(path: str, command: click.Command) -> str:
    context = click.Context(command, info_name=path)
    usage = " ".join(command.collect_usage_pieces(context))
    options = [record for param in command.get_params(context) if (record := param.get_help_record(context))]
    lines = [f"\n## `{path} {usage}`\n", f"{(command.help or '').strip()}\n"]
    rows = [(names, words) for names, words in options if "--help" not in names]
    if rows:
        lines += ["| option | |", "|---|---|"]
        lines += [f"| `{names}` | {words.replace('|', '/')} |" for names, words in rows]
    return "\n".join(lines) + ("\n" if rows else "")


if __name__ == "__main__":
    PLACE.write_text(text(), encoding="utf-8")
