"""Who bears an address or a number that is known to be a person's own; which words are the number of an order."""

from __future__ import annotations

from collections.abc import Iterable

from connector.domain.identifiers import CROWDED_AT, canonical_email, canonical_phone
from connector.domain.matching.index import SuggestionIndex, exactly
from connector.domain.matching.keys import order_key, phone_key

MOST_ASKED = 60


def bearers_of_email(index: SuggestionIndex, text: str) -> tuple[str, ...]:
    """The contacts with this e-mail address; none for a desk, for junk, and for what a crowd shares."""
    email = canonical_email(text)
    refs = _found(index, f"={email}") if email else []
    return tuple(facts.contact_id for _, facts in sorted(index.contacts(refs).items()))


def bearers_of_phone(index: SuggestionIndex, text: str) -> tuple[str, ...]:
    """The contacts with exactly this number, its country included; none for junk and for what a crowd shares."""
    phone = canonical_phone(text)
    refs = _found(index, f"#{phone_key(phone)}") if phone else []
    return tuple(facts.contact_id for _, facts in sorted(index.contacts(refs).items()) if phone in facts.phones)


def orders_among(index: SuggestionIndex, words: Iterable[str]) -> tuple[str, ...]:
    """Those of the first words that are the number of somebody's order."""
    asked = list(dict.fromkeys(key for key in map(order_key, words) if key))[:MOST_ASKED]
    hits = index.probe([exactly(f"${key}", 1) for key in asked])
    return tuple(key for key, refs in zip(asked, hits, strict=True) if refs)


def _found(index: SuggestionIndex, key: str) -> list[int]:
    refs = index.probe([exactly(key, CROWDED_AT + 1)])[0]
    return refs if len(refs) <= CROWDED_AT else []
