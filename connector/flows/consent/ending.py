"""Ends links: the customer withdraws, a privacy officer revokes, or it was never the same person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector.domain.consent import (
    Actor,
    ActorKind,
    Grant,
    GrantState,
    Hold,
    HoldReason,
    LinkRecord,
    LinkState,
    state_without,
)
from connector.domain.events import format_time
from connector.errors import Conflict, EvidenceMissing, Forbidden, InputInvalid, NotFound
from connector.flows.consent.acts import Act, change_of, known_link, moment_of, write_act
from connector.flows.consent.words import LinkChange, Receipt, WithdrawConsent, digest_of
from connector.flows.context import Context
from connector.store import ledger, vault
from connector.store.consent import link_by_id, links_of_contact, links_of_pair, links_of_profile
from connector.store.unit_of_work import UnitOfWork

SKEW = timedelta(minutes=5)
"""Networks' clocks are not ours: a withdrawal also reaches what was granted this little after it."""

_EVER = datetime.max.replace(tzinfo=UTC)
_MAY_REVOKE = frozenset({ActorKind.PRIVACY, ActorKind.ADMIN})
_UNENDED = frozenset({LinkState.ASKED, LinkState.ACTIVE, LinkState.DEFERRED})


@dataclass(frozen=True, slots=True)
class _Reach:
    """Which answers an undoing covers: those until a moment, and those that a clock ahead of ours has written.

    Of an answer that lies in the future nobody can tell what it came after, so the stricter holds.
    """

    until: datetime
    now: datetime

    def covers(self, moment: datetime) -> bool:
        return moment <= self.until or moment > self.now


def withdraw(ctx: Context, command: WithdrawConsent) -> Receipt:
    """The receipt of an undoing: effective at the gate with this call; nothing to undo changes nothing.

    Never refused for want of proof or a reason. Raises NotFound for a link id that does not exist.
    """
    with ctx.store.begin() as uow:
        return withdraw_in(uow, ctx, command)


def withdraw_in(uow: UnitOfWork, ctx: Context, command: WithdrawConsent) -> Receipt:
    """As ``withdraw``, in the caller's transaction."""
    now = moment_of(ctx)
    ledger.take_turn(uow)
    idem = digest_of(command)
    before = ledger.entries_of_request(uow.connection, idem) if idem else []
    if before:
        return Receipt(tuple(change_of(each) for each in before))
    unknown = sorted((command.purposes or frozenset()) - ctx.consent.purposes.keys())
    if unknown:
        raise InputInvalid(f"There is no purpose {', '.join(unknown)}: use {', '.join(ctx.consent.purposes)}.")
    changes: list[LinkChange] = []
    for link in _meant(uow, command):
        nth = f"{idem}.{len(changes)}" if idem and changes else idem
        change = _undo(uow, ctx, link, command, nth, now)
        if change is not None:
            changes.append(change)
    return Receipt(tuple(changes))


def _meant(uow: UnitOfWork, command: WithdrawConsent) -> list[LinkRecord]:
    """By pair, not by row: a customer who undoes one record of a pair has undone the pair."""
    connection = uow.connection
    if command.link_id is not None:
        named = link_by_id(connection, command.link_id)
        if named is None:
            raise NotFound("There is no such link.")
        found = links_of_pair(connection, named.profile_id, named.contact_id)
    elif command.profile_id is not None and command.contact_id is not None:
        found = links_of_pair(connection, command.profile_id, command.contact_id)
    elif command.profile_id is not None:
        found = links_of_profile(connection, command.profile_id)
    elif command.contact_id is not None:
        found = links_of_contact(connection, command.contact_id)
    else:
        raise InputInvalid("Say what to undo: a link, an account, a contact, or an account and a contact.")
    return [each for each in found if each.state in _UNENDED]


def _undo(
    uow: UnitOfWork, ctx: Context, link: LinkRecord, command: WithdrawConsent, idem: str | None, now: datetime
) -> LinkChange | None:
    said_at = min(command.said_at or now, now)
    # Said now, it reaches all that stands, whatever another host's clock wrote beside it.
    reach = _Reach(said_at + SKEW if command.said_at is not None else _EVER, now)
    undone = tuple(_taken_back(link, command.purposes, said_at, reach))
    after = {**link.grants, **{each.purpose: each for each in undone}}
    whole = command.purposes is None and reach.covers(link.answered_at or link.asked_at)
    granted_later = any(each.is_granted for each in after.values())
    ends = (whole and not granted_later) or (bool(undone) and state_without(after.values()) is not None)
    if not undone and not ends:
        return None
    act = Act(
        "withdrawn",
        command.actor,
        state=LinkState.WITHDRAWN if ends else None,
        grants=undone,
        method=command.method,
        evidence=_words(uow, ctx, link, command, said_at, now),
        idem=idem,
    )
    return write_act(uow, link, act, now)


def _taken_back(link: LinkRecord, purposes: frozenset[str] | None, said_at: datetime, reach: _Reach) -> Iterable[Grant]:
    for name, grant in sorted(link.grants.items()):
        ours = purposes is None or name in purposes
        standing = grant.state in (GrantState.GRANTED, GrantState.STALE)
        if ours and standing and reach.covers(grant.decided_at):
            yield Grant(name, GrantState.WITHDRAWN, said_at)


def _words(
    uow: UnitOfWork, ctx: Context, link: LinkRecord, command: WithdrawConsent, said_at: datetime, now: datetime
) -> tuple[vault.Commitment, ...]:
    if not command.words:
        return ()
    content = {"customer_words": command.words, "said_at": format_time(said_at), "by": str(command.actor)}
    return (vault.seal(uow, ctx.secret_key, link.id, "withdrawal", content, now),)


def revoke(ctx: Context, link_id: str, actor: Actor, reason: str) -> Receipt:
    """The receipt of ending a link on the company's side; an ended link stays as it is.

    Raises Forbidden for anybody but a privacy officer or admin, EvidenceMissing without a reason.
    """
    if actor.kind not in _MAY_REVOKE:
        raise Forbidden("Only a privacy officer or an admin revokes a link; an agent withdraws it for the customer.")
    if not reason.strip():
        raise EvidenceMissing("The reason is missing: write why the link is revoked.")
    with ctx.store.begin() as uow:
        return _end(uow, ctx, link_id, actor, "revoked", LinkState.REVOKED, reason)


def invalidate(ctx: Context, link_id: str, actor: Actor, reason: str) -> Receipt:
    """The receipt of "that is not me": the link ends as if it had never been.

    A privacy officer decides alone. Otherwise the first person's word closes the gate at once (a hold), and a second
    person's word ends the link; the same person again changes nothing.
    """
    if not reason.strip():
        raise EvidenceMissing("The reason is missing: write what was said.")
    with ctx.store.begin() as uow:
        ledger.take_turn(uow)
        link = known_link(uow, link_id)
        first = next((each for each in link.holds if each.reason is HoldReason.NOT_ME), None)
        if actor.kind is ActorKind.PRIVACY or (first is not None and first.by != str(actor)):
            return _end(uow, ctx, link_id, actor, "invalidated", LinkState.INVALIDATED, reason)
        if first is not None or link.state is not LinkState.ACTIVE:
            return Receipt()
        now = moment_of(ctx)
        hold = Hold(HoldReason.NOT_ME, now, str(actor))
        kept = vault.seal(uow, ctx.secret_key, link.id, "not_me", {"reason": reason, "by": str(actor)}, now)
        return Receipt((write_act(uow, link, Act("hold", actor, hold=hold, evidence=(kept,)), now),))


def _end(
    uow: UnitOfWork, ctx: Context, link_id: str, actor: Actor, kind: str, state: LinkState, reason: str
) -> Receipt:
    ledger.take_turn(uow)
    now = moment_of(ctx)
    changes = []
    named = known_link(uow, link_id)
    for link in links_of_pair(uow.connection, named.profile_id, named.contact_id):
        if link.state in _UNENDED:
            kept = vault.seal(uow, ctx.secret_key, link.id, kind, {"reason": reason, "by": str(actor)}, now)
            changes.append(write_act(uow, link, Act(kind, actor, state=state, evidence=(kept,)), now))
    return Receipt(tuple(changes))


def refuse_ended(link: LinkRecord) -> None:
    """Raises Conflict for a link that has ended: only a new answer makes a new link."""
    if link.state is not LinkState.ACTIVE:
        raise Conflict(f"The link is {link.state}: only a link in force can be held or released.")
