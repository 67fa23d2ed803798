"""PostgreSQL's index is built in tables of its own, which take the place of the old ones unseen."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, text

from connector.domain.matching import ContactFacts
from connector.errors import StoreBusy
from connector.store import suggestion_swap
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.unit_of_work import Store
from tests.contract.test_schema import dumped
from tests.suggestion_base import PEOPLE, everything, index_over, person

pytestmark = pytest.mark.postgres

ODD = (
    person("odd", "Nul\0", 'Back\\slash\ttab "quoted", comma\r\nline', emails=("a.b+c@x.example.de",)),
    person("odd", "Ann", "Twice"),
    person('id"\\,', "Zoë", "Ćwikła"),
)
TABLES = ("suggestion_key", "suggestion_word", "suggestion_contact")


def test_a_rebuild_gives_the_rows_of_sqlite_and_leaves_the_schema_as_it_was(postgres_store: Store) -> None:
    with postgres_store.read() as connection:
        before, first = dumped(connection), _files(connection)
    for people in ([*PEOPLE, *ODD], PEOPLE[:9], [*PEOPLE, *ODD]):
        _rebuild(postgres_store, people)
        with postgres_store.read() as connection, index_over(people) as lite:
            assert everything(SqlSuggestionIndex(connection)) == everything(lite)
            assert dumped(connection) == before
    with postgres_store.read() as connection:
        assert set(first).isdisjoint(_files(connection))


def test_plans_know_the_rows_at_once(postgres_store: Store) -> None:
    _rebuild(postgres_store, PEOPLE)
    with postgres_store.read() as connection:
        rows = everything(SqlSuggestionIndex(connection))
        for name in TABLES:
            known = connection.execute(text(f"SELECT reltuples FROM pg_class WHERE oid = '{name}'::regclass"))
            assert known.scalar_one() == len(rows[name])


def test_readers_have_the_old_index_until_the_swap_and_are_waited_for(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rebuild(postgres_store, PEOPLE[:9])
    seen: list[int] = []
    with postgres_store.read() as reader:
        index = SqlSuggestionIndex(reader)

        def people() -> Iterator[ContactFacts]:
            yield from PEOPLE
            seen.append(index.size())

        def reader_goes_on_and_ends(_seconds: float) -> None:
            seen.append(len(index.contacts(index.references([each.contact_id for each in PEOPLE]))))
            reader.rollback()

        monkeypatch.setattr(suggestion_swap, "sleep", reader_goes_on_and_ends)
        with postgres_store.begin() as uow:
            reader.execute(text("SELECT 1 FROM suggestion_word LIMIT 1"))
            assert SqlSuggestionIndex(uow.connection).rebuild(people()) == len(PEOPLE)
        assert seen == [9, 9]
        assert index.size() == len(PEOPLE)


def test_a_reader_that_never_ends_makes_the_rebuild_give_up_with_the_old_index(
    postgres_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    _rebuild(postgres_store, PEOPLE[:9])
    monkeypatch.setattr(suggestion_swap, "_PATIENCE_SECONDS", -1.0)
    with postgres_store.read() as reader:
        reader.execute(text("SELECT 1 FROM suggestion_contact LIMIT 1"))
        with pytest.raises(StoreBusy, match="rebuild it again"):
            _rebuild(postgres_store, PEOPLE)
        assert SqlSuggestionIndex(reader).size() == 9
        assert not [name for _, name in dumped(reader) if "fresh" in name]


@pytest.mark.parametrize(
    "added",
    [
        "CREATE VIEW names_of_contacts AS SELECT doc FROM suggestion_contact",
        "CREATE INDEX by_reference ON suggestion_key (ref)",
        "GRANT SELECT ON suggestion_word TO PUBLIC",
        "ALTER TABLE suggestion_key SET (fillfactor = 90)",
        "CREATE PUBLICATION of_all FOR ALL TABLES",
    ],
)
def test_a_table_that_somebody_added_to_is_filled_where_it_is(postgres_store: Store, added: str) -> None:
    with postgres_store.begin() as uow, index_over([*PEOPLE, *ODD]) as lite:
        trial = uow.connection.begin_nested()
        uow.connection.execute(text(added))
        before = _files(uow.connection)
        index = SqlSuggestionIndex(uow.connection)
        index.rebuild(PEOPLE[:9])
        index.rebuild([*PEOPLE, *ODD])
        assert everything(index) == everything(lite)
        assert _files(uow.connection) == before
        trial.rollback()


def test_upkeep_is_as_many_statements_for_many_contacts_as_for_one(postgres_store: Store) -> None:
    moved = [person(f"m{number}", "Ann", f"Zwick{number}", city="Oslo") for number in range(50)]
    _rebuild(postgres_store, PEOPLE)
    with postgres_store.begin() as uow:
        index = SqlSuggestionIndex(uow.connection)
        with _counted(uow.connection) as one:
            index.upsert(moved[:1])
        with _counted(uow.connection) as many:
            index.upsert(moved[1:])
        with _counted(uow.connection) as gone:
            index.delete(each.contact_id for each in moved)
    assert len(one) == len(many) == 5, many  # the turn; keys, words, contacts, state
    assert len(gone) == 6, gone  # the turn; keys, words (fewer, then none), contacts, state


def _rebuild(store: Store, people: object) -> None:
    with store.begin() as uow:
        SqlSuggestionIndex(uow.connection).rebuild(people)  # type: ignore[arg-type]


def _files(connection: Connection) -> list[int]:
    return [connection.execute(text(f"SELECT '{name}'::regclass::oid")).scalar_one() for name in TABLES]


@contextmanager
def _counted(connection: Connection) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(connection, "before_cursor_execute", note)
