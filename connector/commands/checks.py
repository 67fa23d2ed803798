"""``connector check``: everything that could keep this installation from working, all at once, each with its cure."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from connector.commands.console import FOUND_PROBLEMS, fail, print_json, speaks_plainly, to_a_person
from connector.composition import Rules, build_crm, build_sources, load_rules
from connector.errors import ConnectorError, MappingInvalid, Problem, SettingsInvalid, StoreBusy
from connector.flows.contact_index import index_problem
from connector.flows.sources import Source
from connector.settings import Settings, is_loopback, read_settings
from connector.store.migrate import schema_problem
from connector.store.unit_of_work import open_store, sqlite_file

OWN_IDS = {"mastodon": "servers", "telegram": "bots", "viber": "bots"}
"""Networks whose ids are unique only within a bot or a server, and whose deliveries do not tell which it is."""

ACCESS = "Give this user read and write access to the data directory."
LEAST_FREE_BYTES = 500 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is fine, what was seen, and the cure where it is not."""

    area: str
    ok: bool
    seen: str
    cure: str = ""


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option("--offline", is_flag=True, help="Leave the CRM out.")
@speaks_plainly
def check(as_json: bool, offline: bool) -> None:
    """Look at settings, mappings, store and CRM: every problem at once, with its cure."""
    found = list(examine(offline=offline))
    bad = [each for each in found if not each.ok]
    if as_json:
        print_json({"ok": not bad, "findings": [asdict(each) for each in found]})
    else:
        for each in found:
            mark = "ok     " if each.ok else "PROBLEM"
            click.echo(f"{mark} {each.area:<9} {_sentence(each.seen)}{' ' + each.cure if each.cure else ''}")
    if bad:
        fail(f"{len(bad)} problem{'s' if len(bad) > 1 else ''} to cure.", FOUND_PROBLEMS)


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."


def examine(*, offline: bool = False) -> Iterator[Finding]:
    """Every finding, in the order a person would cure them."""
    settings, problems = read_settings()
    yield from (_problem("settings", each) for each in problems)
    wrong = Wrong(problems)
    if wrong.whole_file:
        return
    yield from _settings(settings, wrong)
    if not wrong.has("mappings_dir"):
        yield from _guarded("mappings", lambda: _mappings(settings, wrong))
    if not wrong.has("database_url", "data_dir"):
        yield from _guarded("store", lambda: _store(settings))
    if not (offline or wrong.has("crm_")):
        yield from _guarded("crm", lambda: _crm(settings))


class Wrong:
    """Which settings are wrong: what they name need not be looked at, all else still is."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        places = [each.where.rpartition(": ") for each in problems]
        self.whole_file = any(not file and not name.startswith("CONNECTOR_") for file, _, name in places)
        self.whole_file |= any(name == "CONNECTOR_CONFIG" for _, _, name in places)
        self._names = tuple(name.lower().removeprefix("connector_") for _, _, name in places)

    def __bool__(self) -> bool:
        return bool(self._names)

    def has(self, *starts: str) -> bool:
        """Whether one of the wrong settings begins so."""
        return any(name.startswith(starts) for name in self._names)


def _guarded(area: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except (MappingInvalid, SettingsInvalid) as error:
        yield from (_problem(area, each) for each in error.problems)
    except StoreBusy as error:
        yield Finding(area, False, to_a_person(error))
    except ConnectorError as error:
        yield Finding(area, False, error.message)


def _problem(area: str, problem: Problem) -> Finding:
    return Finding(area, False, f"{problem.where}: {problem.what}", problem.cure)


def _settings(settings: Settings, wrong: Wrong) -> Iterator[Finding]:
    if settings.secret_key and not wrong:
        yield Finding("settings", True, f"read; data in {settings.data_dir}, zone {settings.timezone}.")
    elif not settings.secret_key and not wrong.has("secret_key"):
        yield Finding(
            "settings",
            False,
            "CONNECTOR_SECRET_KEY is not set: sessions and evidence need it.",
            "`openssl rand -hex 32`.",
        )
    if not settings.company and not wrong.has("company"):
        yield Finding(
            "settings", False, "CONNECTOR_COMPANY is not set: consent wordings name the company.", 'Set company = "…".'
        )
    if wrong.has("public_url"):
        return
    if is_loopback(settings.public_url):
        if settings.sources and not is_loopback(settings.crm.url):
            yield Finding(
                "settings", False, f"CONNECTOR_PUBLIC_URL is {settings.public_url}: no provider can reach it.",
                "Give the address behind your TLS proxy.",
            )  # fmt: skip
    elif settings.public_url.startswith("http://"):
        yield Finding(
            "settings", False, f"CONNECTOR_PUBLIC_URL is {settings.public_url}: passwords would travel in the clear.",
            "Put a TLS proxy in front and give its https address.",
        )  # fmt: skip


def _mappings(settings: Settings, wrong: Wrong) -> Iterator[Finding]:
    rules = load_rules(settings)
    yield Finding(
        "mappings", True, f"{len(rules.mappings)} senders known, {len(rules.consent.notices)} consent wordings."
    )
    if not wrong.has("sources"):
        yield from _guarded("sources", lambda: _sources(settings, rules))


def _sources(settings: Settings, rules: Rules) -> Iterator[Finding]:
    sources = build_sources(settings, rules)
    if not sources:
        yield Finding(
            "sources", False, "No source is configured.", "Add [sources.NAME] to connector.toml (docs/settings.md)."
        )
    yield from _mixed_ids(sources)
    for name, source in sources.items():
        yield Finding("sources", True, f"{name}: paste {source.address(settings.public_url)} at the provider.")
        if source.mapping.handshake == "meta" and not source.verify_token:
            yield Finding(
                "sources", False, f"{name}: verify_token is not set, so the provider's challenge is refused.",
                "Choose one, and give the same on the provider's page.",
            )  # fmt: skip
        if source.mapping.handshake == "websub" and not source.topics:
            yield Finding(
                "sources", False, f"{name}: topics is empty, so no subscription is confirmed.",
                "List the feed addresses you subscribe to.",
            )  # fmt: skip


def _mixed_ids(sources: Mapping[str, Source]) -> Iterator[Finding]:
    for network in sorted(OWN_IDS):
        alike = [name for name, each in sources.items() if each.mapping.network == network and not each.scope]
        if len(alike) > 1:
            yield Finding(
                "sources", False,
                f"{', '.join(alike)}: none of these {network} sources has a scope, so equal ids of two "
                f"{OWN_IDS[network]} would be taken for one.",
                f"Set scope = \"…\" under [sources.{alike[1]}], before its first delivery (docs/settings.md).",
            )  # fmt: skip


def _store(settings: Settings) -> Iterator[Finding]:
    file = sqlite_file(settings.database_url)
    if file is not None:
        fault = _file_problem(file)
        if fault is not None:
            yield fault
            return
    store = open_store(settings.database_url)
    try:
        problem = schema_problem(store)
        outdated = None if problem else index_problem(store)
    finally:
        store.close()
    yield Finding("store", problem is None, problem or "reachable, and at this release's schema.")
    if outdated:
        yield Finding("store", False, outdated)
    if settings.database_url.startswith("sqlite") and settings.data_dir.is_dir():
        free = shutil.disk_usage(settings.data_dir).free
        yield Finding(
            "store", free >= LEAST_FREE_BYTES, f"{free // 2**20:,} MiB free in the data folder.",
            "" if free >= LEAST_FREE_BYTES else "Free space: at zero, senders get 503 and send again later.",
        )  # fmt: skip


def _file_problem(file: Path) -> Finding | None:
    try:
        there = file.exists()
    except OSError as error:
        return Finding("store", False, f"{file} cannot be looked at: {error.strerror}.", ACCESS)
    if not there:
        return Finding("store", False, f"There is no store at {file} yet.", "Run `connector migrate`.")
    refused = [str(each) for each in (file.parent, file) if not os.access(each, os.W_OK)]
    return Finding("store", False, f"{' and '.join(refused)} cannot be written.", ACCESS) if refused else None


def _crm(settings: Settings) -> Iterator[Finding]:
    gateway = build_crm(settings)
    if gateway is None:
        yield Finding(
            "crm",
            False,
            "CONNECTOR_CRM_URL is not set: writes wait in the outbox.",
            "Give the org's My Domain address.",
        )
        return
    for each in gateway.check():
        yield Finding("crm", each.ok, f"{each.name}: {each.detail}", "" if each.ok else each.cure)
