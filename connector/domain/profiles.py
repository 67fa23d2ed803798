"""Social profiles: an account at a network, apart from the contact it may belong to."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from connector.domain.keys import derive_id


@dataclass(frozen=True, slots=True)
class ProfileKey:
    """What identifies an account: the network's own stable id in its id space; the handle is only an attribute."""

    network: str
    scope: str
    external_id: str


@dataclass(frozen=True, slots=True)
class SocialProfile:
    """An account as last seen; attributes change, the key does not."""

    id: str
    network: str
    scope: str
    external_id: str | None
    handle: str | None = None
    display_name: str | None = None
    location: str | None = None
    bio: str | None = None
    followers: int | None = None
    verified: bool | None = None
    profile_url: str | None = None
    kind: str = "person"
    status: str = "active"


def spoken_id(namespace: UUID, network: str, scope: str, key: str) -> str:
    """The id of an account known by its handle alone; a kind of its own, since some networks' ids look like handles."""
    return derive_id(namespace, "handle", network, scope, key)


HANDLE_NETWORKS_WITH_CASE = frozenset({"youtube"})


def handle_key(network: str, handle: str) -> str:
    """The handle as it is compared: without @, casefolded except where the network's handles are case-sensitive.

    Confusable letters are never folded together: two accounts that look alike are two accounts.
    """
    bare = handle.strip().removeprefix("@")
    return bare if network in HANDLE_NETWORKS_WITH_CASE else bare.casefold()
