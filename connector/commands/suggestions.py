"""``connector suggest`` and ``connector suggestions``: who may be behind a handle; and the index of contacts."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.progress import MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn

from connector.commands.console import existing, progress, speaks_plainly
from connector.commands.place import here
from connector.errors import SettingsInvalid
from connector.settings import LEAST_SHARE, read_settings


@click.command()
@click.option("--contacts", required=True, type=click.Path(path_type=Path), help="CSV of contacts.")
@click.option("--profiles", required=True, type=click.Path(path_type=Path), help="JSON lines of profiles.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="JSON lines to write, one per profile.")
@click.option("--limit", default=5, show_default=True, type=click.IntRange(1, 50), help="Candidates per profile.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 256), help="Processes to use.")
@click.option(
    "--known-share",
    type=click.FloatRange(LEAST_SHARE, 1 - LEAST_SHARE),
    help="Share of the profiles whose owner is among the contacts; the setting suggestions_known_share otherwise.",
)
@speaks_plainly
def suggest(contacts: Path, profiles: Path, out: Path, limit: int, processes: int, known_share: float | None) -> None:
    """Score profiles against contacts, offline; the same code the service uses. It never links anything."""
    from connector.bulk_suggest import suggest_files

    existing(str(contacts))
    existing(str(profiles))
    share = _known_share() if known_share is None else known_share
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with progress(*columns) as bar:
        tasks: dict[str, TaskID] = {}

        def tell(stage: str, done: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=None)
            bar.update(tasks[stage], completed=done)

        summary = suggest_files(
            contacts,
            profiles,
            out,
            limit,
            progress=tell,
            on_problem=lambda sentence: click.echo(sentence, err=True),
            processes=min(processes, os.cpu_count() or 1),
            known_share=share,
        )
    click.echo(
        f"{summary.profiles} profiles answered, {summary.suggested} of them with a candidate, from {summary.contacts} "
        f"contacts; {summary.skipped} rows skipped.",
        err=True,
    )


def _known_share() -> float | None:
    """The configured share; nothing else that is set matters to who scores files."""
    settings, problems = read_settings()
    wrong = [each for each in problems if "suggestions_known_share" in each.where.lower()]
    if wrong:
        raise SettingsInvalid(wrong)
    return settings.known_share


@click.group()
def suggestions() -> None:
    """The index that suggestions are found by."""


@suggestions.command("rebuild")
@click.option("--processes", default=2, show_default=True, type=click.IntRange(1, 8), help="Processes to use.")
@speaks_plainly
def rebuild(processes: int) -> None:
    """Build the index anew from the contacts in the store: after an upgrade that says so."""
    from connector.flows.contact_index import rebuild_index

    with (
        here() as ctx,
        progress(TextColumn("{task.description}"), MofNCompleteColumn()) as bar,
    ):
        task = bar.add_task("Indexing contacts", total=None)
        count = rebuild_index(ctx, lambda done: bar.update(task, completed=done), processes)
    click.echo(f"{count} contacts are in the index.")
