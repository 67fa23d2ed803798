"""What speaks for and against one contact: named, numeric features that the scorecard weighs."""

from __future__ import annotations

from itertools import pairwise
from math import log10

from connector.domain.matching.alignment import Alignment, align
from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.handles import AFFIXES, unexplained
from connector.domain.matching.keys import local_key, phone_key
from connector.domain.matching.names import PET, NameForms, name_forms
from connector.domain.matching.places import country_words, place_words
from connector.domain.matching.similarity import alike
from connector.domain.matching.view import ProfileView

Features = dict[str, float]

STRONG = frozenset({"first_last", "pet_last", "initials_last"})
_GROUP = {
    **dict.fromkeys(("first_last", "pet_last"), "full"),
    **dict.fromkeys(("initials_last", "initial_last", "cut_last", "first_cut"), "initial"),
    **dict.fromkeys(("first_initial", "last", "first", "pet", "initials", "none"), "single"),
}
_SHARE = {"initials_last": 0.01, "initial_last": 0.08, "cut_last": 0.02, "first_cut": 0.02, "first_initial": 0.08}
_STEPS = (1, 2, 3, 4, 6, 9)


def compare(view: ProfileView, contact: ContactFacts) -> tuple[Features, Alignment]:
    """The features of a pair and the reading of the handle they rest on."""
    forms = name_forms(contact.first_name, contact.last_name)
    reading = align(view.handle.letters, forms)
    found: Features = {"base": 1.0}
    if view.handle.plain:
        _handle_name(found, view, forms, reading)
        _handle_rest(found, view, contact, reading)
    if view.display:
        _display(found, view, forms)
    _places(found, view, contact)
    _bio(found, view, forms, contact)
    _identifiers(found, view, contact)
    if view.mixed:
        found["warning.mixed_script"] = 1.0
    return found, reading


def _handle_name(found: Features, view: ProfileView, forms: NameForms, reading: Alignment) -> None:
    pattern, group = reading.pattern, _GROUP[reading.pattern]
    found[f"name.{pattern}"] = 1.0
    if pattern == "none":
        return
    found[f"rarity.{group}"] = _log(_namesakes(view, forms, reading))
    matched = len(reading.first) + len(reading.last)
    found[f"length.{group}"] = min(matched, 14) / 10
    if reading.last and len(reading.last) < 4 and pattern not in {"first_cut", "first_initial"}:
        found["name.short_last"] = 1.0
    if reading.last_kind and reading.last_at >= 0 and pattern not in {"first_cut", "first_initial"}:
        found["name.part_of_last"] = 1.0
    if reading.first_kind == 1:
        found["name.second_first" if group == "full" else "name.far_initial"] = 1.0
    if 0 <= reading.last_at < reading.first_at:
        found[f"name.reversed_{group}"] = 1.0
    _edges(found, view, reading)


def _namesakes(view: ProfileView, forms: NameForms, reading: Alignment) -> float:
    """How many contacts would be expected to show this much of a name by chance."""
    size = max(view.size, 1)
    if reading.pattern in {"first_last", "pet_last"}:
        return _family(view, reading.last) * _given(view, reading.first, forms) / size
    if reading.pattern in {"first", "pet", "first_cut", "first_initial"}:
        return _given(view, reading.first, forms) * _SHARE.get(reading.pattern, 1.0)
    if reading.pattern == "initials":
        return size / 300
    return _family(view, reading.last) * _SHARE.get(reading.pattern, 1.0)


def _family(view: ProfileView, last: str) -> float:
    return max(view.count(last).family, 1)


def _given(view: ProfileView, first: str, forms: NameForms) -> float:
    own = sum(view.count(form).given for form, kind in forms.firsts[:6] if kind != PET)
    return max(view.count(first).given, own if view.count(first).given == 0 else 0, 1)


def _edges(found: Features, view: ProfileView, reading: Alignment) -> None:
    """Where the writer marked words by signs or capitals, a name's parts should begin and end there."""
    starts = view.handle.starts
    if len(starts) < 3:
        return
    marks = [at for at in (reading.first_at, reading.last_at) if at >= 0]
    if reading.last_at >= 0:
        marks.append(reading.last_at + len(reading.last))
    clash = sum(at not in starts for at in marks)
    if not clash:
        found["edges.agree"] = 1.0
    elif clash == 1:
        found["edges.clash_1"] = 1.0
    else:
        found["edges.clash_2"] = 1.0


def _handle_rest(found: Features, view: ProfileView, contact: ContactFacts, reading: Alignment) -> None:
    letters = view.handle.letters
    side = "strong" if reading.pattern in STRONG else "weak"
    rests = [rest for rest in map(unexplained, reading.gaps) if rest]
    left = reading.left if reading.pattern != "none" else len(unexplained(letters))
    own = place_words(contact.city, contact.state) + country_words(contact.country)
    for rest in rests:
        if rest in own or (len(rest) > 3 and any(rest in place for place in own)):
            found["place.in_handle"] = 1.0
            left -= len(rest)
        elif view.count(rest).place:
            found["rest.other_place"] = 1.0
        _other_names(found, view, rest, reading)
    for step in _STEPS:
        if left >= step:
            found[f"left.{side}_{step}"] = 1.0
    if letters:
        found[f"covered.{side}"] = max(0.0, 1 - left / len(letters))
    if any(gap and unexplained(gap) != gap for gap in reading.gaps) or any(gap in AFFIXES for gap in reading.gaps):
        found["rest.usual_words"] = 1.0
    if len(reading.gaps) == 3 and unexplained(reading.gaps[1]):
        found["rest.between"] = 1.0
    _digits(found, view, contact)
    if side == "weak" and contact.last_name:
        _similar(found, letters, contact)


def _other_names(found: Features, view: ProfileView, rest: str, reading: Alignment) -> None:
    if len(rest) < 3:
        return
    counts = view.count(rest)
    if counts.given and not reading.pattern.startswith(("first", "pet")):
        found["rest.other_first"] = 1.0
    elif counts.given:
        found["rest.second_first"] = 1.0
    if counts.family:
        found["rest.other_last"] = 1.0
    if not counts.given and not counts.family:
        heads = max(
            (size for size in range(3, len(rest)) if view.count(rest[:size]).given or view.count(rest[-size:]).given),
            default=0,
        )
        if heads >= 4:
            found["rest.holds_first"] = 1.0


def _digits(found: Features, view: ProfileView, contact: ContactFacts) -> None:
    digits = "".join(view.handle.digits)
    if not digits:
        return
    if len(digits) >= 4 and any(phone.endswith(digits) for phone in contact.phones):
        found["phone.end_in_handle"] = 1.0
    size = "1_2" if len(digits) < 3 else "3_4" if len(digits) < 5 else "5_up"
    found[f"digits.{size}"] = 1.0


def _similar(found: Features, letters: str, contact: ContactFacts) -> None:
    forms = name_forms(contact.first_name, contact.last_name)
    whole = forms.whole.replace(" ", "")
    similar = alike(letters, whole)
    if similar > 0.6:
        found["similar"] = (similar - 0.6) * 2.5


def _display(found: Features, view: ProfileView, forms: NameForms) -> None:
    words = view.display
    pairs = [first + second for first, second in pairwise(words)]
    spoken = {*words, *pairs, view.display_plain}
    last = next((form for form, _ in forms.lasts if form in spoken), "")
    first, kind = next(((form, kind) for form, kind in forms.firsts if form in spoken and form != last), ("", 0))
    size = max(view.size, 1)
    if last and first:
        found["shown.pet_last" if kind == PET else "shown.first_last"] = 1.0
        found["shown.rarity"] = _log(_family(view, last) * _given(view, first, forms) / size)
    elif last and forms.initials and any(word == forms.initials[0] for word in words):
        found["shown.initial_last"] = 1.0
    elif last:
        found["shown.last"] = 1.0
    elif first:
        found["shown.first"] = 1.0
    else:
        found["shown.none"] = 1.0
    known = {form for form, _ in (*forms.firsts, *forms.lasts)}
    rest = sum(
        1
        for word in words
        if word not in AFFIXES and word not in known and word not in last and word not in forms.initials
    )
    if rest:
        found[f"shown.rest_{min(rest, 3)}"] = 1.0


def _places(found: Features, view: ProfileView, contact: ContactFacts) -> None:
    if not view.places:
        return
    city, state = place_words(contact.city, None), place_words(None, contact.state)
    if any(word in view.places for word in city):
        found["place.city"] = 1.0
    if any(word in view.places for word in state):
        found["place.state"] = 1.0
    if any(word in view.places for word in country_words(contact.country)):
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
    joined = "".join(view.bio)
    if any(len(place) > 3 and place in joined for place in place_words(contact.city, contact.state)):
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
    own = {view.handle.plain, view.handle.letters} - {""}
    if own and any(local_key(email) in own for email in contact.emails):
        found["email.local_is_handle"] = 1.0


def _log(value: float) -> float:
    return max(-4.0, min(2.0, log10(max(value, 1e-4))))
