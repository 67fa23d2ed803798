"""Consent over the API: record an answer, look at links, undo them, ask the gate."""

from __future__ import annotations

from typing import Any, cast

import orjson
from pydantic import BaseModel

from connector.domain.consent import Answer, Evidence
from connector.domain.events import format_time
from connector.domain.links import Permit
from connector.errors import InputInvalid, NotFound
from connector.flows.access import permit
from connector.flows.consent.ending import invalidate, revoke, withdraw
from connector.flows.consent.holding import hold, release
from connector.flows.consent.looking import ask_script, disclose_evidence
from connector.flows.consent.preview import preview
from connector.flows.consent.record import record
from connector.flows.consent.words import LinkChange, Receipt, RecordConsent, WithdrawConsent
from connector.queries import ledger, people
from connector.queries.people import LinkView
from connector.web.actors import actor_of
from connector.web.api_call import Call, Operation, iso
from connector.web.api_consent_models import (
    ChangeOut,
    ConsentIn,
    EntryList,
    EntryOut,
    EvidenceList,
    EvidenceOut,
    GrantOut,
    HoldIn,
    LinkList,
    LinkOut,
    LinkQuery,
    NoticeRef,
    PermitOut,
    PermitQuery,
    PreviewOut,
    PreviewQuery,
    ReasonIn,
    ReceiptOut,
    RecordQuery,
    ShareOut,
    WithdrawIn,
    WordingOut,
    WordingQuery,
    WritingOut,
)


def record_consent(call: Call) -> ReceiptOut:
    """Records what the customer answered; the only way a link comes to be."""
    body = cast(ConsentIn, call.body)
    command = RecordConsent(
        contact_id=body.contact_id,
        method=body.method,
        notice_id=body.notice.id,
        notice_version=body.notice.version,
        lang=body.notice.lang,
        answers={purpose: _answer(value) for purpose, value in body.answers.items()},
        evidence=Evidence(
            body.evidence.wording, body.evidence.customer_words, body.evidence.reference, body.evidence.said_at
        ),
        actor=actor_of(call.principal),
        profile_id=body.profile_id,
        network=body.network,
        handle=body.handle,
        scope=body.scope,
        key=call.key,
    )
    return _receipt(record(call.ctx, command))


def consent_wording(call: Call) -> WordingOut:
    """The published wording in force: it is recorded word for word."""
    query = cast(WordingQuery, call.query)
    network = call.ctx.channels.canonical_network(query.network) if query.network else ""
    if network is None:
        raise InputInvalid("query.network: not in channels.yml; use its name there, or leave it out.")
    script = ask_script(call.ctx, query.channel, query.lang, network, more=query.more)
    return WordingOut(
        text=script.text,
        notice=NoticeRef(id=script.notice_id, version=script.version, lang=script.lang),
        purposes={name: script.labels[name] for name in script.purposes},
    )


def preview_consent(call: Call) -> PreviewOut:
    """What a yes would move, here and in the CRM, before it is recorded; writes nothing."""
    query = cast(PreviewQuery, call.query)
    found = preview(
        call.ctx,
        query.contact,
        profile_id=query.profile_id,
        network=query.network,
        handle=query.handle,
        scope=query.scope,
        purposes=None if query.purposes is None else [each.strip() for each in query.purposes.split(",")],
    )
    return PreviewOut(
        profile_id=found.profile_id,
        contact_id=found.contact_id,
        purposes=list(found.purposes),
        standstill=found.standstill,
        until=format_time(found.until),
        cases=found.cases,
        interactions=found.interactions,
        first_at=iso(found.first_at),
        last_at=iso(found.last_at),
        shares=[
            ShareOut(
                channel=each.channel,
                cases=each.cases,
                interactions=each.interactions,
                first_at=iso(each.first_at),
                last_at=iso(each.last_at),
            )
            for each in found.shares
        ],
        writes=[
            WritingOut(
                object=each.object, records=each.records, contact_field=each.contact_field, fields=dict(each.fields)
            )
            for each in found.writes
        ],
        kept_by_crm=found.kept_by_crm,
    )


def list_consent_records(call: Call) -> EntryList:
    """Ledger entries about an account, a contact or a link, oldest first."""
    query = cast(RecordQuery, call.query)
    with call.ctx.store.read() as connection:
        wanted: list[str] | None = [query.link] if query.link else None
        if query.profile_id or query.contact:
            contacts = people.same_person(connection, query.contact) if query.contact else None
            views = people.links_of(connection, profile_id=query.profile_id, contact_ids=contacts)
            wanted = [view.row["id"] for view in views if wanted is None or view.row["id"] in wanted]
        page = ledger.entries(connection, wanted, cursor=query.cursor, limit=query.limit)
    items = [
        EntryOut(
            seq=row["seq"],
            at=iso(row["at"]),
            type=row["type"],
            link_id=row["link_id"],
            hash=bytes(row["hash"]).hex(),
            body=orjson.loads(bytes(row["body"])),
        )
        for row in page.rows
    ]
    return EntryList(items=items, next=page.next)


def list_links(call: Call) -> LinkList:
    """Links of an account or a contact."""
    query = cast(LinkQuery, call.query)
    with call.ctx.store.read() as connection:
        contacts = people.same_person(connection, query.contact) if query.contact else None
        views = people.links_of(connection, profile_id=query.profile_id, contact_ids=contacts)
    return LinkList(items=[_link(view) for view in views])


def show_link(call: Call) -> LinkOut:
    """One link."""
    with call.ctx.store.read() as connection:
        view = people.link(connection, call.text("link_id"))
    if view is None:
        raise NotFound("There is no link of this id.")
    return _link(view)


def open_evidence(call: Call) -> EvidenceList:
    """What shows the answers of a link, readable; that it was looked at is an entry of the ledger."""
    shown = disclose_evidence(call.ctx, call.text("link_id"), actor_of(call.principal))
    items = [
        EvidenceOut(
            id=each.piece.evidence_id,
            kind=each.piece.kind,
            recorded_at=format_time(each.piece.recorded_at),
            content=dict(each.piece.content),
            is_genuine=each.is_genuine,
        )
        for each in shown
    ]
    return EvidenceList(items=items)


def withdraw_link(call: Call) -> ReceiptOut:
    """Undoes a link for the customer; never refused."""
    body = cast(WithdrawIn, call.body)
    command = WithdrawConsent(
        actor_of(call.principal),
        link_id=call.text("link_id"),
        purposes=frozenset(body.purposes) if body.purposes is not None else None,
        method=body.method,
        words=body.words,
        said_at=body.said_at,
        key=call.key,
    )
    return _receipt(withdraw(call.ctx, command))


def hold_link(call: Call) -> ReceiptOut:
    """Lets a link rest: the gate is closed until it is released."""
    return _receipt(hold(call.ctx, call.text("link_id"), cast(HoldIn, call.body).reason, actor_of(call.principal)))


def release_link(call: Call) -> ReceiptOut:
    """Lifts a hold; whoever set it, or a privacy officer."""
    return _receipt(release(call.ctx, call.text("link_id"), cast(HoldIn, call.body).reason, actor_of(call.principal)))


def revoke_link(call: Call) -> ReceiptOut:
    """Ends a link on the company's side."""
    return _receipt(revoke(call.ctx, call.text("link_id"), actor_of(call.principal), cast(ReasonIn, call.body).reason))


def invalidate_link(call: Call) -> ReceiptOut:
    """ "That is not me": the history is restated as never linked; two people decide, or a privacy officer."""
    reason = cast(ReasonIn, call.body).reason
    return _receipt(invalidate(call.ctx, call.text("link_id"), actor_of(call.principal), reason))


def show_permit(call: Call) -> PermitOut:
    """Whether an account's contact may be used for an operation, right now, and why not."""
    query = cast(PermitQuery, call.query)
    with call.ctx.store.read() as connection:
        answer = permit(connection, call.ctx.consent, query.profile_id, query.operation, call.ctx.clock())
    if isinstance(answer, Permit):
        return PermitOut(
            allow=True,
            operation=answer.operation,
            contact_id=answer.contact_id,
            purpose=answer.purpose,
            link_id=answer.link_id,
        )
    return PermitOut(
        allow=False,
        operation=answer.operation,
        reason=answer.reason,
        detail=answer.detail,
        since=format_time(answer.since),
    )


def _answer(value: bool | Answer) -> Answer:
    if isinstance(value, bool):
        return Answer.YES if value else Answer.NO
    return value


def _receipt(receipt: Receipt) -> ReceiptOut:
    changes = [_change(each) for each in receipt.changes]
    return ReceiptOut(link=changes[0].link_id if changes else None, receipt=changes)


def _change(change: LinkChange) -> ChangeOut:
    return ChangeOut(
        link_id=change.link_id,
        state=change.state,
        type=change.type,
        seq=change.seq,
        hash=change.hash,
        at=format_time(change.at),
        purposes=dict(change.purposes),
        holds=list(change.holds),
    )


def _link(view: LinkView) -> LinkOut:
    row = view.row
    values: dict[str, Any] = {name: row[name] for name in ("id", "profile_id", "contact_id", "state", "h", "c")}
    values.update({name: iso(row[name]) for name in ("asked_at", "answered_at", "ended_at")})
    return LinkOut(
        **values,
        grants=[
            GrantOut(
                purpose=each["purpose"],
                state=each["state"],
                expires_at=iso(each["expires_at"]),
                notice_id=each["notice_id"],
                notice_version=each["notice_version"],
            )
            for each in view.purposes
        ],
        holds=[each["reason"] for each in view.holds],
    )


def _post(name: str, act: str, summary: str, handler: Any, body: type[BaseModel]) -> Operation:
    return Operation(name, "POST", f"/links/<link_id>/{act}", summary, handler, ReceiptOut, body=body, tag="links")


OPERATIONS = (
    Operation(
        "record_consent", "POST", "/consent/records", "Record what the customer answered", record_consent, ReceiptOut,
        body=ConsentIn, status=201, tag="consent",
    ),
    Operation(
        "consent_wording", "GET", "/consent/wording", "What to read out or paste when asking", consent_wording,
        WordingOut, WordingQuery, tag="consent",
    ),
    Operation(
        "preview_consent", "GET", "/consent/preview", "What a yes would move, before it is recorded", preview_consent,
        PreviewOut, PreviewQuery, tag="consent",
    ),
    Operation(
        "list_consent_records", "GET", "/consent/records", "Ledger entries, oldest first", list_consent_records,
        EntryList, RecordQuery, tag="consent",
    ),
    Operation(
        "list_links", "GET", "/links", "Links of an account or a contact", list_links, LinkList, LinkQuery, tag="links",
    ),
    Operation("show_link", "GET", "/links/<link_id>", "One link", show_link, LinkOut, tag="links"),
    Operation(
        "open_evidence", "GET", "/links/<link_id>/evidence", "What shows the answers of a link", open_evidence,
        EvidenceList, tag="links",
    ),
    _post("withdraw_link", "withdraw", "Undo a link for the customer", withdraw_link, WithdrawIn),
    _post("hold_link", "hold", "Let a link rest", hold_link, HoldIn),
    _post("release_link", "release", "Lift a hold", release_link, HoldIn),
    _post("revoke_link", "revoke", "End a link on the company's side", revoke_link, ReasonIn),
    _post("invalidate_link", "invalidate", "It was never this person", invalidate_link, ReasonIn),
    Operation(
        "show_permit", "GET", "/permits", "Ask the gate, and hear why", show_permit, PermitOut, PermitQuery,
        tag="permits",
    ),
)  # fmt: skip
