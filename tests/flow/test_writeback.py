"""Write-back end to end: from the store through the gate into an org, and back to the store."""

from __future__ import annotations

from tests.flow.crm_desk import CASE, INTERACTION, PROFILE, CrmDesk, case_id_of, said_id_of


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
    contact = crm.person()
    account = crm.account("ada")
    crm.sync()
    crm.send()
    crm.yes(account, contact)
    crm.send()
    shown = {key: record.get("ContactId", record.get("Contact__c")) for key, record in crm.held().items()}
    assert set(shown.values()) == {contact}
    assert crm.record(PROFILE, account)["Link_Status__c"] == "Linked"
    assert crm.record(PROFILE, account)["Link_Method__c"] == "Agent Attested"
    crm.undo(account)
    crm.case(account, 1)
    crm.send()
    assert {record.get("ContactId", record.get("Contact__c")) for record in crm.held().values()} == {None}
    assert crm.record(PROFILE, account)["Link_Status__c"] == "Withdrawn"
    assert crm.held() == crm.wanted()
