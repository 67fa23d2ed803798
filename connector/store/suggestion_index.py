"""The suggestion index in SQL: one plan and one answer on SQLite and PostgreSQL.

References are hashes of the contact's id, so the answers do not depend on the order in which contacts came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import orjson
from sqlalchemy import Connection

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.index import MOST_COUNTED, Probe, WordCounts
from connector.domain.matching.keys import KEYS_VERSION, Word, canonical, entry_of
from connector.errors import SchemaOutdated
from connector.store.rows import Many
from connector.store.suggestion_build import rebuild
from connector.store.suggestion_rows import add_words, read_doc, reference, write_doc
from connector.store.unit_of_work import UnitOfWork

T = TypeVar("T")

BATCH = 1000
_WRITER_LOCK = 0x5355_4747

_ADD_KEY = Many.insert("suggestion_key", {"k": "text", "ref": "bigint"}, "ON CONFLICT DO NOTHING")
_DROP_KEY = Many(
    "DELETE FROM suggestion_key WHERE k = :k AND ref = :ref",
    "DELETE FROM suggestion_key USING {rows} WHERE k = :k AND ref = :ref",
    {"k": "text", "ref": "bigint"},
)
_PUT_CONTACT = Many.insert(
    "suggestion_contact", {"ref": "bigint", "doc": "text"}, "ON CONFLICT (ref) DO UPDATE SET doc = excluded.doc"
)
_DROP_CONTACT = Many(
    "DELETE FROM suggestion_contact WHERE ref = :ref",
    "DELETE FROM suggestion_contact USING {rows} WHERE ref = :ref",
    {"ref": "bigint"},
)
# The version is that of the first contact to come in; the number of contacts grows.
_ADD_STATE = Many.insert(
    "suggestion_state",
    {"name": "text", "value": "bigint"},
    "ON CONFLICT (name) DO UPDATE SET value = suggestion_state.value +"
    " CASE excluded.name WHEN 'size' THEN excluded.value ELSE 0 END",
)
_SIZE = "SELECT NULL, value, 0, 0 FROM suggestion_state WHERE name = 'size'"
_COUNTS = "SELECT t, family, given, place FROM suggestion_word"
_WORDS = {
    "sqlite": f"{_SIZE} UNION ALL {_COUNTS} WHERE t IN (SELECT value FROM json_each(?))",
    "postgresql": f"{_SIZE} UNION ALL {_COUNTS} WHERE t = ANY(%s)",
}
_PROBE = "SELECT ref FROM suggestion_key WHERE k >= ? AND k < ? ORDER BY k, ref LIMIT ?"
_PROBES = (
    "SELECT p.at, c.ref FROM unnest(%s::text[], %s::text[], %s::int[]) WITH ORDINALITY AS p(low, high, most, at),"
    ' LATERAL (SELECT ref FROM suggestion_key WHERE k >= p.low COLLATE "C" AND k < p.high COLLATE "C"'
    " ORDER BY k, ref LIMIT p.most) c"
)
_COUNT = "SELECT count(*) FROM (SELECT 1 FROM suggestion_key WHERE k >= ? AND k < ? LIMIT ?)"
_COUNTED = (
    "SELECT p.at, c.keys FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS p(low, high, at),"
    " LATERAL (SELECT count(*) AS keys FROM (SELECT 1 FROM suggestion_key"
    ' WHERE k >= p.low COLLATE "C" AND k < p.high COLLATE "C" LIMIT %s) k) c'
)
_CONTACTS = {
    "sqlite": "SELECT ref, doc FROM suggestion_contact WHERE ref IN (SELECT value FROM json_each(?))",
    "postgresql": "SELECT ref, doc FROM suggestion_contact WHERE ref = ANY(%s)",
}


class SqlSuggestionIndex:
    """The index behind one database connection; writes belong to the caller's transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._dialect = connection.dialect.name

    # reading: straight through the driver, since these three statements are most of a suggestion's time

    def size(self) -> int:
        """The number of contacts."""
        return self._state("size")

    def words(self, words: Sequence[str]) -> tuple[int, dict[str, WordCounts]]:
        """The number of contacts, and the counts of those words that the dictionary holds."""
        size, counts = 0, {}
        for t, family, given, place in self._ask(_WORDS[self._dialect], (self._list(words),)):
            if t is None:
                size = family
            else:
                counts[t] = WordCounts(family, given, place)
        return size, counts

    def probe(self, probes: Sequence[Probe]) -> list[list[int]]:
        """For each probe the references of the first contacts by key, then by reference, each once."""
        if not probes:
            return []
        if self._dialect == "sqlite":
            cursor = self._cursor()
            return [_once(cursor.execute(_PROBE, probe)) for probe in probes]
        found: list[list[int]] = [[] for _ in probes]
        lows, highs, limits = ([probe[at] for probe in probes] for at in range(3))
        for at, ref in self._ask(_PROBES, (lows, highs, limits)):
            found[at - 1].append(ref)
        return [list(dict.fromkeys(refs)) for refs in found]

    def count(self, probes: Sequence[Probe]) -> list[int]:
        """For each probe how many keys its range holds, its limit left aside, counted up to MOST_COUNTED."""
        if not probes:
            return []
        if self._dialect == "sqlite":
            cursor = self._cursor()
            return [cursor.execute(_COUNT, (*probe[:2], MOST_COUNTED)).fetchone()[0] for probe in probes]
        lows, highs = ([probe[at] for probe in probes] for at in range(2))
        return [count for _, count in sorted(self._ask(_COUNTED, (lows, highs, MOST_COUNTED)))]

    def contacts(self, refs: Sequence[int]) -> dict[int, ContactFacts]:
        """The canonical contacts of the references; unknown ones are missing."""
        rows = self._ask(_CONTACTS[self._dialect], (self._list(refs),)) if refs else []
        return {ref: read_doc(doc) for ref, doc in rows}

    def references(self, contact_ids: Sequence[str]) -> list[int]:
        """The references under which these contacts would be kept."""
        return [reference(contact_id) for contact_id in contact_ids]

    def _ask(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        cursor = self._cursor()
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())

    def _cursor(self) -> Any:
        return self._connection.connection.cursor()

    def _list(self, values: Sequence[Any]) -> Any:
        return orjson.dumps(list(values)).decode() if self._dialect == "sqlite" else list(values)

    # writing

    def check(self) -> None:
        """Refuses an index that another release filled with other keys."""
        version = self._state("version")
        if version not in {0, KEYS_VERSION}:
            raise SchemaOutdated(
                "The suggestion index was built by another release; run `connector suggestions rebuild`."
            )

    def upsert(self, contacts: Iterable[ContactFacts]) -> int:
        """Brings the index up to these contacts; returns how many were new or changed."""
        changed = 0
        for batch in _batches(contacts, BATCH):
            changed += self._upsert_batch(batch)
        return changed

    def delete(self, contact_ids: Iterable[str]) -> int:
        """Forgets these contacts, every key and word of theirs; returns how many were there."""
        gone = 0
        for batch in _batches(contact_ids, BATCH):
            self._lock()
            old = self.contacts(self.references(batch))
            self._apply(old, {})
            gone += len(old)
        return gone

    def absorb(self, kept: ContactFacts, gone: Iterable[str]) -> None:
        """Follows a merge made in the CRM: the kept contact as it is now, the others forgotten."""
        self.delete(gone)
        self.upsert([kept])

    def rebuild(
        self, contacts: Iterable[ContactFacts], progress: Callable[[int], None] | None = None, processes: int = 1
    ) -> int:
        """Builds the index anew from all contacts, telling the number done so far; returns how many there are."""
        self._lock()
        return rebuild(self._connection, contacts, progress, processes)

    def _upsert_batch(self, batch: list[ContactFacts]) -> int:
        self._lock()
        new = {reference(each.contact_id): canonical(each) for each in batch}
        old = self.contacts(list(new))
        changed = {ref: facts for ref, facts in new.items() if old.get(ref) != facts}
        self._apply({ref: facts for ref, facts in old.items() if ref in changed}, changed)
        return len(changed)

    def _apply(self, old: dict[int, ContactFacts], new: dict[int, ContactFacts]) -> None:
        old_keys: set[tuple[str, int]] = set()
        new_keys: set[tuple[str, int]] = set()
        words: Counter[Word] = Counter()
        for ref, facts in new.items():
            entry = entry_of(facts)
            new_keys.update((key, ref) for key in entry.keys)
            words.update(entry.words)
        for ref, facts in old.items():
            entry = entry_of(facts)
            old_keys.update((key, ref) for key in entry.keys)
            words.subtract(entry.words)
        uow = UnitOfWork(self._connection)
        _DROP_KEY.run(uow, sorted(old_keys - new_keys))
        _ADD_KEY.run(uow, sorted(new_keys - old_keys))
        add_words(uow, words)
        _DROP_CONTACT.run(uow, [(ref,) for ref in sorted(old.keys() - new.keys())])
        _PUT_CONTACT.run(uow, [(ref, write_doc(facts)) for ref, facts in sorted(new.items())])
        if len(new) != len(old):
            _ADD_STATE.run(uow, [("size", len(new) - len(old)), ("version", KEYS_VERSION)])

    def _state(self, name: str) -> int:
        mark = "?" if self._dialect == "sqlite" else "%s"
        rows = self._ask(f"SELECT value FROM suggestion_state WHERE name = {mark}", (name,))
        return int(rows[0][0]) if rows else 0

    def _lock(self) -> None:
        """PostgreSQL lets two writers in; their counts must not be read and written crosswise."""
        if self._dialect == "postgresql":
            self._connection.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (_WRITER_LOCK,))


def _once(rows: Iterable[tuple[int]]) -> list[int]:
    return list(dict.fromkeys(row[0] for row in rows))


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
