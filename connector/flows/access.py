"""The gate: whether an account's contact may be used for an operation, right now.

Every use of (account, contact) asks here, when something is queued and again when it is delivered. An operation
belongs to exactly one purpose; what is not mapped, not consented or not clear is denied.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from connector.domain.consent import GrantState, LinkRecord, LinkState, Purpose
from connector.domain.links import ConsentRecord, Denied, DenyReason, Link, Permit, issue_permit
from connector.mapping.purposes import ConsentRegistry
from connector.store.consent import active_links, entries_behind, latest_links, living_contacts

_AFTER = {
    LinkState.WITHDRAWN: DenyReason.WITHDRAWN,
    LinkState.DECLINED: DenyReason.REFUSED,
    LinkState.EXPIRED: DenyReason.GRANT_EXPIRED,
}
_INSTEAD = {
    GrantState.REFUSED: DenyReason.REFUSED,
    GrantState.WITHDRAWN: DenyReason.WITHDRAWN,
    GrantState.EXPIRED: DenyReason.GRANT_EXPIRED,
    GrantState.STALE: DenyReason.NOTICE_STALE,
    GrantState.NARROWED: DenyReason.NO_GRANT,
}


def permit(
    connection: Connection, registry: ConsentRegistry, profile_id: str, operation: str, now: datetime
) -> Permit | Denied:
    """A permit for this account and operation at this moment, or why there is none."""
    return permits(connection, registry, [profile_id], operation, now)[profile_id]


def permits(
    connection: Connection, registry: ConsentRegistry, profile_ids: Collection[str], operation: str, now: datetime
) -> dict[str, Permit | Denied]:
    """The gate's answer for each account, in four statements however many there are."""
    purpose = registry.purpose_of(operation)
    if purpose is None:
        return {each: Denied(each, operation, DenyReason.UNMAPPED_OPERATION) for each in profile_ids}
    wanted = set(profile_ids)
    active = active_links(connection, wanted)
    single = [each[0] for each in active.values() if len(each) == 1]
    gate = _Gate(
        registry,
        purpose,
        operation,
        now,
        living_contacts(connection, {each.contact_id for each in single}),
        entries_behind(connection, single),
    )
    latest = latest_links(connection, wanted - active.keys())
    return {each: gate.answer(each, active.get(each, []), latest.get(each)) for each in wanted}


@dataclass(frozen=True, slots=True)
class _Gate:
    registry: ConsentRegistry
    purpose: Purpose
    operation: str
    now: datetime
    living: set[str]
    recorded: set[tuple[int, str]]

    def answer(self, profile_id: str, active: list[LinkRecord], latest: LinkRecord | None) -> Permit | Denied:
        if not active:
            return self.without_link(profile_id, latest)
        if len(active) > 1:
            return self.deny(profile_id, DenyReason.AMBIGUOUS, f"{len(active)} contacts")
        record = active[0]
        checks: tuple[Callable[[LinkRecord], Denied | None], ...] = (
            self.on_hold, self.without_contact, self.without_grant, self.over, self.stale, self.too_weak,
        )  # fmt: skip
        for check in checks:
            denied = check(record)
            if denied is not None:
                return denied
        link = self.link(record)
        if link is None:
            return self.deny(profile_id, DenyReason.NO_GRANT, "no entry of the ledger stands behind it")
        return issue_permit(
            profile_id=link.profile_id,
            contact_id=link.contact_id,
            operation=self.operation,
            purpose=self.purpose.name,
            link_id=link.id,
            given_at=self.now,
        )

    def link(self, record: LinkRecord) -> Link | None:
        """The record as a Link, which needs the entry of the ledger that its grant rests on."""
        grant = record.grants[self.purpose.name]
        if (grant.seq, record.id) not in self.recorded:
            return None
        consent = ConsentRecord(grant.seq, grant.notice_id or "", grant.notice_version or "", record.granted)
        return Link(record.id, record.profile_id, record.contact_id, record.state, record.assurance, consent)

    def deny(
        self, profile_id: str, reason: DenyReason, detail: str | None = None, since: datetime | None = None
    ) -> Denied:
        return Denied(profile_id, self.operation, reason, detail, since)

    def without_link(self, profile_id: str, latest: LinkRecord | None) -> Denied:
        if latest is None:
            return self.deny(profile_id, DenyReason.NO_LINK)
        return self.deny(profile_id, _AFTER.get(latest.state, DenyReason.NO_LINK), latest.state, latest.ended_at)

    def on_hold(self, record: LinkRecord) -> Denied | None:
        if not record.holds:
            return None
        reasons = ", ".join(each.reason for each in record.holds)
        return self.deny(record.profile_id, DenyReason.HOLD, reasons, min(each.since_at for each in record.holds))

    def without_contact(self, record: LinkRecord) -> Denied | None:
        alive = record.contact_id in self.living
        return None if alive else self.deny(record.profile_id, DenyReason.CONTACT_MISSING)

    def without_grant(self, record: LinkRecord) -> Denied | None:
        grant = record.grants.get(self.purpose.name)
        if grant is None:
            return self.deny(record.profile_id, DenyReason.NO_GRANT)
        if grant.is_granted:
            return None
        return self.deny(record.profile_id, _INSTEAD[grant.state], grant.state, grant.decided_at)

    def over(self, record: LinkRecord) -> Denied | None:
        expires_at = record.grants[self.purpose.name].expires_at
        if expires_at is not None and self.now < expires_at:
            return None
        return self.deny(record.profile_id, DenyReason.GRANT_EXPIRED, since=expires_at)

    def stale(self, record: LinkRecord) -> Denied | None:
        grant = record.grants[self.purpose.name]
        if not self.registry.is_stale(self.purpose.name, grant.notice_id, grant.notice_version, self.now):
            return None
        return self.deny(record.profile_id, DenyReason.NOTICE_STALE, f"{grant.notice_id} {grant.notice_version}")

    def too_weak(self, record: LinkRecord) -> Denied | None:
        needed, proven = self.purpose.minimum, record.assurance
        if proven.covers(needed):
            return None
        detail = f"h{proven.h} c{proven.c}, needs h{needed.h} c{needed.c}"
        return self.deny(record.profile_id, DenyReason.LEVEL_TOO_LOW, detail)
