"""Opens the connector's own engine over a labelled set or any contacts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import MetaData, create_engine

from connector.domain.matching import ContactFacts
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.suggestion_tables import define


@contextmanager
def index_of(contacts: Iterable[ContactFacts], path: Path | None = None) -> Iterator[SqlSuggestionIndex]:
    """A suggestion index of these contacts, in memory or in a file that is kept."""
    engine = create_engine(f"sqlite:///{path}" if path else "sqlite://")
    metadata = MetaData()
    define(metadata)
    fresh = not path or not path.exists()
    metadata.create_all(engine)
    with engine.connect() as connection:
        index = SqlSuggestionIndex(connection)
        if fresh:
            index.rebuild(contacts)
            connection.commit()
        yield index
    engine.dispose()
