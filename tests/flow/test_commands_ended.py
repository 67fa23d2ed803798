"""Commands that are stopped, or whose files and output cannot be had: one sentence, the right exit code."""

from __future__ import annotations

import builtins
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from connector.__main__ import run
from connector.cli import INTERRUPTED
from connector.commands import checks
from connector.demo.place import Place, open_place
from connector.mapping.signing import Signed
from tests.flow.test_commands import NOWHERE, Terminal

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"


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


@pytest.mark.parametrize("stopped", [KeyboardInterrupt, click.Abort])
def test_ctrl_c_ends_a_command_as_shells_have_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, stopped: type[BaseException]
) -> None:
    def stop(*_words: object, **_named: object) -> None:
        raise stopped

    monkeypatch.setattr(checks, "read_settings", stop)
    answer = terminal("check")
    assert (answer.exit_code, answer.stderr) == (INTERRUPTED, "Stopped.\n")


def test_ctrl_c_is_how_a_sandbox_ends(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "connector", "sandbox", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as org:
        assert org.stderr is not None
        assert "Ctrl-C stops it" in org.stderr.readline()
        org.send_signal(signal.SIGINT)
        said = org.stderr.read()
    assert (org.returncode, said) == (0, "")


@pytest.mark.parametrize("words", [["--help"], ["mappings", "check"], ["key", "list"], ["key", "list", "--json"]])
def test_an_output_that_cannot_be_written_is_told(place: Place, terminal: Terminal, words: list[str]) -> None:
    assert terminal("key", "add", "till", "--role", "ingest").exit_code == 0
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "connector", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "CONNECTOR_CONFIG": str(place.config)},
        )
    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1), ended.stderr
    assert "No space left on device" in ended.stderr


def _refuse(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """As where another user owns the file's folder; the tests' own user may be one that nothing is refused to."""
    look = Path.stat

    def stat(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return look(self, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", stat)


@pytest.mark.parametrize(
    "words",
    [
        ("mappings", "check", "closed"),
        ("suggest", "--contacts", "closed", "--profiles", "closed", "--out", "out"),
        ("replay", "closed", "--source", "x"),
    ],
)
def test_a_file_of_another_user_is_told(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    closed = tmp_path / "closed"
    closed.write_text("", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    _refuse(monkeypatch, Path("closed"))
    answer = terminal(*words)
    assert answer.exit_code == 2
    assert "closed cannot be read (Permission denied)" in answer.stderr


def test_check_tells_of_a_data_folder_of_another_user(
    place: Place, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refuse(monkeypatch, place.folder.resolve() / "connector.db")
    answer = terminal("check", "--offline")
    assert answer.exit_code == 1
    assert "connector.db cannot be looked at: Permission denied. Give this user read and write access" in answer.stdout


def test_check_tells_of_a_store_that_cannot_be_written(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` would not start on it."""
    monkeypatch.setattr("os.access", lambda _path, _mode: False)
    answer = terminal("check", "--offline")
    assert answer.exit_code == 1
    assert "connector.db cannot be written. Give this user read and write access" in answer.stdout


def test_check_looks_at_everything_that_the_wrong_settings_leave(tmp_path: Path) -> None:
    """One look tells it all: a wrong zone hides neither the mapping that is wrong nor the store that is missing."""
    config = tmp_path / "connector.toml"
    config.write_text(
        f'timezone = "Mars"\ndata_dir = "{tmp_path}"\n[sources.care]\nmapping = "nowhere"\nsecrets = ["s"]\n',
        encoding="utf-8",
    )
    answer = Terminal(config)("check")
    assert answer.exit_code == 1
    for told in ("timezone: is 'Mars'", "names nowhere", "There is no store", "CONNECTOR_CRM_URL is not set"):
        assert told in answer.stdout
    assert "settings  read" not in answer.stdout


@pytest.mark.parametrize(
    ("toml", "hidden"),
    [
        ("timezone = ", ("mappings", "store", "crm  ")),
        ('secret_key = "short"', ("SECRET_KEY is not set",)),
        ('[sources.care]\nmapping = "x"\nsecrets = []', ("No source", "care: paste")),
        ('database_url = "nonsense"', ("store  ",)),
        ('mappings_dir = "nowhere"', ("mappings  ", "sources  ")),
        ('crm_url = "https://evil.example"', ("crm  ",)),
    ],
)
def test_check_says_nothing_of_what_a_wrong_setting_names(tmp_path: Path, toml: str, hidden: tuple[str, ...]) -> None:
    config = tmp_path / "connector.toml"
    config.write_text(toml, encoding="utf-8")
    answer = Terminal(config)("check")
    assert answer.exit_code == 1
    assert not [each for each in hidden if each in answer.stdout], answer.stdout


def test_scoring_files_minds_no_setting_but_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("c.csv").write_text("contact_id,first_name\n003A,Mara\n", encoding="utf-8")
    Path("p.jsonl").write_text('{"profile_id": "p1"}\n', encoding="utf-8")
    words = ("suggest", "--contacts", "c.csv", "--profiles", "p.jsonl", "--out", "s.jsonl")
    config = tmp_path / "connector.toml"
    config.write_text('secret_key = "file:/gone"', encoding="utf-8")
    assert Terminal(config)(*words).exit_code == 0
    config.write_text("suggestions_known_share = 7", encoding="utf-8")
    assert "suggestions_known_share" in Terminal(config)(*words).stderr


@pytest.mark.parametrize("url", ["http://[::1", "http://", "nowhere", "ftp://127.0.0.1"])
def test_replay_refuses_what_is_no_web_address(terminal: Terminal, url: str) -> None:
    answer = terminal("replay", str(FIXTURES / "x" / "dm_received__new.json"), "--url", url)
    assert answer.exit_code == 2
    assert "no web address" in answer.stderr


def test_replay_of_a_whole_folder_leaves_out_what_stands_beside_the_payloads(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[bytes, dict[str, str]]] = []

    class Answer:
        status_code = 200

    def post(_session: object, _base: str, _public: str, signed: Signed, _kind: str, headers: dict[str, str]) -> Answer:
        sent.append((signed.body, headers))
        return Answer()

    monkeypatch.setattr("connector.demo.posting.post", post)
    folder = FIXTURES / "discourse"
    answer = terminal("replay", *(str(each) for each in sorted(folder.iterdir())))
    assert answer.exit_code == 0
    payloads = [each for each in folder.iterdir() if not each.name.endswith((".expected.json", ".headers.json"))]
    assert len(sent) == len(payloads)
    assert all(headers for _, headers in sent), "each goes with the headers that stand beside it"
    alone = terminal("replay", str(next(folder.glob("*.expected.json"))))
    assert (alone.exit_code, "None of these is a payload" in alone.stderr) == (2, True)


def test_a_stop_while_the_command_is_still_being_loaded_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def stop(name: str, *rest: Any) -> Any:
        if name == "connector.cli":
            raise KeyboardInterrupt
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", stop)
    with pytest.raises(SystemExit) as ended:
        run()
    assert ended.value.code == INTERRUPTED
