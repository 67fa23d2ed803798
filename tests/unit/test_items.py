"""The rules of ingestion by themselves: versions, references, placement, figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.cases import DAY_MS, KnownCase, Placement, figures, figures_with, place, place_answer
from connector.domain.channels import Direction, Kind
from connector.domain.events import Author, Event
from connector.domain.items import Item, absorb, placeholder, reference_of
from connector.domain.keys import SEPARATOR, derive_id
from connector.domain.moments import version_order
from connector.domain.sightings import describe, first_sight

WINDOW = 7 * DAY_MS
MESSAGE = Event("x", Kind.MESSAGE, Direction.INBOUND, item_id="1")


def item(**values: Any) -> Item:
    """A customer's message as stored."""
    plain = placeholder("id", ("x", "", "1"), "messaging", 5)
    known: dict[str, Any] = {"kind": "message", "direction": "inbound", "author_role": "customer", "occurred_at": 10}
    return replace(plain, **(known | values))


@pytest.mark.parametrize(
    ("version", "order"),
    [
        ("7", 7),
        ("1769850000", 1769850000),
        ("1769850000.25", 1769850000250),
        ("2026-01-31T09:00:00Z", 1769850000000),
        ("2026-01-31T10:00:00.250+01:00", 1769850000250),
        ("2026-01-31T09:00:00", 1769850000000),
        ("v2-final", 0),
        ("", 0),
        ("9" * 40, 0),
    ],
)
def test_versions_of_every_spelling_are_numbers(version: str, order: int) -> None:
    assert version_order(version) == order


@given(st.text(max_size=40))
def test_no_version_breaks_the_order(version: str) -> None:
    assert 0 <= version_order(version) < 10**20


@given(st.text(max_size=20), st.lists(st.one_of(st.none(), st.text(max_size=20)), max_size=4))
def test_an_id_is_the_uuid5_of_its_natural_key(what: str, natural: list[str | None]) -> None:
    namespace = UUID(int=7)
    assert derive_id(namespace, what, *natural) == str(
        uuid5(namespace, SEPARATOR.join([what, *(each or "" for each in natural)]))
    )


@pytest.mark.parametrize(
    ("event", "reference"),
    [
        (replace(MESSAGE, kind=Kind.CALL, item_id="CA1"), "CA1"),
        (replace(MESSAGE, kind=Kind.EMAIL, item_id="<a@b>"), "a@b"),
        (replace(MESSAGE, kind=Kind.EMAIL, item_id="7", extra={"message_id": "<a@b> "}), "a@b"),
        (replace(MESSAGE, kind=Kind.EMAIL, item_id="7"), None),
        (MESSAGE, None),
    ],
    ids=["call", "mail by id", "mail by header", "mail without", "message"],
)
def test_calls_and_mails_have_a_reference_that_others_know_too(event: Event, reference: str | None) -> None:
    assert reference_of(event) == reference


def test_an_edit_that_tells_no_words_changes_none() -> None:
    known = item(text="words")
    absorb(known, replace(MESSAGE, kind=Kind.MESSAGE_EDIT), 20, 5, "s")
    assert known.text == "words"


OPEN, CLOSED = KnownCase("a", 0, 0), KnownCase("a", 0, 0, closed_at=100)


@pytest.mark.parametrize(
    ("cases", "at", "placement"),
    [
        ([], 5, Placement(0, opens=True)),
        ([OPEN], 10**12, Placement(0)),
        ([CLOSED], 100, Placement(0)),
        ([CLOSED], 101, Placement(0, reopens=True)),
        ([CLOSED], 100 + WINDOW, Placement(0, reopens=True)),
        ([CLOSED], 101 + WINDOW, Placement(1, opens=True, parent_id="a")),
        ([CLOSED, KnownCase("b", 1, 10**10)], 101 + WINDOW, Placement(1)),
        ([replace(OPEN, is_deleted=True)], 5, Placement(1, opens=True, parent_id="a")),
    ],
    ids=["first", "open", "before the close", "after it", "last moment", "too late", "the second is open", "deleted"],
)
def test_where_a_customers_words_go(cases: list[KnownCase], at: int, placement: Placement) -> None:
    assert place(cases, at, WINDOW) == placement


@pytest.mark.parametrize(
    ("cases", "at", "found"),
    [
        ([], 5, None),
        ([KnownCase("a", 0, 10)], 10, "a"),
        ([KnownCase("a", 0, 10)], 5, "a"),
        ([KnownCase("a", 0, WINDOW + 10)], 5, None),
        ([KnownCase("a", 0, 10), KnownCase("b", 1, 50)], 49, "a"),
        ([KnownCase("a", 0, 10), KnownCase("b", 1, 50)], 50, "b"),
        ([KnownCase("a", 0, 10, is_deleted=True)], 50, None),
    ],
    ids=["none", "at its opening", "shortly before", "long before", "between", "the second", "deleted"],
)
def test_where_the_brands_words_go(cases: list[KnownCase], at: int, found: str | None) -> None:
    assert place_answer(cases, at, WINDOW) == found


def test_a_case_in_which_no_customer_spoke_has_no_figures() -> None:
    assert figures([item(direction="outbound", author_role="agent")]) is None


def test_placeholders_count_for_nothing() -> None:
    found = figures([item(), item(kind=None, occurred_at=1)])
    assert found is not None
    assert (found.inbound_touches, found.opened_at) == (1, 10)


ITEMS = st.lists(
    st.builds(
        item,
        id=st.uuids().map(str),
        kind=st.sampled_from(["message", "message", "call", None]),
        direction=st.sampled_from(["inbound", "outbound"]),
        author_role=st.sampled_from(["customer", "agent", "bot"]),
        visibility=st.sampled_from(["public", "private"]),
        channel=st.sampled_from(["social", "phone"]),
        occurred_at=st.integers(1, 9),
        duration_seconds=st.sampled_from([None, 0, 30]),
        extra=st.sampled_from(["{}", "{}", '{"subject": "Late"}', '{"subject": "Lost"}', '{"queue_wait_s": 0}']),
    ),
    max_size=6,
)


@given(ITEMS, ITEMS)
def test_figures_grown_by_what_came_are_those_of_everything(before: list[Item], came: list[Item]) -> None:
    known = figures(before)
    if known is not None:
        grown = figures_with(known, came)
        assert grown in (None, figures([*before, *came]))


def test_figures_grow_by_what_comes_later_without_a_look_back() -> None:
    begun = [item(extra='{"subject": "Late"}'), item(direction="outbound", author_role="agent", occurred_at=12)]
    known = figures(begun)
    assert known is not None
    for came in (
        item(occurred_at=20),
        item(occurred_at=20, extra='{"subject": "Re: Late"}'),
        item(direction="outbound", author_role="agent", occurred_at=1),
        item(direction="outbound", author_role="agent", occurred_at=20),
    ):
        assert figures_with(known, [came]) == figures([*begun, came])


@given(st.permutations([(1, "Bakes"), (2, None), (3, "Sails"), (3, "Rows")]))
def test_a_profile_ends_alike_in_any_order(told: list[tuple[int, str | None]]) -> None:
    profile = first_sight("p", "x", "", "1", 1)
    for at, bio in told:
        describe(profile, Author(external_id="1", bio=bio), at)
    assert profile.bio == "Sails"
