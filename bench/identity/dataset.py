"""Labelled data: contacts, profiles and who is who, from a folder in the bulk files' layout or made by generate.py."""

from __future__ import annotations

import csv
import json
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from connector.domain.matching import ContactFacts, ProfileQuery

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = ROOT.parent / "shared" / "data" / "identity"


@dataclass(frozen=True)
class Labelled:
    """One labelled set; a profile without an entry in ``truth`` belongs to nobody in ``contacts``."""

    name: str
    contacts: list[ContactFacts]
    profiles: list[tuple[str, ProfileQuery]]
    truth: dict[str, frozenset[str]]
    people: dict[str, str] = field(default_factory=dict)

    def fold(self, profile_id: str, folds: int) -> int:
        """The fold of a profile: the same for all profiles of one person."""
        person = self.people.get(profile_id, profile_id)
        return int.from_bytes(blake2b(person.encode(), digest_size=4).digest(), "big") % folds


def folder() -> Path | None:
    """Where the labelled data lies, by CONNECTOR_IDENTITY_DATA or beside the checkout; None when it is not there."""
    place = Path(os.environ.get("CONNECTOR_IDENTITY_DATA", DEFAULT))
    return place if (place / "truth.csv").exists() else None


def load(place: Path, name: str = "") -> Labelled:
    """The labelled set of a folder with contacts.csv, profiles.jsonl and truth.csv."""
    truth: dict[str, set[str]] = defaultdict(set)
    with (place / "truth.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            truth[row["profile_id"]].add(row["contact_id"])
    frozen = {profile: frozenset(contacts) for profile, contacts in truth.items()}
    contacts, profiles = list(read_contacts(place / "contacts.csv")), list(read_profiles(place / "profiles.jsonl"))
    return Labelled(name or place.name, contacts, profiles, frozen, _people(frozen))


def read_contacts(path: Path) -> Iterator[ContactFacts]:
    """The contacts of a CSV in the layout of the bulk command."""
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield ContactFacts(
                contact_id=row["contact_id"],
                first_name=row["first_name"],
                last_name=row["last_name"],
                emails=tuple(filter(None, [row["email"]])),
                phones=tuple(filter(None, [row["phone"]])),
                city=row["city"],
                state=row["state"],
                country=row["country"],
            )


def read_profiles(path: Path) -> Iterator[tuple[str, ProfileQuery]]:
    """The profiles of a JSON-lines file in the layout of the bulk command."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield (
                row["profile_id"],
                ProfileQuery(
                    network=row["network"],
                    handle=row["handle"],
                    display_name=row["display_name"],
                    location=row["location"],
                    bio=row["bio"],
                ),
            )


def _people(truth: dict[str, frozenset[str]]) -> dict[str, str]:
    """One name per person: contacts that share a profile are one person, through any chain."""
    parent: dict[str, str] = {}

    def root(contact: str) -> str:
        while parent.setdefault(contact, contact) != contact:
            contact = parent[contact]
        return contact

    for contacts in truth.values():
        first, *others = sorted(contacts)
        for other in others:
            parent[root(other)] = root(first)
    return {profile: root(min(contacts)) for profile, contacts in truth.items()}
