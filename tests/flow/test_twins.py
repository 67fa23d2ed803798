"""The same call or mail told by a webhook and by the CRM: one interaction, whoever told it first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import event

from connector.domain.channels import Kind, Visibility
from connector.domain.events import to_millis
from connector.flows.ingest import ingest_once
from connector.store.inbox import GroupCommit, NewDelivery
from connector.store.tables import interactions
from connector.store.unit_of_work import Store
from tests.flow.crm_desk import CrmDesk
from tests.flow.ingesting import Fixture, apply, at, fixtures, make_context, rows, said

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


def email_to_case(crm: CrmDesk, person: str, message_id: str, customer: str | None, *, incoming: bool = True) -> str:
    """The mail as Email-to-Case recorded it, read in; its record id."""
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    values: dict[str, Any] = {"Status": "0", "MessageDate": "2026-03-02T08:00:00.000Z", "TextBody": "x"}
    values |= {"Incoming": incoming, "FromAddress" if incoming else "ToAddress": customer}
    mail = crm.org.create("EmailMessage", **values, ParentId=case, MessageIdentifier=message_id)
    crm.sync()
    return mail


def told(crm: CrmDesk, tellers: tuple[Callable[[], object], ...]) -> list[dict[str, Any]]:
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


@pytest.mark.parametrize("order", list(permutations(range(2))), ids=["webhook first", "CRM first"])
@pytest.mark.parametrize(("sender", "incoming"), [("somebody.else@mail.example", True), (None, False)])
def test_mails_of_one_message_id_by_two_senders_or_in_two_directions_are_two(
    crm: CrmDesk, person: str, sender: str | None, incoming: bool, order: tuple[int, ...]
) -> None:
    [event] = MAIL.expected["events"]
    name, customer = event["extra"]["message_id"], sender or event["customer_id"]
    tellers = (lambda: webhook(crm, MAIL), lambda: email_to_case(crm, person, name, customer, incoming=incoming))
    both = told(crm, tuple(tellers[each] for each in order))
    assert {each["origin"]: each["crm_object"] for each in both} == {"connector": None, "crm": "EmailMessage"}
    assert {each["customer_id"].casefold() for each in both} == {customer.casefold(), event["customer_id"].casefold()}
    assert len(crm.history()) == 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_mail_finds_its_twin_also_where_somebody_else_wrote_its_message_id(
    crm: CrmDesk, person: str, order: tuple[int, ...]
) -> None:
    [event] = MAIL.expected["events"]
    name, sender = event["extra"]["message_id"], event["customer_id"]
    mails: dict[str, str] = {}
    tellers = (
        lambda: webhook(crm, MAIL),
        lambda: mails.update(true=email_to_case(crm, person, name, sender)),
        lambda: mails.update(false=email_to_case(crm, person, name, "somebody.else@mail.example")),
    )
    kept = told(crm, tuple(tellers[each] for each in order))
    assert {each["customer_id"].casefold(): each["crm_id"] for each in kept} == {
        sender.casefold(): mails["true"], "somebody.else@mail.example": mails["false"],
    }  # fmt: skip
    assert len(kept) == 2


def test_likely_twins_of_a_batch_are_looked_for_in_one_statement(any_store: Store) -> None:
    """A mail or call each would cost a look of its own; only those of the same customer and minute are marked."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "possible_duplicate" in statement and "customer_id IS" not in statement and "BETWEEN" in statement:
            asked.append(statement)

    base = {
        "origin": "crm", "network": "phone", "channel": "phone", "kind": "call", "direction": "inbound",
        "author_role": "customer", "received_at": 1, "crm_object": "Task",
    }  # fmt: skip
    with any_store.begin() as uow:
        born = [
            {"id": f"b{n}", "item_id": f"00T{n}", "crm_id": f"00T{n}", "customer_id": f"+4477009001{n:02d}"}
            | {"occurred_at": to_millis(at(n))}
            for n in range(6)
        ]
        uow.connection.execute(interactions.insert(), [base | each for each in born])
    calls = [
        said(
            f"CA{n}", n if n != 3 else n + 30, None, by=f"+4477009001{n:02d}", kind=Kind.CALL, network="phone",
            visibility=Visibility.PRIVATE, thread_id=None,
        )
        for n in range(8)
    ]  # fmt: skip
    event.listen(any_store.engine, "before_cursor_execute", note)
    apply(any_store, *calls)
    event.remove(any_store.engine, "before_cursor_execute", note)
    flagged = {each["item_id"] for each in rows(any_store, interactions) if each["possible_duplicate"]}
    assert flagged == {f"{kind}{n}" for n in (0, 1, 2, 4, 5) for kind in ("00T", "CA")}
    assert len(asked) == 1
