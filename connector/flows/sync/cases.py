"""Cases read from the CRM: of ours what people there decided, of its own a mirror that is never written."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import partial

from connector.crm.port import CRM, Record
from connector.domain.events import to_millis
from connector.domain.keys import derive_id
from connector.errors import Misconfigured
from connector.flows.context import Context
from connector.flows.projection import fitted, subject_instead
from connector.flows.sync.born import Conversations, count_cases, opening_of, tombstone
from connector.flows.sync.pull import Progress, batches, by_id, gone, parse_millis, pull
from connector.mapping.crm import CrmMapping
from connector.store.cases import CaseEvent, record_case_events
from connector.store.crm_born import (
    BORN_CASES,
    OUR_CASES,
    BornCase,
    OurCase,
    cases_by_crm_id,
    follow_case_contacts,
    living_cases,
    load_born_cases,
    load_our_cases,
    mark_deleted,
    move_to_cases,
    openings_in,
    untold_reopens,
)
from connector.store.crm_records import free_record_ids, hold_records
from connector.store.outbox import queue
from connector.store.unit_of_work import UnitOfWork

FIELDS = (
    "Id", "CaseNumber", "Origin", "Status", "Priority", "Subject", "Description", "OwnerId", "ContactId", "ParentId",
    "IsClosed", "ClosedDate", "CreatedDate", "IsDeleted", "MasterRecordId", "SystemModstamp",
)  # fmt: skip
CRM_ACTOR = "crm"
LOOKED_UP = 100
MOST_JOINED = 10
"""Cases followed from one to the one it ended in; a longer chain, or a ring, ends nowhere."""


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
        for ids in gone(self.ctx, crm, "Case", living_cases, full=full):
            with self.ctx.store.read() as connection:
                known = cases_by_crm_id(connection, ids)
            self.look_up(crm, [crm_id for crm_id, each in known.items() if not each.is_deleted])
        pull(
            self.ctx, crm, "Case", self.fields, self.take, full=full, prepare=partial(self.masters, crm),
            on_progress=on_progress,
        )  # fmt: skip

    def look_up(self, crm: CRM, crm_ids: Sequence[str]) -> None:
        """Reads these cases by record id: some that no reading has brought yet, or that may have been deleted.

        A case that went may have been joined into another, which only its record tells; without one it went for good.
        """
        for batch in batches(sorted(crm_ids), LOOKED_UP):
            records = by_id(crm, "Case", self.fields, batch)
            further = self.masters(crm, records)
            with self.ctx.store.begin() as uow:
                self.take(uow, [*further, *records])
                self._let_go(uow, set(batch) - {str(record["Id"]) for record in records})

    def masters(self, crm: CRM, records: Sequence[Record]) -> list[Record]:
        """The cases that people have joined these into, as far as the store does not have them.

        Some come in a later batch only, and some were joined into others in their turn.
        """
        with self.ctx.store.read() as connection:
            known = cases_by_crm_id(connection, {str(each["Id"]) for each in records if each.get("MasterRecordId")})
        found: list[Record] = []
        looked_at = {str(record["Id"]) for record in records}
        for _ in range(MOST_JOINED):
            ends = _ends([*records, *found])
            wanted = {end for each, end in ends.items() if each not in known or not known[each].is_deleted} - looked_at
            with self.ctx.store.read() as connection:
                wanted -= {key for key, each in cases_by_crm_id(connection, wanted).items() if not each.is_deleted}
            if not wanted:
                break
            looked_at |= wanted
            for ids in batches(sorted(wanted), LOOKED_UP):
                found += by_id(crm, "Case", self.fields, ids)
        return found

    def take(self, uow: UnitOfWork, records: Sequence[Record]) -> int:
        """How many of these cases differed from what was known; now they do not."""
        ours = [record for record in records if record.get(self.key_field)]
        theirs = [record for record in records if not record.get(self.key_field)]
        changed_ours, changed_theirs = self._take_ours(uow, ours), self._take_theirs(uow, theirs, _ends(records))
        self.tally.ours += changed_ours
        self.tally.born += changed_theirs
        return changed_ours + changed_theirs

    # ours

    def _take_ours(self, uow: UnitOfWork, records: Sequence[Record]) -> int:
        by_key = {str(record[self.key_field]): record for record in records}
        hold_records(uow, "case", sorted(by_key))
        known = load_our_cases(uow, by_key.keys())
        untold = untold_reopens(uow, known.keys())
        changed: list[OurCase] = []
        to_send: list[str] = []
        for key, before in known.items():
            after = self._decided(before, by_key[key], told=key not in untold)
            if after != before:
                changed.append(after)
                record_case_events(uow, list(self._happened(before, after)))
                brought_back = before.is_deleted and not after.is_deleted  # what it shows was not looked after since
                if brought_back or after.crm_contact_id != before.crm_contact_id:
                    to_send.append(key)
        free_record_ids(uow, {str(each.crm_id) for each in changed if each.crm_id != known[each.id].crm_id})
        OUR_CASES.update(uow, changed)
        for key in sorted(to_send):
            queue(uow, "Case", key)
        self._openings_go(uow, {each.id: each.crm_modified_at or 0 for each in changed if each.is_deleted})
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

    def _take_theirs(self, uow: UnitOfWork, records: Sequence[Record], ends: Mapping[str, str]) -> int:
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
        self._talk(uow, told, ends)
        return len(fresh) + len(changed)

    def _talk(self, uow: UnitOfWork, told: Sequence[tuple[BornCase, Record]], ends: Mapping[str, str]) -> None:
        """Takes in what cases say by themselves; what was said in one that people joined into another goes with it."""
        masters = cases_by_crm_id(uow.connection, {ends[case.crm_id] for case, _ in told if case.crm_id in ends})
        talks, joined, without = Conversations(self.ctx), {}, {}
        for case, record in told:
            master = masters.get(ends.get(case.crm_id, ""))
            if master is not None and not master.is_deleted:
                joined[case.id] = master.id
            elif case.is_deleted:  # for good, or with the one that it was joined into
                without[case.id] = case.crm_modified_at or 0
                continue
            if self.mapping.origins[record["Origin"]].opening:
                talks.add(opening_of(self.ctx.namespace, case, record, master))
        talks.put(uow)
        if move_to_cases(uow, joined):
            count_cases(uow, set(joined.values()))
        self._openings_go(uow, without)

    # of either

    def _let_go(self, uow: UnitOfWork, crm_ids: Collection[str]) -> None:
        """Follows that the CRM no longer has these cases, and will tell nothing more of them."""
        now = to_millis(self.ctx.clock())
        marked = mark_deleted(uow, crm_ids)
        ours = [key for key, origin in marked.items() if origin == "connector"]
        record_case_events(uow, [CaseEvent(key, "deleted_in_crm", now, now, CRM_ACTOR) for key in ours])
        self.tally.ours += len(ours)
        self.tally.born += len(marked) - len(ours)
        self._openings_go(uow, dict.fromkeys(marked, now))

    def _openings_go(self, uow: UnitOfWork, gone_at: Mapping[str, int]) -> None:
        """Takes the words off what these cases said by themselves, and what others that were joined into them did."""
        talks = Conversations(self.ctx)
        for item in openings_in(uow, gone_at.keys()):
            talks.add(tombstone(item, gone_at[item.case_id or ""]))
        talks.put(uow)

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


def _ends(records: Sequence[Record]) -> dict[str, str]:
    """For each case that people joined into another the one it ended in, as far as these records tell."""
    masters = {str(each["Id"]): str(each["MasterRecordId"]) for each in records if each.get("MasterRecordId")}
    ends = dict(masters)
    for _ in range(MOST_JOINED):
        ends = {each: masters.get(end, end) for each, end in ends.items()}
    return ends


def _closed_at(record: Record) -> int | None:
    if not record.get("IsClosed"):
        return None
    return parse_millis(record.get("ClosedDate")) or parse_millis(record["SystemModstamp"])
