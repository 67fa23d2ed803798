"""Invented people of many languages, and the handles such people might choose; the same seed gives the same people."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from faker import Faker

from bench.identity.dataset import Labelled
from connector.domain.matching import ContactFacts, ProfileQuery
from connector.domain.matching.folding import fold
from connector.domain.matching.nicks import other_forms

_LOCALES = """
en_US en_US en_US en_GB en_IN de_DE fr_FR es_ES es_MX pt_BR it_IT
nl_NL pl_PL sv_SE tr_TR ro_RO cs_CZ hu_HU ru_RU uk_UA el_GR
"""
LOCALES = _LOCALES.split()
_HEADS = ("the", "real", "mr", "dr", "its", "iam", "team", "hey")
_TAILS = ("official", "tv", "music", "photo", "writes", "blog", "fit", "art", "fan", "games")
_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnprstvz" for vowel in "aeiou"]


@lru_cache(maxsize=32)
def _names(locale: str) -> tuple[list[str], list[str], list[float]]:
    fake = Faker(locale)
    fake.seed_instance(11)
    firsts = list(dict.fromkeys(fake.first_name() for _ in range(1500)))
    lasts = list(dict.fromkeys(fake.last_name() for _ in range(3000)))
    return firsts, lasts, list(accumulate(1 / (rank + 3) for rank in range(max(len(firsts), len(lasts)))))


def _pick(rng: random.Random, values: list[str], weights: list[float]) -> str:
    return values[min(bisect(weights, rng.random() * weights[len(values) - 1]), len(values) - 1)]


def contacts(count: int, seed: int = 1) -> Iterator[ContactFacts]:
    """So many invented contacts; common names are common, and every fourth family name is a rare one."""
    rng = random.Random(seed)
    for number in range(count):
        locale = rng.choice(LOCALES)
        firsts, lasts, weights = _names(locale)
        first = _pick(rng, firsts, weights)
        last = _pick(rng, lasts, weights)
        if rng.random() < 0.25:
            last = last[:3] + "".join(rng.choice(_SYLLABLES) for _ in range(rng.randint(1, 3)))
        if rng.random() < 0.08:
            first = f"{first} {_pick(rng, firsts, weights)}"
        email = f"{fold(first).split()[0]}.{fold(last).replace(' ', '')}{rng.randint(1, 99)}@mail.example.edu"
        yield ContactFacts(
            contact_id=f"G{number:08d}",
            first_name=first,
            last_name=last,
            emails=(email,) if rng.random() < 0.4 else (),
            city=f"{_pick(rng, lasts, weights)}ville" if rng.random() < 0.4 else None,
            country=locale[-2:],
        )


def labelled(people: int = 20_000, profiles: int = 3_000, seed: int = 2, missing: float = 0.2) -> Labelled:
    """A labelled set: handles of the contacts and, for a share of them, of people whom the base does not hold."""
    everybody = list(contacts(people, seed))
    rng = random.Random(seed + 1)
    kept = [each for each in everybody if rng.random() >= missing]
    there = {each.contact_id for each in kept}
    rows, truth, owner = [], {}, {}
    for number, person in enumerate(rng.sample(everybody, profiles)):
        profile_id = f"Q{number:06d}"
        rows.append((profile_id, _profile(rng, person)))
        owner[profile_id] = person.contact_id
        if person.contact_id in there:
            truth[profile_id] = frozenset([person.contact_id])
    return Labelled("generated", kept, rows, truth, owner)


def _profile(rng: random.Random, person: ContactFacts) -> ProfileQuery:
    shown = f"{person.first_name} {person.last_name}" if rng.random() < 0.15 else None
    return ProfileQuery(
        network=rng.choice(("x", "instagram", "facebook")),
        handle=handle_of(rng, person),
        display_name=shown,
        location=person.city if shown and rng.random() < 0.5 else None,
    )


def handle_of(rng: random.Random, person: ContactFacts) -> str:
    """A handle as people choose them: mostly the whole name, often dressed, sometimes nothing of it."""
    first = fold(person.first_name or "").split()[0]
    last = fold(person.last_name or "").replace(" ", "")
    if rng.random() < 0.15:
        first = rng.choice(sorted(other_forms(first)) or [first])
    kind = rng.random()
    joint = rng.choice(("", "", "", "_", "."))
    if kind < 0.66:
        core = f"{first}{joint}{last}" if rng.random() < 0.9 else f"{last}{joint}{first}"
    elif kind < 0.78:
        core = f"{first[0]}{joint}{last}"
    elif kind < 0.84:
        core = f"{first}{joint}{last[: rng.randint(1, 4)]}"
    elif kind < 0.90:
        core = last
    elif kind < 0.95:
        core = first
    else:
        core = "".join(rng.choice(_SYLLABLES) for _ in range(4))
    return _dressed(rng, core)


def _dressed(rng: random.Random, core: str) -> str:
    dress = rng.random()
    if dress < 0.2:
        core = f"{core}{rng.randint(1, 9999)}"
    elif dress < 0.3:
        core = f"{rng.choice(_HEADS)}{core}"
    elif dress < 0.4:
        core = f"{core}{rng.choice(('', '_'))}{rng.choice(_TAILS)}"
    elif dress < 0.48:
        core = core + "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(1, 3)))
    return core
