"""Reading in: what people did in the CRM reaches the store once, and what was born there reaches its history once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from connector.domain.events import format_time
from connector.domain.keys import derive_id
from connector.flows.sync import sync_once, sync_when_due
from connector.store.crm_state import write_state
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.tables import case_events, cases, crm_contacts, crm_users, interactions
from tests.flow.consenting import NAMESPACE
from tests.flow.crm_desk import CASE, CrmDesk, case_id_of, said_id_of

MORNING = "2026-01-31T09:30:00.000Z"


def born(crm: CrmDesk, record_id: str) -> Any:
    """The interaction that a record of the CRM became."""
    with crm.store.read() as connection:
        key = derive_id(NAMESPACE, "crm", record_id)
        return connection.execute(select(interactions).where(interactions.c.id == key)).one_or_none()


def mirrored(crm: CrmDesk, case_id: str) -> Any:
    with crm.store.read() as connection:
        return connection.execute(select(cases).where(cases.c.crm_id == case_id)).one_or_none()


def contact_row(crm: CrmDesk, contact_id: str) -> Any:
    with crm.store.read() as connection:
        return connection.execute(select(crm_contacts).where(crm_contacts.c.crm_id == contact_id)).one()


def events_of(crm: CrmDesk, case_id: str) -> list[str]:
    with crm.store.read() as connection:
        statement = select(case_events.c.type).where(case_events.c.case_id == case_id).order_by(case_events.c.id)
        return list(connection.execute(statement).scalars())


def history(crm: CrmDesk) -> list[dict[str, Any]]:
    """What the cross-channel history in the org shows."""
    assert crm.org is not None
    fields = (
        "Channel__c, Direction__c, Contact__c, Case__c, Summary__c, Source_System__c, Source_Record_Id__c, State__c"
    )
    return crm.org.rows(f"SELECT {fields} FROM Channel_Interaction__c WHERE IsDeleted = false ORDER BY Occurred_At__c")


@pytest.fixture
def person(crm: CrmDesk) -> str:
    """A contact with an account, as people keep them."""
    assert crm.org is not None
    account = crm.org.create("Account", Name="Riverbend")
    return crm.person(
        FirstName="Ada", LastName="Field", Email="ada@example.com", Phone="+1 415 555 2671", AccountId=account
    )


def test_contacts_come_with_their_account_and_can_be_suggested(crm: CrmDesk, person: str) -> None:
    crm.sync()
    row = contact_row(crm, person)
    assert (row.first_name, row.email, row.account_name) == ("Ada", "ada@example.com", "Riverbend")
    with crm.store.read() as connection:
        index = SqlSuggestionIndex(connection)
        (facts,) = index.contacts(index.references([person])).values()
    assert facts.contact_id == person


def test_a_second_reading_writes_nothing(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person, Subject="Invoice")
    crm.org.create("EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="Hello", MessageDate=MORNING)
    crm.account("ada")
    crm.sync()
    crm.send()
    crm.sync()
    before = crm.contents()
    again = crm.sync()
    assert crm.contents() == before
    assert (again.contacts, again.users, again.our_cases, again.crm_cases) == (0, 0, 0, 0)
    assert set(again.interactions.values()) == {0}
    assert crm.send().sent == 0


@pytest.mark.parametrize("full", [False, True])
def test_a_change_is_read_and_nothing_else(crm: CrmDesk, person: str, full: bool) -> None:
    assert crm.org is not None
    crm.person(LastName="Other")
    crm.sync(full=True)
    crm.org.change("Contact", person, Email="ada.field@example.com")
    assert crm.sync(full=full).contacts == 1
    assert contact_row(crm, person).email == "ada.field@example.com"


def test_people_of_the_crm_are_known_by_name(crm: CrmDesk) -> None:
    crm.sync()
    with crm.store.read() as connection:
        names = set(connection.execute(select(crm_users.c.name)).scalars())
    assert "Org Admin" in names


def test_a_merge_takes_links_and_history_along(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    master, account = crm.person(LastName="Kept"), crm.account("ada")
    case = crm.org.create("Case", Origin="Phone", ContactId=person)
    call = crm.org.create("Task", TaskSubtype="Call", WhoId=person, WhatId=case, Status="Completed", CallType="Inbound")
    crm.sync()
    crm.yes(account, person)
    crm.send()
    crm.org.merge(master, person)
    crm.sync()
    crm.send()
    assert contact_row(crm, person).master_id == master
    assert {link.contact_id for link in crm.links() if link.state == "active"} == {master}
    assert crm.record(CASE, case_id_of(account))["ContactId"] == master
    assert born(crm, call).crm_contact_id == master
    assert {row["Contact__c"] for row in history(crm)} == {master}
    assert crm.held() == crm.wanted()


def test_a_chain_of_merges_is_followed_to_its_end(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    middle, last, account = crm.person(LastName="Middle"), crm.person(LastName="Last"), crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.org.merge(middle, person)
    crm.org.merge(last, middle)
    crm.sync()
    assert {link.contact_id for link in crm.links() if link.state == "active"} == {last}


def test_merges_that_go_in_a_circle_let_the_link_rest(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    other, account = crm.person(LastName="Other"), crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.org.merge(other, person)
    with crm.org.server.org.db.transaction():
        crm.org.server.org.db.run(
            "UPDATE Contact SET IsDeleted = 1, MasterRecordId = ?, SystemModstamp = ? WHERE Id = ?",
            (person, crm.org.server.org.stamp(), other),
        )
    crm.sync()
    crm.send()
    assert crm.reason(account) == "hold"
    assert crm.contacts_in_org() == {None}


def test_a_deleted_contact_takes_its_name_off_and_comes_back_with_it(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.send()
    crm.org.delete("Contact", person)
    crm.sync()
    crm.send()
    assert crm.contacts_in_org() == {None}
    assert crm.reason(account) == "hold"
    crm.org.control("undelete", {"ids": [person]})
    crm.sync()
    crm.send()
    assert crm.reason(account) == "allowed"
    assert crm.contacts_in_org() == {person}


def test_a_full_reading_notices_contacts_that_no_query_shows_any_more(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    crm.sync()
    with crm.org.server.org.db.transaction():
        crm.org.server.org.db.run("DELETE FROM Contact WHERE Id = ?", (person,))
    crm.sync()
    assert not contact_row(crm, person).is_deleted
    crm.sync(full=True)
    assert contact_row(crm, person).is_deleted


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
    row = mirrored(crm, case)
    assert (row.origin, row.channel, row.crm_contact_id, row.subject) == ("crm", channel, person, "Hello")
    assert "opened" in events_of(crm, row.id)


def test_cases_of_other_origins_are_left_alone(crm: CrmDesk) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Social", Subject="Not ours to read")
    assert crm.sync().skipped_cases == 1
    assert mirrored(crm, case) is None


def test_a_form_is_the_customers_first_message_and_reaches_the_history(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    crm.org.create("Case", Origin="Web", ContactId=person, Subject="Size", Description="Do you have size 44?")
    crm.sync()
    crm.send()
    (row,) = history(crm)
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
    row = mirrored(crm, case)
    assert (row.inbound_touches, row.outbound_touches) == (1, 1)
    assert row.first_response_at - row.first_inbound_at == 3_600_000
    crm.send()
    assert [(each["Direction__c"], each["Summary__c"]) for each in history(crm)] == [
        ("inbound", "Where is it?"),
        ("outbound", "On its way"),
    ]
    assert {each["Case__c"] for each in history(crm)} == {case}


def test_what_was_born_in_the_crm_is_told_once_and_never_comes_back(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Phone", ContactId=person)
    crm.org.create("Task", TaskSubtype="Call", WhoId=person, WhatId=case, Status="Completed", CallType="Inbound",
                   CallDurationInSeconds=240, Subject="Call")  # fmt: skip
    for _ in range(3):
        crm.sync()
        crm.send()
    assert len(history(crm)) == 1
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
    row = mirrored(crm, case)
    assert row.first_response_at - row.first_inbound_at == 40_000
    crm.send()
    (shown,) = history(crm)
    assert (shown["Channel__c"], shown["Contact__c"]) == ("chat", person)


def test_a_messaging_session_counts_under_its_own_network(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    user = crm.org.create("MessagingEndUser", Name="Ada", MessageType="WhatsApp", ContactId=person)
    session = crm.org.create(
        "MessagingSession", MessagingEndUserId=user, EndUserContactId=person, ChannelType="WhatsApp", Status="Ended",
        Origin="InboundInitiated", StartTime=MORNING, EndTime="2026-01-31T09:35:00.000Z",
    )  # fmt: skip
    crm.sync()
    row = born(crm, session)
    assert (row.channel, row.network, row.duration_seconds) == ("messaging", "whatsapp", 300)
    assert row.crm_contact_id == person


def test_comments_are_an_agents_answer_or_a_note_among_colleagues(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Web", ContactId=person, Description="Help")
    answer = crm.org.create("CaseComment", ParentId=case, CommentBody="Done", IsPublished=True)
    note = crm.org.create("CaseComment", ParentId=case, CommentBody="Difficult one", IsPublished=False)
    crm.sync()
    assert (born(crm, answer).direction, born(crm, note).direction) == ("outbound", "internal")
    crm.send()
    assert [row["Summary__c"] for row in history(crm)] == ["Help", "Done"]


def test_a_mail_deleted_in_the_crm_leaves_no_words(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = crm.org.create("EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING)
    crm.sync()
    crm.send()
    crm.org.delete("EmailMessage", mail)
    crm.sync()
    crm.send()
    assert (born(crm, mail).state, born(crm, mail).text) == ("deleted", None)
    assert [(row["State__c"], row["Summary__c"]) for row in history(crm)] == [("Deleted", None)]


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
    assert {row["Contact__c"] for row in history(crm)} == {other}


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
    assert {"closed", "status_changed", "owner_changed"} <= set(events_of(crm, case))
    crm.org.change("Case", crm.row(CASE, case).crm_id, Status="Working")
    crm.sync()
    assert crm.case_row(case).closed_at is None
    assert events_of(crm, case).count("reopened") == 1


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
    assert born(crm, call).crm_contact_id is None
    assert crm.contacts_in_org() == {person}
    crm.undo(account)
    crm.send()
    assert crm.contacts_in_org() == {None}


def test_the_same_mail_told_by_webhook_and_crm_is_one_interaction(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    said = said_id_of(crm.account("ada", "email"))
    crm.change_interaction(said, reference="abc@mail.example", kind="email", channel="email", source="postmark")
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = crm.org.create(
        "EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING,
        MessageIdentifier="<abc@mail.example>",
    )  # fmt: skip
    crm.sync()
    assert born(crm, mail) is None
    with crm.store.read() as connection:
        row = connection.execute(select(interactions).where(interactions.c.id == said)).one()
    assert (row.origin, row.crm_object, row.crm_id) == ("connector", "EmailMessage", mail)
    crm.send()
    assert len(history(crm)) == 1
    assert crm.sync().interactions["EmailMessage"] == 0


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
    assert born(crm, mail).possible_duplicate
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
    assert mirrored(crm, case).inbound_touches == 1


def test_an_object_that_the_org_does_not_have_is_no_fault(crm: CrmDesk) -> None:
    assert crm.org is not None
    crm.bend().missing = "MessagingSession"
    assert crm.sync().interactions["MessagingSession"] == 0


def test_a_reading_that_breaks_off_goes_on_where_it_was(crm: CrmDesk) -> None:
    assert crm.org is not None
    for number in range(3):
        crm.person(LastName=f"Person{number}")
    crm.org.faults({"fault": "unavailable", "on": ["query"], "skip": 2})
    with pytest.raises(Exception, match="busy or away"):
        crm.sync()
    crm.org.faults()
    crm.sync()
    with crm.store.read() as connection:
        assert len(connection.execute(select(crm_contacts).where(crm_contacts.c.last_name.like("Person%"))).all()) == 3


def test_one_process_reads_at_a_time(crm: CrmDesk) -> None:
    with crm.store.begin() as uow:
        write_state(uow, "sync", {"until": uow.database_now() + 60_000})
    assert sync_once(crm.ctx).is_busy


def test_many_processes_share_one_schedule_that_the_budget_allows(crm: CrmDesk) -> None:
    assert crm.org is not None
    first = sync_when_due(crm.ctx, 60)
    calls = crm.org.stats()["calls"]
    assert first == pytest.approx(14 * 86_400 / (0.1 * 100_000), rel=0.2)
    assert 0 < sync_when_due(crm.ctx, 60) <= first
    assert crm.org.stats()["calls"] == calls


def test_records_that_only_the_list_of_deletions_knows_are_let_go(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    crm.sync()
    crm.org.delete("Case", case)
    crm.org.delete("Contact", person)
    with crm.store.begin() as uow:
        early = format_time(crm.org.gateway.now() - timedelta(hours=1))
        for obj in ("Contact", "Case"):
            write_state(uow, f"watermark:{obj}", {"since": "2099-01-01T00:00:00.000Z"})
            write_state(uow, f"deletions:{obj}", {"until": early})
    real, bent = crm.org.gateway.now, crm.bend()
    bent.now = lambda: real() + timedelta(minutes=2)  # the list goes by whole minutes
    crm.sync()
    assert contact_row(crm, person).is_deleted
    assert mirrored(crm, case).is_deleted


def test_progress_is_told_by_object(crm: CrmDesk, person: str) -> None:
    told: list[tuple[str, int]] = []
    sync_once(crm.ctx, on_progress=lambda obj, read: told.append((obj, read)))
    assert ("Contact", 1) in told
