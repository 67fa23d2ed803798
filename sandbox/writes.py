"""Creating, changing and upserting records: identities, parents, uniqueness, then one write for all rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.behaviour import before_save
from sandbox.database import quoted
from sandbox.drafts import Draft, Reader, Record
from sandbox.errors import RowError, RowRefused
from sandbox.ids import make_id, to_id18
from sandbox.schema import Field, SObject
from sandbox.values import coercer

if TYPE_CHECKING:
    from sandbox.org import Org

ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
DELETED = RowError("ENTITY_IS_DELETED", "entity is deleted")


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one record."""

    record_id: str | None
    created: bool
    error: RowError | None = None

    def body(self, *, upsert: bool = False) -> dict[str, Any]:
        """The result as it stands in a collection's answer."""
        if self.error:
            return {"success": False, "errors": [self.error.body()]}
        body: dict[str, Any] = {"id": self.record_id, "success": True, "errors": []}
        return body | {"created": self.created} if upsert else body


class Writer:
    """Writes records of one object, in the name of one user and for one class of calls."""

    def __init__(self, org: Org, item: SObject, user_id: str, kind: str) -> None:
        self.org = org
        self.db = org.db
        self.item = item
        self.table = quoted(item.name)
        self.user_id = user_id
        self.kind = kind
        self.reader = Reader(org.schema, item, audit_fields=org.config.audit_fields)

    def create(self, records: Sequence[Record], *, all_or_none: bool = False) -> list[Result]:
        """One result per new record, in order."""
        return self._save([self.reader.read(record, creating=True) for record in records], all_or_none)

    def update(self, records: Sequence[Record], *, all_or_none: bool = False) -> list[Result]:
        """One result per changed record, in order; each names its Id."""
        drafts = []
        for record in records:
            given = next((value for name, value in record.items() if name.lower() == "id"), None)
            draft = self.reader.read(record, creating=False, skip=frozenset({"Id", "id", "ID"}))
            draft.record_id = to_id18(given) if isinstance(given, str) else None
            if given is None:
                draft.error = RowError("MISSING_ARGUMENT", "Id not specified in an update call")
            elif draft.record_id is None:
                draft.error = RowError("MALFORMED_ID", f"Record ID: id value of incorrect type: {given}", ("Id",))
            drafts.append(draft)
        return self._save(drafts, all_or_none)

    def upsert(
        self, key: Field, records: Sequence[Record], *, all_or_none: bool = False, update_only: bool = False
    ) -> list[Result]:
        """One result per record, in order: created where the key is new, else changed."""
        with self.db.transaction():
            present = self._present_keys(key, records)
            drafts = [self._upsert_draft(key, record, present, update_only) for record in records]
            self._refuse_twins(key, drafts)
            return self._save(drafts, all_or_none)

    def _present_keys(self, key: Field, records: Sequence[Record]) -> dict[str, list[str]]:
        values = [value for record in records if (value := _given(record, key)) is not None]
        found = defaultdict(list)
        for value, record_id in self.db.all(
            f"SELECT {quoted(key.name)}, Id FROM {self.table} "  # noqa: S608
            f"WHERE IsDeleted = 0 AND {quoted(key.name)} IN (SELECT value FROM json_each(?))",
            (orjson.dumps(values).decode(),),
        ):
            found[_fold(key, value)].append(record_id)
        return found

    def _upsert_draft(self, key: Field, record: Record, present: dict[str, list[str]], update_only: bool) -> Draft:
        value = _given(record, key)
        known = present.get(_fold(key, value), []) if value is not None else []
        draft = self.reader.read(record, creating=not known)
        if value is None:
            draft.refuse("MISSING_ARGUMENT", f"{key.name} not specified")
        elif len(known) > 1:
            draft.refuse("DUPLICATE_EXTERNAL_ID", f"{key.name}: more than one record found", key.name)
        elif known:
            draft.record_id = known[0]
        elif update_only:
            draft.refuse("NOT_FOUND", "The requested resource does not exist")
        return draft

    def _refuse_twins(self, key: Field, drafts: list[Draft]) -> None:
        seen = Counter(_fold(key, draft.values.get(key.name)) for draft in drafts)
        for draft in drafts:
            value = draft.values.get(key.name)
            if value is not None and seen[_fold(key, value)] > 1:
                draft.refuse("DUPLICATE_EXTERNAL_ID", f"Duplicate external id specified: {value}", key.name)

    def _save(self, drafts: list[Draft], all_or_none: bool) -> list[Result]:
        with self.db.transaction():
            for check in (self._find_parents, self._check_present, self._check_required, self._check_references,
                          self._check_unique, self._check_locks):  # fmt: skip
                check([draft for draft in drafts if draft.error is None])
            failed = any(draft.error for draft in drafts)
            if failed and all_or_none:
                return [Result(None, draft.created, draft.error or ROLLED_BACK) for draft in drafts]
            good = [draft for draft in drafts if draft.error is None]
            if good:
                self._write(good)
        return [Result(draft.record_id, draft.created, draft.error) for draft in drafts]

    def _find_parents(self, drafts: list[Draft]) -> None:
        wanted: dict[tuple[str, str], set[Any]] = defaultdict(set)
        for draft in drafts:
            for _, parent, key, value in draft.parents:
                wanted[parent.name, key.name].add(value)
        found = {
            place: self._ids_by(self.org.schema.objects[place[0]], place[1], values) for place, values in wanted.items()
        }
        for draft in drafts:
            for reference, parent, key, value in draft.parents:
                record_id = found[parent.name, key.name].get(_fold(key, value))
                draft.values[reference.name] = record_id
                if record_id is None:
                    draft.refuse(
                        "INVALID_FIELD",
                        f"Foreign key external ID: {value} not found for field {key.name} in entity {parent.name}",
                    )

    def _ids_by(self, parent: SObject, key_name: str, values: set[Any]) -> dict[str, str]:
        key = parent.fields[key_name]
        rows = self.db.all(
            f"SELECT {quoted(key_name)}, Id FROM {quoted(parent.name)} "  # noqa: S608
            f"WHERE IsDeleted = 0 AND {quoted(key_name)} IN (SELECT value FROM json_each(?))",
            (orjson.dumps(list(values)).decode(),),
        )
        return {_fold(key, value): record_id for value, record_id in rows}

    def _check_present(self, drafts: list[Draft]) -> None:
        changed = [draft for draft in drafts if not draft.created]
        columns = ("Id", "IsDeleted", *(("Status", "IsClosed") if self.item.closed else ()))
        rows = self.db.all(
            f"SELECT {', '.join(columns)} FROM {self.table} WHERE Id IN (SELECT value FROM json_each(?))",  # noqa: S608
            (orjson.dumps([draft.record_id for draft in changed]).decode(),),
        )
        present = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
        for draft in changed:
            old = present.get(draft.record_id or "")
            if old is None:
                draft.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            elif old["IsDeleted"]:
                draft.error = DELETED
            else:
                draft.old = old

    def _check_required(self, drafts: list[Draft]) -> None:
        for draft in drafts:
            if draft.created:
                draft.values = {**self.reader.defaults, **draft.values}
            missing = [
                field.name
                for field in self.reader.required
                if draft.values.get(field.name) is None and (draft.created or field.name in draft.values)
            ]
            if missing:
                names = ", ".join(missing)
                draft.refuse("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{names}]", *missing)

    def _check_references(self, drafts: list[Draft]) -> None:
        references = [field for field in self.item.fields.values() if field.type == "reference" and not field.system]
        for field in references:
            given = [(draft, draft.values[field.name]) for draft in drafts if draft.values.get(field.name)]
            if not given:
                continue
            state = self._states({value for _, value in given})
            for draft, value in given:
                parent = self.org.schema.of_id(value)
                if parent is None or parent.name not in field.to:
                    draft.refuse("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", field.name)
                elif value not in state:
                    draft.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)
                elif state[value]:
                    draft.refuse("ENTITY_IS_DELETED", "entity is deleted", field.name)

    def _states(self, record_ids: set[str]) -> dict[str, int]:
        by_object: dict[str, list[str]] = defaultdict(list)
        for record_id in record_ids:
            if parent := self.org.schema.of_id(record_id):
                by_object[parent.name].append(record_id)
        found: dict[str, int] = {}
        for name, known in by_object.items():
            found.update(
                self.db.all(
                    f"SELECT Id, IsDeleted FROM {quoted(name)} "  # noqa: S608
                    "WHERE Id IN (SELECT value FROM json_each(?))",
                    (orjson.dumps(known).decode(),),
                )
            )
        return found

    def _check_unique(self, drafts: list[Draft]) -> None:
        for field in self.item.unique_fields:
            given = [draft for draft in drafts if draft.values.get(field.name) is not None]
            if not given:
                continue
            holder = self._ids_by(self.item, field.name, {draft.values[field.name] for draft in given})
            claimed: dict[str, Draft] = {}
            for draft in given:
                value = _fold(field, draft.values[field.name])
                held_by = holder.get(value, draft.record_id)
                if held_by != draft.record_id or claimed.setdefault(value, draft) is not draft:
                    draft.refuse(
                        "DUPLICATE_VALUE",
                        f"duplicate value found: {field.name} duplicates value on record with id: {held_by}",
                    )

    def _check_locks(self, drafts: list[Draft]) -> None:
        for draft in drafts:
            if self.org.faults.row_locked(self.kind):
                self.org.usage.note("fault:row_lock")
                draft.refuse(
                    "UNABLE_TO_LOCK_ROW",
                    "unable to obtain exclusive access to this record or 1 records: "
                    f"{draft.record_id or draft.values.get('ContactId') or self.item.prefix}",
                )

    def _write(self, drafts: list[Draft]) -> None:
        stamp = self.org.stamp()
        for draft in drafts:
            before_save(self.org, self.item, draft, stamp)
        self._insert([draft for draft in drafts if draft.created], stamp)
        self._change([draft for draft in drafts if not draft.created], stamp)

    def _insert(self, drafts: list[Draft], stamp: int) -> None:
        if not drafts:
            return
        first = self.db.take_numbers(self.item.prefix, len(drafts))
        system = {"IsDeleted": 0, "CreatedDate": stamp, "LastModifiedDate": stamp, "SystemModstamp": stamp,
                  "CreatedById": self.user_id, "LastModifiedById": self.user_id}  # fmt: skip
        if "OwnerId" in self.item.fields:
            system["OwnerId"] = self.user_id
        rows = []
        number = self._auto_numbers(len(drafts))
        for position, draft in enumerate(drafts):
            draft.record_id = make_id(self.item.prefix, first + position)
            values = {**system, **number(position), **draft.values, "Id": draft.record_id}
            rows.append(tuple(values.get(name) for name in self.item.columns))
        names = ", ".join(quoted(name) for name in self.item.columns)
        marks = ", ".join("?" * len(self.item.columns))
        self.db.run_many(f"INSERT INTO {self.table} ({names}) VALUES ({marks})", rows)  # noqa: S608
        self.org.usage.note("rows_created", len(rows))

    def _auto_numbers(self, count: int) -> Callable[[int], dict[str, str]]:
        fields = [field for field in self.item.fields.values() if field.auto_number]
        starts = {
            field.name: self.db.take_numbers(f"{self.item.name}.{field.name}", count, field.start) for field in fields
        }
        return lambda position: {
            field.name: auto_number(field.auto_number or "", starts[field.name] + position) for field in fields
        }

    def _change(self, drafts: list[Draft], stamp: int) -> None:
        by_columns: dict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
        for draft in drafts:
            columns = tuple(draft.values)
            by_columns[columns].append((*draft.values.values(), stamp, stamp, self.user_id, draft.record_id))
        for columns, rows in by_columns.items():
            sets = "".join(f"{quoted(name)} = ?, " for name in columns)
            self.db.run_many(
                f"UPDATE {self.table} SET {sets}LastModifiedDate = ?, SystemModstamp = ?, LastModifiedById = ? "  # noqa: S608
                "WHERE Id = ?",
                rows,
            )
        if drafts:
            self.org.usage.note("rows_updated", len(drafts))


def auto_number(pattern: str, number: int) -> str:
    """The name an auto-number field gives to its ``number``-th record: CI-{0000} makes CI-0042."""
    head, _, rest = pattern.partition("{")
    zeros, _, tail = rest.partition("}")
    return f"{head}{number:0{len(zeros)}d}{tail}"


_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def _fold(key: Field, value: Any) -> str:
    """The value as the column's own collation compares it."""
    return str(value) if key.matches_case else str(value).translate(_LOWER)


def _given(record: Record, key: Field) -> Any:
    """The record's value of its key as the column keeps it; None where it has none or a wrong one."""
    lower = key.name.lower()
    value = next((found for name, found in record.items() if name.lower() == lower), None)
    try:
        return coercer(key)(value)
    except RowRefused:
        return None
