"""Purposes, answers and the records of consent; what the customer was asked and what she said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


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


@dataclass(frozen=True, slots=True, order=True)
class Assurance:
    """How strongly each side is proven, 0-3: ``h`` the account, ``c`` the contact (docs/consent.md, strength levels)."""

    h: int
    c: int

    def covers(self, needed: Assurance) -> bool:
        """Whether both sides are proven at least as strongly as needed."""
        return self.h >= needed.h and self.c >= needed.c


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


@dataclass(frozen=True, slots=True)
class Evidence:
    """What shows the answer later: the wording as shown, the customer's words, where it was said, and when."""

    wording: str
    customer_words: str
    reference: str | None = None
    said_at: datetime | None = None
