"""Reading in: what people did in the CRM reaches the store once, and what was born there reaches its history once."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from datetime import timedelta
from socket import gethostname

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from connector.domain.consent import HoldReason
from connector.domain.events import format_time
from connector.errors import CrmRateLimited, CrmUnavailable
from connector.flows import consent
from connector.flows.contact_index import rebuild_index
from connector.flows.sync import sync_once, sync_when_due
from connector.flows.sync.contacts import sync_contacts
from connector.flows.sync.turn import this_process
from connector.store.crm_state import read_state, write_state
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.tables import crm_contacts, crm_users
from tests.flow.consenting import PRIVACY
from tests.flow.crm_desk import CASE, INTERACTION, CrmDesk, case_id_of, only_the_list_knows
from tests.suggestion_base import everything

MORNING = "2026-01-31T09:30:00.000Z"


def test_contacts_come_with_their_account_and_can_be_suggested(crm: CrmDesk, person: str) -> None:
    crm.sync()
    row = crm.contact_row(person)
    assert (row.first_name, row.email, row.account_name) == ("Ada", "ada@example.com", "Riverbend")
    with crm.store.read() as connection:
        index = SqlSuggestionIndex(connection)
        (facts,) = index.contacts(index.references([person])).values()
    assert facts.contact_id == person


def test_suggestions_follow_changes_merges_and_deletions_as_if_built_anew(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    kept, joined, gone = (crm.person(LastName=name) for name in ("Kept", "Joined", "Gone"))
    account = crm.account("ada")
    rebuild_index(crm.ctx)  # the desk's own contacts were put down without an index
    crm.sync()
    crm.yes(account, person)
    crm.org.change("Contact", person, LastName="Thorvaldsen")
    crm.org.merge(kept, joined)
    crm.org.delete("Contact", gone)
    crm.sync()
    with crm.store.read() as connection:
        index = SqlSuggestionIndex(connection)
        followed = everything(index)
        known = {
            facts.contact_id: facts for facts in index.contacts(index.references([person, kept, joined, gone])).values()
        }
    assert known.keys() == {person, kept}
    assert (known[person].last_name, known[person].handles) == ("Thorvaldsen", ("ada",))
    rebuild_index(crm.ctx)
    with crm.store.read() as connection:
        assert everything(SqlSuggestionIndex(connection)) == followed


def test_near_the_orgs_limit_a_reading_rests_and_goes_on_where_it_was(
    crm: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crm.org is not None
    for _ in range(3):
        people = [{"attributes": {"type": "Contact"}, "LastName": f"P{number}"} for number in range(200)]
        crm.org.people.post(
            f"{crm.org.url}/services/data/v66.0/composite/sobjects", json={"records": people}, timeout=20
        )
    usage = crm.org.server.org.usage
    after_users = crm.org.stats()["calls"] + 2
    with monkeypatch.context() as patch:
        patch.setattr(usage, "_config", replace(crm.org.server.org.config, daily_limit=int(after_users / 0.9)))
        with pytest.raises(CrmRateLimited, match="reading rests above 90 %"):
            crm.sync()
    with crm.store.read() as connection:
        first = len(connection.execute(select(crm_contacts.c.crm_id)).all())
    crm.sync()
    with crm.store.read() as connection:
        assert (first, len(connection.execute(select(crm_contacts.c.crm_id)).all())) == (500 + 2, 600 + 2)


def test_a_second_reading_writes_nothing(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person, Subject="Invoice")
    crm.org.create("EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="Hello", MessageDate=MORNING)
    crm.account("ada")
    crm.sync()
    crm.send()
    crm.sync()
    before = crm.contents()
    with capture_logs() as lines:
        again = crm.sync()
    assert crm.contents() == before
    assert again.is_empty
    assert lines == [], "nothing to tell of"
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
    assert crm.contact_row(person).email == "ada.field@example.com"


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
    assert crm.contact_row(person).master_id == master
    assert {link.contact_id for link in crm.links() if link.state == "active"} == {master}
    assert crm.record(CASE, case_id_of(account))["ContactId"] == master
    assert crm.born(call).crm_contact_id == master
    assert {row["Contact__c"] for row in crm.history()} == {master}
    assert crm.held() == crm.wanted()


def test_what_was_born_in_the_crm_follows_a_merge_before_it_is_read_again(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    assert crm.ctx.crm is not None
    master = crm.person(LastName="Kept")
    case = crm.org.create("Case", Origin="Phone", ContactId=person)
    call = crm.org.create("Task", TaskSubtype="Call", WhoId=person, WhatId=case, Status="Completed", CallType="Inbound")
    crm.sync()
    crm.send()
    crm.org.merge(master, person)
    sync_contacts(crm.ctx, crm.ctx.crm)
    assert (crm.born(call).crm_contact_id, crm.mirrored(case).crm_contact_id) == (master, master)
    assert crm.row(INTERACTION, crm.born(call).id).state == "pending", "the history must be told of it"


def test_when_a_merge_is_taken_back_nobody_is_named_until_a_person_has_looked(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    master, account, other = crm.person(LastName="Kept"), crm.account("ada"), crm.account("ben")
    crm.sync()
    crm.yes(account, person)
    crm.org.merge(master, person)
    crm.sync()
    crm.yes(other, master)
    crm.send()
    with crm.org.server.org.db.transaction():
        crm.org.server.org.db.run(
            "UPDATE Contact SET IsDeleted = 0, MasterRecordId = NULL, SystemModstamp = ? WHERE Id = ?",
            (crm.org.server.org.stamp(), person),
        )
    crm.sync()
    crm.send()
    assert (crm.reason(account), crm.reason(other)) == ("hold", "allowed")
    assert crm.record(CASE, case_id_of(account))["ContactId"] is None
    assert crm.record(CASE, case_id_of(other))["ContactId"] == master
    [link] = [each for each in crm.links() if each.profile_id == account]
    consent.release(crm.ctx, link.id, HoldReason.SPLIT_REVIEW, PRIVACY)
    crm.send()
    assert crm.record(CASE, case_id_of(account))["ContactId"] == master


def test_a_merge_that_is_taken_back_before_anything_was_sent_leaves_no_name_behind(crm: CrmDesk, person: str) -> None:
    """The CRM itself moved what we had named one contact on to the other: that is nobody's choice there."""
    assert crm.org is not None
    master, account = crm.person(LastName="Kept"), crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.send()
    crm.org.merge(master, person)
    crm.sync()
    crm.org.control("undelete", {"ids": [person]})
    crm.sync()
    assert crm.contacts_in_org() == {master}, "else this shows nothing"
    crm.send()
    assert (crm.reason(account), crm.contacts_in_org()) == ("hold", {None})
    assert crm.held() == crm.wanted()


def test_a_merge_that_is_taken_back_between_two_readings_moves_no_name(crm: CrmDesk, person: str) -> None:
    """No reading saw it but by the master that the CRM still names; the customer agreed to one, not to the other."""
    assert crm.org is not None
    master, account = crm.person(LastName="Kept"), crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.send()
    crm.org.merge(master, person)
    crm.org.control("undelete", {"ids": [person]})
    assert crm.contacts_in_org() == {master}, "else this shows nothing"
    crm.sync()
    crm.send()
    assert crm.contacts_in_org() == {person}
    crm.undo(account)
    crm.send()
    assert crm.contacts_in_org() == {None}


def test_of_two_merges_in_a_row_the_second_may_be_taken_back_before_anything_was_sent(
    crm: CrmDesk, person: str
) -> None:
    """What we named one contact on, the CRM moved twice; of the first move nothing was sent when it made the second."""
    assert crm.org is not None
    second, third, account = crm.person(LastName="Kept"), crm.person(LastName="Third"), crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.send()
    for master, loser in ((second, person), (third, second)):
        crm.org.merge(master, loser)
        crm.sync()
    crm.org.control("undelete", {"ids": [second]})
    crm.sync()
    assert crm.contacts_in_org() == {third}, "else this shows nothing"
    crm.send()
    assert (crm.reason(account), crm.contacts_in_org()) == ("hold", {None})
    assert crm.held() == crm.wanted()


def test_what_is_merged_into_a_contact_that_was_taken_out_of_a_merge_stays_there(crm: CrmDesk, person: str) -> None:
    """The CRM may go on naming the former master of a contact that lives again; it is nobody's record but its own."""
    assert crm.org is not None
    former, third, account = crm.person(LastName="Former"), crm.person(LastName="Third"), crm.account("ada")
    crm.org.merge(former, person)
    crm.sync()
    crm.org.control("undelete", {"ids": [person]})
    crm.sync()
    assert crm.contact_row(person).master_id == former, "else this shows nothing"
    crm.yes(account, third)
    crm.org.merge(person, third)
    crm.sync()
    crm.send()
    assert {link.contact_id for link in crm.links() if link.state == "active"} == {person}
    assert crm.record(CASE, case_id_of(account))["ContactId"] == person


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


def test_a_contact_that_comes_back_after_the_customer_withdrew_is_taken_off_again(crm: CrmDesk, person: str) -> None:
    """Bringing it back restores what pointed to it, also on what was emptied meanwhile: nothing took its place."""
    assert crm.org is not None
    account = crm.account("ada")
    crm.sync()
    crm.yes(account, person)
    crm.send()
    crm.org.delete("Contact", person)
    crm.sync()
    crm.send()
    crm.undo(account)
    crm.send()
    crm.org.control("undelete", {"ids": [person]})
    assert crm.contacts_in_org() == {person}, "else this shows nothing"
    crm.sync()
    crm.send()
    assert (crm.reason(account), crm.contacts_in_org()) == ("withdrawn", {None})
    assert crm.held() == crm.wanted()


@pytest.mark.parametrize("said", ["nothing", "no"])
def test_a_contact_that_people_chose_comes_back_where_they_chose_it(crm: CrmDesk, person: str, said: str) -> None:
    assert crm.org is not None
    account = crm.account("ada")
    crm.sync()
    crm.send()
    crm.org.change("Case", crm.case_row(case_id_of(account)).crm_id, ContactId=person)
    if said == "no":
        crm.no(account, person)
    crm.sync()
    crm.org.delete("Contact", person)
    crm.sync()
    crm.send()
    crm.org.control("undelete", {"ids": [person]})
    crm.sync()
    crm.send()
    assert crm.record(CASE, case_id_of(account))["ContactId"] == person


def test_a_full_reading_notices_contacts_that_no_query_shows_any_more(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    crm.sync()
    with crm.org.server.org.db.transaction():
        crm.org.server.org.db.run("DELETE FROM Contact WHERE Id = ?", (person,))
    crm.sync()
    assert not crm.contact_row(person).is_deleted
    crm.sync(full=True)
    assert crm.contact_row(person).is_deleted


def test_a_record_that_is_committed_later_than_its_stamp_says_is_read(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    crm.sync()
    late, org = crm.person(LastName="Person late"), crm.org.server.org
    with org.db.transaction():
        org.db.run("UPDATE Contact SET SystemModstamp = SystemModstamp - 240000 WHERE Id = ?", (late,))
    crm.sync()
    assert contacts_called(crm, "Person") == {late}


def test_an_object_that_the_org_does_not_have_is_no_fault(crm: CrmDesk) -> None:
    assert crm.org is not None
    crm.bend().missing = "MessagingSession"
    assert crm.sync().interactions["MessagingSession"] == 0


@pytest.mark.parametrize(("hidden", "told"), [("Description", "Call"), ("TaskSubtype", None), ("", "Where is it?")])
def test_a_field_that_is_hidden_is_left_out_unless_nothing_can_be_told_without_it(
    crm: CrmDesk, person: str, hidden: str, told: str | None
) -> None:
    assert crm.org is not None
    call = crm.org.create("Task", TaskSubtype="Call", WhoId=person, Status="Completed", Subject="Call",
                          Description="Where is it?")  # fmt: skip
    crm.bend().hidden = hidden
    assert crm.sync().interactions["Task"] == (0 if told is None else 1)
    assert (crm.born(call) and crm.born(call).text) == told


def contacts_called(crm: CrmDesk, start: str) -> set[str]:
    """The ids of the stored contacts whose last name begins so."""
    statement = select(crm_contacts.c.crm_id).where(crm_contacts.c.last_name.like(f"{start}%"))
    with crm.store.read() as connection:
        return set(connection.execute(statement).scalars())


def test_a_reading_that_breaks_off_goes_on_where_it_was(crm: CrmDesk) -> None:
    assert crm.org is not None
    for number in range(3):
        crm.person(LastName=f"Person{number}")
    crm.org.faults({"fault": "unavailable", "on": ["query"], "skip": 2})
    with pytest.raises(Exception, match="busy or away"):
        crm.sync()
    crm.org.faults()
    crm.sync()
    assert len(contacts_called(crm, "Person")) == 3


@pytest.mark.parametrize("batch", [1, 3, 500])
def test_records_of_one_stamp_at_the_border_of_pages_are_all_read_though_every_page_breaks_once(
    crm: CrmDesk, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    assert crm.org is not None
    monkeypatch.setattr("connector.flows.sync.pull.BATCH", batch)
    org = crm.org.server.org
    monkeypatch.setattr(org, "config", replace(org.config, page_size=2))
    people = [crm.person(LastName=f"Person{number}") for number in range(7)]
    with org.db.transaction():
        org.db.run("UPDATE Contact SET SystemModstamp = (SELECT min(SystemModstamp) FROM Contact) - 3600000")
    for page in range(4):
        crm.org.faults({"fault": "unavailable", "on": ["query"], "skip": page})
        with pytest.raises(CrmUnavailable):
            sync_contacts(crm.ctx, crm.org.gateway)
    crm.org.faults()
    sync_contacts(crm.ctx, crm.org.gateway)
    assert contacts_called(crm, "Person") == set(people)


def test_an_answer_that_lacks_its_last_record_loses_no_contact(crm: CrmDesk) -> None:
    assert crm.org is not None
    people = [crm.person(LastName=f"Person{number}") for number in range(3)]
    crm.org.faults({"fault": "short_list", "on": ["query"]})
    with pytest.raises(CrmUnavailable, match="lacks records"):
        crm.sync()
    crm.org.faults()
    crm.sync()
    assert contacts_called(crm, "Person") == set(people)


def test_one_process_reads_at_a_time(crm: CrmDesk) -> None:
    with crm.store.begin() as uow:
        write_state(uow, "sync", {"until": uow.database_now() + 60_000})
    assert sync_once(crm.ctx).is_busy


def test_a_reading_that_was_killed_holds_nobody_up(crm: CrmDesk, person: str) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    here, elsewhere = f"{gethostname()} {dead.pid} life", f"another-machine {dead.pid} life"
    before_a_restart = f"{gethostname()} {os.getpid()} another life"
    busy = []
    for holder in (this_process(), elsewhere, here, before_a_restart):
        with crm.store.begin() as uow:
            write_state(uow, "sync", {"until": uow.database_now() + 60_000, "by": holder})
        busy.append(sync_once(crm.ctx).is_busy)
    assert busy == [True, True, False, False]


def test_many_processes_share_one_schedule_that_the_budget_allows(crm: CrmDesk) -> None:
    assert crm.org is not None
    first = sync_when_due(crm.ctx, 60)
    calls = crm.org.stats()["calls"]
    assert first == pytest.approx(14 * 86_400 / (0.1 * 100_000), rel=0.2)
    assert 0 < sync_when_due(crm.ctx, 60) <= first
    assert crm.org.stats()["calls"] == calls


def test_a_reading_that_rests_near_the_orgs_limit_asks_nothing_for_as_long_as_it_says(
    crm: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look a minute by every process would use up what is left for people and other apps."""
    assert crm.org is not None
    monkeypatch.setattr(crm.org.server.org.usage, "_config", replace(crm.org.server.org.config, daily_limit=1))
    monkeypatch.setattr(crm.org.server.org.usage, "exhausted", lambda _app: False)
    with pytest.raises(CrmRateLimited) as rests:
        sync_when_due(crm.ctx, 60)
    calls = crm.org.stats()["calls"]
    pause = sync_when_due(crm.ctx, 60)
    assert rests.value.retry_after is not None
    assert rests.value.retry_after - 60 < pause <= rests.value.retry_after
    assert crm.org.stats()["calls"] == calls


def test_records_that_only_the_list_of_deletions_knows_are_let_go(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    crm.sync()
    crm.org.delete("Case", case)
    crm.org.delete("Contact", person)
    for obj in ("Contact", "Case"):
        only_the_list_knows(crm, obj)
    crm.sync()
    assert crm.contact_row(person).is_deleted
    assert crm.mirrored(case).is_deleted


def test_words_that_only_the_list_of_deletions_knows_are_let_go(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    case = crm.org.create("Case", Origin="Email", ContactId=person)
    mail = crm.org.create("EmailMessage", ParentId=case, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING)
    note = crm.org.create("CaseComment", ParentId=case, CommentBody="Among us", IsPublished=False)
    crm.sync()
    crm.send()
    for obj, record_id in (("EmailMessage", mail), ("CaseComment", note)):
        crm.org.delete(obj, record_id)
        only_the_list_knows(crm, obj)
    crm.sync()
    crm.send()
    assert [(crm.born(each).state, crm.born(each).text) for each in (mail, note)] == [("deleted", None)] * 2
    assert [(row["State__c"], row["Summary__c"]) for row in crm.history()] == [("Deleted", None)]


def test_after_a_pause_longer_than_the_orgs_memory_everything_is_read(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    crm.sync()
    with crm.org.server.org.db.transaction():
        crm.org.server.org.db.run("DELETE FROM Contact WHERE Id = ?", (person,))
    with crm.store.begin() as uow:
        long_ago = format_time(crm.org.gateway.now() - timedelta(days=15))
        write_state(uow, "deletions:Contact", {"until": long_ago})
    crm.sync()
    assert crm.contact_row(person).is_deleted
    with crm.store.read() as connection:
        assert read_state(connection, "deletions:Contact")["until"] > long_ago


def test_progress_is_told_by_object(crm: CrmDesk, person: str) -> None:
    told: list[tuple[str, int]] = []
    sync_once(crm.ctx, on_progress=lambda obj, read: told.append((obj, read)))
    assert ("Contact", 1) in told
