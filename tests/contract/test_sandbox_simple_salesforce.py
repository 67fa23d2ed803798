"""The judge of the sandbox is not ours: simple-salesforce, unmodified, over TLS."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.format import format_external_id, format_soql

from connector.crm.package import compose_zip
from sandbox.org import Config
from sandbox.server import SandboxServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """An org over TLS, with small pages, its certificate trusted by requests."""
    data = tmp_path_factory.mktemp("org")
    with pytest.MonkeyPatch.context() as patch, SandboxServer(data=data, tls=True, config=Config(page_size=50)) as org:
        patch.setenv("REQUESTS_CA_BUNDLE", str(org.certificate))
        yield org


def _token(server: SandboxServer) -> str:
    form = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    answer = requests.post(f"{server.url}/services/oauth2/token", data=form, timeout=10)
    found: str = answer.json()["access_token"]
    return found


def _code(error: Any) -> str:
    code: str = error.content[0]["errorCode"]
    return code


@pytest.fixture(scope="module")
def sf(server: SandboxServer) -> Any:
    """simple-salesforce, logged in by a token; the connector's package is deployed by its own REST call."""
    # Its attributes are made up as they are asked for (client.Contact), so its type says nothing.
    client: Any = Salesforce(instance_url=server.url, session_id=_token(server), version="66.0")
    files: Any = {
        "json": (None, json.dumps({"deployOptions": {"rollbackOnError": True}}), "application/json"),
        "file": ("deploy.zip", compose_zip(), "application/zip"),
    }
    headers = {"Authorization": f"Bearer {client.session_id}"}
    url = f"{client.base_url}metadata/deployRequest"
    started = requests.post(url, files=files, headers=headers, timeout=30).json()
    result = client.restful(f"metadata/deployRequest/{started['id']}", {"includeDetails": "true"})
    assert result["deployResult"]["success"] is True
    return client


def test_it_creates_reads_changes_and_deletes(sf: Any) -> None:
    made = sf.Contact.create({"LastName": "Lovelace", "Email": "ada@example.com"})
    assert made["success"] is True
    assert sf.Contact.update(made["id"], {"FirstName": "Ada"}) == 204
    assert sf.Contact.get(made["id"])["Name"] == "Ada Lovelace"
    assert sf.Contact.get_by_custom_id("Email", "ada@example.com")["Id"] == made["id"]
    assert sf.Contact.delete(made["id"]) == 204
    with pytest.raises(SalesforceResourceNotFound) as caught:
        sf.Contact.get(made["id"])
    assert _code(caught.value) == "ENTITY_IS_DELETED"


def test_it_upserts_by_an_external_id(sf: Any) -> None:
    key = format_external_id("Connector_Key__c", "tw/1?x#y z")
    assert [sf.Case.upsert(key, {"Subject": subject}) for subject in ("a", "b")] == [201, 200]
    found = sf.query(format_soql("SELECT Subject FROM Case WHERE Connector_Key__c = {}", "tw/1?x#y z"))
    assert [one["Subject"] for one in found["records"]] == ["b"]


def test_it_writes_collections_and_pages_through_all_of_them(sf: Any) -> None:
    rows = [
        {
            "attributes": {"type": "Channel_Interaction__c"},
            "Interaction_Key__c": f"key-{number}",
            "Channel__c": "social",
            "Network__c": "x",
            "Occurred_At__c": "2026-01-31T09:30:00.000Z",
        }
        for number in range(200)
    ]
    path = "composite/sobjects/Channel_Interaction__c/Interaction_Key__c"
    results = sf.restful(path, method="PATCH", json={"allOrNone": False, "records": rows})
    assert [result["success"] for result in results] == [True] * 200
    found = sf.query_all("SELECT Id, Interaction_Key__c, Occurred_At__c FROM Channel_Interaction__c")
    assert found["totalSize"] == len(found["records"]) == 200
    assert {one["Id"] for one in found["records"]} == {result["id"] for result in results}
    lazily = list(sf.query_all_iter("SELECT Id FROM Channel_Interaction__c ORDER BY Interaction_Key__c DESC"))
    assert len(lazily) == 200


def test_it_describes_the_org_and_its_objects(sf: Any) -> None:
    assert "Social_Profile__c" in {one["name"] for one in sf.describe()["sobjects"]}
    fields = {one["name"]: one for one in sf.Social_Profile__c.describe()["fields"]}
    assert fields["Profile_Key__c"]["externalId"] is True
    assert sf.Case.metadata()["objectDescribe"]["keyPrefix"] == "500"


def test_it_reads_the_limits_and_the_usage(sf: Any) -> None:
    limits = sf.limits()["DailyApiRequests"]
    assert 0 < limits["Remaining"] < limits["Max"]
    usage = sf.api_usage["api-usage"]
    assert (usage.total, usage.used > 0) == (limits["Max"], True)


def test_it_lists_what_changed_and_what_went(sf: Any) -> None:
    kept, gone = (sf.Account.create({"Name": name})["id"] for name in ("kept", "gone"))
    sf.Account.delete(gone)
    start, end = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
    assert [one["id"] for one in sf.Account.deleted(start, end)["deletedRecords"]] == [gone]
    assert kept in sf.Account.updated(start, end)["ids"]
    naive = [moment.replace(tzinfo=None) for moment in (start, end)]
    assert sf.Account.deleted(*naive)["deletedRecords"], "a naive time is sent with a colon at its end"


def test_it_makes_a_parent_and_its_child_in_one_call(sf: Any) -> None:
    account = {"method": "POST", "url": "/services/data/v66.0/sobjects/Account", "referenceId": "a",
               "body": {"Name": "Riverbend"}}  # fmt: skip
    contact = {"method": "POST", "url": "/services/data/v66.0/sobjects/Contact", "referenceId": "c",
               "body": {"LastName": "Field", "AccountId": "@{a.id}"}}  # fmt: skip
    body = {"allOrNone": True, "compositeRequest": [account, contact]}
    made = sf.restful("composite", method="POST", json=body)["compositeResponse"]
    assert [each["httpStatusCode"] for each in made] == [201, 201]
    assert sf.Contact.get(made[1]["body"]["id"])["AccountId"] == made[0]["body"]["id"]


def test_each_record_of_a_collection_has_its_own_answer(sf: Any) -> None:
    rows = [
        {"attributes": {"type": "Social_Profile__c"}, "Profile_Key__c": key, "Network__c": network}
        for key, network in (("good", "x"), ("bad", "carrier pigeon"), ("also good", "x"))
    ]
    path = "composite/sobjects/Social_Profile__c/Profile_Key__c"
    results = sf.restful(path, method="PATCH", json={"allOrNone": False, "records": rows})
    assert [each["success"] for each in results] == [True, False, True]
    assert results[1]["errors"][0]["statusCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"


def test_a_merge_shows_the_winner_on_the_loser(sf: Any, server: SandboxServer) -> None:
    kept, lost = (sf.Contact.create({"LastName": name})["id"] for name in ("Kept", "Lost"))
    case = sf.Case.create({"ContactId": lost})["id"]
    body = {"master": kept, "losers": [lost]}
    assert requests.post(f"{server.url}/sandbox/merge", json=body, timeout=10).status_code == 200
    query = format_soql("SELECT MasterRecordId, IsDeleted FROM Contact WHERE Id = {}", lost)
    (row,) = sf.query_all(query, include_deleted=True)["records"]
    assert (row["MasterRecordId"], row["IsDeleted"]) == (kept, True)
    assert sf.Case.get(case)["ContactId"] == kept


def test_its_errors_are_salesforces(sf: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.query("SELECT Nope FROM Contact")
    assert _code(caught.value) == "INVALID_FIELD"
    with pytest.raises(SalesforceMalformedRequest) as caught:
        sf.Contact.create({"FirstName": "Ada"})
    assert _code(caught.value) == "REQUIRED_FIELD_MISSING"


def test_it_hears_of_the_cap_and_of_an_ended_session(sf: Any, server: SandboxServer) -> None:
    server.org.faults.load({"rules": [{"fault": "limit_exceeded", "count": 1}]})
    with pytest.raises(SalesforceRefusedRequest) as refused:
        sf.query("SELECT Id FROM Contact")
    assert _code(refused.value) == "REQUEST_LIMIT_EXCEEDED"
    ended: Any = Salesforce(instance_url=server.url, session_id="ended", version="66.0")
    with pytest.raises(SalesforceExpiredSession):
        ended.query("SELECT Id FROM Contact")


@pytest.mark.parametrize(("fault", "written"), [("cut", 0), ("lost_answer", 1)])
def test_a_connection_can_be_cut_under_its_hands(sf: Any, server: SandboxServer, fault: str, written: int) -> None:
    server.org.faults.load({"rules": [{"fault": fault, "count": 1, "on": ["record_write"]}]})
    with pytest.raises(requests.ConnectionError):
        sf.Contact.create({"LastName": fault})
    assert sf.query(f"SELECT COUNT() FROM Contact WHERE LastName = '{fault}'")["totalSize"] == written


def test_without_the_certificate_nothing_is_trusted(server: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(f"{server.url}/sandbox/health", timeout=10)
