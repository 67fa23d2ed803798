"""The one place that changes a link: its ledger entry, its rows and the CRM records it concerns, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.domain.consent import (
    TERMINAL,
    Actor,
    Assurance,
    Grant,
    Hold,
    HoldReason,
    LinkRecord,
    LinkState,
    Method,
    Notice,
)
from connector.domain.events import format_time, from_millis, to_millis
from connector.domain.keys import random_id
from connector.errors import NotFound
from connector.flows.consent.words import LinkChange
from connector.flows.contact_index import reindex
from connector.flows.context import Context
from connector.flows.link import reproject
from connector.store import ledger
from connector.store.consent import delete_hold, insert_grants, insert_hold, insert_link, link_by_id, update_link
from connector.store.ledger import Entry, NewEntry
from connector.store.unit_of_work import UnitOfWork
from connector.store.vault import Commitment

SYSTEM = "upkeep"


@dataclass(frozen=True, slots=True)
class Act:
    """One change of one link; what is None stays as it is."""

    type: str
    actor: Actor
    state: LinkState | None = None
    grants: tuple[Grant, ...] = ()
    assurance: Assurance | None = None
    method: Method | None = None
    notice: Notice | None = None
    wording_sha256: str | None = None
    evidence: tuple[Commitment, ...] = ()
    reason: str | None = None
    hold: Hold | None = None
    release: HoldReason | None = None
    cool_until_at: datetime | None = None
    answered_at: datetime | None = None
    profile_id: str | None = None
    contact_id: str | None = None
    idem: str | None = None
    request: str | None = None


def moment_of(ctx: Context) -> datetime:
    """Now, at the store's precision."""
    return from_millis(to_millis(ctx.clock()))


def open_link(
    uow: UnitOfWork, profile_id: str, contact_id: str, actor: Actor, now: datetime, before: Sequence[LinkRecord] = ()
) -> LinkRecord:
    """A new link that waits for its answer, newer than those before it; the caller records one with it."""
    newest = max((each.asked_at for each in before), default=now)
    record = LinkRecord(
        id=random_id("lnk"),
        profile_id=profile_id,
        contact_id=contact_id,
        state=LinkState.ASKED,
        assurance=Assurance(0, 0),
        asked_at=now if newest < now or not before else newest + timedelta(milliseconds=1),
        by=str(actor),
    )
    insert_link(uow, record)
    return record


def known_link(uow: UnitOfWork, link_id: str) -> LinkRecord:
    """The link of this id; raises NotFound when there is none."""
    link = link_by_id(uow.connection, link_id)
    if link is None:
        raise NotFound("There is no such link.")
    return link


def write_act(uow: UnitOfWork, record: LinkRecord, act: Act, now: datetime) -> LinkChange:
    """The change, written to the ledger and the link; every CRM record of its account is queued."""
    entry = ledger.append(uow, NewEntry(act.type, record.id, act.idem, _facts(record, act)), now)
    insert_grants(uow, record.id, entry.seq, act.grants)
    update_link(uow, record.id, _columns(record, act, now))
    if act.hold is not None:
        insert_hold(uow, record.id, act.hold)
    if act.release is not None:
        delete_hold(uow, record.id, act.release)
    for profile_id in {record.profile_id, act.profile_id or record.profile_id}:
        reproject(uow, profile_id)
    reindex(uow, {record.contact_id, act.contact_id or record.contact_id})
    return change_of(entry)


def change_of(entry: Entry) -> LinkChange:
    """The entry as a receipt shows it."""
    return LinkChange(
        link_id=entry.link_id or "",
        state=LinkState(entry.facts["state"]),
        type=entry.type,
        seq=entry.seq,
        hash=entry.hash,
        at=entry.at,
        purposes={each["p"]: each["state"] for each in entry.facts.get("purposes", [])},
        holds=tuple(entry.facts.get("holds", [])),
    )


def _columns(record: LinkRecord, act: Act, now: datetime) -> dict[str, Any]:
    assurance = act.assurance or record.assurance
    values: dict[str, Any] = {"h": assurance.h, "c": assurance.c}
    if act.state is not None:
        values["state"] = act.state.value
    if act.state in TERMINAL:
        values["ended_at"] = to_millis(now)
    for name in ("answered_at", "cool_until_at"):
        moment = getattr(act, name)
        if moment is not None:
            values[name] = to_millis(moment)
    for name in ("method", "profile_id", "contact_id"):
        value = getattr(act, name)
        if value is not None:
            values[name] = str(value)
    return values


def _facts(record: LinkRecord, act: Act) -> Mapping[str, Any]:
    """What the ledger keeps: ids, digests and words of closed lists; nothing that names the customer."""
    assurance = act.assurance or record.assurance
    holds = {each.reason for each in record.holds} | ({act.hold.reason} if act.hold else set())
    facts: dict[str, Any] = {
        "actor": {"t": act.actor.kind.value, "ref": act.actor.ref},
        "state": (act.state or record.state).value,
        "assurance": {"h": assurance.h, "c": assurance.c},
        "holds": sorted(holds - {act.release}),
        "purposes": [
            {"p": each.purpose, "state": each.state.value, "exp": format_time(each.expires_at)} for each in act.grants
        ],
    }
    if act.method is not None:
        facts["method"] = act.method.value
    if act.reason is not None:
        facts["reason"] = act.reason
    if act.request is not None:
        facts["request"] = act.request
    if act.evidence:
        facts["evidence"] = [{"id": each.evidence_id, "com": each.digest} for each in act.evidence]
    if act.notice is not None:
        facts["notice"] = {
            "id": act.notice.id,
            "v": act.notice.version,
            "lang": act.notice.lang,
            "sha256": act.wording_sha256 or act.notice.sha256,
        }
    return facts
