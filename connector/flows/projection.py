"""What the CRM's record of a profile, a case or an interaction should be, from the store's rows and the gate's answer.

Who owns which field: the connector its own fields; the CRM Status, Owner, Priority and Subject after creation, so these
go out once (a reopening is one act of its own); the field that names a contact belongs to whoever wrote its present
value. A record is built when it is sent, never before, so nothing stale and no contact without a permit can leave.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy import Connection, Row

from connector.domain.consent import LinkRecord, LinkState
from connector.domain.events import format_time, from_millis, to_millis
from connector.domain.links import Denied, DenyReason, Permit
from connector.domain.text import cut, one_line, units
from connector.flows.access import permits
from connector.mapping.crm import CrmMapping, FieldRule, ObjectMapping
from connector.mapping.purposes import ConsentRegistry
from connector.store.consent import active_links, latest_links
from connector.store.crm_records import CaseRow, case_rows, interaction_rows, profile_rows, surviving_contacts
from connector.store.outbox import NOBODY

DAY_MS = 86_400_000
"""An account's last activity is shown by its day: every message would write the account anew otherwise."""

ATTACH = {
    "profile": "crm.profile.attach",
    "case": "crm.case.attach",
    "interaction": "crm.interaction.attach",
}


class Ownership(Enum):
    """Who wrote the contact that the CRM shows on a record."""

    OURS = "ours"  # we did, or nobody
    THEIRS = "theirs"  # a person in the CRM: it is neither overwritten nor read as consent


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record as it should be: what is always sent, what only at creation, what tells of a reopening, and the contact.

    ``contact`` is the contact to be named, or None; it is sent only where it differs from what we last wrote; ``shown``
    the one that the CRM showed on a case when we last knew. ``tried`` tells that its creation was tried before;
    ``left_alone`` that there is nothing to send (yet, or ever again).
    """

    key: str
    base: Mapping[str, Any]
    once: Mapping[str, Any] = field(default_factory=dict)
    reopen: Mapping[str, Any] = field(default_factory=dict)
    reopens: int = 0
    contact: str | None = None
    shown: str | None = None
    ownership: Ownership = Ownership.OURS
    tried: bool = False
    left_alone: bool = False

    @property
    def digest(self) -> str:
        """Tells this record from another state of it; the contact and what is sent once do not count."""
        return sha256(orjson.dumps(self.base, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def project(
    connection: Connection,
    mapping: CrmMapping,
    registry: ConsentRegistry,
    obj: ObjectMapping,
    keys: Collection[str],
    now: datetime,
) -> dict[str, Wanted]:
    """The wanted records of these external keys, by key; one that the store no longer has is missing."""
    rows = _Rows(connection, mapping, registry, obj, now)
    return {"profile": rows.profiles, "case": rows.cases, "interaction": rows.interactions}[obj.kind](keys)


def contacts_chosen_in_crm(connection: Connection, case_ids: Collection[str], permitted: str) -> set[str]:
    """Those of our cases that keep the contact a person chose in the CRM, although this one be permitted."""
    rows = case_rows(connection, case_ids)
    shown = _shown(connection, rows.values())
    return {key for key, case in rows.items() if _ownership(case, shown, permitted) is Ownership.THEIRS}


@dataclass(frozen=True, slots=True)
class _Rows:
    connection: Connection
    mapping: CrmMapping
    registry: ConsentRegistry
    obj: ObjectMapping
    now: datetime

    def profiles(self, keys: Collection[str]) -> dict[str, Wanted]:
        rows = profile_rows(self.connection, keys)
        answers = self.permits(rows)
        active = active_links(self.connection, set(rows))
        latest = latest_links(self.connection, set(rows))
        wanted = {}
        for key, row in rows.items():
            link = _telling(active.get(key, []), latest.get(key))
            values = {**profile_values(row, self.mapping), **link_values(link, answers[key], self.mapping)}
            wanted[key] = self.wanted(key, values, {}, _contact(answers[key]))
        return wanted

    def cases(self, keys: Collection[str]) -> dict[str, Wanted]:
        rows = {key: each for key, each in case_rows(self.connection, keys).items() if each.row.origin == "connector"}
        answers = self.permits({each.row.profile_id for each in rows.values() if each.row.profile_id})
        wanted = {}
        shown = _shown(self.connection, rows.values())
        for key, case in rows.items():
            answer = answers.get(case.row.profile_id)
            parents = {"profile": case.row.profile_id, "parent_case": case.row.parent_id}
            ownership = _ownership(case, shown, _contact(answer))
            values = case_values(case, self.mapping, answer if ownership is Ownership.OURS else None)
            each = self.wanted(key, values, parents, _contact(answer))
            wanted[key] = replace(
                each,
                reopen=_filled(self.obj.reopen, values) if _is_reopened(case) else {},
                reopens=case.row.reopen_count,
                shown=case.row.crm_contact_id,
                ownership=ownership,
                tried=case.told_reopens is not None,
                left_alone=bool(case.row.is_deleted),
            )
        return wanted

    def interactions(self, keys: Collection[str]) -> dict[str, Wanted]:
        rows = interaction_rows(self.connection, keys)
        profiles = {row.profile_id for row in rows.values() if row.profile_id and _is_ours(row)}
        answers = self.permits(profiles)
        alive = surviving_contacts(self.connection, [row.crm_contact_id for row in rows.values()])
        wanted = {}
        for key, row in rows.items():
            contact = _contact(answers.get(row.profile_id)) if _is_ours(row) else alive.get(row.crm_contact_id)
            parents = {"profile": row.profile_id, "case": row.case_id if _names_case(row) else None}
            each = self.wanted(key, interaction_values(row, self.mapping), parents, contact)
            if self.obj.crm_case and row.case_origin == "crm":
                record = None if row.case_is_deleted else row.case_crm_id
                each = replace(each, base={**each.base, self.obj.crm_case: record})
            wanted[key] = replace(each, left_alone=row.kind is None)
        return wanted

    def permits(self, profile_ids: Collection[str]) -> Mapping[str, Permit | Denied]:
        if not profile_ids:
            return {}
        return permits(self.connection, self.registry, set(profile_ids), ATTACH[self.obj.kind], self.now)

    def wanted(
        self,
        key: str,
        values: Mapping[str, Any],
        parents: Mapping[str, str | None],
        contact: str | None,
    ) -> Wanted:
        base = {self.obj.key: key, **_filled(self.obj.fields, values)}
        for name, parent in self.obj.parents.items():
            parent_key = parents.get(parent)
            if parent_key:
                base[name] = {self.parent_key_field(parent): parent_key}
        return Wanted(key, base, _filled(self.obj.once, values), contact=contact)

    def parent_key_field(self, parent: str) -> str:
        return self.mapping.objects["profile" if parent == "profile" else "case"].key


def profile_values(row: Row[Any], mapping: CrmMapping) -> dict[str, Any]:
    """What is known of an account itself."""
    return {
        "network": mapping.network(row.network),
        "handle": row.handle,
        "network_user_id": row.external_id,
        "display_name": row.display_name,
        "followers": row.followers,
        "verified": row.verified,
        "profile_url": row.profile_url,
        "last_seen_at": _time(row.last_seen_at - row.last_seen_at % DAY_MS),
    }


def link_values(link: LinkRecord | None, answer: Permit | Denied, mapping: CrmMapping) -> dict[str, Any]:
    """What the CRM may show of the customer's consent."""
    linked = isinstance(answer, Permit)
    method = mapping.link_method.get(link.method.value) if link and link.method and linked else None
    return {
        "link_status": mapping.link_status[_link_state(link, answer)],
        "link_method": method,
        "linked_at": _time(to_millis(link.answered_at)) if link and link.answered_at and linked else None,
    }


def case_values(case: CaseRow, mapping: CrmMapping, answer: Permit | Denied | None) -> dict[str, Any]:
    """What is known of a case; Salesforce counts its own closing, so that is not among it."""
    row = case.row
    origins = mapping.case_origins
    return {
        "subject": row.subject or subject_instead(mapping, row.network, row.channel),
        "new_status": mapping.new_status,
        "new_priority": mapping.new_priority,
        "reopened_status": mapping.reopened_status,
        "origin": origins.get(row.channel, origins["other"]),
        "channel": row.channel,
        "network": mapping.network(row.network),
        "visibility": row.visibility,
        "first_inbound_at": _time(row.first_inbound_at),
        "first_response_at": _time(row.first_response_at),
        "moved_to_private_at": _time(row.moved_to_private_at),
        "inbound_touches": row.inbound_touches,
        "outbound_touches": row.outbound_touches,
        "channel_count": case.channels,
        "is_cross_channel": case.channels > 1,
        "reopen_count": row.reopen_count,
        "link_ref": answer.link_id if isinstance(answer, Permit) else None,
    }


def subject_instead(mapping: CrmMapping, network: str, channel: str) -> str:
    """What a case without a subject is called in the CRM."""
    return f"{mapping.network(network)} ({channel})"


def fitted(value: Any, rule: FieldRule) -> Any:
    """The value as the field takes it."""
    if not isinstance(value, str):
        return value
    if rule.longest is not None:
        return value if _is_address(value) and units(value) <= rule.longest else None
    # Without a length it is one of our own words, a time or an id.
    return cut(one_line(value), rule.cut) or None if rule.cut else value


def interaction_values(row: Row[Any], mapping: CrmMapping) -> dict[str, Any]:
    """What is known of a message, post, call, mail or chat; a deleted one keeps its time but no words."""
    live = row.state == "live"
    return {
        "channel": row.channel,
        "network": mapping.network(row.network),
        "direction": row.direction,
        "visibility": row.visibility,
        "author_role": row.author_role,
        "occurred_at": _time(row.occurred_at),
        "duration_seconds": row.duration_seconds,
        "summary": row.text if live else None,
        "source_url": row.permalink if live else None,
        "source_system": row.crm_object or row.source,
        "source_record_id": row.crm_id,
        "possible_duplicate": bool(row.possible_duplicate),
        "state": mapping.states[row.state],
    }


def _filled(rules: Mapping[str, FieldRule], values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fitted(values[rule.value], rule) for name, rule in rules.items()}


def _is_address(value: str) -> bool:
    return urlsplit(value).scheme in ("http", "https") and value.isprintable() and " " not in value


def _time(millis: int | None) -> str | None:
    # Salesforce keeps whole seconds; sending more would make every record look different from what it shows.
    return None if millis is None else format_time(from_millis(millis // 1000 * 1000))


def _contact(answer: Permit | Denied | None) -> str | None:
    return answer.contact_id if isinstance(answer, Permit) else None


def _telling(active: list[LinkRecord], latest: LinkRecord | None) -> LinkRecord | None:
    return active[-1] if active else latest


def _link_state(link: LinkRecord | None, answer: Permit | Denied) -> str:
    if link is None:
        return "none"
    if isinstance(answer, Permit) or link.state is not LinkState.ACTIVE:
        return "hold" if link.holds and link.state is LinkState.ACTIVE else link.state.value
    instead = {DenyReason.GRANT_EXPIRED: "expired", DenyReason.WITHDRAWN: "withdrawn", DenyReason.REFUSED: "declined"}
    return instead.get(answer.reason, "hold")


def _is_ours(row: Row[Any]) -> bool:
    """Whether the gate decides about the contact: on our own cases always, also for what the CRM added to them.

    A task that an agent logs on our case carries the contact that we put there; taking it as the CRM's own word would
    keep the link alive after the customer withdrew.
    """
    return "connector" in (row.origin, row.case_origin)


def _names_case(row: Row[Any]) -> bool:
    return bool(row.case_origin == "connector" and not row.case_is_deleted)


def _shown(connection: Connection, cases: Collection[CaseRow]) -> Mapping[str, str | None]:
    named = [(each.row.crm_contact_id, each.sent_contact_id, *(each.tried_contacts - {NOBODY})) for each in cases]
    return surviving_contacts(connection, [contact for each in named for contact in each])


def _ownership(case: CaseRow, shown: Mapping[str, str | None], permitted: str | None) -> Ownership:
    present, ours = case.row.crm_contact_id, case.sent_contact_id
    alive_present = shown.get(present) if present else None
    alive_ours = shown.get(ours) if ours else None
    if present == ours or alive_present == alive_ours or (permitted and alive_present == permitted):
        return Ownership.OURS
    if present is None:
        return Ownership.OURS if NOBODY in case.tried_contacts else Ownership.THEIRS
    named = case.tried_contacts - {NOBODY}
    is_tried = present in named or alive_present in {shown.get(each) for each in named}
    return Ownership.OURS if is_tried else Ownership.THEIRS


def _is_reopened(case: CaseRow) -> bool:
    """Whether a customer's reopening is still to be told; a record that is yet to be made is open anyway."""
    return case.told_reopens is not None and case.row.reopen_count > case.told_reopens
