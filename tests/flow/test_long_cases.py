"""A case with thousands of messages: what comes to it is counted without reading what was said before."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from connector.domain.cases import Figures, figures
from connector.domain.channels import Visibility
from connector.domain.events import Event
from connector.domain.items import Item
from connector.flows import applying
from connector.store.interactions import items_of_cases
from connector.store.tables import case_events, cases, events, interactions, outbox
from connector.store.unit_of_work import Store, UnitOfWork
from tests.flow.ingesting import answered, apply, deleted, edited, reacted, said


def kept(store: Store) -> dict[str, Figures]:
    """The figures that stand in each case."""
    columns = [cases.c[each.name] for each in fields(Figures)]
    with store.read() as connection:
        return {row[0]: Figures(*row[1:]) for row in connection.execute(select(cases.c.id, *columns))}


def counted(store: Store) -> dict[str, Figures | None]:
    """The figures of each case worked out from everything that was said in it."""
    with store.begin() as uow:
        ids = uow.connection.execute(select(cases.c.id)).scalars().all()
        return {each: figures(items_of_cases(uow, [each])) for each in ids}


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The cases that ingestion read whole."""
    found: list[str] = []

    def reading(uow: UnitOfWork, case_ids: Collection[str]) -> list[Item]:
        found.extend(case_ids)
        return items_of_cases(uow, case_ids)

    monkeypatch.setattr(applying, "items_of_cases", reading)
    return found


def test_what_comes_later_is_counted_without_a_look_back(any_store: Store, read: list[str]) -> None:
    apply(any_store, said("1", 0), answered("2", 1))
    apply(any_store, said("3", 2), answered("4", 3), said("5", 4, visibility=Visibility.PRIVATE))
    apply(any_store, edited("1", 5, "Hello again"), deleted("3", 6), reacted("5", 7), answered("6", 2.5))
    assert read == []
    assert kept(any_store) == counted(any_store)


def test_first_words_that_come_late_are_counted_with_all_the_others(any_store: Store, read: list[str]) -> None:
    apply(any_store, said("1", 0), answered("2", 1))
    apply(any_store, said("0", -1))
    assert len(read) == 1
    assert kept(any_store) == counted(any_store)


PLACES = st.integers(0, 5)
TOLD = st.one_of(
    st.builds(lambda at, i: said(f"c{i}", at), PLACES, PLACES),
    st.builds(lambda at, i: said(f"c{i}", at, visibility=Visibility.PRIVATE), PLACES, PLACES),
    st.builds(lambda at, i: said(f"c{i}", at, extra={"subject": f"Subject {i}"}), PLACES, PLACES),
    st.builds(lambda at, i: answered(f"a{i}", at), PLACES, PLACES),
    st.builds(lambda at, i, to: answered(f"u{i}", at, to=None, parent_id=f"c{to}"), PLACES, PLACES, PLACES),
    st.builds(lambda at, i: edited(f"c{i}", at, "other words"), PLACES, PLACES),
    st.builds(lambda at, i: deleted(f"c{i}", at), PLACES, PLACES),
)


@given(batches=st.lists(st.lists(TOLD, min_size=1, max_size=4), min_size=2, max_size=5))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_however_it_comes_the_figures_are_those_of_everything(store: Store, batches: list[list[Event]]) -> None:
    with store.begin() as uow:
        for table in (outbox, case_events, events, interactions, cases):
            uow.connection.execute(delete(table))
    for batch in batches:
        apply(store, *batch)
    assert kept(store) == counted(store)
