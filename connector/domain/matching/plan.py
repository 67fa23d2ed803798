"""The query plan: which few ranges of the index can hold the person behind a profile."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

from connector.domain.identifiers import CROWDED_AT
from connector.domain.matching.index import Probe, beginning, exactly
from connector.domain.matching.keys import local_key, phone_key
from connector.domain.matching.nicks import other_forms
from connector.domain.matching.view import ProfileView

MAX_PROBES = 72
RARE = 40


class Piece(NamedTuple):
    """A dictionary word inside a text: where it stands and how many contacts bear it."""

    start: int
    end: int
    word: str
    bearers: int


def identity_probes(view: ProfileView) -> list[Probe]:
    """Probes for exact identifiers; one more than a crowd is asked for, since a crowd means nothing."""
    probes = [exactly(f"={email}", CROWDED_AT + 1) for email in sorted(view.emails)[:5]]
    probes += [
        exactly(f"@{key}", CROWDED_AT + 1) for key in sorted({local_key(email) for email in view.emails} - {""})[:5]
    ]
    probes += [exactly(f"#{phone_key(phone)}", CROWDED_AT + 1) for phone in sorted(view.phones)[:5]]
    probes += [exactly(f"${order}", CROWDED_AT + 1) for order in sorted(view.orders)[:5]]
    probes += [exactly(f"!{handle}", CROWDED_AT + 1) for handle in sorted(view.handles)[:8]]
    for own in dict.fromkeys((view.handle.plain, view.handle.letters)):
        if len(own) > 3:
            probes.append(exactly(f"@{own}", CROWDED_AT + 1))
    return probes


def name_probes(view: ProfileView) -> list[Probe]:
    """Probes for names, the most telling first, each once."""
    probes = _display_probes(view)
    letters = view.handle.letters
    lasts, firsts = _pieces(view, letters)
    probes += _pair_probes(view, lasts, firsts)
    probes += _last_probes(letters, view, lasts[:8])
    probes += _first_probes(letters, view, firsts[:6])
    probes += _place_probes(view, lasts[:4], firsts[:4])
    return list(dict.fromkeys(probes))[:MAX_PROBES]


def _pieces(view: ProfileView, letters: str) -> tuple[list[Piece], list[Piece]]:
    lasts, firsts = [], []
    for start in range(len(letters) - 1):
        for end in range(start + 2, len(letters) + 1):
            word = letters[start:end]
            counts = view.count(word)
            if counts.family:
                lasts.append(Piece(start, end, word, counts.family))
            given = counts.given + (sum(view.count(form).given for form in other_forms(word)) if end - start > 2 else 0)
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
    written = [place for place in view.places if view.count(place).place]
    handle = view.handle.letters
    ends = {handle[-size:] for size in (2, 3)} | {handle[:size] for size in (2, 3)}
    places = sorted(written, key=lambda place: (view.count(place).place, place))[:3]
    places += sorted(end for end in ends if view.count(end).place)[:2]
    words = dict.fromkeys(piece.word for piece in (*lasts, *firsts) if piece.end - piece.start > 2)
    return [exactly(f"{word}~{place}", 20) for place in dict.fromkeys(places) for word in list(words)[:4]]


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
