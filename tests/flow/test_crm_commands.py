"""``connector crm`` and ``connector check`` beside a real (local) org: what they do to it, and what they say of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connector.demo.place import CLIENT_ID, Place, open_place
from sandbox.org import Config
from sandbox.schema import Field
from sandbox.server import SandboxServer
from tests.flow.test_commands import Terminal


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return open_place(tmp_path / "data")


@pytest.fixture
def server(place: Place) -> Iterator[SandboxServer]:
    """An org as new: nothing is deployed in it."""
    with SandboxServer(config=Config(client_id=CLIENT_ID, client_secret=place.secret("crm_client_secret"))) as org:
        yield org


@pytest.fixture
def terminal(place: Place, server: SandboxServer) -> Terminal:
    shell = Terminal(place.write_config(crm_url=server.url, public_url="http://127.0.0.1:8080"))
    assert shell("migrate").exit_code == 0
    return shell


def test_a_dry_run_tells_what_would_be_made_and_makes_nothing(terminal: Terminal, server: SandboxServer) -> None:
    answer = terminal("crm", "install", "--dry-run")
    assert answer.exit_code == 0
    assert "CustomObject Social_Profile__c: would be created" in answer.stdout
    assert "would be in the org" in answer.stderr
    assert server.org.schema.find("Social_Profile__c") is None


def test_a_second_installation_changes_nothing(terminal: Terminal, server: SandboxServer) -> None:
    first = terminal("crm", "install")
    schema = server.org.schema.objects
    second = terminal("crm", "install")
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert {line.rpartition(": ")[2] for line in first.stdout.splitlines()} == {"created"}
    assert {line.rpartition(": ")[2] for line in second.stdout.splitlines()} == {"unchanged"}
    assert server.org.schema.objects == schema


def test_a_production_org_takes_the_package_too(terminal: Terminal, server: SandboxServer) -> None:
    with server.org.db.transaction():
        server.org.db.run("UPDATE Organization SET IsSandbox = 0")
    assert terminal("crm", "install", "--dry-run").exit_code == 0
    assert terminal("crm", "install").exit_code == 0
    assert server.org.schema.find("Social_Profile__c") is not None


def test_an_org_that_has_a_field_of_ours_as_another_kind_tells_which_and_stays_as_it_was(
    terminal: Terminal, server: SandboxServer
) -> None:
    _with(server, "Case", "Channel__c", type="string", length=80)
    answer = terminal("crm", "install")
    assert answer.exit_code == 1
    assert "changed nothing: CustomField Case.Channel__c" in answer.stderr
    assert server.org.schema.find("Social_Profile__c") is None


def test_an_org_that_has_half_of_the_package_gets_the_other_half(terminal: Terminal, server: SandboxServer) -> None:
    terminal("crm", "install")
    schema = server.org.schema
    case = schema.objects["Case"]
    schema.put(replace(case, fields={name: each for name, each in case.fields.items() if name != "Network__c"}))
    assert "PROBLEM" in terminal("check").stdout
    assert terminal("crm", "install").exit_code == 0
    assert "Network__c" in schema.objects["Case"].fields


def test_check_finds_an_installed_org_in_order(terminal: Terminal) -> None:
    terminal("crm", "install")
    answer = terminal("check")
    assert (answer.exit_code, "PROBLEM" in answer.stdout) == (0, False)
    read = [line for line in answer.stdout.splitlines() if "CRM reading" in line and "fields can be read" in line]
    assert len(read) == 8


def _nothing(_place: Place, _server: SandboxServer) -> None:
    """As it is: an org without the package."""


def _wrong_secret(place: Place, server: SandboxServer) -> None:
    server.org.config = replace(server.org.config, client_secret="another")


def _unknown_app(place: Place, server: SandboxServer) -> None:
    server.org.config = replace(server.org.config, client_id="another")


def _user_without_access(place: Place, server: SandboxServer) -> None:
    with server.org.db.transaction():
        server.org.db.run("UPDATE User SET IsActive = 0")


def _no_calls_left(place: Place, server: SandboxServer) -> None:
    server.org.faults.load({"rules": [{"fault": "limit_exceeded"}]})


def _maintenance(place: Place, server: SandboxServer) -> None:
    server.org.faults.load({"rules": [{"fault": "html"}]})


def _unreachable(place: Place, server: SandboxServer) -> None:
    place.write_config(crm_url="http://127.0.0.1:9", public_url="http://127.0.0.1:8080")


@pytest.mark.parametrize(
    ("wrong", "words", "cure"),
    [
        (_nothing, "CRM object Social_Profile__c: the org has no such object", "Run `connector crm install`"),
        (_nothing, "CRM reading Case: the run-as user does not see Connector_Key__c", "Cross_Channel_Integration"),
        (_wrong_secret, "refused the login", "CONNECTOR_CRM_CLIENT_SECRET"),
        (_unknown_app, "refused the login", "CONNECTOR_CRM_CLIENT_ID"),
        (_user_without_access, "refused the login", "run-as user"),
        (_no_calls_left, "API limit is reached", "buy calls"),
        (_maintenance, "busy or away (503)", "status.salesforce.com"),
        (_unreachable, "did not answer", "CONNECTOR_CRM_URL"),
    ],
)
def test_check_names_what_is_wrong_with_the_org_and_the_cure(
    terminal: Terminal, place: Place, server: SandboxServer, wrong: Callable[[Place, SandboxServer], None], words: str,
    cure: str,
) -> None:  # fmt: skip
    wrong(place, server)
    answer = terminal("check")
    assert answer.exit_code == 1
    assert any(words in line and cure in line for line in answer.stdout.splitlines()), answer.stdout
    assert "Traceback" not in answer.output


def _with(server: SandboxServer, obj: str, name: str, **changed: Any) -> None:
    item = server.org.schema.objects[obj]
    before = item.fields.get(name) or Field(name, "string", name, 80, custom=True)
    server.org.schema.put(item.with_fields(replace(before, **changed)))


@pytest.mark.parametrize(
    ("obj", "field", "changed", "words", "cure"),
    [
        ("Case", "Status", {"values": ("Open", "Closed")}, "Status has no value New", "salesforce.yml: Open, Closed."),
        ("Case", "Priority", {"values": ("P1", "P2")}, "Priority has no value Medium", "salesforce.yml: P1, P2."),
        ("Case", "Origin", {"values": ("Phone",)}, "Origin has no value Email, Web", "in the org's setup"),
        ("Social_Profile__c", "Network__c", {"values": ("x", "other")}, "has no value amazon", "connector crm install"),
        ("Case", "Region__c", {"required": True}, "needs Region__c", "default value"),
        ("Social_Profile__c", "Handle__c", {"length": 80}, "Handle__c takes 80 letters", "Write 80 for it"),
    ],
)
def test_check_foretells_what_the_org_would_refuse_of_every_record(
    terminal: Terminal, server: SandboxServer, obj: str, field: str, changed: dict[str, Any], words: str, cure: str
) -> None:
    terminal("crm", "install")
    _with(server, obj, field, **changed)
    answer = terminal("check")
    assert answer.exit_code == 1
    told = [line for line in answer.stdout.splitlines() if line.startswith("PROBLEM")]
    assert len(told) == 1, answer.stdout
    assert f"CRM object {obj}" in told[0]
    assert words in told[0]
    assert cure in told[0]


@pytest.mark.parametrize("wrong", [_nothing, _wrong_secret, _maintenance, _unreachable])
def test_a_reading_that_cannot_be_ends_in_a_sentence(
    terminal: Terminal, place: Place, server: SandboxServer, wrong: Callable[[Place, SandboxServer], None]
) -> None:
    wrong(place, server)
    answer = terminal("crm", "sync")
    assert answer.exit_code == 1
    assert len(answer.stderr.strip().splitlines()) == 1
    assert "Traceback" not in answer.output


def test_a_reading_tells_what_it_changed(terminal: Terminal) -> None:
    terminal("crm", "install")
    told = json.loads(terminal("crm", "sync", "--json").stdout)
    assert (told["users"], told["contacts"], told["is_busy"]) == (2, 0, False)
    again = terminal("crm", "sync", "--full")
    assert again.exit_code == 0
    assert "users          0" in again.stdout
