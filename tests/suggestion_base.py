"""A small invented CRM and an engine over it, for tests of suggestions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, MetaData, create_engine, text

from connector.domain.matching import ContactFacts, SuggestionEngine
from connector.mapping.scorecard import load_scorecard
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.suggestion_tables import define


def person(contact_id: str, first: str | None, last: str | None, **more: object) -> ContactFacts:
    """A contact in one line."""
    return ContactFacts(contact_id, first, last, **more)  # type: ignore[arg-type]


PEOPLE = (
    person("ann", "Annika", "Thorvaldsen", city="Bergen", country="Norway", emails=("annika.t@fjord.example.no",)),
    person("bob1", "Robert", "Kestrel", city="Leeds", country="United Kingdom", phones=("+447700900123",)),
    person("bob2", "Rupert", "Kestrel", city="York", country="United Kingdom"),
    person("mue", "Jürgen", "Müller-Lüdenscheid", city="Köln", country="Germany"),
    person("van", "Femke", "van der Berghe", country="Netherlands"),
    person("gar", "María José", "García Quintanilla", country="Mexico", phones=("+525512345678",)),
    person("kim", "Seo-yeon", "Kim", country="South Korea"),
    person("lee", "서연", "이", country="South Korea"),
    person("wan", "小明", "王", country="China"),
    person("pet", "Дмитрий Сергеевич", "Кузнецов", country="Russia"),
    person("ofl", "Siobhán", "O'Flaherty-Quinn", emails=("bean@quinnery.ie",)),
    person("hos", "Peter", "Hoskyns", city="Albany", state="NY", country="United States", order_refs=("A-4711",)),
    person("dup1", "Larry G", "Marchbanks", state="CO", country="United States"),
    person("dup2", "Lawrence", "Marchbanks", state="CO", country="United States"),
    *(person(f"jo{number}", "John", "Smith", city=f"Town {number}", country="United Kingdom") for number in range(8)),
    *(
        person(f"f{number}", f"Filler{chr(97 + number % 26)}", f"Family{chr(97 + number // 26)}x")
        for number in range(130)
    ),
)


@contextmanager
def index_over(people: Iterable[ContactFacts] = PEOPLE) -> Iterator[SqlSuggestionIndex]:
    """A SQLite index of these people, in memory."""
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        create_tables(connection)
        index = SqlSuggestionIndex(connection)
        index.rebuild(people)
        yield index
    engine.dispose()


def everything(index: SqlSuggestionIndex) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the index, to compare."""
    tables = ("suggestion_key", "suggestion_word", "suggestion_contact", "suggestion_state")
    rows = {name: index._connection.execute(text(f"SELECT * FROM {name}")).all() for name in tables}
    return {name: sorted(tuple(row) for row in found) for name, found in rows.items()}


def create_tables(connection: Connection) -> None:
    """The index's tables, empty."""
    metadata = MetaData()
    define(metadata)
    metadata.create_all(connection)


@contextmanager
def engine_over(people: Iterable[ContactFacts] = PEOPLE) -> Iterator[SuggestionEngine]:
    """An engine with the weights that ship, over these people."""
    with index_over(people) as index:
        yield SuggestionEngine(index, load_scorecard())
