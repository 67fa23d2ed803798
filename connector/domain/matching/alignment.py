"""Explaining a handle's letters by one contact's name: which parts stand in it, how, and what is left over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from connector.domain.matching.names import PET, Forms, NameForms
from connector.domain.matching.usual import HEAD, MIDDLE, TAIL, unexplained


class Alignment(NamedTuple):
    """The best reading of a handle for one contact.

    ``pattern`` is how the name stands in it (see PATTERNS); ``first`` and ``last`` are the letters found, ``first_at``
    and ``last_at`` where (-1: nowhere); ``gaps`` lie before, between and after them; ``left`` letters nobody explains.
    """

    pattern: str
    first: str
    last: str
    gaps: tuple[str, ...]
    left: int
    first_at: int
    last_at: int
    first_kind: int
    last_kind: int
    cost: float
    place: str = ""


STRONG = frozenset({"first_last", "pet_last", "initials_last"})
"""The readings by a whole name."""
ENOUGH_OF_A_PLACE = 4
"""So many letters that a place begins with stand for it."""
NOTHING = Alignment("none", "", "", ("", "", ""), 0, -1, -1, 0, 0, 99.0)


class Known(NamedTuple):
    """What of a contact may stand in a handle: the forms of the name, those without pet names, words for places."""

    forms: NameForms
    own: tuple[str, ...]
    places: tuple[str, ...]


def known_of(forms: NameForms, places: Iterable[str], letters: str) -> Known:
    """What may stand in these letters: a place only where they hold at least its start."""
    own = tuple(form for form, kind in (*forms.firsts, *forms.lasts) if kind < PET and len(form) > 2)
    return Known(forms, own, tuple(place for place in places if place[:ENOUGH_OF_A_PLACE] in letters))


PATTERNS = {
    "first_last": 0.0,
    "pet_last": 0.4,
    "initials_last": 0.6,
    "initial_last": 1.0,
    "cut_last": 1.3,
    "first_cut": 2.0,
    "first_initial": 2.6,
    "last": 2.0,
    "first": 4.0,
    "pet": 5.0,
    "cut_cut": 3.0,
    "initial_cut": 3.4,
    "monogram": 3.0,
    "initials": 7.0,
}
"""How a name stands in a handle, with what each reading costs beside its unexplained letters."""


def align(letters: str, known: Known) -> Alignment:
    """The cheapest reading of the letters by the name; NOTHING when no part of it is there."""
    best = NOTHING
    for last, kind in known.forms.lasts:
        if best.last and len(last) < 3:
            break
        at = letters.find(last)
        while at >= 0:
            for reading in _beside_last(letters, known, last, kind, at):
                if reading.cost < best.cost:
                    best = reading
            at = letters.find(last, at + 1)
    if not best.last or best.cost > 2.5:
        for reading in _without_last(letters, known):
            if reading.cost < best.cost:
                best = reading
    return best


def _beside_last(letters: str, known: Known, last: str, kind: int, at: int) -> Iterator[Alignment]:
    before, after = letters[:at], letters[at + len(last) :]
    for first, first_kind in known.forms.firsts:
        start = before.rfind(first)
        pattern = "pet_last" if first_kind >= PET else "first_last"
        if start >= 0:
            gaps = (before[:start], before[start + len(first) :], after)
            yield _read(pattern, first, last, gaps, start, at, first_kind, kind, known)
        elif (start := after.find(first)) >= 0:
            gaps = (before, after[:start], after[start + len(first) :])
            yield _read(pattern, first, last, gaps, at + len(last) + start, at, first_kind, kind, known)
    yield from _short_first(before, after, known, last, kind, at)
    yield _read("last", "", last, (before, "", after), -1, at, 0, kind, known)


def _short_first(before: str, after: str, known: Known, last: str, kind: int, at: int) -> Iterator[Alignment]:
    initials = known.forms.initials
    if not initials:
        return
    if len(initials) > 1 and before.endswith(initials):
        start = at - len(initials)
        yield _read("initials_last", initials, last, (before[:start], "", after), start, at, 0, kind, known)
    initial = initials[0]
    if before.endswith(initial):
        yield _read("initial_last", initial, last, (before[:-1], "", after), at - 1, at, 0, kind, known)
    if before.startswith(initial) and len(before) > 1:
        yield _read("initial_last", initial, last, ("", before[1:], after), 0, at, 1, kind, known)
    if after.startswith(initial):
        yield _read("initial_last", initial, last, (before, "", after[1:]), at + len(last), at, 1, kind, known)
    yield from _cut_first(before, after, known, last, kind, at)


def _cut_first(before: str, after: str, known: Known, last: str, kind: int, at: int) -> Iterator[Alignment]:
    for first, first_kind in known.forms.firsts:
        if first_kind >= PET or len(first) < 3:
            continue
        for size in range(min(len(first) - 1, len(before)), 1, -1):
            if before.endswith(first[:size]):
                gaps = (before[: len(before) - size], "", after)
                yield _read("cut_last", first[:size], last, gaps, at - size, at, first_kind, kind, known)
                break
        size = shared_prefix(after, first)
        if 1 < size < len(first):
            yield _read(
                "cut_last", first[:size], last, (before, "", after[size:]), at + len(last), at, first_kind, kind, known
            )


def _without_last(letters: str, known: Known) -> Iterator[Alignment]:
    for first, first_kind in known.forms.firsts:
        if len(first) < 3 and first_kind >= PET:
            continue
        at = letters.find(first)
        if at < 0:
            continue
        before, after = letters[:at], letters[at + len(first) :]
        yield _read(
            "pet" if first_kind >= PET else "first", first, "", (before, "", after), at, -1, first_kind, 0, known
        )
        size, last = _longest_cut(after, known.forms.lasts)
        if size:
            pattern = "first_cut" if size > 1 else "first_initial"
            yield _read(
                pattern, first, last[:size], (before, "", after[size:]), at, at + len(first), first_kind, 0, known
            )
        size, last = _longest_cut(before, known.forms.lasts)
        if size:
            pattern = "first_cut" if size > 1 else "first_initial"
            yield _read(pattern, first, last[:size], ("", before[size:], after), at, 0, first_kind, 1, known)
    yield from _cut_both(letters, known)
    yield from _initials_only(letters, known)
    yield from _core_only(letters, known)


def _cut_both(letters: str, known: Known) -> Iterator[Alignment]:
    """The starts of first and last name side by side: tizicip."""
    forms = known.forms
    begin = len(letters) - len(unexplained(letters, HEAD)) if letters[:1] != forms.initials[:1] else 0
    text = letters[begin:]
    for first, first_kind in forms.firsts:
        if first_kind >= PET or len(first) < 3 or not text.startswith(first[:3]):
            continue
        size = shared_prefix(text, first)
        cut, last = _longest_cut(text[size:], forms.lasts)
        if cut > 2:
            end = begin + size + cut
            gaps = (letters[:begin], "", letters[end:])
            yield _read("cut_cut", first[:size], last[:cut], gaps, begin, begin + size, first_kind, 0, known)


def _initials_only(letters: str, known: Known) -> Iterator[Alignment]:
    forms = known.forms
    if not forms.initials or not forms.lasts:
        return
    for short in (forms.initials + forms.lasts[0][0][0], forms.initials[0] + forms.lasts[0][0][0]):
        if letters.startswith(short):
            yield _read("initials", short, "", ("", "", letters[len(short) :]), 0, -1, 0, 0, known)


def _core_only(letters: str, known: Known) -> Iterator[Alignment]:
    """What is left of the handle without usual words is the monogram, or an initial and the start of the last name."""
    core = unexplained(letters, HEAD)
    start = letters.find(core)
    core = unexplained(core, TAIL)
    gaps = (letters[:start], "", letters[start + len(core) :])
    forms = known.forms
    if len(core) > 2 and core == forms.monogram:
        yield _read("monogram", core, "", gaps, start, -1, 0, 0, known)
    if len(core) > 4 and core[0] == forms.initials[:1]:
        size, last = _longest_cut(core[1:], forms.lasts)
        if size == len(core) - 1:
            yield _read("initial_cut", core[0], last[:size], gaps, start, start + 1, 0, 0, known)


def _longest_cut(text: str, lasts: Forms) -> tuple[int, str]:
    best, form = 0, ""
    for last, _ in lasts:
        size = shared_prefix(text, last)
        if size > best:
            best, form = size, last
    return best, form


def shared_prefix(left: str, right: str) -> int:
    """How many letters two words begin with alike."""
    size = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        size += 1
    return size


def _read(
    pattern: str,
    first: str,
    last: str,
    gaps: tuple[str, ...],
    first_at: int,
    last_at: int,
    first_kind: int,
    last_kind: int,
    known: Known,
) -> Alignment:
    left, place = 0, ""
    for where, gap in enumerate(gaps):
        if gap:
            rest = unexplained(gap, where)
            found = place_in(gap, rest, where, known.places)
            place = place or found
            left += _left_in(beside_place(rest, where, found), known)
    cost = PATTERNS[pattern] + left - 0.05 * (len(first) + len(last)) + 0.2 * last_kind
    return Alignment(pattern, first, last, gaps, left, first_at, last_at, first_kind, last_kind, cost, place)


def place_in(gap: str, rest: str, where: int, places: tuple[str, ...]) -> str:
    """The contact's place that a piece is or ends with; a two-letter code counts only at an end of the handle."""
    for place in places:
        if _is_place(gap, rest, where, place):
            return place
    return ""


def beside_place(rest: str, where: int, place: str) -> str:
    """What of an unexplained piece is left when a place is taken out of it; all of it where there is no place."""
    if not place:
        return rest
    return unexplained(rest.replace(place, "", 1), where) if len(place) > 2 and place in rest else ""


def _is_place(gap: str, rest: str, where: int, place: str) -> bool:
    if place in {rest, gap}:
        return len(place) > 2 or where != MIDDLE
    if where == TAIL and gap.endswith(place) and not unexplained(gap[: -len(place)], TAIL):
        return True
    return len(place) > 4 and (place in rest or (len(rest) >= ENOUGH_OF_A_PLACE and place.startswith(rest)))


def _left_in(rest: str, known: Known) -> int:
    """Letters of a piece that are no middle name or its initial and no other part of the family name."""
    if not rest or rest in known.forms.initials[1:]:
        return 0
    for form in known.own:
        if form in rest:
            return len(rest) - len(form)
    return len(rest)
