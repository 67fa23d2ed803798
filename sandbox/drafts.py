"""From a record as JSON to columns and values, with what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import ApiError, RowError, RowRefused
from sandbox.schema import Field, Schema, SObject
from sandbox.values import Coercer, coercer

Record = Mapping[str, Any]


@dataclass(slots=True)
class Draft:
    """One record on its way into the org."""

    values: dict[str, Any] = field(default_factory=dict)
    parents: list[tuple[Field, SObject, Field, Any]] = field(default_factory=list)
    record_id: str | None = None
    created: bool = False
    error: RowError | None = None
    old: dict[str, Any] = field(default_factory=dict)

    def refuse(self, code: str, message: str, *fields: str) -> None:
        """Notes why the record is refused; the first reason stands."""
        if self.error is None:
            self.error = RowError(code, message, fields)


class Reader:
    """Reads records of one object into drafts."""

    def __init__(self, schema: Schema, item: SObject, *, audit_fields: bool) -> None:
        self.item = item
        self._schema = schema
        self._audit = audit_fields
        self._known: dict[str, tuple[Field, Coercer]] = {}
        for name, found in item.fields.items():
            self._known[name] = self._known[name.lower()] = (found, coercer(found))
        self.required = tuple(f for f in item.fields.values() if f.required and f.writeable)
        self.defaults = {f.name: f.default for f in item.fields.values() if f.stored and f.default is not None}
        for found in item.fields.values():
            if found.stored and found.type == "boolean":
                self.defaults[found.name] = int(bool(found.default))

    def read(self, record: Record, *, creating: bool, skip: frozenset[str] = frozenset()) -> Draft:
        """The draft of one record; an unknown column refuses the whole request, as Salesforce's parser does."""
        draft = Draft(created=creating)
        for name, value in record.items():
            if name == "attributes" or name in skip:
                continue
            known = self._known.get(name) or self._known.get(name.lower())
            try:
                if known is None:
                    self._parent(draft, name, value)
                else:
                    self._check_allowed(known[0], creating=creating)
                    draft.values[known[0].name] = known[1](value)
            except RowRefused as refused:
                draft.error = draft.error or refused.error
        return draft

    def _check_allowed(self, found: Field, *, creating: bool) -> None:
        if found.writeable and (found.createable if creating else found.updateable):
            return
        if creating and found.audit and self._audit:
            return
        raise RowRefused(
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            f"Unable to create/update fields: {found.name}. Please check the security settings of this field and "
            "verify that it is read/write for your profile or permission set.",
            found.name,
        )

    def _parent(self, draft: Draft, name: str, value: Any) -> None:
        reference = self.item.relationships.get(name.lower())
        if reference is None:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {self.item.name}")
        self._check_allowed(reference, creating=draft.created)
        if value is None:
            draft.values[reference.name] = None
            return
        keys = [key for key in value if key != "attributes"] if isinstance(value, dict) else []
        if len(keys) != 1:
            raise ApiError(400, "INVALID_FIELD", f"{name} must name its record by exactly one external id field")
        parent, key = self._parent_key(reference, value, keys[0])
        draft.parents.append((reference, parent, key, coercer(key)(value[keys[0]])))

    def _parent_key(self, reference: Field, value: Record, name: str) -> tuple[SObject, Field]:
        wanted = (value.get("attributes") or {}).get("type") or reference.to[0]
        parent = self._schema.find(wanted)
        if parent is None or parent.name not in reference.to:
            raise ApiError(400, "INVALID_TYPE", f"{reference.name} does not point to {wanted}")
        key = parent.by_lower.get(name.lower())
        if key is None:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {parent.name}")
        if not (key.external_id or key.id_lookup):
            raise RowRefused("INVALID_FIELD", f"{name} is not an External ID or indexed field for {parent.name}", name)
        return parent, key
