"""What a rebuild and a bulk run leave behind when they are killed: no files for long, and no processes."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import parent_process
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from threading import Thread
from typing import TextIO

from connector.errors import Retryable

PREFIX = "connector-index-"
_LOCK = "lock"


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder among the temporary files; those that killed processes left there are cleared first.

    Whoever holds the lock in a folder lives: the system gives it back however a process ends, and it holds across
    containers, where process ids say nothing.

    Raises Retryable when SQLite cannot write there any more, and when one of the processes was ended from outside.
    """
    _clear_abandoned()
    folder, lock = _held_folder()
    try:
        yield folder
    except sqlite3.OperationalError as problem:
        raise Retryable(
            f"The index cannot be built ({problem}): free space among the temporary files, in {gettempdir()}, or name"
            " another folder by TMPDIR, and see that the store's disk has room; then start this again."
        ) from problem
    except BrokenProcessPool as problem:
        raise Retryable(
            "One of the processes ended early, perhaps for want of memory: start this again with fewer --processes."
        ) from problem
    finally:
        # Another process may make the lock anew when this one has just removed it, and then removes the folder itself.
        rmtree(folder, ignore_errors=True)
        lock.close()


def _held_folder() -> tuple[Path, TextIO]:
    while True:
        folder = Path(mkdtemp(prefix=PREFIX))
        try:
            lock = (folder / _LOCK).open("w", encoding="ascii")
        except FileNotFoundError:
            continue  # another process took it for abandoned, between its making and its lock
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        lock.close()


def _clear_abandoned() -> None:
    for folder in Path(gettempdir()).glob(f"{PREFIX}*"):
        lock = _lock_of_nobody(folder)
        if lock:
            rmtree(folder, ignore_errors=True)  # whatever cannot be removed is no reason not to build
            lock.close()


def _lock_of_nobody(folder: Path) -> TextIO | None:
    """The lock of a folder that is ours and that nobody holds; None for any other."""
    try:
        if folder.lstat().st_uid != os.geteuid():
            return None
        lock = (folder / _LOCK).open("a", encoding="ascii")
    except OSError:
        return None  # gone in this moment, or not a folder
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def end_with_parent() -> None:
    """For a pool's process: it would not notice that its parent was killed, and would wait for work for ever."""
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent:
        parent.join()
        os._exit(1)
