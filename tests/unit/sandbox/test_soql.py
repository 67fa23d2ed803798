"""SOQL finds what Salesforce would find, and refuses what it does not know."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.errors import ApiError
from sandbox.soql.dates import span
from sandbox.soql.parser import parse, unescape
from tests.unit.sandbox.conftest import Caller, MakeOrg


@pytest.fixture
def people(org: Caller) -> Caller:
    """Three contacts, one without an e-mail, and three cases of the first."""
    account = org.create("Account", Name="Engines")
    ada = org.create("Contact", FirstName="Ada", LastName="Lovelace", Email="ada@example.com", AccountId=account)
    org.create("Contact", FirstName="Grace", LastName="O'Hopper", Email="grace@example.com", DoNotCall=True)
    org.create("Contact", LastName="100%_pure")
    for number, status in enumerate(("New", "Closed", "New")):
        org.create("Case", ContactId=ada, Subject=f"s{number}", Status=status, Inbound_Touches__c=number,
                   First_Inbound_At__c=f"2026-01-0{number + 1}T00:00:00Z")  # fmt: skip
    org.create("Case", Subject="alone", Priority="High")
    return org


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("LastName = 'lovelace'", ["Lovelace"]),
        ("LastName != 'lovelace'", ["100%_pure", "O'Hopper"]),
        ("LastName = 'O\\'Hopper'", ["O'Hopper"]),
        ("LastName LIKE 'l%'", ["Lovelace"]),
        ("LastName LIKE '_ovelace'", ["Lovelace"]),
        ("LastName LIKE '100\\%\\_%'", ["100%_pure"]),
        ("LastName LIKE '10\\_%'", []),
        ("Email = null", ["100%_pure"]),
        ("Email != null", ["Lovelace", "O'Hopper"]),
        ("Email <> 'ada@example.com'", ["100%_pure", "O'Hopper"]),
        ("NOT Email = 'ada@example.com'", ["100%_pure", "O'Hopper"]),
        ("NOT Email LIKE 'a%'", ["100%_pure", "O'Hopper"]),
        ("Email IN ('ada@example.com', null)", ["100%_pure", "Lovelace"]),
        ("Email NOT IN ('ada@example.com')", ["100%_pure", "O'Hopper"]),
        ("LastName > 'M'", ["O'Hopper"]),
        ("LastName >= '100%_pure' AND LastName < 'M'", ["100%_pure", "Lovelace"]),
        ("DoNotCall = true", ["O'Hopper"]),
        ("DoNotCall = false AND (FirstName = 'Ada' OR Email = null)", ["100%_pure", "Lovelace"]),
        ("Account.Name = 'Engines'", ["Lovelace"]),
        ("Account.Name = null", ["100%_pure", "O'Hopper"]),
        ("Name = 'Ada Lovelace'", ["Lovelace"]),
        ("Name = '100%_pure'", ["100%_pure"]),
        ("Id IN (SELECT ContactId FROM Case WHERE Status = 'New')", ["Lovelace"]),
        ("Id NOT IN (SELECT ContactId FROM Case)", ["100%_pure", "O'Hopper"]),
        ("CreatedDate = TODAY", ["100%_pure", "Lovelace", "O'Hopper"]),
        ("CreatedDate < TODAY", []),
        ("CreatedDate >= LAST_N_DAYS:3", ["100%_pure", "Lovelace", "O'Hopper"]),
        ("CreatedDate > 2026-02-02T11:59:00+00:00", ["100%_pure", "Lovelace", "O'Hopper"]),
        ("CreatedDate <= 2026-02-02T11:59:00Z", []),
        ("Contact.LastName = 'Lovelace'", ["Lovelace"]),
    ],
)
def test_conditions(people: Caller, where: str, found: list[str]) -> None:
    assert people.column(f"SELECT LastName FROM Contact WHERE {where} ORDER BY LastName") == found


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("Inbound_Touches__c >= 1", ["s1", "s2"]),
        ("Inbound_Touches__c = 1.0", ["s1"]),
        ("Inbound_Touches__c IN (0, 2)", ["s0", "s2"]),
        ("Id = '' OR Subject = 's1'", ["s1"]),
        ("IsClosed = TRUE", ["s1"]),
        ("Subject != '' AND Subject IN ('', 's2')", ["s2"]),
        ("Subject = 's\\u0031'", ["s1"]),
        ("ClosedDate = THIS_MONTH", ["s1"]),
        ("Owner.Name = 'Integration User' AND Contact.FirstName = 'Ada' AND Status = 'New'", ["s0", "s2"]),
        ("c.Subject = 'alone'", ["alone"]),
    ],
)
def test_conditions_on_numbers_times_and_parents(people: Caller, where: str, found: list[str]) -> None:
    assert people.column(f"SELECT Subject FROM Case c WHERE {where} ORDER BY Subject") == found


def test_parents_and_children_are_nested(people: Caller) -> None:
    query = (
        "SELECT Name, Account.Name, Account.Owner.Username, "
        "(SELECT Subject, Contact.LastName FROM Cases WHERE Status = 'New' ORDER BY Subject DESC LIMIT 1 OFFSET 1) "
        "FROM Contact ORDER BY LastName DESC"
    )
    grace, ada, _ = people.soql(query)
    assert ada["Name"] == "Ada Lovelace"
    assert ada["Account"]["Name"] == "Engines"
    assert ada["Account"]["Owner"]["Username"] == "integration@sandbox.test"
    assert ada["Account"]["attributes"]["type"] == "Account"
    assert ada["Cases"]["totalSize"] == 1
    assert ada["Cases"]["records"][0]["Subject"] == "s0"
    assert ada["Cases"]["records"][0]["Contact"]["LastName"] == "Lovelace"
    assert grace["Account"] is None
    assert grace["Cases"] is None


def test_custom_child_relationships_have_their_names(people: Caller) -> None:
    contact = people.column("SELECT Id FROM Contact WHERE FirstName = 'Ada'")[0]
    people.upsert("Channel_Interaction__c", "Interaction_Key__c", {"Interaction_Key__c": "a", "Contact__c": contact})
    found = people.soql("SELECT Id, (SELECT Interaction_Key__c FROM Channel_Interactions__r) FROM Contact")
    assert found[0]["Channel_Interactions__r"]["records"][0]["Interaction_Key__c"] == "a"


def test_a_parent_of_several_kinds_shows_its_name_and_type(people: Caller) -> None:
    contact = people.column("SELECT Id FROM Contact WHERE FirstName = 'Ada'")[0]
    case_id = people.column("SELECT Id FROM Case WHERE Subject = 's0'")[0]
    people.create("Task", Subject="call", WhoId=contact, WhatId=case_id)
    task = people.soql("SELECT Who.Name, Who.Type, What.Type, What.Id FROM Task WHERE What.Type = 'Case'")[0]
    assert (task["Who"]["Name"], task["Who"]["Type"]) == ("Ada Lovelace", "Contact")
    assert (task["What"]["Type"], task["What"]["Id"]) == ("Case", case_id)


def test_empty_values_stand_first_unless_told_otherwise(people: Caller) -> None:
    for order, position in (("ASC", 0), ("DESC", 0), ("ASC NULLS LAST", 2), ("DESC NULLS LAST", 2)):
        emails = people.column(f"SELECT Email FROM Contact ORDER BY Email {order}")
        assert emails.index(None) == position, order


def test_groups_are_counted_summed_and_filtered(people: Caller) -> None:
    query = (
        "SELECT Status, COUNT(Id) n, SUM(Inbound_Touches__c), AVG(Inbound_Touches__c), MIN(First_Inbound_At__c) first, "
        "MAX(Subject), COUNT_DISTINCT(ContactId) FROM Case GROUP BY Status HAVING COUNT(Id) > 1 ORDER BY COUNT(Id)"
    )
    found = people.soql(query)
    assert found == [
        {"attributes": {"type": "AggregateResult"}, "Status": "New", "n": 3, "expr0": 2.0, "expr1": 1.0,
         "first": "2026-01-01T00:00:00.000+0000", "expr2": "s2", "expr3": 1}
    ]  # fmt: skip


def test_groups_by_parts_of_a_date(people: Caller) -> None:
    query = (
        "SELECT CALENDAR_YEAR(First_Inbound_At__c) y, DAY_ONLY(First_Inbound_At__c) d, COUNT(Id) FROM Case "
        "WHERE First_Inbound_At__c != null GROUP BY CALENDAR_YEAR(First_Inbound_At__c), DAY_ONLY(First_Inbound_At__c) "
        "ORDER BY DAY_ONLY(First_Inbound_At__c) DESC LIMIT 1"
    )
    found = people.soql(query)[0]
    assert (found["y"], found["d"], found["expr0"]) == (2026, "2026-01-03", 1)


def test_more_groups_than_a_page_are_refused(org: Caller) -> None:
    for start in range(0, 2001, 200):
        rows = [{"Connector_Key__c": f"k{start + number}"} for number in range(200)]
        org.upsert("Case", "Connector_Key__c", *rows)
    query = "SELECT Connector_Key__c, COUNT(Id) FROM Case GROUP BY Connector_Key__c"
    answer = org.send("GET", "/query", query_string={"q": query})
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    assert len(org.soql(f"{query} LIMIT 2000")) == 2000


def test_a_count_of_everything_shows_no_records(people: Caller) -> None:
    answer = people.send("GET", "/query?q=SELECT COUNT() FROM Case WHERE Status = 'New' LIMIT 2").get_json()
    assert answer == {"totalSize": 2, "done": True, "records": []}


def test_all_fields_are_shown_with_a_limit(people: Caller) -> None:
    found = people.soql("SELECT FIELDS(ALL) FROM Case LIMIT 1")[0]
    assert {"Id", "Connector_Key__c", "Subject", "Resolution_Seconds__c"} <= set(found)
    custom = people.soql("SELECT FIELDS(CUSTOM) FROM Case LIMIT 200")[0]
    assert all(name.endswith("__c") for name in custom if name != "attributes")
    assert "Connector_Key__c" not in people.soql("SELECT FIELDS(STANDARD) FROM Case")[0]


@pytest.mark.parametrize(
    ("query", "code", "words"),
    [
        ("SELECT Id FROM Case FOR VIEW", "MALFORMED_QUERY", "unexpected token: 'VIEW'"),
        ("SELECT Id FROM Case WHERE A = 1 AND B = 2 OR C = 3", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("SELECT Id FROM Case USING SCOPE mine", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Case ALL ROWS", "MALFORMED_QUERY", "unexpected token: 'ROWS'"),
        ("SELECT TYPEOF What WHEN Case THEN Id END FROM Task", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Case c, c.Contact t", "MALFORMED_QUERY", "unexpected token: ','"),
        ("SELECT FROM Case", "MALFORMED_QUERY", "unexpected token: 'Case'"),
        ("SELECT Id FROM Case WHERE Subject = 'open", "MALFORMED_QUERY", "ERROR at Row:1:Column:37"),
        ("SELECT Id FROM Case LIMIT", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT toLabel(Status) FROM Case", "MALFORMED_QUERY", "TOLABEL"),
        ("SELECT COUNT(Id) FROM Case GROUP BY ROLLUP(Status)", "MALFORMED_QUERY", "ROLLUP"),
        ("SELECT SUM() FROM Case", "MALFORMED_QUERY", "SUM"),
        ("SELECT Subject, COUNT(Id) FROM Case GROUP BY Status", "MALFORMED_QUERY", "must be grouped or aggregated"),
        ("SELECT COUNT(Id), (SELECT Id FROM CaseComments) FROM Case", "MALFORMED_QUERY", "sub-queries"),
        ("SELECT FIELDS(ALL) FROM Case", "MALFORMED_QUERY", "LIMIT of at most 200"),
        ("SELECT FIELDS(SOME) FROM Case LIMIT 1", "INVALID_FIELD", "No such column 'SOME'"),
        ("SELECT Id FROM Contact WHERE Id IN (SELECT COUNT(Id) FROM Case)", "MALFORMED_QUERY", "exactly one column"),
        ("SELECT Nope FROM Case", "INVALID_FIELD", "No such column 'Nope' on entity 'Case'"),
        ("SELECT Id, Subject, id FROM Case", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Id, (SELECT Id, Subject, Subject FROM Cases) FROM Contact", "INVALID_FIELD", "duplicate field"),
        ("SELECT Contact.Nope FROM Case", "INVALID_FIELD", "No such column 'Nope' on entity 'Contact'"),
        ("SELECT Nope__r.Id FROM Case", "INVALID_FIELD", "Didn't understand relationship 'Nope__r'"),
        ("SELECT What.Subject FROM Task", "INVALID_FIELD", "on entity 'Name'"),
        ("SELECT Who.Account.Name FROM Task", "INVALID_FIELD", "on entity 'Name'"),
        ("SELECT Id FROM Nope__c", "INVALID_TYPE", "sObject type 'Nope__c' is not supported"),
        ("SELECT Id, (SELECT Id FROM Nopes__r) FROM Case", "INVALID_TYPE", "Didn't understand relationship"),
        ("SELECT Id FROM Case WHERE Subject = 1", "INVALID_FIELD", "must be of type string and should be"),
        ("SELECT Id FROM Case WHERE IsClosed = 'true'", "INVALID_FIELD", "boolean and should not be"),
        ("SELECT Id FROM Case WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD", "dateTime and should not be"),
        ("SELECT Id FROM Case WHERE Subject = TODAY", "INVALID_FIELD", "should be enclosed in quotes"),
        ("SELECT Id FROM Case WHERE Id = 'nope'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: nope"),
        ("SELECT Id FROM Case WHERE IsClosed LIKE 'a%'", "INVALID_QUERY_FILTER_OPERATOR", "boolean field"),
        ("SELECT Id FROM Case WHERE Subject INCLUDES ('a')", "INVALID_QUERY_FILTER_OPERATOR", "multi-select"),
        ("SELECT Id FROM Case WHERE Subject IN (SELECT Id FROM Contact)", "INVALID_FIELD", "must be an id"),
        ("SELECT Id FROM Case LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("", "MALFORMED_QUERY", "has to be specified"),
        ("SELECT Id FROM Case WITH SECURITY_ENFORCED", "MALFORMED_QUERY", "SECURITY_ENFORCED"),
        ("SELECT Id FROM Case FOR UPDATE", "MALFORMED_QUERY", "unexpected token: 'UPDATE'"),
        ("SELECT Id FROM Case UPDATE TRACKING", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT COUNT(Id) FROM Case GROUP BY CUBE(Status)", "MALFORMED_QUERY", "CUBE"),
        ("SELECT FORMAT(CreatedDate) FROM Case", "MALFORMED_QUERY", "FORMAT"),
        ("SELECT DISTINCT Subject FROM Case", "MALFORMED_QUERY", "unexpected token: 'Subject'"),
        ("SELECT * FROM Case", "MALFORMED_QUERY", "unexpected token: '*"),
        ("SELECT Id FROM Case;", "MALFORMED_QUERY", "unexpected token: ';'"),
        ("SELECT Id FROM Case WHERE Subject = :name", "MALFORMED_QUERY", "unexpected token: ':name'"),
        ("SELECT Id FROM Case WHERE Subject = 'a\\q'", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Case WHERE Id IN ()", "MALFORMED_QUERY", "unexpected token: ')'"),
        ("SELECT Id FROM Case LIMIT -1", "MALFORMED_QUERY", "unexpected token: '-1'"),
        ("SELECT Id FROM Case LIMIT 1.5", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Case LIMIT 99999999999999999999", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Case WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "COUNT"),
        ("SELECT SUM(Subject) FROM Case", "MALFORMED_QUERY", "aggregate operator SUM"),
        ("SELECT Id FROM Case WHERE CreatedDate = LAST_FISCAL_YEAR", "MALFORMED_QUERY", "LAST_FISCAL_YEAR"),
        ("SELECT Id FROM Case WHERE CreatedDate = LAST_N_DAYS:999999999", "MALFORMED_QUERY", "invalid date literal"),
        ("SELECT Id FROM Case WHERE CreatedDate = NEXT_N_YEARS:99999", "MALFORMED_QUERY", "invalid date literal"),
        ("SELECT Id FROM Case WHERE CreatedDate > 2026-02-30T00:00:00Z", "MALFORMED_QUERY", "invalid date"),
        ("SELECT Id FROM Contact WHERE Birthdate > 2026-13-45", "MALFORMED_QUERY", "invalid date"),
        ("SELECT Id FROM Case WHERE CreatedDate > 2026-01-02", "INVALID_FIELD", "dateTime and should not be"),
        ("SELECT Id FROM Contact WHERE Birthdate > 2026-01-02T00:00:00Z", "INVALID_FIELD", "of type date"),
        ("SELECT Id FROM Case WHERE Inbound_Touches__c > null", "INVALID_QUERY_FILTER_OPERATOR", "on null"),
        ("SELECT Id FROM Case WHERE Description = 'x'", "INVALID_FIELD", "can not be filtered"),
        ("SELECT Id FROM Case ORDER BY Description", "INVALID_FIELD", "can not be sorted"),
    ],
)  # fmt: skip
def test_what_it_does_not_know_is_refused_never_skipped(org: Caller, query: str, code: str, words: str) -> None:
    answer = org.send("GET", "/query", query_string={"q": query})
    error = answer.get_json()[0]
    assert (answer.status_code, error["errorCode"]) == (400, code), error
    assert words in error["message"]


def test_pages_follow_each_other_by_locators(make_org: MakeOrg) -> None:
    org = make_org(page_size=2)
    made = [org.create("Case", Subject=str(number)) for number in range(5)]
    page = org.send("GET", "/query?q=SELECT Id FROM Case").get_json()
    seen = []
    while True:
        seen += [record["Id"] for record in page["records"]]
        assert page["totalSize"] == 5
        if page["done"]:
            break
        page = org.send("GET", page["nextRecordsUrl"]).get_json()
    assert seen == made
    assert "nextRecordsUrl" not in page


def test_the_asked_page_size_is_kept_between_200_and_2000(org: Caller) -> None:
    for start in (0, 200):
        rows = [{"attributes": {"type": "Case"}, "Subject": str(start + number)} for number in range(200)]
        org.send("POST", "/composite/sobjects", {"records": rows})
    for asked, shown in ((1, 200), (300, 300), (9000, 400)):
        headers = {"Sforce-Query-Options": f"batchSize={asked}"}
        answer = org.send("GET", "/query?q=SELECT Id FROM Case", headers=headers)
        assert len(answer.get_json()["records"]) == shown


def test_a_locator_that_is_unknown_or_old_is_refused(make_org: MakeOrg) -> None:
    org = make_org(page_size=1, token_seconds=7 * 86_400)
    for _ in range(2):
        org.create("Case")
    path = org.send("GET", "/query?q=SELECT Id FROM Case").get_json()["nextRecordsUrl"]
    assert org.send("GET", path).status_code == 200
    org.clock.move(seconds=2 * 86_400 + 1)
    for wrong in (path, "/query/01gSB-5", "/query/nope"):
        answer = org.send("GET", wrong)
        assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_only_the_newest_locators_are_kept(make_org: MakeOrg) -> None:
    org = make_org(page_size=1)
    for _ in range(2):
        org.create("Case")
    for _ in range(201):
        last = org.send("GET", "/query?q=SELECT Id FROM Case").get_json()
    assert len(org.org.locators) == 200
    assert org.send("GET", last["nextRecordsUrl"]).status_code == 200


def test_deleted_records_show_in_query_all_alone(org: Caller) -> None:
    case_id = org.create("Case")
    org.send("DELETE", f"/sobjects/Case/{case_id}")
    assert org.soql("SELECT Id FROM Case") == []
    found = org.soql("SELECT Id, IsDeleted FROM Case", path="/queryAll")
    assert [(one["Id"], one["IsDeleted"]) for one in found] == [(case_id, True)]


TODAY = date(2026, 5, 13)  # a Wednesday


@pytest.mark.parametrize(
    ("literal", "first", "after"),
    [
        ("TODAY", date(2026, 5, 13), date(2026, 5, 14)),
        ("yesterday", date(2026, 5, 12), date(2026, 5, 13)),
        ("TOMORROW", date(2026, 5, 14), date(2026, 5, 15)),
        ("LAST_N_DAYS:3", date(2026, 5, 10), date(2026, 5, 14)),
        ("NEXT_N_DAYS:3", date(2026, 5, 14), date(2026, 5, 17)),
        ("N_DAYS_AGO:3", date(2026, 5, 10), date(2026, 5, 11)),
        ("N_WEEKS_AGO:2", date(2026, 4, 26), date(2026, 5, 3)),
        ("N_MONTHS_AGO:1", date(2026, 4, 1), date(2026, 5, 1)),
        ("N_QUARTERS_AGO:2", date(2025, 10, 1), date(2026, 1, 1)),
        ("N_YEARS_AGO:1", date(2025, 1, 1), date(2026, 1, 1)),
        ("LAST_N_QUARTERS:2", date(2025, 10, 1), date(2026, 4, 1)),
        ("LAST_90_DAYS", date(2026, 2, 12), date(2026, 5, 14)),
        ("NEXT_90_DAYS", date(2026, 5, 14), date(2026, 8, 12)),
        ("THIS_WEEK", date(2026, 5, 10), date(2026, 5, 17)),
        ("LAST_WEEK", date(2026, 5, 3), date(2026, 5, 10)),
        ("THIS_MONTH", date(2026, 5, 1), date(2026, 6, 1)),
        ("LAST_N_MONTHS:6", date(2025, 11, 1), date(2026, 5, 1)),
        ("NEXT_MONTH", date(2026, 6, 1), date(2026, 7, 1)),
        ("THIS_QUARTER", date(2026, 4, 1), date(2026, 7, 1)),
        ("LAST_QUARTER", date(2026, 1, 1), date(2026, 4, 1)),
        ("LAST_YEAR", date(2025, 1, 1), date(2026, 1, 1)),
        ("NEXT_N_YEARS:2", date(2027, 1, 1), date(2029, 1, 1)),
    ],
)
def test_date_literals_span_days(literal: str, first: date, after: date) -> None:
    assert span(literal, TODAY) == (first, after)


@given(st.text(max_size=40))
def test_any_text_survives_quoting(text: str) -> None:
    quoted = "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
    assert unescape(quoted) == text


@given(st.text(alphabet="SELECTFROMWHEREidab()'\\,.=<> \n\0é", max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    assert _outcome(text) in {"read", "MALFORMED_QUERY"}


def _outcome(text: str) -> str:
    try:
        parse(text)
    except ApiError as error:
        return error.code
    return "read"
