"""What one sighting of an account changes about its profile: the newest word about each attribute stands."""

from __future__ import annotations

import json
from dataclasses import dataclass

from connector.domain.addresses import NOTHING
from connector.domain.events import Author
from connector.domain.profiles import handle_key

DAY_MS = 86_400_000
ATTRIBUTES = ("handle", "display_name", "location", "bio", "followers", "verified", "profile_url")


@dataclass(slots=True)
class Profile:
    """A social profile as stored; the fields are the columns of the table, in its order and its plain types."""

    id: str
    network: str
    scope: str
    external_id: str | None
    handle: str | None
    handle_key: str | None
    display_name: str | None
    location: str | None
    bio: str | None
    followers: int | None
    verified: bool | None
    profile_url: str | None
    kind: str
    status: str
    account_created_at: int | None
    described_at: int
    attribute_times: str
    first_seen_at: int
    last_seen_at: int
    addresses: str

    @property
    def shown(self) -> tuple[object, ...]:
        """What the CRM shows of it; of the last activity the day alone, else every message would write a profile."""
        return (*(getattr(self, name) for name in ATTRIBUTES), self.last_seen_at // DAY_MS)


def first_sight(profile_id: str, network: str, scope: str, external_id: str | None, at: int) -> Profile:
    """A profile of which nothing is known but its id."""
    return Profile(
        id=profile_id, network=network, scope=scope, external_id=external_id, handle=None, handle_key=None,
        display_name=None, location=None, bio=None, followers=None, verified=None, profile_url=None, kind="person",
        status="active", account_created_at=None, described_at=0, attribute_times="{}", first_seen_at=at,
        last_seen_at=at, addresses=NOTHING,
    )  # fmt: skip


def seen(profile: Profile, at: int) -> None:
    """Notes that the account was active at this time."""
    profile.first_seen_at = min(profile.first_seen_at, at)
    profile.last_seen_at = max(profile.last_seen_at, at)


def describe(profile: Profile, author: Author, at: int) -> None:
    """Takes in what the author's account looked like at this time.

    Each attribute has its own time, since events tell different ones: an old word never replaces a newer one, and a
    missing one replaces nothing. Of two words of the same time the greater stands, so that any order ends alike.
    """
    told = {name: value for name in ATTRIBUTES if (value := getattr(author, name)) is not None}
    if not told:
        return
    times: dict[str, int] = json.loads(profile.attribute_times)
    for name, value in told.items():
        before, known = times.get(name, -1), getattr(profile, name)
        if at < before or (at == before and str(value) <= str(known)):
            continue
        times[name] = at
        setattr(profile, name, value)
    profile.attribute_times = json.dumps(times, sort_keys=True, separators=(",", ":"))
    profile.described_at = max(profile.described_at, at)
    if profile.handle is not None:
        profile.handle_key = handle_key(profile.network, profile.handle)
