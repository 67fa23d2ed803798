"""A rebuild's and a bulk run's files are gone when it ends, and those of a killed one when the next begins."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from connector.errors import Retryable
from connector.store.suggestion_scratch import scratch

HOLDER = """
from connector.store.suggestion_scratch import scratch
with scratch() as folder:
    (folder / "here.db").write_text("staged")
    print(folder, flush=True)
    input()
"""

ENDLESS = """
import sys
from itertools import count
from pathlib import Path
from connector.domain.matching import ContactFacts
from connector.store import suggestion_stage
suggestion_stage.WORTH_PROCESSES = suggestion_stage.BATCH = 1
people = (ContactFacts(str(number), "Ann", "Zwick") for number in count())
suggestion_stage.stage(people, Path(sys.argv[1]), 2, lambda done: print(done, flush=True) if done == 1 else None)
"""

ENDLESS_BULK = """
import os, sys
from pathlib import Path
from connector import bulk_suggest
bulk_suggest.CHUNK = 1
folder = Path(sys.argv[1])
contacts, profiles = folder / "contacts.csv", folder / "profiles.jsonl"
contacts.write_text("contact_id,first_name,last_name\\n1,Ann,Zwick\\n")
os.mkfifo(profiles)
os.open(profiles, os.O_RDWR)
with profiles.open("w") as feed:
    feed.write('{"profile_id":"p","handle":"annzwick"}\\n' * 20)
told = lambda stage, done: print(stage, flush=True) if stage != "contacts" else None
bulk_suggest.suggest_files(contacts, profiles, folder / "out.jsonl", progress=told, processes=2)
"""


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


def test_the_folder_is_gone_in_the_end(temporary_files: Path) -> None:
    with scratch() as folder:
        (folder / "here.db").touch()
        assert folder.parent == temporary_files
    assert list(temporary_files.iterdir()) == []


def test_a_process_that_was_killed_is_told_in_one_sentence(temporary_files: Path) -> None:
    with pytest.raises(Retryable, match="fewer --processes"):
        _with_a_killed_process()
    assert list(temporary_files.iterdir()) == []


def _with_a_killed_process() -> None:
    with scratch(), ProcessPoolExecutor(1, get_context("spawn")) as pool:
        pool.submit(os._exit, 9).result()


def test_what_a_killed_process_left_is_cleared_and_what_a_living_one_holds_is_not(temporary_files: Path) -> None:
    killed, left = _holder()
    living, held = _holder()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert (left / "here.db").exists()
    with scratch() as folder:
        assert set(temporary_files.iterdir()) == {held, folder}
        assert (held / "here.db").read_text() == "staged"
    living.communicate("\n")
    assert living.returncode == 0
    assert list(temporary_files.iterdir()) == []


def test_a_folder_of_an_older_release_without_a_lock_is_cleared_and_a_file_is_not(temporary_files: Path) -> None:
    (temporary_files / "connector-index-old").mkdir()
    (temporary_files / "connector-index-old" / "worker-7.db").touch()
    (temporary_files / "connector-index-notes").touch()
    (temporary_files / "connector-suggest-other").mkdir()
    with scratch() as folder:
        assert set(temporary_files.iterdir()) == {
            temporary_files / "connector-index-notes",
            temporary_files / "connector-suggest-other",
            folder,
        }


@contextmanager
def started(script: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs the script, and is gone in the end whatever the test finds."""
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_other_processes_of_a_killed_rebuild_end_with_it(tmp_path: Path) -> None:
    with started(ENDLESS, tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == b"1\n"
        assert list(tmp_path.glob("worker-*.db"))
        process.kill()
        # They hold the other end of the pipe: it is closed when the last of them is gone.
        assert process.communicate(timeout=120)[0] == b""


def test_the_other_processes_of_a_killed_bulk_run_end_with_it(tmp_path: Path) -> None:
    with started(ENDLESS_BULK, tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == b"profiles\n"
        process.kill()
        # Its processes hold the other end of the pipe as well.
        assert set(process.communicate(timeout=120)[0].split()) <= {b"profiles"}
    assert list(tmp_path.glob("connector-index-*"))
    with scratch() as folder:
        assert list(tmp_path.glob("connector-index-*")) == [folder]


def _holder() -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_a_folder_that_another_process_clears_at_the_same_time_is_no_reason_to_fail(
    temporary_files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one made a new lock in it between the removal of the files and of the folder."""
    remove = os.rmdir

    def locked_anew(path: str, **more: Any) -> None:
        (made,) = temporary_files.iterdir()
        (made / "lock").touch()
        remove(path, **more)

    with monkeypatch.context() as patched, scratch():
        patched.setattr(os, "rmdir", locked_anew)
    with scratch() as folder:
        assert list(temporary_files.iterdir()) == [folder]
