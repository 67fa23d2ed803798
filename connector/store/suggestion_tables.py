"""The tables of the suggestion index: search keys, dictionary words, contacts as the engine needs them, its state."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table, Text

# Ranges are read in byte order: SQLite compares so by itself, PostgreSQL only under the "C" collation.
KEY = Text().with_variant(Text(collation="C"), "postgresql")
REF = BigInteger().with_variant(Integer(), "sqlite")


class Tables(NamedTuple):
    """The four tables of the index."""

    key: Table
    word: Table
    contact: Table
    state: Table


def define(metadata: MetaData) -> Tables:
    """Declares the index's tables in the metadata and gives them back."""
    return Tables(
        key=Table(
            "suggestion_key",
            metadata,
            Column("k", KEY, primary_key=True),
            Column("ref", BigInteger, primary_key=True, autoincrement=False),
            sqlite_with_rowid=False,
        ),
        word=Table(
            "suggestion_word",
            metadata,
            Column("t", KEY, primary_key=True),
            Column("family", Integer, nullable=False),
            Column("given", Integer, nullable=False),
            Column("place", Integer, nullable=False),
            sqlite_with_rowid=False,
        ),
        contact=Table(
            "suggestion_contact",
            metadata,
            Column("ref", REF, primary_key=True, autoincrement=False),
            Column("doc", Text, nullable=False),
        ),
        state=Table(
            "suggestion_state",
            metadata,
            Column("name", Text, primary_key=True),
            Column("value", BigInteger, nullable=False),
        ),
    )
