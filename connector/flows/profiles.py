"""Who is it: the profile of each event's customer, by the network's stable id; the handle is only an attribute."""

from __future__ import annotations

from collections.abc import Sequence

from connector.domain.addresses import NOTHING, forgotten, with_told
from connector.domain.channels import CONTENT, Direction, Kind
from connector.domain.profiles import handle_key, spoken_id
from connector.domain.sightings import Profile, describe, first_sight, seen
from connector.flows.board import Arrival, Board, ProfileKey, Signal
from connector.store.profiles import HandleSeen, load_profiles, load_unbound

BY_HANDLE = "\0"
"""Begins the key of an account known by its handle alone; no network's own id does, though some begin with an @."""

DESCRIBING = frozenset({Kind.CONTACT_PROFILE, Kind.PROFILE_CHANGE, Kind.ACCOUNT_LINK})
"""Kinds that tell about an account without anything being said."""

MEETING = CONTENT | DESCRIBING
"""Kinds by which the brand gets to know an account."""

ABOUT_CASES = frozenset({Kind.CASE_UPDATE, Kind.CASE_PENDING, Kind.CASE_RESOLVED})

SIGNALLING = frozenset(
    {Kind.ACCOUNT_UNLINK, Kind.ACCESS_REVOKED, Kind.DATA_DELETION, Kind.MARKETING_PREFERENCE, Kind.UNFOLLOW}
)
"""Kinds by which the customer says something about consent; they make no profile where there is none."""

FORGETTING = frozenset({Kind.ACCESS_REVOKED, Kind.DATA_DELETION})
"""Of these, the kinds after which nothing is kept that a sender told of the account apart from its messages."""


def find_customers(board: Board, arrivals: Sequence[Arrival]) -> None:
    """Reads the profiles these events name, makes those that are new, and takes in what the events tell about them.

    A like, a delivery report or an edit makes nobody known: data is kept of people who wrote to the brand.
    """
    concerned = [each for each in arrivals if each.event.kind in MEETING | SIGNALLING | ABOUT_CASES]
    board.profiles.update(load_profiles(board.uow, {key for each in concerned if (key := each.customer)}))
    _load_nameless(board, concerned)
    for each in concerned:
        key = _key(each)
        if key is None:
            continue
        if each.event.kind in SIGNALLING:
            _signal(board, each, key)
        elif each.event.kind in ABOUT_CASES:
            if with_told(NOTHING, each.event.extra, each.moment) != NOTHING:
                _take_addresses(board, _profile(board, each, key), each)
        elif not _is_brand(each):
            _take_in(board, _profile(board, each, key), each)


def profile_of(board: Board, arrival: Arrival) -> str | None:
    """The id of the profile of the event's customer, once they were found; None where the event names nobody."""
    key = _key(arrival)
    found = board.profiles.get(key) if key else None
    return found.id if found else None


def _key(arrival: Arrival) -> ProfileKey | None:
    if arrival.customer:
        return arrival.customer
    event = arrival.event
    if event.direction is Direction.INBOUND and not event.author.external_id and event.author.handle:
        return (event.network, event.scope, f"{BY_HANDLE}{handle_key(event.network, event.author.handle)}")
    return None


def _is_brand(arrival: Arrival) -> bool:
    event = arrival.event
    return event.kind in DESCRIBING and event.customer_id == event.account_id


def _load_nameless(board: Board, arrivals: Sequence[Arrival]) -> None:
    """Reads the profiles of those who have a handle and no id: on a network without ids, or from a consent record."""
    wanted = {(key[0], key[1], key[2][1:]) for each in arrivals if each.customer is None and (key := _key(each))}
    if wanted:
        found = load_unbound(board.uow, wanted)
        board.profiles.update(
            {(network, scope, f"{BY_HANDLE}{handle}"): each for (network, scope, handle), each in found.items()}
        )


def _profile(board: Board, arrival: Arrival, key: ProfileKey) -> Profile:
    known = board.profiles.get(key)
    if known is None:
        if arrival.customer is None:
            profile_id, external_id = spoken_id(board.desk.namespace, key[0], key[1], key[2][1:]), None
        else:
            profile_id, external_id = board.desk.profile_id(key), key[2]
        known = first_sight(profile_id, key[0], key[1], external_id, arrival.moment)
        board.profiles[key] = known
        board.new_profiles.add(known.id)
    return known


def _take_in(board: Board, profile: Profile, arrival: Arrival) -> None:
    before = profile.shown
    seen(profile, arrival.moment)
    board.touched_profiles[profile.id] = profile
    event = arrival.event
    if event.direction is Direction.INBOUND and event.author.external_id in (None, event.customer_id):
        describe(profile, event.author, arrival.moment)
        if event.author.handle:
            _remember_handle(board, profile, event.author.handle, arrival.moment)
    if event.kind in DESCRIBING:
        _take_addresses(board, profile, arrival)
    if profile.shown != before:
        board.changed_profiles.add(profile.id)


def _take_addresses(board: Board, profile: Profile, arrival: Arrival) -> None:
    """What came with a message stays with the message alone; what was told apart from any is the profile's."""
    addresses = with_told(profile.addresses, arrival.event.extra, _told_at(arrival))
    if addresses != profile.addresses:
        profile.addresses = addresses
        board.touched_profiles[profile.id] = profile


def _told_at(arrival: Arrival) -> int:
    """When it was told; a sender whose clock is years ahead must not have the last word for years."""
    return min(arrival.moment, arrival.received_at)


def _remember_handle(board: Board, profile: Profile, handle: str, at: int) -> None:
    key = (profile.id, handle_key(profile.network, handle))
    before = board.handles.get(key)
    if before is None:
        board.handles[key] = HandleSeen(*key, handle, at, at)
        return
    newest = max((before.last_seen_at, before.handle), (at, handle))[1]
    board.handles[key] = HandleSeen(*key, newest, min(before.first_seen_at, at), max(before.last_seen_at, at))


def _signal(board: Board, arrival: Arrival, key: ProfileKey) -> None:
    profile = board.profiles.get(key)
    if profile is not None:
        if arrival.event.kind in FORGETTING:
            profile.addresses = forgotten(profile.addresses, _told_at(arrival))
            board.touched_profiles[profile.id] = profile
        told = arrival.event.extra.get("value")
        value = told if isinstance(told, str) else None
        board.signals.append(Signal(arrival.event.kind, profile.id, arrival.moment, value, arrival.key))
