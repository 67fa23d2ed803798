"""Cases read from the CRM: of ours what people there decided, of its own a mirror that is never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field

from connector.crm.port import CRM, Record
from connector.domain.events import to_millis
from connector.domain.keys import derive_id
from connector.errors import Misconfigured
from connector.flows.context import Context
from connector.flows.projection import fitted, subject_instead
from connector.flows.sync.born import Conversations, count_cases, opening_of
from connector.flows.sync.pull import Progress, batches, deletions, parse_millis, pull
from connector.mapping.crm import CrmMapping
from connector.store.cases import CaseEvent, record_case_events
from connector.store.crm_born import (
    BORN_CASES,
    OUR_CASES,
    BornCase,
    OurCase,
    cases_by_crm_id,
    follow_case_contacts,
    load_born_cases,
    load_our_cases,
    mark_deleted,
    move_to_cases,
    untold_reopens,
)
from connector.store.outbox import queue
from connector.store.unit_of_work import UnitOfWork

FIELDS = (
    "Id", "CaseNumber", "Origin", "Status", "Priority", "Subject", "Description", "OwnerId", "ContactId", "ParentId",
    "IsClosed", "ClosedDate", "CreatedDate", "IsDeleted", "MasterRecordId", "SystemModstamp",
)  # fmt: skip
CRM_ACTOR = "crm"


@dataclass(slots=True)
class CaseTally:
    """What reading cases came to."""

    ours: int = 0
    born: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class CaseReader:
    """Takes cases as the CRM tells them; ``ctx`` and ``mapping`` say whose they are and what their origin means."""

    ctx: Context
    mapping: CrmMapping
    tally: CaseTally = field(default_factory=CaseTally)

    @property
    def key_field(self) -> str:
        """The field that tells our cases from the CRM's own."""
        return self.mapping.objects["case"].key

    @property
    def fields(self) -> tuple[str, ...]:
        """What is read of a case."""
        return (*FIELDS, self.key_field)

    def pull(self, crm: CRM, *, full: bool = False, on_progress: Progress | None = None) -> None:
        """Reads what has changed since the last time, or everything."""
        described = crm.fields("Case") or {}
        if self.key_field not in described:
            raise Misconfigured(
                f"Case.{self.key_field} is missing in the org, or hidden from the run-as user; run `connector crm "
                "install` and assign the permission set Cross_Channel_Integration."
            )
        pull(self.ctx, crm, "Case", self.fields, self.take, full=full, on_progress=on_progress)
        for ids in deletions(self.ctx, crm, "Case"):
            with self.ctx.store.begin() as uow:
                mark_deleted(uow, ids)

    def look_up(self, crm: CRM, crm_ids: Sequence[str]) -> None:
        """Reads these cases by record id, for a record that names a case which no reading has brought yet."""
        for batch in batches(sorted(crm_ids), 100):
            listed = ", ".join(f"'{each}'" for each in batch if each.isalnum())
            records = list(crm.changed("Case", self.fields, None, where=f"Id IN ({listed})"))
            with self.ctx.store.begin() as uow:
                self.take(uow, records)

    def take(self, uow: UnitOfWork, records: Sequence[Record]) -> int:
        """How many of these cases differed from what was known; now they do not."""
        ours = [record for record in records if record.get(self.key_field)]
        theirs = [record for record in records if not record.get(self.key_field)]
        changed_ours, changed_theirs = self._take_ours(uow, ours), self._take_theirs(uow, theirs)
        self.tally.ours += changed_ours
        self.tally.born += changed_theirs
        return changed_ours + changed_theirs

    # ours

    def _take_ours(self, uow: UnitOfWork, records: Sequence[Record]) -> int:
        by_key = {str(record[self.key_field]): record for record in records}
        known = load_our_cases(uow, by_key.keys())
        untold = untold_reopens(uow, known.keys())
        changed: list[OurCase] = []
        for key, before in known.items():
            after = self._decided(before, by_key[key], told=key not in untold)
            if after != before:
                changed.append(after)
                record_case_events(uow, list(self._happened(before, after)))
                brought_back = before.is_deleted and not after.is_deleted  # what it shows was not looked after since
                if brought_back or after.crm_contact_id != before.crm_contact_id:
                    queue(uow, "Case", key)
        OUR_CASES.update(uow, changed)
        return len(changed)

    def _decided(self, before: OurCase, record: Record, *, told: bool) -> OurCase:
        after = copy(before)
        after.crm_id, after.crm_number = record["Id"], record.get("CaseNumber")
        after.owner_crm_id, after.priority = record.get("OwnerId"), record.get("Priority")
        after.subject = self._subject(before, record.get("Subject"))
        after.crm_contact_id = record.get("ContactId")
        after.crm_modified_at = parse_millis(record["SystemModstamp"])
        after.is_deleted = bool(record.get("IsDeleted"))
        if told:
            after.status = record.get("Status") or before.status
            after.closed_at = _closed_at(record)
        return after

    def _subject(self, before: OurCase, shown: str | None) -> str | None:
        """The subject that people gave it there; ours while the CRM shows what we wrote."""
        instead = subject_instead(self.mapping, before.network, before.channel)
        rules = self.mapping.objects["case"].once.values()
        rule = next((each for each in rules if each.value == "subject"), None)
        ours = rule and fitted(before.subject or instead, rule)
        return before.subject if shown in (ours, None, "") else shown

    def _happened(self, before: OurCase, after: OurCase) -> Iterator[CaseEvent]:
        now, at = to_millis(self.ctx.clock()), after.crm_modified_at or 0
        if after.closed_at and after.closed_at != before.closed_at:
            yield CaseEvent(after.id, "closed", after.closed_at, now, CRM_ACTOR)
        if before.closed_at and not after.closed_at:
            yield CaseEvent(after.id, "reopened", at, now, CRM_ACTOR)
        if after.status != before.status:
            yield CaseEvent(after.id, "status_changed", at, now, CRM_ACTOR, {"to": after.status})
        if before.owner_crm_id and after.owner_crm_id != before.owner_crm_id:
            yield CaseEvent(after.id, "owner_changed", at, now, CRM_ACTOR, {"to": after.owner_crm_id})
        if after.crm_contact_id != before.crm_contact_id:
            # What a person put there is recorded, never fought, and never read as consent.
            yield CaseEvent(after.id, "crm_contact_changed", at, now, CRM_ACTOR, {"to": after.crm_contact_id})
        if after.is_deleted and not before.is_deleted:
            yield CaseEvent(after.id, "deleted_in_crm", at, now, CRM_ACTOR)

    # the CRM's own

    def _take_theirs(self, uow: UnitOfWork, records: Sequence[Record]) -> int:
        wanted = [record for record in records if record.get("Origin") in self.mapping.origins]
        self.tally.skipped += len(records) - len(wanted)
        ids = {self._id(record["Id"]): record for record in wanted}
        known = load_born_cases(uow, ids.keys())
        parents = cases_by_crm_id(uow.connection, {str(each["ParentId"]) for each in wanted if each.get("ParentId")})
        fresh, changed, moved, told = [], [], {}, []
        for key, record in ids.items():
            before = known.get(key)
            parent = parents.get(record.get("ParentId") or "")
            after = self._mirror(key, record, before, parent.id if parent else before.parent_id if before else None)
            if before is None:
                fresh.append(after)
            elif after != before:
                changed.append(after)
                if after.crm_contact_id != before.crm_contact_id:
                    moved[key] = after.crm_contact_id
            if not (before and before.is_deleted and after.is_deleted):
                told.append((after, record))  # of one that was gone before, everything is told already
        BORN_CASES.insert(uow, fresh)
        BORN_CASES.update(uow, changed)
        self._tell(uow, known, fresh + changed)
        follow_case_contacts(uow, moved)
        self._talk(uow, told)
        return len(fresh) + len(changed)

    def _talk(self, uow: UnitOfWork, told: Sequence[tuple[BornCase, Record]]) -> None:
        """Takes in what cases say by themselves; what was said in one that people joined into another goes with it."""
        masters = cases_by_crm_id(uow.connection, {str(record["MasterRecordId"]) for _, record in told})
        talks, joined = Conversations(self.ctx), {}
        for case, record in told:
            master = masters.get(record["MasterRecordId"] or "")
            if master is not None:
                joined[case.id] = master.id
            if self.mapping.origins[record["Origin"]].opening:
                talks.add(opening_of(self.ctx.namespace, case, record, master))
        talks.put(uow)
        if move_to_cases(uow, joined):
            count_cases(uow, set(joined.values()))

    def _id(self, crm_id: str) -> str:
        return derive_id(self.ctx.namespace, "crm", crm_id)

    def _mirror(self, key: str, record: Record, before: BornCase | None, parent_id: str | None) -> BornCase:
        origin = self.mapping.origins[record["Origin"]]
        closed_at = _closed_at(record)
        case = BornCase(
            id=key, origin="crm", channel=origin.channel.value, network=origin.network, thread=record["Id"],
            parent_id=parent_id, subject=record.get("Subject"), opened_at=parse_millis(record["CreatedDate"]) or 0,
            closed_at=closed_at, status=record.get("Status") or "", owner_crm_id=record.get("OwnerId"),
            priority=record.get("Priority"), reopen_count=0, reopened_at=None, reopened_from_at=None,
            crm_id=record["Id"], crm_number=record.get("CaseNumber"), crm_contact_id=record.get("ContactId"),
            crm_modified_at=parse_millis(record["SystemModstamp"]), is_deleted=bool(record.get("IsDeleted")),
        )  # fmt: skip
        if before is not None:
            case.reopen_count, case.reopened_at = before.reopen_count, before.reopened_at
            case.reopened_from_at = before.reopened_from_at
            if before.closed_at and closed_at is None:
                case.reopen_count += 1
                case.reopened_at, case.reopened_from_at = case.crm_modified_at, before.closed_at
        return case

    def _tell(self, uow: UnitOfWork, known: dict[str, BornCase], written: Sequence[BornCase]) -> None:
        now = to_millis(self.ctx.clock())
        happened = []
        for case in written:
            before = known.get(case.id)
            at = case.crm_modified_at or 0
            if before is None:
                happened.append(CaseEvent(case.id, "opened", case.opened_at, now, CRM_ACTOR))
            elif case.owner_crm_id != before.owner_crm_id:
                detail = {"to": case.owner_crm_id}
                happened.append(CaseEvent(case.id, "owner_changed", at, now, CRM_ACTOR, detail))
            if case.closed_at and (before is None or before.closed_at != case.closed_at):
                happened.append(CaseEvent(case.id, "closed", case.closed_at, now, CRM_ACTOR))
            if before is not None and before.closed_at and not case.closed_at:
                happened.append(CaseEvent(case.id, "reopened", at, now, CRM_ACTOR))
        record_case_events(uow, happened)


def _closed_at(record: Record) -> int | None:
    if not record.get("IsClosed"):
        return None
    return parse_millis(record.get("ClosedDate")) or parse_millis(record["SystemModstamp"])
