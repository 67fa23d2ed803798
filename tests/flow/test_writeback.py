"""Write-back end to end: from the store through the gate into an org, and back to the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest
from sqlalchemy import update

from connector.crm.port import Outcome, Record, RowResult
from connector.domain.events import from_millis
from connector.flows.pace import look_at_pace
from connector.flows.writeback import drain_once
from connector.store.crm_state import read_state, write_state
from connector.store.tables import outbox
from tests.conftest import FakeClock
from tests.flow.crm_desk import CASE, INTERACTION, PROFILE, CrmDesk, all_alike, case_id_of, said_id_of

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


def linked(crm: CrmDesk, handle: str = "ada") -> tuple[str, str]:
    """An account and the contact it is linked to, both in the org and up to date there."""
    contact, account = crm.person(), crm.account(handle)
    crm.sync()
    crm.yes(account, contact)
    crm.send()
    return account, contact


def breaker(crm: CrmDesk) -> tuple[str, str]:
    with crm.store.read() as connection:
        found = look_at_pace(connection, 0.2).breaker
    return found.why, found.message


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
    clock.move(days=365 * 3)
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


def test_a_locked_row_goes_again_alone(crm: CrmDesk) -> None:
    assert crm.org is not None
    for handle in ("ada", "ben", "cay"):
        crm.account(handle)
    crm.org.faults({"fault": "row_lock", "on": ["collections"], "count": 1})
    report = crm.send()
    assert (report.retried, report.dead) == (1, 0)
    assert crm.held() == crm.wanted()


def test_a_record_the_crm_will_never_take_waits_for_a_person_in_the_orgs_words(crm: CrmDesk) -> None:
    account = crm.account("ada")
    crm.change_case(case_id_of(account), channel="telepathy")
    report = crm.send()
    row = crm.row(CASE, case_id_of(account))
    assert report.dead == 1
    assert (row.state, row.error_code) == ("dead", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
    assert "telepathy" in row.error
    crm.change_case(case_id_of(account), channel="social")
    crm.send()
    assert crm.held() == crm.wanted()


@pytest.mark.parametrize("fault", ["unavailable", "rate_limited", "html", "lost_answer", "truncated", "short_list"])
def test_whatever_happens_to_a_call_the_org_ends_as_the_store_wants_it(crm: CrmDesk, fault: str) -> None:
    assert crm.org is not None
    for handle in ("ada", "ben", "cay"):
        crm.account(handle)
    crm.org.faults({"fault": fault, "on": ["collections"], "count": 4})
    crm.send()
    assert crm.held() == crm.wanted()
    assert len(crm.org.rows("SELECT Id FROM Case")) == 3


def test_a_token_that_dies_in_the_middle_is_renewed_unseen(crm: CrmDesk) -> None:
    assert crm.org is not None
    crm.account("ada")
    crm.org.faults({"fault": "expired_token", "on": ["collections"], "count": 1, "skip": 1})
    report = crm.send()
    assert (report.sent, report.retried) == (3, 0)
    assert crm.held() == crm.wanted()


def test_after_a_lost_answer_what_people_changed_since_is_not_set_back(crm: CrmDesk) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.org.faults({"fault": "lost_answer", "on": ["collections"], "count": 1, "skip": 1})
    crm.send(until_idle=False)
    drain_once(crm.ctx, flush=True)
    (made,) = crm.org.rows("SELECT Id FROM Case")
    assert crm.row(CASE, case_id_of(account)).crm_id is None
    crm.org.change("Case", made["Id"], Status="Waiting", Priority="High")
    crm.hurry()
    crm.send()
    assert crm.org.rows("SELECT Status, Priority FROM Case") == [{"Status": "Waiting", "Priority": "High"}]
    assert crm.row(CASE, case_id_of(account)).crm_id == made["Id"]


def test_after_a_whole_call_failed_nobody_calls_before_the_breaker_lets_one_try(crm: CrmDesk) -> None:
    assert crm.org is not None
    crm.account("ada")
    crm.org.faults({"fault": "unavailable", "on": ["collections"], "retry_after": 30})
    first = drain_once(crm.ctx, flush=True)
    calls = crm.org.stats()["calls"]
    second = drain_once(crm.ctx, flush=True)
    assert crm.org.stats()["calls"] == calls
    assert breaker(crm)[0] == "away"
    assert first.wait_until is not None
    assert second.wait_until is not None
    with crm.store.begin() as uow:
        now = from_millis(uow.database_now())
    assert now + timedelta(seconds=20) < first.wait_until


def test_the_daily_limit_stops_writing_and_counts_against_no_record(crm: CrmDesk) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.org.faults({"fault": "limit_exceeded", "on": ["collections"]})
    report = drain_once(crm.ctx, flush=True)
    assert report.wait_until is not None
    assert breaker(crm)[0] == "limited"
    row = crm.row(PROFILE, account)
    assert (row.state, row.attempts, row.error_code) == ("pending", 0, "crm_rate_limited")


def test_near_the_orgs_own_limit_writes_wait(crm: CrmDesk) -> None:
    assert crm.org is not None
    for handle in ("ada", "ben"):
        crm.account(handle)
    object.__setattr__(crm.org.server.org.config, "daily_limit", crm.org.stats()["calls"] + 1)
    drain_once(crm.ctx, flush=True)
    why, words = breaker(crm)
    assert why == "limited"
    assert "90 %" in words
    assert drain_once(crm.ctx, flush=True).is_idle


def test_an_org_that_takes_nothing_pauses_everything_with_its_own_words(crm: CrmDesk) -> None:
    account = crm.account("ada")
    bent = crm.bend()
    bent.before = all_alike("STORAGE_LIMIT_EXCEEDED", Outcome.HALT)
    drain_once(crm.ctx, flush=True)
    why, words = breaker(crm)
    assert why == "halted"
    assert "STORAGE_LIMIT_EXCEEDED" in words
    assert "in the org's words" in words
    assert crm.row(PROFILE, account).state == "pending"
    assert drain_once(crm.ctx, flush=True).is_idle
    bent.before = lambda _obj, _records: None
    crm.hurry()
    crm.send()
    assert crm.held() == crm.wanted()


def test_one_record_refused_for_access_among_others_is_that_records_matter(crm: CrmDesk) -> None:
    for handle in ("ada", "ben"):
        crm.account(handle)
    bent = crm.bend()

    def refuse_one(_obj: str, records: Sequence[Record]) -> list[RowResult]:
        bent.before = lambda _obj, _records: None
        good = [RowResult(Outcome.OK, crm_id="a00000000000001AAA") for _ in records[1:]]
        return [RowResult(Outcome.HALT, code="INSUFFICIENT_ACCESS_OR_READONLY", message="no access"), *good]

    bent.before = refuse_one
    report = drain_once(crm.ctx, flush=True)
    assert (report.sent, report.dead) == (1, 1)
    assert breaker(crm)[0] == ""


def test_a_record_that_breaks_every_call_ends_up_alone_and_the_others_pass(crm: CrmDesk) -> None:
    accounts = sorted(crm.account(f"customer{number}") for number in range(12))
    poison = accounts[5]
    bent = crm.bend()

    def fall_over(obj: str, records: Sequence[Record]) -> None:
        if obj == PROFILE and any(record["Profile_Key__c"] == poison for record in records):
            assert crm.org is not None
            crm.org.faults({"fault": "unavailable", "on": ["collections"], "count": 1})

    bent.before = fall_over
    innocent = [each for each in accounts if each != poison]
    for _ in range(300):
        drain_once(crm.ctx, flush=True)
        pass_time(crm)
        if all(crm.row(PROFILE, each).state == "sent" for each in innocent) and crm.row(PROFILE, poison).attempts:
            break
    assert {crm.row(PROFILE, each).state for each in innocent} == {"sent"}
    assert crm.row(PROFILE, poison).state == "pending"


def pass_time(crm: CrmDesk) -> None:
    """Lets the breaker's time pass, and that of the rows which went back uncounted."""
    with crm.store.begin() as uow:
        value = read_state(uow.connection, "writeback")
        value["breaker"]["open_until"] = 0
        value.pop("bucket", None)
        write_state(uow, "writeback", value)
        uncounted = update(outbox).where(outbox.c.state == "pending", outbox.c.attempts == 0)
        uow.connection.execute(uncounted.values(run_at=0))


def test_parents_go_before_children_even_when_a_parent_fails_first(crm: CrmDesk) -> None:
    crm.account("ada")
    bent = crm.bend()
    bent.before = lambda obj, records: (
        all_alike("UNABLE_TO_LOCK_ROW", Outcome.RETRY)(obj, records) if obj == CASE else None
    )
    drain_once(crm.ctx, flush=True)
    drain_once(crm.ctx, flush=True)
    crm.hurry()
    assert [obj for obj, _ in bent.written] == [PROFILE, CASE]
    bent.before = lambda _obj, _records: None
    crm.send()
    assert [obj for obj, _ in bent.written] == [PROFILE, CASE, CASE, INTERACTION]
    assert crm.held() == crm.wanted()


def test_a_contact_merged_in_the_crm_a_moment_ago_is_followed_when_the_write_is_refused(crm: CrmDesk) -> None:
    assert crm.org is not None
    contact, master, account = crm.person(), crm.person(LastName="Kept"), crm.account("ada")
    crm.sync()
    crm.yes(account, contact)
    crm.org.merge(master, contact)
    report = crm.send()
    assert report.dead == 0
    assert crm.contacts_in_org() == {master}
    assert crm.held() == crm.wanted()


def test_a_contact_deleted_in_the_crm_a_moment_ago_is_let_go(crm: CrmDesk) -> None:
    assert crm.org is not None
    contact, account = crm.person(), crm.account("ada")
    crm.sync()
    crm.yes(account, contact)
    crm.org.delete("Contact", contact)
    assert crm.send().dead == 0
    assert crm.contacts_in_org() == {None}
    assert crm.reason(account) == "hold"


def test_a_profile_that_somebody_deleted_in_the_crm_is_made_again(crm: CrmDesk) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.send()
    crm.org.delete(PROFILE, crm.row(PROFILE, account).crm_id)
    crm.case(account, 1)
    assert crm.send().dead == 0
    assert crm.record(CASE, case_id_of(account, 1))["Social_Profile__r"] == {"Profile_Key__c": account}


def test_a_case_that_somebody_deleted_in_the_crm_stays_deleted(crm: CrmDesk) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.send()
    crm.org.delete("Case", crm.row(CASE, case_id_of(account)).crm_id)
    crm.change_interaction(said_id_of(account), text="and another thing")
    assert crm.send().dead == 0
    crm.change_case(case_id_of(account), inbound_touches=3)
    crm.send()
    assert crm.org.rows("SELECT Id FROM Case WHERE IsDeleted = false") == []
    assert crm.record(INTERACTION, said_id_of(account))["Summary__c"] == "and another thing"


def test_a_part_filled_batch_waits_a_moment_for_more(crm: CrmDesk) -> None:
    crm.account("ada")
    waiting = drain_once(crm.ctx)
    assert waiting.is_idle
    assert waiting.wait_until is not None
    assert not drain_once(crm.ctx, flush=True).is_idle


def test_a_batch_of_records_is_one_call_an_object(crm: CrmDesk) -> None:
    for number in range(40):
        crm.account(f"customer{number}")
    report = crm.send()
    assert (report.sent, report.calls) == (120, 3)
