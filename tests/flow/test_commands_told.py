"""What commands say is so: nothing is called done before it is, no fault is a sender's, and every sentence ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from connector.demo.place import Place, open_place
from connector.domain.events import format_time
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.unit_of_work import open_store
from tests.conftest import FakeClock
from tests.flow.consenting import ADA, desk_on
from tests.flow.test_commands import NOWHERE, Terminal
from tests.suggestion_base import person

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = open_place(tmp_path / "data")
    found.write_config(crm_url=NOWHERE, public_url="http://127.0.0.1:8080")
    return found


@pytest.fixture
def terminal(place: Place) -> Terminal:
    return Terminal(place.config)


def test_migrations_that_were_not_kept_are_not_called_applied(terminal: Terminal) -> None:
    """They are one transaction: on a full disk none is kept, however many went through."""

    def full(_connection: object) -> None:
        raise OperationalError("COMMIT", {}, Exception("database or disk is full"))

    event.listen(Engine, "commit", full)
    try:
        failed = terminal("migrate")
    finally:
        event.remove(Engine, "commit", full)
    assert (failed.exit_code, "disk is full" in failed.stderr, "Applied" in failed.stderr) == (1, True, False)
    assert terminal("migrate").stderr.startswith("Applied 0001.\nApplied 0002.\n")


def test_check_tells_a_person_of_the_stores_faults(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECTOR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    answer = terminal("check", "--offline")
    assert answer.exit_code == 1
    assert "check CONNECTOR_DATABASE_URL; then start this again." in answer.stdout
    assert "send again" not in answer.stdout


def test_an_index_of_another_release_is_told_by_migrate_and_check_until_it_is_built_anew(
    place: Place, terminal: Terminal
) -> None:
    terminal("migrate")
    cure = "run `connector suggestions rebuild`"
    assert cure not in terminal("check", "--offline").stdout
    store = open_store(f"sqlite:///{place.folder / 'connector.db'}")
    with store.begin() as uow:
        SqlSuggestionIndex(uow.connection).upsert([person("ann", "Annika", "Thorvaldsen")])
        uow.connection.execute(text("UPDATE suggestion_state SET value = value - 1 WHERE name = 'version'"))
    store.close()
    assert cure in terminal("migrate").stderr
    assert any(cure in line for line in terminal("check", "--offline").stdout.splitlines() if "PROBLEM store" in line)
    assert terminal("suggestions", "rebuild").exit_code == 0
    assert cure not in terminal("migrate").stderr + terminal("check", "--offline").stdout


def test_every_finding_of_check_is_a_sentence(terminal: Terminal) -> None:
    lines = terminal("check").stdout.splitlines()
    assert len(lines) > 10
    assert [line for line in lines if not line.endswith((".", '"…"'))] == []


def test_preview_tells_times_as_the_api_does(place: Place, terminal: Terminal, clock: FakeClock) -> None:
    terminal("migrate")
    store = open_store(f"sqlite:///{place.folder / 'connector.db'}")
    account = desk_on(store, clock).account("grace_p")
    store.close()
    told = json.loads(terminal("consent", "preview", "--contact", ADA, "--profile", account).stdout)
    at = format_time(clock())
    assert [told[name] for name in ("cases", "interactions")] == [1, 1]
    assert {told["first_at"], told["last_at"], told["shares"][0]["first_at"], told["shares"][0]["last_at"]} == {at}


@pytest.mark.parametrize(
    "name", ["social_case/message_created__batch_with_bad_item", "telegram/message__bad_item_without_author"]
)
def test_mappings_try_makes_the_file_that_stands_beside_a_fixture(terminal: Terminal, name: str) -> None:
    body = FIXTURES / f"{name}.json"
    accounts = [
        word for each in json.loads((body.parent / "accounts.json").read_bytes()) for word in ("--account", each)
    ]
    answer = terminal("mappings", "try", body.parent.name, str(body), "--expected", *accounts)
    assert answer.exit_code == 0
    assert json.loads(answer.stdout) == json.loads((FIXTURES / f"{name}.expected.json").read_bytes())


def test_the_wording_of_a_network_nobody_knows_is_wrong_input(terminal: Terminal) -> None:
    terminal("migrate")
    answer = terminal("consent", "wording", "--channel", "social", "--network", "nope")
    assert answer.exit_code == 2
    assert "channels.yml" in answer.stderr
    known = [terminal("consent", "wording", "--channel", "social", "--network", name) for name in ("x", "twitter")]
    assert known[0].output == known[1].output
