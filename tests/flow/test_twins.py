"""The same call or mail told by a webhook and by the CRM: one interaction, whoever told it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from connector.flows.ingest import ingest_once
from connector.store.inbox import GroupCommit, NewDelivery
from connector.store.tables import interactions
from tests.flow.crm_desk import CrmDesk
from tests.flow.ingesting import Fixture, fixtures, make_context, rows

BODIES = {(each.source, each.name): each for each in fixtures()}
CALL = BODIES["twilio_voice", "completed__new_inbound"]
CALL_SID = "CA0000000000000000000000000000aa01"
MAIL = BODIES["postmark", "inbound__new"]


def webhook(crm: CrmDesk, body: Fixture) -> None:
    """The body as its sender posts it, worked on."""
    ctx = replace(crm.ctx, sources=make_context(crm.store, crm.ctx.clock).sources)
    commit = GroupCommit(crm.store)
    commit.accept(NewDelivery(body.source, body.name, 1, body.body, body.content_type, body.headers))
    commit.close()
    assert ingest_once(ctx).events == 1


def task(crm: CrmDesk, person: str, sid: str) -> None:
    """The call as the CRM's telephony recorded it, read in."""
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Phone", ContactId=person)
    values: dict[str, Any] = {"TaskSubtype": "Call", "CallType": "Inbound", "Status": "Completed"}
    crm.org.create("Task", **values, Subject="Where is it?", WhatId=case, WhoId=person, CallObject=sid)
    crm.sync()


def email_to_case(crm: CrmDesk, person: str, message_id: str, sender: str) -> None:
    """The mail as Email-to-Case recorded it, read in."""
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    values: dict[str, Any] = {"Incoming": True, "Status": "0", "MessageDate": "2026-03-02T08:00:00.000Z"}
    crm.org.create(
        "EmailMessage", **values, ParentId=case, TextBody="x", MessageIdentifier=message_id, FromAddress=sender
    )
    crm.sync()


def told(crm: CrmDesk, tellers: tuple[Callable[[], None], ...]) -> list[dict[str, Any]]:
    """The interactions after everybody told, with the history in the org brought up to them."""
    for tell in tellers:
        tell()
    crm.send()
    crm.sync()
    crm.send()
    return rows(crm.store, interactions)


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=["webhook first", "CRM first"])
def test_the_same_call_by_its_sid(crm: CrmDesk, person: str, order: tuple[int, ...]) -> None:
    tellers = (lambda: webhook(crm, CALL), lambda: task(crm, person, CALL_SID))
    [call] = told(crm, tuple(tellers[each] for each in order))
    assert (call["reference"], call["crm_object"], call["duration_seconds"]) == (CALL_SID, "Task", 125)
    assert len(crm.history()) == 1


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=["webhook first", "CRM first"])
def test_calls_of_two_sids_are_two(crm: CrmDesk, person: str, order: tuple[int, ...]) -> None:
    tellers = (lambda: webhook(crm, CALL), lambda: task(crm, person, "CA0000000000000000000000000000ff99"))
    assert len(told(crm, tuple(tellers[each] for each in order))) == 2
    assert len(crm.history()) == 2


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=["webhook first", "CRM first"])
def test_the_same_mail_by_its_message_id(crm: CrmDesk, person: str, order: tuple[int, ...]) -> None:
    [event] = MAIL.expected["events"]
    name, sender = event["extra"]["message_id"], event["customer_id"]
    tellers = (lambda: webhook(crm, MAIL), lambda: email_to_case(crm, person, f"<{name.strip('<>')}>", sender))
    [mail] = told(crm, tuple(tellers[each] for each in order))
    assert (mail["reference"], mail["crm_object"]) == (name.strip("<>"), "EmailMessage")
    assert len(crm.history()) == 1
