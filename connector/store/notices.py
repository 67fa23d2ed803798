"""Published wordings: once in this table a text never changes, because customers have answered to it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, Row, insert, select

from connector.domain.consent import Notice
from connector.domain.events import from_millis, to_millis
from connector.store.tables import notices
from connector.store.unit_of_work import UnitOfWork

Key = tuple[str, str, str]
"""Notice id, version and language."""


def published(connection: Connection) -> Mapping[Key, Notice]:
    """Every wording that was ever in force here."""
    return {(row.id, row.version, row.lang): _notice(row) for row in connection.execute(select(notices))}


def insert_notices(uow: UnitOfWork, new: Iterable[Notice]) -> None:
    """Adds wordings; one that is there already is refused by the database."""
    rows = [
        {
            "id": each.id,
            "version": each.version,
            "lang": each.lang,
            "purposes": json.dumps(sorted(each.purposes)),
            "text": each.text,
            "sha256": each.sha256,
            "material": each.material,
            "valid_from_at": to_millis(each.valid_from),
        }
        for each in new
    ]
    if rows:
        uow.connection.execute(insert(notices), rows)


def _notice(row: Row[tuple[object, ...]]) -> Notice:
    return Notice(
        id=row.id,
        version=row.version,
        lang=row.lang,
        purposes=frozenset(json.loads(row.purposes)),
        text=row.text,
        sha256=row.sha256,
        material=row.material,
        valid_from=from_millis(row.valid_from_at),
    )
