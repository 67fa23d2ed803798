"""The API: idempotency, paging, what each role sees, and the description generated from the code."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from connector.errors import ConnectorError
from connector.flows.ingest import ingest_once
from connector.flows.receive import Receiver
from connector.store.tables import (
    audit,
    cases,
    crm_contacts,
    deliveries,
    idempotency,
    interactions,
    ledger,
    links,
    outbox,
)
from connector.store.unit_of_work import Store
from connector.web.api import OPERATIONS
from connector.web.errors import WORDS, Trouble, problem_response, status_of
from tests.conftest import FakeClock
from tests.web.conftest import Site, standing
from tests.web.seed import LONG, MARA, TOMAS, Seed, small_world

CASE = {
    "type": "message.created",
    "timestamp": "2026-02-02T11:59:00Z",
    "data": {
        "network": "discourse",
        "author": {"id": "77", "handle": "ola_n", "role": "customer"},
        "message": {"id": "post-1", "kind": "comment", "text": "The lamp flickers."},
    },
}


@pytest.fixture
def site(any_store: Store, clock: FakeClock) -> Iterator[Site]:
    """The site around an empty store, on either database."""
    with standing(any_store, clock) as found:
        yield found


def count(site: Site, table: Any) -> int:
    """Rows of a table."""
    with site.ctx.store.read() as connection:
        return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def consent(site: Site, profile_id: str, contact_id: str = MARA, **more: Any) -> dict[str, Any]:
    """The body of a recorded yes."""
    notice = site.ctx.consent.current("phone", "en", site.ctx.clock())
    assert notice is not None
    return {
        "account": profile_id,
        "contact_id": contact_id,
        "method": "agent_phone",
        "notice": {"id": "phone", "version": notice.version, "lang": "en"},
        "answers": {"service": True},
        "evidence": {"wording": notice.rendered("Fjordpost"), "customer_words": "yes, please", "ref": "call-9"},
        **more,
    }


def test_a_posted_case_is_stored_and_answered_and_nothing_else(site: Site) -> None:
    """The worker makes a case of it later; the request only keeps it."""
    answer = site.api("POST", "/cases", role="ingest", json=CASE)
    assert answer.status_code == 202
    assert answer.json["status"] == "accepted"
    assert answer.json["duplicate"] is False
    with site.ctx.store.read() as connection:
        row = connection.execute(select(deliveries)).one()
    assert (row.source, row.state, json.loads(row.body)) == ("api", "new", CASE)
    assert count(site, cases) == count(site, interactions) == 0
    assert site.api("POST", "/cases", role="ingest", json=CASE).json["duplicate"] is True
    assert count(site, deliveries) == 1


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"data": "{nope", "content_type": "application/json"}, 400, "payload_unreadable"),
        ({"data": "type=x", "content_type": "application/x-www-form-urlencoded"}, 400, "payload_unreadable"),
        ({"json": {"type": "message.created"}}, 422, "input_invalid"),
        ({"json": CASE, "headers": {"Content-Encoding": "gzip"}}, 415, "encoding_refused"),
        ({"data": b"1" * 1_048_577, "content_type": "application/json"}, 413, "payload_too_large"),
        ({"json": CASE, "headers": {"Idempotency-Key": "x" * 201}}, 422, "input_invalid"),
    ],
)
def test_a_body_that_cannot_be_taken_is_refused_with_its_code(
    site: Site, more: dict[str, Any], status: int, code: str
) -> None:
    """And nothing is stored."""
    answer = site.api("POST", "/cases", role="ingest", **more)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert answer.content_type == "application/problem+json"
    assert count(site, deliveries) == 0


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"data": CASE["data"]}, "body.event.type: Field required."),
        ([CASE, {"type": "message.created"}], "body.events.1.data: Field required."),
        ([1], "body.events.0: Input should be a valid dictionary or instance of SocialCase."),
        ("case", "body.event: Input should be a valid dictionary or instance of SocialCase."),
    ],
)
def test_a_wrong_case_is_told_as_what_was_sent(site: Site, body: Any, told: str) -> None:
    """One event or a list: a fault in the one is not told as a fault of the other too."""
    assert site.api("POST", "/cases", role="ingest", json=body).json["detail"] == told


def test_the_same_key_gives_the_same_answer_and_acts_once(site: Site, seed: Seed) -> None:
    """A program that never heard the answer may ask again."""
    ids = small_world(seed)
    headers = {"Idempotency-Key": "call-9"}
    body = consent(site, ids["unknown"], TOMAS)
    first = site.api("POST", "/consent/records", role="agent", json=body, headers=headers)
    again = site.api("POST", "/consent/records", role="agent", json=body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.data == again.data
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    with site.ctx.store.read() as connection:
        made = connection.execute(select(func.count()).where(links.c.contact_id == TOMAS)).scalar_one()
    assert made == 1


def test_a_key_belongs_to_one_request(site: Site) -> None:
    """With another body it is refused, and the first answer stays."""
    headers = {"Idempotency-Key": "k1"}
    first = site.api("POST", "/cases", role="ingest", json=CASE, headers=headers)
    other = site.api("POST", "/cases", role="ingest", json={**CASE, "timestamp": None}, headers=headers)
    assert (other.status_code, other.json["code"]) == (422, "idempotency_conflict")
    assert site.api("POST", "/cases", role="ingest", json=CASE, headers=headers).data == first.data
    elsewhere = site.api("POST", "/cases", role="admin", json={**CASE, "timestamp": None}, headers=headers)
    assert elsewhere.status_code == 202


def test_refusals_are_kept_too(site: Site, seed: Seed) -> None:
    """The same key gives the same refusal, even once the request would pass."""
    ids = small_world(seed)
    headers = {"Idempotency-Key": "k2"}
    body = consent(site, ids["unknown"], "003zz0000000009AAA")
    first = site.api("POST", "/consent/records", role="agent", json=body, headers=headers)
    assert first.status_code in (404, 422)
    seed.contact("003zz0000000009AAA", "Late", "Comer")
    again = site.api("POST", "/consent/records", role="agent", json=body, headers=headers)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.content_type == "application/problem+json"


def test_a_request_still_at_work_makes_its_twin_wait_but_not_for_ever(site: Site, clock: FakeClock) -> None:
    """A process that died with the key in hand frees it after a minute."""
    headers = {"Idempotency-Key": "k3"}
    site.api("POST", "/cases", role="ingest", json=CASE, headers=headers)
    with site.ctx.store.begin() as uow:
        uow.connection.execute(idempotency.update().values(status=0, body=b""))
    busy = site.api("POST", "/cases", role="ingest", json=CASE, headers=headers)
    assert (busy.status_code, busy.json["code"]) == (409, "conflict")
    clock.move(seconds=61)
    assert site.api("POST", "/cases", role="ingest", json=CASE, headers=headers).status_code == 202


def test_consent_opens_the_gate_and_withdrawal_closes_it(site: Site, seed: Seed) -> None:
    """From asking to undoing, as another program would do it."""
    ids = small_world(seed)
    gate = f"/permits?account={ids['unknown']}&operation=crm.case.attach"
    assert site.api("GET", gate, role="agent").json["reason"] == "no_link"
    made = site.api("POST", "/consent/records", role="agent", json=consent(site, ids["unknown"], TOMAS)).json
    allowed = site.api("GET", gate, role="agent").json
    assert (allowed["allow"], allowed["contact_id"]) == (True, TOMAS)
    listed = site.api("GET", f"/links?contact={TOMAS}", role="agent").json["items"]
    assert [(each["id"], each["state"]) for each in listed] == [(made["link"], "active")]
    undone = site.api("POST", f"/links/{made['link']}/withdraw", role="agent", json={"words": "stop"}).json
    assert undone["receipt"][0]["state"] == "withdrawn"
    denied = site.api("GET", gate, role="agent").json
    assert (denied["allow"], denied["reason"]) == (False, "withdrawn")
    records = site.api("GET", f"/consent/records?account={ids['unknown']}", role="privacy").json["items"]
    assert [each["seq"] for each in records] == sorted(each["seq"] for each in records)
    assert records[-1]["body"]


@pytest.mark.parametrize("said", ["on", "y", "t", "True", 1, 1.0, "YES", "off", 0, None, ["yes"]])
def test_an_answer_is_one_of_the_words_and_nothing_like_it(site: Site, seed: Seed, said: object) -> None:
    """Whatever a program's own true is spelt like, no customer said yes by it."""
    ids = small_world(seed)
    before = count(site, ledger)
    told = consent(site, ids["unknown"], TOMAS, answers={"service": said})
    answer = site.api("POST", "/consent/records", role="agent", json=told)
    assert (answer.status_code, answer.json["code"]) == (422, "input_invalid")
    assert "body.answers.service" in answer.json["detail"]
    assert count(site, ledger) == before


def test_evidence_is_opened_by_a_privacy_officer_and_each_look_is_an_entry(site: Site, seed: Seed) -> None:
    """And nobody else's key opens it; what it holds is kept nowhere else."""
    ids = small_world(seed)
    told = consent(site, ids["unknown"], TOMAS)
    link = site.api("POST", "/consent/records", role="agent", json=told).json["link"]
    before = count(site, ledger)
    for role in ("agent", "admin", "reporter", "ingest"):
        assert site.api("GET", f"/links/{link}/evidence", role=role).status_code == 403
    assert count(site, ledger) == before
    [shown] = site.api("GET", f"/links/{link}/evidence", role="privacy").json["items"]
    assert shown["is_genuine"]
    assert (shown["kind"], shown["content"]["customer_words"]) == ("agent_phone", "yes, please")
    assert (shown["content"]["account"], shown["content"]["contact"]) == (ids["unknown"], TOMAS)
    [entry] = site.api("GET", f"/consent/records?link={link}", role="privacy").json["items"][1:]
    assert (entry["type"], count(site, ledger), count(site, idempotency)) == ("disclosed", before + 1, 0)
    assert site.api("GET", "/links/lnk_none/evidence", role="privacy").json["code"] == "not_found"


def test_a_program_asks_with_the_wording_that_it_was_given(site: Site, seed: Seed) -> None:
    """What the API says to read out is what the record is taken for, without a look at any file."""
    ids = small_world(seed)
    told = site.api("GET", "/consent/wording?channel=phone", role="agent").json
    assert list(told["purposes"]) == ["service"]
    evidence = {"wording": told["text"], "customer_words": "yes, please"}
    body = consent(site, ids["unknown"], TOMAS, notice=told["notice"], evidence=evidence)
    assert site.api("POST", "/consent/records", role="agent", json=body).status_code == 201


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("channel=social&network=x&lang=de", 200, "de"),
        ("lang=xx", 200, "en"),
        ("more=true", 200, "marketing"),
        ("network=nowhere", 422, "query.network"),
        ("channel=pigeon", 422, "query.channel"),
    ],
)
def test_the_wording_fits_where_the_customer_is_asked(site: Site, query: str, status: int, told: str) -> None:
    answer = site.api("GET", f"/consent/wording?{query}", role="agent")
    assert (answer.status_code, told in answer.text) == (status, True)
    assert "nowhere" not in answer.text


def test_a_link_can_be_held_released_revoked_and_invalidated(site: Site, seed: Seed) -> None:
    """Each by whom the rules allow."""
    ids = small_world(seed)
    link = site.api("GET", f"/links?account={ids['linked']}", role="agent").json["items"][0]["id"]
    held = site.api("POST", f"/links/{link}/hold", role="agent", json={"reason": "dispute"})
    assert held.json["receipt"][0]["holds"] == ["dispute"]
    assert site.api("GET", f"/permits?account={ids['linked']}&operation=timeline.view").json["reason"] == "hold"
    assert site.api("POST", f"/links/{link}/release", role="agent", json={"reason": "dispute"}).status_code == 200
    assert site.api("POST", f"/links/{link}/revoke", role="agent", json={"reason": "x"}).status_code == 403
    gone = site.api("POST", f"/links/{link}/invalidate", role="privacy", json={"reason": "not me"})
    assert gone.json["receipt"][0]["state"] == "invalidated"
    assert site.api("GET", f"/links/{link}", role="agent").json["state"] == "invalidated"


def test_reporters_see_no_personal_column(site: Site, seed: Seed) -> None:
    """They count; they need no names, handles or words."""
    small_world(seed)
    found = json.dumps(site.api("GET", "/cases?limit=200", role="reporter").json)
    found += json.dumps(site.api("GET", "/interactions?limit=200", role="reporter").json)
    assert json.loads(json.dumps(site.api("GET", "/cases", role="reporter").json))["items"]
    for secret in ("Mara", "tomas_quispe", "parcel", MARA, "Fjordpost", "x.com/"):
        assert secret not in found
    assert "parcel" in json.dumps(site.api("GET", "/interactions", role="agent").json)


def test_a_contact_s_history_holds_what_a_live_consent_permits(site: Site, seed: Seed) -> None:
    """The CRM's own always, the account's only while linked."""
    ids = small_world(seed)
    history = site.api("GET", f"/contacts/{MARA}/history", role="agent").json
    assert {each["channel"] for each in history["items"]} == {"phone", "email", "social", "messaging"}
    assert history["profiles"] == [ids["linked"]]
    link = site.api("GET", f"/links?account={ids['linked']}", role="agent").json["items"][0]["id"]
    site.api("POST", f"/links/{link}/withdraw", role="agent", json={})
    after = site.api("GET", f"/contacts/{MARA}/history", role="agent").json
    assert {each["channel"] for each in after["items"]} == {"phone", "email"}
    only = site.api("GET", f"/contacts/{MARA}/history?channel=phone", role="agent").json["items"]
    assert {each["channel"] for each in only} == {"phone"}


def test_a_contact_taken_out_of_a_merge_shows_its_own_history_and_nobody_else_s(site: Site, seed: Seed) -> None:
    """Though the CRM still names the contact that it was once merged into."""
    ids = small_world(seed)
    with site.ctx.store.begin() as uow:
        again = update(crm_contacts).where(crm_contacts.c.crm_id == TOMAS).values(master_id=MARA)
        uow.connection.execute(again)
    history = site.api("GET", f"/contacts/{TOMAS}/history", role="agent").json
    assert (history["contact_id"], history["profiles"], history["items"]) == (TOMAS, [], [])
    assert site.as_user("agent").get(f"/contacts/{TOMAS}").status_code == 200
    own = {each["id"] for each in site.api("GET", f"/links?contact={MARA}", role="agent").json["items"]}
    site.api("POST", "/consent/records", role="agent", json=consent(site, ids["unknown"], TOMAS))
    assert {each["id"] for each in site.api("GET", f"/links?contact={MARA}", role="agent").json["items"]} == own
    assert site.api("GET", f"/contacts/{MARA}/history", role="agent").json["profiles"] == [ids["linked"]]


def test_lists_page_by_cursor_without_gap_or_repeat(site: Site, seed: Seed) -> None:
    """Also where several rows share a moment."""
    for number in range(25):
        seed.case(opened={"hours": number // 3 + 1})
    seen: list[str] = []
    cursor = ""
    while True:
        page = site.api("GET", f"/cases?limit=7{cursor}", role="agent").json
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen)) == 25
    answer = site.api("GET", "/cases?cursor=made-up", role="agent")
    assert (answer.status_code, answer.json["code"]) == (422, "input_invalid")


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", {"social", "phone"}), ("?channel=phone", {"phone"}), ("?network=x", {"social"}),
        ("?state=closed", {"phone"}), ("?origin=crm", {"phone"}), ("?waiting=true", {"social"}),
        ("?opened_from=2026-02-01T00:00:00Z", {"social"}),
        ("?opened_to=2026-02-01T00:00:00Z", {"phone"}),
    ],
)  # fmt: skip
def test_cases_can_be_filtered(site: Site, seed: Seed, query: str, left: set[str]) -> None:
    """Each filter alone."""
    seed.case(opened={"hours": 2})
    old: dict[str, Any] = {"origin": "crm", "channel": "phone", "network": "phone", "closed_at": seed.ago(days=8)}
    seed.case(opened={"days": 9}, answered={"days": 8}, **old)
    assert {each["channel"] for each in site.api("GET", f"/cases{query}", role="agent").json["items"]} == left


@pytest.mark.parametrize(
    "path",
    ["/deliveries/9223372036854775808", "/outbox/12984832961895839744", "/outbox/-1", "/cases/%00", "/profiles/a%00"],
)
def test_an_address_that_no_row_can_have_is_not_found(site: Site, path: str) -> None:
    """Numbers beyond 64 bits and NUL characters never reach the database."""
    assert site.api("GET", path).status_code == 404


@pytest.mark.parametrize("key", [["x", "y"], [1, 2], [True, "x"], [2**63, "x"], [1, "x\x00"], {"a": 1}, [1]])
def test_a_cursor_that_is_not_ours_is_named(site: Site, key: object) -> None:
    """Its values are of the kinds that the order compares with, on either database."""
    forged = base64.urlsafe_b64encode(json.dumps(key).encode()).decode().rstrip("=")
    answer = site.api("GET", f"/cases?cursor={forged}")
    assert (answer.status_code, answer.json["code"]) == (422, "input_invalid")
    page = site.as_user("admin").get(f"/cases?after={forged}")
    assert page.status_code == 422


def test_nul_characters_are_no_text(site: Site, seed: Seed) -> None:
    """PostgreSQL takes none: gone from a query, refused in a body."""
    ids = small_world(seed)
    assert len(site.api("GET", "/cases?network=%00x%00").json["items"]) == 2
    answer = site.api("POST", "/consent/records", json=consent(site, ids["unknown"], scope="a\x00"))
    assert (answer.status_code, answer.json["code"]) == (422, "input_invalid")


@pytest.mark.parametrize("moment", ["0", "0.5", "1767225600", "-1", "2026-02-01", "2026-02-01T00:00:00"])
def test_a_moment_is_written_out_with_its_zone(site: Site, moment: str) -> None:
    """A bare number may be seconds or milliseconds; guessing is worse than asking."""
    answer = site.api("GET", f"/cases?opened_from={moment}")
    assert (answer.status_code, answer.json["code"]) == (422, "input_invalid")
    assert "query.opened_from" in answer.json["detail"]
    assert "Value error" not in answer.json["detail"]


def test_pages_stay_whole_while_rows_come_and_go(site: Site, seed: Seed) -> None:
    """A cursor stands for a row's own place, so a newer row neither repeats nor hides an older one."""
    profile = seed.profile("somebody")
    made = {seed.case(profile, opened={"minutes": number + 10}) for number in range(30)}
    seen: list[str] = []
    cursor = ""
    while True:
        page = site.api("GET", f"/cases?limit=7{cursor}", role="agent").json
        seen += [each["id"] for each in page["items"]]
        if page["next"] is None:
            break
        seed.case(profile, opened={"minutes": 1})
        cursor = f"&cursor={page['next']}"
    assert len(seen) == len(set(seen))
    assert set(seen) == made


def test_two_requests_at_once_with_one_key_act_once(site: Site, seed: Seed) -> None:
    """One answers, the others hear the same answer or that it is still at work."""
    ids = small_world(seed)
    body = consent(site, ids["unknown"], TOMAS)
    headers = {**site.key("agent"), "Idempotency-Key": "same"}
    gate = threading.Barrier(4)

    def send(_: int) -> Any:
        gate.wait()
        return site.app.test_client().post("/api/v1/consent/records", json=body, headers=headers)

    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(send, range(4)))
    done = [answer.data for answer in answers if answer.status_code == 201]
    busy = [answer for answer in answers if answer.status_code == 409]
    assert len(done) + len(busy) == 4
    assert len(set(done)) == 1
    with site.ctx.store.read() as connection:
        made = connection.execute(select(func.count()).where(links.c.contact_id == TOMAS)).scalar_one()
        written = connection.execute(select(func.count()).where(ledger.c.type == "granted")).scalar_one()
    assert made == 1
    assert written == 2  # the world's own, and this one


def test_suggestions_change_nothing_and_a_rejected_one_stays_away(site: Site, seed: Seed) -> None:
    """Asking for them is only reading."""
    ids = small_world(seed)
    before = (count(site, links), count(site, outbox))
    found = site.api("GET", f"/profiles/{ids['unknown']}/suggestions", role="agent").json["candidates"]
    assert found[0]["contact_id"] == TOMAS
    assert found[0]["reasons"]
    assert (count(site, links), count(site, outbox)) == before
    site.api("POST", f"/profiles/{ids['unknown']}/suggestions/reject", role="agent", json={"contact_ids": [TOMAS]})
    found = site.api("GET", f"/profiles/{ids['unknown']}/suggestions", role="agent").json["candidates"]
    assert TOMAS not in [each["contact_id"] for each in found]


def test_deliveries_can_be_looked_at_retried_and_dropped(site: Site, seed: Seed) -> None:
    """Each act once, with a line in the audit trail; what cannot be done is a conflict."""
    dead = seed.delivery(state="dead", error="The body is not JSON.")
    fresh = seed.delivery()
    seed.shelved(dead)
    shown = site.api("GET", f"/deliveries/{dead}").json
    assert (shown["state"], shown["body"], shown["shelf"][0]["reason"]) == (
        "dead",
        '{"hello":"world"}',
        "mapping_unmatched",
    )
    assert site.api("POST", f"/deliveries/{fresh}/drop").json["code"] == "conflict"
    assert site.api("POST", f"/deliveries/{dead}/retry").json == {"changed": 1}
    assert site.api("GET", "/deliveries?state=new").json["items"][-1]["id"] == dead
    assert count(site, audit) > 0


def test_outbox_rows_can_be_looked_at_retried_and_dropped(site: Site, seed: Seed) -> None:
    """The CRM's own words are told."""
    seed.stuck("Case", "key-1")
    row = site.api("GET", "/outbox?state=dead").json["items"][0]
    assert "restricted picklist" in row["error"]
    assert site.api("POST", f"/outbox/{row['id']}/retry").json == {"changed": 1}
    assert site.api("GET", f"/outbox/{row['id']}").json["state"] == "pending"
    assert site.api("POST", f"/outbox/{row['id']}/drop").json == {"changed": 1}
    assert site.api("POST", f"/outbox/{row['id']}/drop").json["code"] == "conflict"


def test_sources_tell_their_address_and_never_their_secret(site: Site) -> None:
    """What to paste at the provider."""
    answer = site.api("GET", "/sources", role="reporter")
    assert [each["address"] for each in answer.json["items"]] == [
        "http://localhost/api/v1/cases", "http://localhost/webhooks/social",
    ]  # fmt: skip
    assert "whsec" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/cases/none", "/interactions/none", "/contacts/none/history", "/profiles/none", "/links/none", "/deliveries/9",
        "/outbox/9", "/reports/none", "/nowhere",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_problem_with_a_code(site: Site, path: str) -> None:
    """In the one form of every error."""
    answer = site.api("GET", path)
    assert answer.status_code == 404
    assert {"type", "title", "status", "code", "detail"} <= set(answer.json)
    assert answer.json["code"] == "not_found"


def test_a_wrong_parameter_is_named_without_its_value(site: Site) -> None:
    """What somebody typed may be personal; where it stood is enough."""
    answer = site.api("GET", "/cases?limit=mara@fjordpost.no&colour=red")
    assert answer.status_code == 422
    assert "query.limit" in answer.json["detail"]
    assert "query.colour" in answer.json["detail"]
    assert "mara@" not in answer.text


def test_the_description_names_every_operation_and_every_reference_resolves(site: Site) -> None:
    """Generated from what serves it, so it cannot drift."""
    described: dict[str, Any] = site.app.test_client().get("/api/v1/openapi.json").json or {}
    assert described["openapi"] == "3.1.0"
    named = {entry["operationId"] for path in described["paths"].values() for entry in path.values()}
    assert named == {operation.name for operation in OPERATIONS}
    served = {
        rule.endpoint.removeprefix("api.") for rule in site.app.url_map.iter_rules() if rule.endpoint.startswith("api.")
    }
    assert served - {"openapi"} == named
    references = {part.split('"')[0] for part in json.dumps(described).split('"$ref": "#/components/schemas/')[1:]}
    assert references <= set(described["components"]["schemas"])
    post = described["paths"]["/cases"]["post"]
    assert post["x-roles"] == ["admin", "ingest"]
    assert "Idempotency-Key" in [each["name"] for each in post["parameters"]]


def test_long_names_and_every_script_come_back_as_they_were(site: Site, seed: Seed) -> None:
    """No byte is lost on the way."""
    ids = small_world(seed)
    shown = site.api("GET", f"/profiles/{ids['arabic']}", role="agent").json
    assert shown["handle"] == "نورالدين_خدمة"
    assert site.api("GET", f"/contacts/{LONG}/history", role="agent").json["items"] == []


def test_the_api_s_own_source_takes_no_webhooks(site: Site) -> None:
    """It has no secret, so nothing posted to its webhook address is ever authentic."""
    receiver = Receiver(site.ctx.store, site.ctx.sources, site.ctx.clock, site.ctx.public_url)
    answer = receiver.receive("api", method="POST", query="", headers=[], body=json.dumps(CASE).encode())
    receiver.close()
    assert answer.status == 401
    assert count(site, deliveries) == 0


def test_a_posted_case_becomes_a_case_when_the_worker_comes(site: Site) -> None:
    """The whole way, from the request to the list."""
    site.api("POST", "/cases", role="ingest", json=CASE)
    ingest_once(site.ctx)
    found = site.api("GET", "/cases", role="agent").json["items"]
    assert [(each["network"], each["handle"], each["channel"]) for each in found] == [
        ("discourse", "ola_n", "community")
    ]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 408, 409, 411, 413, 414, 415, 422, 429, 431])
def test_no_refusal_is_told_as_our_fault(site: Site, status: int) -> None:
    """A program's people would look at our log for what is theirs to correct."""
    with site.app.test_request_context():
        told = problem_response(Trouble(status, "some_code", "What is wrong.")).get_json(force=True)
    assert told["title"] not in {WORDS[500].title, WORDS[503].title}


def test_the_documented_codes_are_those_of_the_errors() -> None:
    """With the statuses that the page names them under."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
    documented = {
        code.strip(): {int(status) for status in row[1].split(",")}
        for row in re.findall(r"^(\|) ([0-9, ]+) \| ([a-z_, ]+) \|", page, re.MULTILINE)
        for code in row[2].split(",")
    }
    known = {each.code: status_of(each.__new__(each)) for each in every_error(ConnectorError)}
    assert len(documented) > 12
    assert {code for code, statuses in documented.items() if known.get(code) not in statuses} == set()


def every_error(kind: type[ConnectorError]) -> list[type[ConnectorError]]:
    """The class and all below it."""
    return [kind, *(found for each in kind.__subclasses__() for found in every_error(each))]
