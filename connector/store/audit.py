"""The audit trail: who did what to which thing; append-only, ids and counts only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import insert

from connector.domain.events import to_millis
from connector.store.tables import audit
from connector.store.unit_of_work import UnitOfWork


def note(
    uow: UnitOfWork,
    *,
    at: datetime,
    actor: str,
    action: str,
    obj: str,
    object_id: str,
    detail: Mapping[str, str | int | bool | None] | None = None,
) -> None:
    """Writes one line of the audit trail in the transaction of the change it tells of.

    ``detail`` holds ids, counts and enum values; never a name, a handle or a text.
    """
    uow.connection.execute(
        insert(audit).values(
            at=to_millis(at),
            actor=actor,
            action=action,
            object=obj,
            object_id=object_id,
            detail=json.dumps(dict(detail or {}), sort_keys=True),
        )
    )
