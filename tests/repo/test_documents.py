"""The documents tell the truth: settings, commands, links and the README's size."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from connector.settings import PLAIN, SOURCE_KEYS
from tests.repo import reference

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"(?<![/\w.])((?:docs|connector|mappings|migrations|bench|salesforce|sandbox|tests)/[\w./-]+\w)")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "bench").glob("*.md")])


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    missing = [name for name in (*PLAIN, *SOURCE_KEYS) if f"`{name}`" not in text]
    assert missing == []


def test_every_documented_setting_exists() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    assert named - set(PLAIN) - SOURCE_KEYS == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    named = set(NAMED.findall(text))
    missing = [name for name in sorted(named) if not exists(name)]
    assert missing == []


def exists(name: str) -> bool:
    return (ROOT / name).exists() or (ROOT / f"{name}.py").exists()


def test_the_readme_is_short_and_names_its_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) <= 600
    assert "make demo" in text
    assert "make test" in text


def test_the_commands_are_documented_as_they_are() -> None:
    assert reference.PLACE.read_text(encoding="utf-8") == reference.text()


def test_no_tracked_file_names_a_path_of_the_machine_it_was_made_on() -> None:
    found = subprocess.run(
        ["git", "grep", "-lIF", f"{ROOT.parent}/"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.stdout.split() == []
