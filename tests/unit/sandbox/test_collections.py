"""Collections: up to 200 records a call, each with its own result, in the order sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.conftest import Caller

KEY = "Interaction_Key__c"
NAME = "Channel_Interaction__c"


def _codes(results: list[dict[str, Any]]) -> list[str | None]:
    return [result["errors"][0]["statusCode"] if result["errors"] else None for result in results]


def test_an_upsert_of_200_creates_and_the_next_changes_the_same(org: Caller) -> None:
    rows = [{KEY: f"k{number}", "Summary__c": "first"} for number in range(200)]
    first = org.upsert(NAME, KEY, *rows)
    second = org.upsert(NAME, KEY, *[row | {"Summary__c": "second"} for row in reversed(rows)])
    assert {result["created"] for result in first} == {True}
    assert {result["created"] for result in second} == {False}
    assert [result["id"] for result in second] == [result["id"] for result in reversed(first)]
    assert org.soql(f"SELECT Summary__c, COUNT(Id) n FROM {NAME} GROUP BY Summary__c")[0]["n"] == 200


def test_one_bad_record_leaves_the_others(org: Caller) -> None:
    results = org.upsert(
        NAME, KEY,
        {KEY: "a"}, {KEY: "b", "Direction__c": "sideways"}, {"Summary__c": "no key"},
        {KEY: "d", "Summary__c": "x" * 256}, {KEY: "e"},
    )  # fmt: skip
    assert _codes(results) == [
        None, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "MISSING_ARGUMENT", "STRING_TOO_LONG", None,
    ]  # fmt: skip
    assert org.column(f"SELECT {KEY} FROM {NAME} ORDER BY {KEY}") == ["a", "e"]


def test_all_or_none_writes_none_and_marks_the_good_ones(org: Caller) -> None:
    results = org.upsert(NAME, KEY, {KEY: "a"}, {KEY: "b", "Direction__c": "sideways"}, all_or_none=True)
    assert _codes(results) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"]
    assert org.soql(f"SELECT Id FROM {NAME}") == []


def test_a_key_that_stands_twice_in_one_call_refuses_both(org: Caller) -> None:
    results = org.upsert(NAME, KEY, {KEY: "a"}, {KEY: " a "}, {KEY: "b"})
    assert _codes(results) == ["DUPLICATE_EXTERNAL_ID", "DUPLICATE_EXTERNAL_ID", None]


def test_a_key_with_blanks_around_it_is_the_same_key(org: Caller) -> None:
    org.upsert(NAME, KEY, {KEY: "a"})
    assert org.upsert(NAME, KEY, {KEY: " a "})[0]["created"] is False


def test_an_empty_key_is_missing(org: Caller) -> None:
    assert _codes(org.upsert(NAME, KEY, {KEY: ""}, {KEY: None})) == ["MISSING_ARGUMENT", "MISSING_ARGUMENT"]


def test_parents_are_named_by_external_id(org: Caller) -> None:
    contact = org.create("Contact", LastName="Doe", Email="doe@example.com")
    org.upsert("Social_Profile__c", "Profile_Key__c", {"Profile_Key__c": "p1", "Network__c": "x"})
    org.upsert(
        "Case", "Connector_Key__c",
        {"Connector_Key__c": "c1", "Contact": {"Email": "DOE@example.com"},
         "Social_Profile__r": {"Profile_Key__c": "p1"}},
    )  # fmt: skip
    results = org.upsert(
        NAME, KEY,
        {KEY: "a", "Case__r": {"Connector_Key__c": "c1"}, "Social_Profile__r": {"Profile_Key__c": "p1"}},
        {KEY: "b", "Case__r": {"Connector_Key__c": "unknown"}},
    )  # fmt: skip
    assert _codes(results) == [None, "INVALID_FIELD"]
    assert "Foreign key external ID: unknown not found" in results[1]["errors"][0]["message"]
    found = org.soql(f"SELECT Case__r.ContactId, Social_Profile__r.Network__c FROM {NAME}")[0]
    assert found["Case__r"]["ContactId"] == contact
    assert found["Social_Profile__r"]["Network__c"] == "x"


def test_a_parent_of_null_is_taken_away(org: Caller) -> None:
    org.upsert("Case", "Connector_Key__c", {"Connector_Key__c": "c1"})
    org.upsert(NAME, KEY, {KEY: "a", "Case__r": {"Connector_Key__c": "c1"}})
    org.upsert(NAME, KEY, {KEY: "a", "Case__r": None})
    assert org.column(f"SELECT Case__c FROM {NAME}") == [None]


def test_an_unknown_column_refuses_the_whole_request(org: Caller) -> None:
    body = {
        "records": [{"attributes": {"type": NAME}, KEY: "a"}, {"attributes": {"type": NAME}, KEY: "b", "Nope__c": 1}]
    }
    answer = org.send("PATCH", f"/composite/sobjects/{NAME}/{KEY}", body)
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert org.soql(f"SELECT Id FROM {NAME}") == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (f"{NAME}/{KEY}", {"records": []}, 400, "INVALID_INPUT"),
        (f"{NAME}/{KEY}", {}, 400, "INVALID_INPUT"),
        (f"{NAME}/{KEY}", {"records": [1]}, 400, "INVALID_INPUT"),
        (f"{NAME}/{KEY}", {"records": [{KEY: "a"}]}, 400, "INVALID_INPUT"),
        (f"{NAME}/{KEY}", {"records": [{"attributes": {"type": "Case"}, KEY: "a"}]}, 400, "INVALID_INPUT"),
        (f"{NAME}/{KEY}", {"records": [{"attributes": {"type": NAME}, KEY: "a"}] * 201}, 400, "EXCEEDED_ID_LIMIT"),
        (f"{NAME}/Summary__c", {"records": [{"attributes": {"type": NAME}}]}, 404, "NOT_FOUND"),
        ("Nope__c/Key__c", {"records": [{"attributes": {"type": "Nope__c"}}]}, 404, "NOT_FOUND"),
    ],
)
def test_an_ill_formed_upsert_is_refused_whole(org: Caller, path: str, body: Any, status: int, code: str) -> None:
    answer = org.send("PATCH", f"/composite/sobjects/{path}", body)
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (status, code)


def test_records_of_several_types_are_created_and_changed(org: Caller) -> None:
    rows = [{"attributes": {"type": "Contact"}, "LastName": "a"}, {"attributes": {"type": "Case"}, "Subject": "b"}]
    created = org.send("POST", "/composite/sobjects", {"records": rows}).get_json()
    assert [result["success"] for result in created] == [True, True]
    assert "created" not in created[0]
    changes = [
        {"attributes": {"type": "Contact"}, "id": created[0]["id"], "LastName": "c"},
        {"attributes": {"type": "Case"}, "id": "500SB0000000zzz", "Subject": "d"},
        {"attributes": {"type": "Case"}, "Subject": "d"},
        {"attributes": {"type": "Case"}, "id": "d"},
    ]
    changed = org.send("PATCH", "/composite/sobjects", {"records": changes}).get_json()
    assert _codes(changed) == [None, "INVALID_CROSS_REFERENCE_KEY", "MISSING_ARGUMENT", "MALFORMED_ID"]
    assert org.column("SELECT LastName FROM Contact") == ["c"]


def test_all_or_none_spans_the_types_of_a_call(org: Caller) -> None:
    rows = [{"attributes": {"type": "Case"}, "Subject": "a"}, {"attributes": {"type": "Contact"}, "FirstName": "b"}]
    results = org.send("POST", "/composite/sobjects", {"allOrNone": True, "records": rows}).get_json()
    assert _codes(results) == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert org.soql("SELECT Id FROM Case") == []


def test_too_many_chunks_of_types_and_unknown_types_are_refused(org: Caller) -> None:
    mixed = [{"attributes": {"type": name}} for name in ("Case", "Contact") * 6]
    for rows, code in ((mixed, "INVALID_INPUT"), ([{"attributes": {"type": "Nope"}}], "INVALID_TYPE")):
        answer = org.send("POST", "/composite/sobjects", {"records": rows})
        assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, code)


def test_twins_among_new_records_are_refused(org: Caller) -> None:
    rows = [{"attributes": {"type": "Case"}, "Connector_Key__c": "k"}] * 2
    results = org.send("POST", "/composite/sobjects", {"records": rows}).get_json()
    assert _codes(results) == [None, "DUPLICATE_VALUE"]


def test_records_are_deleted_each_with_its_result(org: Caller) -> None:
    ids = [org.create("Case", Subject="a") for _ in range(2)]
    wanted = ",".join([ids[0], "500SB0000000zzz", "nope", ids[0]])
    results = org.send("DELETE", f"/composite/sobjects?ids={wanted}").get_json()
    assert _codes(results)[:3] == [None, "INVALID_CROSS_REFERENCE_KEY", "MALFORMED_ID"]
    both = org.send("DELETE", f"/composite/sobjects?ids={ids[0]},{ids[1]}&allOrNone=true").get_json()
    assert _codes(both) == ["ENTITY_IS_DELETED", "ALL_OR_NONE_OPERATION_ROLLED_BACK"]
    assert org.column("SELECT Id FROM Case") == [ids[1]]


def test_records_are_retrieved_in_order_with_null_for_what_is_not_there(org: Caller) -> None:
    ids = [org.create("Contact", LastName=name) for name in "ab"]
    org.send("DELETE", f"/sobjects/Contact/{ids[0]}")
    wanted = [ids[1], "003SB0000000zzz", ids[0]]
    by_get = org.send("GET", f"/composite/sobjects/Contact?ids={','.join(wanted)}&fields=Id,LastName").get_json()
    by_post = org.send("POST", "/composite/sobjects/Contact", {"ids": wanted, "fields": ["Id", "LastName"]}).get_json()
    assert by_get == by_post
    assert [one and one["LastName"] for one in by_get] == ["b", None, None]
    assert set(by_get[0]) == {"attributes", "Id", "LastName"}


def test_an_external_id_that_is_not_unique_may_fit_several(org: Caller) -> None:
    for name in "ab":
        org.create("Contact", LastName=name, Email="same@example.com")
    results = org.upsert("Contact", "Email", {"Email": "same@example.com", "LastName": "c"})
    assert _codes(results) == ["DUPLICATE_EXTERNAL_ID"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("PATCH", "/composite/sobjects", {"records": [{"attributes": "Case"}]}, 400, "INVALID_INPUT"),
        ("POST", "/composite/sobjects/Case", {"ids": [1], "fields": ["Id"]}, 400, "INVALID_INPUT"),
        ("POST", "/composite/sobjects/Case", {"ids": ["a"]}, 400, "INVALID_INPUT"),
        ("GET", "/sobjects/Contact/Email/no-address", None, 404, "NOT_FOUND"),
        ("DELETE", "/sobjects/Contact/Email/no-address", None, 404, "NOT_FOUND"),
        ("PATCH", "/sobjects/Contact/Email/no-address", {"LastName": "a"}, 400, "INVALID_EMAIL_ADDRESS"),
    ],
)
def test_what_no_record_can_be_is_refused_by_name(
    org: Caller, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = org.send(method, path, body)
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (status, code)
