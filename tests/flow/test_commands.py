"""The commands as a person meets them: what they print, where errors go, and the exit codes."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import insert
from sqlalchemy.exc import OperationalError

from connector.cli import COMMANDS, main
from connector.demo.place import Place, open_place
from connector.store.outbox import queue
from connector.store.tables import crm_contacts
from connector.store.unit_of_work import Store, as_store_error, open_store
from connector.worker import hold

ROOT = Path(__file__).resolve().parents[2]
NOWHERE = "http://127.0.0.1:9"


@dataclass
class Terminal:
    """A shell with one configuration."""

    config: Path | None = None

    def __call__(self, *words: str, stdin: str = "") -> Result:
        env = {"CONNECTOR_CONFIG": str(self.config) if self.config else None}
        return CliRunner().invoke(main, list(words), input=stdin, env=env, catch_exceptions=False)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    found = open_place(tmp_path / "data")
    found.write_config(crm_url=NOWHERE, public_url="http://127.0.0.1:8080")
    return found


@pytest.fixture
def terminal(place: Place) -> Terminal:
    shell = Terminal(place.config)
    assert shell("migrate").exit_code == 0
    return shell


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str) -> None:
    answer = Terminal()(command, "--help")
    assert answer.exit_code == 0
    assert "Usage:" in answer.stdout


def test_an_unknown_command_is_wrong_usage() -> None:
    assert Terminal()("merge").exit_code == 2


def test_migrate_makes_the_tables_and_the_first_admin(terminal: Terminal) -> None:
    listed = json.loads(terminal("user", "list", "--json").stdout)
    assert [(each["name"], each["role"]) for each in listed] == [("admin", "admin")]
    again = terminal("migrate")
    assert again.exit_code == 0
    assert "Nothing to do" in again.stdout


def test_a_command_before_migrate_names_the_cure(place: Place) -> None:
    answer = Terminal(place.config)("outbox", "list")
    assert answer.exit_code == 1
    assert "connector migrate" in answer.stderr
    assert "Traceback" not in answer.output


def test_check_tells_every_problem_of_the_settings_at_once(tmp_path: Path) -> None:
    config = tmp_path / "connector.toml"
    config.write_text('timezone = "Mars/Olympus"\npublic_url = "nowhere"\ncolour = "blue"\n[sources.x]\nmapping = 5\n')
    answer = Terminal(config)("check")
    assert answer.exit_code == 1
    assert all(word in answer.stdout for word in ("Mars/Olympus", "nowhere", "colour", "sources.x"))
    assert "Traceback" not in answer.output


def test_check_finds_a_source_whose_mapping_does_not_exist(place: Place) -> None:
    place.config.write_text(place.config.read_text().replace('mapping = "telegram"', 'mapping = "telegraf"'))
    answer = Terminal(place.config)("check", "--offline")
    assert answer.exit_code == 1
    assert "telegraf" in answer.stdout


def test_check_says_that_the_crm_does_not_answer(terminal: Terminal) -> None:
    answer = terminal("check", "--json")
    findings = json.loads(answer.stdout)["findings"]
    assert answer.exit_code == 1
    assert [each["area"] for each in findings if not each["ok"]] == ["crm"]


def test_check_prints_the_address_to_paste_for_each_source(terminal: Terminal) -> None:
    assert "http://127.0.0.1:8080/webhooks/whatsapp" in terminal("check", "--offline").stdout


def test_a_key_is_shown_once_and_never_again(terminal: Terminal) -> None:
    token = terminal("key", "add", "warehouse", "--role", "reporter").stdout.strip()
    listed = terminal("key", "list").stdout
    assert token.startswith("cnk_")
    assert token not in listed
    assert token[-4:] in listed


def test_a_short_password_is_refused_with_its_reason(terminal: Terminal) -> None:
    answer = terminal("user", "add", "ana", "--role", "agent", stdin="short\n")
    assert answer.exit_code == 2
    assert "12" in answer.stderr


def test_mappings_try_prints_one_normal_event_a_line(terminal: Terminal) -> None:
    fixture = next((ROOT / "tests" / "fixtures" / "x").glob("post_mention_create__new.json"))
    answer = terminal("mappings", "try", "x", str(fixture))
    event = json.loads(answer.stdout.splitlines()[0])
    assert answer.exit_code == 0
    assert event["network"] == "x"
    assert event["author_role"] == "customer"


def test_mappings_try_tells_where_a_body_breaks(terminal: Terminal, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text('{"data": ')
    answer = terminal("mappings", "try", "x", str(broken))
    assert answer.exit_code == 2
    assert "$" in answer.stderr
    assert "Traceback" not in answer.output


def test_mappings_try_of_an_unknown_sender_lists_the_known_ones(terminal: Terminal) -> None:
    answer = terminal("mappings", "try", "myspace", "README.md")
    assert answer.exit_code == 2
    assert "messenger" in answer.stderr


def test_mappings_check_finds_nothing_wrong_with_the_shipped_ones(terminal: Terminal) -> None:
    assert terminal("mappings", "check").exit_code == 0


@pytest.mark.parametrize("words", [("check", "--offline"), ("run",), ("mappings", "check")])
def test_wrong_mapping_files_of_every_kind_are_told_at_once(
    place: Place, tmp_path: Path, words: tuple[str, ...]
) -> None:
    home = tmp_path / "mappings"
    copytree(ROOT / "mappings", home)
    for name in ("sources/x.yml", "channels.yml", "purposes.yml", "crm/salesforce.yml"):
        (home / name).write_text("colour: blue\n" + (home / name).read_text("utf-8"), "utf-8")
    place.config.write_text(f'mappings_dir = "{home}"\n' + place.config.read_text("utf-8"), "utf-8")
    answer = Terminal(place.config)(*words)
    assert answer.exit_code == 1
    for name in ("channels.yml", "purposes.yml", "salesforce.yml"):
        assert f"{name}:1 colour: The key `colour` is unknown" in answer.output, name


def test_mappings_check_names_file_line_and_cure(terminal: Terminal, tmp_path: Path) -> None:
    folder = tmp_path / "sources"
    folder.mkdir()
    text = (ROOT / "mappings" / "sources" / "telegram.yml").read_text(encoding="utf-8")
    (folder / "telegram.yml").write_text(text.replace("source: telegram", "source: telegram\ncolour: blue", 1), "utf-8")
    answer = terminal("mappings", "check", str(folder / "telegram.yml"))
    assert answer.exit_code == 1
    assert "telegram.yml:" in answer.stdout
    assert "colour" in answer.stdout


def test_suggest_writes_a_line_for_each_profile_and_tells_bad_rows(terminal: Terminal, tmp_path: Path) -> None:
    contacts, profiles, out = tmp_path / "c.csv", tmp_path / "p.jsonl", tmp_path / "s.jsonl"
    contacts.write_text(
        "contact_id,first_name,last_name,email,phone,city,state,country\n"
        "003A,Mara,Okafor,mara.okafor@harbour.example,,London,,GB\n"
        "003B,Jonas,Weiß,jonas.weiss@isar.example,,München,,DE\n",
        encoding="utf-8",
    )
    profiles.write_text(
        '{"profile_id": "p1", "network": "x", "handle": "mara_okafor"}\nnot json\n'
        '{"profile_id": "p2", "network": "x", "handle": "zzqqxx77"}\n',
        encoding="utf-8",
    )
    answer = terminal("suggest", "--contacts", str(contacts), "--profiles", str(profiles), "--out", str(out))
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert answer.exit_code == 0
    assert [each["profile_id"] for each in lines] == ["p1", "p2"]
    assert lines[0]["candidates"][0]["contact_id"] == "003A"
    assert lines[1]["candidates"] == []
    assert "line 2" in answer.stderr


def test_suggest_without_its_file_says_which(terminal: Terminal, tmp_path: Path) -> None:
    answer = terminal("suggest", "--contacts", "nowhere.csv", "--profiles", "p.jsonl", "--out", str(tmp_path / "o"))
    assert answer.exit_code == 2
    assert "nowhere.csv" in answer.stderr


def test_the_empty_shelves_say_so(terminal: Terminal) -> None:
    assert "Nothing is on the shelf" in terminal("deliveries", "list").stdout
    assert "The outbox is empty" in terminal("outbox", "list").stdout


def test_retrying_what_is_not_there_changes_nothing_and_says_so(terminal: Terminal) -> None:
    answer = terminal("outbox", "retry", "77")
    assert answer.exit_code == 1
    assert "Nothing changed" in answer.stderr


def test_retry_wants_either_numbers_or_a_kind(terminal: Terminal) -> None:
    assert terminal("outbox", "retry").exit_code == 2
    assert terminal("deliveries", "retry", "1", "--all").exit_code == 2


def test_consent_without_its_wording_is_refused(terminal: Terminal) -> None:
    answer = terminal(
        "consent", "record", "--network", "x", "--handle", "@mara", "--contact", "003000000000001AAA",
        "--method", "agent_phone", "--notice", "phone", "1", "en", "--answer", "service=yes",
        "--wording", "", "--words", "", "--by", "agent-1",
    )  # fmt: skip
    assert answer.exit_code == 2
    assert "Traceback" not in answer.output


def sources_named(tmp_path: Path, second: str) -> str:
    """What `check` says of two Telegram bots, the second with more in its section."""
    config = tmp_path / "connector.toml"
    config.write_text(
        f'secret_key = "{"k" * 40}"\ncompany = "Invented"\n'
        '[sources.shop_bot]\nmapping = "telegram"\nsecrets = ["one-secret-of-a-bot"]\n'
        f'[sources.club_bot]\nmapping = "telegram"\nsecrets = ["two-secret-of-a-bot"]\n{second}\n'
    )
    return Terminal(config)("check", "--offline").stdout


def test_check_tells_of_two_bots_whose_ids_would_mix(tmp_path: Path) -> None:
    told = sources_named(tmp_path, "")
    assert "shop_bot, club_bot: none of these telegram sources has a scope" in told
    assert 'Set scope = "…" under [sources.club_bot], before its first delivery (docs/settings.md).' in told


def test_a_scope_keeps_two_bots_apart(tmp_path: Path) -> None:
    told = sources_named(tmp_path, 'scope = "club"')
    assert "shop_bot: paste" in told
    assert "has a scope" not in told


@pytest.mark.parametrize("command", [("worker",), ("run", "--port", "0")])
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (
            "server closed the connection unexpectedly",
            "The store is busy or away: see that the database of CONNECTOR_DATABASE_URL runs and answers, then start "
            "this again.\n",
        ),
        (
            "connection failed: Connection refused",
            "The database does not answer, or refuses the login: see that it runs, and check CONNECTOR_DATABASE_URL; "
            "then start this again.\n",
        ),
    ],
)
def test_a_process_that_starts_while_its_database_goes_says_what_to_do(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], fault: str, told: str
) -> None:
    def cut(_store: Store) -> str | None:
        raise as_store_error(OperationalError("SELECT 1", {}, Exception(fault)))

    monkeypatch.setattr("connector.composition.schema_problem", cut)
    answer = terminal(*command)
    assert answer.exit_code == 1
    assert answer.stderr.endswith(told)
    assert "senders" not in answer.stderr


def test_consent_preview_tells_what_a_yes_would_move(place: Place, terminal: Terminal) -> None:
    named = ("consent", "preview", "--network", "x", "--handle", "@mara", "--contact", "003000000000001AAA")
    refused = terminal(*named)
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output
    store = open_store(f"sqlite:///{place.folder / 'connector.db'}")
    with store.begin() as uow:
        row = {"crm_id": "003000000000001AAA", "last_name": "Invented", "modified_at": 0, "synced_at": 0}
        uow.connection.execute(insert(crm_contacts).values(**row))
    store.close()
    told = json.loads(terminal(*named, "--purpose", "service").stdout)
    assert (told["purposes"], told["standstill"], told["shares"], told["writes"]) == (["service"], None, [], [])


def test_an_answer_that_is_none_is_wrong_usage(terminal: Terminal) -> None:
    answer = terminal(
        "consent", "record", "--network", "x", "--handle", "@mara", "--contact", "003000000000001AAA",
        "--method", "agent_phone", "--notice", "phone", "1", "en", "--answer", "service=maybe",
        "--wording", "w", "--words", "w", "--by", "agent-1",
    )  # fmt: skip
    assert answer.exit_code == 2
    assert "not_now" in answer.stderr


def test_the_wording_to_read_out_is_printed_with_its_notice(terminal: Terminal) -> None:
    answer = terminal("consent", "wording", "--channel", "phone")
    assert answer.exit_code == 0
    assert "Northwind Outfitters" in answer.stdout or answer.stdout.strip()
    assert "notice" in answer.stderr


def test_evidence_of_a_link_that_is_not_there_is_said(terminal: Terminal) -> None:
    answer = terminal("consent", "evidence", "--link", "lnk_none", "--by", "officer-1")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert "no such link" in answer.stderr


def test_a_fresh_ledger_is_unbroken(terminal: Terminal) -> None:
    assert "unbroken" in terminal("ledger", "verify").stdout


def test_replay_says_when_nobody_answers(terminal: Terminal) -> None:
    fixture = next((ROOT / "tests" / "fixtures" / "x").glob("post_mention_create__new.json"))
    answer = terminal("replay", str(fixture), "--source", "x", "--url", NOWHERE)
    assert answer.exit_code == 1
    assert "Nobody answers" in answer.stderr


def test_replay_takes_the_source_from_the_folder_of_the_file(terminal: Terminal) -> None:
    """Where nothing listens it goes as far as posting; a folder that is no source is named before anything is sent."""
    fixture = next((ROOT / "tests" / "fixtures" / "x").glob("post_mention_create__new.json"))
    assert "Nobody answers" in terminal("replay", str(fixture), "--url", NOWHERE).stderr
    lost = terminal("replay", str(fixture), str(ROOT / "README.md"), "--url", NOWHERE)
    assert lost.exit_code == 2
    assert "--source" in lost.stderr
    assert "Nobody answers" not in lost.stderr


def test_lists_tell_times_in_one_form(terminal: Terminal) -> None:
    """Seconds and Z for people, ISO 8601 for programs."""
    assert re.search(r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", terminal("user", "list").stdout)
    since = json.loads(terminal("user", "list", "--json").stdout)[0]["since"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", since)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("deliveries", "show", "99999999999999999999999"), "range"),
        (("deliveries", "retry", "1", "--source", "x"), "--all"),
        (("outbox", "list", "--limit", "0"), "range"),
        (("outbox", "show", "77"), "outbox list"),
        (("user", "change", "admin"), "Nothing to change"),
        (("consent", "show", "--profile", "p", "--contact", "c"), "one of the two"),
        (("run", "--port", "99999"), "range"),
        (("sandbox", "--port", "99999"), "range"),
        (("mappings", "try", "x", "."), "cannot be read"),
        (("mappings", "check", "docs"), "no mapping file"),
        (("replay", ".", "--source", "x"), "cannot be read"),
        (("replay", "README.md", "--source", "x", "--url", "nowhere"), "no web address"),
    ],
)
def test_wrong_input_is_told_in_a_sentence(terminal: Terminal, words: tuple[str, ...], told: str) -> None:
    answer = terminal(*words)
    assert answer.exit_code == 2
    assert told in answer.stderr


@pytest.mark.parametrize("out", [".", "nowhere/s.jsonl", "c.csv"])
def test_suggest_never_writes_over_its_input_and_says_where_it_cannot_write(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text("contact_id,first_name\n003A,Mara\n", encoding="utf-8")
    Path("p.jsonl").write_text('{"profile_id": "p1"}\n', encoding="utf-8")
    answer = terminal("suggest", "--contacts", "c.csv", "--profiles", "p.jsonl", "--out", out)
    assert answer.exit_code == 2
    assert out in answer.stderr
    assert Path("c.csv").read_text(encoding="utf-8").startswith("contact_id")


def test_an_outbox_row_is_shown_as_json(place: Place, terminal: Terminal) -> None:
    store = open_store(f"sqlite:///{place.folder / 'connector.db'}")
    with store.begin() as uow:
        queue(uow, "Case", "5b2de1dd-8316-5144-a01e-a3188e2b37d8")
    store.close()
    assert json.loads(terminal("outbox", "show", "1").stdout)["object"] == "Case"
    assert json.loads(terminal("outbox", "list", "--state", "pending", "--json").stdout)[0]["id"] == 1


@pytest.mark.parametrize("words", [("check", "--offline"), ("run",), ("worker",), ("migrate",), ("crm", "sync")])
def test_settings_that_cannot_work_are_told_the_same_by_check_and_at_start(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    """tests/unit/test_settings.py has every fault there is."""
    config = tmp_path / "connector.toml"
    config.write_text('public_url = "nowhere"\n[sources.api]\nmapping = "x"\nsecrets = ["s"]', encoding="utf-8")
    answer = Terminal(config)(*words)
    assert answer.exit_code == 1
    assert f"{config}: public_url: is 'nowhere'. Give the address" in answer.output
    assert f"{config}: sources.api: cannot be a source's name" in answer.output
    assert "Traceback" not in answer.output


def test_a_database_address_is_never_quoted_since_it_may_hold_a_password(tmp_path: Path) -> None:
    config = tmp_path / "connector.toml"
    config.write_text('database_url = "postgres://care:hunter22@db/connector"', encoding="utf-8")
    assert "hunter22" not in Terminal(config)("check", "--offline").output


@pytest.mark.parametrize(
    ("damage", "told"),
    [(b"no database at all" * 100, "damaged"), (b"SQLite format 3\0" + b"\xff" * 4080, "damaged")],
)
def test_a_damaged_store_is_told_with_its_cure(place: Place, damage: bytes, told: str) -> None:
    (place.folder / "connector.db").write_bytes(damage)
    for words in (("check", "--offline"), ("migrate",), ("outbox", "list")):
        answer = Terminal(place.config)(*words)
        assert answer.exit_code == 1
        assert told in answer.output


def test_check_misses_the_token_that_metas_challenge_asks_for(place: Place, terminal: Terminal) -> None:
    lines = place.config.read_text(encoding="utf-8").splitlines()
    place.config.write_text("\n".join(each for each in lines if "verify_token" not in each), encoding="utf-8")
    answer = terminal("check", "--offline")
    assert answer.exit_code == 1
    assert "whatsapp: verify_token is not set" in answer.stdout


def test_a_second_demo_in_the_same_folder_leaves_the_first_alone(place: Place, terminal: Terminal) -> None:
    before = place.config.read_text(encoding="utf-8")
    with hold(place.folder / "connector.db.worker"):
        answer = terminal("demo", "--once", "--data", str(place.folder))
    assert answer.exit_code == 1
    assert "Another worker" in answer.stderr
    assert place.config.read_text(encoding="utf-8") == before


def test_a_taken_port_of_the_sandbox_is_told_in_a_sentence(terminal: Terminal) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = terminal("sandbox", "--port", str(taken.getsockname()[1]))
    assert answer.exit_code == 1
    assert "choose another --port" in answer.stderr


def test_a_sandbox_whose_folder_is_a_file_says_so(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    answer = terminal("sandbox", "--port", "0", "--data", str(tmp_path / "file"))
    assert answer.exit_code == 1
    assert "choose another --data" in answer.stderr


def test_the_demos_settings_work_from_any_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = open_place(Path("data")).write_config(crm_url=NOWHERE, public_url="http://127.0.0.1:8080").resolve()
    assert Terminal(config)("migrate").exit_code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert Terminal(config)("outbox", "list").exit_code == 0


def test_check_of_a_store_that_is_not_there_makes_none(place: Place) -> None:
    answer = Terminal(place.config)("check", "--offline")
    assert answer.exit_code == 1
    assert "connector migrate" in answer.stdout
    assert not (place.folder / "connector.db").exists()


def test_the_store_is_readable_by_its_user_only(terminal: Terminal, place: Place) -> None:
    assert terminal("ledger", "verify").exit_code == 0
    assert (place.folder / "connector.db").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("public_url", "told"),
    [("http://care.example", "in the clear"), ("http://localhost:8080", "no provider can reach it")],
)
def test_check_names_a_public_address_that_nobody_should_be_given(tmp_path: Path, public_url: str, told: str) -> None:
    config = tmp_path / "connector.toml"
    source = '[sources.care]\nmapping = "messenger"\nsecrets = ["a-secret"]\n'
    config.write_text(f'public_url = "{public_url}"\ndata_dir = "{tmp_path}"\n{source}', encoding="utf-8")
    assert told in Terminal(config)("check", "--offline").stdout
