"""How the suggestion index writes a contact down: its reference, its document, its words in the dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import orjson

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.keys import Word
from connector.store.rows import Many
from connector.store.unit_of_work import UnitOfWork

_WORD_KINDS = {"t": "text", "family": "integer", "given": "integer", "place": "integer"}
_ADD_WORD = Many.insert(
    "suggestion_word",
    _WORD_KINDS,
    "ON CONFLICT (t) DO UPDATE SET"
    " family = suggestion_word.family + excluded.family, given = suggestion_word.given + excluded.given,"
    " place = suggestion_word.place + excluded.place",
)
_DROP_WORD = Many(
    "DELETE FROM suggestion_word WHERE t = :t AND family <= 0 AND given <= 0 AND place <= 0",
    "DELETE FROM suggestion_word USING {rows} WHERE t = :t AND family <= 0 AND given <= 0 AND place <= 0",
    {"t": "text"},
)


def reference(contact_id: str) -> int:
    """A contact's reference: 63 bits of a hash of its id, so equal in every index."""
    return int.from_bytes(blake2b(contact_id.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") >> 1


def write_doc(facts: ContactFacts) -> str:
    """The contact as the index keeps it."""
    name = (facts.contact_id, facts.first_name, facts.last_name, facts.emails, facts.phones)
    return orjson.dumps((*name, facts.city, facts.state, facts.country, facts.handles, facts.order_refs)).decode()


def read_doc(doc: str) -> ContactFacts:
    """The contact that was written."""
    contact_id, first, last, emails, phones, city, state, country, handles, orders = orjson.loads(doc)
    return ContactFacts(
        contact_id, first, last, tuple(emails), tuple(phones), city, state, country, tuple(handles), tuple(orders)
    )


def word_rows(words: Mapping[Word, int]) -> list[tuple[str, int, int, int]]:
    """Counts as rows of the dictionary (word, family, given, place), those of nothing left out.

    They are in one order for all writers, so that two of them never wait for each other.
    """
    rows: dict[str, list[int]] = {}
    for (word, kind), change in words.items():
        if change:
            rows.setdefault(word, [0, 0, 0])[kind] += change
    return [(word, family, given, place) for word, (family, given, place) in sorted(rows.items())]


def add_words(uow: UnitOfWork, words: Mapping[Word, int]) -> None:
    """Adds counts, negative ones too, to the dictionary; a word that nobody bears any more is dropped."""
    rows = word_rows(words)
    _ADD_WORD.run(uow, rows)
    _DROP_WORD.run(uow, [row[:1] for row in rows if min(row[1:]) < 0])
