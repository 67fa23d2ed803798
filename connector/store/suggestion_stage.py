"""Where a rebuild gathers keys, contacts and words before they are put in order: SQLite files outside of the store.

Sorting there and not in the store keeps memory level at any number of contacts, lets several processes make keys, and
hands both databases the same rows in the same (byte) order.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing, contextmanager
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.keys import Word, canonical, entry_of
from connector.store.suggestion_rows import reference, word_rows, write_doc
from connector.store.suggestion_scratch import end_with_parent

BATCH = 2000
WORTH_PROCESSES = 10 * BATCH
"""Fewer contacts are done before other processes have started."""
MOST_PROCESSES = 8
"""One process reads and one writes in the end; and SQLite joins no more than ten files."""
MAX_WORDS = 200_000
CACHE_KB = 32_768

Raw = tuple[Any, ...]
Progress = Callable[[int], None]


class Staged(NamedTuple):
    """A table of the index, and how its rows are read from the staging files: each once, in the order of its key."""

    table: str
    columns: str
    cells: tuple[str, ...]
    view: str
    key: str

    def ordered(self, values: str) -> str:
        """The query for these expressions over the cells of each row."""
        return f"SELECT {values} FROM {self.view} GROUP BY {self.key} ORDER BY {self.key}"


# One row a reference; which of several rows of one contact stays depends on the rows alone, not on their order.
STAGED = (
    Staged("suggestion_key", "k, ref", ("k", "ref"), "all_key", "k, ref"),
    Staged("suggestion_contact", "ref, doc", ("ref", "max(doc)"), "all_contact", "ref"),
    Staged(
        "suggestion_word",
        "t, family, given, place",
        ("t", "sum(family)", "sum(given)", "sum(place)"),
        "all_word",
        "t",
    ),
)


class Stage:
    """One staging file: rows go in as they come."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(path, isolation_level=None)
        # Nothing here outlives the rebuild, so nothing needs a journal or a flush.
        for statement in (
            "PRAGMA journal_mode=OFF",
            "PRAGMA synchronous=OFF",
            "CREATE TABLE staged_key (k TEXT, ref INTEGER)",
            "CREATE TABLE staged_contact (ref INTEGER, doc TEXT)",
            "CREATE TABLE staged_word (t TEXT, family INTEGER, given INTEGER, place INTEGER)",
        ):
            self._base.execute(statement)

    def add(self, batch: Iterable[ContactFacts]) -> Counter[Word]:
        """Stages keys and documents of some contacts; returns how often they count for which word."""
        keys: list[tuple[str, int]] = []
        docs: list[tuple[int, str]] = []
        words: Counter[Word] = Counter()
        for given in batch:
            facts = canonical(given)
            ref = reference(facts.contact_id)
            entry = entry_of(facts)
            keys += [(key, ref) for key in entry.keys]
            docs.append((ref, write_doc(facts)))
            words.update(entry.words)
        self._write("INSERT INTO staged_key VALUES (?, ?)", keys)
        self._write("INSERT INTO staged_contact VALUES (?, ?)", docs)
        return words

    def add_words(self, words: Counter[Word]) -> None:
        """Stages counts of words."""
        self._write("INSERT INTO staged_word VALUES (?, ?, ?, ?)", word_rows(words))

    def close(self) -> None:
        """Leaves the file to who reads it."""
        self._base.close()

    def _write(self, statement: str, rows: Iterable[Any]) -> None:
        self._base.execute("BEGIN")
        self._base.executemany(statement, rows)
        self._base.execute("COMMIT")


def stage(contacts: Iterable[ContactFacts], folder: Path, processes: int, progress: Progress | None) -> int:
    """Gathers all contacts in staging files of the folder, telling the number done; returns how many came."""
    iterator = iter(contacts)
    first = list(islice(iterator, WORTH_PROCESSES))
    batches = _batches(chain(first, iterator))
    alone = processes <= 1 or len(first) < WORTH_PROCESSES
    counted = _here(batches, folder) if alone else _in_processes(batches, folder, min(processes, MOST_PROCESSES))
    done = 0
    words: Counter[Word] = Counter()
    with closing(Stage(folder / "words.db")) as common:
        for number, more in counted:
            words.update(more)
            if len(words) > MAX_WORDS:
                common.add_words(words)
                words.clear()
            done += number
            if progress:
                progress(done)
        common.add_words(words)
    return done


@contextmanager
def joined(folder: Path) -> Iterator[sqlite3.Connection]:
    """All staging files of the folder as the views ``all_key``, ``all_contact`` and ``all_word``."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as base:
        base.execute("PRAGMA temp_store=FILE")
        base.execute(f"PRAGMA cache_size=-{CACHE_KB}")
        names = []
        for number, path in enumerate(sorted(folder.glob("*.db"))):
            names.append(f"s{number}")
            base.execute(f"ATTACH ? AS s{number}", (str(path),))
            base.execute(f"PRAGMA s{number}.cache_size=-{CACHE_KB}")
        for table in ("key", "contact", "word"):
            rows = " UNION ALL ".join(f"SELECT * FROM {name}.staged_{table}" for name in names)
            base.execute(f"CREATE TEMP VIEW all_{table} AS {rows}")
        yield base


def _batches(contacts: Iterator[ContactFacts]) -> Iterator[list[ContactFacts]]:
    return iter(lambda: list(islice(contacts, BATCH)), [])


Counted = Iterator[tuple[int, Counter[Word]]]


def _here(batches: Iterable[list[ContactFacts]], folder: Path) -> Counted:
    with closing(Stage(folder / "here.db")) as here:
        for batch in batches:
            yield len(batch), here.add(batch)


def _in_processes(batches: Iterator[list[ContactFacts]], folder: Path, processes: int) -> Counted:
    with ProcessPoolExecutor(processes, get_context("spawn"), _start_worker, (folder,)) as pool:
        # A few batches ahead and no more, so that memory stays level.
        ahead: deque[tuple[int, Future[Counter[Word]]]] = deque()
        for batch in batches:
            ahead.append((len(batch), pool.submit(_work, [_raw(each) for each in batch])))
            if len(ahead) > 2 * processes:
                number, future = ahead.popleft()
                yield number, future.result()
        for number, future in ahead:
            yield number, future.result()


_stage: Stage | None = None


def _start_worker(folder: Path) -> None:
    global _stage  # noqa: PLW0603 - the pool's own way to keep one file per process
    end_with_parent()
    _stage = Stage(folder / f"worker-{os.getpid()}.db")


def _work(batch: list[Raw]) -> Counter[Word]:
    if _stage is None:
        raise RuntimeError("the worker process was not started by the pool")
    return _stage.add(ContactFacts(*raw) for raw in batch)


def _raw(facts: ContactFacts) -> Raw:
    """The contact as a plain tuple, which goes to another process several times faster."""
    names = (facts.contact_id, facts.first_name, facts.last_name, facts.emails, facts.phones)
    return (*names, facts.city, facts.state, facts.country, facts.handles, facts.order_refs)
