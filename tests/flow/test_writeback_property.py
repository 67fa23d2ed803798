"""Whatever happens in whatever order, with an org that fails: it ends up holding exactly what the store projects, no
contact without a link but what a person chose there, and every such choice that is not ours to change."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.errors import Refused
from connector.flows.consent.upkeep import expire_due
from connector.flows.writeback import drain_once
from tests.conftest import FakeClock, open_quickly
from tests.crm_org import TestOrg
from tests.flow.crm_desk import CASE, CONTACT, CrmDesk, case_id_of, crm_desk, said_id_of

ACCOUNTS, PEOPLE = 2, 2
FAULTS = ("unavailable", "rate_limited", "lost_answer", "truncated", "short_list", "expired_token", "html", "row_lock")

Step = tuple[str, int, int]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, ACCOUNTS - 1), st.integers(0, 9)),
        st.tuples(st.just("new case"), st.integers(0, ACCOUNTS - 1), st.just(0)),
        st.tuples(st.sampled_from(["yes", "no", "withdraw"]), st.integers(0, ACCOUNTS - 1), st.integers(0, PEOPLE - 1)),
        st.tuples(st.just("merge"), st.integers(0, PEOPLE - 1), st.integers(0, PEOPLE - 1)),
        st.tuples(
            st.sampled_from(["delete contact", "bring back", "years pass", "sync"]),
            st.integers(0, PEOPLE - 1),
            st.just(0),
        ),
        st.tuples(st.just("choose"), st.integers(0, ACCOUNTS - 1), st.integers(0, PEOPLE)),
        st.tuples(st.just("drain"), st.integers(0, len(FAULTS)), st.integers(1, 2)),
    ),
    min_size=4,
    max_size=16,
)


@dataclass(slots=True)
class World:
    """A connector, the people in the org, and what has happened to them."""

    crm: CrmDesk
    clock: FakeClock
    people: list[str]
    accounts: list[str]
    gone: set[str] = field(default_factory=set)
    cases: dict[str, int] = field(default_factory=dict)
    chosen: dict[str, set[str | None]] = field(default_factory=dict)
    kept: dict[str, str | None] = field(default_factory=dict)

    def do(self, step: Step) -> None:
        what, first, second = step
        getattr(self, f"do_{what.replace(' ', '_')}")(first, second)

    def do_write(self, account: int, number: int) -> None:
        self.crm.change_interaction(said_id_of(self.accounts[account]), text=f"words {number}")
        self.crm.change_case(case_id_of(self.accounts[account]), inbound_touches=number)

    def do_new_case(self, account: int, _: int) -> None:
        number = self.cases[self.accounts[account]] = self.cases.get(self.accounts[account], 0) + 1
        self.crm.case(self.accounts[account], number)

    def do_yes(self, account: int, person: int) -> None:
        if self.people[person] not in self.gone:
            self._answer(self.crm.yes, account, person)
            self._no_longer_theirs(account, self.people[person])

    def do_no(self, account: int, person: int) -> None:
        self._answer(self.crm.no, account, person)

    def _answer(self, say: Callable[[str, str], object], account: int, person: int) -> None:
        try:
            say(self.accounts[account], self.people[person])
        except Refused:
            return  # such as asking again too soon: nothing happened

    def do_withdraw(self, account: int, _: int) -> None:
        self.crm.undo(self.accounts[account])

    def do_merge(self, master: int, loser: int) -> None:
        kept, lost = self.people[master], self.people[loser]
        if kept != lost and not {kept, lost} & self.gone:
            assert self.crm.org is not None
            self.crm.org.merge(kept, lost)
            self.gone.add(lost)
            self.kept.clear()
            for chosen in self.chosen.values():
                chosen.update({kept} if lost in chosen else ())

    def do_delete_contact(self, person: int, _: int) -> None:
        if self.people[person] not in self.gone:
            assert self.crm.org is not None
            self.crm.org.delete("Contact", self.people[person])
            self.gone.add(self.people[person])
            self.kept.clear()

    def do_bring_back(self, person: int, _: int) -> None:
        """People take a contact out of the bin, deleted or merged; of a merged one the CRM still names the master."""
        if self.people[person] in self.gone:
            assert self.crm.org is not None
            self.crm.org.control("undelete", {"ids": [self.people[person]]})
            self.gone.discard(self.people[person])
            self.kept.clear()

    def do_choose(self, account: int, person: int) -> None:
        """A person in the CRM puts a contact on the case, or takes it off, and that is read."""
        assert self.crm.org is not None
        case, contact = case_id_of(self.accounts[account]), [*self.people, None][person]
        found = self.crm.org.rows(f"SELECT Id FROM Case WHERE Connector_Key__c = '{case}'")
        if not found or contact in self.gone:
            return
        self.crm.org.change("Case", found[0]["Id"], ContactId=contact)
        self.crm.sync()
        self.chosen.setdefault(case, set()).add(contact)
        self.kept.pop(case, None)
        if (CASE, case) in self.crm.theirs():
            self.kept[case] = contact

    def _no_longer_theirs(self, account: int, contact: str) -> None:
        """Once the customer agreed to the very contact that a person chose, the link decides about it."""
        case = case_id_of(self.accounts[account])
        if self.kept.get(case) == contact:
            del self.kept[case]

    def do_years_pass(self, _: int, __: int) -> None:
        self.clock.move(days=365 * 3)
        while expire_due(self.crm.ctx).more:
            continue

    def do_sync(self, _: int, __: int) -> None:
        self.crm.sync()

    def do_drain(self, fault: int, count: int) -> None:
        assert self.crm.org is not None
        if fault < len(FAULTS):
            self.crm.org.faults({"fault": FAULTS[fault], "on": ["collections"], "count": count})
        drain_once(self.crm.ctx, flush=True)
        self.crm.org.faults()


def without_contact(record: dict[str, Any], is_theirs: bool) -> dict[str, Any]:
    return {name: value for name, value in record.items() if not (is_theirs and name == CONTACT[CASE])}


# A removal whose answer was lost, seen by the next reading.
LOST_REMOVAL: list[Step] = [("write", 0, 5), ("withdraw", 0, 0), ("drain", 8, 1), ("drain", 2, 2)]

# A merge that is taken back before anything was read or sent, and one into a contact that was taken out of another.
UNSEEN: list[Step] = [("merge", 1, 0), ("bring back", 0, 0)]
TAKEN_BACK: list[Step] = [("merge", 1, 0), ("sync", 0, 0), ("bring back", 0, 0)]
MERGED_AGAIN: list[Step] = [
    ("merge", 1, 0), ("sync", 0, 0), ("bring back", 0, 0), ("sync", 0, 0), ("yes", 1, 1), ("merge", 0, 1),
]  # fmt: skip
# The CRM restores what pointed to a contact, also on what was emptied meanwhile.
CAME_BACK: list[Step] = [
    ("delete contact", 0, 0), ("sync", 0, 0), *[("drain", 8, 1)] * 3, ("withdraw", 0, 0), *[("drain", 8, 1)] * 3,
    ("bring back", 0, 0),
]  # fmt: skip


@given(steps=STEPS)
@example(steps=LOST_REMOVAL)
@example(steps=UNSEEN)
@example(steps=TAKEN_BACK)
@example(steps=MERGED_AGAIN)
@example(steps=CAME_BACK)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_org_ends_as_the_store_projects(shared_org: TestOrg, migrated_file: Path, steps: list[Step]) -> None:
    with TemporaryDirectory() as folder, ExitStack() as closing:
        shutil.copy(migrated_file, f"{folder}/connector.db")
        store = open_quickly(Path(folder) / "connector.db")
        closing.callback(store.close)
        shared_org.empty()
        clock = FakeClock(datetime(2026, 2, 2, 12, tzinfo=UTC))
        crm = crm_desk(store, clock, shared_org)
        people = [crm.person(LastName=f"Person{number}") for number in range(PEOPLE)]
        world = World(crm, clock, people, [crm.account(f"customer{number}") for number in range(ACCOUNTS)])
        crm.sync()
        world.do(("yes", 0, 0))
        crm.send()
        for step in steps:
            world.do(step)
        crm.sync()
        assert crm.send().dead == 0
        crm.sync()
        crm.send()
        held, theirs = crm.held(), crm.theirs()
        assert {each: without_contact(record, each in theirs) for each, record in held.items()} == crm.wanted()
        linked = {link.contact_id for link in crm.links() if link.state == "active"}
        for (obj, key), record in held.items():
            allowed = world.chosen.get(key, set()) if (obj, key) in theirs else linked
            assert record[CONTACT[obj]] in {None, *allowed}
        assert {case: held[CASE, case]["ContactId"] for case in world.kept} == world.kept
        assert len([obj for obj, _ in crm.held() if obj == CASE]) == ACCOUNTS + sum(world.cases.values())
