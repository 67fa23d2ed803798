"""What speaks for and against one contact: named, numeric features that the scorecard weighs."""

from __future__ import annotations

from itertools import pairwise
from math import log10

from connector.domain.matching.alignment import STRONG, Alignment, Known, align, beside_place, known_of, place_in
from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.hearing import as_heard, heard_in
from connector.domain.matching.keys import local_key, phone_key
from connector.domain.matching.names import PET, NameForms, name_forms
from connector.domain.matching.places import country_words, place_words
from connector.domain.matching.similarity import alike
from connector.domain.matching.usual import HEAD, MIDDLE, TAIL, USUAL, unexplained
from connector.domain.matching.view import ProfileView

Features = dict[str, float]

_GROUP = {
    **dict.fromkeys(("first_last", "pet_last"), "full"),
    **dict.fromkeys(
        ("initials_last", "initial_last", "cut_last", "first_cut", "cut_cut", "initial_cut", "heard", "spelt"),
        "initial",
    ),
    **dict.fromkeys(("first_initial", "last", "first", "pet", "initials", "monogram", "none"), "single"),
}
_SHARE = {"initials_last": 0.01, "initial_last": 0.08, "cut_last": 0.02, "first_cut": 0.02, "first_initial": 0.08}
_CUT_LAST = frozenset({"first_cut", "first_initial", "cut_cut", "initial_cut"})
_CHANCE = {"initials": 300, "cut_cut": 20000, "initial_cut": 10000}
"""Of so many contacts one is expected to fit such a short form by chance."""
_STEPS = (1, 2, 3, 4, 6, 9)


def compare(view: ProfileView, contact: ContactFacts) -> tuple[Features, Alignment]:
    """The features of a pair and the reading of the handle they rest on."""
    forms = name_forms(contact.first_name, contact.last_name, contact.emails)
    places = (*place_words(contact.city, contact.state), *country_words(contact.country))
    known = known_of(forms, places, view.handle.letters)
    reading = as_heard(view, forms, align(view.handle.letters, known))
    found: Features = {"base": 1.0}
    shown = _shown(found, view, forms) if view.named else ""
    if view.handle.plain:
        _handle(found, view, contact, known, reading, shown)
    _places(found, view, contact)
    _bio(found, view, forms, contact)
    _identifiers(found, view, contact)
    if view.mixed:
        found["warning.mixed_script"] = 1.0
    return found, reading


def _handle(
    found: Features, view: ProfileView, contact: ContactFacts, known: Known, reading: Alignment, shown: str
) -> None:
    """The handle in full where it stands alone; beside a shown name it repeats the same evidence and says less."""
    forms = known.forms
    rests, left = _rests(found, view, known, reading)
    if view.named:
        found[f"also.{reading.pattern}"] = 1.0
        for step in (1, 3, 6):
            if left >= step:
                found[f"also.left_{step}"] = 1.0
        if reading.first and _cut_out(view, reading):
            found["also.cut_out"] = 1.0
        elif shown not in {"first_last", "pet_last"} and reading.pattern != "none":
            found["also.rarity"] = log_of(namesakes(view, forms, reading))
        return
    _name(found, view, forms, reading)
    if view.second:
        found["rest.read_otherwise"] = 1.0
    _left(found, view, reading, left)
    for rest in rests:
        _other_names(found, view, rest, reading)
    _digits(found, view, contact)
    if reading.pattern not in STRONG:
        _similar(found, view.handle.letters, forms)


def _cut_out(view: ProfileView, reading: Alignment) -> bool:
    """Whether the first name was read inside of a longer word that both the shown name and the handle hold."""
    return reading.first not in view.display and any(
        reading.first in word and word in view.handle.letters for word in view.display if len(word) < 12
    )


def _name(found: Features, view: ProfileView, forms: NameForms, reading: Alignment) -> None:
    pattern, group = reading.pattern, _GROUP[reading.pattern]
    found[f"name.{pattern}"] = 1.0
    if pattern == "none":
        return
    found[f"rarity.{group}"] = log_of(namesakes(view, forms, reading))
    found[f"length.{group}"] = min(len(reading.first) + len(reading.last), 14) / 10
    if pattern not in _CUT_LAST and reading.last:
        if len(reading.last) < 4:
            found["name.short_last"] = 1.0
        if reading.last_kind:
            found[f"name.part_of_last_{group}"] = 1.0
    if reading.first_kind == 1:
        found["name.second_first" if group == "full" else "name.far_initial"] = 1.0
    if 0 <= reading.last_at < reading.first_at:
        found[f"name.reversed_{group}"] = 1.0
    _other_readings(found, view, forms, reading)
    _edges(found, view, reading)


def namesakes(view: ProfileView, forms: NameForms, reading: Alignment) -> float:
    """How many contacts would be expected to show this much of a name by chance."""
    size = max(view.size, 1)
    share = _SHARE.get(reading.pattern, 1.0)
    if reading.pattern in {"first_last", "pet_last"}:
        return family(view, reading.last) * given(view, reading.first, forms) / size
    if reading.pattern in {"first", "pet", "first_cut", "first_initial"}:
        return given(view, reading.first, forms) * share
    if reading.pattern in {"heard", "spelt"}:
        return size * 8.0 ** -len(view.heard)
    if reading.pattern == "monogram":
        return size * 15.0 ** -len(reading.first)
    if reading.pattern in _CHANCE:
        return size / _CHANCE[reading.pattern]
    return family(view, reading.last) * share


def family(view: ProfileView, last: str) -> float:
    """How many contacts bear the last name, the one at hand included."""
    return max(view.count(last).family, 1)


def given(view: ProfileView, first: str, forms: NameForms) -> float:
    """How many contacts bear the first name, or where nobody does, its full form."""
    bearers = view.count(first).given
    return max(bearers or sum(view.count(form).given for form, kind in forms.firsts[:6] if kind < PET), 1)


def _other_readings(found: Features, view: ProfileView, forms: NameForms, reading: Alignment) -> None:
    """How many contacts bear a longer name that the reading cuts, or the same one in its other place."""
    parts = [(at, at + len(part)) for at, part in ((reading.first_at, reading.first), (reading.last_at, reading.last))]
    holding = [names for start, end in parts if start >= 0 and (names := view.longer_names(start, end))]
    if holding:
        own = {form for form, _ in (*forms.firsts, *forms.lasts)}
        longer = max(next((bearers for bearers, name in names if name not in own), 0) for names in holding)
        if longer:
            found["rest.longer_name"] = log10(1 + longer)
    if reading.pattern in STRONG:
        return
    if reading.last and reading.pattern not in _CUT_LAST:
        counts = view.count(reading.last)
        found["rarity.as_first"] = log10(1 + counts.given / max(counts.family, 1))
    elif reading.pattern in {"first", "pet"}:
        counts = view.count(reading.first)
        found["rarity.as_last"] = log10(1 + counts.family / max(counts.given, 1))


def _edges(found: Features, view: ProfileView, reading: Alignment) -> None:
    """Where the writer marked words by signs or capitals, a name's parts should begin and end there."""
    starts = view.handle.starts
    if len(starts) < 3:
        return
    marks = [at for at in (reading.first_at, reading.last_at) if at >= 0]
    if reading.last_at >= 0:
        marks.append(reading.last_at + len(reading.last))
    clash = sum(at not in starts for at in marks)
    found[("edges.agree", "edges.clash_1")[clash] if clash < 2 else "edges.clash_2"] = 1.0


def _rests(found: Features, view: ProfileView, known: Known, reading: Alignment) -> tuple[list[str], int]:
    """The unexplained pieces around the name and their letters, those that are the contact's place taken out."""
    letters = view.handle.letters
    gaps, left = reading.gaps, reading.left
    if reading.pattern == "none":
        gaps, left = ("", "", letters), len(unexplained(letters, TAIL))
    rests, usual = [], False
    for where, gap in enumerate(gaps):
        rest = unexplained(gap, where) if gap else ""
        usual = usual or len(rest) < len(gap)
        place = place_in(gap, rest, where, known.places) if gap else ""
        if place:
            found[_place_feature(view, place, where)] = 1.0
        elif view.count(rest).place and where != MIDDLE:
            found["rest.other_place"] = 1.0
        if rest := beside_place(rest, where, place):
            rests.append(rest)
    if not view.named:
        if usual:
            found["rest.usual_words"] = 1.0
        if unexplained(gaps[MIDDLE], MIDDLE):
            found["rest.between"] = 1.0
    return rests, left


def _place_feature(view: ProfileView, place: str, where: int) -> str:
    if len(place) > 2:
        return "place.in_handle"
    if where == HEAD:
        return "place.code_in_front"
    marked = len(view.handle.letters) - 2 in view.handle.starts
    return "place.code_marked" if marked else "place.code_in_handle"


def _left(found: Features, view: ProfileView, reading: Alignment, left: int) -> None:
    side = "strong" if reading.pattern in STRONG else "weak"
    for step in _STEPS:
        if left >= step:
            found[f"left.{side}_{step}"] = 1.0
    letters = len(view.handle.letters)
    if letters:
        found[f"covered.{side}"] = max(0.0, 1 - left / letters)
    if reading.pattern in STRONG and reading.gaps[HEAD] and unexplained(reading.gaps[HEAD], HEAD):
        found["left.before_name"] = 1.0


def _other_names(found: Features, view: ProfileView, rest: str, reading: Alignment) -> None:
    if len(rest) < 3:
        return
    counts = view.count(rest)
    has_first = reading.pattern.startswith(("first", "pet"))
    if counts.given:
        found["rest.second_first" if has_first else "rest.other_first"] = 1.0
    if counts.family:
        found["rest.other_last" if not reading.last or len(rest) > 3 else "rest.short_other_last"] = 1.0
    if not counts.given and not counts.family:
        longest = max(
            (size for size in range(3, len(rest)) if view.count(rest[:size]).given or view.count(rest[-size:]).given),
            default=0,
        )
        if longest >= 4:
            found["rest.holds_first"] = 1.0


def _digits(found: Features, view: ProfileView, contact: ContactFacts) -> None:
    digits = "".join(view.handle.digits)
    if not digits:
        return
    if len(digits) >= 4 and any(phone.endswith(digits) for phone in contact.phones):
        found["phone.end_in_handle"] = 1.0
    size = "1_2" if len(digits) < 3 else "3_4" if len(digits) < 5 else "5_up"
    found[f"digits.{size}"] = 1.0


def _similar(found: Features, letters: str, forms: NameForms) -> None:
    similar = alike(letters, forms.whole.replace(" ", ""))
    if similar > 0.6:
        found["similar"] = (similar - 0.6) * 2.5


def _shown(found: Features, view: ProfileView, forms: NameForms) -> str:
    words = view.display
    spoken = {*words, *(first + second for first, second in pairwise(words)), *view.display_joined}
    last = next((form for form, _ in forms.lasts if form in spoken), "")
    first, kind = next(((form, kind) for form, kind in forms.firsts if form in spoken and form != last), ("", 0))
    pattern = _shown_pattern(words, forms, first, kind, last)
    if pattern in {"last", "first", "none"} and heard_in(forms, tuple(view.shown_sounds)):
        pattern = "heard"
    found[f"shown.{pattern}"] = 1.0
    if pattern in {"first_last", "pet_last"}:
        found["shown.rarity"] = log_of(family(view, last) * given(view, first, forms) / max(view.size, 1))
    elif pattern in {"initial_last", "last"}:
        found["shown.rarity_last"] = log_of(family(view, last))
    _shown_first(found, view, forms, pattern, last)
    known = {form for form, _ in (*forms.firsts, *forms.lasts)}
    rest = [word for word in words if word not in USUAL and word not in known and word not in last]
    rest = [word for word in rest if word not in forms.initials]
    if rest:
        found[f"shown.rest_{min(len(rest), 3)}"] = 1.0
    return pattern


def _shown_first(found: Features, view: ProfileView, forms: NameForms, pattern: str, last: str) -> None:
    """What the given names and initials that are shown say of the contact's, beyond being equal."""
    words = [word for word in view.display if word not in USUAL and word not in last]
    own = [form for form, kind in forms.firsts if kind < PET]
    if pattern == "last":
        if any(len(form) > 2 and word[:3] == form[:3] for form in own for word in words):
            found["shown.first_alike"] = 1.0
        return
    if pattern not in {"first_last", "pet_last"}:
        return
    middle, letters = forms.initials[1:], [word for word in view.display if len(word) == 1]
    if middle and letters:
        found["shown.initial_same" if any(each in middle for each in letters) else "shown.initial_other"] = 1.0


def _shown_pattern(words: tuple[str, ...], forms: NameForms, first: str, kind: int, last: str) -> str:
    if last and first:
        return "pet_last" if kind >= PET else "first_last"
    if last:
        return "initial_last" if forms.initials and forms.initials[0] in words else "last"
    return "first" if first else "none"


def _places(found: Features, view: ProfileView, contact: ContactFacts) -> None:
    stated = view.places | view.shown_places
    if not stated:
        return
    city, state = place_words(contact.city, None), place_words(None, contact.state)
    if any(word in stated for word in city):
        found["place.city"] = 1.0
    if any(word in stated for word in state):
        found["place.state"] = 1.0
    if any(word in stated for word in country_words(contact.country)):
        found["place.country"] = 1.0
    known = any(view.count(place).place for place in view.places)
    if known and (city or state) and not {"place.city", "place.state"} & found.keys():
        found["place.other"] = 1.0


def _bio(found: Features, view: ProfileView, forms: NameForms, contact: ContactFacts) -> None:
    if not view.bio:
        return
    spoken = set(view.bio)
    last = any(form in spoken for form, _ in forms.lasts)
    if last and any(form in spoken for form, kind in forms.firsts):
        found["bio.first_last"] = 1.0
    elif last:
        found["bio.last"] = 1.0
    joined, spaced = "".join(view.bio), f" {' '.join(view.bio)}"
    places = [place for place in place_words(contact.city, contact.state) if len(place) > 3]
    if any(place in joined or (len(place) > 4 and f" {place[:-1]}" in spaced) for place in places):
        found["bio.place"] = 1.0


def _identifiers(found: Features, view: ProfileView, contact: ContactFacts) -> None:
    if view.emails.intersection(contact.emails):
        found["email.equal"] = 1.0
    if view.phones and view.phones.intersection(contact.phones):
        found["phone.equal"] = 1.0
    elif view.phones and {phone_key(each) for each in view.phones} & {phone_key(each) for each in contact.phones}:
        found["phone.equal_end"] = 1.0
    if view.orders.intersection(contact.order_refs):
        found["order.equal"] = 1.0
    if view.handles.intersection(contact.handles):
        found["handle.confirmed_elsewhere"] = 1.0
    _mailbox(found, view, contact)


def _mailbox(found: Features, view: ProfileView, contact: ContactFacts) -> None:
    """People reuse what stands before the @ of their address."""
    own = {view.handle.plain, view.handle.letters} - {""}
    locals_ = [local_key(email) for email in contact.emails[:3]]
    if own.intersection(locals_):
        found["email.local_is_handle"] = 1.0


def log_of(value: float) -> float:
    """The decimal logarithm, held between -4 and 2."""
    return max(-4.0, min(2.0, log10(max(value, 1e-4))))
