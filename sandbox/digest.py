"""A stable digest of what the org holds: business content, without ids, numbers and system times."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.database import quoted
from sandbox.schema import Field, SObject

if TYPE_CHECKING:
    from sandbox.org import Org

_SKIPPED = frozenset({"Id", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp",
                      "ClosedDate", "CompletedDateTime", "MasterRecordId"})  # fmt: skip
_OWN = frozenset({"Organization", "Profile", "PermissionSet", "User"})


def digest(org: Org) -> dict[str, Any]:
    """One SHA-256 over all rows, one per object, and how many rows each has."""
    with org.db.transaction():
        names = _names(org)
        objects = {
            item.name: sorted(_rows(org, item, names)) for item in org.schema.objects.values() if item.name not in _OWN
        }
    per_object = {
        name: {"rows": len(rows), "digest": hashlib.sha256(b"\n".join(rows)).hexdigest()}
        for name, rows in sorted(objects.items())
        if rows
    }
    return {"digest": hashlib.sha256(orjson.dumps(per_object)).hexdigest(), "objects": per_object}


def _kept(field: Field) -> bool:
    return field.stored and field.name not in _SKIPPED and field.auto_number is None


def _names(org: Org) -> dict[str, str]:
    """A name for each record that does not depend on its id: its external key, else a hash of its own values."""
    names = {}
    for item in org.schema.objects.values():
        own = [field for field in item.fields.values() if _kept(field) and field.type != "reference"]
        keys = [position for position, field in enumerate(own, 1) if field.external_id and field.unique]
        columns = ", ".join(quoted(field.name) for field in own)
        for row in org.db.all(f"SELECT Id, {columns} FROM {quoted(item.name)}"):  # noqa: S608
            key = next((row[position] for position in keys if row[position]), None)
            names[row[0]] = f"{item.name}:{key or hashlib.sha256(orjson.dumps(row[1:])).hexdigest()}"
    return names


def _rows(org: Org, item: SObject, names: dict[str, str]) -> list[bytes]:
    fields = [field for field in item.fields.values() if _kept(field)]
    columns = ", ".join(quoted(field.name) for field in fields)
    found = []
    for row in org.db.all(f"SELECT {columns} FROM {quoted(item.name)}"):  # noqa: S608
        shown = {
            field.name: names.get(value, value) if field.type == "reference" else value
            for field, value in zip(fields, row, strict=True)
            if value is not None
        }
        found.append(orjson.dumps(shown, option=orjson.OPT_SORT_KEYS))
    return found
