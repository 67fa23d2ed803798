"""Who is it: the profile of each event's customer, by the network's stable id; the handle is only an attribute."""

from __future__ import annotations

from collections.abc import Sequence

from connector.domain.channels import CONTENT, Direction, Kind
from connector.domain.profiles import handle_key
from connector.domain.sightings import Profile, describe, first_sight, may_bind, seen
from connector.flows.board import Arrival, Board, ProfileKey, Signal
from connector.store.profiles import HandleSeen, consented_at, load_profiles, load_unbound

DESCRIBING = frozenset({Kind.CONTACT_PROFILE, Kind.PROFILE_CHANGE, Kind.ACCOUNT_LINK})
"""Kinds that tell about an account without anything being said."""

SIGNALLING = frozenset(
    {Kind.ACCOUNT_UNLINK, Kind.ACCESS_REVOKED, Kind.DATA_DELETION, Kind.MARKETING_PREFERENCE, Kind.UNFOLLOW}
)
"""Kinds by which the customer says something about consent; they make no profile where there is none."""


def find_customers(board: Board, arrivals: Sequence[Arrival]) -> None:
    """Reads the profiles these events name, makes those that are new, and takes in what the events tell about them.

    A like, a delivery report or an edit makes nobody known: data is kept of people who wrote to the brand.
    """
    concerned = [each for each in arrivals if each.event.kind in CONTENT | DESCRIBING | SIGNALLING and _names(each)]
    board.profiles.update(load_profiles(board.uow, {key for each in concerned if (key := each.customer)}))
    unbound = _load_unbound(board, concerned)
    consents = consented_at(board.uow, {profile.id for profile in unbound.values()})
    for each in concerned:
        if each.event.kind in SIGNALLING:
            _signal(board, each)
        elif not _is_brand(each):
            profile = _profile(board, each, unbound, consents)
            _take_in(board, profile, each)


def profile_of(board: Board, arrival: Arrival) -> str | None:
    """The id of the profile of the event's customer, once they were found; None where the event names nobody."""
    key = _key(arrival)
    found = board.profiles.get(key) if key else None
    return found.id if found else None


def _names(arrival: Arrival) -> bool:
    return _key(arrival) is not None


def _key(arrival: Arrival) -> ProfileKey | None:
    if arrival.customer:
        return arrival.customer
    event = arrival.event
    if event.direction is Direction.INBOUND and not event.author.external_id and event.author.handle:
        return (event.network, event.scope, f"@{handle_key(event.network, event.author.handle)}")
    return None


def _is_brand(arrival: Arrival) -> bool:
    event = arrival.event
    return event.kind in DESCRIBING and event.customer_id == event.account_id


def _own_handle(arrival: Arrival) -> str | None:
    """The handle the event gives for the customer; the author's is the brand's where the brand wrote."""
    event = arrival.event
    if event.direction is not Direction.INBOUND or not event.author.handle:
        return None
    if event.author.external_id not in (None, event.customer_id):
        return None
    return handle_key(event.network, event.author.handle)


def _load_unbound(board: Board, arrivals: Sequence[Arrival]) -> dict[ProfileKey, Profile]:
    wanted = set()
    for each in arrivals:
        handle = _own_handle(each)
        if handle is not None:
            wanted |= {(each.event.network, each.event.scope, handle), (each.event.network, "", handle)}
    return load_unbound(board.uow, wanted) if wanted else {}


def _profile(board: Board, arrival: Arrival, unbound: dict[ProfileKey, Profile], consents: dict[str, int]) -> Profile:
    key = _key(arrival)
    if key is None:
        raise LookupError("only events that name a customer come here")
    known = board.profiles.get(key)
    waiting = _waiting(arrival, unbound)
    if known is None and key[2].startswith("@") and waiting is not None:
        known = waiting
    elif waiting is not None and waiting is not known:
        known = _bind(board, arrival, known, waiting, consents)
    if known is None:
        external_id = None if arrival.customer is None else key[2]
        known = first_sight(board.desk.profile_id(key), key[0], key[1], external_id, arrival.moment)
        board.new_profiles.add(known.id)
    board.profiles[key] = known
    return known


def _waiting(arrival: Arrival, unbound: dict[ProfileKey, Profile]) -> Profile | None:
    handle = _own_handle(arrival)
    if handle is None:
        return None
    network, scope = arrival.event.network, arrival.event.scope
    return unbound.get((network, scope, handle)) or unbound.get((network, "", handle))


def _bind(
    board: Board, arrival: Arrival, known: Profile | None, waiting: Profile, consents: dict[str, int]
) -> Profile | None:
    """The profile from a consent record becomes this account, when nothing speaks against it; else a person looks."""
    if waiting.external_id is not None:
        return known
    if known is not None or not may_bind(consents.get(waiting.id), waiting.account_created_at, arrival.moment):
        board.to_review.add(waiting.id)
        return known
    waiting.external_id = arrival.event.customer_id
    waiting.scope = arrival.event.scope
    return waiting


def _take_in(board: Board, profile: Profile, arrival: Arrival) -> None:
    seen(profile, arrival.moment)
    board.touched_profiles[profile.id] = profile
    event = arrival.event
    own = event.direction is Direction.INBOUND and event.author.external_id in (None, event.customer_id)
    if not own:
        return
    if describe(profile, event.author, arrival.moment):
        board.described.add(profile.id)
    if event.author.handle:
        _remember_handle(board, profile, event.author.handle, arrival.moment)


def _remember_handle(board: Board, profile: Profile, handle: str, at: int) -> None:
    key = (profile.id, handle_key(profile.network, handle))
    before = board.handles.get(key)
    if before is None:
        board.handles[key] = HandleSeen(*key, handle, at, at)
        return
    newest = max((before.last_seen_at, before.handle), (at, handle))[1]
    board.handles[key] = HandleSeen(*key, newest, min(before.first_seen_at, at), max(before.last_seen_at, at))


def _signal(board: Board, arrival: Arrival) -> None:
    profile = board.profiles.get(_key(arrival) or ("", "", ""))
    if profile is not None:
        told = arrival.event.extra.get("value")
        value = told if isinstance(told, str) else None
        board.signals.append(Signal(arrival.event.kind, profile.id, arrival.moment, value, arrival.key))
