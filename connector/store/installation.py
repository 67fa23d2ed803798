"""Facts of this installation that outlive every restart: first of all the namespace of its external keys."""

from __future__ import annotations

from uuid import UUID, uuid4

from sqlalchemy import Connection, select

from connector.errors import SchemaOutdated
from connector.store.queues import insert
from connector.store.tables import installation
from connector.store.unit_of_work import Store, UnitOfWork

NAMESPACE = "namespace"


def fact(connection: Connection, name: str) -> str | None:
    """The remembered value of this name, or None."""
    return connection.execute(select(installation.c.value).where(installation.c.name == name)).scalar_one_or_none()


def remember(uow: UnitOfWork, name: str, value: str) -> None:
    """Keeps a value under a name; a later value replaces it."""
    statement = insert(uow, installation).values(name=name, value=value)
    uow.connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"value": value}))


def namespace(uow: UnitOfWork) -> UUID:
    """The namespace of every id and external key of this installation; made once, at the first call."""
    statement = insert(uow, installation).values(name=NAMESPACE, value=str(uuid4()))
    uow.connection.execute(statement.on_conflict_do_nothing())
    return UUID(fact(uow.connection, NAMESPACE))


def read_namespace(store: Store) -> UUID:
    """The namespace, without writing; SchemaOutdated when the store was never migrated."""
    with store.read() as connection:
        value = fact(connection, NAMESPACE)
    if value is None:
        raise SchemaOutdated("The store has no namespace yet: run `connector migrate`.")
    return UUID(value)
