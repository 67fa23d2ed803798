"""What goes into a suggestion and what comes out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What the CRM knows of one contact; ``handles`` are those confirmed by consent, on any network."""

    contact_id: str
    first_name: str | None = None
    last_name: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    city: str | None = None
    state: str | None = None
    country: str | None = None
    handles: tuple[str, ...] = ()
    order_refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """A network's own word that the profile belongs to a contact: an account link, a shared own number, a login."""

    kind: str
    contact_id: str


@dataclass(frozen=True, slots=True)
class ProfileQuery:
    """A social profile and what its owner let us know.

    ``emails``, ``phones`` and ``order_refs`` are what the customer wrote in messages (a hint for this case only);
    ``confirmed_handles`` are other handles that this person confirmed; ``excluded`` are contacts not to be shown
    (declined, suppressed, "not this one"); ``brand`` says that the account is an organisation's or the brand's own.
    """

    network: str = ""
    handle: str | None = None
    display_name: str | None = None
    location: str | None = None
    bio: str | None = None
    emails: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    order_refs: tuple[str, ...] = ()
    confirmed_handles: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    proofs: tuple[Proof, ...] = ()
    country: str | None = None
    brand: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """One contribution to a score, in words an agent says aloud; ``weight`` is in log-odds."""

    kind: str
    detail: str
    weight: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contact it may be: a probability, the reasons that add up to its logit, and the CRM's duplicates of it."""

    contact_id: str
    score: float
    reasons: tuple[Reason, ...]
    duplicates: tuple[str, ...] = ()
