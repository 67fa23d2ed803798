"""What the flows need of a CRM, and nothing of any one CRM's wire.

Implementations: ``connector.crm.salesforce`` (any org, and the local sandbox). docs/adding-a-crm.md shows how to add
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

Record = Mapping[str, Any]
"""Field name to value, in the CRM's own API names; a parent is named by external id:
{"Case__r": {"Connector_Key__c": "…"}}."""


class Outcome(StrEnum):
    """What one record's answer asks for."""

    OK = "ok"
    RETRY = "retry"  # a lock or a busy server: the same record, later
    WAIT = "wait"  # the API budget: every record, later
    REMAP = "remap"  # a parent was deleted or its record replaced by another: look it up, then again
    DEAD = "dead"  # the CRM will never take it as it is: a person decides
    HALT = "halt"  # an admin must change something in the org: nothing more until then


@dataclass(frozen=True, slots=True)
class RowResult:
    """The CRM's answer to one record, in the order sent; ``message`` is the CRM's own words."""

    outcome: Outcome
    crm_id: str | None = None
    created: bool = False
    code: str | None = None
    message: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Budget:
    """API calls used and allowed in the org's rolling 24 hours, as its last answer told; None before the first."""

    used: int
    total: int
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Deleted:
    """Records that were deleted in a span of time, and how far the span may safely move on."""

    ids: tuple[str, ...]
    covered_until: datetime


@dataclass(frozen=True, slots=True)
class CrmCheck:
    """One thing that `connector check` asked the CRM: whether it holds, and the cure if not."""

    name: str
    ok: bool
    detail: str
    cure: str = ""


@dataclass(frozen=True, slots=True)
class Writing:
    """What is written of one object: its fields, the key first; the words that a field may be given where they are a
    fixed list; the most letters that a field may be given where a text is cut."""

    fields: tuple[str, ...]
    words: Mapping[str, frozenset[str]] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read of one object; where it is not needed, the CRM may lack the object or some of its fields."""

    fields: tuple[str, ...]
    is_needed: bool = True


@dataclass(frozen=True, slots=True)
class Calls:
    """API calls this process made, by kind."""

    reads: int = 0
    writes: int = 0
    logins: int = 0
    by_path: Mapping[str, int] = field(default_factory=dict)


class CRM(Protocol):
    """A customer relationship system that keeps contacts and shows cases and interactions beside them."""

    def upsert(self, obj: str, key_field: str, records: Sequence[Record], *, assign: bool = False) -> list[RowResult]:
        """One result per record, in order; ``assign`` lets the CRM's own rules choose the owner of new records.

        Faults of a whole call raise Retryable or Misconfigured: then nothing is known of its records.
        """
        ...

    def update(self, obj: str, records: Mapping[str, Record]) -> list[RowResult]:
        """One result per record, in order, each record under its record id; one that is gone is not made again.

        REMAP tells too that the id is another's, because another record has the external key. Faults of a whole call
        raise as with ``upsert``.
        """
        ...

    def keyed(self, obj: str, key_field: str, keys: Sequence[str], *, deleted: bool = False) -> Mapping[str, str]:
        """Of these external keys, those the CRM already has, each with its record id.

        With ``deleted`` also those of records that were deleted there, as far as it still keeps them.
        """
        ...

    def changed(self, obj: str, fields: Sequence[str], since: datetime | None, *, where: str = "") -> Iterator[Record]:
        """Records whose system stamp is at or after ``since``, oldest first, deleted ones included."""
        ...

    def deleted(self, obj: str, since: datetime, until: datetime) -> Deleted:
        """Ids deleted in the span."""
        ...

    def fields(self, obj: str) -> Mapping[str, Mapping[str, Any]] | None:
        """The object's fields by API name as the org describes them; None where the org has no such object."""
        ...

    def now(self) -> datetime:
        """The time by the CRM's clock: how far a reading reached goes by it, whatever this host's clock says."""
        ...

    def budget(self) -> Budget | None:
        """API calls used and allowed, as last told."""
        ...

    def calls(self) -> Calls:
        """API calls made by this process so far."""
        ...

    def check(self) -> list[CrmCheck]:
        """Login, version, package, permissions and budget, each with its cure."""
        ...

    def install(self, package: bytes, *, check_only: bool = False) -> list[str]:
        """Deploys the package; the component messages; raises CrmRejected with the org's words when it fails."""
        ...
