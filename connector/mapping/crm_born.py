"""Calls, mails, chats and comments that were born in the CRM, in the connector's words. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connector.domain.channels import AuthorRole, Channel, Direction, Kind
from connector.mapping.markup import html_to_text

Record = Mapping[str, Any]
SESSIONS = {
    "WhatsApp": (Channel.MESSAGING, "whatsapp"),
    "Facebook": (Channel.MESSAGING, "messenger"),
    "Line": (Channel.MESSAGING, "line"),
    "Text": (Channel.SMS, "sms"),
}
"""Channel and network of a messaging session by its ChannelType; all others are chats on the brand's own pages."""

DRAFT = "5"


@dataclass(frozen=True, slots=True)
class Born:
    """One of them: the CRM's id and case, who spoke, when, and the contact that the record itself names.

    ``channel`` and ``network`` are None where those of its case hold; ``created_by`` decides who wrote a comment.
    """

    crm_id: str
    kind: Kind
    direction: Direction | None
    author_role: AuthorRole
    occurred_at: int
    case_crm_id: str | None
    contact_crm_id: str | None = None
    names_contact: bool = False
    channel: Channel | None = None
    network: str | None = None
    text: str | None = None
    author_name: str | None = None
    customer_id: str | None = None
    owner_crm_id: str | None = None
    created_by: str | None = None
    reference: str | None = None
    duration_seconds: int | None = None
    is_public: bool = False
    deleted_at: int | None = None
    is_written: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BornObject:
    """An object of the CRM that holds them: what is read of it, and how a record becomes one.

    Where one of the ``needed`` fields is hidden nothing is read of it; of the others what is there.
    """

    name: str
    fields: tuple[str, ...]
    read: Callable[[Record], Born | None]
    where: str = ""
    needed: tuple[str, ...] = ("SystemModstamp",)


def read_call(record: Record) -> Born | None:
    """The call of a Task; None for a task of a call still to be made."""
    happened = _millis(record.get("CompletedDateTime")) or _millis(record.get("CreatedDate"))
    if happened is None or record.get("Status") == "Not Started":
        return None
    kinds = {"Inbound": (Direction.INBOUND, AuthorRole.CUSTOMER), "Internal": (Direction.INTERNAL, AuthorRole.AGENT)}
    direction, role = kinds.get(str(record.get("CallType")), (Direction.OUTBOUND, AuthorRole.AGENT))
    who = record.get("WhoId")
    return Born(
        crm_id=record["Id"], kind=Kind.CALL, direction=direction, author_role=role, occurred_at=happened,
        case_crm_id=_of(record.get("WhatId"), "500"), contact_crm_id=_of(who, "003"), names_contact=bool(who),
        channel=Channel.PHONE, network="phone", text=record.get("Description") or record.get("Subject"),
        owner_crm_id=record.get("OwnerId"), reference=_reference(record.get("CallObject")),
        duration_seconds=_seconds(record.get("CallDurationInSeconds")), deleted_at=_deleted(record),
        extra=_filled(subject=record.get("Subject"), disposition=record.get("CallDisposition")),
    )  # fmt: skip


def read_mail(record: Record) -> Born | None:
    """The mail of an EmailMessage; None for a draft and for mail outside any case."""
    happened = _millis(record.get("MessageDate")) or _millis(record.get("CreatedDate"))
    if happened is None or record.get("Status") == DRAFT or not record.get("ParentId"):
        return None
    incoming = bool(record.get("Incoming"))
    other = record.get("FromAddress") if incoming else record.get("ToAddress")
    return Born(
        crm_id=record["Id"], kind=Kind.EMAIL,
        direction=Direction.INBOUND if incoming else Direction.OUTBOUND,
        author_role=AuthorRole.CUSTOMER if incoming else AuthorRole.AGENT,
        occurred_at=happened, case_crm_id=record["ParentId"], channel=Channel.EMAIL, network="email",
        text=record.get("TextBody") or record.get("Subject"), author_name=record.get("FromName"),
        customer_id=str(other).split(";")[0].strip().casefold() if other else None,
        reference=_reference(record.get("MessageIdentifier")), deleted_at=_deleted(record),
        extra=_filled(subject=record.get("Subject")),
    )  # fmt: skip


def read_comment(record: Record) -> Born | None:
    """The comment on a case; who wrote it (customer or colleague) follows from its creator."""
    happened = _millis(record.get("CreatedDate"))
    if happened is None:
        return None
    published = bool(record.get("IsPublished"))
    return Born(
        crm_id=record["Id"], kind=Kind.TICKET_COMMENT, direction=None if published else Direction.INTERNAL,
        author_role=AuthorRole.AGENT, occurred_at=happened, case_crm_id=record["ParentId"],
        text=record.get("CommentBody"), created_by=record.get("CreatedById"),
        deleted_at=_deleted(record), is_written=published,
    )  # fmt: skip


def read_chat(record: Record) -> Born | None:
    """The chat of a LiveChatTranscript; None for one that nobody took part in."""
    happened = _millis(record.get("RequestTime")) or _millis(record.get("StartTime"))
    if happened is None:
        return None
    body = record.get("Body")
    return Born(
        crm_id=record["Id"], kind=Kind.MESSAGE, direction=Direction.INBOUND, author_role=AuthorRole.CUSTOMER,
        occurred_at=happened, case_crm_id=record.get("CaseId"), contact_crm_id=record.get("ContactId"),
        names_contact=bool(record.get("ContactId")), channel=Channel.CHAT, network="chat",
        text=html_to_text(body) if isinstance(body, str) else None, owner_crm_id=record.get("OwnerId"),
        reference=record.get("ChatKey"), duration_seconds=_seconds(record.get("ChatDuration")),
        deleted_at=_deleted(record),
        extra=_filled(answered_at=_millis(record.get("StartTime")), ended_at=_millis(record.get("EndTime"))),
    )  # fmt: skip


def read_session(record: Record) -> Born | None:
    """The conversation of a MessagingSession; None for one that never began."""
    happened = _millis(record.get("StartTime"))
    if happened is None:
        return None
    ended = _millis(record.get("EndTime"))
    channel, network = SESSIONS.get(str(record.get("ChannelType")), (Channel.CHAT, "chat"))
    outbound = record.get("Origin") in ("TriggeredOutbound", "AgentInitiated")
    return Born(
        crm_id=record["Id"], kind=Kind.MESSAGE,
        direction=Direction.OUTBOUND if outbound else Direction.INBOUND,
        author_role=AuthorRole.AGENT if outbound else AuthorRole.CUSTOMER,
        occurred_at=happened, case_crm_id=record.get("CaseId"), contact_crm_id=record.get("EndUserContactId"),
        names_contact=bool(record.get("EndUserContactId")), channel=channel, network=network,
        owner_crm_id=record.get("OwnerId"),
        duration_seconds=None if ended is None else max(0, (ended - happened) // 1000),
        deleted_at=_deleted(record), extra=_filled(answered_at=_millis(record.get("AcceptTime"))),
    )  # fmt: skip


_COMMON = ("Id", "IsDeleted", "CreatedDate", "SystemModstamp")
OBJECTS = (
    BornObject(
        "Task",
        (*_COMMON, "Subject", "Description", "WhoId", "WhatId", "OwnerId", "Status", "CallType",
         "CallDurationInSeconds", "CallDisposition", "CallObject", "CompletedDateTime"),
        read_call,
        "TaskSubtype = 'Call'",
        ("SystemModstamp", "TaskSubtype"),
    ),
    BornObject(
        "EmailMessage",
        (*_COMMON, "ParentId", "Subject", "TextBody", "FromName", "FromAddress", "ToAddress", "Incoming", "Status",
         "MessageDate", "MessageIdentifier"),
        read_mail,
    ),
    BornObject(
        "LiveChatTranscript",
        (*_COMMON, "CaseId", "ContactId", "Body", "RequestTime", "StartTime", "EndTime", "ChatDuration", "OwnerId",
         "ChatKey"),
        read_chat,
    ),
    BornObject(
        "MessagingSession",
        (*_COMMON, "CaseId", "EndUserContactId", "Origin", "ChannelType", "StartTime", "AcceptTime", "EndTime",
         "OwnerId"),
        read_session,
    ),
    BornObject("CaseComment", (*_COMMON, "ParentId", "CommentBody", "IsPublished", "CreatedById"), read_comment),
)  # fmt: skip
"""In the order they are read; objects and fields that the org does not have are left out."""


def _millis(text: object) -> int | None:
    return round(datetime.fromisoformat(text).timestamp() * 1000) if isinstance(text, str) and text else None


def _deleted(record: Record) -> int | None:
    return _millis(record["SystemModstamp"]) if record.get("IsDeleted") else None


def _seconds(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**31 else None


def _of(record_id: object, prefix: str) -> str | None:
    return record_id if isinstance(record_id, str) and record_id.startswith(prefix) else None


def _reference(value: object) -> str | None:
    return (value.strip().strip("<>") or None) if isinstance(value, str) else None


def _filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
