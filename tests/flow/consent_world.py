"""Consent played by random steps beside an oracle that shares no code with it: who may be named, by the rules alone.

The oracle is keyed by (account, surviving contact, purpose). Every step is done on both sides; then the gate, the links
and what the CRM was sent must agree with it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import update

from connector.domain.consent import Answer, Assurance, HoldReason, Notice
from connector.domain.links import Permit
from connector.errors import ContactNotFound, CoolingOff
from connector.flows import consent
from connector.flows.consent import Receipt, RecordConsent, WithdrawConsent
from connector.mapping.purposes import ConsentRegistry
from connector.store.tables import crm_contacts
from tests.conftest import FakeClock
from tests.flow.consenting import ADA, BEN, CAY, CUSTOMER, PRIVACY, Desk

LASTS = {"service": 730, "marketing": 365}
NEEDS = {"service": (1, 1), "marketing": (2, 2)}
OPERATION = {"service": "crm.case.attach", "marketing": "message.promo"}
ENDED = {"declined", "withdrawn", "expired", "revoked", "invalidated", "superseded", "erased"}
STEPS = (
    "yes", "yes", "mixed", "no", "not_now", "withdraw", "withdraw_purpose", "withdraw_contact", "withdraw_by_old_link",
    "invalidate", "prove", "hold", "release", "wait", "wait_long", "new_wording", "join", "delete",
    "restore", "suggest", "replay", "deliver", "deliver", "happy",
)  # fmt: skip


@dataclass(slots=True)
class Said:
    """What stands for one purpose, as the oracle sees it."""

    what: str
    until: datetime | None = None
    version: int = 0
    at: datetime | None = None


@dataclass(slots=True)
class Pair:
    """One account and one contact, as the oracle sees them."""

    live: bool = False
    said: dict[str, Said] = field(default_factory=dict)
    level: tuple[int, int] = (0, 0)
    holds: set[str] = field(default_factory=set)
    cool_until: datetime | None = None
    joined: bool = False
    answered_at: datetime | None = None

    def open_purposes(self) -> list[Said]:
        return [each for each in self.said.values() if each.what == "granted"]

    def settle(self) -> None:
        if self.live and not self.open_purposes():
            self.live = False


class World:
    """The connector, the oracle, and what was done so far."""

    def __init__(self, desk: Desk, clock: FakeClock) -> None:
        self.desk, self.clock = desk, clock
        desk.contact(CAY)
        self.contacts = [ADA, BEN, CAY]
        self.deleted: set[str] = set()
        self.pairs: dict[tuple[str, str], Pair] = {}
        self.version = 1
        self.worded_at = clock()
        self.calls: list[tuple[Callable[[], Receipt], Receipt]] = []
        self.old_links: dict[str, tuple[str, str]] = {}
        self.keys = 0
        self.ended: dict[str, str] = {}
        self.kept_at: tuple[datetime, int] | None = None
        self.profiles = self.first_accounts()

    # What the rules say ---------------------------------------------------------------------------------------------

    def allowed(self, profile: str, purpose: str) -> str | None:
        """The contact that may be named for this account and purpose right now, or None."""
        live = [(contact, pair) for (p, contact), pair in self.pairs.items() if p == profile and pair.live]
        if len(live) != 1:
            return None
        contact, pair = live[0]
        said = pair.said.get(purpose)
        if said is None or said.what != "granted" or said.until is None or said.version < self.version:
            return None
        strong = all(has >= need for has, need in zip(pair.level, NEEDS[purpose], strict=True))
        fine = strong and not pair.holds and contact not in self.deleted and said.until > self.clock()
        return contact if fine else None

    def first_accounts(self) -> list[str]:
        """The accounts that everything is about."""
        return [self.desk.account(name) for name in ("one", "two")]

    def pair(self, profile: str, contact: str) -> Pair:
        return self.pairs.setdefault((profile, contact), Pair())

    def upkeep(self) -> None:
        """The clock's round on both sides, when time has passed or words have changed."""
        if self.kept_at == (self.clock(), self.version):
            return
        self.kept_at = (self.clock(), self.version)
        consent.expire_due(self.desk.ctx)
        for pair in self.pairs.values():
            if pair.live:
                for said in pair.open_purposes():
                    if said.until is not None and said.until <= self.clock():
                        said.what = "expired"
                pair.settle()

    # Steps ----------------------------------------------------------------------------------------------------------

    def do(self, step: str, rng: random.Random) -> None:
        """One step on both sides, and then everything must agree."""
        self.upkeep()
        getattr(self, step)(rng)
        self.check()

    def somebody(self, rng: random.Random) -> tuple[str, str]:
        return rng.choice(self.profiles), rng.choice(self.contacts)

    def key(self) -> str:
        self.keys += 1
        return f"request-{self.keys}"

    def answer(self, profile: str, contact: str, answers: dict[str, Answer], **spoken: Any) -> None:
        """An answer about an account, which is named by its id or as the customer ``spoken`` of it."""
        named = self.desk.answer(None if spoken else profile, contact, answers)
        command = replace(named, key=self.key(), **spoken)
        pair, now = self.pair(profile, contact), self.clock()
        if contact in self.deleted:
            self.refused(command, ContactNotFound)
        elif self.cooling(pair, answers):
            self.refused(command, CoolingOff)
        else:
            receipt = self.call(lambda: consent.record(self.desk.ctx, command))
            self.old_links[receipt.first.link_id] = (profile, contact)
            self.take_in(pair, answers, now)

    def cooling(self, pair: Pair, answers: dict[str, Answer]) -> bool:
        now = self.clock()
        if not pair.live:
            return pair.cool_until is not None and now < pair.cool_until
        no = [pair.said[name] for name in answers if name in pair.said and pair.said[name].what == "refused"]
        return any(each.at is not None and now < each.at + timedelta(days=90) for each in no)

    def take_in(self, pair: Pair, answers: dict[str, Answer], now: datetime) -> None:
        yes = any(each is Answer.YES for each in answers.values())
        if not pair.live:
            pair.said, pair.level, pair.holds, pair.live, pair.joined = {}, (0, 0), set(), yes, False
            if not yes:
                pair.cool_until = now + timedelta(days=90 if Answer.NO in answers.values() else 14)
        pair.answered_at = now
        for purpose, said in answers.items():
            before = pair.said.get(purpose)
            if said is Answer.YES:
                pair.said[purpose] = Said("granted", now + timedelta(days=LASTS[purpose]), self.version)
            elif said is Answer.NO:
                taken_back = before is not None and before.what == "granted"
                pair.said[purpose] = Said("withdrawn" if taken_back else "refused", at=now)
        if yes:
            pair.level = (max(pair.level[0], 1), max(pair.level[1], 1))
        pair.settle()

    def call(self, act: Callable[[], Receipt]) -> Receipt:
        receipt = act()
        if receipt.changed:
            self.calls.append((act, receipt))
        return receipt

    def refused(self, command: RecordConsent, by: type[Exception]) -> None:
        before = self.desk.ledger_size()
        try:
            consent.record(self.desk.ctx, command)
        except by:
            assert self.desk.ledger_size() == before
            return
        raise AssertionError(f"{by.__name__} was expected")

    def yes(self, rng: random.Random) -> None:
        purposes = rng.choice([["service"], ["service", "marketing"]])
        self.answer(*self.somebody(rng), dict.fromkeys(purposes, Answer.YES))

    def no(self, rng: random.Random) -> None:
        self.answer(*self.somebody(rng), dict.fromkeys(rng.choice([["service"], ["marketing"]]), Answer.NO))

    def not_now(self, rng: random.Random) -> None:
        self.answer(*self.somebody(rng), {"service": Answer.NOT_NOW})

    def mixed(self, rng: random.Random) -> None:
        said = list(Answer)
        self.answer(*self.somebody(rng), {"service": rng.choice(said), "marketing": rng.choice(said)})

    def undo(self, command: WithdrawConsent, pairs: list[Pair], purposes: frozenset[str] | None = None) -> None:
        command = replace(command, key=self.key(), purposes=purposes)
        self.call(lambda: consent.withdraw(self.desk.ctx, command))
        for pair in pairs:
            for name, said in pair.said.items():
                if pair.live and said.what == "granted" and name in (purposes or LASTS):
                    pair.said[name] = Said("withdrawn", at=self.clock())
            pair.settle()

    def of_profile(self, profile: str) -> list[Pair]:
        return [pair for (p, _), pair in self.pairs.items() if p == profile]

    def withdraw(self, rng: random.Random) -> None:
        profile = rng.choice(self.profiles)
        self.undo(WithdrawConsent(CUSTOMER, profile_id=profile), self.of_profile(profile))

    def withdraw_purpose(self, rng: random.Random) -> None:
        profile = rng.choice(self.profiles)
        purpose = frozenset({rng.choice(sorted(LASTS))})
        self.undo(WithdrawConsent(CUSTOMER, profile_id=profile), self.of_profile(profile), purpose)

    def withdraw_contact(self, rng: random.Random) -> None:
        contact = rng.choice(self.contacts)
        meant = [pair for (_, c), pair in self.pairs.items() if c == contact]
        self.undo(WithdrawConsent(CUSTOMER, contact_id=contact), meant)

    def withdraw_by_old_link(self, rng: random.Random) -> None:
        """Any link the customer was ever told of undoes the pair that it stands for now."""
        if self.old_links:
            link_id = rng.choice(list(self.old_links))
            self.undo(WithdrawConsent(CUSTOMER, link_id=link_id), [self.pair(*self.old_links[link_id])])

    def invalidate(self, rng: random.Random) -> None:
        live = self.live_links()
        if live:
            link = rng.choice(live)
            consent.invalidate(self.desk.ctx, link.id, PRIVACY, "somebody else")
            self.pair(link.profile_id, link.contact_id).live = False

    def prove(self, rng: random.Random) -> None:
        live = self.live_links()
        if live:
            link, proof = rng.choice(live), (rng.randint(1, 3), rng.randint(1, 3))
            consent.prove(self.desk.ctx, link.id, Assurance(*proof), CUSTOMER)
            pair = self.pair(link.profile_id, link.contact_id)
            pair.level = (max(pair.level[0], proof[0]), max(pair.level[1], proof[1]))

    def hold(self, rng: random.Random) -> None:
        live = self.live_links()
        if live:
            link = rng.choice(live)
            reason = rng.choice([HoldReason.DISPUTE, HoldReason.CRM_OPTOUT])
            consent.hold(self.desk.ctx, link.id, reason, PRIVACY)
            self.pair(link.profile_id, link.contact_id).holds.add(reason)

    def release(self, rng: random.Random) -> None:
        for link in self.live_links():
            pair = self.pair(link.profile_id, link.contact_id)
            for reason in sorted(pair.holds - {HoldReason.CONTACT_MISSING}):
                consent.release(self.desk.ctx, link.id, HoldReason(reason), PRIVACY)
                pair.holds.discard(reason)

    def wait(self, rng: random.Random) -> None:
        self.clock.move(hours=rng.randint(1, 100))

    def clock_back(self, rng: random.Random) -> None:
        """Another host's clock is behind, or this one was set right; a wording in force was in force before that."""
        back = timedelta(hours=rng.randint(1, 60))
        self.clock.now = max(self.clock() - back, self.worded_at)

    def wait_long(self, rng: random.Random) -> None:
        self.clock.move(days=rng.choice([15, 95, 300, 400]))

    def new_wording(self, rng: random.Random) -> None:
        """What is agreed to changes in substance: everybody must be asked again."""
        self.clock.move(minutes=1)
        self.worded_at = self.clock()
        self.version += 1
        self.desk.ctx = replace(
            self.desk.ctx, consent=with_new_version(self.desk.ctx.consent, self.version, self.clock())
        )

    def join(self, rng: random.Random) -> None:
        """The CRM makes one contact of two: only what both allowed goes on."""
        if len(self.contacts) < 2:
            return
        gone, stays = rng.sample(self.contacts, 2)
        if {gone, stays} & self.deleted:
            return
        self.contacts.remove(gone)
        with self.desk.store.begin() as uow:
            row = update(crm_contacts).where(crm_contacts.c.crm_id == gone)
            uow.connection.execute(row.values(is_deleted=True, master_id=stays))
        consent.follow_merge(self.desk.ctx, gone, stays)
        self.follow(gone, stays)

    def follow(self, gone: str, stays: str) -> None:
        """What the rules say of two contacts that became one."""
        for link_id, (profile, contact) in self.old_links.items():
            if contact == gone:
                self.old_links[link_id] = (profile, stays)
        for profile in self.profiles:
            one, other = self.pairs.pop((profile, gone), None), self.pairs.get((profile, stays))
            self.pairs[profile, stays] = joined(one, other)

    def delete(self, rng: random.Random) -> None:
        contact = rng.choice(self.contacts)
        if contact not in self.deleted:
            self.deleted.add(contact)
            self.mark(contact, is_deleted=True)
            consent.contact_gone(self.desk.ctx, contact)
            for (_, c), pair in self.pairs.items():
                if c == contact and pair.live:
                    pair.holds.add(HoldReason.CONTACT_MISSING)

    def restore(self, rng: random.Random) -> None:
        for contact in sorted(self.deleted):
            self.mark(contact, is_deleted=False)
            with self.desk.store.begin() as uow:
                consent.contact_back_in(uow, self.desk.ctx, contact)
            for (_, c), pair in self.pairs.items():
                if c == contact:
                    pair.holds.discard(HoldReason.CONTACT_MISSING)
        self.deleted.clear()

    def mark(self, contact: str, **values: Any) -> None:
        with self.desk.store.begin() as uow:
            uow.connection.execute(update(crm_contacts).where(crm_contacts.c.crm_id == contact).values(**values))

    def suggest(self, rng: random.Random) -> None:
        """Somebody looks at who it may be: nothing may come of that."""
        suggest_to_agent(self, *self.somebody(rng))

    def replay(self, rng: random.Random) -> None:
        """An earlier request comes again, exactly as it was: it gives the same receipt and does nothing."""
        if self.calls:
            act, receipt = rng.choice(self.calls)
            before = self.desk.ledger_size()
            assert act() == receipt, "a request that came again did something else"
            assert self.desk.ledger_size() == before

    def deliver(self, rng: random.Random) -> None:
        """The queue is sent: each record names exactly who may be named at that moment, and nothing older stays."""
        for write in self.desk.drain():
            assert write.contact_id == self.allowed(write.profile_id, "service"), "a record named somebody it must not"
        for (obj, key), contact in self.desk.shown.items():
            profile = self.desk.profile_of(obj, key)
            assert contact == self.allowed(profile, "service"), "the CRM shows what is no longer so"

    def happy(self, rng: random.Random) -> None:
        """From nothing to a contact in the CRM: without this, chance alone seldom gets there."""
        profile, contact = self.somebody(rng)
        self.answer(profile, contact, {"service": Answer.YES})
        self.check()
        self.deliver(rng)

    # What must hold after every step --------------------------------------------------------------------------------

    def live_links(self) -> list[Any]:
        return [row for row in self.desk.links() if row.state == "active"]

    def check(self) -> None:
        for profile in self.profiles:
            for purpose, operation in OPERATION.items():
                answer = self.desk.gate(profile, operation)
                given = answer.contact_id if isinstance(answer, Permit) else None
                assert given == self.allowed(profile, purpose), f"{purpose}: gate {answer}"
        live: set[tuple[str, str]] = set()
        for row in self.desk.links():
            assert self.ended.get(row.id, row.state) == row.state, "an ended link came back"
            if row.state in ENDED:
                self.ended[row.id] = row.state
            elif row.state in ("asked", "active"):
                assert (row.profile_id, row.contact_id) not in live, "two live links of one pair"
                live.add((row.profile_id, row.contact_id))


def suggest_to_agent(world: World, profile: str, contact: str) -> None:
    """Stands where suggestions are shown; a seeded fault puts an automatic link here."""
    assert world.desk.gate(profile) == world.desk.gate(profile), (profile, contact)


def joined(one: Pair | None, other: Pair | None) -> Pair:
    """What goes on of two pairs whose contacts became one."""
    if one is None or other is None or not ((one.said or one.cool_until) and (other.said or other.cool_until)):
        told = [each for each in (other, one) if each is not None and (each.said or each.cool_until)]
        return told[0] if told else Pair()
    both_live = one.live and other.live
    result = Pair(live=one.live or other.live)
    alive = [each for each in (other, one) if each.live]
    result.answered_at = alive[0].answered_at if alive else None
    result.level = (
        (min(one.level[0], other.level[0]), min(one.level[1], other.level[1]))
        if both_live
        else (alive or [other])[0].level
    )
    result.holds = set().union(*(each.holds for each in alive))
    cools = [each.cool_until for each in (one, other) if each.cool_until is not None]
    result.cool_until = max(cools, default=None)
    for purpose in LASTS:
        result.said.update(stricter(purpose, one, other, alive))
    result.settle()
    return result


def stricter(purpose: str, one: Pair, other: Pair, alive: list[Pair]) -> dict[str, Said]:
    sides = [one.said.get(purpose), other.said.get(purpose)]
    no = [each for each in sides if each is not None and each.what in ("refused", "withdrawn")]
    if no:
        own = alive[0].said.get(purpose) if alive else None
        return {purpose: own if own in no and own is not None else no[0]}
    if len(alive) == 2 and all(each is not None and each.what == "granted" for each in sides):
        granted = [each for each in sides if each is not None]
        until = min(each.until for each in granted if each.until is not None)
        return {purpose: Said("granted", until, min(each.version for each in granted))}
    expired = [each for each in sides if each is not None and each.what == "expired"]
    return {purpose: expired[0]} if expired else {}


def with_new_version(registry: ConsentRegistry, version: int, now: datetime) -> ConsentRegistry:
    """The registry with one more version of every wording, which changes what is agreed to."""
    newest: dict[tuple[str, str], Notice] = {(each.id, each.lang): each for each in registry.notices}
    added = tuple(replace(each, version=str(version), material=True, valid_from=now) for each in newest.values())
    return ConsentRegistry(registry.purposes, registry.notices + added, registry.places, registry.used_for)


START = datetime(2026, 2, 2, 12, tzinfo=UTC)
