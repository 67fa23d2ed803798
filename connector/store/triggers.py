"""Append-only tables: the database itself refuses UPDATE, DELETE and emptying the table, whoever asks.

SQLite's INSERT OR REPLACE deletes without asking a trigger unless the connection says ``recursive_triggers``, as the
store's do.
"""

from __future__ import annotations

from sqlalchemy import DDL, Table, event

POSTGRES_FUNCTION = (
    "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
)


def trigger_statements(table: str, dialect: str) -> list[str]:
    """The statements that make a table append-only on SQLite or PostgreSQL."""
    if dialect == "postgresql":
        return [
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
            f"CREATE TRIGGER {table}_not_emptied BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        ]
    return [
        f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        for verb in ("update", "delete")
    ]


def refuse_changes(*tables: Table) -> None:
    """Declares the tables append-only, so that creating them from the metadata makes their triggers too."""
    event.listen(tables[0].metadata, "before_create", _ddl(POSTGRES_FUNCTION).execute_if(dialect="postgresql"))
    for table in tables:
        for dialect in ("sqlite", "postgresql"):
            for statement in trigger_statements(table.name, dialect):
                event.listen(table, "after_create", _ddl(statement).execute_if(dialect=dialect))


def _ddl(statement: str) -> DDL:
    return DDL(statement.replace("%", "%%"))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so
