"""Write-back end to end: from the store through the gate into an org, and back to the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.crm.port import Record
from tests.conftest import FakeClock
from tests.flow.crm_desk import CASE, INTERACTION, PROFILE, CrmDesk, case_id_of, said_id_of

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


def linked(crm: CrmDesk, handle: str = "ada") -> tuple[str, str]:
    """An account and the contact it is linked to, both in the org and up to date there."""
    contact, account = crm.person(), crm.account(handle)
    crm.sync()
    crm.yes(account, contact)
    crm.send()
    return account, contact


def test_a_case_lands_in_the_org_with_its_profile_and_interaction_and_no_contact(crm: CrmDesk) -> None:
    account = crm.account("ada")
    report = crm.send()
    assert (report.sent, report.calls) == (3, 3)
    assert crm.held() == crm.wanted()
    case = crm.record(CASE, case_id_of(account))
    assert case["ContactId"] is None
    assert case["Social_Profile__r"] == {"Profile_Key__c": account}
    assert crm.record(INTERACTION, said_id_of(account))["Case__r"] == {"Connector_Key__c": case_id_of(account)}
    assert crm.record(PROFILE, account)["Link_Status__c"] == "Unlinked"


def test_nothing_is_sent_twice(crm: CrmDesk) -> None:
    account = crm.account("ada")
    crm.send()
    crm.change_profile(account)
    report = crm.send()
    assert (report.sent, report.unchanged, report.calls) == (0, 1, 0)


def test_a_yes_attaches_everything_and_a_withdrawal_detaches_past_and_future(crm: CrmDesk) -> None:
    account, contact = linked(crm)
    assert crm.contacts_in_org() == {contact}
    assert crm.record(PROFILE, account)["Link_Status__c"] == "Linked"
    assert crm.record(PROFILE, account)["Link_Method__c"] == "Agent Attested"
    assert crm.record(CASE, case_id_of(account))["Social_Link_Ref__c"]
    crm.undo(account)
    crm.case(account, 1)
    crm.send()
    assert crm.contacts_in_org() == {None}
    assert crm.record(PROFILE, account)["Link_Status__c"] == "Withdrawn"
    assert crm.record(CASE, case_id_of(account))["Social_Link_Ref__c"] is None
    assert crm.held() == crm.wanted()


def test_a_permit_lost_while_the_call_is_under_way_is_put_right_by_the_next(crm: CrmDesk) -> None:
    contact, account = crm.person(), crm.account("ada")
    crm.sync()
    crm.yes(account, contact)
    bent = crm.bend()

    def withdraw_meanwhile(obj: str, _records: Sequence[Record]) -> None:
        if obj == INTERACTION:
            bent.before = lambda _obj, _records: None
            crm.undo(account)

    bent.before = withdraw_meanwhile
    crm.send()
    named = [record.get("Contact__c") for obj, record in bent.written if obj == INTERACTION]
    assert named == [contact, None]
    assert crm.contacts_in_org() == {None}
    assert crm.held() == crm.wanted()


def test_the_gate_is_asked_when_sending_whatever_was_true_when_queued(crm: CrmDesk, clock: FakeClock) -> None:
    contact, account = crm.person(), crm.account("ada")
    crm.sync()
    crm.yes(account, contact)
    clock.move(days=730)
    crm.send()
    assert crm.contacts_in_org() == {None}


def test_status_priority_and_subject_are_sent_once_and_belong_to_the_crm_since(crm: CrmDesk) -> None:
    account = crm.account("ada")
    case = case_id_of(account)
    crm.change_case(case, subject="Parcel is late")
    crm.send()
    record = crm.row(CASE, case).crm_id
    assert crm.org is not None
    crm.org.change("Case", record, Status="Waiting", Priority="High", Subject="Lost parcel")
    crm.change_case(case, subject="Something else", inbound_touches=7)
    crm.send()
    (row,) = crm.org.rows(f"SELECT Status, Priority, Subject, Inbound_Touches__c FROM Case WHERE Id = '{record}'")
    assert row == {"Status": "Waiting", "Priority": "High", "Subject": "Lost parcel", "Inbound_Touches__c": 7}


def test_a_contact_goes_out_only_where_ours_changes_and_what_belongs_to_people_never_again(
    crm: CrmDesk, person: str
) -> None:
    bent = crm.bend()
    account = crm.account("ada")
    crm.sync()
    case = case_id_of(account)

    def sent_after(change: Callable[[], object]) -> dict[str, object]:
        bent.written.clear()
        change()
        crm.send()
        (record,) = [record for obj, record in bent.written if obj == CASE]
        return dict(record)

    first = sent_after(lambda: None)
    assert {"Status", "Priority", "Subject", "Origin"} < set(first)
    later = [
        sent_after(lambda: crm.yes(account, person)),
        sent_after(lambda: crm.change_case(case, inbound_touches=7)),
        sent_after(lambda: crm.undo(account)),
        sent_after(lambda: crm.change_case(case, inbound_touches=8)),
    ]
    omitted = "omitted"
    assert [each.get("ContactId", omitted) for each in (first, *later)] == [omitted, person, omitted, None, omitted]
    assert not {"Status", "Priority", "Subject", "Origin", "OwnerId"} & {name for each in later for name in each}


def test_a_reopening_is_told_once(crm: CrmDesk) -> None:
    account = crm.account("ada")
    case = case_id_of(account)
    crm.send()
    record = crm.row(CASE, case).crm_id
    assert crm.org is not None
    crm.org.change("Case", record, Status="Closed")
    crm.sync()
    assert crm.case_row(case).closed_at is not None
    crm.change_case(case, closed_at=None, reopen_count=1, status="New")
    crm.sync()
    assert crm.case_row(case).closed_at is None
    crm.send()
    assert crm.org.rows(f"SELECT Status FROM Case WHERE Id = '{record}'") == [{"Status": "New"}]
    crm.org.change("Case", record, Status="Working")
    crm.change_case(case, inbound_touches=9)
    crm.send()
    assert crm.org.rows(f"SELECT Status FROM Case WHERE Id = '{record}'") == [{"Status": "Working"}]


def test_a_contact_that_a_person_put_on_our_case_is_neither_fought_nor_taken_for_consent(crm: CrmDesk) -> None:
    account, contact = linked(crm)
    other = crm.person(LastName="Another")
    record = crm.row(CASE, case_id_of(account)).crm_id
    assert crm.org is not None
    crm.org.change("Case", record, ContactId=other)
    crm.sync()
    crm.change_case(case_id_of(account), inbound_touches=4)
    crm.send()
    assert crm.record(CASE, case_id_of(account))["ContactId"] == other
    crm.undo(account)
    crm.send()
    assert crm.record(CASE, case_id_of(account))["ContactId"] == other
    assert crm.record(INTERACTION, said_id_of(account))["Contact__c"] is None
    assert {link.contact_id for link in crm.links()} == {contact}


def test_a_contact_that_a_person_took_off_our_case_stays_off(crm: CrmDesk) -> None:
    account, _ = linked(crm)
    record = crm.row(CASE, case_id_of(account)).crm_id
    assert crm.org is not None
    crm.org.change("Case", record, ContactId=None)
    crm.sync()
    crm.change_case(case_id_of(account), inbound_touches=4)
    crm.send()
    assert crm.record(CASE, case_id_of(account))["ContactId"] is None


def test_words_are_cut_where_people_see_characters(crm: CrmDesk) -> None:
    account = crm.account("ada")
    crm.change_interaction(said_id_of(account), text=FAMILY * 60)
    crm.send()
    summary = crm.record(INTERACTION, said_id_of(account))["Summary__c"]
    assert summary == FAMILY * (254 // 8) + "…"


def test_a_deleted_message_leaves_no_words_behind(crm: CrmDesk) -> None:
    account = crm.account("ada")
    said = said_id_of(account)
    crm.change_interaction(said, text="my card number is", permalink="https://x.com/ada/1")
    crm.send()
    crm.change_interaction(said, state="deleted")
    crm.send()
    record = crm.record(INTERACTION, said)
    assert (record["State__c"], record["Summary__c"], record["Source_URL__c"]) == ("Deleted", None, None)


def test_an_address_that_is_none_or_too_long_is_left_out(crm: CrmDesk) -> None:
    account = crm.account("ada")
    for bad in ("javascript:alert(1)", "https://x.com/" + "a" * 300):
        crm.change_profile(account, profile_url=bad)
        crm.send()
        assert crm.record(PROFILE, account)["Profile_URL__c"] is None
