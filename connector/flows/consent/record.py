"""Records what a customer answered: yes, no or not now, for each purpose that was asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connector.domain.consent import (
    AGENT_METHODS,
    ASK_AGAIN,
    ASSERTED,
    COOL_OFF,
    Actor,
    Answer,
    Assurance,
    Grant,
    GrantState,
    LinkRecord,
    LinkState,
    Notice,
    state_after,
    state_without,
)
from connector.domain.events import format_time
from connector.domain.wording import same_words, wording_digest
from connector.errors import (
    Conflict,
    ContactNotFound,
    CoolingOff,
    EvidenceMissing,
    IdempotencyConflict,
    InputInvalid,
    Misconfigured,
    NotFound,
    NoticeMismatch,
)
from connector.flows.consent.accounts import account_of, known_account
from connector.flows.consent.acts import Act, change_of, moment_of, open_link, write_act
from connector.flows.consent.words import LinkChange, Receipt, RecordConsent, digest_of, told_under_key
from connector.flows.context import Context
from connector.store import ledger, vault
from connector.store.consent import link_by_id, links_of_pair, living_contacts
from connector.store.unit_of_work import UnitOfWork

SKEW = timedelta(minutes=5)
LATEST = timedelta(days=30)
"""Older answers than this come in by an import, which has its own checks."""

_NEVER = datetime.min.replace(tzinfo=UTC)
_WAITS = {LinkState.DECLINED: COOL_OFF, LinkState.DEFERRED: ASK_AGAIN}
_STATES = {Answer.YES: GrantState.GRANTED, Answer.NO: GrantState.REFUSED}


def record(ctx: Context, command: RecordConsent) -> Receipt:
    """The receipt of a recorded answer; the same request again gives the same receipt and writes nothing.

    Raises EvidenceMissing, NoticeMismatch, ContactNotFound, HandleInvalid, CoolingOff (with its until-date),
    IdempotencyConflict (the key stands for another answer) or Conflict, and then nothing is written.
    """
    with ctx.store.begin() as uow:
        return record_in(uow, ctx, command, ASSERTED)


def record_in(uow: UnitOfWork, ctx: Context, command: RecordConsent, assurance: Assurance) -> Receipt:
    """As ``record``, in the caller's transaction and with the strength that the caller has proven."""
    now = moment_of(ctx)
    ledger.take_turn(uow)
    idem = digest_of(command)
    before = ledger.entries_of_request(uow.connection, idem) if idem else []
    if before:
        if before[0].facts.get("request") != told_under_key(command):
            _check_same(uow, ctx, command, change_of(before[0]))
        return Receipt(tuple(change_of(each) for each in before))
    _check_method(command, assurance)
    said_at = _said_at(command, now)
    notice = _check_words(ctx, command, now)
    if command.contact_id not in living_contacts(uow.connection, [command.contact_id]):
        raise ContactNotFound
    profile_id = account_of(uow, ctx, command, now)
    pair = links_of_pair(uow.connection, profile_id, command.contact_id)
    _check_pair(command, pair, said_at, now)
    live = next((each for each in pair if each.is_live), None)
    link = live or open_link(uow, profile_id, command.contact_id, command.actor, now, pair)
    answer = _Answer(ctx, command, notice, link, said_at, now)
    kind, state = answer.outcome()
    act = Act(
        type=kind,
        actor=command.actor,
        state=state,
        cool_until_at=now + _WAITS[state] if state in _WAITS else None,
        grants=answer.grants(),
        assurance=link.assurance.strongest(assurance) if answer.any_yes else link.assurance,
        method=command.method,
        notice=notice,
        wording_sha256=wording_digest(command.evidence.wording),
        evidence=(answer.seal(uow),),
        answered_at=said_at,
        idem=idem,
        request=told_under_key(command),
    )
    return Receipt((write_act(uow, link, act, now),))


def prove(ctx: Context, link_id: str, assurance: Assurance, actor: Actor) -> Receipt:
    """The receipt of a stronger proof of either side; what is proven already changes nothing.

    For the flows in which the customer's own act shows it; an agent's word proves nothing more.
    """
    with ctx.store.begin() as uow:
        ledger.take_turn(uow)
        link = link_by_id(uow.connection, link_id)
        if link is None:
            raise NotFound
        stronger = link.assurance.strongest(assurance)
        if not link.is_live or stronger == link.assurance:
            return Receipt()
        return Receipt((write_act(uow, link, Act("proved", actor, assurance=stronger), moment_of(ctx)),))


def _check_same(uow: UnitOfWork, ctx: Context, command: RecordConsent, kept: LinkChange) -> None:
    """A key that comes again with another answer is not that request again: swallowed, the answer would be lost."""
    decided = {name: answer is Answer.YES for name, answer in command.answers.items() if answer in _STATES}
    written = {name: state == GrantState.GRANTED for name, state in kept.purposes.items()}
    link = link_by_id(uow.connection, kept.link_id)
    if decided != written or (link is not None and not _is_pair(uow, ctx, command, link)):
        raise IdempotencyConflict(
            "Another answer was recorded under this key before, and that one stands: look at it, then record this one "
            "as a new answer."
        )


def _is_pair(uow: UnitOfWork, ctx: Context, command: RecordConsent, link: LinkRecord) -> bool:
    """Whether a request means this link's account and contact, or a contact that the CRM joined with it since."""
    connection = uow.connection
    if command.contact_id != link.contact_id and command.contact_id in living_contacts(
        connection, [command.contact_id]
    ):
        return False
    if command.profile_id is not None:
        return command.profile_id == link.profile_id
    account = known_account(connection, ctx, None, command.network, command.handle, command.scope)
    return account == link.profile_id


def _check_method(command: RecordConsent, assurance: Assurance) -> None:
    if command.method not in AGENT_METHODS and assurance == ASSERTED:
        listed = ", ".join(sorted(AGENT_METHODS))
        raise InputInvalid(f"An agent cannot record the method {command.method}: use one of {listed}.")
    if not command.answers:
        raise EvidenceMissing("There is no answer: send yes, no or not_now for each purpose that was asked.")


def _said_at(command: RecordConsent, now: datetime) -> datetime:
    said_at = command.evidence.said_at
    if said_at is None:
        return now
    if said_at.utcoffset() is None:
        raise InputInvalid("The time of the answer has no zone: send it as 2026-01-31T09:30:00Z.")
    if said_at > now + SKEW:
        raise InputInvalid("The time of the answer lies in the future: correct it, or leave it out for now.")
    if said_at < now - LATEST:
        raise InputInvalid(f"The answer is older than {LATEST.days} days: bring it in by an import.")
    return min(said_at, now)


def _check_words(ctx: Context, command: RecordConsent, now: datetime) -> Notice:
    if not command.evidence.wording.strip():
        raise EvidenceMissing("The wording that was shown is missing: send the text of the notice as it was read.")
    if Answer.YES in command.answers.values() and not command.evidence.customer_words.strip():
        raise EvidenceMissing("The customer's words are missing: write down what was said for the yes.")
    notice = ctx.consent.notice(command.notice_id, command.notice_version, command.lang)
    current = ctx.consent.current(command.notice_id, command.lang, now)
    if notice is None or current is None or notice.version != current.version:
        raise NoticeMismatch("This is not a notice that is in force: ask again with the text shown now.")
    if not ctx.company:
        raise Misconfigured("CONNECTOR_COMPANY is not set: the customer must be told who asks.")
    if not same_words(command.evidence.wording, notice.rendered(ctx.company)):
        raise NoticeMismatch
    beyond = sorted(set(command.answers) - notice.purposes)
    if beyond:
        raise NoticeMismatch(f"The notice does not ask for {', '.join(beyond)}: ask with one that does.")
    return notice


def asking_rests_until(pair: Iterable[LinkRecord], purposes: Collection[str], now: datetime) -> datetime | None:
    """Until when nobody asks this customer again, after a no or a not now; None where one may ask."""
    for each in pair:
        if not each.is_live and each.cool_until_at is not None and now < each.cool_until_at:
            return each.cool_until_at
        for grant in (each.grants[name] for name in purposes if name in each.grants):
            if each.is_live and grant.state is GrantState.REFUSED and now < grant.decided_at + COOL_OFF:
                return grant.decided_at + COOL_OFF
    return None


def _check_pair(command: RecordConsent, pair: Collection[LinkRecord], said_at: datetime, now: datetime) -> None:
    """A no is not asked about again too soon, and a yes does not outlive a later no."""
    until = asking_rests_until(pair, command.answers, now)
    if until is not None:
        raise _cooling(until)
    for each in pair:
        if command.evidence.said_at is not None and said_at <= (_undone_at(each, command.answers) or _NEVER):
            raise Conflict("The customer undid this after that answer: ask again.")


def _undone_at(link: LinkRecord, purposes: Iterable[str]) -> datetime | None:
    """When the customer last took back one of the purposes, or the whole link."""
    whole = link.state in (LinkState.WITHDRAWN, LinkState.INVALIDATED)
    taken_back = {name: each.decided_at for name, each in link.grants.items() if each.state is GrantState.WITHDRAWN}
    moments = [at for name, at in taken_back.items() if whole or name in purposes]
    return max(moments, default=link.ended_at if whole else None)


def _cooling(until: datetime) -> CoolingOff:
    shown = format_time(until)
    return CoolingOff(f"The customer said no or not now: nobody asks again before {shown}.", until=until)


@dataclass(frozen=True, slots=True)
class _Answer:
    ctx: Context
    command: RecordConsent
    notice: Notice
    link: LinkRecord
    said_at: datetime
    now: datetime

    @property
    def any_yes(self) -> bool:
        return Answer.YES in self.command.answers.values()

    def grants(self) -> tuple[Grant, ...]:
        decided = ((name, _STATES[answer]) for name, answer in self.command.answers.items() if answer in _STATES)
        return tuple(self.grant(name, state) for name, state in sorted(decided))

    def grant(self, purpose: str, state: GrantState) -> Grant:
        if state is GrantState.GRANTED:
            lasts = self.ctx.consent.purposes[purpose].lasts
            notice = self.notice
            return Grant(purpose, state, self.said_at, 0, notice.id, notice.version, self.said_at, self.said_at + lasts)
        held = self.link.grants.get(purpose)
        taken_back = held is not None and held.state in (GrantState.GRANTED, GrantState.STALE)
        return Grant(purpose, GrantState.WITHDRAWN if taken_back else state, self.said_at)

    def outcome(self) -> tuple[str, LinkState]:
        """The entry's type, and the state that the link is in after it."""
        answers = self.command.answers.values()
        if self.link.state is not LinkState.ACTIVE:
            state = state_after(answers)
            return ("granted" if state is LinkState.ACTIVE else state.value), state
        decided = self.grants()
        after = {**self.link.grants, **{each.purpose: each for each in decided}}
        taken_back = any(each.state is GrantState.WITHDRAWN for each in decided)
        without_yes = "withdrawn" if taken_back else state_after(answers).value
        return ("renewed" if self.any_yes else without_yes), state_without(after.values()) or LinkState.ACTIVE

    def seal(self, uow: UnitOfWork) -> vault.Commitment:
        told = self.command.evidence
        spoken = self.command.profile_id is None
        content = {
            "account": self.link.profile_id,
            "contact": self.link.contact_id,
            "handle": f"{self.command.network} {self.command.handle}" if spoken else None,
            "wording": told.wording,
            "lang": self.command.lang,
            "answers": {name: str(answer) for name, answer in self.command.answers.items()},
            "customer_words": told.customer_words,
            "reference": told.reference,
            "said_at": format_time(self.said_at),
            "recorded_at": format_time(self.now),
            "by": str(self.command.actor),
        }
        return vault.seal(uow, self.ctx.secret_key, self.link.id, self.command.method, content, self.now)
