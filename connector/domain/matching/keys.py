"""What the index holds for a contact: its search keys and its dictionary words. One page, so both sides agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from connector.domain.identifiers import canonical_email, canonical_handle, canonical_phone, local_part
from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.folding import fold
from connector.domain.matching.names import MAILED, name_forms, own_forms
from connector.domain.matching.places import place_words

KEYS_VERSION = 3
"""Raised whenever keys or words change, so that an index built by an older release asks to be rebuilt."""

FAMILY, GIVEN, PLACE = 0, 1, 2
Word = tuple[str, int]

LAST_FIRST, FIRST_LAST, CUT, AT_PLACE, LOCAL, EMAIL, PHONE, HANDLE, ORDER = "|", ">", "%", "~", "@", "=", "#", "!", "$"


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


def keys_of(contact: ContactFacts) -> list[str]:
    """The search keys of a canonical contact, sorted, each once."""
    forms = name_forms(contact.first_name, contact.last_name, contact.emails)
    lasts, firsts = own_forms(forms.lasts), own_forms(forms.firsts)
    keys = {f"{last}|{first}" for last in lasts for first in firsts or [forms.initials[:1]]}
    keys.update(f"{last}|{form}" for last in lasts[:2] for form, kind in forms.firsts if kind == MAILED)
    keys.update(f"{first}>{last}" for last in lasts[:1] for first in firsts)
    if lasts and firsts:
        keys.add(f"%{firsts[0][:3]}{lasts[0][:3]}")
    for place in place_words(contact.city, contact.state):
        keys.update(f"{word}~{place}" for word in (*lasts[:2], *firsts[:1]))
    for email in contact.emails:
        keys.add(f"={email}")
        if local := local_key(email):
            keys.add(f"@{local}")
    keys.update(f"#{phone_key(phone)}" for phone in contact.phones)
    keys.update(f"!{handle}" for handle in contact.handles)
    keys.update(f"${order}" for order in contact.order_refs)
    return sorted(keys)


def words_of(contact: ContactFacts) -> Counter[Word]:
    """The dictionary words of a canonical contact: each of its family names, given names and places once."""
    forms = name_forms(contact.first_name, contact.last_name)
    words: Counter[Word] = Counter()
    words.update((form, FAMILY) for form in own_forms(forms.lasts, 6))
    words.update((form, GIVEN) for form in own_forms(forms.firsts, 6))
    words.update((place, PLACE) for place in place_words(contact.city, contact.state))
    return words


def _clean(text: str | None) -> str | None:
    cleaned = " ".join(text.encode("utf-8", "replace").decode().replace("\0", "").split())[:120] if text else ""
    return cleaned or None


def _known(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))
