"""Social profiles as ingestion reads and writes them, with the history of their handles."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import and_, case, select

from connector.domain.sightings import Profile
from connector.store.queues import insert
from connector.store.rows import RowMap, paged
from connector.store.tables import outbox, profile_handles, social_profiles
from connector.store.unit_of_work import UnitOfWork

PROFILES = RowMap(social_profiles, Profile)

Place = tuple[str, str]
"""Network and scope: the id space that an account's id lives in."""


def load_profiles(uow: UnitOfWork, wanted: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], Profile]:
    """The stored profiles of these keys (network, scope, external id), by key."""
    found: dict[tuple[str, str, str], Profile] = {}
    for (network, scope), names in _by_place(wanted).items():
        for page in paged(names):
            where = and_(
                social_profiles.c.network == network,
                social_profiles.c.scope == scope,
                social_profiles.c.external_id.in_(page),
            )
            for row in uow.connection.execute(select(*PROFILES.columns).where(where)):
                profile = Profile(*row)
                found[(network, scope, profile.external_id or "")] = profile
    return found


def load_unbound(uow: UnitOfWork, wanted: Collection[tuple[str, str, str]]) -> dict[tuple[str, str, str], Profile]:
    """Profiles known only by a handle, for these keys (network, scope, handle key), by key."""
    found: dict[tuple[str, str, str], Profile] = {}
    for (network, scope), names in _by_place(wanted).items():
        for page in paged(names):
            where = and_(
                social_profiles.c.external_id.is_(None),
                social_profiles.c.network == network,
                social_profiles.c.scope == scope,
                social_profiles.c.handle_key.in_(page),
            )
            for row in uow.connection.execute(select(*PROFILES.columns).where(where)):
                profile = Profile(*row)
                found[(network, scope, profile.handle_key or "")] = profile
    return found


def _by_place(wanted: Collection[tuple[str, str, str]]) -> dict[Place, list[str]]:
    grouped: dict[Place, list[str]] = {}
    for network, scope, name in sorted(wanted):
        grouped.setdefault((network, scope), []).append(name)
    return grouped


@dataclass(frozen=True, slots=True)
class HandleSeen:
    """A profile was seen under this handle between these times."""

    profile_id: str
    handle_key: str
    handle: str
    first_seen_at: int
    last_seen_at: int


def record_handles(uow: UnitOfWork, seen: Sequence[HandleSeen]) -> None:
    """Adds to the history of handles: first and last time of each."""
    if not seen:
        return
    rows = [
        {
            "profile_id": each.profile_id, "handle_key": each.handle_key, "handle": each.handle,
            "first_seen_at": each.first_seen_at, "last_seen_at": each.last_seen_at,
        }
        for each in seen
    ]  # fmt: skip
    statement = insert(uow, profile_handles)
    table, new = profile_handles.c, statement.excluded
    later = new.last_seen_at > table.last_seen_at
    tied = and_(new.last_seen_at == table.last_seen_at, new.handle > table.handle)
    changes = {
        "handle": case((later | tied, new.handle), else_=table.handle),
        "first_seen_at": case((new.first_seen_at < table.first_seen_at, new.first_seen_at), else_=table.first_seen_at),
        "last_seen_at": case((later, new.last_seen_at), else_=table.last_seen_at),
    }
    upsert = statement.on_conflict_do_update(index_elements=["profile_id", "handle_key"], set_=changes)
    uow.connection.execute(upsert, rows)


def known_to_crm(uow: UnitOfWork, profile_ids: Collection[str]) -> set[str]:
    """Those of these profiles that were ever queued for the CRM."""
    found: set[str] = set()
    for page in paged(sorted(profile_ids)):
        where = and_(outbox.c.object == "Social_Profile__c", outbox.c.external_key.in_(page))
        found.update(uow.connection.execute(select(outbox.c.external_key).where(where)).scalars())
    return found
