"""How the suggestion index writes a contact down: its reference, its document, its words in the dictionary."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Connection, text

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.keys import FAMILY, GIVEN, PLACE, Word

_ADD_WORD = text(
    "INSERT INTO suggestion_word (t, family, given, place) VALUES (:t, :family, :given, :place)"
    " ON CONFLICT (t) DO UPDATE SET"
    " family = suggestion_word.family + excluded.family, given = suggestion_word.given + excluded.given,"
    " place = suggestion_word.place + excluded.place"
)
_DROP_WORD = text("DELETE FROM suggestion_word WHERE t = :t AND family <= 0 AND given <= 0 AND place <= 0")
_COLUMN = {FAMILY: "family", GIVEN: "given", PLACE: "place"}


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


def word_rows(words: Mapping[Word, int]) -> list[dict[str, Any]]:
    """Counts as rows of the dictionary, those of nothing left out.

    They are in one order for all writers, so that two of them never wait for each other.
    """
    rows: dict[str, dict[str, Any]] = {}
    for (word, kind), change in words.items():
        if change:
            row = rows.setdefault(word, {"t": word, "family": 0, "given": 0, "place": 0})
            row[_COLUMN[kind]] += change
    return [rows[word] for word in sorted(rows)]


def add_words(connection: Connection, words: Mapping[Word, int]) -> None:
    """Adds counts, negative ones too, to the dictionary; a word that nobody bears any more is dropped."""
    rows = word_rows(words)
    if not rows:
        return
    connection.execute(_ADD_WORD, rows)
    fewer = [{"t": row["t"]} for row in rows if min(row["family"], row["given"], row["place"]) < 0]
    if fewer:
        connection.execute(_DROP_WORD, fewer)
