"""Read model of the consent ledger: its entries about some links, as they were written."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from connector.queries.paging import Page, page
from connector.store.tables import ledger


def entries(connection: Connection, link_ids: Sequence[str] | None, *, cursor: str | None, limit: int) -> Page:
    """Entries about these links (None: about any), oldest first."""
    statement = select(ledger)
    if link_ids is not None:
        statement = statement.where(ledger.c.link_id.in_(link_ids))
    return page(connection, statement, [ledger.c.seq], cursor=cursor, limit=limit)
