"""What came along with a customer's messages about the person: shared numbers, addresses, references.

Read from the live messages at the moment of asking and kept nowhere, so it is gone when the message is. Nothing here
links: what a network attests only rules the order of whom to ask.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from connector.domain.matching import Proof
from connector.domain.matching.bearers import bearers_of_email, bearers_of_phone
from connector.domain.matching.index import SuggestionIndex
from connector.store.tables import interactions

LATEST = 50


@dataclass(frozen=True, slots=True)
class Attested:
    """Hints as good as written ones, and of each kind of proof the newest telling."""

    emails: tuple[str, ...]
    phones: tuple[str, ...]
    order_refs: tuple[str, ...]
    own_phone: str | None
    verified_email: str | None
    verified_phone: str | None

    def proofs(self, index: SuggestionIndex) -> tuple[Proof, ...]:
        """A proof for each contact that bears what the network vouches for."""
        named = (
            ("own_phone", bearers_of_phone, self.own_phone),
            ("verified_email", bearers_of_email, self.verified_email),
            ("verified_phone", bearers_of_phone, self.verified_phone),
        )
        return tuple(
            Proof(kind, contact_id) for kind, bearers, value in named if value for contact_id in bearers(index, value)
        )


def attested(connection: Connection, profile_id: str) -> Attested:
    """What the latest live messages of this profile brought along, as their mappings name it."""
    told = _told(connection, profile_id)
    verified = [each for each in told if each.get("verified_contact") is True]
    return Attested(
        emails=_texts(told, "email"),
        phones=_texts(told, "own_phone", "phone"),
        order_refs=_texts(told, "reference_id"),
        own_phone=_newest(told, "own_phone"),
        verified_email=_newest(verified, "email"),
        verified_phone=_newest(verified, "phone"),
    )


def _told(connection: Connection, profile_id: str) -> list[Mapping[str, Any]]:
    latest = (
        select(interactions.c.extra)
        .where(
            interactions.c.profile_id == profile_id,
            interactions.c.author_role == "customer",
            interactions.c.state == "live",
            interactions.c.extra != "{}",
        )
        .order_by(interactions.c.occurred_at.desc(), interactions.c.id)
        .limit(LATEST)
    )
    return [json.loads(extra) for extra in connection.execute(latest).scalars()]


def _texts(told: Iterable[Mapping[str, Any]], *names: str) -> tuple[str, ...]:
    values = (each.get(name) for each in told for name in names)
    return tuple(dict.fromkeys(value for value in values if isinstance(value, str) and value))


def _newest(told: Iterable[Mapping[str, Any]], name: str) -> str | None:
    return next(iter(_texts(told, name)), None)
