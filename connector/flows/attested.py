"""What senders tell about the person behind an account: shared numbers, addresses, references.

What came along with a message is read from the live messages at the moment of asking and kept nowhere, so it is gone
when the message is; what was told apart from any stays with the profile until the account asks to be forgotten. Nothing
here links: what a network attests only rules the order of whom to ask.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from connector.domain.addresses import NOTHING, tellings, with_confirmed
from connector.domain.matching import Proof
from connector.domain.matching.bearers import bearers_of_email, bearers_of_phone
from connector.domain.matching.index import SuggestionIndex
from connector.store.tables import interactions, social_profiles

LATEST = 50


@dataclass(frozen=True, slots=True)
class Attested:
    """Hints as good as written ones, and of each kind of proof the newest telling."""

    emails: tuple[str, ...]
    phones: tuple[str, ...]
    order_refs: tuple[str, ...]
    own_phone: str | None
    confirmed_email: str | None
    confirmed_phone: str | None

    def proofs(self, index: SuggestionIndex) -> tuple[Proof, ...]:
        """A proof for each contact that bears what the network vouches for."""
        named = (
            ("own_phone", bearers_of_phone, self.own_phone),
            ("confirmed_email", bearers_of_email, self.confirmed_email),
            ("confirmed_phone", bearers_of_phone, self.confirmed_phone),
        )
        return tuple(
            Proof(kind, contact_id) for kind, bearers, value in named if value for contact_id in bearers(index, value)
        )


def attested(connection: Connection, profile_id: str) -> Attested:
    """What was told of this profile: by its latest live messages, as their mappings name it, and apart from them."""
    told = _told(connection, profile_id)
    return Attested(
        emails=_texts(told, "email", "confirmed_email"),
        phones=_texts(told, "own_phone", "phone", "confirmed_phone"),
        order_refs=_texts(told, "reference_id", "reference"),
        own_phone=_newest(told, "own_phone"),
        confirmed_email=_newest(told, "confirmed_email"),
        confirmed_phone=_newest(told, "confirmed_phone"),
    )


def _told(connection: Connection, profile_id: str) -> list[Mapping[str, Any]]:
    """The newest first."""
    latest = (
        select(interactions.c.occurred_at, interactions.c.extra)
        .where(
            interactions.c.profile_id == profile_id,
            interactions.c.author_role == "customer",
            interactions.c.state == "live",
            interactions.c.extra != "{}",
        )
        .order_by(interactions.c.occurred_at.desc(), interactions.c.id)
        .limit(LATEST)
    )
    told = [(at, with_confirmed(json.loads(extra))) for at, extra in connection.execute(latest).all()]
    kept = connection.execute(select(social_profiles.c.addresses).where(social_profiles.c.id == profile_id)).scalar()
    told += tellings(kept or NOTHING)
    return [each for _, each in sorted(told, key=lambda told: -told[0])]


def _texts(told: Iterable[Mapping[str, Any]], *names: str) -> tuple[str, ...]:
    values = (each.get(name) for each in told for name in names)
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and value))


def _newest(told: Iterable[Mapping[str, Any]], name: str) -> str | None:
    return next(iter(_texts(told, name)), None)
