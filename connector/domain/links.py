"""Links and permits: the only two things in the code base that join an account to a contact.

A ``Link`` cannot be made without the consent record it rests on, and a ``Permit`` only by the gate (``flows/access``):
both constructors ask for a private token.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connector.domain.consent import Assurance, LinkState

_GATE = object()
"""Handed to nobody but ``issue_permit`` below and its one caller, the gate; a test counts the callers."""


class DenyReason(StrEnum):
    """Why the gate says no; the API shows it as it is."""

    NO_LINK = "no_link"
    AMBIGUOUS = "ambiguous"
    HOLD = "hold"
    NO_GRANT = "no_grant"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    GRANT_EXPIRED = "grant_expired"
    NOTICE_STALE = "notice_stale"
    LEVEL_TOO_LOW = "level_too_low"
    CONTACT_MISSING = "contact_missing"
    UNMAPPED_OPERATION = "unmapped_operation"


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """The recorded answer a link rests on: its ledger entry, the notice shown and the purposes granted."""

    ledger_seq: int
    notice_id: str
    notice_version: str
    granted: frozenset[str]

    def __post_init__(self) -> None:
        if self.ledger_seq < 1:
            raise ValueError("a consent record is an entry of the ledger")


@dataclass(frozen=True, slots=True)
class Link:
    """A consented join of one account and one contact; cannot exist without its consent record."""

    id: str
    profile_id: str
    contact_id: str
    state: LinkState
    assurance: Assurance
    consent: ConsentRecord
    holds: frozenset[str] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if not isinstance(self.consent, ConsentRecord):
            raise TypeError("a Link needs the ConsentRecord it rests on")


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to use one contact for one account and one operation, at the moment it was given."""

    profile_id: str
    contact_id: str
    operation: str
    purpose: str
    link_id: str
    given_at: datetime
    _token: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._token is not _GATE:
            raise TypeError("only the gate gives permits: ask connector.flows.access.permit")


@dataclass(frozen=True, slots=True)
class Denied:
    """No leave, and why; ``detail`` names the hold or the missing level."""

    profile_id: str
    operation: str
    reason: DenyReason
    detail: str | None = None
    since: datetime | None = None


def issue_permit(
    *, profile_id: str, contact_id: str, operation: str, purpose: str, link_id: str, given_at: datetime
) -> Permit:
    """A permit; called by the gate and nobody else (tests/repo checks it)."""
    return Permit(profile_id, contact_id, operation, purpose, link_id, given_at, _GATE)
