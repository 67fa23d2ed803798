"""Follows what the CRM and the networks do with identities: contacts joined, handles bound to their account.

Two records that become one keep only what both allow: of each purpose the more restrictive, of each proof the weaker,
the earlier expiry, every hold. Nothing that was denied becomes allowed but by being one instead of two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from connector.domain.consent import (
    CUSTOMERS_WORD,
    Actor,
    ActorKind,
    Grant,
    GrantState,
    LinkRecord,
    LinkState,
    state_without,
)
from connector.flows.consent.acts import SYSTEM, Act, moment_of, write_act
from connector.flows.consent.holding import MERGED, contact_gone_in
from connector.flows.consent.words import LinkChange, Receipt
from connector.flows.context import Context
from connector.flows.link import retell
from connector.store import ledger
from connector.store.consent import (
    insert_hold,
    link_by_id,
    links_of_contact,
    links_of_pair,
    links_of_profile,
    update_link,
)
from connector.store.crm_records import surviving_contacts
from connector.store.unit_of_work import UnitOfWork

_SILENT = frozenset({LinkState.SUPERSEDED, LinkState.ERASED})
_CRM = Actor(ActorKind.CRM, "sync")


def follow_merge(ctx: Context, from_contact: str, to_contact: str) -> Receipt:
    """The receipt of following two contacts that the CRM joined: what both allow goes on under the one that stays."""
    with ctx.store.begin() as uow:
        return follow_merge_in(uow, ctx, from_contact, to_contact)


def follow_merge_in(uow: UnitOfWork, ctx: Context, from_contact: str, to_contact: str) -> Receipt:
    """As ``follow_merge``, in the caller's transaction; a chain of merges is followed to its end."""
    ledger.take_turn(uow)
    root = surviving_contacts(uow.connection, [to_contact])[to_contact]
    if root is None or root == from_contact:
        return contact_gone_in(uow, ctx, from_contact)
    now = moment_of(ctx)
    changes: list[LinkChange] = []
    profiles = sorted({each.profile_id for each in links_of_contact(uow.connection, from_contact)})
    for profile_id in profiles:
        old = links_of_pair(uow.connection, profile_id, from_contact)
        new = links_of_pair(uow.connection, profile_id, root)
        changes += _join(uow, ctx, old, new, Act(MERGED, _CRM, contact_id=root), now)
        # Also when people take the merge back before this is sent, the one that stays is not a choice of theirs.
        retell(uow, profile_id, root, named=from_contact)
    return Receipt(tuple(changes))


def bind_account(uow: UnitOfWork, ctx: Context, unbound_id: str, profile_id: str) -> Receipt:
    """The receipt of moving what was agreed for a spoken handle to the account that turned out to have it."""
    ledger.take_turn(uow)
    now = moment_of(ctx)
    actor = Actor(ActorKind.SYSTEM, SYSTEM)
    changes: list[LinkChange] = []
    for contact_id in sorted({each.contact_id for each in links_of_profile(uow.connection, unbound_id)}):
        old = links_of_pair(uow.connection, unbound_id, contact_id)
        new = links_of_pair(uow.connection, profile_id, contact_id)
        changes += _join(uow, ctx, old, new, Act("bound", actor, profile_id=profile_id), now)
    return Receipt(tuple(changes))


def _join(
    uow: UnitOfWork, ctx: Context, old: list[LinkRecord], new: list[LinkRecord], move: Act, now: datetime
) -> list[LinkChange]:
    """Moves all of the old pair's records to the new pair, where at most one stays live."""
    changes: list[LinkChange] = []
    sides = [side for side in (_latest(old), _latest(new)) if side is not None]
    live = [each for each in (*new, *old) if each.is_live]
    for spare in live[1:]:
        gone = Act(
            "superseded", move.actor, LinkState.SUPERSEDED, contact_id=move.contact_id, profile_id=move.profile_id
        )
        changes.append(write_act(uow, spare, gone, now))
    for each in old:
        if not each.is_live:
            update_link(uow, each.id, _moved(move))
    if live:
        changes.append(_survive(uow, ctx, live[0], sides, move, now))
    return changes


def _survive(
    uow: UnitOfWork, ctx: Context, survivor: LinkRecord, sides: list[LinkRecord], move: Act, now: datetime
) -> LinkChange:
    others = [each for each in sides if each.id != survivor.id]
    narrowed = [grant for other in others for grant in _narrowed(ctx, survivor, other, now)]
    after = {**survivor.grants, **{each.purpose: each for each in narrowed}}
    assurance = survivor.assurance
    for other in (each for each in others if each.is_live):
        assurance = assurance.weakest(other.assurance)
        known = {each.reason for each in survivor.holds}
        for hold in (each for each in other.holds if each.reason not in known):
            insert_hold(uow, survivor.id, hold)
    ends = state_without(after.values()) if survivor.state is LinkState.ACTIVE else None
    act = Act(
        move.type,
        move.actor,
        state=ends,
        grants=tuple(narrowed),
        assurance=assurance,
        contact_id=move.contact_id,
        profile_id=move.profile_id,
    )
    return write_act(uow, link_by_id(uow.connection, survivor.id) or survivor, act, now)


def _narrowed(ctx: Context, survivor: LinkRecord, other: LinkRecord, now: datetime) -> Iterable[Grant]:
    """What must be written on the survivor so that it grants nothing that the other record does not grant too."""
    for purpose in sorted(survivor.grants.keys() | other.grants.keys()):
        ours, theirs = survivor.grants.get(purpose), other.grants.get(purpose)
        grant = _stricter(ctx, purpose, ours, theirs, other.state is LinkState.ACTIVE, now)
        if grant is not None and grant != ours:
            yield grant


def _stricter(
    ctx: Context, purpose: str, ours: Grant | None, theirs: Grant | None, theirs_is_active: bool, now: datetime
) -> Grant | None:
    if theirs is not None and theirs.state in CUSTOMERS_WORD:
        already = ours is not None and ours.state in CUSTOMERS_WORD
        return ours if already else Grant(purpose, theirs.state, theirs.decided_at)
    if ours is None or not ours.is_granted:
        return ours
    if theirs is None or not theirs_is_active or theirs.state is GrantState.NARROWED:
        return Grant(purpose, GrantState.NARROWED, now)
    if theirs.state in (GrantState.EXPIRED, GrantState.STALE):
        return replace(ours, state=theirs.state, decided_at=now)
    return _both_granted(ctx, ours, theirs, now)


def _both_granted(ctx: Context, ours: Grant, theirs: Grant, now: datetime) -> Grant:
    """The wording that has changed since, if either rests on one, and the earlier end."""
    if ctx.consent.is_stale(ours.purpose, theirs.notice_id, theirs.notice_version, now):
        return theirs
    ends = [each for each in (ours.expires_at, theirs.expires_at) if each is not None]
    return replace(ours, expires_at=min(ends, default=None))


def _latest(records: list[LinkRecord]) -> LinkRecord | None:
    telling = [each for each in records if each.state not in _SILENT]
    live = [each for each in telling if each.is_live]
    found = live or telling
    return found[-1] if found else None


def _moved(move: Act) -> dict[str, str]:
    where = {"contact_id": move.contact_id, "profile_id": move.profile_id}
    return {name: value for name, value in where.items() if value is not None}
