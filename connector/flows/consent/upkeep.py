"""What the clock does to links: grants end, wordings change, reviews run out, handles find their account."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from connector.domain.consent import (
    DELETED_ACCOUNT,
    EVIDENCE_KEPT,
    UNBOUND_CLAIM,
    Actor,
    ActorKind,
    Grant,
    GrantState,
    HoldReason,
    LinkRecord,
    LinkState,
    state_without,
)
from connector.flows.consent.accounts import accounts_with_handle_of
from connector.flows.consent.acts import SYSTEM, Act, moment_of, write_act
from connector.flows.consent.ending import withdraw_in
from connector.flows.consent.holding import review_bindings
from connector.flows.consent.merging import bind_account
from connector.flows.consent.words import WithdrawConsent
from connector.flows.context import Context
from connector.store import ledger, vault
from connector.store.consent import links_by_ids
from connector.store.consent_due import (
    links_granted_under,
    links_held_since,
    links_to_review,
    links_with_evidence_ended_before,
    links_with_expired_grants,
    unbound_links,
    versions_granted,
)
from connector.store.unit_of_work import UnitOfWork

BATCH = 500
_CLOCK = Actor(ActorKind.SYSTEM, SYSTEM)


@dataclass(frozen=True, slots=True)
class UpkeepReport:
    """How many links each rule of the clock changed in one round; call again while ``more``."""

    expired: int = 0
    stale: int = 0
    reviews_run_out: int = 0
    accounts_gone: int = 0
    bound: int = 0
    never_seen: int = 0
    shredded: int = 0
    more: bool = False

    @property
    def changed(self) -> int:
        """All of them together."""
        return self.expired + self.stale + self.reviews_run_out + self.accounts_gone + self.bound + self.never_seen


def expire_due(ctx: Context, limit: int = BATCH) -> UpkeepReport:
    """What was due by now and is done: expiry, changed notices, reviews, vanished accounts, handles, old evidence.

    The gate needs none of it, it asks the clock itself; this writes it down and detaches in the CRM. Safe to repeat.
    """
    now = moment_of(ctx)
    rules: dict[str, Callable[[UnitOfWork, Context, datetime, int], int]] = {
        "expired": _expire,
        "stale": _mark_stale,
        "reviews_run_out": _end_reviews,
        "accounts_gone": _end_gone,
        "never_seen": _end_unbound,  # first: what waited too long is bound to nobody any more
        "bound": _bind,
        "shredded": _shred,
    }
    done: dict[str, int] = {}
    for name, rule in rules.items():
        with ctx.store.begin() as uow:
            ledger.take_turn(uow)
            done[name] = rule(uow, ctx, now, limit)
    full = any(count >= limit for count in done.values())
    return UpkeepReport(more=full, **done)


def _expire(uow: UnitOfWork, _ctx: Context, now: datetime, limit: int) -> int:
    due = links_by_ids(uow.connection, links_with_expired_grants(uow.connection, now, limit))
    for link in due:
        _decide(uow, link, "expired", GrantState.EXPIRED, now, {GrantState.GRANTED, GrantState.STALE}, only_over=True)
    return len(due)


def _mark_stale(uow: UnitOfWork, ctx: Context, now: datetime, limit: int) -> int:
    marked = 0
    for purpose, notice_id, version in versions_granted(uow.connection):
        if marked >= limit or not ctx.consent.is_stale(purpose, notice_id, version, now):
            continue
        ids = links_granted_under(uow.connection, purpose, notice_id, version, limit - marked)
        for link in links_by_ids(uow.connection, ids):
            _decide(uow, link, "stale", GrantState.STALE, now, {GrantState.GRANTED}, purpose=purpose)
        marked += len(ids)
    return marked


def _decide(
    uow: UnitOfWork,
    link: LinkRecord,
    kind: str,
    state: GrantState,
    now: datetime,
    among: set[GrantState],
    *,
    purpose: str | None = None,
    only_over: bool = False,
) -> None:
    decided = tuple(
        replace(grant, state=state, decided_at=now)
        for name, grant in sorted(link.grants.items())
        if grant.state in among
        and purpose in (None, name)
        and (not only_over or (grant.expires_at is not None and grant.expires_at <= now))
    )
    after = {**link.grants, **{each.purpose: each for each in decided}}
    write_act(uow, link, Act(kind, _CLOCK, state=state_without(after.values()), grants=decided), now)


def _end_reviews(uow: UnitOfWork, ctx: Context, now: datetime, limit: int) -> int:
    """Nobody has read an unclear "disconnect me" in time: it counts as one."""
    ids = links_to_review(uow.connection, now, limit)
    for link_id in ids:
        withdraw_in(uow, ctx, WithdrawConsent(_CLOCK, link_id=link_id))
    return len(ids)


def _end_gone(uow: UnitOfWork, _ctx: Context, now: datetime, limit: int) -> int:
    ids = links_held_since(uow.connection, HoldReason.ACCOUNT_DELETED, now - DELETED_ACCOUNT, limit)
    for link in links_by_ids(uow.connection, ids):
        act = Act("invalidated", _CLOCK, state=LinkState.INVALIDATED, reason=HoldReason.ACCOUNT_DELETED)
        write_act(uow, link, act, now)
    return len(ids)


def _bind(uow: UnitOfWork, ctx: Context, _now: datetime, limit: int) -> int:
    """A spoken handle whose account is known by now moves there, or waits for a person where that is not sure."""
    bound = 0
    for link_id, unbound_id in _unbound(uow, limit):
        found = accounts_with_handle_of(uow, unbound_id)
        if not found:
            continue
        link = links_by_ids(uow.connection, [link_id])[0]
        sure = len(found) == 1 and found[0].had_the_handle_at(link.answered_at or link.asked_at)
        if sure:
            bound += len(bind_account(uow, ctx, unbound_id, found[0].id).changes)
        else:
            bound += review_bindings(uow, ctx, [unbound_id])
    return bound


def _end_unbound(uow: UnitOfWork, _ctx: Context, now: datetime, limit: int) -> int:
    due = 0
    for link in links_by_ids(uow.connection, [each for each, _ in _unbound(uow, limit)]):
        if (link.answered_at or link.asked_at) + UNBOUND_CLAIM <= now:
            act = Act("expired", _CLOCK, state=LinkState.EXPIRED, reason="never_seen", grants=_expired(link, now))
            write_act(uow, link, act, now)
            due += 1
    return due


def _unbound(uow: UnitOfWork, page: int) -> Iterator[tuple[str, str]]:
    after = ""
    while rows := unbound_links(uow.connection, after, page):
        yield from rows
        after = rows[-1][0]


def _expired(link: LinkRecord, now: datetime) -> tuple[Grant, ...]:
    return tuple(
        replace(each, state=GrantState.EXPIRED, decided_at=now) for each in link.grants.values() if each.is_granted
    )


def _shred(uow: UnitOfWork, _ctx: Context, now: datetime, limit: int) -> int:
    """Evidence that nobody can ask for any more is made unreadable; the ledger keeps that there was an answer."""
    ids = links_with_evidence_ended_before(uow.connection, now - EVIDENCE_KEPT, limit)
    for link_id in ids:
        vault.shred(uow, link_id)
    return len(ids)
