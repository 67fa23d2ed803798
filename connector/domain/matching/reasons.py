"""A score in words an agent says aloud; the weights, competition among them, add up to the logit of the score."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connector.domain.matching.alignment import Alignment
from connector.domain.matching.facts import ContactFacts, Reason
from connector.domain.matching.features import Features
from connector.domain.matching.scorecard import HIGHEST, Scorecard
from connector.domain.matching.usual import unexplained
from connector.domain.matching.view import ProfileView

_TOPIC = {
    "name": "name",
    "also": "name", "length": "name", "edges": "name", "similar": "name",
    "covered": "left", "left": "left", "rarity": "rarity", "rest": "rest", "digits": "digits",
    "shown": "shown", "place": "place", "bio": "bio", "email": "email", "phone": "phone", "order": "order",
    "handle": "handle", "proof": "proof", "warning": "warning", "base": "base",
}  # fmt: skip

_HANDLE = {
    "first_last": "the handle holds first and last name: {first} + {last}",
    "pet_last": "the handle holds a short form of the first name and the last name: {first} + {last}",
    "initials_last": "the handle holds the initials and the last name: {first} + {last}",
    "initial_last": "the handle holds the first initial and the last name: {first} + {last}",
    "cut_last": "the handle holds the start of the first name and the last name: {first} + {last}",
    "first_cut": "the handle holds the first name and the start of the last name: {first} + {last}",
    "first_initial": "the handle holds the first name and the last initial: {first} + {last}",
    "last": "the handle holds the last name only: {last}",
    "first": "the handle holds the first name only: {first}",
    "pet": "the handle holds a short form of the first name only: {first}",
    "cut_cut": "the handle holds the starts of first and last name: {first} + {last}",
    "initial_cut": "the handle holds the first initial and the start of the last name: {first} + {last}",
    "heard": "the handle sounds like the contact's first and last name: {first}",
    "spelt": "the handle is the contact's first and last name in another spelling: {first}",
    "monogram": "the handle holds the initials of the whole name: {first}",
    "initials": "the handle begins with the initials: {first}",
    "none": "no part of the name stands in the handle",
}
_KIND = {
    "first_last": "handle_is_first_last",
    "pet_last": "handle_is_nickname_last",
    "initials_last": "handle_is_initials_last",
    "initial_last": "handle_is_initial_last",
    "cut_last": "handle_is_short_first_last",
    "first_cut": "handle_is_first_short_last",
    "first_initial": "handle_is_first_initial",
    "last": "handle_has_last",
    "first": "handle_has_first",
    "pet": "handle_has_nickname",
    "cut_cut": "handle_is_short_first_short_last",
    "initial_cut": "handle_is_initial_short_last",
    "heard": "handle_sounds_like_name",
    "spelt": "handle_sounds_like_name",
    "monogram": "handle_is_monogram",
    "initials": "handle_is_initials",
    "none": "handle_has_no_name",
}
_SHOWN = {
    "shown.first_last": "the shown name is the contact's first and last name",
    "shown.pet_last": "the shown name is a short form of the first name and the last name",
    "shown.initial_last": "the shown name is the contact's initial and last name",
    "shown.heard": "the shown name sounds like the contact's first and last name",
    "shown.last": "the shown name has the last name but another first name",
    "shown.first": "the shown name has the first name but not the last name",
    "shown.first_alike": "a first name that is shown begins alike",
    "shown.initial_same": "a middle initial is the same",
    "shown.initial_other": "the middle initial is another",
    "shown.none": "the shown name has no part of the contact's name",
}
_REST = {
    "rest.other_first": "the rest of the handle is another first name",
    "rest.second_first": "the rest of the handle is one more first name",
    "rest.other_last": "the rest of the handle is another last name",
    "rest.short_other_last": "the rest of the handle may be another last name",
    "rest.holds_first": "the rest of the handle holds another first name",
    "rest.other_place": "the rest of the handle is a place that is not the contact's",
    "rest.read_otherwise": "the handle is read with digits as letters, or with repeated letters once",
    "rest.longer_name": "the letters are a part of a longer name",
    "rest.between": "unexplained letters stand between first and last name",
    "rest.usual_words": "around the name stand usual words such as a title",
}
_PLACE = {
    "place.city": "the city is the same",
    "place.state": "the state is the same",
    "place.country": "the country is the same",
    "place.in_handle": "the contact's place stands in the handle",
    "place.code_in_front": "the contact's place may begin the handle",
    "place.code_marked": "the contact's place ends the handle",
    "place.code_in_handle": "the contact's place may end the handle",
    "place.other": "the stated place is another",
}
_BIO = {
    "bio.first_last": "the bio names the contact",
    "bio.last": "the bio has the contact's last name",
    "bio.place": "the bio names the contact's place",
}
_EMAIL = {
    "email.equal": "the customer gave an e-mail address that is this contact's",
    "email.local_is_handle": "the handle equals the contact's e-mail address before the @",
}
_PHONE = {
    "phone.equal": "the customer gave a phone number that is this contact's",
    "phone.equal_end": "the customer gave a phone number that ends like this contact's",
    "phone.end_in_handle": "the handle's digits are the end of the contact's phone number",
}
_PROOF = {
    "own_phone": "the account's owner shared their own phone number, and it is this contact's",
    "confirmed_email": "the account's e-mail address is confirmed, and it is this contact's",
    "confirmed_phone": "the account's phone number is confirmed, and it is this contact's",
}
_PROVEN = "the network itself says that this account is this contact's"
_PROVEN_ELSEWHERE = "what is proven of this account is another contact's"
_PLAIN = {
    "order": "the customer named an order of this contact",
    "handle": "this contact confirmed the same handle on another network",
    "warning": "look closely: the name mixes letters of several scripts that look alike",
    "base": "before looking at anything, hardly any contact fits a given profile",
}


class Scene(NamedTuple):
    """What a reason may speak of: the features of its topic, the profile, the contact and the reading of the handle."""

    names: list[str]
    view: ProfileView
    contact: ContactFacts
    reading: Alignment


def explain(
    card: Scorecard, view: ProfileView, contact: ContactFacts, features: Features, reading: Alignment, final: float
) -> tuple[Reason, ...]:
    """The reasons of one suggestion, the weightiest first, then where everybody starts and the competition."""
    weights: dict[str, float] = {}
    names: dict[str, list[str]] = {}
    for name, weight in card.contributions(features).items():
        topic = _TOPIC.get(name.partition(".")[0], "name")
        weights[topic] = weights.get(topic, 0.0) + weight
        names.setdefault(topic, []).append(name)
    base = weights.pop("base", 0.0)
    reasons = [_reason(topic, weight, Scene(names[topic], view, contact, reading)) for topic, weight in weights.items()]
    reasons.sort(key=lambda reason: (-abs(reason.weight), reason.kind))
    reasons.append(Reason("base", _PLAIN["base"], base))
    if card.known_share is not None:
        reasons.append(Reason("known_share", _known_share(card.known_share), card.prior))
    competition = final - sum(reason.weight for reason in reasons)
    said = "nothing is held for surer than this" if final >= HIGHEST else _competition(competition)
    return (*reasons, Reason("competition", said, competition))


def _known_share(share: float) -> str:
    return f"how many of your writers are customers: {share * 100:.3g} of 100, as the settings say"


def _competition(weight: float) -> str:
    if weight > -0.1:
        return "no other contact comes close"
    return "other contacts fit too" if weight > -1.5 else "other contacts fit as well or better"


def _reason(topic: str, weight: float, scene: Scene) -> Reason:
    writer = _WRITERS.get(topic)
    kind, detail = writer(scene) if writer else (topic, _PLAIN[topic])
    return Reason(kind, detail, weight)


Writer = Callable[[Scene], tuple[str, str]]


def _name(scene: Scene) -> tuple[str, str]:
    reading = scene.reading
    detail = _HANDLE[reading.pattern].format(first=f"'{reading.first}'", last=f"'{reading.last}'")
    return _KIND[reading.pattern], detail


def _left(scene: Scene) -> tuple[str, str]:
    gaps = scene.reading.gaps or ("", "", scene.view.handle.letters)
    rests = [rest for where, gap in enumerate(gaps) if (rest := unexplained(gap, where))]
    if not any(name.startswith("left.") for name in scene.names) or not rests:
        return "handle_explained", "every letter of the handle is explained"
    letters = sum(map(len, rests))
    quoted = ", ".join(f"'{rest}'" for rest in rests)
    return "letters_unexplained", f"{letters} letter{'s' * (letters > 1)} unexplained: {quoted}"


def _rarity(scene: Scene) -> tuple[str, str]:
    view, reading = scene.view, scene.reading
    parts = []
    if reading.last_at >= 0 and view.count(reading.last).family:
        parts.append(f"last name '{reading.last}': {view.count(reading.last).family}")
    if len(reading.first) > 1 and view.count(reading.first).given:
        parts.append(f"first name '{reading.first}': {view.count(reading.first).given}")
    said = f"{', '.join(parts)} of {view.size} contacts" if parts else "how often such a short form fits by chance"
    return "rarity", said


def _digits(scene: Scene) -> tuple[str, str]:
    return "digits", f"digits in the handle: {' '.join(scene.view.handle.digits)}"


def _shown(scene: Scene) -> tuple[str, str]:
    said = "; ".join(_SHOWN[name] for name in scene.names if name in _SHOWN)
    rest = next((name[-1] for name in scene.names if name.startswith("shown.rest_")), "")
    more = f"; {rest} more word{'s' * (rest != '1')} in it" if rest else ""
    return "display_name", said + more


def _phrases(kind: str, table: dict[str, str]) -> Writer:
    def write(scene: Scene) -> tuple[str, str]:
        return kind, "; ".join(table[name] for name in scene.names if name in table) or kind

    return write


def _proof(scene: Scene) -> tuple[str, str]:
    kinds = {each.kind for each in scene.view.proofs if each.contact_id == scene.contact.contact_id}
    said = {_PROOF.get(kind, _PROVEN) for kind in kinds}
    return "proof", "; ".join(sorted(said)) or _PROVEN_ELSEWHERE


_WRITERS: dict[str, Writer] = {
    "name": _name,
    "left": _left,
    "rarity": _rarity,
    "digits": _digits,
    "shown": _shown,
    "rest": _phrases("rest_of_handle", _REST),
    "place": _phrases("place", _PLACE),
    "bio": _phrases("bio", _BIO),
    "email": _phrases("email", _EMAIL),
    "phone": _phrases("phone", _PHONE),
    "proof": _proof,
}
