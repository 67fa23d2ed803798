"""Records that were born in the CRM, in the connector's words."""

from __future__ import annotations

from typing import Any

import pytest

from connector.domain.channels import AuthorRole, Channel, Direction
from connector.mapping.crm_born import OBJECTS, read_call, read_chat, read_comment, read_mail, read_session

AT, MILLIS = "2026-01-31T09:30:00.000+0000", 1_769_851_800_000
BASE = {"Id": "00T000000000001AAA", "CreatedDate": AT, "SystemModstamp": AT, "IsDeleted": False}
CONTACT, CASE, LEAD = "003000000000001AAA", "500000000000001AAA", "00Q000000000001AAA"


def record(**values: Any) -> dict[str, Any]:
    return BASE | values


@pytest.mark.parametrize(
    ("call_type", "direction", "role"),
    [
        ("Inbound", Direction.INBOUND, AuthorRole.CUSTOMER),
        ("Outbound", Direction.OUTBOUND, AuthorRole.AGENT),
        ("Internal", Direction.INTERNAL, AuthorRole.AGENT),
        (None, Direction.OUTBOUND, AuthorRole.AGENT),
    ],
)
def test_a_call_tells_who_called(call_type: str | None, direction: Direction, role: AuthorRole) -> None:
    born = read_call(record(Status="Completed", CallType=call_type, WhoId=CONTACT, WhatId=CASE))
    assert born is not None
    assert (born.direction, born.author_role, born.channel) == (direction, role, Channel.PHONE)
    assert (born.contact_crm_id, born.case_crm_id, born.occurred_at) == (CONTACT, CASE, MILLIS)


def test_a_call_of_a_lead_names_somebody_but_no_contact() -> None:
    born = read_call(record(Status="Completed", WhoId=LEAD, WhatId="001000000000001AAA"))
    assert born is not None
    assert (born.contact_crm_id, born.names_contact, born.case_crm_id) == (None, True, None)


def test_a_call_keeps_its_reference_without_brackets_and_a_duration_that_is_one() -> None:
    born = read_call(record(Status="Completed", CallObject=" <CA123> ", CallDurationInSeconds=-4))
    assert born is not None
    assert (born.reference, born.duration_seconds) == ("CA123", None)


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (read_call, {"Status": "Not Started"}),
        (read_call, {"Status": "Completed", "CreatedDate": None}),
        (read_mail, {"Status": "5", "ParentId": CASE, "MessageDate": AT}),
        (read_mail, {"Status": "0", "ParentId": None, "MessageDate": AT}),
        (read_chat, {"RequestTime": None, "StartTime": None}),
        (read_session, {"StartTime": None}),
    ],
)
def test_what_is_no_conversation_is_left_out(read: Any, values: dict[str, Any]) -> None:
    assert read(record(**values)) is None


def test_a_mail_names_the_customers_address_on_either_side() -> None:
    sides = {"FromAddress": "Ada@Example.com", "ToAddress": "help@brand.example; x@y.example"}
    incoming = read_mail(record(ParentId=CASE, Incoming=True, Status="0", MessageDate=AT, **sides))
    outgoing = read_mail(record(ParentId=CASE, Incoming=False, Status="3", MessageDate=AT, **sides))
    assert incoming is not None
    assert outgoing is not None
    assert (incoming.customer_id, outgoing.customer_id) == ("ada@example.com", "help@brand.example")


def test_a_chat_is_told_as_people_read_it() -> None:
    body = "<p align='center'>Chat Started</p>( 4s ) Ada: Hi<br>( 9s ) Ben: Hello<script>alert(1)</script>"
    born = read_chat(record(RequestTime=AT, Body=body, ContactId=CONTACT))
    assert born is not None
    assert born.text == "Chat Started\n( 4s ) Ada: Hi\n( 9s ) Ben: Hello"


@pytest.mark.parametrize(
    ("kind", "channel", "network"),
    [
        ("WhatsApp", Channel.MESSAGING, "whatsapp"),
        ("Text", Channel.SMS, "sms"),
        ("EmbeddedMessaging", Channel.CHAT, "chat"),
        ("Something new", Channel.CHAT, "chat"),
    ],
)
def test_a_session_counts_under_its_network(kind: str, channel: Channel, network: str) -> None:
    born = read_session(record(StartTime=AT, ChannelType=kind, Origin="InboundInitiated"))
    assert born is not None
    assert (born.channel, born.network, born.direction) == (channel, network, Direction.INBOUND)


def test_a_note_among_colleagues_is_internal_and_stays_out_of_the_history() -> None:
    born = read_comment(record(ParentId=CASE, CommentBody="hm", IsPublished=False))
    assert born is not None
    assert (born.direction, born.is_written) == (Direction.INTERNAL, False)


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda each: each.name)
def test_every_object_is_read_with_what_reading_on_needs(obj: Any) -> None:
    assert {"Id", "IsDeleted", "SystemModstamp"} <= set(obj.fields)
    assert len(obj.fields) == len(set(obj.fields))


def test_a_chat_is_told_as_the_words_of_its_transcript() -> None:
    body = "<p align='center'>Chat Started</p>Visitor: Fish &amp; chips<br>Agent: twice?<br/>Visitor: &lt;3"
    born = read_chat(record(RequestTime=AT, Body=body))
    assert born is not None
    assert born.text == "Chat Started\nVisitor: Fish & chips\nAgent: twice?\nVisitor: <3"
