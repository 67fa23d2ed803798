"""Many rows in one go: the same values and the same refusals on both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from connector.domain.sightings import Profile, first_sight
from connector.errors import EventInvalid
from connector.store.cases import CaseEvent, record_case_events
from connector.store.interactions import Applied, record_new
from connector.store.profiles import PROFILES, load_profiles
from connector.store.rows import Many, refusing
from connector.store.tables import events, social_profiles
from connector.store.unit_of_work import Store

AWKWARD = 'Zoë "O\'Hara" \\ {"a": [1]} %s :name ? \u200d👩‍🚀 \x01 \n'


def profile(number: int, **more: Any) -> Profile:
    """A profile with every kind of value."""
    made = first_sight(f"p{number}", "x", "", f"c{number}", 1_770_000_000_000)
    for name, value in more.items():
        setattr(made, name, value)
    return made


def stored(store: Store) -> list[Profile]:
    """Every profile."""
    with store.read() as connection:
        found = connection.execute(select(*PROFILES.columns).order_by(social_profiles.c.id)).all()
    return [Profile(*row) for row in found]


def test_every_value_comes_back_as_it_was(any_store: Store) -> None:
    told = [profile(1, display_name=AWKWARD, followers=2**53 + 1, verified=True), profile(2, verified=False)]
    with any_store.begin() as uow:
        PROFILES.insert(uow, told)
    assert stored(any_store) == told


def test_each_row_gets_its_own_change(any_store: Store) -> None:
    told = [profile(number) for number in range(3)]
    with any_store.begin() as uow:
        PROFILES.insert(uow, told)
        told[0].display_name, told[2].bio = AWKWARD, "of the sea"
        PROFILES.update(uow, told)
    assert stored(any_store) == told


def test_rows_are_found_by_any_number_of_keys(any_store: Store) -> None:
    with any_store.begin() as uow:
        PROFILES.insert(uow, [profile(number) for number in range(1500)])
        wanted = {("x", "", f"c{number}") for number in range(0, 3000, 2)}
        assert set(load_profiles(uow, wanted)) == {("x", "", f"c{number}") for number in range(0, 1500, 2)}


def test_only_events_that_are_new_are_told_and_kept(any_store: Store) -> None:
    first = Applied(("x", "", AWKWARD, "post", "1"), None, 5)
    second = Applied(("x", "", AWKWARD, "post", "2"), None, 6)
    with any_store.begin() as uow:
        assert record_new(uow, []) == set()
        assert record_new(uow, [first, first]) == {first.key}
        assert record_new(uow, [first, second]) == {second.key}
    with any_store.read() as connection:
        kept = connection.execute(select(events.c.version, events.c.applied_at).order_by(events.c.version)).all()
    assert [tuple(row) for row in kept] == [("1", 5), ("2", 6)]


@pytest.mark.parametrize(
    "wrong", [{"followers": 2**64}, {"followers": 2**63}, {"display_name": "\ud800"}, {"id": "p0"}, {"kind": "ghost"}]
)
def test_a_row_that_no_column_can_hold_is_refused_and_leaves_nothing(any_store: Store, wrong: dict[str, Any]) -> None:
    with any_store.begin() as uow:
        PROFILES.insert(uow, [profile(0)])
        with pytest.raises(EventInvalid), refusing(), uow.savepoint():
            PROFILES.insert(uow, [profile(1), profile(2, **wrong)])
    assert stored(any_store) == [profile(0)]


def test_a_row_that_names_a_missing_one_is_refused(any_store: Store) -> None:
    with any_store.begin() as uow, pytest.raises(EventInvalid), refusing(), uow.savepoint():
        record_case_events(uow, [CaseEvent("no such case", "opened", 1, 2)])


def test_it_is_told_how_many_rows_changed(any_store: Store) -> None:
    renaming = Many.update("social_profiles", {"bio": "text", "id": "text"}, "bio = :bio", "id = :id")
    with any_store.begin() as uow:
        PROFILES.insert(uow, [profile(1), profile(2)])
        assert renaming.run(uow, [("a", "p1"), ("b", "p2"), ("c", "p3")]) == 2
        assert renaming.run(uow, []) == 0
