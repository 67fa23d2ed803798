"""What the org itself does to a record before it is kept: closing, accounts, opt-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.database import quoted

if TYPE_CHECKING:
    from sandbox.drafts import Draft
    from sandbox.org import Org
    from sandbox.schema import SObject

CLOSED_AT = {"Case": "ClosedDate", "Task": "CompletedDateTime"}


def before_save(org: Org, item: SObject, draft: Draft, stamp: int) -> None:
    """Fills what follows from the record's other values, as the org does and not the client."""
    if item.closed and "Status" in draft.values:
        _close_or_open(item, draft, stamp)
    if item.name == "Case" and draft.created and not draft.values.get("AccountId"):
        draft.values["AccountId"] = _account_of(org, draft.values.get("ContactId"))
    if item.name == "Task" and ("WhoId" in draft.values or "WhatId" in draft.values):
        draft.values["AccountId"] = _account_of(org, draft.values.get("WhatId") or draft.values.get("WhoId"))
    if item.name == "MessagingEndUser" and "MessagingConsentStatus" in draft.values:
        agreed = draft.values["MessagingConsentStatus"] in {"ExplicitlyOptedIn", "DoubleOptedIn"}
        draft.values["IsFullyOptedIn"] = int(agreed)


def _close_or_open(item: SObject, draft: Draft, stamp: int) -> None:
    closed = draft.values["Status"] in item.closed
    when = CLOSED_AT[item.name]
    draft.values["IsClosed"] = int(closed)
    if not closed:
        draft.values[when] = None
    elif not draft.old.get("IsClosed"):
        draft.values[when] = draft.values.get(when) or stamp


def _account_of(org: Org, record_id: Any) -> Any:
    if not record_id:
        return None
    item = org.schema.of_id(record_id)
    if item is None or item.name == "Account":
        return record_id if item else None
    row = org.db.one(f"SELECT AccountId FROM {quoted(item.name)} WHERE Id = ?", (record_id,))  # noqa: S608
    return row[0] if row else None
