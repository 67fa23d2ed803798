"""Senders whose clocks are wrong: what they tell counts, their time only as far as it can be true."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connector.domain.events import Author, Event, to_millis
from connector.flows.applying import apply_events
from connector.flows.board import Arrival
from connector.store.tables import cases, interactions, profile_handles, social_profiles
from connector.store.unit_of_work import Store
from tests.flow.ingesting import DESK, NOON, answered, at, rows, said

YEARS = 40 * 365 * 24 * 60


def come(store: Store, minutes: float, *events: Event) -> None:
    """The events arrive so many minutes after the story's noon."""
    with store.begin() as uow:
        apply_events(uow, DESK, [Arrival(each, None, "$", "x", to_millis(at(minutes))) for each in events])


def test_words_dated_years_ahead_count_as_said_when_they_came_and_can_be_answered(store: Store) -> None:
    come(store, 5, said("1", YEARS))
    come(store, 30, answered("a", 20))
    (case,) = rows(store, cases)
    assert case["last_inbound_at"] == case["opened_at"] == to_millis(at(5))
    assert case["first_response_at"] == to_millis(at(20))
    assert not rows(store, interactions, item_id="1")[0]["time_known"]


def test_a_name_told_by_a_clock_years_ahead_is_not_the_last_one_for_years(store: Store) -> None:
    come(store, 5, said("1", YEARS, author=Author(external_id="customer-1", handle="before")))
    come(store, 9, said("2", 8, author=Author(external_id="customer-1", handle="after")))
    (profile,) = rows(store, social_profiles)
    assert (profile["handle"], profile["last_seen_at"]) == ("after", to_millis(at(8)))
    assert max(each["last_seen_at"] for each in rows(store, profile_handles)) == to_millis(at(8))


@pytest.mark.parametrize(("ahead", "believed"), [(timedelta(hours=23), True), (timedelta(hours=25), False)])
def test_a_clock_that_is_ahead_by_less_than_a_day_is_believed(
    store: Store, ahead: timedelta, *, believed: bool
) -> None:
    come(store, 0, said("1", ahead.total_seconds() / 60))
    expected = NOON + ahead if believed else NOON
    assert rows(store, interactions)[0]["occurred_at"] == to_millis(expected)
