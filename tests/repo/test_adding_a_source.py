"""docs/adding-a-source.md tells the truth: its example runs, and it names all that the language has."""

from __future__ import annotations

import json
import re

import pytest

from connector.domain.channels import Kind
from connector.mapping.bodies import BODY_FORMATS
from connector.mapping.channels import load_channels
from connector.mapping.conditions import TESTS
from connector.mapping.fields import FIELDS
from connector.mapping.handshakes import GET_HANDSHAKES, POST_HANDSHAKES
from connector.mapping.loader import KEYS, load_mappings, parse_mapping
from connector.mapping.rules import GROUP_KEYS, RULE_KEYS
from connector.mapping.schemes import schemes
from connector.mapping.specs import SOURCES
from connector.mapping.times import FORMATS
from connector.mapping.transforms import PLAIN, WITH_TEXT
from tests.corpus import ROOT
from tests.unit.test_mapping_fixtures import compact

TEXT = (ROOT / "docs" / "adding-a-source.md").read_text("utf-8")
WORDS = set(re.findall(r"[a-z0-9_]+", TEXT))


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", TEXT, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_example_mapping_makes_the_events_that_the_page_shows() -> None:
    channels = load_channels(ROOT / "mappings" / "channels.yml")
    result = parse_mapping("tea_talk", example("mapping").encode(), channels).normalise(example("body").encode())
    expected = json.loads(example("result"))
    assert [compact(event.as_dict()) for event in result.events] == expected["events"]
    assert [{"path": each.path, "code": each.code} for each in result.failures] == expected["failures"]


def test_the_generic_social_case_of_the_page_is_taken() -> None:
    body = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[-1]
    result = load_mappings(ROOT / "mappings")["social_case"].normalise(body.encode())
    assert result.failures == []
    assert [(event.kind, event.network, event.text) for event in result.events] == [
        ("comment", "instagram", "the box was wet")
    ]


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("keys of a file", KEYS),
        ("keys of a group", GROUP_KEYS),
        ("keys of a rule", RULE_KEYS),
        ("forms of a value", SOURCES),
        ("transforms", [*PLAIN, *WITH_TEXT]),
        ("times", FORMATS),
        ("conditions", TESTS),
        ("fields", {part for name in FIELDS for part in name.split(".")}),
        ("kinds", [each.value for each in Kind]),
        ("bodies", BODY_FORMATS),
        ("handshakes", [*GET_HANDSHAKES, *POST_HANDSHAKES]),
        ("schemes", [*schemes().known, *schemes().refused]),
    ],
)
def test_the_page_names_everything_the_language_has(what: str, names: list[str]) -> None:
    assert sorted(set(names) - WORDS) == [], what
