"""Keeps the suggestion index at what the contacts are, and at which handles they confirmed by consent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from sqlalchemy import Connection, select

from connector.domain.matching import ContactFacts
from connector.errors import SchemaOutdated
from connector.flows.context import Context
from connector.store.contacts import contact_facts, load_contacts
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.tables import crm_contacts
from connector.store.unit_of_work import Store, UnitOfWork

PAGE = 1000


def reindex(uow: UnitOfWork, contact_ids: Collection[str]) -> None:
    """Brings the index up to these contacts: a handle counts as confirmed from the moment of a link to its end."""
    living = [row for row in load_contacts(uow.connection, contact_ids).values() if not row.is_deleted]
    if living:
        SqlSuggestionIndex(uow.connection).upsert(contact_facts(uow.connection, living))


def rebuild_index(ctx: Context, progress: Callable[[int], None] | None = None, processes: int = 1) -> int:
    """The number of contacts in the index, now built anew from the store; ``progress`` is told how many are done."""
    with ctx.store.begin() as uow:
        return SqlSuggestionIndex(uow.connection).rebuild(_every_contact(uow.connection), progress, processes)


def index_problem(store: Store) -> str | None:
    """What keeps the index from finding everybody, with the cure: another release filled it by other rules."""
    with store.read() as connection:
        try:
            SqlSuggestionIndex(connection).check()
        except SchemaOutdated as outdated:
            return outdated.message
    return None


def _every_contact(connection: Connection) -> Iterator[ContactFacts]:
    after = ""
    living = select(crm_contacts.c.crm_id).where(crm_contacts.c.is_deleted.is_(False)).order_by(crm_contacts.c.crm_id)
    while page := list(connection.execute(living.where(crm_contacts.c.crm_id > after).limit(PAGE)).scalars()):
        yield from contact_facts(connection, list(load_contacts(connection, page).values()))
        after = page[-1]
