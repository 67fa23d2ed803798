"""Builds the suggestion index anew, the fast way: everything is staged unsorted and put in key order at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.keys import KEYS_VERSION, Word, canonical, entry_of
from connector.store.suggestion_rows import add_words, read_doc, reference, write_doc

BATCH = 2000
MAX_WORDS = 200_000
_TABLES = ("suggestion_key", "suggestion_word", "suggestion_contact", "suggestion_state")
_STAGES = (
    "CREATE TEMP TABLE staged_key (k text, ref bigint)",
    "CREATE TEMP TABLE staged_contact (ref bigint, doc text)",
)
# One row a reference; which of several rows of one contact stays depends on the rows alone, not on their order.
_SETTLE = (
    "INSERT INTO suggestion_contact (ref, doc) SELECT ref, max(doc) FROM staged_contact GROUP BY ref",
    "INSERT INTO suggestion_key (k, ref) SELECT DISTINCT k, ref FROM staged_key ORDER BY k, ref",
)
_TWICE = (
    "SELECT ref, doc FROM staged_contact WHERE ref IN (SELECT ref FROM staged_contact GROUP BY ref HAVING count(*) > 1)"
)


def rebuild(
    connection: Connection, contacts: Iterable[ContactFacts], progress: Callable[[int], None] | None = None
) -> int:
    """Replaces the whole index by these contacts, telling the number done so far; returns how many there are."""
    for table in _TABLES:
        connection.execute(text(f"DELETE FROM {table}"))
    for stage in _STAGES:
        connection.execute(text(stage))
    _stage(connection, contacts, progress)
    for statement in _SETTLE:
        connection.execute(text(statement))
    _correct_repeated(connection)
    size = connection.execute(text("SELECT count(*) FROM suggestion_contact")).scalar_one()
    connection.execute(
        text("INSERT INTO suggestion_state (name, value) VALUES (:name, :value)"),
        [{"name": "size", "value": size}, {"name": "version", "value": KEYS_VERSION}],
    )
    for table in ("staged_key", "staged_contact"):
        connection.execute(text(f"DROP TABLE {table}"))
    connection.execute(text("ANALYZE suggestion_key"))
    return int(size)


def _stage(connection: Connection, contacts: Iterable[ContactFacts], progress: Callable[[int], None] | None) -> None:
    iterator, done = iter(contacts), 0
    words: Counter[Word] = Counter()
    while batch := list(islice(iterator, BATCH)):
        keys: list[tuple[str, int]] = []
        docs: list[tuple[int, str]] = []
        for given in batch:
            facts = canonical(given)
            ref = reference(facts.contact_id)
            entry = entry_of(facts)
            keys += [(key, ref) for key in entry.keys]
            docs.append((ref, write_doc(facts)))
            words.update(entry.words)
        _write(connection, "staged_key (k, ref)", keys)
        _write(connection, "staged_contact (ref, doc)", docs)
        if len(words) > MAX_WORDS:
            add_words(connection, words)
            words.clear()
        done += len(batch)
        if progress:
            progress(done)
    add_words(connection, words)


def _write(connection: Connection, target: str, rows: list[tuple[Any, ...]]) -> None:
    cursor = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        with cursor.copy(f"COPY {target} FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        cursor.executemany(f"INSERT INTO {target} VALUES (?, ?)", rows)


def _correct_repeated(connection: Connection) -> None:
    """A contact that came in several rows counts once, as its kept row has it."""
    rows: dict[int, list[str]] = {}
    for ref, doc in connection.execute(text(_TWICE)):
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
