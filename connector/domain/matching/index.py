"""The port to the suggestion index: three questions, the same on every database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from connector.domain.matching.facts import ContactFacts


class WordCounts(NamedTuple):
    """How many contacts have a word as family name, as given name, as place."""

    family: int = 0
    given: int = 0
    place: int = 0


class Probe(NamedTuple):
    """A range of search keys in byte order, ``low`` included, ``high`` not, and how many contacts to take at most."""

    low: str
    high: str
    limit: int


UNSEEN = WordCounts()
MOST_COUNTED = 500


def exactly(key: str, limit: int = 30) -> Probe:
    """A probe for one key."""
    return Probe(key, key + " ", limit)


def beginning(prefix: str, limit: int = 30) -> Probe:
    """A probe for keys that begin with letters, digits and key signs."""
    return Probe(prefix, prefix + "{", limit)


class SuggestionIndex(Protocol):
    """What the engine asks of a store; answers depend only on the contacts in it, never on how or when they came."""

    def words(self, words: Sequence[str]) -> tuple[int, dict[str, WordCounts]]:
        """The number of contacts, and the counts of those words that the dictionary holds."""
        ...

    def probe(self, probes: Sequence[Probe]) -> list[list[int]]:
        """For each probe the references of the first contacts by key, then by reference."""
        ...

    def count(self, probes: Sequence[Probe]) -> list[int]:
        """For each probe how many keys its range holds, its limit left aside, counted up to MOST_COUNTED."""
        ...

    def contacts(self, refs: Sequence[int]) -> dict[int, ContactFacts]:
        """The canonical contacts of the references; unknown ones are missing."""
        ...

    def references(self, contact_ids: Sequence[str]) -> list[int]:
        """The references under which these contacts would be kept."""
        ...
