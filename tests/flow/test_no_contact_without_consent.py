"""The promise of the product, over all code paths together.

No record of a social account names a contact in the CRM unless that person's consent stands right then. Deliveries,
answers, withdrawals, the clock forwards and backwards, merges and their undoing, deletions, calls logged by agents,
failures of the CRM, workers that die or stand still in a call, and changes while a call is under way come in any order;
a recording CRM asks an oracle that shares no code with the connector (consent_world) about every record it is sent.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, update

from connector.crm.port import CRM, Budget, Calls, Outcome, Record, RowResult
from connector.domain.consent import Answer, HoldReason
from connector.domain.events import format_time, to_millis
from connector.domain.profiles import spoken_id
from connector.errors import CrmUnavailable
from connector.flows.consent import WithdrawConsent
from connector.flows.ingest import ingest_once
from connector.flows.sources import Source
from connector.flows.sync.born import BornReader
from connector.flows.sync.cases import CaseReader
from connector.flows.sync.contacts import take_contacts
from connector.flows.upkeep import give_back_expired
from connector.flows.writeback import drain_once
from connector.mapping.crm import load_crm_mapping
from connector.mapping.crm_born import OBJECTS
from connector.mapping.loader import load_mappings
from connector.store import outbox_shelf
from connector.store.accept import GroupCommit
from connector.store.crm_state import write_state
from connector.store.inbox import NewDelivery
from connector.store.tables import cases, interactions, outbox, social_profiles
from connector.store.unit_of_work import Store, open_store
from tests.conftest import FakeClock, empty_store
from tests.flow.consent_world import START, World, joined
from tests.flow.consenting import ADA, CUSTOMER, MAPPINGS, NAMESPACE, Desk, desk_on

SOURCES = load_mappings(MAPPINGS)
CRM_MAPPING = load_crm_mapping(MAPPINGS / "crm" / "salesforce.yml")
TASK = next(each for each in OBJECTS if each.name == "Task")
CUSTOMERS = ("c1", "c2")
NEWCOMER = "c3"
STEPS = (
    "post", "post", "post_again", "revoke_there", "happy", "happy", "yes", "mixed", "no", "withdraw",
    "withdraw_purpose",
    "withdraw_contact", "withdraw_by_old_link", "invalidate", "prove", "hold", "release", "wait", "wait_long",
    "new_wording", "join", "delete", "restore", "replay", "deliver", "deliver", "deliver_badly", "deliver_late",
    "log_a_call", "die_in_a_call", "change_during_a_call", "change_during_a_call", "stand_still_in_a_call",
    "stand_still_in_a_call", "clock_back", "part", "part", "speak_of_a_handle", "speak_of_a_handle", "newcomer",
    "join_a_case",
)  # fmt: skip
CHANGES = ("yes", "mixed", "no", "withdraw", "withdraw_contact", "invalidate", "hold", "release", "wait_long",
           "new_wording", "join", "part", "delete", "post", "revoke_there")  # fmt: skip
"""What may happen while a call to the CRM is under way."""

Step = tuple[str, int]
ANY_STEPS = st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 2**16)), min_size=12, max_size=25)
SET_BACK: list[Step] = [("wait", 1), ("happy", 0), ("clock_back", 1), ("revoke_there", 0)]
"""The customer revokes at the network what a clock that was set back since has dated into the future."""

Names = Mapping[str, "str | None"]
"""Who may be named for each account."""


class Died(BaseException):
    """The worker is no more: nothing after this line was done."""


@dataclass(slots=True)
class RecordingCrm:
    """A CRM that keeps what it is sent, asks ``judge`` about every contact named, and fails when told to.

    The judge goes by what was so when the call began; what happens ``meanwhile`` must be put right by a later call.
    """

    names: Callable[[], Names]
    judge: Callable[[str, str, str, Names], None]
    meanwhile: Callable[[], None] | None = None
    contacts: dict[tuple[str, str], str | None] = field(default_factory=dict)
    emptied: dict[tuple[str, str], str] = field(default_factory=dict)
    ids: dict[tuple[str, str], str] = field(default_factory=dict)
    fail: Callable[[], str] = field(default=lambda: "")
    sent: int = 0

    def upsert(self, obj: str, key_field: str, records: Sequence[Record], *, assign: bool = False) -> list[RowResult]:
        return self.call(obj, [(str(each[key_field]), each) for each in records])

    def update(self, obj: str, records: Mapping[str, Record]) -> list[RowResult]:
        keys = {record_id: key for (_, key), record_id in self.ids.items()}
        return self.call(obj, [(keys[record_id], each) for record_id, each in records.items()])

    def call(self, obj: str, records: Sequence[tuple[str, Record]]) -> list[RowResult]:
        mode, names = self.fail(), self.names()
        self.change()
        if mode == "away":
            raise CrmUnavailable
        if mode == "locked":
            return [RowResult(Outcome.RETRY) for _ in records]
        if mode == "died before":
            raise Died
        results = [self.take(obj, key, each, names) for key, each in records]
        if mode == "answer lost":
            raise CrmUnavailable
        if mode == "died after":
            raise Died
        return results

    def change(self) -> None:
        if self.meanwhile is not None:
            change, self.meanwhile = self.meanwhile, None
            change()

    def take(self, obj: str, key: str, record: Record, names: Names) -> RowResult:
        self.sent += 1
        for name in ("ContactId", "Contact__c"):
            if name in record:
                self.contacts[obj, key] = record[name]
                if record[name] is not None:
                    self.emptied.pop((obj, key), None)
                    self.judge(obj, key, record[name], names)
        known = (obj, key) in self.ids
        prefix = "500" if obj == "Case" else "a00"
        crm_id = self.ids.setdefault((obj, key), f"{prefix}{len(self.ids):012d}AAA")
        return RowResult(Outcome.OK, crm_id, created=not known)

    def keyed(self, obj: str, key_field: str, keys: Sequence[str], *, deleted: bool = False) -> Mapping[str, str]:
        self.change()
        return {key: self.ids[obj, key] for key in keys if (obj, key) in self.ids}

    def budget(self) -> Budget | None:
        return None

    def calls(self) -> Calls:
        return Calls(writes=self.sent)

    def comes_back(self, contact: str) -> None:
        """The CRM itself names a contact again that it brought back, where no other was named meanwhile."""
        self.contacts |= {key: contact for key, named in self.emptied.items() if named == contact}
        self.emptied = {key: named for key, named in self.emptied.items() if named != contact}

    def becomes(self, contact: str, other: str | None) -> None:
        """The CRM itself moves what named one contact to the one that stays, or empties it."""
        if other is None:
            self.emptied |= {key: contact for key, named in self.contacts.items() if named == contact}
        self.contacts = {key: other if named == contact else named for key, named in self.contacts.items()}


class WholeWorld(World):
    """The world of consent, its deliveries, the reading of the CRM and the writing to it played by the real flows."""

    def __init__(self, desk: Desk, clock: FakeClock) -> None:
        self.number = 0
        self.spoken = spoken_id(NAMESPACE, "community", "", f"{NEWCOMER}_handle")
        self.newcomer_id: str | None = None
        self.masters: dict[str, str] = {}
        self.bodies: list[bytes] = []
        self.crm = RecordingCrm(self.names, self.judge)
        sources = {"social_case": Source("social_case", SOURCES["social_case"], ("a secret",), ("brand-1",))}
        desk.ctx = replace(desk.ctx, sources=sources, crm=cast(CRM, self.crm), crm_mapping=CRM_MAPPING)
        super().__init__(desk, clock)

    def first_accounts(self) -> list[str]:
        for customer in CUSTOMERS:
            self.arrive("message.created", customer)
        with self.desk.store.read() as connection:
            return list(
                connection.execute(select(social_profiles.c.id).order_by(social_profiles.c.external_id)).scalars()
            )

    def arrive(self, kind: str, customer: str, thread: str = "t1") -> None:
        """A delivery is taken in and worked on."""
        self.number += 1
        now = format_time(self.clock())
        message = {
            "id": f"m-{self.number}",
            "kind": "comment",
            "visibility": "public",
            "thread_id": thread,
            "sent_at": now,
        }
        data = {
            "network": "community", "account": {"id": "brand-1"}, "customer": {"id": customer},
            "author": {"id": customer, "handle": f"{customer}_handle", "role": "customer"},
        }  # fmt: skip
        if kind == "message.created":
            data["message"] = message | {"text": f"Words {self.number}"}
        item = {"id": f"evt-{self.number}", "type": kind, "timestamp": now, "data": data}
        self.bodies.append(json.dumps([item]).encode())
        self.take_in_body(self.bodies[-1])

    def take_in_body(self, body: bytes) -> None:
        commit = GroupCommit(self.desk.store)
        key = sha256(body).hexdigest()
        commit.accept(NewDelivery("social_case", key, to_millis(self.clock()), body, "application/json", "{}"))
        commit.close()
        while ingest_once(self.desk.ctx).claimed:
            pass

    def names(self) -> Names:
        return {each: self.allowed(each, "service") for each in self.profiles}

    def judge(self, obj: str, key: str, contact: str, names: Names) -> None:
        profile = self.account_behind(obj, key)
        assert contact == names.get(profile), f"{obj} named a contact without a consent that stands"

    def account_behind(self, obj: str, key: str) -> str:
        if obj == "Social_Profile__c":
            return key
        table = cases if obj == "Case" else interactions
        with self.desk.store.read() as connection:
            return str(connection.execute(select(table.c.profile_id).where(table.c.id == key)).scalar_one())

    # Steps that the real flows play ---------------------------------------------------------------------------------

    def post(self, rng: random.Random) -> None:
        self.arrive("message.created", rng.choice(CUSTOMERS), rng.choice(["t1", "t2"]))

    def post_again(self, rng: random.Random) -> None:
        """An old delivery comes again, also one that revoked: it changes nothing a second time."""
        before = self.desk.ledger_size()
        self.take_in_body(rng.choice(self.bodies))
        assert self.desk.ledger_size() == before

    def revoke_there(self, rng: random.Random) -> None:
        number = rng.randrange(len(CUSTOMERS))
        self.arrive("access.revoked", CUSTOMERS[number])
        for pair in self.of_profile(self.profiles[number]):
            for name, said in pair.said.items():
                if pair.live and said.what == "granted":
                    pair.said[name] = replace(said, what="withdrawn")
            pair.settle()

    def deliver(self, rng: random.Random) -> None:
        self.crm.fail = lambda: ""
        self.retry_the_dead()
        self.drain()
        for (obj, key), contact in self.crm.contacts.items():
            assert contact == self.allowed(self.account_behind(obj, key), "service"), (
                f"{obj} shows what is no longer so"
            )
        with self.desk.store.read() as connection:
            states = set(connection.execute(select(outbox.c.state)).scalars())
        assert states == {"sent"}

    def deliver_badly(self, rng: random.Random) -> None:
        """The CRM is away, locks rows or takes them without an answer: nothing worse than a delay may come of it."""
        self.crm.fail = lambda: rng.choice(["away", "locked", "answer lost", ""])
        for _ in range(3):
            drain_once(self.desk.ctx, flush=True)
            self.hurry()

    def deliver_late(self, rng: random.Random) -> None:
        """Time has passed, and the clock's round was not made yet: what is sent goes by the time of its sending."""
        self.clock.move(days=rng.choice([364, 365, 729, 730, 731]))
        self.crm.fail = lambda: ""
        self.post(rng)
        self.drain()

    def change_during_a_call(self, rng: random.Random) -> None:
        """Something changes between the asking of the gate and the CRM's taking of the records."""
        self.post(rng)
        self.crm.meanwhile = lambda: getattr(self, rng.choice(CHANGES))(rng)
        self.crm.fail = lambda: ""
        self.drain()
        self.crm.meanwhile = None

    def stand_still_in_a_call(self, rng: random.Random) -> None:
        """A worker's call reaches the CRM only after others have taken its rows over and sent them as they are now."""

        def overtaken() -> None:
            getattr(self, rng.choice(CHANGES))(rng)
            give_back_expired(self.desk.ctx, everything=True)
            self.drain()

        self.post(rng)
        self.hurry()
        self.crm.meanwhile = overtaken
        self.crm.fail = lambda: ""
        drain_once(self.desk.ctx, flush=True)
        self.crm.meanwhile = None

    def die_in_a_call(self, rng: random.Random) -> None:
        """The worker is killed before the CRM took the records, or before their answer came."""
        self.post(rng)
        self.crm.fail = lambda: rng.choice(["died before", "died after", ""])
        for _ in range(3):
            self.hurry()
            with suppress(Died):
                drain_once(self.desk.ctx, flush=True)
            give_back_expired(self.desk.ctx, everything=True)

    def retry_the_dead(self) -> None:
        """What ended its worker three times waits for a person, who tries it again."""
        with self.desk.store.begin() as uow:
            outbox_shelf.retry(uow)

    def log_a_call(self, rng: random.Random) -> None:
        """An agent logs a call on one of our cases, with any contact: that is not the CRM's own word."""
        with self.desk.store.begin() as uow:
            known = select(cases.c.crm_id).where(cases.c.origin == "connector", cases.c.crm_id.is_not(None))
            ours = sorted(uow.connection.execute(known).scalars())
            if not ours:
                return
            self.number += 1
            stamp = format_time(self.clock())
            task = {
                "Id": f"00T{self.number:012d}AAA", "WhatId": rng.choice(ours), "WhoId": rng.choice(self.contacts),
                "Status": "Completed", "CreatedDate": stamp, "SystemModstamp": stamp,
            }  # fmt: skip
            BornReader(self.desk.ctx, TASK, lambda _ids: None).take(uow, [task])

    def join_a_case(self, rng: random.Random) -> None:
        """People join a case of the CRM's own, with a call that names somebody, into a case of ours."""
        with self.desk.store.begin() as uow:
            known = select(cases.c.crm_id).where(cases.c.origin == "connector", cases.c.crm_id.is_not(None))
            ours = sorted(uow.connection.execute(known).scalars())
            if not ours:
                return
            self.number += 1
            stamp = format_time(self.clock())
            case: dict[str, Any] = {
                "Id": f"500B{self.number:011d}AAA", "Origin": "Phone", "ContactId": rng.choice(self.contacts),
                "CreatedDate": stamp, "SystemModstamp": stamp, "MasterRecordId": None,
            }  # fmt: skip
            task = {
                "Id": f"00TB{self.number:011d}AAA", "WhatId": case["Id"], "WhoId": case["ContactId"],
                "Status": "Completed", "CreatedDate": stamp, "SystemModstamp": stamp,
            }  # fmt: skip
            reader = CaseReader(self.desk.ctx, CRM_MAPPING)
            reader.take(uow, [case])
            BornReader(self.desk.ctx, TASK, lambda _ids: None).take(uow, [task])
            reader.take(uow, [case | {"IsDeleted": True, "MasterRecordId": rng.choice(ours)}])

    def drain(self) -> None:
        for _ in range(100):
            self.hurry()
            if drain_once(self.desk.ctx, flush=True).is_idle:
                return
        raise AssertionError("the outbox never ran empty")

    def hurry(self) -> None:
        """What waits for its back-off or for the breaker is due now."""
        with self.desk.store.begin() as uow:
            uow.connection.execute(update(outbox).where(outbox.c.state == "pending").values(run_at=0))
            write_state(uow, "writeback", {})

    def tell(self, contact: str, **more: Any) -> None:
        """The reading of the CRM sees this state of a contact."""
        stamp = format_time(self.clock())
        with self.desk.store.begin() as uow:
            take_contacts(self.desk.ctx, uow, [{"Id": contact, "LastName": "Invented", "SystemModstamp": stamp} | more])

    def speak_of_a_handle(self, rng: random.Random) -> None:
        """A customer names her handle on the phone, often before anything was heard from it."""
        profile = self.newcomer_id or self.spoken
        there = [each for each in self.contacts if each not in self.deleted]
        if there:
            if profile not in self.profiles:
                self.profiles.append(profile)
            yes = {"service": Answer.YES}
            self.answer(profile, rng.choice(there), yes, network="community", handle=f"@{NEWCOMER}_handle")

    def newcomer(self, rng: random.Random) -> None:
        """The account with that handle writes, the first time after it was spoken of; an hour later it is bound."""
        if self.newcomer_id is None:
            self.speak_of_a_handle(rng)
        self.arrive("message.created", NEWCOMER)
        self.clock.move(hours=1)
        if self.newcomer_id is None:
            with self.desk.store.read() as connection:
                columns = select(social_profiles.c.id).where(social_profiles.c.external_id == NEWCOMER)
                self.newcomer_id = str(connection.execute(columns).scalar_one())
            self.profiles.append(self.newcomer_id)

    def upkeep(self) -> None:
        before = self.kept_at
        super().upkeep()
        if self.kept_at != before:
            self.bind()

    def bind(self) -> None:
        """What was agreed to for the spoken handle goes to its account, or ends when that never shows up."""
        waiting = [pair for (profile, _), pair in self.pairs.items() if profile == self.spoken and pair.live]
        if waiting and self.newcomer_id is not None:
            for profile, contact in [key for key in self.pairs if key[0] == self.spoken]:
                one, other = self.pairs.pop((profile, contact)), self.pairs.get((self.newcomer_id, contact))
                stays = other if other is not None and other.live else one
                result = joined(one, other)
                result.joined = stays.joined
                self.pairs[self.newcomer_id, contact] = result
            for link_id, (profile, contact) in self.old_links.items():
                if profile == self.spoken:
                    self.old_links[link_id] = (self.newcomer_id, contact)
            return
        for pair in waiting:
            if pair.answered_at is not None and pair.answered_at + timedelta(days=90) <= self.clock():
                pair.said |= {name: replace(said, what="expired") for name, said in pair.said.items()
                              if said.what == "granted"}  # fmt: skip
                pair.live = False

    def join(self, rng: random.Random) -> None:
        if len(self.contacts) < 2:
            return
        gone, stays = rng.sample(self.contacts, 2)
        if {gone, stays} & self.deleted:
            return
        self.contacts.remove(gone)
        self.crm.becomes(gone, stays)
        self.tell(gone, IsDeleted=True, MasterRecordId=stays)
        concerned = {profile for profile, contact in self.old_links.values() if contact == gone}
        self.follow(gone, stays)
        for profile in concerned:
            self.pairs[profile, stays].joined = self.pairs[profile, stays].live
        self.masters[gone] = stays

    def part(self, rng: random.Random) -> None:
        """The CRM takes a joining back: whoever was meant, nobody is named until a person has looked."""
        back = [each for each, master in self.masters.items() if master in self.contacts]
        if not back:
            return
        contact = rng.choice(back)
        survivor = self.masters.pop(contact)
        self.contacts.append(contact)
        self.tell(contact)
        for (_, named), pair in self.pairs.items():
            if named == survivor and pair.live and pair.joined:
                pair.holds.add(HoldReason.SPLIT_REVIEW)

    def delete(self, rng: random.Random) -> None:
        contact = rng.choice(self.contacts)
        if contact in self.deleted:
            return
        self.deleted.add(contact)
        self.crm.becomes(contact, None)
        self.tell(contact, IsDeleted=True)
        for (_, named), pair in self.pairs.items():
            if named == contact and pair.live:
                pair.holds.add(HoldReason.CONTACT_MISSING)

    def restore(self, rng: random.Random) -> None:
        for contact in sorted(self.deleted):
            self.crm.comes_back(contact)
            self.tell(contact)
            for (_, named), pair in self.pairs.items():
                if named == contact:
                    pair.holds.discard(HoldReason.CONTACT_MISSING)
        self.deleted.clear()


@contextmanager
def whole_world(migrated_file: Path, folder: Path) -> Iterator[WholeWorld]:
    path = folder / "whole.db"
    for each in folder.glob("whole.db*"):
        each.unlink()
    shutil.copy(migrated_file, path)
    store = open_store(f"sqlite:///{path}")
    event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    clock = FakeClock(START)
    try:
        yield WholeWorld(desk_on(store, clock), clock)
    finally:
        store.close()


def walks(examples: int) -> settings:
    """So many walks, the same at each run: each takes a store of its own and seconds."""
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@walks(20)
@given(steps=ANY_STEPS)
@example(steps=SET_BACK)
def test_no_record_names_a_contact_without_a_consent_that_stands(
    migrated_file: Path, tmp_path: Path, steps: list[Step]
) -> None:
    with whole_world(migrated_file, tmp_path) as world:
        play(world, steps)


@pytest.mark.postgres
@walks(3)
@given(steps=ANY_STEPS)
def test_nor_does_one_on_postgresql(postgres_store: Store, steps: list[Step]) -> None:
    clock = FakeClock(START)
    try:
        play(WholeWorld(desk_on(postgres_store, clock), clock), steps)
    finally:
        empty_store(postgres_store)


def play(world: WholeWorld, steps: Sequence[Step]) -> None:
    """Takes these steps, and at last sends all that waits."""
    for step, seed in steps:
        world.do(step, random.Random(seed))
    world.do("deliver", random.Random(0))


def test_the_recording_crm_does_judge(migrated_file: Path, tmp_path: Path) -> None:
    """Without consent to fall back on, a record that names somebody is found at once."""
    with whole_world(migrated_file, tmp_path) as world:
        world.answer(world.profiles[0], ADA, {"service": Answer.YES})
        world.pairs.clear()
        with pytest.raises(AssertionError, match="without a consent"):
            world.deliver(random.Random(0))


def test_a_contact_whose_answer_was_lost_is_taken_back_too(migrated_file: Path, tmp_path: Path) -> None:
    """The CRM has it, the store does not know so: a withdrawal must reach it all the same."""
    with whole_world(migrated_file, tmp_path) as world:
        world.deliver(random.Random(0))
        world.answer(world.profiles[0], ADA, {"service": Answer.YES})
        world.crm.fail = lambda: "answer lost"
        for _ in range(4):
            drain_once(world.desk.ctx, flush=True)
            world.hurry()
        assert ADA in world.crm.contacts.values()
        world.undo(WithdrawConsent(CUSTOMER, contact_id=ADA), list(world.pairs.values()))
        world.crm.fail = lambda: "away"
        for _ in range(4):
            drain_once(world.desk.ctx, flush=True)
            world.hurry()
        world.do("deliver", random.Random(0))
        assert set(world.crm.contacts.values()) == {None}
