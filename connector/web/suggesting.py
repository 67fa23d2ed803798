"""Suggestions as a page may show them: names, a word for how likely, and the reasons that speak for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from connector.flows.context import Context
from connector.flows.suggest import suggest
from connector.queries import people
from connector.web.present import person_name

LIKELY = ((0.85, "very likely"), (0.5, "likely"), (0.2, "possible"))
SHOWN = 3
EVERYBODYS = "known_share"
"""A reason that every candidate has tells nothing about one."""
SPEAKING = 0.1
"""Reasons weaker than this (in log-odds) say nothing worth reading."""


@dataclass(frozen=True, slots=True)
class Guess:
    """One candidate in words."""

    contact_id: str
    name: str
    place: str
    email: str | None
    likelihood: str
    reasons: tuple[str, ...]


def guesses(ctx: Context, connection: Connection, profile_id: str) -> list[Guess]:
    """The likeliest contacts in words, at most three; empty when nobody is plausible."""
    found = suggest(ctx, profile_id, SHOWN)
    rows = people.contacts(connection, [each.contact_id for each in found])
    return [
        Guess(
            contact_id=each.contact_id,
            name=person_name(row["first_name"], row["last_name"]),
            place=", ".join(part for part in (row["city"], row["state"]) if part),
            email=row["email"],
            likelihood=likelihood(each.score),
            reasons=tuple(
                reason.detail
                for reason in sorted(each.reasons, key=lambda one: -one.weight)
                if reason.weight > SPEAKING and reason.kind != EVERYBODYS
            )[:4],
        )
        for each in found
        if (row := rows.get(each.contact_id)) is not None
    ]


def likelihood(score: float) -> str:
    """A word for a probability."""
    return next((word for limit, word in LIKELY if score >= limit), "a long shot")
