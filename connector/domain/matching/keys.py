"""What the index holds for a contact: its search keys and its dictionary words. One page, so both sides agree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from connector.domain.identifiers import canonical_email, canonical_handle, canonical_phone, local_part
from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.folding import fold
from connector.domain.matching.names import FULL, MAILED, NameForms, name_forms, own_forms
from connector.domain.matching.places import place_words
from connector.domain.matching.sounds import sounds_key

KEYS_VERSION = 8
"""Raised whenever keys or words change, so that an index built by an older release asks to be rebuilt."""

FAMILY, GIVEN, PLACE = 0, 1, 2
MONOGRAM = 5
"""So many initials of a long name are looked up."""

Word = tuple[str, int]


def canonical(facts: ContactFacts) -> ContactFacts:
    """The contact with phones, e-mails and handles in canonical form; junk and repeats are dropped."""
    return ContactFacts(
        contact_id=facts.contact_id,
        first_name=_clean(facts.first_name),
        last_name=_clean(facts.last_name),
        emails=_known(canonical_email(each) for each in facts.emails),
        phones=_known(canonical_phone(each, facts.country) for each in facts.phones),
        city=_clean(facts.city),
        state=_clean(facts.state),
        country=_clean(facts.country),
        handles=_known(handle_key(each) for each in facts.handles),
        order_refs=_known(order_key(each) for each in facts.order_refs),
    )


def handle_key(handle: str | None) -> str | None:
    """The letters and digits of a handle, the same on every network."""
    return fold(canonical_handle(handle) or "").replace(" ", "") or None


def order_key(text: str | None) -> str | None:
    """The letters and digits of an order number."""
    return fold(text or "").replace(" ", "") or None


def local_key(email: str) -> str:
    """The letters and digits of an address before its @."""
    return fold(local_part(email)).replace(" ", "")


def phone_key(phone: str) -> str:
    """The last nine digits: enough to tell numbers apart, the same with and without a country."""
    return phone[-9:].lstrip("+")


class Entry(NamedTuple):
    """What the index holds for one contact: its search keys, sorted, and the dictionary words it counts for."""

    keys: list[str]
    words: list[Word]


def entry_of(contact: ContactFacts) -> Entry:
    """The keys and dictionary words of a canonical contact: its names, its places, its identifiers, each once."""
    forms = name_forms(contact.first_name, contact.last_name, contact.emails)
    lasts, firsts = own_forms(forms.lasts, 6), own_forms(forms.firsts, 6)
    places = place_words(contact.city, contact.state)
    words = [(form, FAMILY) for form in lasts]
    words += [(form, GIVEN) for form in firsts]
    words += [(place, PLACE) for place in places]
    keys = _name_keys(forms, lasts[:4], firsts[:4])
    keys += _identifier_keys(contact)
    keys += [f"{word}~{place}" for place in places for word in (*lasts[:2], *firsts[:2])]
    return Entry(sorted(set(keys)), words)


def _name_keys(forms: NameForms, lasts: list[str], firsts: list[str]) -> list[str]:
    keys = [f"{last}|{first}" for last in lasts for first in firsts or (forms.initials[:1],)]
    mailed = [form for form, kind in forms.firsts if kind == MAILED]
    if mailed:
        keys += [f"{last}|{form}" for last in lasts[:2] for form in mailed]
    if lasts and firsts:
        keys += [f"{first}>{lasts[0]}" for first in firsts]
        keys.append(f"%{firsts[0][:3]}{lasts[0][:3]}")
        whole = [form for form, kind in forms.lasts if kind == FULL]
        keys += [f"&{heard}" for first in firsts[:2] for last in whole if (heard := sounds_key(first, last))]
    if len(forms.monogram) > 2:
        keys.append(f"^{forms.monogram[:MONOGRAM]}")
    return keys


def _identifier_keys(contact: ContactFacts) -> list[str]:
    keys = [f"={email}" for email in contact.emails]
    keys += [f"@{local}" for local in map(local_key, contact.emails) if local]
    keys += [f"#{phone_key(phone)}" for phone in contact.phones]
    keys += [f"!{handle}" for handle in contact.handles]
    keys += [f"${order}" for order in contact.order_refs]
    return keys


def _clean(text: str | None) -> str | None:
    if not text:
        return None
    if text.isascii() and text.isprintable() and len(text) < 120:
        return text.strip() or None
    cleaned = " ".join(text.encode("utf-8", "replace").decode().replace("\0", "").split())[:120]
    return cleaned or None


def _known(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
