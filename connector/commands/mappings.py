"""``connector mappings`` and ``connector replay``: lint mapping files, try a payload, send a fixture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import orjson

from connector.commands.console import (
    FOUND_PROBLEMS,
    WRONG_INPUT,
    contents,
    existing,
    fail,
    print_lines,
    speaks_plainly,
)
from connector.errors import SettingsInvalid
from connector.flows.sources import Source
from connector.settings import default_mappings_dir, is_web_address, load_settings

COMPANIONS = (".expected.json", ".headers.json", "accounts.json")
"""What stands beside the payloads in a folder of fixtures (docs/adding-a-source.md)."""


@click.group()
def mappings() -> None:
    """Mapping files: one YAML file teaches the connector a sender."""


@mappings.command("check")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@speaks_plainly
def check(paths: tuple[Path, ...]) -> None:
    """Lint mapping files; all problems at once, each with file, line and cure."""
    from connector.mapping.lint import check_mappings, mapping_files

    for path in paths:
        if not mapping_files(existing(str(path))):
            fail(f"{path} holds no mapping file: give a *.yml file, or a folder of them.", WRONG_INPUT)
    problems = check_mappings(paths or (_folder(),), default_mappings_dir())
    for problem in problems:
        click.echo(str(problem))
    if problems:
        fail(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} to cure.", FOUND_PROBLEMS)
    click.echo("The mapping files are fine.")


@mappings.command("try")
@click.argument("source")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--headers",
    "headers_file",
    type=click.Path(path_type=Path),
    help="A JSON object of request headers; FILE's .headers.json beside it, where there is one.",
)
@click.option(
    "--account", "accounts", multiple=True, help="The brand's own account id, so that its own posts are outbound."
)
@click.option("--expected", is_flag=True, help="Print what belongs into the .expected.json beside a fixture instead.")
@speaks_plainly
def try_file(source: str, file: Path, headers_file: Path | None, accounts: tuple[str, ...], expected: bool) -> None:
    """Print the normal events of one payload, one JSON object a line."""
    from connector.mapping.loader import load_mappings
    from connector.mapping.tryout import content_type_of, expected_of, try_payload

    known = load_mappings(_folder())
    if source not in known:
        fail(f"There is no mapping {source}: use one of {', '.join(sorted(known))}.", WRONG_INPUT)
    headers = {"content-type": content_type_of(file), **_headers(headers_file or _beside(file))}
    tried = try_payload(known[source], contents(file), headers, accounts)
    if expected:
        click.echo(orjson.dumps(expected_of(tried), option=orjson.OPT_INDENT_2).decode())
        return
    print_lines(tried.events)
    for failure in tried.failures:
        click.echo(f"{failure.path}: {failure.reason} {failure.cure}", err=True)
    if tried.failures:
        fail(f"{len(tried.failures)} of {len(tried.failures) + len(tried.events)} items would be shelved.", WRONG_INPUT)


def _headers(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        value = orjson.loads(contents(file))
    except orjson.JSONDecodeError as error:
        fail(f"{file} is not JSON: {error}. Write one object of header names and values.", WRONG_INPUT)
    if not isinstance(value, dict):
        fail(f"{file} holds no JSON object: write header names and values.", WRONG_INPUT)
    return {str(name): str(text) for name, text in value.items()}


def _beside(fixture: Path) -> Path | None:
    """The headers that stand beside a fixture, where there are some."""
    found = fixture.parent / f"{fixture.name.rpartition('.')[0]}.headers.json"
    return found if found.is_file() else None


def _payloads(files: Sequence[Path]) -> list[Path]:
    """The files that are payloads: a folder's others say what becomes of them, and with which headers they came."""
    found = [each for each in files if not each.name.endswith(COMPANIONS)]
    if not found:
        fail("None of these is a payload: name the fixture, not what stands beside it.", WRONG_INPUT)
    return found


def _folder() -> Path:
    """The configured mappings; other settings may be wrong without harm to a look at a mapping."""
    try:
        return load_settings().mappings_dir
    except SettingsInvalid as error:
        if any("mappings_dir" in each.where.lower() for each in error.problems):
            raise
        return default_mappings_dir()


def _sender(sources: Mapping[str, Source], named: str | None, fixture: Path) -> Source:
    name = named or fixture.resolve().parent.name
    if name not in sources:
        wrong = f"There is no source {name}" if named else f"No source is named like the folder of {fixture}"
        fail(f"{wrong}: name one of {', '.join(sorted(sources))} with --source.", WRONG_INPUT)
    return sources[name]


@click.command()
@click.argument("fixtures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--source", help="The source to send as, whose secret signs; else the one named like the file's folder.")
@click.option("--url", help="Where the server listens, if not at the configured public URL.")
@click.option(
    "--headers",
    "headers_file",
    type=click.Path(path_type=Path),
    help="A JSON object of more request headers; a fixture's .headers.json beside it, where there is one.",
)
@speaks_plainly
def replay(fixtures: tuple[Path, ...], source: str | None, url: str | None, headers_file: Path | None) -> None:
    """Sign fixture payloads as their provider would, and post them to a running server.

    A whole folder may be named (FOLDER/*): what stands beside a payload is not sent.
    """
    import requests

    from connector.commands.place import here
    from connector.demo.posting import post, signed_request
    from connector.mapping.tryout import content_type_of

    with here() as ctx:
        payloads = [existing(str(each)) for each in _payloads(fixtures)]
        senders = [_sender(ctx.sources, source, each) for each in payloads]
        base, refused = url or ctx.public_url, 0
        if not is_web_address(base):
            fail(f"--url {base} is no web address: write http://HOST:PORT.", WRONG_INPUT)
        with requests.Session() as session:
            for fixture, sender in zip(payloads, senders, strict=True):
                headers = _headers(headers_file or _beside(fixture))
                kind = content_type_of(fixture) or "application/json"
                body = contents(fixture)
                signed = signed_request(sender, ctx.public_url, body, kind, ctx.clock(), fixture.stem)
                try:
                    answer = post(session, base.rstrip("/"), ctx.public_url, signed, kind, headers)
                except requests.RequestException:
                    fail(
                        f"Nobody answers at {base}: start `connector run`, or give its address with --url.",
                        FOUND_PROBLEMS,
                    )
                click.echo(f"{answer.status_code} {fixture}")
                refused += answer.status_code >= 300
    if refused:
        fail(f"{refused} of {len(payloads)} were refused.", FOUND_PROBLEMS)
