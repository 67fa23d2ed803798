"""Deleting, bringing back and merging records, with what happens to their children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sandbox.database import quoted
from sandbox.errors import ApiError, RowError
from sandbox.ids import to_id18
from sandbox.writes import DELETED, ROLLED_BACK, Result

if TYPE_CHECKING:
    from sandbox.org import Org
    from sandbox.schema import SObject


def delete_records(org: Org, record_ids: Sequence[str], kind: str, *, all_or_none: bool = False) -> list[Result]:
    """One result per record moved to the recycle bin, in order."""
    with org.db.transaction():
        errors = [_cannot_delete(org, record_id, kind) for record_id in record_ids]
        if all_or_none and any(errors):
            return [Result(None, False, error or ROLLED_BACK) for error in errors]
        stamp = org.stamp()
        results = []
        for given, error in zip(record_ids, errors, strict=True):
            record_id = to_id18(given) or given
            if error is None:
                _delete(org, record_id, stamp)
            results.append(Result(record_id, False, error))
        org.usage.note("rows_deleted", sum(error is None for error in errors))
        return results


def undelete(org: Org, record_ids: Sequence[str]) -> None:
    """Takes records out of the recycle bin and gives back what pointed to them; raises ApiError for unknown ones."""
    with org.db.transaction():
        stamp = org.stamp()
        for given in record_ids:
            item, record_id = _find(org, given)
            touched = org.db.run(
                f"UPDATE {quoted(item.name)} SET IsDeleted = 0, SystemModstamp = ? "  # noqa: S608
                "WHERE Id = ? AND IsDeleted = 1",
                (stamp, record_id),
            )
            if not touched:
                raise ApiError(400, "UNDELETE_FAILED", "Entity is not in the recycle bin")
            for name, field, child in org.db.all(
                "SELECT object, field, record FROM _cleared WHERE lost = ?", (record_id,)
            ):
                if field == "IsDeleted":
                    org.db.run(f"UPDATE {quoted(name)} SET IsDeleted = 0, SystemModstamp = ? WHERE Id = ?",  # noqa: S608
                               (stamp, child))  # fmt: skip
                else:
                    org.db.run(f"UPDATE {quoted(name)} SET {quoted(field)} = ? WHERE Id = ?", (record_id, child))  # noqa: S608
            org.db.run("DELETE FROM _cleared WHERE lost = ?", (record_id,))


def merge(org: Org, master: str, losers: Sequence[str]) -> None:
    """Gives the losers' children to the master and deletes the losers, naming their master; at most two at a time."""
    with org.db.transaction():
        item, master_id = _find(org, master)
        if not item.merges:
            raise ApiError(400, "INVALID_OPERATION", f"merge is not supported for {item.name}")
        if _cannot_delete(org, master_id, ""):
            raise ApiError(400, "ENTITY_IS_DELETED", "entity is deleted")
        if not 1 <= len(losers) <= 2:
            raise ApiError(400, "EXCEEDED_ID_LIMIT", "merge takes one or two records to merge")
        stamp = org.stamp()
        for given in losers:
            loser, loser_id = _find(org, given)
            if loser is not item or loser_id == master_id or _cannot_delete(org, loser_id, ""):
                raise ApiError(
                    400, "INVALID_ID_FIELD", "Id must reference a valid record of the same type as the master"
                )
            for child, field in list(org.schema.children(item.name)):
                if field.name == "MasterRecordId":
                    continue
                org.db.run(
                    f"UPDATE {quoted(child.name)} SET {quoted(field.name)} = ?, SystemModstamp = ?, "  # noqa: S608
                    f"LastModifiedDate = ? WHERE {quoted(field.name)} = ?",
                    (master_id, stamp, stamp, loser_id),
                )
            org.db.run(
                f"UPDATE {quoted(item.name)} SET IsDeleted = 1, MasterRecordId = ?, SystemModstamp = ? WHERE Id = ?",  # noqa: S608
                (master_id, stamp, loser_id),
            )
        org.db.run(f"UPDATE {quoted(item.name)} SET SystemModstamp = ?, LastModifiedDate = ? WHERE Id = ?",  # noqa: S608
                   (stamp, stamp, master_id))  # fmt: skip


def _find(org: Org, given: str) -> tuple[SObject, str]:
    record_id = to_id18(given)
    item = org.schema.of_id(record_id) if record_id else None
    if item is None or record_id is None:
        raise ApiError(400, "MALFORMED_ID", f"malformed id {given}")
    return item, record_id


def _cannot_delete(org: Org, given: str, kind: str) -> RowError | None:
    record_id = to_id18(given)
    item = org.schema.of_id(record_id) if record_id else None
    if record_id is None or item is None:
        return RowError("MALFORMED_ID", f"malformed id {given}")
    row = org.db.one(f"SELECT IsDeleted FROM {quoted(item.name)} WHERE Id = ?", (record_id,))  # noqa: S608
    if row is None:
        return RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    if row[0]:
        return DELETED
    if kind and org.faults.row_locked(kind):
        org.usage.note("fault:row_lock")
        return RowError(
            "UNABLE_TO_LOCK_ROW", f"unable to obtain exclusive access to this record or 1 records: {record_id}"
        )
    return None


def _delete(org: Org, record_id: str, stamp: int, lost: str | None = None) -> None:
    item = org.schema.of_id(record_id)
    if item is None:
        return
    org.db.run(f"UPDATE {quoted(item.name)} SET IsDeleted = 1, SystemModstamp = ? WHERE Id = ?", (stamp, record_id))  # noqa: S608
    lost = lost or record_id
    for child, field in list(org.schema.children(item.name)):
        if field.on_delete == "none" or field.system:
            continue
        rows = org.db.all(
            f"SELECT Id FROM {quoted(child.name)} WHERE {quoted(field.name)} = ? AND IsDeleted = 0",  # noqa: S608
            (record_id,),
        )
        cascade = field.on_delete == "cascade"
        for (child_id,) in rows:
            org.db.run("INSERT OR IGNORE INTO _cleared VALUES (?, ?, ?, ?)",
                       (lost, child.name, "IsDeleted" if cascade else field.name, child_id))  # fmt: skip
            if cascade:
                _delete(org, child_id, stamp, lost)
            else:
                org.db.run(f"UPDATE {quoted(child.name)} SET {quoted(field.name)} = NULL WHERE Id = ?", (child_id,))  # noqa: S608
