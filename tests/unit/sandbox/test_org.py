"""The org as a whole: describe, figures, digest, what a restart keeps, and its life as a server."""

from __future__ import annotations

import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from connector.crm.package import compose_zip
from sandbox.__main__ import main
from sandbox.app import create_sandbox
from sandbox.database import DataUnusable, quoted
from sandbox.deploy import deploy
from sandbox.org import Config, wall_clock
from sandbox.server import SandboxServer
from sandbox.tls import certificate
from tests.unit.sandbox.conftest import Caller, Clock, MakeOrg


def _field(org: Caller, name: str, field: str) -> dict[str, Any]:
    fields = org.send("GET", f"/sobjects/{name}/describe").get_json()["fields"]
    found: dict[str, Any] = next(one for one in fields if one["name"] == field)
    return found


def test_describe_tells_keys_lookups_picklists_and_what_may_be_written(org: Caller) -> None:
    key = _field(org, "Case", "Connector_Key__c")
    assert (key["externalId"], key["unique"], key["caseSensitive"], key["idLookup"], key["length"]) == (
        True, True, True, True, 120,
    )  # fmt: skip
    lookup = _field(org, "Case", "Social_Profile__c")
    assert (lookup["type"], lookup["referenceTo"], lookup["relationshipName"]) == (
        "reference", ["Social_Profile__c"], "Social_Profile__r",
    )  # fmt: skip
    channel = _field(org, "Case", "Channel__c")
    assert channel["restrictedPicklist"] is True
    assert {"value": "email", "label": "E-mail", "active": True, "validFor": None, "defaultValue": False} in channel[
        "picklistValues"
    ]
    formula = _field(org, "Case", "First_Response_Seconds__c")
    assert (formula["calculated"], formula["createable"], formula["updateable"]) == (True, False, False)
    assert _field(org, "Case", "SuppliedEmail")["updateable"] is False
    assert _field(org, "Case", "CreatedDate")["createable"] is True, "the org may set times of the past"
    assert _field(org, "Social_Profile__c", "Profile_Key__c")["nillable"] is False


def test_describe_tells_child_relationships(org: Caller) -> None:
    children = org.send("GET", "/sobjects/Contact/describe").get_json()["childRelationships"]
    named = {(one["childSObject"], one["field"]): one["relationshipName"] for one in children}
    assert named["Channel_Interaction__c", "Contact__c"] == "Channel_Interactions__r"
    assert named["Case", "ContactId"] == "Cases"


def test_the_list_of_objects_holds_standard_and_custom_ones(org: Caller) -> None:
    found = {one["name"]: one for one in org.send("GET", "/sobjects/").get_json()["sobjects"]}
    assert found["Social_Profile__c"]["custom"] is True
    assert found["Case"]["keyPrefix"] == "500"
    standard = (
        "Account Contact CaseComment Task EmailMessage LiveChatTranscript MessagingSession MessagingEndUser User "
        "Organization Individual PermissionSetAssignment"
    )
    assert set(standard.split()) <= set(found)
    assert org.send("GET", "/sobjects/Case").get_json()["objectDescribe"]["label"] == "Case"


def test_stats_tell_calls_by_class_and_rows(org: Caller) -> None:
    case_id = org.create("Case")
    org.soql("SELECT Id FROM Case")
    org.send("DELETE", f"/sobjects/Case/{case_id}")
    org.upsert("Case", "Connector_Key__c", {"Connector_Key__c": "a"})
    stats = org.control("stats")
    assert stats["by_class"] == {"collections": 1, "query": 1, "record_write": 2}
    assert (stats["calls"], stats["write_calls"]) == (4, 3)
    assert (stats["rows_created"], stats["rows_updated"], stats["rows_deleted"]) == (2, 0, 1)


def _fill(org: Caller, order: int) -> None:
    rows = [{"Profile_Key__c": key, "Network__c": "x"} for key in ("p1", "p2")][::order]
    contact = org.create("Contact", LastName="Doe")
    org.upsert("Social_Profile__c", "Profile_Key__c", *rows)
    org.upsert("Case", "Connector_Key__c", {"Connector_Key__c": "c", "Social_Profile__r": {"Profile_Key__c": "p2"},
                                            "ContactId": contact, "Status": "Closed"})  # fmt: skip


def test_the_digest_is_of_content_and_not_of_ids_or_times(make_org: MakeOrg) -> None:
    first, second = make_org(), make_org()
    for caller, order in ((first, 1), (second, -1)):
        deploy(caller.org, compose_zip(), {})
        _fill(caller, order)
        caller.clock.move(seconds=100)
    second.create("Account", Name="other")
    assert first.control("digest") != second.control("digest")
    second.send("DELETE", f"/sobjects/Account/{second.column('SELECT Id FROM Account')[0]}")
    first_account = first.create("Account", Name="other")
    first.send("DELETE", f"/sobjects/Account/{first_account}")
    assert first.control("digest") == second.control("digest")
    assert first.control("digest")["objects"]["Social_Profile__c"]["rows"] == 2
    first.upsert("Case", "Connector_Key__c", {"Connector_Key__c": "c", "Social_Profile__r": {"Profile_Key__c": "p1"}})
    assert first.control("digest") != second.control("digest"), "a case that points elsewhere is other content"


def test_a_restart_keeps_rows_and_schema_and_ends_sessions(make_org: MakeOrg, tmp_path: Path) -> None:
    first = make_org(data=tmp_path / "org")
    deploy(first.org, compose_zip(), {})
    _fill(first, 1)
    before = (first.control("digest"), first.column("SELECT SystemModstamp FROM Case"), first.org.org_id)
    first.org.db.close()
    second = make_org(data=tmp_path / "org")
    assert (second.control("digest"), second.column("SELECT SystemModstamp FROM Case"), second.org.org_id) == before
    assert second.send("GET", "/limits", headers=first.headers).status_code == 401
    second.create("Case")
    assert len(set(second.column("SELECT CaseNumber FROM Case"))) == 2
    assert second.column("SELECT SystemModstamp FROM Case ORDER BY SystemModstamp DESC")[0] > before[1][0]


def test_a_reset_forgets_everything(make_org: MakeOrg) -> None:
    org = make_org()
    deploy(org.org, compose_zip(), {})
    _fill(org, 1)
    org.faults({"fault": "unavailable"})
    org.control("reset", {})
    org.log_in()
    assert org.send("GET", "/sobjects/Social_Profile__c").status_code == 404
    assert org.soql("SELECT Id FROM Case") == []
    assert org.column("SELECT IsSandbox FROM Organization") == [True]
    deploy(org.org, compose_zip(), {})
    _fill(org, 1)


def _insert_and_fail(org: Caller, name: str) -> None:
    with org.org.db.transaction():
        org.org.insert("Profile", Name=name)
        raise RuntimeError(name)


def _profiles(org: Caller) -> list[str]:
    names = ("outer", "inner", "kept")
    rows = org.org.db.all("SELECT Name FROM Profile WHERE Name IN (?, ?, ?) ORDER BY Name", names)
    return [row[0] for row in rows]


def test_a_failed_write_leaves_nothing_behind(org: Caller) -> None:
    with pytest.raises(RuntimeError, match="outer"):
        _insert_and_fail(org, "outer")
    with org.org.db.transaction():
        with org.org.db.transaction():
            org.org.insert("Profile", Name="kept")
        with pytest.raises(RuntimeError, match="inner"):
            _insert_and_fail(org, "inner")
    assert _profiles(org) == ["kept"]
    with org.org.db.transaction():
        org.org.db.run("DELETE FROM Profile WHERE Name = 'kept'")


@pytest.mark.parametrize("name", ['Case" --', "", "1a", "a b"])
def test_only_api_names_become_sql(name: str) -> None:
    with pytest.raises(ValueError, match="not an API name"):
        quoted(name)


def test_the_clock_of_the_wall_is_the_default() -> None:
    app = create_sandbox(config=Config(username="admin@sandbox.test"))
    org = app.extensions["sandbox"]
    assert abs(org.clock() - wall_clock()) < 60_000
    with org.db.transaction():
        assert org.db.all("SELECT Username FROM User") == [("admin@sandbox.test",)]
    org.db.close()


def test_it_serves_on_a_port_of_its_own_and_cuts_connections() -> None:
    with SandboxServer(clock=Clock()) as server:
        config = server.org.config
        form = {"grant_type": "client_credentials"}
        login = (config.client_id, config.client_secret)
        token = requests.post(f"{server.url}/services/oauth2/token", form, auth=login, timeout=10).json()
        assert token["instance_url"] == server.url
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        for fault in ("cut", "lost_answer"):
            rules = {"rules": [{"fault": fault, "count": 1}]}
            requests.post(f"{server.url}/sandbox/faults", json=rules, timeout=10)
            with pytest.raises(requests.ConnectionError):
                requests.post(f"{server.url}/services/data/v66.0/sobjects/Case", json={}, headers=headers, timeout=10)
        found = requests.get(f"{server.url}/services/data/v66.0/query", {"q": "SELECT COUNT() FROM Case"},
                             headers=headers, timeout=10)  # fmt: skip
        assert found.json()["totalSize"] == 1, "the first was cut before it wrote, the second after"


def test_the_certificate_is_made_once_and_kept_private(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path / "org")
    content = cert.read_bytes()
    assert certificate(tmp_path / "org") == (cert, key)
    assert cert.read_bytes() == content
    assert key.stat().st_mode & 0o077 == 0
    assert ssl.create_default_context(cafile=str(cert)).get_ca_certs()[0]["subjectAltName"][0] == ("DNS", "localhost")


def test_without_a_folder_the_certificate_is_temporary() -> None:
    cert, key = certificate(None)
    assert cert.parent == key.parent
    assert cert.is_file()


@contextmanager
def _foreground(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The org as people start it, and its address."""
    command = [sys.executable, "-u", "-m", "sandbox", "--port", "0", "--data", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()[3]
        process.kill()


@pytest.mark.chaos
def test_what_was_answered_survives_a_kill_and_an_interrupt_ends_it_quietly(tmp_path: Path) -> None:
    form = {"grant_type": "client_credentials", "client_id": "sandbox-client", "client_secret": "sandbox-secret"}
    with _foreground(tmp_path) as (process, url):
        token = requests.post(f"{url}/services/oauth2/token", form, timeout=10).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        made = requests.post(f"{url}/services/data/v66.0/sobjects/Case", json={}, headers=headers, timeout=10).json()
        process.kill()
    with _foreground(tmp_path) as (process, url):
        digest = requests.get(f"{url}/sandbox/digest", timeout=10).json()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert made["success"] is True
    assert digest["objects"]["Case"]["rows"] == 1
    assert (process.returncode, errors) == (0, "")


def test_a_fault_of_the_org_itself_is_an_unknown_exception(make_org: MakeOrg) -> None:
    org = make_org()
    org.org.db.close()
    answer = org.send("GET", "/query?q=SELECT Id FROM Case")
    assert (answer.status_code, answer.get_json()[0]["errorCode"]) == (500, "UNKNOWN_EXCEPTION")


def test_a_disk_that_fills_while_the_org_is_founded_makes_its_folder_unusable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables fit, the first rows do not: whoever starts it is told of the folder, not of a statement."""
    connect = sqlite3.connect

    def on_a_small_disk(*given: Any, **more: Any) -> sqlite3.Connection:
        made: sqlite3.Connection = connect(*given, **more)
        made.execute("PRAGMA max_page_count=20")
        return made

    monkeypatch.setattr(sqlite3, "connect", on_a_small_disk)
    with pytest.raises(DataUnusable, match=r"org\.sqlite3 cannot be used \(database or disk is full\)"):
        create_sandbox(tmp_path)


def test_the_org_by_itself_says_in_a_sentence_why_it_cannot_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for words, cure in (
            (("--port", port), "choose another --port"),
            (("--port", "0", "--data", str(tmp_path / "file")), "choose another --data folder"),
        ):
            answer = CliRunner().invoke(main, words)
            assert (answer.exit_code, cure in answer.stderr) == (1, True)
    assert CliRunner().invoke(main, ["--port", "70000"]).exit_code == 2
