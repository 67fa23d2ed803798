"""Write-back when things go wrong: records refused, calls lost, an org that is away, full, or has lost a parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import update

from connector.crm.port import Outcome, Record, RowResult
from connector.domain.events import from_millis
from connector.errors import Conflict
from connector.flows import operate
from connector.flows.pace import look_at_pace
from connector.flows.writeback import DrainReport, drain_once
from connector.store.crm_state import read_state, write_state
from connector.store.outbox import queue
from connector.store.tables import outbox
from tests.flow.crm_desk import CASE, INTERACTION, PROFILE, Bent, CrmDesk, all_alike, case_id_of, said_id_of

FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f467"


def breaker(crm: CrmDesk) -> tuple[str, str]:
    with crm.store.read() as connection:
        found = look_at_pace(connection, 0.2).breaker
    return found.why, found.message


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


@pytest.mark.parametrize("how", ["deleted", "joined"])
def test_a_case_that_people_removed_before_its_lost_answer_was_made_up_for_is_not_made_again(
    crm: CrmDesk, how: str
) -> None:
    assert crm.org is not None
    case = case_id_of(crm.account("ada"))
    crm.org.faults({"fault": "lost_answer", "on": ["collections"], "count": 1, "skip": 1})
    crm.send(until_idle=False)
    drain_once(crm.ctx, flush=True)
    crm.org.faults()
    (made,) = crm.org.rows("SELECT Id FROM Case")
    if how == "deleted":
        crm.org.delete("Case", made["Id"])
    else:
        crm.org.merge(crm.org.create("Case", Origin="Phone"), made["Id"])
    crm.hurry()
    crm.send()
    assert crm.org.rows("SELECT Id FROM Case WHERE Connector_Key__c != null") == [made]
    assert crm.case_row(case).is_deleted
    assert {row["Case__c"] for row in crm.history()} == {None}, "what was said goes on without its case"
    crm.change_case(case, inbound_touches=9)
    crm.send()
    assert crm.row(CASE, case).state == "sent"
    assert crm.org.rows("SELECT Id FROM Case WHERE Connector_Key__c != null") == [made]


def send_unheard(crm: CrmDesk, bent: Bent) -> None:
    """Sends all that is due; the org takes the calls with cases, and their answers never come."""
    bent.lost = frozenset({CASE})
    for _ in range(4):
        drain_once(crm.ctx, flush=True)
        crm.hurry()
    bent.lost = frozenset()


def test_a_removal_whose_answer_was_lost_is_ours_when_it_is_read_back(crm: CrmDesk) -> None:
    contact, account = crm.person(), crm.account("ada")
    crm.sync()
    crm.yes(account, contact)
    crm.send()
    crm.change_case(case_id_of(account), inbound_touches=7)
    crm.undo(account)
    send_unheard(crm, crm.bend())
    assert crm.record(CASE, case_id_of(account))["ContactId"] is None
    crm.sync()
    crm.yes(account, contact)
    crm.send()
    assert crm.record(CASE, case_id_of(account))["ContactId"] == contact
    assert crm.held() == crm.wanted()


def test_of_several_contacts_in_calls_without_an_answer_each_is_ours(crm: CrmDesk) -> None:
    """The org took the first call and not the second: what it shows is still known to come from here."""
    first, second, account = crm.person(), crm.person(), crm.account("ada")
    case = case_id_of(account)
    crm.sync()
    crm.send()
    bent = crm.bend()
    crm.change_case(case)
    crm.yes(account, first)
    send_unheard(crm, bent)
    assert crm.record(CASE, case)["ContactId"] == first
    crm.undo(account)
    crm.yes(account, second)
    bent.before = lambda obj, _: [] if obj == CASE else None
    send_unheard(crm, bent)
    bent.before = lambda _obj, _records: None
    assert crm.record(CASE, case)["ContactId"] == first
    crm.undo(account)
    crm.sync()
    crm.send()
    assert crm.contacts_in_org() == {None}
    assert crm.held() == crm.wanted()


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


def test_near_the_orgs_own_limit_writes_wait(crm: CrmDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    assert crm.org is not None
    for handle in ("ada", "ben"):
        crm.account(handle)
    limited = replace(crm.org.server.org.config, daily_limit=crm.org.stats()["calls"] + 1)
    monkeypatch.setattr(crm.org.server.org.usage, "_config", limited)
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


def test_what_takes_a_contact_back_is_never_set_aside(crm: CrmDesk) -> None:
    contact, account = crm.person(), crm.account("ada")
    crm.sync()
    crm.yes(account, contact)
    crm.send()
    crm.undo(account)
    bent = crm.bend()
    bent.before = all_alike("STRING_TOO_LONG", Outcome.DEAD)
    crm.send()
    rows = [crm.row(obj, key).id for obj, key in crm.wanted()]
    assert never_taken_back(crm) == len(rows) == 3
    with pytest.raises(Conflict, match=r"takes back a contact whose consent has ended.*connector outbox retry"):
        operate.drop_outbox(crm.ctx, rows, "an operator")
    bent.before = lambda _obj, _records: None
    assert operate.retry_outbox(crm.ctx, rows, "an operator") == len(rows)
    crm.send()
    assert crm.contacts_in_org() == {None}
    assert never_taken_back(crm) == 0


def never_taken_back(crm: CrmDesk) -> int:
    with crm.store.read() as connection:
        return operate.never_taken_back(crm.ctx, connection)


def test_a_refused_record_that_names_whom_it_may_name_is_no_withdrawal(crm: CrmDesk) -> None:
    contact, account = crm.person(), crm.account("ada")
    crm.sync()
    crm.yes(account, contact)
    crm.send()
    for obj, key in crm.wanted():
        with crm.store.begin() as uow:
            queue(uow, obj, key)
    crm.change_profile(account, handle="ada_f")
    crm.bend().before = all_alike("STRING_TOO_LONG", Outcome.DEAD)
    crm.send()
    assert crm.row(PROFILE, account).state == "dead"
    assert never_taken_back(crm) == 0


def test_what_names_nobody_or_whom_it_may_name_can_be_set_aside(crm: CrmDesk) -> None:
    contact, account = crm.person(), crm.account("ada")
    crm.account("ben")
    crm.sync()
    crm.yes(account, contact)
    crm.send()
    for obj, key in crm.wanted():
        with crm.store.begin() as uow:
            queue(uow, obj, key)
    rows = [crm.row(obj, key).id for obj, key in crm.wanted()]
    assert operate.drop_outbox(crm.ctx, rows, "an operator") == len(rows)


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


def test_a_case_deleted_in_the_crm_a_moment_ago_is_not_made_again_by_a_change(crm: CrmDesk) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.send()
    crm.org.delete("Case", crm.row(CASE, case_id_of(account)).crm_id)
    crm.change_case(case_id_of(account), inbound_touches=3)
    assert crm.send().dead == 0
    assert crm.org.rows("SELECT Id FROM Case WHERE IsDeleted = false") == []
    assert crm.case_row(case_id_of(account)).is_deleted
    assert crm.row(CASE, case_id_of(account)).state == "sent"


def test_a_part_filled_batch_waits_a_moment_for_more(crm: CrmDesk) -> None:
    crm.account("ada")
    waiting = drain_once(crm.ctx)
    assert waiting.is_idle
    assert waiting.wait_until is not None
    assert not drain_once(crm.ctx, flush=True).is_idle


def test_what_waits_for_a_parent_that_the_crm_refuses_makes_nothing_else_hurry(crm: CrmDesk) -> None:
    crm.account("ada")
    with crm.store.begin() as uow:
        refused = update(outbox).where(outbox.c.object == PROFILE)
        uow.connection.execute(refused.values(state="dead"))
        uow.connection.execute(update(outbox).values(queued_at=0))
    assert drain_once(crm.ctx) == DrainReport()
    crm.account("ben")
    waiting = drain_once(crm.ctx)
    assert (waiting.is_idle, waiting.wait_until is not None) == (True, True)


def test_a_batch_of_records_is_one_call_an_object(crm: CrmDesk) -> None:
    for number in range(40):
        crm.account(f"customer{number}")
    report = crm.send()
    assert (report.sent, report.calls) == (120, 3)
