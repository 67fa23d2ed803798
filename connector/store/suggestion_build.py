"""Builds the suggestion index anew, the fast way: everything is staged unsorted and goes in once, in key order."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, text

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.keys import KEYS_VERSION, Word, entry_of
from connector.store.suggestion_rows import add_words, read_doc
from connector.store.suggestion_stage import joined, stage

_TABLES = ("suggestion_key", "suggestion_word", "suggestion_contact", "suggestion_state")
# One row a reference; which of several rows of one contact stays depends on the rows alone, not on their order.
_ORDERED = {
    "suggestion_key (k, ref)": "SELECT k, ref FROM all_key GROUP BY k, ref ORDER BY k, ref",
    "suggestion_contact (ref, doc)": "SELECT ref, max(doc) FROM all_contact GROUP BY ref ORDER BY ref",
    "suggestion_word (t, family, given, place)": (
        "SELECT t, sum(family), sum(given), sum(place) FROM all_word GROUP BY t ORDER BY t"
    ),
}
_TWICE = "SELECT ref, doc FROM all_contact WHERE ref IN (SELECT ref FROM all_contact GROUP BY ref HAVING count(*) > 1)"
_LINES = 20_000
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def rebuild(
    connection: Connection,
    contacts: Iterable[ContactFacts],
    progress: Callable[[int], None] | None = None,
    processes: int = 1,
) -> int:
    """Replaces the whole index by these contacts, telling the number done so far; returns how many there are."""
    with TemporaryDirectory(prefix="connector-index-") as folder:
        came = stage(contacts, Path(folder), processes, progress)
        for table in _TABLES:
            connection.execute(text(f"DELETE FROM {table}"))
        with joined(Path(folder)) as staged:
            for target, ordered in _ORDERED.items():
                _load(connection, target, staged.execute(ordered))
            size = connection.execute(text("SELECT count(*) FROM suggestion_contact")).scalar_one()
            if size != came:
                _correct_repeated(connection, staged)
    connection.execute(
        text("INSERT INTO suggestion_state (name, value) VALUES (:name, :value)"),
        [{"name": "size", "value": size}, {"name": "version", "value": KEYS_VERSION}],
    )
    if connection.dialect.name == "postgresql":
        connection.execute(text("ANALYZE suggestion_key, suggestion_word, suggestion_contact"))
    return int(size)


def _load(connection: Connection, target: str, rows: sqlite3.Cursor) -> None:
    cursor: Any = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(rows.description))
        cursor.executemany(f"INSERT INTO {target} VALUES ({marks})", rows)
        return
    with cursor.copy(f"COPY {target} FROM STDIN") as copy:
        while some := rows.fetchmany(_LINES):
            copy.write("".join("\t".join(str(cell).translate(_ESCAPED) for cell in row) + "\n" for row in some))


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
        add_words(connection, words)
        stale = sorted(keys.difference(entry_of(read_doc(kept)).keys))
        if stale:
            connection.execute(
                text("DELETE FROM suggestion_key WHERE k = :k AND ref = :ref"),
                [{"k": key, "ref": ref} for key in stale],
            )
