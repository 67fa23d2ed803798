"""People who sign in, the keys of their programs, and the roles both hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What somebody is here for; connector/web/permissions.py says what each may do. ``ingest`` is for keys only."""

    AGENT = "agent"
    ADMIN = "admin"
    REPORTER = "reporter"
    PRIVACY = "privacy"
    INGEST = "ingest"


USER_ROLES = (Role.AGENT, Role.ADMIN, Role.REPORTER, Role.PRIVACY)


@dataclass(frozen=True, slots=True)
class User:
    """A person who signs in to the pages; ``session_epoch`` rises to end every session at once."""

    id: str
    name: str
    role: Role
    is_active: bool
    session_epoch: int
    created_at: datetime
    crm_user_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A program's key as it may be shown: the token itself is seen once, at its making."""

    id: str
    name: str
    hint: str
    role: Role
    created_at: datetime
    used_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking: a signed-in user or the holder of an API key."""

    kind: str
    id: str
    name: str
    role: Role

    @property
    def actor(self) -> str:
        """How the ledger and the audit trail name this one: an id, never a personal name."""
        return f"{self.kind}:{self.id}"
