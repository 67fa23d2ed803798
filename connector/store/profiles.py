"""Social profiles as ingestion reads and writes them, with the history of their handles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, select

from connector.domain.sightings import Profile
from connector.store.rows import Many, RowMap, among, by_place
from connector.store.tables import outbox, social_profiles
from connector.store.unit_of_work import UnitOfWork

PROFILES = RowMap(social_profiles, Profile)


def load_profiles(uow: UnitOfWork, wanted: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], Profile]:
    """The stored profiles of these keys (network, scope, external id), by key."""
    found: dict[tuple[str, str, str], Profile] = {}
    for (network, scope), names in by_place(wanted).items():
        where = and_(
            social_profiles.c.network == network,
            social_profiles.c.scope == scope,
            among(uow, social_profiles.c.external_id, names),
        )
        for profile in _profiles(uow, where):
            found[(network, scope, profile.external_id or "")] = profile
    return found


def load_unbound(uow: UnitOfWork, wanted: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], Profile]:
    """Profiles known only by a handle, for these keys (network, scope, handle key), by key."""
    found: dict[tuple[str, str, str], Profile] = {}
    for (network, scope), names in by_place(wanted).items():
        where = and_(
            social_profiles.c.external_id.is_(None),
            social_profiles.c.network == network,
            social_profiles.c.scope == scope,
            among(uow, social_profiles.c.handle_key, names),
        )
        for profile in _profiles(uow, where):
            found[(network, scope, profile.handle_key or "")] = profile
    return found


def _profiles(uow: UnitOfWork, where: ColumnElement[bool]) -> list[Profile]:
    return [Profile(*row) for row in uow.connection.execute(select(*PROFILES.columns).where(where)).all()]


@dataclass(frozen=True, slots=True)
class HandleSeen:
    """A profile was seen under this handle between these times."""

    profile_id: str
    handle_key: str
    handle: str
    first_seen_at: int
    last_seen_at: int


_SEEN = Many.insert(
    "profile_handles",
    {"profile_id": "text", "handle_key": "text", "handle": "text", "first_seen_at": "bigint", "last_seen_at": "bigint"},
    """
ON CONFLICT (profile_id, handle_key) DO UPDATE SET
  handle = CASE WHEN excluded.last_seen_at > profile_handles.last_seen_at THEN excluded.handle
    WHEN excluded.last_seen_at = profile_handles.last_seen_at AND excluded.handle > profile_handles.handle
    THEN excluded.handle ELSE profile_handles.handle END,
  first_seen_at = CASE WHEN excluded.first_seen_at < profile_handles.first_seen_at THEN excluded.first_seen_at
    ELSE profile_handles.first_seen_at END,
  last_seen_at = CASE WHEN excluded.last_seen_at > profile_handles.last_seen_at THEN excluded.last_seen_at
    ELSE profile_handles.last_seen_at END
""",
)


def record_handles(uow: UnitOfWork, seen: Sequence[HandleSeen]) -> None:
    """Adds to the history of handles: first and last time of each."""
    _SEEN.run(uow, [(each.profile_id, each.handle_key, each.handle, each.first_seen_at, each.last_seen_at)
                    for each in seen])  # fmt: skip


def known_to_crm(uow: UnitOfWork, profile_ids: Collection[str]) -> set[str]:
    """Those of these profiles that were ever queued for the CRM."""
    if not profile_ids:
        return set()
    where = and_(outbox.c.object == "Social_Profile__c", among(uow, outbox.c.external_key, profile_ids))
    return set(uow.connection.execute(select(outbox.c.external_key).where(where)).scalars())
