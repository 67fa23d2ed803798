"""Cases that people joined into others: what was said in them is found at the one they ended in, once, however read."""

from __future__ import annotations

import pytest

from connector.errors import CrmUnavailable
from tests.flow.crm_desk import INTERACTION, CrmDesk, case_id_of, delete_for_good, only_the_list_knows

MORNING = "2026-01-31T09:30:00.000Z"
WORDS = "Do you have size 44?"


@pytest.fixture(params=[1, 2, 500])
def batch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many records a transaction of the reading takes."""
    monkeypatch.setattr("connector.flows.sync.pull.BATCH", request.param)
    return int(request.param)


def form(crm: CrmDesk, words: str = WORDS, **values: str) -> str:
    """A case that a form made; its id."""
    assert crm.org is not None
    return crm.org.create("Case", **({"Origin": "Web", "Description": words} | values))


def said(crm: CrmDesk, words: str = WORDS) -> list[tuple[str, str]]:
    """Where the org's cross-channel history shows these words, and in which state."""
    return [(row["Case__c"], row["State__c"]) for row in crm.history() if row["Summary__c"] == words]


def read_and_send(crm: CrmDesk) -> None:
    crm.sync()
    crm.send()


@pytest.mark.usefixtures("batch")
def test_the_opening_message_reaches_a_case_that_only_a_later_batch_brings(crm: CrmDesk) -> None:
    assert crm.org is not None
    loser, between, master = form(crm), form(crm, "Between"), form(crm, "Kept")
    crm.org.merge(master, loser)
    crm.org.change("Case", between, Subject="Read before the master")
    crm.org.change("Case", master, Subject="Read last")
    read_and_send(crm)
    assert (crm.born(loser).case_id, crm.born(loser).text) == (crm.mirrored(master).id, WORDS)
    assert said(crm) == [(master, "Live")]
    assert [crm.mirrored(each).inbound_touches for each in (loser, between, master)] == [0, 1, 2]
    crm.sync(full=True)
    before = crm.contents()
    crm.sync(full=True)
    assert crm.contents() == before
    assert said(crm) == [(master, "Live")]


@pytest.mark.usefixtures("batch")
def test_a_chain_of_cases_is_followed_to_its_end(crm: CrmDesk) -> None:
    assert crm.org is not None
    first, second, third, last = (form(crm, words) for words in ("1", "2", "3", "4"))
    for master, loser in ((second, first), (third, second), (last, third)):
        crm.org.merge(master, loser)
    crm.org.change("Case", last, Subject="Read last")
    read_and_send(crm)
    assert {crm.born(each).case_id for each in (first, second, third, last)} == {crm.mirrored(last).id}
    assert [said(crm, words) for words in ("1", "2", "3", "4")] == [[(last, "Live")]] * 4
    assert crm.mirrored(last).inbound_touches == 4


@pytest.mark.usefixtures("batch")
def test_what_is_joined_late_into_a_case_that_was_joined_itself_is_not_left_behind(crm: CrmDesk) -> None:
    assert crm.org is not None
    middle, last = form(crm, "Middle"), form(crm, "Last")
    crm.org.merge(last, middle)
    crm.sync()
    loser = form(crm)
    crm.org.merge(last, loser)
    with crm.org.server.org.db.transaction():
        statement = 'UPDATE "Case" SET MasterRecordId = ? WHERE Id = ?'
        crm.org.server.org.db.run(statement, (middle, loser))
    read_and_send(crm)
    assert said(crm) == [(last, "Live")]


@pytest.mark.usefixtures("batch")
def test_a_known_case_that_is_joined_into_a_new_one_takes_its_mails_along(crm: CrmDesk, person: str) -> None:
    assert crm.org is not None
    loser = form(crm, ContactId=person)
    mail = crm.org.create("EmailMessage", ParentId=loser, Incoming=True, Status="0", TextBody="x", MessageDate=MORNING)
    read_and_send(crm)
    master = form(crm, "Kept")
    crm.org.merge(master, loser)
    crm.org.change("Case", master, Subject="Read last")
    read_and_send(crm)
    assert {crm.born(each).case_id for each in (loser, mail, master)} == {crm.mirrored(master).id}
    assert crm.mirrored(master).inbound_touches == 3
    assert said(crm) == [(master, "Live")]


def test_a_reading_that_breaks_off_between_the_two_loses_and_doubles_nothing(
    crm: CrmDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert crm.org is not None
    monkeypatch.setattr("connector.flows.sync.pull.BATCH", 1)
    loser, master = form(crm), form(crm, "Kept")
    crm.org.merge(master, loser)
    crm.org.change("Case", master, Subject="Read last")
    for skipped in range(2, 8):
        crm.org.faults({"fault": "unavailable", "on": ["query"], "skip": skipped})
        try:
            crm.sync()
        except CrmUnavailable:
            assert crm.born(loser) is None or crm.born(loser).state == "live"
    crm.org.faults()
    read_and_send(crm)
    assert said(crm) == [(master, "Live")]
    assert crm.mirrored(master).inbound_touches == 2


@pytest.mark.usefixtures("batch")
def test_a_case_joined_into_one_of_ours_is_told_there(crm: CrmDesk) -> None:
    assert crm.org is not None
    ours = case_id_of(crm.account("ada"))
    crm.send()
    loser = form(crm)
    crm.org.merge(crm.case_row(ours).crm_id, loser)
    read_and_send(crm)
    assert (crm.born(loser).case_id, crm.born(loser).text) == (ours, WORDS)
    assert said(crm) == [(crm.case_row(ours).crm_id, "Live")]


def test_the_list_of_deletions_does_not_hide_that_a_case_was_joined(crm: CrmDesk) -> None:
    assert crm.org is not None
    loser = form(crm)
    crm.sync()
    master = form(crm, "Kept")
    crm.org.merge(master, loser)
    only_the_list_knows(crm, "Case")
    read_and_send(crm)
    assert said(crm) == [(master, "Live")]


@pytest.mark.usefixtures("batch")
@pytest.mark.parametrize("known", [False, True])
def test_what_was_joined_into_a_case_goes_with_it(crm: CrmDesk, known: bool) -> None:
    assert crm.org is not None
    loser, master = form(crm), form(crm, "Kept")
    if known:
        read_and_send(crm)
        key = crm.born(loser).id
    crm.org.merge(master, loser)
    if known:
        read_and_send(crm)
    crm.org.delete("Case", master)
    read_and_send(crm)
    if known:
        assert [(crm.born(each).state, crm.born(each).text) for each in (loser, master)] == [("deleted", None)] * 2
        assert (crm.record(INTERACTION, key)["State__c"], crm.record(INTERACTION, key)["Summary__c"]) == (
            "Deleted",
            None,
        )
    else:
        assert (crm.born(loser), crm.born(master)) == (None, None)
    assert said(crm) == []


def test_a_case_joined_into_one_that_nobody_reads_says_nothing_here(crm: CrmDesk) -> None:
    assert crm.org is not None
    loser, master, gone = form(crm), form(crm, Origin="Social"), form(crm, "Gone")
    crm.org.merge(master, loser)
    other = form(crm, "Joined into what is no more")
    crm.org.merge(gone, other)
    delete_for_good(crm, "Case", gone)
    read_and_send(crm)
    assert crm.history() == []
    assert [crm.mirrored(each).is_deleted for each in (loser, other)] == [True, True]
