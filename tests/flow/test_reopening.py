"""A customer who comes back: which of several cases of one conversation the words and their answers belong to."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from connector.domain.cases import KnownCase, Placement, place, place_answer
from connector.domain.channels import AuthorRole
from connector.domain.events import to_millis
from connector.flows.applying import apply_events
from connector.store.tables import cases, interactions
from connector.store.unit_of_work import Store, UnitOfWork
from tests.flow.ingesting import DESK, answered, apply, arrivals, at, rows, said

DAY = 24 * 60
WINDOW = 7 * DAY


def close(uow: UnitOfWork, minutes: float, *, sequence: int = 0) -> None:
    """An agent closes the case in the CRM; the connector has read it."""
    closed = update(cases).where(cases.c.sequence == sequence).values(closed_at=to_millis(at(minutes)), status="Closed")
    uow.connection.execute(closed)


def told(store: Store) -> list[tuple[str, int | None, set[str]]]:
    """The cases in order: open or closed, minutes from the story's noon to the first response, what was said."""
    found = sorted(rows(store, cases), key=lambda case: int(case["sequence"]))
    noon = to_millis(at(0))
    return [
        (
            "open" if case["closed_at"] is None else "closed",
            None if case["first_response_at"] is None else (case["first_response_at"] - noon) // 60_000,
            {item["item_id"] for item in rows(store, interactions, case_id=case["id"])},
        )
        for case in found
    ]


NEXT_MATTER = [said("2", 9 * DAY), answered("a", 9 * DAY + 60)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the answer first"])
def test_an_answer_counts_for_the_words_it_came_after_whichever_arrived_first(
    any_store: Store, order: tuple[int, int]
) -> None:
    apply(any_store, said("1", 0))
    with any_store.begin() as uow:
        close(uow, 60)
    for index in order:
        apply(any_store, NEXT_MATTER[index])
    assert told(any_store) == [("closed", None, {"1"}), ("open", 9 * DAY + 60, {"2", "a"})]


def test_words_that_begin_a_case_earlier_have_their_answers_with_them(store: Store) -> None:
    apply(store, said("1", 0))
    with store.begin() as uow:
        close(uow, 60)
    apply(store, said("3", 9 * DAY))
    apply(store, answered("a", 8 * DAY + 60))
    apply(store, said("2", 8 * DAY))
    assert told(store) == [("closed", None, {"1"}), ("open", 8 * DAY + 60, {"2", "3", "a"})]


def test_question_and_answer_go_into_the_same_of_two_open_cases(store: Store) -> None:
    apply(store, said("1", 0))
    with store.begin() as uow:
        close(uow, 60)
    apply(store, said("3", 9 * DAY))
    apply(store, said("2", 5 * DAY))  # late, and within the window of the first case
    apply(store, said("4", 10 * DAY), answered("a", 10 * DAY + 60))
    assert told(store) == [("open", None, {"1", "2"}), ("open", 10 * DAY + 60, {"3", "4", "a"})]


def test_an_old_case_that_is_closed_once_more_takes_no_words_from_the_open_one(store: Store) -> None:
    apply(store, said("1", 0))
    with store.begin() as uow:
        close(uow, 60)
    apply(store, said("2", 9 * DAY))
    with store.begin() as uow:
        close(uow, 9.5 * DAY)
    apply(store, said("3", 10 * DAY), answered("a", 10 * DAY + 60))
    assert told(store) == [("closed", None, {"1"}), ("open", 10 * DAY + 60, {"2", "3", "a"})]


def test_an_answer_that_turns_out_to_be_to_somebody_without_a_case_leaves_the_one_it_was_in(store: Store) -> None:
    """Who began the thread arrives last, a machine; another's next matter must not stumble over the brand's words."""
    to_the_thread = answered("a", 20 * DAY, to=None, parent_id="root", thread_id="root")
    root = said("root", -5, by="machine", author_role=AuthorRole.BOT, thread_id="root")
    apply(store, said("1", 0, thread_id="root"))
    with store.begin() as uow:
        close(uow, 60)
    apply(store, to_the_thread)
    apply(store, root)
    assert rows(store, interactions, item_id="a")[0]["case_id"] is None
    apply(store, said("2", 10 * DAY, thread_id="root"))
    assert [len(rows(store, interactions, case_id=case["id"])) for case in rows(store, cases, thread="root")] == [1, 1]


OLD = KnownCase("old", 0, 0, 60)


@pytest.mark.parametrize(
    ("known", "minute", "expected", "answer"),
    [
        ([], 5, Placement(0, opens=True), None),
        ([OLD], -5, Placement(0), "old"),
        ([OLD], -8 * DAY, Placement(0), None),
        ([OLD], 60, Placement(0), "old"),
        ([OLD], 60 + WINDOW, Placement(0, reopens=True), "old"),
        ([OLD], 61 + WINDOW, Placement(1, opens=True, parent_id="old"), "old"),
        ([OLD, KnownCase("new", 1, 9 * DAY)], 8 * DAY, Placement(1), "old"),
        ([OLD, KnownCase("new", 1, 9 * DAY)], 10 * DAY, Placement(1), "new"),
        ([KnownCase("old", 0, 0), KnownCase("new", 1, 9 * DAY, 9 * DAY + 5)], 10 * DAY, Placement(0), "old"),
        ([KnownCase("old", 0, 0), KnownCase("new", 1, 9 * DAY, 9 * DAY + 5)], 9 * DAY + 5, Placement(1), "new"),
        ([KnownCase("gone", 0, 0, is_deleted=True)], 5, Placement(1, opens=True, parent_id="gone"), None),
    ],
)
def test_where_words_of_the_customer_and_of_the_brand_go(
    known: list[KnownCase], minute: int, expected: Placement, answer: str | None
) -> None:
    assert place(known, minute, WINDOW) == expected
    assert place_answer(known, minute, WINDOW) == answer


@dataclass
class Figured:
    """What a case's figures should be, worked out by another way than the product's."""

    inbound: list[int] = field(default_factory=list)
    outbound: list[int] = field(default_factory=list)

    def told(self) -> tuple[Any, ...]:
        """Opened, last words, first response, touches."""
        began = min(self.inbound)
        answers = [moment for moment in self.outbound if moment >= began]
        return began, max(self.inbound), min(answers, default=None), len(self.inbound), len(self.outbound)


class Undone(Exception):
    """Ends a trial, so that its transaction leaves nothing."""


TALK = st.lists(st.tuples(st.booleans(), st.integers(0, 40 * DAY)), min_size=1, max_size=8, unique=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(talk=TALK, closed=st.dictionaries(st.integers(0, 7), st.integers(0, 40 * DAY), max_size=3))
@example(talk=[(True, 0), (False, 9 * DAY + 60), (True, 9 * DAY)], closed={0: 60})
def test_every_answer_counts_in_the_case_that_was_under_way_whatever_arrived_first(
    store: Store, talk: list[tuple[bool, int]], closed: dict[int, int]
) -> None:
    """``talk`` is who spoke when, as it arrives; after some of the arrivals all open cases are closed at some time."""
    with suppress(Undone), store.begin() as uow:
        for number, (inbound, minute) in enumerate(talk):
            event = said(f"i{number}", minute) if inbound else answered(f"a{number}", minute)
            apply_events(uow, DESK, arrivals([event]))
            if number in closed:
                shut = update(cases).where(
                    cases.c.closed_at.is_(None), cases.c.opened_at <= to_millis(at(closed[number]))
                )
                uow.connection.execute(shut.values(closed_at=to_millis(at(closed[number]))))
        _check(uow, [event for event in talk if event[0]])
        raise Undone


def _check(uow: UnitOfWork, inbound: list[tuple[bool, int]]) -> None:
    found = uow.connection.execute(select(cases).order_by(cases.c.sequence)).all()
    said_in: dict[str, Figured] = {case.id: Figured() for case in found}
    for item in uow.connection.execute(select(interactions)):
        if item.case_id is None:
            assert item.direction == "outbound"
            continue
        part = said_in[item.case_id]
        (part.inbound if item.direction == "inbound" else part.outbound).append(item.occurred_at)
    assert sum(len(each.inbound) for each in said_in.values()) == len(inbound)
    for number, case in enumerate(found):
        figured = said_in[case.id].told()
        assert figured == (
            case.first_inbound_at, case.last_inbound_at, case.first_response_at, case.inbound_touches,
            case.outbound_touches,
        )  # fmt: skip
        later = [other.opened_at for other in found[number + 1 :]]
        if case.closed_at is not None and later:
            # Once it was closed and the next one begun, nothing was said in it.
            assert all(moment < min(later) or moment <= case.closed_at for moment in said_in[case.id].outbound)
