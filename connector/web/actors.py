"""Who acts, as the consent flows want to know it."""

from __future__ import annotations

from connector.domain.consent import Actor, ActorKind
from connector.domain.people import Principal, Role
from connector.errors import Forbidden

_KINDS = {Role.AGENT: ActorKind.AGENT, Role.ADMIN: ActorKind.ADMIN, Role.PRIVACY: ActorKind.PRIVACY}


def actor_of(principal: Principal) -> Actor:
    """The actor for the ledger: what kind of person, and the opaque id of the user or key."""
    kind = _KINDS.get(principal.role)
    if kind is None:
        raise Forbidden
    return Actor(kind, principal.id)
