"""The index follows the CRM: what it answers depends on the contacts alone, on either database."""

import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from connector.domain.matching import ContactFacts, ProfileQuery, SuggestionEngine
from connector.errors import SchemaOutdated
from connector.mapping.scorecard import load_scorecard
from connector.store import suggestion_stage
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.unit_of_work import Store
from tests.suggestion_base import PEOPLE, engine_over, everything, index_over, person

QUERIES = [
    ProfileQuery(handle=handle, location=location)
    for handle in (
        "annikathorvaldsen",
        "jsmith",
        "quinn",
        "fillera",
        "familyb",
        "bob.kestrel",
        "wangxm",
        "petehos",
        "ann4albany",
    )
    for location in (None, "Albany, NY")
]


def test_a_contact_is_found_after_it_changes_and_not_as_it_was() -> None:
    with index_over() as index:
        index.upsert([person("ann", "Annika", "Eriksdotter")])
        engine = SuggestionEngine(index, load_scorecard())
        assert engine.suggest(ProfileQuery(handle="annikaeriksdotter"))[0].contact_id == "ann"
        assert all(each.contact_id != "ann" for each in engine.suggest(ProfileQuery(handle="thorvaldsen")))


def test_a_deleted_contact_leaves_nothing_behind() -> None:
    with index_over() as index, index_over([each for each in PEOPLE if each.contact_id != "ann"]) as without:
        assert index.delete(["ann", "unknown"]) == 1
        assert everything(index) == everything(without)


def test_a_merge_keeps_one() -> None:
    with index_over() as index:
        index.absorb(person("bob1", "Robert", "Kestrel", city="York"), ["bob2"])
        assert index.size() == len(PEOPLE) - 1
        assert index.contacts(index.references(["bob2"])) == {}


def test_an_unchanged_contact_writes_nothing() -> None:
    with index_over() as index:
        assert index.upsert(PEOPLE) == 0
        assert index.upsert([replace(PEOPLE[0], city="Oslo")]) == 1


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_step_by_step_equals_built_at_once(rng: random.Random) -> None:
    with index_over(rng.sample(PEOPLE, 30)) as index:
        for _ in range(3):
            index.upsert([replace(each, city=rng.choice(["Oslo", None])) for each in rng.sample(PEOPLE, 20)])
            index.delete(each.contact_id for each in rng.sample(PEOPLE, 10))
        index.upsert(PEOPLE)
        with index_over(rng.sample(PEOPLE, len(PEOPLE))) as built:
            assert everything(index) == everything(built)


def test_a_contact_listed_twice_counts_once_in_either_order() -> None:
    twice = [person("x", "Ann", "Zwick", city="Oslo"), person("x", "Anna", "Zwickert")]
    with index_over(twice) as one, index_over(twice[::-1]) as other:
        assert everything(one) == everything(other)
        assert one.size() == 1
        one.delete(["x"])
        assert everything(one)["suggestion_key"] == []
        assert everything(one)["suggestion_word"] == []


def test_several_processes_build_the_same_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suggestion_stage, "WORTH_PROCESSES", 1)
    monkeypatch.setattr(suggestion_stage, "BATCH", 40)
    odd = [person("odd", "\ud800 Nul\0", "Back\\slash\ttab"), person("odd", "Ann", "Twice")]
    told: list[int] = []
    with index_over([]) as index, index_over([*PEOPLE, *odd]) as alone:
        index.rebuild([*PEOPLE, *odd], told.append, processes=2)
        assert everything(index) == everything(alone)
    assert told[-1] == len(PEOPLE) + 2


def test_a_rebuild_replaces_what_was_there() -> None:
    with index_over() as index, index_over(PEOPLE[:5]) as fresh:
        index.rebuild(PEOPLE[:5])
        assert everything(index) == everything(fresh)


def test_progress_is_told() -> None:
    told: list[int] = []
    with index_over([]) as index:
        index.rebuild(PEOPLE, told.append)
    assert told[-1] == len(PEOPLE)


def test_an_index_of_another_release_asks_to_be_rebuilt() -> None:
    with index_over() as index:
        index.check()
        index._connection.execute(text("UPDATE suggestion_state SET value = 999 WHERE name = 'version'"))
        with pytest.raises(SchemaOutdated, match="rebuild"):
            index.check()


def test_a_hostile_name_is_kept_harmless() -> None:
    with index_over([*PEOPLE, person("bad", "\ud800 Nul\0", "x" * 5000, emails=("\ud800@x.de",))]) as index:
        kept = next(iter(index.contacts(index.references(["bad"])).values()))
        assert kept.last_name == "x" * 120
        assert "\0" not in (kept.first_name or "")


def test_a_rebuild_that_breaks_off_leaves_the_old_index(any_store: Store) -> None:
    def broken() -> Iterator[ContactFacts]:
        yield PEOPLE[0]
        raise ConnectionError

    with any_store.begin() as uow:
        SqlSuggestionIndex(uow.connection).rebuild(PEOPLE[:9])
    with pytest.raises(ConnectionError), any_store.begin() as uow:
        SqlSuggestionIndex(uow.connection).rebuild(broken())
    with any_store.begin() as uow:
        index = SqlSuggestionIndex(uow.connection)
        assert index.size() == 9
        assert index.rebuild(PEOPLE[:3]) == 3


READ_ONLY = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}


def test_asking_works_where_nothing_may_be_written(any_store: Store) -> None:
    with any_store.begin() as uow:
        SqlSuggestionIndex(uow.connection).rebuild(PEOPLE)
    replica = create_engine(any_store.engine.url)
    try:
        with replica.connect() as connection, engine_over() as lite:
            connection.execute(text(READ_ONLY[replica.dialect.name]))
            connection.commit()
            index = SqlSuggestionIndex(connection)
            engine = SuggestionEngine(index, load_scorecard())
            assert [engine.suggest(query) for query in QUERIES] == [lite.suggest(query) for query in QUERIES]
            with pytest.raises(DBAPIError, match=r"read-?only"):
                index.upsert([person("new", "New", "Comer")])
    finally:
        replica.dispose()


@pytest.mark.postgres
def test_postgresql_answers_as_sqlite_does(postgres_store: Store) -> None:
    more = [
        person(f"m{number}", f"Ann{number % 7}", f"Zwick{number % 13}é", city="Albany", state="NY")
        for number in range(120)
    ]
    with engine_over([*PEOPLE, *more]) as lite, postgres_store.begin() as uow:
        index = SqlSuggestionIndex(uow.connection)
        index.rebuild(PEOPLE)
        index.upsert(more)
        index.upsert([replace(PEOPLE[0], city="Oslo")])
        index.upsert([PEOPLE[0]])
        big = SuggestionEngine(index, load_scorecard())
        for query in [*QUERIES, *(ProfileQuery(handle=f"ann{number}zwick{number}e") for number in range(13))]:
            assert big.suggest(query, 10) == lite.suggest(query, 10)
        index.delete(each.contact_id for each in (*PEOPLE, *more))
        rows = everything(index)
        assert rows["suggestion_key"] == rows["suggestion_word"] == rows["suggestion_contact"] == []


@pytest.mark.postgres
def test_keys_may_be_partitioned_by_their_beginning(postgres_store: Store) -> None:
    with engine_over() as lite, postgres_store.begin() as uow:
        trial = uow.connection.begin_nested()
        for statement in PARTITIONED:
            uow.connection.execute(text(statement))
        index = SqlSuggestionIndex(uow.connection)
        index.rebuild(PEOPLE)
        index.upsert([replace(PEOPLE[0], city="Oslo")])
        index.upsert([PEOPLE[0]])
        for query in QUERIES:
            assert SuggestionEngine(index, load_scorecard()).suggest(query) == lite.suggest(query)
        trial.rollback()


PARTITIONED = (
    "DROP TABLE suggestion_key",
    'CREATE TABLE suggestion_key (k text COLLATE "C", ref bigint, PRIMARY KEY (k, ref)) PARTITION BY RANGE (k)',
    "CREATE TABLE suggestion_key_1 PARTITION OF suggestion_key FOR VALUES FROM (MINVALUE) TO ('g')",
    "CREATE TABLE suggestion_key_2 PARTITION OF suggestion_key FOR VALUES FROM ('g') TO ('p')",
    "CREATE TABLE suggestion_key_3 PARTITION OF suggestion_key FOR VALUES FROM ('p') TO (MAXVALUE)",
)
