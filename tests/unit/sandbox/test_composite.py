"""Several requests in one: references, all or none, batches."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.sandbox.conftest import Caller

BASE = "/services/data/v66.0"


def _composite(org: Caller, *parts: dict[str, Any], all_or_none: bool = False) -> list[dict[str, Any]]:
    answer = org.send("POST", "/composite", {"allOrNone": all_or_none, "compositeRequest": list(parts)})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.get_json()["compositeResponse"]
    return found


def _part(name: str, method: str, path: str, body: Any = None, **more: Any) -> dict[str, Any]:
    return {"referenceId": name, "method": method, "url": BASE + path, "body": body, **more}


def test_later_parts_use_what_earlier_ones_answered(org: Caller) -> None:
    made, case, read = _composite(
        org,
        _part("ada", "POST", "/sobjects/Contact", {"LastName": "Lovelace"}),
        _part("case", "POST", "/sobjects/Case", {"ContactId": "@{ada.id}", "Subject": "For @{ada.id}"}),
        _part("read", "GET", "/query?q=SELECT+Subject+FROM+Case+WHERE+ContactId='@{ada.id}'", httpHeaders={"X-A": "b"}),
    )
    assert [made["httpStatusCode"], case["httpStatusCode"], read["httpStatusCode"]] == [201, 201, 200]
    assert made["httpHeaders"]["Location"].endswith(made["body"]["id"])
    assert read["body"]["records"][0]["Subject"] == f"For {made['body']['id']}"


def test_five_collections_are_one_call(org: Caller) -> None:
    rows = [
        [{"attributes": {"type": "Case"}, "Connector_Key__c": f"{part}-{n}"} for n in range(200)] for part in range(5)
    ]
    path = "/composite/sobjects/Case/Connector_Key__c"
    found = _composite(org, *(_part(f"p{n}", "PATCH", path, {"records": part}) for n, part in enumerate(rows)))
    assert {one["httpStatusCode"] for one in found} == {200}
    assert [result["success"] for one in found for result in one["body"]] == [True] * 1000
    stats = org.control("stats")
    assert (stats["calls"], stats["write_calls"], stats["rows_created"]) == (1, 1, 1000)


def test_all_or_none_undoes_what_went_well(org: Caller) -> None:
    first, second = _composite(
        org,
        _part("a", "POST", "/sobjects/Contact", {"LastName": "a"}),
        _part("b", "POST", "/sobjects/Contact", {"FirstName": "b"}),
        all_or_none=True,
    )
    assert first["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert second["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert org.soql("SELECT Id FROM Contact") == []


def test_a_part_may_list_what_another_found(org: Caller) -> None:
    org.create("Contact", LastName="a")
    found = _composite(
        org,
        _part("all", "GET", "/query?q=SELECT+Id+FROM+Contact"),
        _part("case", "POST", "/sobjects/Case", {"ContactId": "@{all.records[0].Id}", "Origin": None}),
        _part("many", "POST", "/composite/sobjects/Contact", {"ids": ["@{all.records[0].Id}"], "fields": ["LastName"]}),
    )
    assert [one["httpStatusCode"] for one in found] == [200, 201, 200]
    assert found[2]["body"][0]["LastName"] == "a"


@pytest.mark.parametrize("reference", ["@{nobody.id}", "@{made.nope}", "@{made.id[0]}", "@{made.errors[0]}"])
def test_a_reference_that_leads_nowhere_halts_its_part(org: Caller, reference: str) -> None:
    found = _composite(
        org,
        _part("made", "POST", "/sobjects/Contact", {"LastName": "a"}),
        _part("case", "POST", "/sobjects/Case", {"Subject": reference}),
    )
    assert found[1]["httpStatusCode"] == 400
    assert found[1]["body"][0]["errorCode"] == "PROCESSING_HALTED"


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([], "INVALID_INPUT"),
        ([{"referenceId": "a"}], "INVALID_INPUT"),
        ([_part("a b", "GET", "/limits")], "INVALID_INPUT"),
        ([_part("a", "GET", "/limits")] * 2, "INVALID_INPUT"),
        ([_part(f"a{n}", "GET", "/limits") for n in range(26)], "LIMIT_EXCEEDED"),
    ],
)
def test_an_ill_formed_composite_is_refused(org: Caller, parts: list[Any], code: str) -> None:
    answer = org.send("POST", "/composite", {"compositeRequest": parts})
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, code)


def test_reading_in_a_composite_is_no_write(org: Caller) -> None:
    _composite(org, _part("a", "GET", "/limits"))
    assert org.control("stats")["write_calls"] == 0


def test_a_batch_answers_each_part_and_counts_each(org: Caller) -> None:
    parts = [
        {"method": "POST", "url": "v66.0/sobjects/Case", "richInput": {"Subject": "a"}},
        {"method": "GET", "url": f"{BASE}/sobjects/Nope"},
        {"method": "GET", "url": "v66.0/limits"},
    ]
    found = org.send("POST", "/composite/batch", {"batchRequests": parts}).get_json()
    assert found["hasErrors"] is True
    assert [one["statusCode"] for one in found["results"]] == [201, 404, 200]
    stats = org.control("stats")
    assert (stats["calls"], stats["write_calls"]) == (4, 1)


def test_a_batch_can_stop_at_the_first_error(org: Caller) -> None:
    parts = [{"method": "GET", "url": "v66.0/sobjects/Nope"}, {"method": "GET", "url": "v66.0/limits"}]
    found = org.send("POST", "/composite/batch", {"haltOnError": True, "batchRequests": parts}).get_json()
    assert [one["statusCode"] for one in found["results"]] == [404, 412]
