"""Reading in cases and what was said in them: decisions come back, what was born there reaches its history once."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from connector.store.crm_state import write_state
from connector.store.tables import case_events, cases, interactions
from tests.flow.crm_desk import CASE, INTERACTION, CrmDesk, case_id_of, said_id_of

MORNING = "2026-01-31T09:30:00.000Z"


@pytest.mark.parametrize(
    ("origin", "channel"),
    [("Phone", "phone"), ("Email", "email"), ("Chat", "chat"), ("Web", "self_service"), ("Community", "community")],
)
def test_cases_born_in_the_crm_are_mirrored_under_their_channel(
    crm: CrmDesk, person: str, origin: str, channel: str
) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin=origin, ContactId=person, Subject="Hello", Status="New")
    crm.sync()
    row = crm.mirrored(case)
    assert (row.origin, row.channel, row.crm_contact_id, row.subject) == ("crm", channel, person, "Hello")
    assert "opened" in crm.events_of(row.id)


def test_cases_of_other_origins_are_left_alone(crm: CrmDesk) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Social", Subject="Not ours to read")
    assert crm.sync().skipped_cases == 1
    assert crm.mirrored(case) is None


def test_a_form_is_the_customers_first_message_and_reaches_the_history(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    crm.org.create("Case", Origin="Web", ContactId=person, Subject="Size", Description="Do you have size 44?")
    crm.sync()
    crm.send()
    (row,) = crm.history()
    assert (row["Channel__c"], row["Contact__c"], row["Summary__c"]) == ("self_service", person, "Do you have size 44?")


def test_a_mail_thread_counts_like_any_conversation(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = {"ParentId": case, "MessageDate": MORNING, "FromName": "Ada", "FromAddress": "ada@example.com"}
    crm.org.create("EmailMessage", **mail, Incoming=True, Status="0", TextBody="Where is it?")
    answer = mail | {"MessageDate": "2026-01-31T10:30:00.000Z", "FromName": "Support"}
    crm.org.create("EmailMessage", **answer, Incoming=False, Status="3", TextBody="On its way")
    crm.org.create("EmailMessage", **answer, Incoming=False, Status="5", TextBody="A draft")
    crm.sync()
    row = crm.mirrored(case)
    assert (row.inbound_touches, row.outbound_touches) == (1, 1)
    assert row.first_response_at - row.first_inbound_at == 3_600_000
    crm.send()
    assert [(each["Direction__c"], each["Summary__c"]) for each in crm.history()] == [
        ("inbound", "Where is it?"),
        ("outbound", "On its way"),
    ]
    assert {each["Case__c"] for each in crm.history()} == {case}


def test_what_was_born_in_the_crm_is_told_once_and_never_comes_back(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Phone", ContactId=person)
    crm.org.create("Task", TaskSubtype="Call", WhoId=person, WhatId=case, Status="Completed", CallType="Inbound",
                   CallDurationInSeconds=240, Subject="Call")  # fmt: skip
    for _ in range(3):
        crm.sync()
        crm.send()
    assert len(crm.history()) == 1
    with crm.store.read() as connection:
        assert len(connection.execute(select(interactions)).all()) == 1
    assert len(crm.org.rows("SELECT Id FROM Case")) == 1


def test_a_chat_tells_when_the_agent_joined(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Chat", ContactId=person)
    crm.org.create(
        "LiveChatTranscript", CaseId=case, ContactId=person, Status="Completed", Body="<p>Visitor: Hi &amp; hello</p>",
        RequestTime=MORNING, StartTime="2026-01-31T09:30:40.000Z", EndTime="2026-01-31T09:40:00.000Z",
    )  # fmt: skip
    crm.sync()
    row = crm.mirrored(case)
    assert row.first_response_at - row.first_inbound_at == 40_000
    crm.send()
    (shown,) = crm.history()
    assert (shown["Channel__c"], shown["Contact__c"]) == ("chat", person)


def test_a_messaging_session_counts_under_its_own_network(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    user = crm.org.create("MessagingEndUser", Name="Ada", MessageType="WhatsApp", ContactId=person)
    session = crm.org.create(
        "MessagingSession", MessagingEndUserId=user, EndUserContactId=person, ChannelType="WhatsApp", Status="Ended",
        Origin="InboundInitiated", StartTime=MORNING, EndTime="2026-01-31T09:35:00.000Z",
    )  # fmt: skip
    crm.sync()
    row = crm.born(session)
    assert (row.channel, row.network, row.duration_seconds) == ("messaging", "whatsapp", 300)
    assert row.crm_contact_id == person


def test_comments_are_an_agents_answer_or_a_note_among_colleagues(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Web", ContactId=person, Description="Help")
    answer = crm.org.create("CaseComment", ParentId=case, CommentBody="Done", IsPublished=True)
    note = crm.org.create("CaseComment", ParentId=case, CommentBody="Difficult one", IsPublished=False)
    crm.sync()
    assert (crm.born(answer).direction, crm.born(note).direction) == ("outbound", "internal")
    crm.send()
    assert [row["Summary__c"] for row in crm.history()] == ["Help", "Done"]


def test_a_mail_deleted_in_the_crm_leaves_no_words(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = crm.org.create("EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING)
    crm.sync()
    crm.send()
    crm.org.delete("EmailMessage", mail)
    crm.sync()
    crm.send()
    assert (crm.born(mail).state, crm.born(mail).text) == ("deleted", None)
    assert [(row["State__c"], row["Summary__c"]) for row in crm.history()] == [("Deleted", None)]


def test_when_the_case_gets_another_contact_its_mails_follow(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    other = crm.person(LastName="Right")
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    crm.org.create("EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING)
    crm.sync()
    crm.send()
    crm.org.change("Case", case, ContactId=other)
    crm.sync()
    crm.send()
    assert {row["Contact__c"] for row in crm.history()} == {other}


def test_what_was_said_in_a_case_goes_with_it_when_people_join_it_into_another(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    first, middle, last = (
        crm.org.create("Case", Origin=origin, ContactId=person, Description=f"{origin} form")
        for origin in ("Web", "Community", "Email")
    )
    mail = crm.org.create("EmailMessage", ParentId=first, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING)
    crm.sync()
    crm.send()
    for master, loser in ((middle, first), (last, middle)):
        crm.org.merge(master, loser)
        crm.sync()
        crm.send()
    assert [crm.mirrored(each).is_deleted for each in (first, middle, last)] == [True, True, False]
    kept = crm.mirrored(last)
    assert kept.inbound_touches == 3
    assert {crm.born(each).case_id for each in (first, middle, mail)} == {kept.id}
    assert {(row["State__c"], row["Case__c"]) for row in crm.history()} == {("Live", last)}
    assert {row["Summary__c"] for row in crm.history()} == {"Web form", "Community form", "x"}
    before = crm.contents()
    assert crm.sync().crm_cases == 0, "the three cases are young and so are read again"
    assert crm.contents() == before


def test_what_people_decide_about_our_case_comes_back(crm: CrmDesk) -> None:
    assert crm.org is not None
    case = case_id_of(crm.account("ada"))
    crm.send()
    crm.sync()
    (agent,) = crm.org.rows("SELECT Id FROM User WHERE Username = 'admin@sandbox.test'")
    crm.org.change("Case", crm.row(CASE, case).crm_id, Status="Closed", Priority="High", OwnerId=agent["Id"])
    crm.sync()
    row = crm.case_row(case)
    assert (row.status, row.priority, row.owner_crm_id) == ("Closed", "High", agent["Id"])
    assert row.closed_at is not None
    assert row.crm_number
    assert {"closed", "status_changed", "owner_changed"} <= set(crm.events_of(case))
    crm.org.change("Case", crm.row(CASE, case).crm_id, Status="Working")
    crm.sync()
    assert crm.case_row(case).closed_at is None
    assert crm.events_of(case).count("reopened") == 1


def test_the_subject_is_the_peoples_once_they_have_changed_it(crm: CrmDesk) -> None:
    assert crm.org is not None
    case = case_id_of(crm.account("ada"))
    crm.change_case(case, subject="Where is   my order? " + "x" * 300)
    crm.send()
    before = crm.case_row(case).subject
    crm.sync()
    assert crm.case_row(case).subject == before
    crm.org.change("Case", crm.row(CASE, case).crm_id, Subject="Order 4711 lost")
    crm.sync()
    assert crm.case_row(case).subject == "Order 4711 lost"
    crm.change_case(case, inbound_touches=9)
    crm.send()
    assert crm.org.rows("SELECT Subject FROM Case") == [{"Subject": "Order 4711 lost"}]


def test_a_case_without_a_subject_stays_without_one(crm: CrmDesk) -> None:
    case = case_id_of(crm.account("ada"))
    crm.change_case(case, subject=None)
    crm.send()
    crm.sync()
    assert crm.case_row(case).subject is None


def test_a_contact_on_our_own_case_is_not_the_crms_word(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.send()
    record = crm.row(CASE, case_id_of(account)).crm_id
    call = crm.org.create("Task", TaskSubtype="Call", WhoId=person, WhatId=record, Status="Completed")
    crm.sync()
    crm.send()
    assert crm.born(call).crm_contact_id is None
    assert crm.contacts_in_org() == {person}
    crm.undo(account)
    crm.send()
    assert crm.contacts_in_org() == {None}


def test_a_call_that_named_somebody_names_nobody_once_its_case_is_joined_into_ours(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    theirs = crm.org.create("Case", Origin="Phone", ContactId=person)
    call = crm.org.create("Task", TaskSubtype="Call", WhoId=person, WhatId=theirs, Status="Completed")
    crm.sync()
    crm.send()
    key = crm.born(call).id
    assert crm.record(INTERACTION, key)["Contact__c"] == person
    crm.org.merge(crm.row(CASE, case_id_of(account)).crm_id, theirs)
    crm.sync()
    crm.send()
    assert crm.born(call).case_id == case_id_of(account)
    assert crm.record(INTERACTION, key)["Contact__c"] is None
    crm.yes(account, person)
    crm.send()
    crm.undo(account)
    crm.send()
    assert crm.contacts_in_org() == {None}


def test_the_same_mail_told_by_webhook_and_crm_is_one_interaction(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    said = said_id_of(crm.account("ada", "email"))
    mail_facts = {"kind": "email", "direction": "inbound", "channel": "email", "source": "postmark"}
    crm.change_interaction(said, reference="abc@mail.example", **mail_facts)
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = crm.org.create(
        "EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING,
        MessageIdentifier="<abc@mail.example>",
    )  # fmt: skip
    crm.sync()
    assert crm.born(mail) is None
    with crm.store.read() as connection:
        row = connection.execute(select(interactions).where(interactions.c.id == said)).one()
    assert (row.origin, row.crm_object, row.crm_id) == ("connector", "EmailMessage", mail)
    crm.send()
    assert len(crm.history()) == 1
    assert crm.sync().interactions["EmailMessage"] == 0


def test_the_same_call_told_by_webhook_and_crm_is_one_interaction(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    said = said_id_of(crm.account("ada", "phone"))
    sid = "CA" + "7" * 32
    crm.change_interaction(said, reference=sid, kind="call", channel="phone", source="twilio")
    case = crm.org.create("Case", Origin="Phone", ContactId=person)
    call = crm.org.create(
        "Task", TaskSubtype="Call", WhoId=person, WhatId=case, Status="Completed", CallType="Inbound", CallObject=sid
    )
    crm.sync()
    assert crm.born(call) is None
    with crm.store.read() as connection:
        row = connection.execute(select(interactions).where(interactions.c.id == said)).one()
    assert (row.origin, row.crm_object, row.crm_id) == ("connector", "Task", call)
    crm.send()
    assert len(crm.history()) == 1
    assert crm.sync().interactions["Task"] == 0


def test_a_likely_twin_without_a_common_reference_is_flagged_on_both_sides(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    said = said_id_of(crm.account("ada", "email"))
    crm.change_interaction(
        said, kind="email", channel="email", direction="inbound", author_role="customer", source="postmark",
        customer_id="ada@example.com", occurred_at=1_769_851_810_000,
    )  # fmt: skip
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = crm.org.create(
        "EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING,
        FromAddress="Ada@example.com",
    )  # fmt: skip
    crm.sync()
    assert crm.born(mail).possible_duplicate
    crm.send()
    flags = crm.org.rows("SELECT Possible_Duplicate__c FROM Channel_Interaction__c")
    assert flags == [{"Possible_Duplicate__c": True}] * 2


def test_a_mail_whose_case_was_made_after_the_cases_were_read_is_not_lost(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    crm.sync()
    with crm.store.begin() as uow:
        uow.connection.execute(case_events.delete())
        uow.connection.execute(cases.delete().where(cases.c.crm_id == case))
    crm.org.create("EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING)
    with crm.store.begin() as uow:
        write_state(uow, "watermark:Case", {"since": "2099-01-01T00:00:00.000Z"})
    crm.sync()
    assert crm.mirrored(case).inbound_touches == 1
