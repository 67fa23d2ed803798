"""What is asked of the consent flows, and what they answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from connector.domain.consent import Actor, Answer, Evidence, LinkState, Method


@dataclass(frozen=True, slots=True)
class RecordConsent:
    """An answer that an agent heard or read, with what was asked.

    The account is ``profile_id``, or ``network`` with ``handle`` (typed, or a pasted profile address) where nothing
    came from it yet. ``key`` is the request's own idempotency key: the same key writes once, for ever.
    """

    contact_id: str
    method: Method
    notice_id: str
    notice_version: str
    lang: str
    answers: Mapping[str, Answer]
    evidence: Evidence
    actor: Actor
    profile_id: str | None = None
    network: str | None = None
    handle: str | None = None
    scope: str = ""
    key: str | None = None


@dataclass(frozen=True, slots=True)
class WithdrawConsent:
    """Undoing: of one link's pair, of an account, of a contact, or of one pair; all purposes unless some are named.

    ``said_at`` is when the customer said it, where that is not now: what she granted later than that stands.
    """

    actor: Actor
    link_id: str | None = None
    profile_id: str | None = None
    contact_id: str | None = None
    purposes: frozenset[str] | None = None
    method: Method | None = None
    words: str | None = None
    said_at: datetime | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LinkChange:
    """One entry of the ledger and where its link stands after it."""

    link_id: str
    state: LinkState
    type: str
    seq: int
    hash: str
    at: datetime
    purposes: Mapping[str, str] = field(default_factory=dict)
    holds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a request did, entry by entry; empty when there was nothing to change."""

    changes: tuple[LinkChange, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was written."""
        return bool(self.changes)

    @property
    def first(self) -> LinkChange:
        """The only change, or the first of several."""
        return self.changes[0]


class NetworkSignal(StrEnum):
    """What a network tells about an account that concerns its links."""

    ACCESS_REVOKED = "access_revoked"
    MARKETING_STOP = "marketing_stop"
    DELETED = "deleted"
    UNDELETED = "undeleted"
    SUSPENDED = "suspended"
    UNSUSPENDED = "unsuspended"


def digest_of(command: RecordConsent | WithdrawConsent) -> str | None:
    """What identifies this very request for ever, or None where nothing tells it from a later one like it.

    The caller's key does; without one, the moment at which the customer said it, together with all the rest.
    """
    said_at = command.evidence.said_at if isinstance(command, RecordConsent) else command.said_at
    if command.key is not None:
        return _digest(type(command).__name__, str(command.actor), command.key)
    if said_at is None:
        return None
    facts = {name: getattr(command, name) for name in command.__slots__}
    return _digest(type(command).__name__, json.dumps(facts, sort_keys=True, default=_spelled))


def told_under_key(command: RecordConsent) -> str | None:
    """What a request under a key of its caller's says of whom, as a digest that only who has the key can make again.

    It tells the same request from another one under the same key, also when people joined or parted the contact since.
    """
    if command.key is None:
        return None
    said = (command.profile_id, command.network, command.handle, command.scope, command.contact_id, command.answers)
    return _digest(str(command.actor), command.key, json.dumps(said, sort_keys=True, default=_spelled))


def _spelled(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): each for key, each in value.items()}
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
