"""The query plan: which few ranges of the index can hold the person behind a profile."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from connector.domain.identifiers import CROWDED_AT
from connector.domain.matching.index import Probe, beginning, exactly
from connector.domain.matching.keys import MONOGRAM, local_key, phone_key
from connector.domain.matching.nicks import other_forms
from connector.domain.matching.sounds import sounds_key
from connector.domain.matching.usual import HEAD, unexplained
from connector.domain.matching.view import ProfileView, core_of, pieces

MAX_PROBES = 64
RARE = 40


class Piece(NamedTuple):
    """A dictionary word inside a text: where it stands and how many contacts bear it."""

    start: int
    end: int
    word: str
    bearers: int


class SureProbe(NamedTuple):
    """A probe for an exact identifier, and which of the profile's identifiers it is."""

    kind: str
    value: str
    probe: Probe


def sure_probes(view: ProfileView) -> list[SureProbe]:
    """Probes for exact identifiers; one more than a crowd is asked for, since a crowd means nothing."""
    asked = [("emails", email, f"={email}") for email in sorted(view.emails)[:5]]
    asked += [("", email, f"@{local_key(email)}") for email in sorted(view.emails)[:5] if local_key(email)]
    asked += [("phones", phone, f"#{phone_key(phone)}") for phone in sorted(view.phones)[:5]]
    asked += [("orders", order, f"${order}") for order in sorted(view.orders)[:5]]
    asked += [("handles", handle, f"!{handle}") for handle in sorted(view.handles)[:8]]
    own = dict.fromkeys((view.handle.plain, view.handle.letters))
    asked += [("", word, f"@{word}") for word in own if len(word) > 3]
    return [SureProbe(kind, value, exactly(key, CROWDED_AT + 1)) for kind, value, key in asked]


class Plan:
    """The probes for one profile in two helpings: whole names first, and only if none fits, pieces of names."""

    def __init__(self, view: ProfileView) -> None:
        self._view = view
        self._lasts, self._firsts = _pieces(view, view.handle.letters)

    def whole_names(self) -> list[Probe]:
        """Probes for first and last name together, from the shown name and the handle."""
        return _unique([*_display_probes(self._view), *_pair_probes(self._view, self._lasts, self._firsts)])

    def parts_of_names(self) -> list[Probe]:
        """Probes for one name, initials, cut names and places, the most telling first."""
        view, letters = self._view, self._view.handle.letters
        probes = _place_probes(view, self._lasts[:4], self._firsts[:4])
        probes += [*_core_probes(view), *_heard_probes(view)]
        probes += _last_probes(letters, view, self._lasts[:8])
        probes += _first_probes(letters, view, self._firsts[:6])
        return _unique([*probes, *_cut_probes(view)])


def _unique(probes: list[Probe]) -> list[Probe]:
    return list(dict.fromkeys(probes))[:MAX_PROBES]


def _pieces(view: ProfileView, letters: str) -> tuple[list[Piece], list[Piece]]:
    lasts, firsts = [], []
    for start in range(len(letters) - 1):
        for end in range(start + 2, len(letters) + 1):
            word = letters[start:end]
            counts = view.count(word)
            if counts.family:
                lasts.append(Piece(start, end, word, counts.family))
            given = counts.given
            if end - start > 2 and (others := other_forms(word)):
                given += sum(view.count(form).given for form in others)
            if given:
                firsts.append(Piece(start, end, word, given))
    return sorted(lasts, key=_telling), sorted(firsts, key=_telling)


def _telling(piece: Piece) -> tuple[int, int, int]:
    return (piece.start - piece.end, piece.bearers, piece.start)


def _pair_probes(view: ProfileView, lasts: list[Piece], firsts: list[Piece]) -> list[Probe]:
    pairs = []
    for last in lasts[:16]:
        for first in firsts[:16]:
            if first.end <= last.start or last.end <= first.start:
                covered = last.end - last.start + first.end - first.start
                gap = max(last.start - first.end, first.start - last.end)
                pairs.append((gap - 2 * covered, last, first))
    probes: list[Probe] = []
    for _, last, first in sorted(pairs)[:16]:
        probes += [exactly(f"{last.word}|{form}", 12) for form in _given(view, first.word)]
    return probes[:36]


def _given(view: ProfileView, word: str) -> list[str]:
    """The full and pet forms of a word that contacts bear, the word itself first, then the frequent ones."""
    forms = sorted(
        (form for form in other_forms(word) if view.count(form).given), key=lambda form: (-view.count(form).given, form)
    )
    return [word, *forms[:4]] if view.count(word).given else forms[:4]


def _last_probes(letters: str, view: ProfileView, lasts: list[Piece]) -> list[Probe]:
    probes = []
    for last in lasts:
        whole = last.start == 0 and last.end == len(letters)
        if last.end - last.start < 3 and not whole:
            continue
        if last.bearers <= RARE:
            probes.append(beginning(f"{last.word}|", RARE))
            continue
        before, after = letters[: last.start], letters[last.end :]
        starts = [before[-2:], before[-3:], before[-1:], before[:1], after[:2], after[:1]]
        probes += [beginning(f"{last.word}|{start}", 30) for start in dict.fromkeys(starts) if start]
        if view.size < 400 * RARE:
            probes.append(beginning(f"{last.word}|", RARE))
    return probes


def _first_probes(letters: str, view: ProfileView, firsts: list[Piece]) -> list[Probe]:
    probes = []
    for first in firsts:
        if first.end - first.start < 3:
            continue
        for form in _given(view, first.word)[:2]:
            if view.count(form).given <= RARE // 2:
                probes.append(beginning(f"{form}>", RARE // 2))
                continue
            for rest in (letters[first.end :], letters[: first.start]):
                probes += [beginning(f"{form}>{rest[:size]}", 12) for size in range(min(4, len(rest)), 0, -1)]
    return probes


def _place_probes(view: ProfileView, lasts: list[Piece], firsts: list[Piece]) -> list[Probe]:
    letters = view.handle.letters
    ends = {piece.end for piece in (*lasts[:2], *firsts[:2])}

    def place_like(place: str) -> bool:
        return len(place) > 3 or place in view.places or letters.endswith(place) or letters.find(place) in ends

    places = sorted(
        (place for place in {*view.places, *pieces(letters)} if view.count(place).place and place_like(place)),
        key=lambda place: (place not in view.places, -len(place), place),
    )[:4]
    words = [form for piece in firsts if piece.end - piece.start > 2 for form in _given(view, piece.word)[:3]]
    words += [piece.word for piece in lasts if piece.end - piece.start > 2]
    words = list(dict.fromkeys(words))[:8]
    return [exactly(f"{word}~{place}", 25) for place in places for word in words if not _overlap(word, place)]


def _overlap(word: str, place: str) -> bool:
    return word in place or place in word


def _core_probes(view: ProfileView) -> list[Probe]:
    """What is left without usual words: the start of a long name, such a start after an initial, or initials only."""
    core = core_of(view.handle.letters)
    probes = []
    if 2 < len(core) <= MONOGRAM:
        probes.append(exactly(f"^{core}", 12))
    if 3 < len(core) < 14 and not view.count(core).family:
        probes.append(beginning(core, 12))
    if 4 < len(core) < 14 and not view.count(core[1:]).family:
        probes.append(beginning(core[1:], 12))
    return probes


def _heard_probes(view: ProfileView) -> list[Probe]:
    """Names whose consonants are those of the handle or of the shown words, however their vowels are spelt."""
    handle = view.handle
    marks = sorted(handle.starts - {0, len(handle.letters)})
    turned = sounds_key(handle.letters[marks[0] :], handle.letters[: marks[0]]) if len(marks) == 1 else ""
    return [exactly(f"&{key}", 12) for key in dict.fromkeys((view.heard, turned, *sorted(view.shown_sounds))) if key]


def _cut_probes(view: ProfileView) -> list[Probe]:
    """The starts of a first and a last name side by side: where words are marked, else in short handles anywhere."""
    handle = view.handle
    letters = unexplained(handle.letters, HEAD)
    shift = handle.letters.find(letters)
    splits = {start - shift for start in handle.starts} if len(handle.starts) > 2 else set(range(3, len(letters) - 2))
    if len(handle.starts) <= 2 and len(letters) > 9:
        return []
    inside = sorted(split for split in splits if 3 <= split <= len(letters) - 3)
    return [exactly(f"%{letters[:3]}{letters[split : split + 3]}", 12) for split in inside[:6]]


def _display_probes(view: ProfileView) -> list[Probe]:
    words = view.display[:6]
    joined = [first + second for first, second in pairwise(words)]
    lasts = [word for word in (*joined, *words) if view.count(word).family]
    probes: list[Probe] = []
    for last in lasts[:6]:
        for word in (*words, *joined):
            if word not in last:
                probes += [exactly(f"{last}|{form}", 12) for form in _given(view, word)[:4]]
        if view.count(last).family <= RARE:
            probes.append(beginning(f"{last}|", RARE))
        else:
            probes += [beginning(f"{last}|{word[0]}", 20) for word in words if word != last]
    return list(dict.fromkeys(probes))[:40]
