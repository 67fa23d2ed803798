"""Builds the suggestion index anew, the fast way: everything is staged unsorted and goes in once, in key order."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, text

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.keys import KEYS_VERSION, Word, entry_of
from connector.store import suggestion_swap
from connector.store.suggestion_rows import add_words, read_doc
from connector.store.suggestion_scratch import scratch
from connector.store.suggestion_stage import STAGED, joined, stage
from connector.store.unit_of_work import UnitOfWork

_TWICE = "SELECT ref, doc FROM all_contact WHERE ref IN (SELECT ref FROM all_contact GROUP BY ref HAVING count(*) > 1)"


def rebuild(
    connection: Connection,
    contacts: Iterable[ContactFacts],
    progress: Callable[[int], None] | None = None,
    processes: int = 1,
) -> int:
    """Replaces the whole index by these contacts, telling the number done so far; returns how many there are."""
    fill = _fill if connection.dialect.name == "sqlite" else suggestion_swap.fill
    with scratch() as folder:
        came = stage(contacts, folder, processes, progress)
        with joined(folder) as staged:
            size = fill(connection, staged)
            if size != came:
                _correct_repeated(connection, staged)
    connection.execute(text("DELETE FROM suggestion_state"))
    connection.execute(
        text("INSERT INTO suggestion_state (name, value) VALUES (:name, :value)"),
        [{"name": "size", "value": size}, {"name": "version", "value": KEYS_VERSION}],
    )
    return size


def _fill(connection: Connection, staged: sqlite3.Connection) -> int:
    """Replaces the rows of the index in SQLite by the staged ones; returns how many contacts there are."""
    counts: dict[str, int] = {}
    for each in STAGED:
        connection.execute(text(f"DELETE FROM {each.table}"))
        cursor: Any = connection.connection.cursor()
        marks = ", ".join("?" * len(each.cells))
        rows = staged.execute(each.ordered(", ".join(each.cells)))
        cursor.executemany(f"INSERT INTO {each.table} ({each.columns}) VALUES ({marks})", rows)
        counts[each.table] = cursor.rowcount
    return counts["suggestion_contact"]


def _correct_repeated(connection: Connection, staged: sqlite3.Connection) -> None:
    """A contact that came in several rows counts once, as its kept row has it."""
    rows: dict[int, list[str]] = {}
    for ref, doc in staged.execute(_TWICE):
        rows.setdefault(ref, []).append(doc)
    for ref, docs in rows.items():
        kept = max(docs)
        docs.remove(kept)
        words: Counter[Word] = Counter()
        keys: set[str] = set()
        for doc in docs:
            entry = entry_of(read_doc(doc))
            words.subtract(entry.words)
            keys.update(entry.keys)
        add_words(UnitOfWork(connection), words)
        stale = sorted(keys.difference(entry_of(read_doc(kept)).keys))
        if stale:
            connection.execute(
                text("DELETE FROM suggestion_key WHERE k = :k AND ref = :ref"),
                [{"k": key, "ref": ref} for key in stale],
            )
