"""Lets links rest and lifts it again: doubts, accounts that vanish, contacts that the CRM lost."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from connector.domain.channels import Kind
from connector.domain.consent import (
    REVIEW_TIME,
    Actor,
    ActorKind,
    Hold,
    HoldReason,
    LinkRecord,
    LinkState,
    Method,
)
from connector.errors import Forbidden
from connector.flows.consent.acts import SYSTEM, Act, known_link, moment_of, write_act
from connector.flows.consent.ending import refuse_ended, withdraw_in
from connector.flows.consent.words import LinkChange, NetworkSignal, Receipt, WithdrawConsent
from connector.flows.context import Context
from connector.flows.link import retell
from connector.store import ledger
from connector.store.consent import links_of_contact, links_of_profile
from connector.store.unit_of_work import UnitOfWork

MERGED = "merged"
"""The ledger's word for a link that goes on after two contacts became one."""

_HOLDS = {
    NetworkSignal.DELETED: HoldReason.ACCOUNT_DELETED,
    NetworkSignal.SUSPENDED: HoldReason.ACCOUNT_SUSPENDED,
}
_RELEASES = {
    NetworkSignal.UNDELETED: HoldReason.ACCOUNT_DELETED,
    NetworkSignal.UNSUSPENDED: HoldReason.ACCOUNT_SUSPENDED,
}
_SIGNALS = {
    Kind.ACCOUNT_UNLINK: NetworkSignal.ACCESS_REVOKED,
    Kind.ACCESS_REVOKED: NetworkSignal.ACCESS_REVOKED,
    Kind.DATA_DELETION: NetworkSignal.ACCESS_REVOKED,
}


def signal_of(kind: Kind, value: str | None = None) -> NetworkSignal | None:
    """What an event of this kind says about the links of its account; None where it says nothing."""
    if kind is Kind.MARKETING_PREFERENCE:
        return NetworkSignal.MARKETING_STOP if value == "stop" else None
    return _SIGNALS.get(kind)


def hold(ctx: Context, link_id: str, reason: HoldReason, actor: Actor) -> Receipt:
    """The receipt of letting a link rest: the gate is closed until it is released; a second time changes nothing."""
    with ctx.store.begin() as uow:
        ledger.take_turn(uow)
        link = known_link(uow, link_id)
        refuse_ended(link)
        return Receipt(tuple(_rest(uow, [link], reason, actor, moment_of(ctx))))


def release(ctx: Context, link_id: str, reason: HoldReason, actor: Actor) -> Receipt:
    """The receipt of lifting a hold; one that is not there changes nothing.

    Raises Forbidden unless whoever set it lifts it, or a privacy officer.
    """
    with ctx.store.begin() as uow:
        ledger.take_turn(uow)
        link = known_link(uow, link_id)
        refuse_ended(link)
        held = next((each for each in link.holds if each.reason is reason), None)
        if held is None:
            return Receipt()
        if actor.kind is not ActorKind.PRIVACY and held.by.partition(":")[0] != actor.kind:
            raise Forbidden("Only a privacy officer lifts a hold that somebody else has set.")
        return Receipt((write_act(uow, link, Act("release", actor, release=reason), moment_of(ctx)),))


def network_signal(
    uow: UnitOfWork, ctx: Context, profile_id: str, signal: NetworkSignal, said_at: datetime, key: str
) -> Receipt:
    """The receipt of what a network told about an account, in the caller's transaction; ``key`` is the event's own.

    Acting at the network is as good as telling us: revoking there withdraws here.
    """
    actor = Actor(ActorKind.NETWORK, "webhook")
    if signal in (NetworkSignal.ACCESS_REVOKED, NetworkSignal.MARKETING_STOP):
        purposes = frozenset({"marketing"}) if signal is NetworkSignal.MARKETING_STOP else None
        if purposes and not purposes <= ctx.consent.purposes.keys():
            return Receipt()
        command = WithdrawConsent(
            actor, profile_id=profile_id, purposes=purposes, method=Method.NETWORK, said_at=said_at, key=key
        )
        return withdraw_in(uow, ctx, command)
    ledger.take_turn(uow)
    links = links_of_profile(uow.connection, profile_id)
    now = moment_of(ctx)
    if signal in _HOLDS:
        return Receipt(tuple(_rest(uow, links, _HOLDS[signal], actor, now)))
    return Receipt(tuple(_lift(uow, links, _RELEASES[signal], actor, now)))


def hold_profile(uow: UnitOfWork, ctx: Context, profile_id: str, reason: HoldReason, actor: Actor) -> Receipt:
    """The receipt of letting every link of an account rest, in the caller's transaction."""
    ledger.take_turn(uow)
    return Receipt(tuple(_rest(uow, links_of_profile(uow.connection, profile_id), reason, actor, moment_of(ctx))))


def review_bindings(uow: UnitOfWork, ctx: Context, profile_ids: Collection[str]) -> int:
    """How many links now rest until a person has looked whether the account is the one that was spoken of."""
    actor = Actor(ActorKind.SYSTEM, SYSTEM)
    held = [hold_profile(uow, ctx, each, HoldReason.BINDING_REVIEW, actor) for each in sorted(profile_ids)]
    return sum(len(each.changes) for each in held)


def contact_gone(ctx: Context, contact_id: str) -> Receipt:
    """The receipt of letting every link of a contact rest that the CRM has deleted."""
    with ctx.store.begin() as uow:
        return contact_gone_in(uow, ctx, contact_id)


def contact_gone_in(uow: UnitOfWork, ctx: Context, contact_id: str) -> Receipt:
    """As ``contact_gone``, in the caller's transaction."""
    ledger.take_turn(uow)
    links = links_of_contact(uow.connection, contact_id)
    actor = Actor(ActorKind.CRM, "sync")
    return Receipt(tuple(_rest(uow, links, HoldReason.CONTACT_MISSING, actor, moment_of(ctx))))


def contact_back_in(uow: UnitOfWork, ctx: Context, contact_id: str) -> Receipt:
    """The receipt of a contact that the CRM brought back from its bin: its links rest no longer for that reason.

    What we named it on while it was linked may name it again, so all of that is told anew, whoever may be named by now.
    """
    ledger.take_turn(uow)
    links = links_of_contact(uow.connection, contact_id)
    actor = Actor(ActorKind.CRM, "sync")
    receipt = Receipt(tuple(_lift(uow, links, HoldReason.CONTACT_MISSING, actor, moment_of(ctx))))
    for profile_id in sorted({each.profile_id for each in links if each.was_granted}):
        retell(uow, profile_id, contact_id)
    return receipt


def contact_kept_in(uow: UnitOfWork, contact_id: str, master_id: str) -> None:
    """Tells anew what we named a contact on that the CRM joined to another and made its own again since the last look.

    Its links never moved; its name did, to that other one, and nobody chose that.
    """
    ledger.take_turn(uow)
    links = links_of_contact(uow.connection, contact_id)
    for profile_id in sorted({each.profile_id for each in links if each.was_granted}):
        retell(uow, profile_id, master_id, named=contact_id)


def contacts_parted_in(uow: UnitOfWork, ctx: Context, survivor: str) -> Receipt:
    """The receipt of two contacts that the CRM had joined and made two again: whose link is whose, a person must say.

    Every link of the one that stayed that went through a joining rests until then; nothing is guessed.
    """
    ledger.take_turn(uow)
    links = {each.id: each for each in links_of_contact(uow.connection, survivor)}
    joined = {each.link_id for each in ledger.entries_of_links(uow.connection, list(links)) if each.type == MERGED}
    doubtful = [link for link_id, link in links.items() if link_id in joined]
    return Receipt(tuple(_rest(uow, doubtful, HoldReason.SPLIT_REVIEW, Actor(ActorKind.CRM, "sync"), moment_of(ctx))))


def _rest(
    uow: UnitOfWork, links: Collection[LinkRecord], reason: HoldReason, actor: Actor, now: datetime
) -> list[LinkChange]:
    review = now + REVIEW_TIME if reason is HoldReason.POSSIBLE_WITHDRAWAL else None
    held = Hold(reason, now, str(actor), review)
    return [
        write_act(uow, each, Act("hold", actor, hold=held, reason=reason), now)
        for each in links
        if each.state is LinkState.ACTIVE and all(other.reason is not reason for other in each.holds)
    ]


def _lift(
    uow: UnitOfWork, links: Collection[LinkRecord], reason: HoldReason, actor: Actor, now: datetime
) -> list[LinkChange]:
    return [
        write_act(uow, each, Act("release", actor, release=reason, reason=reason), now)
        for each in links
        if each.state is LinkState.ACTIVE and any(other.reason is reason for other in each.holds)
    ]
