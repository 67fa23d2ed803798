"""The gateway against answers that go wrong, one by one."""

from __future__ import annotations

import socket
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from werkzeug.wrappers import Request, Response

from connector.crm.port import Outcome, Reading, Writing
from connector.crm.salesforce import SalesforceGateway
from connector.errors import (
    ConnectorError,
    CrmLoginFailed,
    CrmRateLimited,
    CrmRejected,
    CrmUnavailable,
    Misconfigured,
)
from sandbox.server import SandboxServer
from sandbox.tls import certificate
from tests.crm_org import settings_for
from tests.wire_stub import WireStub, answer, refusal, wire_stub

OBJ, KEY = "Social_Profile__c", "Profile_Key__c"
TIMEOUT = (1.0, 0.5)


class Hand:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def stub() -> Iterator[WireStub]:
    with wire_stub() as stub:
        yield stub


@pytest.fixture
def crm(stub: WireStub, hand: Hand) -> Iterator[SalesforceGateway]:
    gateway = SalesforceGateway(settings_for(stub.url), timeout=TIMEOUT, monotonic=hand, sleep=lambda _: None)
    yield gateway
    gateway.close()


def rows(*keys: str) -> list[dict[str, str]]:
    return [{KEY: key} for key in keys]


TRIGGER = "CaseTrigger: execution of AfterUpdate caused by: "


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (refusal(503, "SERVER_UNAVAILABLE"), CrmUnavailable),
        (refusal(500, "UNKNOWN_EXCEPTION"), CrmUnavailable),
        (Response("<html>We are down for maintenance.</html>", 503, content_type="text/html"), CrmUnavailable),
        (Response(b"", 406), CrmUnavailable),
        (Response(b"", 420), CrmRateLimited),
        (refusal(429, "TOO_MANY_REQUESTS"), CrmRateLimited),
        (refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), CrmRateLimited),
        (refusal(403, "API_DISABLED_FOR_ORG", "API is not enabled for this Organization"), Misconfigured),
        (refusal(403, "TXN_SECURITY_METERING_ERROR"), Misconfigured),
        (refusal(404, "NOT_FOUND"), Misconfigured),
        (refusal(410, "UNSUPPORTED_API_VERSION"), Misconfigured),
        (refusal(400, "INVALID_FIELD", "No such column 'X__c' on sobject of type Y"), Misconfigured),
        (refusal(400, "INVALID_TYPE"), Misconfigured),
        (refusal(400, "UNABLE_TO_LOCK_ROW"), CrmUnavailable),
        (refusal(415, "UNSUPPORTED_MEDIA_TYPE"), CrmRejected),
        (Response(b"", 302, {"Location": "https://evil.example/steal"}), Misconfigured),
        (Response(b'[{"id":"a00', 200, content_type="application/json"), CrmUnavailable),
        (Response("<html>", 200, content_type="text/html"), CrmUnavailable),
    ],
)
def test_a_whole_call_that_fails_raises_by_what_recovers_from_it(
    stub: WireStub, crm: SalesforceGateway, reply: Response, error: type[ConnectorError]
) -> None:
    stub.next(reply)
    with pytest.raises(error):
        crm.upsert(OBJ, KEY, rows("a"))
    assert len(stub.calls()) == 1


CODES = {
    Outcome.RETRY: """UNABLE_TO_LOCK_ROW UNABLE_TO_LOCK_RECORD SERVER_UNAVAILABLE SERVICE_UNAVAILABLE
        REQUEST_RUNNING_TOO_LONG QUERY_TIMEOUT UNKNOWN_EXCEPTION INTERNAL_SERVER_ERROR BAD_GATEWAY ORG_IN_MAINTENANCE
        INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE TOO_MANY_APEX_REQUESTS DUPLICATE_VALUE
        DUPLICATE_EXTERNAL_ID ALL_OR_NONE_OPERATION_ROLLED_BACK PROCESSING_HALTED INVALID_SESSION_ID SESSION_EXPIRED
        INVALID_AUTH_HEADER""",
    Outcome.WAIT: "REQUEST_LIMIT_EXCEEDED LIMIT_EXCEEDED EXCEEDED_QUOTA",
    Outcome.REMAP: "ENTITY_IS_DELETED INVALID_CROSS_REFERENCE_KEY",
    Outcome.HALT: """STORAGE_LIMIT_EXCEEDED API_CURRENTLY_DISABLED API_DISABLED_FOR_ORG INSUFFICIENT_ACCESS
        INSUFFICIENT_ACCESS_OR_READONLY INVALID_TYPE INVALID_FIELD INVALID_FIELD_FOR_INSERT_UPDATE
        TXN_SECURITY_METERING_ERROR TXN_SECURITY_NO_ACCESS TXN_SECURITY_FAIL_CLOSE""",
    Outcome.DEAD: """FIELD_CUSTOM_VALIDATION_EXCEPTION REQUIRED_FIELD_MISSING STRING_TOO_LONG
        INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST INVALID_EMAIL_ADDRESS DUPLICATES_DETECTED MALFORMED_ID
        CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY FIELD_FILTER_VALIDATION_EXCEPTION
        INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY A_CODE_OF_NEXT_YEAR""",
}


@pytest.mark.parametrize(
    ("code", "outcome"), [(code, outcome) for outcome, codes in CODES.items() for code in codes.split()]
)
def test_a_rows_code_decides_its_outcome(stub: WireStub, crm: SalesforceGateway, code: str, outcome: Outcome) -> None:
    error = {"statusCode": code, "message": "in the org's words", "fields": ["Handle__c"]}
    stub.next(answer([{"success": False, "errors": [error]}]))
    (result,) = crm.upsert(OBJ, KEY, rows("a"))
    assert (result.outcome, result.code, result.message) == (outcome, code, "in the org's words")


def test_a_parent_that_is_not_there_is_looked_up_though_its_code_says_field(
    stub: WireStub, crm: SalesforceGateway
) -> None:
    words = "Foreign key external ID: abc not found for field Profile_Key__c in entity Social_Profile__c"
    stub.next(answer([{"success": False, "errors": [{"statusCode": "INVALID_FIELD", "message": words}]}]))
    (result,) = crm.upsert("Case", "Connector_Key__c", [{"Connector_Key__c": "c"}])
    assert result.outcome is Outcome.REMAP


def test_a_lock_that_a_trigger_met_is_tried_again_though_its_code_says_trigger(
    stub: WireStub, crm: SalesforceGateway
) -> None:
    words = TRIGGER + "System.DmlException: Update failed. first error: UNABLE_TO_LOCK_ROW, unable to obtain exclusive"
    error = {"statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "message": words, "fields": []}
    stub.next(answer([{"success": False, "errors": [error]}]))
    (result,) = crm.upsert(OBJ, KEY, rows("a"))
    assert (result.outcome, result.code) == (Outcome.RETRY, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")


def slow_triggers(stub: WireStub, most: int) -> list[int]:
    """An org whose triggers run out of their limits with more than so many records; the sizes of the calls it gets."""
    sizes: list[int] = []

    def reply(request: Request) -> Response | None:
        stub.script.append(reply)
        count = len(orjson.loads(request.get_data())["records"])
        sizes.append(count)
        error = {"statusCode": "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "fields": [],
                 "message": TRIGGER + "System.LimitException: Apex CPU time limit exceeded"}  # fmt: skip
        return answer([{"success": False, "errors": [error]}] * count) if count > most else None

    stub.script.append(reply)
    return sizes


@pytest.mark.parametrize(
    ("most", "sizes"),
    [(200, [200]), (100, [200, 100, 100]), (60, [200, 100, 50, 50, 100, 50, 50]), (1, [200, 100, 50, 50, 100, 50, 50])],
)
def test_records_that_are_too_many_at_once_for_the_orgs_triggers_go_in_halves(
    stub: WireStub, crm: SalesforceGateway, most: int, sizes: list[int]
) -> None:
    seen = slow_triggers(stub, most)
    results = crm.upsert(OBJ, KEY, rows(*(f"k{number}" for number in range(200))))
    assert seen == sizes
    assert {each.outcome for each in results} == {Outcome.OK if most > 1 else Outcome.DEAD}
    assert all(each.crm_id for each in results) is (most > 1)


def test_too_many_calls_at_once_are_over_soon_and_no_daily_limit(stub: WireStub, crm: SalesforceGateway) -> None:
    words = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
    stub.next(refusal(403, "REQUEST_LIMIT_EXCEEDED", words), refusal(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests"))
    with pytest.raises(CrmRateLimited, match="at once") as soon:
        crm.upsert(OBJ, KEY, rows("a"))
    with pytest.raises(CrmRateLimited, match="API limit is reached") as late:
        crm.upsert(OBJ, KEY, rows("a"))
    assert (soon.value.retry_after, late.value.retry_after) == (20.0, 900.0)


def test_fewer_answers_than_records_settle_none_of_them(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.next(answer([{"id": "a00000000000001AAA", "success": True, "errors": [], "created": True}]))
    assert [each.outcome for each in crm.upsert(OBJ, KEY, rows("a", "b"))] == [Outcome.RETRY, Outcome.RETRY]


def poisoned(stub: WireStub, *poison: str) -> None:
    """Makes every call that carries one of these keys fail as a whole."""

    def reply(request: Request) -> Response | None:
        stub.script.append(reply)
        sent = {row[KEY] for row in orjson.loads(request.get_data())["records"]}
        return refusal(400, "JSON_PARSER_ERROR", "Unexpected character") if sent & set(poison) else None

    stub.script.append(reply)


@pytest.mark.parametrize("place", [0, 77, 199])
def test_one_poison_record_of_200_is_found_in_at_most_nine_more_calls(
    stub: WireStub, crm: SalesforceGateway, place: int
) -> None:
    poisoned(stub, f"k{place}")
    results = crm.upsert(OBJ, KEY, rows(*(f"k{number}" for number in range(200))))
    assert [at for at, each in enumerate(results) if each.outcome is Outcome.DEAD] == [place]
    assert sum(each.outcome is Outcome.OK for each in results) == 199
    assert results[place].code == "JSON_PARSER_ERROR"
    assert len(stub.calls()) <= 10


def test_a_batch_full_of_poison_stops_after_a_bounded_number_of_calls(stub: WireStub, crm: SalesforceGateway) -> None:
    keys = [f"k{number}" for number in range(200)]
    poisoned(stub, *keys)
    results = crm.upsert(OBJ, KEY, rows(*keys))
    assert {each.outcome for each in results} == {Outcome.DEAD, Outcome.RETRY}
    assert len(stub.calls()) <= 50


def test_a_connection_that_breaks_and_a_server_that_hangs_are_unavailable(
    stub: WireStub, crm: SalesforceGateway
) -> None:
    def hang(_request: Request) -> Response:
        time.sleep(TIMEOUT[1] + 0.3)
        return answer([])

    stub.next(hang)
    with pytest.raises(CrmUnavailable, match="timed out"):
        crm.upsert(OBJ, KEY, rows("a"))


@pytest.mark.parametrize(
    ("age", "is_known", "words"),
    [(900, True, "has expired"), (0, False, "is not trusted; set REQUESTS_CA_BUNDLE"), (0, True, "")],
)
def test_a_certificate_is_refused_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int, is_known: bool, words: str
) -> None:
    known, _ = certificate(tmp_path, datetime.now(UTC) - timedelta(days=age))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE" if is_known else "UNUSED", str(known))
    with SandboxServer(data=tmp_path, tls=True) as org:
        gateway = SalesforceGateway(settings_for(org.url), timeout=TIMEOUT)
        (login, *_) = gateway.check()
        gateway.close()
    assert login.ok is not bool(words)
    assert words in login.detail


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        (" 30 ", 30),
        ("999999999", 3600),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-1", None),
        ("\xb2", None),
    ],
)
def test_retry_after_reaches_the_caller(
    stub: WireStub, crm: SalesforceGateway, header: str, seconds: float | None
) -> None:
    stub.next(refusal(429, "TOO_MANY_REQUESTS", Retry_After=header))
    with pytest.raises(CrmRateLimited) as raised:
        crm.upsert(OBJ, KEY, rows("a"))
    assert raised.value.retry_after == seconds


def test_a_user_who_may_not_deploy_is_told_who_may(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.next(refusal(403, "INSUFFICIENT_ACCESS", "use of the Metadata API requires a user with Modify Metadata"))
    with pytest.raises(Misconfigured, match="Modify Metadata, or an administrator deploys"):
        crm.install(b"zip")


def test_the_orgs_own_figure_counts_not_the_apps(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.next(refusal(503, "SERVER_UNAVAILABLE", Sforce_Limit_Info="per-app-api-usage=1/2(appName=x); api-usage=9/10"))
    with pytest.raises(CrmUnavailable):
        crm.fields(OBJ)
    budget = crm.budget()
    assert budget is not None
    assert (budget.used, budget.total) == (9, 10)


def test_an_org_that_tells_no_limit_is_not_one_at_its_limit(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.next(answer([], Sforce_Limit_Info="api-usage=12/0"))
    crm.upsert(OBJ, KEY, rows("a"))
    budget = crm.budget()
    assert budget is not None
    assert budget.total == 5000, "what an earlier answer told stands"


def test_headers_survive_the_renewal_of_a_token(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.next(refusal(401, "INVALID_SESSION_ID"))
    crm.upsert(OBJ, KEY, rows("a"), assign=True)
    sent = [headers for method, _, headers, _ in stub.seen if method == "PATCH"]
    assert [each["Sforce-Auto-Assign"] for each in sent] == ["TRUE", "TRUE"]
    assert all("X-Prettyprint" not in {name.title() for name in each} for each in sent)
    assert sent[0]["Authorization"] != sent[1]["Authorization"]


@pytest.mark.parametrize(("status", "code"), [(401, "ANY"), (403, "INVALID_SESSION_ID"), (400, "INVALID_AUTH_HEADER")])
def test_a_session_that_has_ended_is_renewed_in_the_middle_of_a_call(
    stub: WireStub, crm: SalesforceGateway, status: int, code: str
) -> None:
    stub.next(refusal(status, code))
    assert [each.outcome for each in crm.upsert(OBJ, KEY, rows("a", "b"))] == [Outcome.OK, Outcome.OK]
    assert crm.calls().logins == 2


def test_a_token_that_is_refused_at_once_is_not_renewed_for_ever(
    stub: WireStub, crm: SalesforceGateway, hand: Hand
) -> None:
    def refuse(_request: Request) -> Response:
        stub.script.append(refuse)
        return refusal(401, "INVALID_SESSION_ID")

    stub.script.append(refuse)
    for _ in range(10):
        with pytest.raises(CrmLoginFailed):
            crm.upsert(OBJ, KEY, rows("a"))
    assert crm.calls().logins <= 6


def test_a_dead_grant_is_tried_three_times_then_left_alone_until_time_has_passed(
    stub: WireStub, crm: SalesforceGateway, hand: Hand
) -> None:
    dead = {"error": "invalid_grant", "error_description": "no client credentials user enabled"}
    stub.token_answers.extend(answer(dead, 400) for _ in range(3))
    for _ in range(8):
        with pytest.raises(CrmLoginFailed, match="run-as user") as raised:
            crm.fields(OBJ)
        assert raised.value.retry_after
    assert crm.calls().logins == 3
    hand.now += 61
    assert crm.fields(OBJ) is not None


def test_a_token_endpoint_that_is_away_kills_no_grant(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.token_answers.extend(Response(b"", 503) for _ in range(5))
    for _ in range(5):
        with pytest.raises(CrmUnavailable):
            crm.fields(OBJ)
    assert crm.fields(OBJ) is not None


def test_an_instance_outside_salesforce_is_never_called(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.token_answers.append(answer({"access_token": "t", "instance_url": "https://evil.example"}))
    with pytest.raises(Misconfigured, match="outside"):
        crm.fields(OBJ)


def test_client_credentials_go_by_basic_and_never_in_the_body(stub: WireStub, crm: SalesforceGateway) -> None:
    crm.fields(OBJ)
    _, _, headers, body = stub.seen[0]
    assert b64decode(headers["Authorization"].removeprefix("Basic ")) == b"sandbox-client:sandbox-secret"
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"]}


def test_a_jwt_bearer_is_signed_for_the_audience_and_short_lived(stub: WireStub) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    settings = replace(
        settings_for(stub.url),
        private_key=pem,
        username="integration@example.test",
        audience="https://x.salesforce.com",
    )
    gateway = SalesforceGateway(settings, timeout=TIMEOUT)
    gateway.fields(OBJ)
    gateway.close()
    form = parse_qs(stub.seen[0][3].decode())
    claims: dict[str, Any] = jwt.decode(
        form["assertion"][0], key.public_key(), ["RS256"], audience="https://x.salesforce.com"
    )
    assert (claims["iss"], claims["sub"]) == ("sandbox-client", "integration@example.test")
    assert claims["exp"] <= time.time() + 300


@pytest.mark.parametrize("behind", [-7200.0, 7200.0])
def test_a_jwt_bearer_goes_by_the_orgs_clock_where_this_machines_is_wrong(stub: WireStub, behind: float) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
    stub.clock_behind = behind
    stub.token_answers.append(answer({"error": "invalid_grant", "error_description": "expired"}, 400))
    gateway = SalesforceGateway(settings_for(stub.url, private_key=pem, username="u@example.org"), timeout=TIMEOUT)
    assert gateway.fields(OBJ) is not None
    gateway.close()
    assertions = [parse_qs(body.decode())["assertion"][0] for _, path, _, body in stub.seen if "oauth2" in path]
    expiries = [jwt.decode(each, options={"verify_signature": False})["exp"] for each in assertions]
    assert abs(expiries[1] - expiries[0] + behind) < 60


def test_a_refusal_for_another_reason_than_the_clock_is_not_tried_twice_at_once(stub: WireStub) -> None:
    stub.token_answers.append(answer({"error": "invalid_grant", "error_description": "user hasn't approved"}, 400))
    gateway = SalesforceGateway(settings_for(stub.url), timeout=TIMEOUT)
    with pytest.raises(CrmLoginFailed):
        gateway.fields(OBJ)
    gateway.close()
    assert gateway.calls().logins == 1


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        ("unknown_error", CrmUnavailable, "retry your request"),
        ("rate_limit_exceeded", CrmRateLimited, "no more logins"),
        ("inactive_org", CrmLoginFailed, "suspended"),
    ],
)
def test_a_token_endpoint_that_asks_for_patience_blames_no_setting(
    stub: WireStub, crm: SalesforceGateway, error: str, expected: type[ConnectorError], words: str
) -> None:
    stub.token_answers.append(answer({"error": error, "error_description": "retry your request"}, 400))
    with pytest.raises(expected, match=words):
        crm.fields(OBJ)


def test_a_token_endpoint_that_is_not_there_is_told_as_an_address(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.token_answers.append(refusal(404, "NOT_FOUND"))
    with pytest.raises(Misconfigured, match="check CONNECTOR_CRM_URL"):
        crm.fields(OBJ)


def test_a_private_key_that_is_none_is_told_as_a_setting(stub: WireStub) -> None:
    gateway = SalesforceGateway(replace(settings_for(stub.url), private_key="not a key"), timeout=TIMEOUT)
    with pytest.raises(Misconfigured, match="CONNECTOR_CRM_PRIVATE_KEY"):
        gateway.fields(OBJ)
    gateway.close()


def test_a_netrc_entry_never_replaces_the_token(
    stub: WireStub, crm: SalesforceGateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\n", encoding="ascii")
    monkeypatch.setenv("NETRC", str(netrc))
    assert crm.fields(OBJ) is not None
    assert stub.seen[-1][2]["Authorization"].startswith("Bearer ")


def test_a_failed_deployment_is_told_in_the_orgs_words(stub: WireStub, crm: SalesforceGateway) -> None:
    failure = {"componentType": "CustomField", "fullName": "Case.Channel__c", "problem": "Not a valid picklist"}
    result = {"done": True, "success": False, "status": "Failed", "details": {"componentFailures": [failure]}}
    stub.next(
        answer({"id": "0Af1"}, 201),
        answer({"deployResult": {"done": False, "status": "InProgress"}}),
        answer({"deployResult": result}),
    )
    with pytest.raises(CrmRejected, match=r"Case\.Channel__c: Not a valid picklist"):
        crm.install(b"zip")


def test_check_names_what_is_missing_and_the_cure(stub: WireStub) -> None:
    writes = {OBJ: Writing((KEY, "Nowhere__c")), "Missing__c": Writing(("K__c",))}
    gateway = SalesforceGateway(settings_for(stub.url), writes=writes, timeout=TIMEOUT)
    wrong = {each.name: each for each in gateway.check() if not each.ok}
    gateway.close()
    assert "Nowhere__c" in wrong[f"CRM object {OBJ}"].detail
    assert "connector crm install" in wrong["CRM object Missing__c"].cure


def test_check_tells_what_cannot_be_read_and_passes_over_what_the_org_does_not_have(stub: WireStub) -> None:
    reads = {
        OBJ: Reading(("Handle__c", "Unseen__c")),
        "Case": Reading(("Connector_Key__c", "Unseen__c"), is_needed=False),
        "Contact": Reading(("Handle__c",)),
        "Lost__c": Reading(("Id",)),
        "LiveChatTranscript": Reading(("Body",), is_needed=False),
    }
    gateway = SalesforceGateway(settings_for(stub.url), reads=reads, timeout=TIMEOUT)
    found = {each.name.removeprefix("CRM reading "): each for each in gateway.check()}
    gateway.close()
    assert {name for name, each in found.items() if not each.ok} == {OBJ, "Lost__c"}
    assert found[OBJ].detail == "the run-as user does not see Unseen__c"
    assert "Cross_Channel_Integration" in found[OBJ].cure
    assert "read without Unseen__c" in found["Case"].detail
    assert "nothing is read of it" in found["LiveChatTranscript"].detail


def test_a_long_list_of_deletions_is_asked_for_in_parts(stub: WireStub, crm: SalesforceGateway) -> None:
    crm.upsert(OBJ, KEY, rows("a"))
    stub.records[OBJ]["a"]["IsDeleted"] = True
    until = crm.now()
    stub.next(refusal(400, "EXCEEDED_ID_LIMIT"))
    told = crm.deleted(OBJ, until - timedelta(hours=2), until)
    assert len(set(told.ids)) == 1
    assert told.covered_until == until.replace(microsecond=0)
    assert len(stub.calls()) == 4


@pytest.mark.parametrize("ask", ["changed", "keyed"])
def test_an_answer_that_lacks_records_is_no_answer(stub: WireStub, crm: SalesforceGateway, ask: str) -> None:
    crm.upsert(OBJ, KEY, rows("a", "b"))
    short = {"totalSize": 2, "done": True, "records": [dict(stub.records[OBJ]["a"])]}
    stub.next(answer(short))
    with pytest.raises(CrmUnavailable, match="lacks records"):
        crm.keyed(OBJ, KEY, ["a", "b"]) if ask == "keyed" else list(crm.changed(OBJ, ["Id"], None))


def test_a_page_in_the_middle_that_lacks_records_is_no_page(stub: WireStub, crm: SalesforceGateway) -> None:
    def page(number: int, shown: int, *, more: bool) -> Response:
        following = {"nextRecordsUrl": f"/services/data/v66.0/query/01g-{number * 2}"} if more else {}
        return answer(
            {"totalSize": 6, "done": not more, "records": [{"Id": str(at)} for at in range(shown)], **following}
        )

    stub.next(page(1, 2, more=True), page(2, 1, more=True))
    read = crm.changed(OBJ, ["Id"], None)
    assert [next(read)["Id"], next(read)["Id"]] == ["0", "1"]
    with pytest.raises(CrmUnavailable, match="lacks records"):
        next(read)


@pytest.mark.parametrize(
    ("url", "proxy", "words"),
    [
        ("https://nobody-at-all.salesforce.com", "http://127.0.0.1:9", "the proxy that HTTPS_PROXY or HTTP_PROXY"),
        ("http://127.0.0.1:9", "", "the connection failed or was closed"),
    ],
)
def test_what_stands_between_here_and_the_org_is_named(
    monkeypatch: pytest.MonkeyPatch, url: str, proxy: str, words: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    gateway = SalesforceGateway(settings_for(url), timeout=TIMEOUT)
    with pytest.raises(CrmUnavailable, match=words):
        gateway.fields(OBJ)
    gateway.close()


def test_a_name_that_nobody_knows_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_args: Any, **_kwargs: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    gateway = SalesforceGateway(settings_for("https://misspelt.my.salesforce.com"), timeout=TIMEOUT)
    with pytest.raises(CrmUnavailable, match="no such name is known"):
        gateway.fields(OBJ)
    gateway.close()


def test_calls_are_counted_by_kind_of_path_not_by_record_or_page(stub: WireStub, crm: SalesforceGateway) -> None:
    for number in range(3):
        page = {
            "totalSize": 1,
            "done": False,
            "records": [],
            "nextRecordsUrl": f"/services/data/v66.0/query/01gxx000000000{number}AAA-0",
        }
        stub.next(answer(page), answer(page | {"totalSize": 0, "done": True}))
        assert list(crm.changed(OBJ, ["Id"], None)) == []
    assert crm.calls().by_path["GET /services/data/v66.0/query/…"] == 3
    assert len(crm.calls().by_path) == 2


def test_the_orgs_clock_is_known_before_the_first_call(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.clock_behind = 3 * 3600
    assert abs(datetime.now(UTC) - crm.now() - timedelta(hours=3)) < timedelta(minutes=1)
    assert stub.calls() == []


def test_check_stops_at_a_login_that_fails(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.token_answers.append(answer({"error": "invalid_client", "error_description": "invalid"}, 400))
    (only,) = crm.check()
    assert (only.name, only.ok) == ("CRM login", False)
    assert "CONNECTOR_CRM_CLIENT_SECRET" in only.detail


def test_a_version_that_the_org_does_not_serve_is_told_as_a_setting(stub: WireStub, crm: SalesforceGateway) -> None:
    stub.next(refusal(404, "NOT_FOUND"))
    (only,) = crm.check()
    assert "CONNECTOR_CRM_API_VERSION" in only.detail


def test_an_org_that_calls_itself_by_another_name_of_this_machine_is_reached(stub: WireStub) -> None:
    url = stub.url
    stub.url = url.replace("127.0.0.1", "localhost")
    gateway = SalesforceGateway(settings_for(url), timeout=TIMEOUT)
    assert gateway.fields(OBJ) is not None
    gateway.close()
