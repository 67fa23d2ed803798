"""Single records: create, read, change, upsert, delete, with Salesforce's statuses and codes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.conftest import Caller, MakeOrg

CASE = {"Subject": "Parcel lost"}


def _error(org: Caller, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = org.send(method, path, body)
    return answer.status_code, answer.get_json()[0]["errorCode"]


def test_a_new_record_gets_an_id_a_number_its_defaults_and_its_times(org: Caller) -> None:
    case_id = org.create("Case", **CASE)
    found = org.send("GET", f"/sobjects/Case/{case_id}").get_json()
    assert found["Id"] == case_id
    assert found["attributes"] == {"type": "Case", "url": f"/services/data/v66.0/sobjects/Case/{case_id}"}
    assert (found["Status"], found["Priority"], found["IsClosed"]) == ("New", "Medium", False)
    assert found["CaseNumber"].isdigit()
    assert found["CreatedDate"] == found["SystemModstamp"] == found["LastModifiedDate"]
    assert found["OwnerId"] == found["CreatedById"] == org.org.user_id


def test_chosen_fields_alone_are_read(org: Caller) -> None:
    case_id = org.create("Case", **CASE)
    found = org.send("GET", f"/sobjects/Case/{case_id[:15]}?fields=Subject,status").get_json()
    assert set(found) == {"attributes", "Subject", "Status"}


def test_names_are_taken_in_any_case(org: Caller) -> None:
    contact_id = org.create("contact", lastname="Lovelace")
    assert org.column("SELECT LastName FROM Contact") == ["Lovelace"]
    assert contact_id.startswith("003")


def test_each_write_call_is_stamped_later_than_the_one_before(org: Caller) -> None:
    for _ in range(3):
        org.create("Case", **CASE)
    stamps = org.column("SELECT SystemModstamp FROM Case ORDER BY SystemModstamp")
    assert len(set(stamps)) == 3


def test_a_change_moves_the_stamp_and_leaves_other_fields(org: Caller) -> None:
    case_id = org.create("Case", Subject="a", Description="b")
    before = org.soql("SELECT SystemModstamp, CreatedDate FROM Case")[0]
    assert org.send("PATCH", f"/sobjects/Case/{case_id}", {"Subject": "c"}).status_code == 204
    after = org.soql("SELECT SystemModstamp, CreatedDate, Subject, Description FROM Case")[0]
    assert after["SystemModstamp"] > before["SystemModstamp"]
    assert after["CreatedDate"] == before["CreatedDate"]
    assert (after["Subject"], after["Description"]) == ("c", "b")


def test_closing_sets_the_date_and_reopening_takes_it_away(org: Caller) -> None:
    case_id = org.create("Case", **CASE)
    org.send("PATCH", f"/sobjects/Case/{case_id}", {"Status": "Closed"})
    closed = org.soql("SELECT IsClosed, ClosedDate FROM Case")[0]
    assert closed["IsClosed"] is True
    assert closed["ClosedDate"]
    org.send("PATCH", f"/sobjects/Case/{case_id}", {"Status": "Closed", "Subject": "still closed"})
    assert org.column("SELECT ClosedDate FROM Case") == [closed["ClosedDate"]]
    org.send("PATCH", f"/sobjects/Case/{case_id}", {"Status": "Working"})
    assert org.column("SELECT ClosedDate FROM Case") == [None]
    assert org.column("SELECT IsClosed FROM Case") == [False]


def test_a_case_takes_the_account_of_its_contact(org: Caller) -> None:
    account = org.create("Account", Name="Analytical Engines")
    contact = org.create("Contact", LastName="Lovelace", AccountId=account)
    org.create("Case", ContactId=contact)
    org.create("Task", Subject="Call", WhoId=contact, Status="Completed")
    assert org.column("SELECT AccountId FROM Case") == [account]
    assert org.soql("SELECT AccountId, IsClosed FROM Task")[0]["AccountId"] == account


def test_an_opt_in_that_was_given_is_full(org: Caller) -> None:
    org.create("MessagingEndUser", Name="a", MessageType="WhatsApp", MessagingConsentStatus="ExplicitlyOptedIn")
    assert org.column("SELECT IsFullyOptedIn FROM MessagingEndUser") == [True]


def test_times_of_the_past_can_be_set_on_creation_alone(org: Caller) -> None:
    past = "2025-12-01T08:00:00.000+0000"
    case_id = org.create("Case", CreatedDate=past, Status="Closed", ClosedDate="2025-12-02T08:00:00Z")
    found = org.soql("SELECT CreatedDate, ClosedDate FROM Case")[0]
    assert (found["CreatedDate"], found["ClosedDate"]) == (past, "2025-12-02T08:00:00.000+0000")
    assert _error(org, "PATCH", f"/sobjects/Case/{case_id}", {"CreatedDate": past}) == (
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
    )


def test_without_the_permission_times_cannot_be_set_at_all(make_org: MakeOrg) -> None:
    org = make_org(audit_fields=False)
    assert _error(org, "POST", "/sobjects/Case", {"CreatedDate": "2025-12-01T08:00:00Z"}) == (
        400,
        "INVALID_FIELD_FOR_INSERT_UPDATE",
    )


def test_date_times_are_kept_to_the_second(org: Caller) -> None:
    org.create("Case", First_Inbound_At__c="2026-01-01T10:00:00.999+02:00")
    assert org.column("SELECT First_Inbound_At__c FROM Case") == ["2026-01-01T08:00:00.000+0000"]


def test_formulas_are_computed(org: Caller) -> None:
    case_id = org.create("Case", First_Inbound_At__c="2026-01-01T10:00:00Z", CreatedDate="2026-01-01T10:00:05Z")
    query = "SELECT First_Response_Seconds__c, Resolution_Seconds__c FROM Case"
    first = org.soql(query)[0]
    assert first["First_Response_Seconds__c"] is None
    assert first["Resolution_Seconds__c"] is None
    org.send("PATCH", f"/sobjects/Case/{case_id}", {"First_Response_At__c": "2026-01-01T10:01:30Z", "Status": "Closed"})
    second = org.soql(query)[0]
    assert second["First_Response_Seconds__c"] == 90.0
    assert second["Resolution_Seconds__c"] > 0
    assert org.column("SELECT Id FROM Case WHERE First_Response_Seconds__c > 60") == [case_id]


def test_an_upsert_creates_then_changes(org: Caller) -> None:
    path = "/sobjects/Case/Connector_Key__c/k%2F1%3Fa%23b"
    first, second = (org.send("PATCH", path, {"Subject": subject}) for subject in ("a", "b"))
    assert (first.status_code, first.get_json()["created"]) == (201, True)
    assert (second.status_code, second.get_json()["created"]) == (200, False)
    assert org.column("SELECT Connector_Key__c FROM Case") == ["k/1?a#b"]
    assert org.send("GET", path).get_json()["Subject"] == "b"
    assert org.send("DELETE", path).status_code == 204
    assert _error(org, "GET", path) == (404, "NOT_FOUND")
    assert _error(org, "DELETE", path) == (404, "NOT_FOUND")


def test_an_upsert_that_may_only_update_creates_nothing(org: Caller) -> None:
    assert _error(org, "PATCH", "/sobjects/Case/Connector_Key__c/k1?updateOnly=true", CASE) == (404, "NOT_FOUND")
    assert org.soql("SELECT Id FROM Case") == []


def test_an_upsert_by_a_field_that_is_no_key_is_refused(org: Caller) -> None:
    assert _error(org, "PATCH", "/sobjects/Case/Subject/a", CASE) == (404, "NOT_FOUND")
    assert _error(org, "PATCH", "/sobjects/Case/Connector_Key__c/a", {"Connector_Key__c": "b"}) == (
        400,
        "INVALID_FIELD",
    )


def test_several_records_of_one_key_are_listed(org: Caller) -> None:
    ids = [org.create("Contact", LastName="Doe", Email="doe@example.com") for _ in range(2)]
    answer = org.send("PATCH", "/sobjects/Contact/Email/doe@example.com", {"LastName": "Roe"})
    assert answer.status_code == 300
    assert [url.rsplit("/", 1)[1] for url in answer.get_json()] == ids


def test_keys_tell_cases_apart_and_usernames_do_not(org: Caller) -> None:
    results = org.upsert("Case", "Connector_Key__c", {"Connector_Key__c": "k"}, {"Connector_Key__c": "K"})
    assert [result["created"] for result in results] == [True, True]
    assert _error(org, "POST", "/sobjects/User", {"Username": "ADMIN@sandbox.test", "LastName": "a",
                                                  "Email": "a@example.com"}) == (400, "DUPLICATE_VALUE")  # fmt: skip


@pytest.mark.parametrize(
    ("name", "body", "code", "fields"),
    [
        ("Contact", {"FirstName": "Ada"}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ("Contact", {"LastName": " "}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ("Contact", {"LastName": "x" * 81}, "STRING_TOO_LONG", ["LastName"]),
        ("Contact", {"LastName": "\U0001f600" * 41}, "STRING_TOO_LONG", ["LastName"]),
        ("Contact", {"LastName": "a", "Email": "no mail"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
        ("Contact", {"LastName": "a", "DoNotCall": "yes"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["DoNotCall"]),
        ("Contact", {"LastName": "a", "Birthdate": "soon"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["Birthdate"]),
        ("Contact", {"LastName": ["a"]}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["LastName"]),
        ("Contact", {"LastName": "a", "AccountId": "nope"}, "MALFORMED_ID", ["AccountId"]),
        ("Contact", {"LastName": "a", "AccountId": "003SB0000000001"}, "MALFORMED_ID", ["AccountId"]),
        ("Contact", {"LastName": "a", "AccountId": "001SB0000000zzz"}, "INVALID_CROSS_REFERENCE_KEY", ["AccountId"]),
        ("Contact", {"LastName": "a", "Name": "b"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        ("Contact", {"LastName": "a", "Nope__c": 1}, "INVALID_FIELD", None),
        ("Case", {"Network__c": "myspace"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", ["Network__c"]),
        ("Case", {"First_Inbound_At__c": "yesterday"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["First_Inbound_At__c"]),
        ("Case", {"Inbound_Touches__c": "many"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["Inbound_Touches__c"]),
        ("Case", {"Inbound_Touches__c": "nan"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["Inbound_Touches__c"]),
        ("Case", {"Inbound_Touches__c": 10**12}, "NUMBER_OUTSIDE_VALID_RANGE", ["Inbound_Touches__c"]),
        ("Case", {"IsClosed": True}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["IsClosed"]),
        ("Case", {"Nope__r": {"Key__c": "a"}}, "INVALID_FIELD", None),
        ("Case", {"Contact": {"Nope": "a"}}, "INVALID_FIELD", None),
        ("Case", {"Contact": {"Email": "a@b.example", "Phone": "1"}}, "INVALID_FIELD", None),
        ("Case", {"Contact": {"LastName": "a"}}, "INVALID_FIELD", ["LastName"]),
        ("Case", {"Contact": {"Email": "nobody@example.com"}}, "INVALID_FIELD", []),
        ("Case", {"Contact": {"attributes": {"type": "Account"}, "Email": "a"}}, "INVALID_TYPE", None),
        ("Task", {"CallDurationInSeconds": 1.5}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["CallDurationInSeconds"]),
        ("Organization", {"Name": "a"}, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", None),
    ],
)  # fmt: skip
def test_a_wrong_record_is_refused_with_its_code_and_fields(
    org: Caller, name: str, body: dict[str, Any], code: str, fields: list[str] | None
) -> None:
    answer = org.send("POST", f"/sobjects/{name}", body)
    error = answer.get_json()[0]
    assert (answer.status_code, error["errorCode"], error.get("fields")) == (400, code, fields)


def test_a_required_field_cannot_be_emptied(org: Caller) -> None:
    contact = org.create("Contact", LastName="a")
    assert _error(org, "PATCH", f"/sobjects/Contact/{contact}", {"LastName": None}) == (400, "REQUIRED_FIELD_MISSING")


def test_a_duplicate_key_is_refused_with_the_id_that_holds_it(org: Caller) -> None:
    held_by = org.create("Case", Connector_Key__c="k1")
    answer = org.send("POST", "/sobjects/Case", {"Connector_Key__c": "k1"})
    assert answer.get_json()[0]["errorCode"] == "DUPLICATE_VALUE"
    assert held_by in answer.get_json()[0]["message"]


def test_the_recycle_bin_holds_on_to_no_key(org: Caller) -> None:
    first = org.create("Case", Connector_Key__c="k1")
    org.send("DELETE", f"/sobjects/Case/{first}")
    assert org.create("Case", Connector_Key__c="k1") != first


def test_a_deleted_record_answers_that_it_is_deleted(org: Caller) -> None:
    case_id = org.create("Case", **CASE)
    assert org.send("DELETE", f"/sobjects/Case/{case_id}").status_code == 204
    for method, body in (("GET", None), ("PATCH", CASE), ("DELETE", None)):
        assert _error(org, method, f"/sobjects/Case/{case_id}", body) == (404, "ENTITY_IS_DELETED")


def test_pointing_to_a_deleted_record_is_refused(org: Caller) -> None:
    contact = org.create("Contact", LastName="a")
    org.send("DELETE", f"/sobjects/Contact/{contact}")
    assert _error(org, "POST", "/sobjects/Case", {"ContactId": contact}) == (400, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/sobjects/Nope", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Case/500SB0000000zzz", 404, "NOT_FOUND"),
        ("GET", "/sobjects/Case/nope", 404, "NOT_FOUND"),
        ("PATCH", "/sobjects/Case/003SB0000000001", 404, "NOT_FOUND"),
        ("PATCH", "/sobjects/Case/500SB0000000zzz", 404, "INVALID_CROSS_REFERENCE_KEY"),
        ("DELETE", "/sobjects/Case/500SB0000000zzz", 404, "INVALID_CROSS_REFERENCE_KEY"),
        ("PUT", "/sobjects/Case/500SB0000000zzz", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/nowhere", 404, "NOT_FOUND"),
    ],
)
def test_what_is_not_there_says_so(org: Caller, method: str, path: str, status: int, code: str) -> None:
    assert _error(org, method, path, {} if method == "PATCH" else None) == (status, code)


def test_an_id_in_the_body_of_a_change_is_refused(org: Caller) -> None:
    case_id = org.create("Case", **CASE)
    assert _error(org, "PATCH", f"/sobjects/Case/{case_id}", {"Id": case_id}) == (400, "INVALID_FIELD")


def test_an_id_in_a_new_record_is_refused(org: Caller) -> None:
    assert _error(org, "POST", "/sobjects/Case", {"Id": "500SB0000000001"})[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"LastName": NaN}'])
def test_a_body_that_is_no_json_object_is_refused(org: Caller, body: bytes) -> None:
    answer = org.http.post(f"{org.base}/sobjects/Contact", data=body, headers=org.headers)
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_picklist_values_are_kept_in_their_own_spelling(org: Caller) -> None:
    org.create("Case", Status="working", Network__c="X")
    assert org.soql("SELECT Status, Network__c FROM Case")[0]["Status"] == "Working"
    assert org.column("SELECT Network__c FROM Case") == ["x"]
