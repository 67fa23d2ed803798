"""Exactly one module knows each outside library that could be another one day."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
KNOWN_BY = {
    "a2wsgi": "connector/web/front.py",
    "alembic": "connector/store/migrate.py",
    "anyascii": "connector/domain/matching/folding.py",
    "argon2": "connector/flows/people.py",
    "email_validator": "connector/domain/identifiers.py",
    "feedparser": "connector/mapping/bodies.py",
    "jmespath": "connector/mapping/paths.py",
    "lxml": "connector/crm/package.py",
    "nicknames": "connector/domain/matching/nicks.py",
    "phonenumbers": "connector/domain/identifiers.py",
    "rapidfuzz": "connector/domain/matching/similarity.py",
    "simple_salesforce": "connector/crm/salesforce.py",
}


CALLS_OUT = {
    "connector/commands/mappings.py",  # `replay` posts to the operator's own server
    "connector/crm/salesforce.py",
    "connector/crm/wire.py",
    "connector/demo/org.py",
    "connector/demo/posting.py",
    "connector/demo/telling.py",
}
CLIENTS = {"requests", "httpx", "aiohttp"}


def imported(path: Path) -> Iterator[str]:
    """The outermost name of everything a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]


@pytest.fixture(scope="module")
def importers() -> dict[str, set[str]]:
    """Which modules of the service import each library."""
    found: dict[str, set[str]] = {name: set() for name in KNOWN_BY}
    for path in sorted((ROOT / "connector").rglob("*.py")):
        for name in found.keys() & set(imported(path)):
            found[name].add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("library", sorted(KNOWN_BY))
def test_a_library_is_known_to_one_module(importers: dict[str, set[str]], library: str) -> None:
    assert importers[library] == {KNOWN_BY[library]}


def test_nothing_but_the_crm_the_demo_and_replay_calls_anybody() -> None:
    """An address in a payload (an avatar, an attachment, a permalink) is never fetched: it may be one of ours."""
    found = {
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "connector").rglob("*.py"))
        if CLIENTS & set(imported(path))
        or any(name in path.read_text(encoding="utf-8") for name in ("urllib.request", "http.client", "PoolManager"))
    }
    assert found == CALLS_OUT


def test_the_domain_knows_the_standard_library_and_five_others() -> None:
    known = {
        "phonenumbers",
        "email_validator",
        "rapidfuzz",
        "anyascii",
        "nicknames",
        "connector",
    } | sys.stdlib_module_names
    found = {
        (str(path.relative_to(ROOT)), name)
        for path in sorted((ROOT / "connector" / "domain").rglob("*.py"))
        for name in set(imported(path)) - known
    }
    assert found == set()
