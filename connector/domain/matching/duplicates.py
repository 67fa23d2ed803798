"""Contacts that the CRM holds twice: shown to the agent as one row."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol, TypeVar

from connector.domain.matching.facts import ContactFacts
from connector.domain.matching.names import PET, NameForms, name_forms


class HasContact(Protocol):
    """Anything that carries a contact."""

    @property
    def contact(self) -> ContactFacts:
        """The contact."""
        ...


W = TypeVar("W", bound=HasContact)


def group_duplicates(ranked: list[W], excluded: Collection[str], rare: Callable[[ContactFacts], bool]) -> list[list[W]]:
    """The ranked contacts in groups of one person each, best first; a group with an excluded contact is left out.

    ``rare`` says whether a contact's name is so rare that another bearer of it in one place is hardly somebody else.
    """
    groups: list[list[W]] = []
    homes: dict[str, list[list[W]]] = {}
    for each in ranked:
        marks = _marks(each.contact)
        near = (group for mark in marks for group in homes.get(mark, ()))
        home = next((group for group in near if same_person(group[0].contact, each.contact, rare)), None)
        if home is None:
            home = []
            groups.append(home)
        home.append(each)
        for mark in marks:
            homes.setdefault(mark, []).append(home)
    return [group for group in groups if not any(each.contact.contact_id in excluded for each in group)]


def _marks(contact: ContactFacts) -> list[str]:
    """What two contacts must have in common before it is worth comparing them."""
    name = [f"{contact.last_name}, {contact.state}".casefold()] if contact.state else []
    return [*name, *contact.emails, *contact.phones, *(f"!{handle}" for handle in contact.handles)]


def same_person(one: ContactFacts, other: ContactFacts, rare: Callable[[ContactFacts], bool]) -> bool:
    """Whether two contacts are surely one person: the name and an address, number, handle or place are the same."""
    forms, others = name_forms(one.first_name, one.last_name), name_forms(other.first_name, other.last_name)
    if not forms.lasts or not others.lasts or not _names_fit(forms, others):
        return False
    pairs = ((one.emails, other.emails), (one.phones, other.phones), (one.handles, other.handles))
    if any(set(mine) & set(theirs) for mine, theirs in pairs):
        return True
    if not one.state or one.state != other.state or one.country != other.country:
        return False
    contradictions = sum(bool(mine and theirs) for mine, theirs in pairs)
    contradictions += bool(one.city and other.city and one.city != other.city)
    return not contradictions or (contradictions == 1 and rare(one))


def _names_fit(one: NameForms, other: NameForms) -> bool:
    """Equal family names, given names that are equal or pet forms of each other, and no initial against it."""
    if one.lasts[0] != other.lasts[0]:
        return False
    if one.whole == other.whole:
        return True
    if any(left != right for left, right in zip(one.initials[1:], other.initials[1:], strict=False)):
        return False
    mine, theirs = (
        {form for form, kind in one.firsts if kind < PET},
        {form for form, kind in other.firsts if kind < PET},
    )
    return bool(mine & {form for form, _ in other.firsts} or theirs & {form for form, _ in one.firsts})
