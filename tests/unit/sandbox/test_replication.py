"""What a client that keeps a copy follows: stamps, deletions, merges."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.conftest import Caller, MakeOrg

SPAN = "start=2026-02-02T00:00:00Z&end=2026-02-03T00:00:00Z"


def _covered(org: Caller, which: str) -> Any:
    return org.send("GET", f"/sobjects/Contact/{which}?{SPAN}").get_json()


def test_changed_and_deleted_records_are_listed_apart(org: Caller) -> None:
    kept, gone = (org.create("Contact", LastName=name) for name in "ab")
    org.send("DELETE", f"/sobjects/Contact/{gone}")
    assert _covered(org, "updated")["ids"] == [kept]
    deleted = _covered(org, "deleted")
    assert [one["id"] for one in deleted["deletedRecords"]] == [gone]
    assert deleted["deletedRecords"][0]["deletedDate"].startswith("2026-02-02T12:00:0")
    assert deleted["earliestDateAvailable"].startswith("2026-01-18T12:00:0")


def test_the_date_covered_is_now_and_never_the_future(org: Caller) -> None:
    org.create("Contact", LastName="a")
    stamp = org.column("SELECT SystemModstamp FROM Contact")[0]
    assert stamp <= _covered(org, "updated")["latestDateCovered"] < "2026-02-02T12:01"


def test_a_lag_stamps_writes_in_the_past_and_holds_the_covered_date_back(make_org: MakeOrg) -> None:
    org = make_org(stamp_lag_ms=60_000)
    for _ in range(20):
        org.create("Contact", LastName="a")
    stamps = org.column("SELECT SystemModstamp FROM Contact ORDER BY Id")
    assert stamps != sorted(stamps), "later calls carry earlier stamps"
    assert _covered(org, "updated")["latestDateCovered"] <= min(stamps)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "INVALID_FIELD"),
        ("start=soon&end=later", "INVALID_FIELD"),
        ("start=2026-02-02T00:00:00&end=2026-02-03T00:00:00", "INVALID_FIELD"),
        ("start=2026-02-02T00:00:00Z&end=2026-02-02T00:00:59Z", "INVALID_REPLICATION_DATE"),
        ("start=2025-12-01T00:00:00Z&end=2026-02-02T00:00:00Z", "INVALID_REPLICATION_DATE"),
    ],
)
def test_a_wrong_span_is_refused(org: Caller, query: str, code: str) -> None:
    answer = org.send("GET", f"/sobjects/Contact/updated?{query}")
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, code)


def test_an_unencoded_plus_of_the_offset_is_understood(org: Caller) -> None:
    answer = org.send("GET", "/sobjects/Contact/deleted?start=2026-02-01T00:00:00+00:00&end=2026-02-03T00:00:00+00:00")
    assert answer.status_code == 200


def _merged(org: Caller) -> tuple[str, str, str]:
    winner, loser = (org.create("Contact", LastName=name, Email=f"{name}@example.com") for name in ("win", "lose"))
    case_id = org.create("Case", ContactId=loser)
    org.clock.move(seconds=5)
    org.control("merge", {"master": winner, "losers": [loser]})
    return winner, loser, case_id


def test_a_merge_names_the_winner_and_moves_the_children(org: Caller) -> None:
    winner, loser, case_id = _merged(org)
    found = org.soql(
        "SELECT Id, MasterRecordId FROM Contact WHERE IsDeleted = true AND MasterRecordId != null", "/queryAll"
    )
    assert [(one["Id"], one["MasterRecordId"]) for one in found] == [(loser, winner)]
    case = org.soql("SELECT Id, ContactId, SystemModstamp, CreatedDate FROM Case")[0]
    assert (case["Id"], case["ContactId"]) == (case_id, winner)
    assert case["SystemModstamp"] > case["CreatedDate"]
    assert [one["id"] for one in _covered(org, "deleted")["deletedRecords"]] == [loser]


@pytest.mark.parametrize(
    ("master", "losers"),
    [("winner", []), ("winner", ["winner"]), ("winner", ["loser"]), ("loser", ["winner"]), ("winner", ["case"]),
     ("case_like", ["winner"]), ("nope", ["winner"]), ("winner", ["a", "b", "c"])],
)  # fmt: skip
def test_a_wrong_merge_is_refused(org: Caller, master: str, losers: list[str]) -> None:
    names = dict(zip(("winner", "loser", "case"), _merged(org), strict=True))
    names["case_like"] = org.create("CaseComment", ParentId=names["case"], CommentBody="a")
    body = {"master": names.get(master, master), "losers": [names.get(one, one) for one in losers]}
    answer = org.http.post("/sandbox/merge", json=body)
    assert answer.status_code == 400
    assert answer.get_json()[0]["errorCode"]


def test_a_deleted_parent_lets_go_of_its_lookups_and_takes_its_own_along(org: Caller) -> None:
    contact = org.create("Contact", LastName="a")
    case_id = org.create("Case", ContactId=contact, Connector_Key__c="c1")
    org.create("CaseComment", ParentId=case_id, CommentBody="a")
    org.upsert("Channel_Interaction__c", "Interaction_Key__c", {"Interaction_Key__c": "i", "Case__c": case_id})
    org.send("DELETE", f"/sobjects/Contact/{contact}")
    assert org.column("SELECT ContactId FROM Case") == [None]
    org.send("DELETE", f"/sobjects/Case/{case_id}")
    assert org.soql("SELECT Id FROM CaseComment") == []
    assert org.column("SELECT Case__c FROM Channel_Interaction__c") == [None]


def test_what_comes_back_gets_its_children_back(org: Caller) -> None:
    contact = org.create("Contact", LastName="a")
    case_id = org.create("Case", ContactId=contact)
    org.create("CaseComment", ParentId=case_id, CommentBody="a")
    for name, record_id in (("Case", case_id), ("Contact", contact)):
        org.send("DELETE", f"/sobjects/{name}/{record_id}")
    org.control("undelete", {"ids": [case_id, contact]})
    assert org.column("SELECT Id FROM Contact") == [contact]
    assert len(org.soql("SELECT Id FROM CaseComment")) == 1
    assert org.soql("SELECT Id FROM Case") != []


def test_what_is_not_in_the_bin_cannot_come_back(org: Caller) -> None:
    contact = org.create("Contact", LastName="a")
    for wrong in (contact, "nope"):
        assert org.http.post("/sandbox/undelete", json={"ids": [wrong]}).status_code == 400
