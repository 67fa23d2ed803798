"""The outbox: which records the CRM does not have yet, in which version; never what is in them.

A row is (object, external key, version, rank). The record is built from the store when the row is claimed, through the
gate, so nothing stale and no contact without a permit can leave. A newer change of the same record raises ``ver``;
settling sets ``sent_ver`` to the version that was claimed, so a change that came during the call goes out next.
"""

from __future__ import annotations

from sqlalchemy import text

from connector.store.queues import now_sql
from connector.store.unit_of_work import UnitOfWork

RANKS = {"Social_Profile__c": 10, "Case": 20, "Channel_Interaction__c": 30}
"""Parents before children."""

_QUEUE = """
INSERT INTO outbox (object, external_key, parent_key, rank, ver, state, queued_at, run_at)
VALUES (:object, :external_key, :parent_key, :rank, 1, 'pending', {now}, 0)
ON CONFLICT (external_key, object) DO UPDATE SET
  ver = outbox.ver + 1,
  state = 'pending',
  rank = excluded.rank,
  parent_key = COALESCE(excluded.parent_key, outbox.parent_key),
  queued_at = CASE WHEN outbox.state = 'pending' THEN outbox.queued_at ELSE excluded.queued_at END,
  run_at = CASE WHEN outbox.state = 'pending' THEN outbox.run_at ELSE 0 END,
  attempts = CASE WHEN outbox.state = 'pending' THEN outbox.attempts ELSE 0 END,
  touches = CASE WHEN outbox.state = 'pending' THEN outbox.touches ELSE 0 END,
  first_failed_at = CASE WHEN outbox.state = 'pending' THEN outbox.first_failed_at END,
  error_code = CASE WHEN outbox.state = 'pending' THEN outbox.error_code END,
  error = CASE WHEN outbox.state = 'pending' THEN outbox.error END
"""


def queue(
    uow: UnitOfWork, obj: str, external_key: str, *, rank: int | None = None, parent_key: str | None = None
) -> None:
    """Notes that this record changed and must reach the CRM after its parent; an older unsent change is overtaken.

    Call it in the transaction of the change itself. Without ``rank`` the object's own rank in RANKS holds; without
    ``parent_key`` a known parent stays.
    """
    values = {
        "object": obj,
        "external_key": external_key,
        "parent_key": parent_key,
        "rank": RANKS[obj] if rank is None else rank,
    }
    uow.connection.execute(text(_QUEUE.format(now=now_sql(uow))), values)
