"""Purposes, answers and the records of consent; what the customer was asked and what she said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

COOL_OFF = timedelta(days=90)
"""After a no: nobody asks again before that."""

ASK_AGAIN = timedelta(days=14)
"""After a "not now"."""

UNBOUND_CLAIM = timedelta(days=90)
"""How long a handle that was only spoken of waits for its account to write to us."""

DELETED_ACCOUNT = timedelta(days=30)
"""How long a link is held for an account that its owner may still bring back."""

REVIEW_TIME = timedelta(hours=24)
"""How long a person has to read an unclear "disconnect me"; after that it counts as a withdrawal."""

EVIDENCE_KEPT = timedelta(days=3 * 365)
"""How long evidence outlives the end of its link: the time in which somebody may still ask for the proof."""


class Answer(StrEnum):
    """What the customer said to being asked."""

    YES = "yes"
    NO = "no"
    NOT_NOW = "not_now"


class LinkState(StrEnum):
    """Where a link stands; only ``active`` can permit anything. DPV names are in docs/consent.md."""

    ASKED = "asked"
    DEFERRED = "deferred"
    ACTIVE = "active"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    REVOKED = "revoked"
    INVALIDATED = "invalidated"
    SUPERSEDED = "superseded"
    ERASED = "erased"


LIVE = frozenset({LinkState.ASKED, LinkState.ACTIVE})
TERMINAL = frozenset(LinkState) - LIVE - {LinkState.DEFERRED}


class GrantState(StrEnum):
    """What stands for one purpose of one link; only ``granted`` can permit anything."""

    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    STALE = "stale"  # the notice changed in substance: it must be asked again
    NARROWED = "narrowed"  # another record of the same pair did not grant it


CUSTOMERS_WORD = frozenset({GrantState.REFUSED, GrantState.WITHDRAWN})
"""The customer's own no; nothing but her own yes ever takes its place."""


class HoldReason(StrEnum):
    """Why a link rests: the gate is closed, nothing is lost, and who set it can lift it."""

    ACCOUNT_DELETED = "account_deleted"
    ACCOUNT_SUSPENDED = "account_suspended"
    RECYCLED = "recycled"
    BINDING_REVIEW = "binding_review"
    POSSIBLE_WITHDRAWAL = "possible_withdrawal"
    CRM_OPTOUT = "crm_optout"
    CONTACT_MISSING = "contact_missing"
    SPLIT_REVIEW = "split_review"
    DISPUTE = "dispute"
    NOT_ME = "not_me"


class ActorKind(StrEnum):
    """On whose behalf something was done."""

    AGENT = "agent"
    PRIVACY = "privacy"
    ADMIN = "admin"
    CUSTOMER = "customer"
    NETWORK = "network"
    CRM = "crm"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: the kind, and an opaque id (of a user, a key, a network); never a name."""

    kind: ActorKind
    ref: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.ref}"


class Method(StrEnum):
    """How the answer reached us; each gives at most the assurance named in docs/consent.md."""

    AGENT_PHONE = "agent_phone"
    AGENT_CHAT = "agent_chat"
    AGENT_EMAIL = "agent_email"
    AGENT_STORE = "agent_store"
    AGENT_SOCIAL = "agent_social"
    REPLY = "reply"
    ONE_TIME_LINK = "one_time_link"
    SIGN_IN = "sign_in"
    WEB_FORM = "web_form"
    IMPORT = "import"
    NETWORK = "network"


AGENT_METHODS = frozenset(
    {Method.AGENT_PHONE, Method.AGENT_CHAT, Method.AGENT_EMAIL, Method.AGENT_STORE, Method.AGENT_SOCIAL}
)
"""Answers that an agent writes down; the others prove themselves by what the customer did."""


@dataclass(frozen=True, slots=True)
class Assurance:
    """How strongly each side is proven, 0-3: ``h`` the account, ``c`` the contact (docs/consent.md, levels)."""

    h: int
    c: int

    def covers(self, needed: Assurance) -> bool:
        """Whether both sides are proven at least as strongly as needed."""
        return self.h >= needed.h and self.c >= needed.c

    def weakest(self, other: Assurance) -> Assurance:
        """Each side as weakly as either proves it."""
        return Assurance(min(self.h, other.h), min(self.c, other.c))

    def strongest(self, other: Assurance) -> Assurance:
        """Each side as strongly as either proves it."""
        return Assurance(max(self.h, other.h), max(self.c, other.c))


ASSERTED = Assurance(1, 1)
"""What an agent's record proves: the customer said so, on both sides."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """One thing the customer can agree to; an operation belongs to exactly one purpose."""

    name: str
    operations: frozenset[str]
    minimum: Assurance
    lasts: timedelta
    dpv: str
    labels: Mapping[str, str]
    adults_only: bool = False


COMPANY = "{company}"
"""Stands in a wording for the name of the company that asks."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A published wording; immutable. ``material`` tells that what is agreed to changed since the version before."""

    id: str
    version: str
    lang: str
    purposes: frozenset[str]
    text: str
    sha256: str
    material: bool
    valid_from: datetime

    def rendered(self, company: str) -> str:
        """The words as the customer hears or reads them."""
        return self.text.replace(COMPANY, company)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows the answer later: the wording as shown, the customer's words, where it was said, and when."""

    wording: str
    customer_words: str
    reference: str | None = None
    said_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What stands for one purpose; ``seq`` is the ledger entry that made it (0 until it is written)."""

    purpose: str
    state: GrantState
    decided_at: datetime
    seq: int = 0
    notice_id: str | None = None
    notice_version: str | None = None
    granted_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def is_granted(self) -> bool:
        """Whether it was granted and not taken back; the clock and the notice are the gate's to ask."""
        return self.state is GrantState.GRANTED


@dataclass(frozen=True, slots=True)
class Hold:
    """One reason why a link rests, since when, by whom, and until when a person looks at it."""

    reason: HoldReason
    since_at: datetime
    by: str
    review_by_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LinkRecord:
    """All that is known of one account, one contact and what was asked and answered, in whatever state.

    Unlike ``domain.links.Link`` it also tells of asks, refusals and ended links; it permits nothing.
    """

    id: str
    profile_id: str
    contact_id: str
    state: LinkState
    assurance: Assurance
    asked_at: datetime
    by: str
    method: Method | None = None
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cool_until_at: datetime | None = None
    grants: Mapping[str, Grant] = field(default_factory=dict)
    holds: tuple[Hold, ...] = ()

    @property
    def granted(self) -> frozenset[str]:
        """The purposes that were granted and not taken back."""
        return frozenset(name for name, grant in self.grants.items() if grant.is_granted)

    @property
    def was_granted(self) -> bool:
        """Whether anything was ever granted, whatever became of it."""
        return any(grant.state is not GrantState.REFUSED for grant in self.grants.values())

    @property
    def is_live(self) -> bool:
        """Whether it waits for an answer or rests on one."""
        return self.state in LIVE


def state_after(answers: Iterable[Answer]) -> LinkState:
    """Where a first answer leads: one yes makes it active, else one no declined, else it is put off."""
    said = set(answers)
    if Answer.YES in said:
        return LinkState.ACTIVE
    return LinkState.DECLINED if Answer.NO in said else LinkState.DEFERRED


def state_without(grants: Iterable[Grant]) -> LinkState | None:
    """How a link ends that permits nothing any more; None while something is granted, or may be by asking again."""
    states = {grant.state for grant in grants}
    if states & {GrantState.GRANTED, GrantState.STALE}:
        return None
    if states & CUSTOMERS_WORD:
        return LinkState.WITHDRAWN
    return LinkState.EXPIRED if GrantState.EXPIRED in states else LinkState.REVOKED
