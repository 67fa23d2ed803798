"""What senders tell of an account apart from its messages ends alike, whatever the order it comes in."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from connector.domain.addresses import LONGEST, NOTHING, forgotten, tellings, with_told

EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "email": st.sampled_from(["mara@mail.example", "ingrid@mail.example", "", None, 7]),
        "phone": st.sampled_from(["+46700000042", "+46700000077"]),
        "confirmed_email": st.sampled_from(["mara@mail.example", "ingrid@mail.example"]),
        "verified_contact": st.sampled_from([True, False, "true"]),
    },
)
STEPS = st.lists(st.tuples(st.integers(0, 5), st.one_of(st.none(), EXTRAS)), max_size=4)


def after(*steps: tuple[int, dict[str, object] | None]) -> str:
    """The addresses after these tellings; None is the wish to be forgotten."""
    known = NOTHING
    for at, extra in steps:
        known = forgotten(known, at) if extra is None else with_told(known, extra, at)
    return known


@given(STEPS)
def test_any_order_of_arrival_ends_alike(steps: list[tuple[int, dict[str, object] | None]]) -> None:
    assert {after(*each) for each in permutations(steps)} == {after(*steps)}


@given(STEPS, EXTRAS, st.integers(0, 5))
def test_nothing_told_before_the_wish_to_be_forgotten_is_left(
    steps: list[tuple[int, dict[str, object] | None]], extra: dict[str, object], at: int
) -> None:
    known = after(*steps, (5, None), (at, extra))
    assert tellings(known) == []


def test_the_newest_telling_of_each_stands() -> None:
    known = after((2, {"email": "mara@mail.example"}), (1, {"email": "old@mail.example", "phone": "+46700000042"}))
    assert sorted(tellings(known)) == [(1, {"phone": "+46700000042"}), (2, {"email": "mara@mail.example"})]


def test_a_verified_contacts_address_counts_as_confirmed_too() -> None:
    known = after((1, {"email": "mara@mail.example", "verified_contact": True}))
    assert sorted(tellings(known), key=repr) == [
        (1, {"confirmed_email": "mara@mail.example"}),
        (1, {"email": "mara@mail.example"}),
    ]


def test_what_is_no_address_is_not_kept() -> None:
    assert after((1, {"email": "x" * (LONGEST + 1), "phone": ["+46700000042"], "status": "open"})) == NOTHING
