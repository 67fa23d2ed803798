"""Networks promise no order and no single delivery: whatever arrives when and how often, the end is the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.domain.channels import AuthorRole, Kind
from connector.domain.events import Author, Event
from connector.flows.applying import apply_events
from connector.store.unit_of_work import Store
from tests.flow.ingesting import DESK, answered, arrivals, at, deleted, edited, end_state, reacted, said

PEOPLE = ("ada", "bo", "cy")


@st.composite
def conversations(draw: st.DrawFn) -> list[Event]:
    """A thread of several people with answers, echoes, edits, deletions, reactions and delivery reports."""
    events: list[Event] = []
    items: list[tuple[str, str, int]] = []
    for number in range(draw(st.integers(1, 5))):
        who = draw(st.sampled_from(PEOPLE))
        minute = draw(st.integers(0, 600))
        item = f"i{number}"
        parent = draw(st.sampled_from([None, *(each[0] for each in items)]))
        kind = draw(st.sampled_from([Kind.MENTION, Kind.REPLY, Kind.COMMENT]))
        bio = draw(st.sampled_from([None, "Bakes", "Sails"]))
        author = Author(external_id=who, handle=draw(st.sampled_from([who, f"{who}2"])), bio=bio)
        events.append(said(item, minute, f"words {number}", by=who, kind=kind, parent_id=parent, author=author))
        items.append((item, who, minute))
    for item, who, minute in items:
        for change in draw(st.lists(st.sampled_from(["edit", "delete", "like", "unlike", "twice"]), max_size=3)):
            later = minute + draw(st.integers(1, 300))
            events.append(_change(change, item, who, later))
    for number in range(draw(st.integers(0, 3))):
        item, who, minute = draw(st.sampled_from(items))
        named = draw(st.booleans())
        role = draw(st.sampled_from([AuthorRole.AGENT, AuthorRole.BOT, AuthorRole.SYSTEM]))
        later = minute + draw(st.integers(-50, 400))
        target = draw(st.sampled_from([item, None, *(f"a{before}" for before in range(number))]))
        echo = answered(f"a{number}", later, to=who if named else None, parent_id=target, author_role=role)
        events.append(echo)
        events.append(replace(echo, kind=Kind.STATUS, text=None, version=f"s{number}", extra={"status": "read"}))
    return events


def _change(change: str, item: str, who: str, minute: int) -> Event:
    if change == "edit":
        return edited(item, minute, f"changed at {minute}", by=who)
    if change == "delete":
        return deleted(item, minute, by=who)
    if change == "twice":  # the same post told as another kind by a second subscription
        return said(item, minute, f"again {minute}", by=who, kind=Kind.POST, version=str(minute))
    extra = {"action": "unlike"} if change == "unlike" else {}
    return reacted(item, minute, by=f"reader-{change}-{minute}", extra=extra)


class Undone(Exception):
    """Ends a trial, so that its transaction leaves nothing."""


def _end(store: Store, batches: Sequence[Sequence[Event]]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    with suppress(Undone), store.begin() as uow:
        for batch in batches:
            apply_events(uow, DESK, arrivals(batch))
        found.update(end_state(uow.connection))
        raise Undone
    return found


def _batches(events: list[Event], seed: int) -> Iterator[list[Event]]:
    chance = random.Random(seed)
    doubled = events + chance.sample(events, k=len(events) // 2)
    chance.shuffle(doubled)
    while doubled:
        size = chance.randint(1, 4)
        yield doubled[:size]
        doubled = doubled[size:]


LONG = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@LONG
@given(events=conversations(), seed=st.integers(0, 10_000))
def test_any_order_and_any_repetition_of_a_conversation_ends_alike(
    store: Store, events: list[Event], seed: int
) -> None:
    _check(store, events, seed)


@pytest.mark.postgres
@settings(LONG, max_examples=10)
@given(events=conversations(), seed=st.integers(0, 10_000))
def test_on_postgresql_too(postgres_store: Store, events: list[Event], seed: int) -> None:
    _check(postgres_store, events, seed)


def _check(store: Store, events: list[Event], seed: int) -> None:
    told = sorted(events, key=lambda event: event.occurred_at or at(0))
    assert _end(store, list(_batches(events, seed))) == _end(store, [[each] for each in told])
