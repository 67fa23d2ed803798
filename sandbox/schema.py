"""What the org knows of its objects: fields, relationships, and where the standard ones come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

STANDARD = Path(__file__).parent / "standard"

TEXT_TYPES = frozenset(
    {"string", "textarea", "phone", "url", "email", "picklist", "multipicklist", "id", "reference"}
)  # fmt: skip
NUMBER_TYPES = frozenset({"int", "double", "currency", "percent"})


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an object, in the words of the describe call."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    precision: int = 18
    scale: int = 0
    required: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    id_lookup: bool = False
    values: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    restricted: bool = False
    value_set: str | None = None
    to: tuple[str, ...] = ()
    relationship: str | None = None
    children: str | None = None
    polymorphic: bool = False
    on_delete: str = "set_null"
    default: Any = None
    auto_number: str | None = None
    start: int = 0
    formula: str | None = None
    joins: tuple[str, ...] = ()
    name_field: bool = False
    system: bool = False
    audit: bool = False
    createable: bool = True
    updateable: bool = True
    custom: bool = False

    @property
    def is_long_text(self) -> bool:
        """Whether it holds more text than a query may test or sort by."""
        return self.type == "textarea" and self.length > 255

    @property
    def stored(self) -> bool:
        """Whether the field has a column; formulas and joined names are computed when read."""
        return self.formula is None and not self.joins

    @property
    def writeable(self) -> bool:
        """Whether a client may ever send the field."""
        return self.stored and not self.system and self.auto_number is None

    @property
    def matches_case(self) -> bool:
        """Whether two values that differ only in case are different."""
        return self.case_sensitive or self.type in {"id", "reference"}


SYSTEM_FIELDS = (
    Field("Id", "id", "Record ID", 18, system=True, case_sensitive=True, id_lookup=True),
    Field("IsDeleted", "boolean", "Deleted", system=True),
    Field("CreatedDate", "datetime", "Created Date", system=True, audit=True),
    Field("CreatedById", "reference", "Created By ID", 18, system=True, to=("User",), relationship="CreatedBy"),
    Field("LastModifiedDate", "datetime", "Last Modified Date", system=True, audit=True),
    Field("LastModifiedById", "reference", "Last Modified By ID", 18, system=True, to=("User",),
          relationship="LastModifiedBy"),
    Field("SystemModstamp", "datetime", "System Modstamp", system=True),
)  # fmt: skip
OWNER = Field("OwnerId", "reference", "Owner ID", 18, to=("User",), relationship="Owner", on_delete="none")
MASTER = Field("MasterRecordId", "reference", "Master Record ID", 18, system=True, relationship="MasterRecord",
               on_delete="none")  # fmt: skip


@dataclass(frozen=True)
class SObject:
    """One object of the org with its fields by API name, system fields first."""

    name: str
    prefix: str
    label: str
    plural: str
    fields: Mapping[str, Field]
    closed: tuple[str, ...] = ()
    custom: bool = False
    readonly: bool = False
    merges: bool = False

    @cached_property
    def by_lower(self) -> dict[str, Field]:
        """Fields by lower-case API name: Salesforce does not tell cases apart."""
        return {name.lower(): item for name, item in self.fields.items()}

    @cached_property
    def relationships(self) -> dict[str, Field]:
        """Reference fields by lower-case name of the relationship to the parent."""
        return {item.relationship.lower(): item for item in self.fields.values() if item.relationship}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Names of the fields that have a column, in order."""
        return tuple(item.name for item in self.fields.values() if item.stored)

    @cached_property
    def unique_fields(self) -> tuple[Field, ...]:
        """Fields whose values may stand only once."""
        return tuple(item for item in self.fields.values() if item.unique)

    @cached_property
    def name_field(self) -> Field:
        """The field that names a record to people."""
        return next((item for item in self.fields.values() if item.name_field), self.fields["Id"])

    def with_fields(self, *added: Field) -> SObject:
        """The same object with these fields added, or replaced where they were there."""
        return replace(self, fields={**self.fields, **{item.name: item for item in added}})


class Schema:
    """All objects of one org; deploys replace entries, and nothing is ever taken away."""

    def __init__(self, objects: Mapping[str, SObject]) -> None:
        self.objects = dict(objects)
        self._by_lower = {name.lower(): name for name in objects}
        self._by_prefix = {item.prefix: item for item in objects.values()}

    def put(self, item: SObject) -> None:
        """Adds the object, or replaces it by its new form."""
        self.objects[item.name] = item
        self._by_lower[item.name.lower()] = item.name
        self._by_prefix[item.prefix] = item

    def find(self, name: str) -> SObject | None:
        """The object of this API name, in any case; None where there is none."""
        found = self._by_lower.get(name.lower())
        return self.objects[found] if found else None

    def of_id(self, record_id: str) -> SObject | None:
        """The object a record id belongs to, by its key prefix."""
        return self._by_prefix.get(record_id[:3])

    def children(self, parent: str) -> Iterator[tuple[SObject, Field]]:
        """Every object and field that points to this object."""
        for item in self.objects.values():
            for reference in item.fields.values():
                if parent in reference.to:
                    yield item, reference

    def child_relationship(self, parent: str, name: str) -> tuple[SObject, Field] | None:
        """The child object and its field behind a name such as Cases or Channel_Interactions__r."""
        wanted = name.lower()
        for item, reference in self.children(parent):
            if reference.children and reference.children.lower() == wanted:
                return item, reference
        return None


@lru_cache(maxsize=1)
def standard_objects() -> dict[str, SObject]:
    """The standard objects this org has from its first day, read from their data files."""
    return {path.stem: _standard(path) for path in sorted(STANDARD.glob("*.yml"))}


def system_fields(name: str, *, owner: bool, merges: bool = False) -> list[Field]:
    """The fields every object has, before its own."""
    found = list(SYSTEM_FIELDS)
    if merges:
        found.append(replace(MASTER, to=(name,)))
    if owner:
        found.append(OWNER)
    return found


def _standard(path: Path) -> SObject:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    fields = system_fields(path.stem, owner=data.get("owner", False), merges=data.get("merges", False))
    fields += [_field(name, spec) for name, spec in data["fields"].items()]
    return SObject(
        path.stem,
        data["prefix"],
        data["label"],
        data["plural"],
        {item.name: item for item in fields},
        tuple(data.get("closed", ())),
        readonly=data.get("readonly", False),
        merges=data.get("merges", False),
    )


def _field(name: str, spec: dict[str, Any]) -> Field:
    known: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in spec.items()}
    known.setdefault("label", name)
    known.setdefault("length", 18 if known["type"] == "reference" else 0)
    return Field(name=name, **known)
