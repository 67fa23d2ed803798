"""Every mode of the fault plan does what it says, to the calls it is aimed at, as often as it is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.faults import AIMS, MODES, FaultPlan, PlanInvalid
from sandbox.gate import ConnectionCut
from tests.unit.sandbox.conftest import Caller

ROWS = [{"attributes": {"type": "Case"}, "Connector_Key__c": key} for key in ("a", "b", "c")]
PATH = "/composite/sobjects/Case/Connector_Key__c"


def _upsert(org: Caller) -> Any:
    return org.send("PATCH", PATH, {"records": ROWS})


def _rows(org: Caller) -> int:
    return len(org.soql("SELECT Id FROM Case"))


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("unavailable", 503, "SERVER_UNAVAILABLE"),
        ("rate_limited", 429, "TOO_MANY_REQUESTS"),
        ("expired_token", 401, "INVALID_SESSION_ID"),
        ("limit_exceeded", 403, "REQUEST_LIMIT_EXCEEDED"),
    ],
)
def test_a_refusal_is_told_and_nothing_is_written(org: Caller, fault: str, status: int, code: str) -> None:
    org.faults({"fault": fault, "count": 1})
    answer = _upsert(org)
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (status, code)
    assert _rows(org) == 0
    assert _upsert(org).status_code == 200
    assert org.control("stats")["faults"] == {fault: 1}


def test_the_orgs_own_refusals_tell_the_usage_and_the_edges_do_not(org: Caller) -> None:
    told = {}
    for fault in ("unavailable", "rate_limited", "html", "expired_token", "limit_exceeded"):
        org.faults({"fault": fault, "count": 1})
        told[fault] = "Sforce-Limit-Info" in _upsert(org).headers
    assert told == {"unavailable": False, "rate_limited": False, "html": False,
                    "expired_token": True, "limit_exceeded": True}  # fmt: skip


@pytest.mark.parametrize("fault", ["unavailable", "rate_limited"])
def test_a_wait_can_be_asked_for(org: Caller, fault: str) -> None:
    org.faults({"fault": fault, "count": 1, "retry_after": 7})
    assert _upsert(org).headers["Retry-After"] == "7"


def test_an_error_page_is_html(org: Caller) -> None:
    org.faults({"fault": "html", "count": 1})
    answer = _upsert(org)
    assert answer.status_code == 503
    assert answer.content_type == "text/html"
    assert answer.text.startswith("<html>")


def test_a_lost_answer_is_lost_after_the_write(org: Caller) -> None:
    org.faults({"fault": "lost_answer", "count": 1, "on": ["collections"]})
    with pytest.raises(ConnectionCut):
        _upsert(org)
    assert _rows(org) == 3


def test_a_cut_connection_is_cut_before_the_write(org: Caller) -> None:
    org.faults({"fault": "cut", "count": 1, "on": ["collections"]})
    with pytest.raises(ConnectionCut):
        _upsert(org)
    assert _rows(org) == 0


def test_truncated_json_comes_with_200_after_the_write(org: Caller) -> None:
    org.faults({"fault": "truncated", "count": 1})
    answer = _upsert(org)
    assert answer.status_code == 200
    assert answer.text.startswith("[{")
    assert not answer.text.endswith("]")
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert _rows(org) == 3


@pytest.mark.parametrize(
    ("method", "path", "shown"), [("PATCH", PATH, 2), ("GET", "/query?q=SELECT Id FROM Case", 2), ("GET", "/limits", 5)]
)
def test_a_shortened_list_lacks_its_last_result(org: Caller, method: str, path: str, shown: int) -> None:
    _upsert(org)
    org.faults({"fault": "short_list", "count": 1})
    found = org.send(method, path, {"records": ROWS} if method == "PATCH" else None).get_json()
    assert len(found.get("records", found) if isinstance(found, dict) else found) == shown


def test_an_answer_without_a_body_cannot_be_shortened(org: Caller) -> None:
    case_id = org.create("Case")
    org.faults({"fault": "short_list", "count": 1})
    assert org.send("DELETE", f"/sobjects/Case/{case_id}").status_code == 204


def test_latency_delays_and_changes_nothing(org: Caller) -> None:
    org.faults({"fault": "latency", "count": 1, "ms": 1})
    assert _upsert(org).status_code == 200
    assert org.control("stats")["faults"] == {"latency": 1}


def test_a_lock_refuses_single_rows(org: Caller) -> None:
    org.faults({"fault": "row_lock", "count": 1, "skip": 1})
    results = _upsert(org).get_json()
    assert [result["success"] for result in results] == [True, False, True]
    assert results[1]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert _rows(org) == 2


def test_a_lock_stops_single_writes_and_deletions_too(org: Caller) -> None:
    case_id = org.create("Case")
    org.faults({"fault": "row_lock", "count": 2})
    for method, body in (("PATCH", {"Subject": "a"}), ("DELETE", None)):
        answer = org.send(method, f"/sobjects/Case/{case_id}", body)
        assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "UNABLE_TO_LOCK_ROW")


def test_a_rate_hits_its_share_and_the_same_seed_hits_the_same_calls(org: Caller) -> None:
    runs = []
    for _ in range(2):
        org.faults({"fault": "unavailable", "rate": 0.2, "on": ["limits"]}, seed=11)
        runs.append([org.send("GET", "/limits").status_code for _ in range(100)])
    assert runs[0] == runs[1]
    assert 10 <= runs[0].count(503) <= 30


@pytest.mark.parametrize(
    ("aim", "hit"),
    [(["query"], "GET"), (["read"], "GET"), (["write"], "PATCH"), ("collections", "PATCH"), (["login"], "")],
)
def test_a_fault_hits_only_what_it_is_aimed_at(org: Caller, aim: Any, hit: str) -> None:
    org.faults({"fault": "unavailable", "on": aim})
    answers = {"GET": org.send("GET", "/query?q=SELECT Id FROM Case"), "PATCH": _upsert(org)}
    assert {method: answer.status_code == 503 for method, answer in answers.items()} == {
        method: method == hit for method in answers
    }


def test_logins_fail_only_when_named_and_are_no_api_calls(org: Caller) -> None:
    form = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    org.faults({"fault": "unavailable"})
    assert org.http.post("/services/oauth2/token", data=form).status_code == 200
    org.faults({"fault": "unavailable", "on": ["login"]})
    assert org.http.post("/services/oauth2/token", data=form).status_code == 503
    assert org.control("stats")["calls"] == 0


def test_control_calls_are_never_hit(org: Caller) -> None:
    org.faults({"fault": "unavailable"}, {"fault": "cut"})
    assert org.control("health")["ok"] is True


def test_every_mode_is_documented() -> None:
    text = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert [name for name in MODES if f"`{name}`" not in text] == []


def test_every_mode_is_known_by_its_name() -> None:
    plan = FaultPlan()
    plan.load({"rules": [{"fault": name} for name in MODES]})
    assert all(plan.strike(name, "query", writes=False) for name in MODES)


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "fire"},
        {"fault": "cut", "rate": 2},
        {"fault": "cut", "often": 1},
        {"fault": "cut", "on": ["colections"]},
        {},
        "cut",
    ],
)
def test_a_wrong_plan_is_refused_and_the_old_one_stays(org: Caller, rule: Any) -> None:
    org.faults({"fault": "unavailable"})
    answer = org.http.post("/sandbox/faults", json={"rules": [rule]})
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (400, "INVALID_INPUT")
    assert _upsert(org).status_code == 503


def test_a_plan_that_is_no_list_of_rules_is_refused() -> None:
    with pytest.raises(PlanInvalid):
        FaultPlan().load({"rules": [{"fault": "cut", "rate": "often"}]})
    with pytest.raises(PlanInvalid, match="must be a list"):
        FaultPlan().load({"rules": {}})


@pytest.mark.parametrize("aim", AIMS)
def test_a_fault_can_be_aimed_at_every_class_there_is(aim: str) -> None:
    FaultPlan().load({"rules": [{"fault": "cut", "on": [aim]}]})
