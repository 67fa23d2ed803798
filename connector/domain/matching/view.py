"""A profile made ready for comparing: folded once, with the words of the dictionary that stand in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from connector.domain.identifiers import canonical_email, canonical_phone, emails_in, phones_in
from connector.domain.matching.facts import ProfileQuery, Proof
from connector.domain.matching.folding import fold, mixed_scripts, spaced, unmask
from connector.domain.matching.handles import HandleText, read_handle, read_otherwise
from connector.domain.matching.index import UNSEEN, WordCounts
from connector.domain.matching.keys import handle_key, order_key
from connector.domain.matching.names import with_usual_spelling
from connector.domain.matching.nicks import other_forms
from connector.domain.matching.sounds import sounds_key
from connector.domain.matching.spellings import twin
from connector.domain.matching.usual import HEAD, TAIL, USUAL, unexplained

MAX_WORD = 18
MAX_DISPLAY_WORDS = 8
MAX_PLACE_WORDS = 10
MAX_BIO_WORDS = 60
SHORT_NAME = 3


@dataclass(slots=True)
class ProfileView:
    """The folded profile; ``counts`` holds the dictionary's words found in it, ``size`` the number of contacts.

    ``names_within`` are the names in the handle's letters: where each begins and ends, and how many contacts bear it;
    ``second`` says that the handle is not read as it is spelt.
    """

    handle: HandleText
    display: tuple[str, ...]
    display_joined: frozenset[str]
    places: frozenset[str]
    shown_places: frozenset[str]
    bio: tuple[str, ...]
    emails: frozenset[str]
    phones: frozenset[str]
    orders: frozenset[str]
    handles: frozenset[str]
    mixed: bool
    heard: str
    shown_sounds: frozenset[str]
    proofs: tuple[Proof, ...] = ()
    size: int = 0
    counts: dict[str, WordCounts] = field(default_factory=dict)
    names_within: tuple[tuple[int, int, int], ...] = ()
    second: bool = False
    _longer: dict[tuple[int, int], tuple[tuple[int, str], ...]] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether a name of its own is shown, not just the handle once more."""
        return bool(self.display) and self.handle.letters not in self.display_joined

    def look_up(self, size: int, counts: dict[str, WordCounts]) -> None:
        """Takes what the dictionary says of the words of this profile."""
        self.size, self.counts, self._longer = size, counts, {}
        letters = self.handle.letters
        spans = ((start, start + len(word)) for word in counts for start in _places_of(word, letters))
        borne = ((start, end, self.count(letters[start:end])) for start, end in spans)
        self.names_within = tuple(
            sorted((start, end, each.given + each.family) for start, end, each in borne if each.given or each.family)
        )

    def longer_names(self, start: int, end: int) -> tuple[tuple[int, str], ...]:
        """The names in the handle that hold this part of it and more: how many contacts bear each, the most first."""
        known = self._longer.get((start, end))
        if known is None:
            holding = (
                (bearers, self.handle.letters[first:last])
                for first, last, bearers in self.names_within
                if first <= start and end <= last and end - start < last - first
            )
            known = self._longer[start, end] = tuple(sorted(holding, reverse=True))
        return known

    def forget(self, kind: str, value: str) -> None:
        """Drops one of the profile's identifiers, since a crowd shares it."""
        setattr(self, kind, getattr(self, kind) - {value})

    def count(self, word: str) -> WordCounts:
        """The dictionary's counts of a word, zeros for an unknown one."""
        return self.counts.get(word, UNSEEN)


def view_of(query: ProfileQuery) -> ProfileView:
    """The profile folded and its identifiers made canonical; nothing is looked up yet."""
    bio = (query.bio or "")[:1000]
    location = (query.location or "")[:200]
    emails = {each for each in map(canonical_email, query.emails) if each} | set(emails_in(bio))
    phones = {each for each in (canonical_phone(each, query.country) for each in query.phones) if each}
    phones |= set(phones_in(bio, query.country))
    shown = (query.display_name or "")[:200]
    display = _words(shown, MAX_DISPLAY_WORDS)
    handle = read_handle((query.handle or "")[:200], query.network)
    return ProfileView(
        handle=handle,
        heard=sounds_key(core_of(handle.letters), ""),
        shown_sounds=_sounds_of(display),
        proofs=query.proofs,
        display=display,
        display_joined=_joined_spellings(shown),
        places=frozenset(_joined(fold(location).split()[:MAX_PLACE_WORDS], 3)),
        shown_places=_shown_places(query.display_name or ""),
        bio=tuple(fold(bio).split()[:MAX_BIO_WORDS]),
        emails=frozenset(emails),
        phones=frozenset(phones),
        orders=frozenset(each for each in map(order_key, query.order_refs) if each),
        handles=frozenset(each for each in map(handle_key, (*query.confirmed_handles, query.handle)) if each),
        mixed=mixed_scripts(query.handle) or mixed_scripts(query.display_name),
    )


def views_otherwise(view: ProfileView, query: ProfileQuery) -> list[ProfileView]:
    """The profile with its handle in other spellings; none where a name is shown, which says more."""
    if view.named or not view.handle.letters:
        return []
    handles = (read_handle(text, query.network) for text in read_otherwise((query.handle or "")[:200]))
    return [
        replace(view, handle=handle, heard=sounds_key(core_of(handle.letters), ""), second=True)
        for handle in handles
        if handle.letters
    ]


def core_of(letters: str) -> str:
    """The letters of a handle without the usual words at its ends."""
    return unexplained(unexplained(letters, HEAD), TAIL)


def _sounds_of(words: tuple[str, ...]) -> frozenset[str]:
    """The consonants of any two words of a shown name."""
    some = [word for word in words if word not in USUAL][:5]
    return frozenset(sounds_key(first, last) for first in some for last in some if first != last) - {""}


def _places_of(word: str, letters: str) -> Iterator[int]:
    """Where in the letters a word of some length begins; short ones stand everywhere by chance."""
    at = letters.find(word) if len(word) > SHORT_NAME else -1
    while at >= 0:
        yield at
        at = letters.find(word, at + 1)


def words_to_look_up(view: ProfileView) -> list[str]:
    """All words of the profile that may stand in the dictionary, pet names with their full forms, sorted."""
    words = set(pieces(view.handle.letters))
    words.update(_joined(view.display, 3))
    words.update(view.places)
    for word in list(words):
        if len(word) > 2:
            words.update(other_forms(word))
    return sorted(words)


def pieces(letters: str) -> Iterable[str]:
    """Every run of 2 to 18 letters."""
    for start in range(len(letters) - 1):
        for end in range(start + 2, min(len(letters), start + MAX_WORD) + 1):
            yield letters[start:end]


def _words(text: str, limit: int) -> tuple[str, ...]:
    folded = fold(spaced(unmask(text)))
    spelled = twin(text)
    words = folded.split()[:limit]
    if spelled and spelled != folded:
        words += [word for word in spelled.split()[:limit] if word not in words]
    return tuple(words if text.isascii() else with_usual_spelling(words))


def _joined_spellings(text: str) -> frozenset[str]:
    """The shown name written as one word, in each of its spellings."""
    spelled = (fold(spaced(unmask(text))), twin(text))
    return frozenset("".join(each.split()[:MAX_DISPLAY_WORDS]) for each in spelled if each)


def _shown_places(text: str) -> frozenset[str]:
    """Words of a shown name that may be places: longer ones, and codes where they are written in capitals."""
    words = [word.strip(".,()|-") for word in text[:200].split()]
    return frozenset(
        fold(word).replace(" ", "") for word in words if len(word) > 3 or (len(word) > 1 and word.isupper())
    )


def _joined(words: Iterable[str], longest: int) -> list[str]:
    parts = list(words)
    runs = (parts[at : at + size] for size in range(1, longest + 1) for at in range(len(parts) - size + 1))
    return ["".join(run) for run in runs]
