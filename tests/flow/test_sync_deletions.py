"""After a pause longer than the org's memory of deletions: what it no longer has is noticed, and leaves no words."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from connector.errors import CrmUnavailable
from connector.flows.sync import sync_once
from connector.store.crm_state import read_state
from tests.flow.crm_desk import CASE, CrmDesk, case_id_of, delete_for_good, look_long_ago, only_the_list_knows

MORNING = "2026-01-31T09:30:00.000Z"
BORN: dict[str, dict[str, object]] = {
    "Task": {"TaskSubtype": "Call", "Status": "Completed", "Description": "words"},
    "EmailMessage": {"Incoming": True, "Status": "0", "TextBody": "words", "MessageDate": MORNING},
    "LiveChatTranscript": {"Status": "Completed", "Body": "words", "RequestTime": MORNING},
    "CaseComment": {"CommentBody": "words", "IsPublished": True},
}
CASE_OF = {"Task": "WhatId", "EmailMessage": "ParentId", "LiveChatTranscript": "CaseId", "CaseComment": "ParentId"}
OBJECTS = ("Case", "Task", "EmailMessage", "LiveChatTranscript", "MessagingSession", "CaseComment")


def pause(crm: CrmDesk, obj: str) -> None:
    look_long_ago(crm, obj, days=15)


def told_in(crm: CrmDesk, obj: str, case: str, person: str) -> str:
    """Something said in this case as a record of this object; its id."""
    assert crm.org is not None
    if obj == "MessagingSession":
        user = crm.org.create("MessagingEndUser", Name="Ada", MessageType="WhatsApp", ContactId=person)
        return crm.org.create(obj, MessagingEndUserId=user, CaseId=case, Status="Ended", StartTime=MORNING)
    return crm.org.create(obj, **BORN[obj], **{CASE_OF[obj]: case})


@pytest.mark.parametrize("obj", OBJECTS[1:])
def test_what_was_said_in_records_that_the_org_no_longer_has_is_forgotten(
    crm: CrmDesk, person: str, obj: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crm.org is not None
    monkeypatch.setattr("connector.flows.sync.pull.ASKED", 2)
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    gone, *kept = [told_in(crm, obj, case, person) for _ in range(4)]
    crm.sync()
    crm.send()
    assert {crm.born(each).state for each in (gone, *kept)} == {"live"}
    delete_for_good(crm, obj, gone)
    assert crm.sync().interactions[obj] == 0, "nothing in the org tells of it any more"
    pause(crm, obj)
    assert crm.sync().interactions[obj] == 1
    crm.send()
    assert (crm.born(gone).state, crm.born(gone).text, crm.born(gone).extra) == ("deleted", None, "{}")
    assert [crm.born(each).state for each in kept] == ["live"] * 3
    assert sorted(row["State__c"] for row in crm.history()) == ["Deleted", "Live", "Live", "Live"]
    with crm.store.read() as connection:
        assert read_state(connection, f"deletions:{obj}")["until"] > "2026-02"


def test_a_case_that_the_org_no_longer_has_takes_its_opening_message_along(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    gone, kept = (crm.org.create("Case", Origin="Web", ContactId=person, Description=each) for each in ("x", "y"))
    crm.sync()
    crm.send()
    delete_for_good(crm, "Case", gone)
    crm.sync()
    assert not crm.mirrored(gone).is_deleted
    pause(crm, "Case")
    assert crm.sync().crm_cases == 1
    crm.send()
    assert [crm.mirrored(each).is_deleted for each in (gone, kept)] == [True, False]
    assert [(crm.born(each).state, crm.born(each).text) for each in (gone, kept)] == [("deleted", None), ("live", "y")]
    assert sorted((row["State__c"], row["Summary__c"] or "") for row in crm.history()) == [
        ("Deleted", ""),
        ("Live", "y"),
    ]


def test_a_case_of_ours_that_the_org_no_longer_has_is_left_alone_from_then_on(crm: CrmDesk) -> None:
    assert crm.org is not None
    case = case_id_of(crm.account("ada"))
    crm.send()
    crm.sync()
    delete_for_good(crm, "Case", crm.row(CASE, case).crm_id)
    pause(crm, "Case")
    assert crm.sync().our_cases == 1
    assert crm.case_row(case).is_deleted
    assert crm.events_of(case).count("deleted_in_crm") == 1
    crm.change_case(case, inbound_touches=9)
    crm.send()
    assert crm.org.rows("SELECT Id FROM Case") == []


def test_the_list_of_deletions_takes_an_opening_message_along_too(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Web", ContactId=person, Description="words")
    crm.sync()
    crm.org.delete("Case", case)
    only_the_list_knows(crm, "Case")
    crm.sync()
    assert (crm.mirrored(case).is_deleted, crm.born(case).state, crm.born(case).text) == (True, "deleted", None)


@pytest.mark.parametrize("full", [False, True])
def test_a_record_that_came_back_is_not_lost_by_the_question_for_it(crm: CrmDesk, person: str, full: bool) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Web", ContactId=person, Description="words")
    crm.sync()
    crm.org.delete("Case", case)
    crm.sync()
    crm.org.control("undelete", {"ids": [case]})
    pause(crm, "Case")
    crm.sync(full=full)
    assert (crm.mirrored(case).is_deleted, crm.born(case).state, crm.born(case).text) == (False, "live", "words")


def test_a_full_reading_asks_for_everything_known(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = told_in(crm, "EmailMessage", case, person)
    crm.sync()
    delete_for_good(crm, "EmailMessage", mail)
    crm.sync(full=True)
    assert crm.born(mail).state == "deleted"


def test_only_a_pause_longer_than_the_orgs_memory_asks_for_known_records_and_says_so(crm: CrmDesk) -> None:
    assert crm.org is not None
    crm.org.create("Case", Origin="Web", Description="words")
    crm.sync()
    for days, told in ((13, set()), (15, set(OBJECTS)), (0, set())):
        for obj in OBJECTS:
            if days:
                look_long_ago(crm, obj, days=days)
        with capture_logs() as logs:
            crm.sync()
        assert {each["object"] for each in logs if each["event"] == "deletions_forgotten"} == told
        asked = {each["object"]: each["asked"] for each in logs if each["event"] == "asked_for_known_records"}
        assert asked == {obj: int(obj == "Case") for obj in told}


def test_questions_that_break_off_are_asked_again(crm: CrmDesk, person: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crm.org is not None
    monkeypatch.setattr("connector.flows.sync.pull.ASKED", 1)
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mails = [told_in(crm, "EmailMessage", case, person) for _ in range(3)]
    crm.sync()
    delete_for_good(crm, "EmailMessage", *mails)
    pause(crm, "EmailMessage")
    crm.org.faults({"fault": "unavailable", "on": ["query"], "skip": 5})
    with pytest.raises(CrmUnavailable):
        sync_once(crm.ctx)
    some = [crm.born(each).state for each in mails]
    assert "live" in some, "the fault must come before the last question"
    crm.org.faults()
    crm.sync()
    assert [crm.born(each).state for each in mails] == ["deleted"] * 3
