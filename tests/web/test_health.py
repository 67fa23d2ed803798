"""Alive, ready and metrics: they tell the truth, to everybody, without telling about anybody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest
from flask import Flask
from sqlalchemy import update

from connector.crm.port import CRM
from connector.store.crm_state import write_state
from connector.store.tables import outbox
from connector.web.site import register
from tests.conftest import FakeClock
from tests.web.conftest import Site
from tests.web.seed import Seed, small_world


def ready(site: Site) -> tuple[int, dict[str, Any]]:
    """What /readyz answers."""
    answer = site.app.test_client().get("/readyz")
    return answer.status_code, answer.json or {}


def with_crm(site: Site) -> Site:
    """The same site with some CRM set up."""
    ctx = replace(site.ctx, crm=cast(CRM, object()))
    app = Flask("connector.web")
    register(app, ctx)
    return Site(app, ctx)


def writing(site: Site, why: str) -> None:
    """What the store remembers of the last call to the CRM."""
    with site.ctx.store.begin() as uow:
        breaker = {"failures": 1 if why else 0, "open_until": 0, "why": why, "message": "x", "since": 0}
        write_state(uow, "writeback", {"breaker": breaker, "used": 10, "total": 100})


def test_a_fresh_installation_is_alive_and_ready(site: Site) -> None:
    """Nothing has come in yet, and that is fine."""
    assert site.app.test_client().get("/healthz").json == {"status": "ok"}
    status, told = ready(site)
    assert (status, told["status"], told["problems"], told["crm"]) == (200, "ready", [], "none")
    assert told["last_event"] == {"api": None, "social": None}


def test_deliveries_that_nobody_works_on_make_it_not_ready(site: Site, seed: Seed, clock: FakeClock) -> None:
    """With the age of the oldest, and the cure."""
    seed.delivery()
    assert ready(site)[0] == 200
    clock.move(minutes=10)
    status, told = ready(site)
    assert status == 503
    assert told["oldest_unprocessed_delivery_seconds"] == 660
    assert "a worker runs" in told["problems"][0]["cure"]
    assert "Deliveries are not worked on" in site.as_user("admin").get("/admin").text


@pytest.mark.parametrize(
    ("why", "status", "told"),
    [
        ("", 200, "ok"),
        ("login", 503, "login"),
        ("halted", 503, "halted"),
        ("limited", 200, "limited"),
        ("away", 200, "away"),
    ],
)
def test_the_crm_login_is_part_of_the_truth(site: Site, why: str, status: int, told: str) -> None:
    """A refused login needs a person; a busy org does not, until writes have waited long."""
    writing(site, why)
    found = ready(with_crm(site))
    assert (found[0], found[1]["crm"]) == (status, told)


def test_writes_that_wait_long_make_it_not_ready(site: Site, seed: Seed, clock: FakeClock) -> None:
    """Whatever keeps them."""
    seed.insert("outbox", object="Case", external_key="k", rank=20, queued_at=seed.ago(minutes=1))
    site = with_crm(site)
    assert ready(site)[0] == 200
    clock.move(minutes=15)
    assert ready(site)[0] == 503


def test_a_store_that_is_away_is_told_and_not_hidden(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """503 with a sentence; alive all the same."""
    from connector.errors import StoreBusy

    def away(*_: Any) -> None:
        raise StoreBusy

    monkeypatch.setattr("connector.web.health.vitals", away)
    status, told = ready(site)
    assert (status, told["status"]) == (503, "not ready")
    assert site.app.test_client().get("/healthz").status_code == 200
    figures = site.app.test_client().get("/metrics")
    assert (figures.status_code, "connector_ready 0.0" in figures.text) == (200, True), "an alarm needs no store"
    assert "connector_inbox_waiting" not in figures.text, "nobody knows, so nothing is said"


def test_metrics_tell_figures_and_nobody_s_name(site: Site, seed: Seed) -> None:
    """Read from the store, so that every process tells the same."""
    small_world(seed)
    seed.shelved(seed.delivery(state="done"))
    seed.delivery(state="dead")
    seed.stuck("Case", "key-1")
    answer = site.app.test_client().get("/metrics")
    assert "connector_shelf_open 1.0" in answer.text
    assert "connector_inbox_dead 1.0" in answer.text
    assert "connector_outbox_dead 1.0" in answer.text
    assert 'connector_source_last_event_seconds{source="social"}' in answer.text
    for secret in ("Mara", "tomas", "fjordpost", "parcel"):
        assert secret not in answer.text


def test_the_health_page_says_it_in_one_sentence(site: Site, seed: Seed) -> None:
    """And what a person has to look at."""
    assert "All well: no delivery has come in yet, nothing waiting." in site.as_user("admin").get("/admin").text
    seed.stuck("Case", "key-1")
    page = site.as_user("admin").get("/admin").text
    assert "some things need a person" in page
    assert "1 record the CRM will not take" in page


def test_a_crm_that_does_not_answer_is_told_in_words_while_intake_goes_on(site: Site) -> None:
    """Not a reason to take no deliveries, so still 200; but neither is all well."""
    there = with_crm(site)
    writing(there, "away")
    status, told = ready(there)
    assert (status, told["crm"], told["problems"]) == (200, "away", [])
    assert "does not answer" in told["warnings"][0]["problem"]
    page = there.as_user("admin").get("/admin").text
    assert "The CRM does not answer" in page
    assert "All well" not in page


@pytest.mark.parametrize(
    ("code", "crm", "status"),
    [("crm_unavailable", "away", 200), ("crm_login_failed", "login", 503), ("", "ok", 200)],
)
def test_a_crm_that_cannot_be_read_is_told_even_when_nothing_is_to_be_written(
    site: Site, code: str, crm: str, status: int
) -> None:
    there = with_crm(site)
    with site.ctx.store.begin() as uow:
        write_state(uow, "reading", {"code": code, "message": "x"} if code else {})
    found, told = ready(there)
    assert (found, told["crm"]) == (status, crm)


def test_a_full_disk_is_not_ready(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders are getting 503: whoever watches must hear of it."""
    monkeypatch.setattr("connector.web.vitals.free_bytes", lambda _ctx: 0)
    status, told = ready(site)
    assert status == 503
    assert "full" in told["problems"][0]["problem"]
    assert "full" in site.as_user("admin").get("/admin").text


def failing(site: Site, work: str, code: str) -> None:
    """What a worker in another process has told for two minutes."""
    with site.ctx.store.begin() as uow:
        since = uow.database_now() - 120_000
        failure = {"work": work, "since": since, "times": 7, "code": code, "words": "In its own words."}
        write_state(uow, "worker:another", {"told_at": since, "failing": [failure]})


@pytest.mark.parametrize(
    ("work", "code", "status", "said"),
    [
        ("sync", "unforeseen", 503, "Reading from the CRM has failed since"),
        ("consent", "unforeseen", 503, "Ending consents whose time is over has failed since"),
        ("ingest", "store_busy", 503, "Taking deliveries in has failed since"),
        ("sync", "crm_unavailable", 200, "Reading from the CRM has failed since"),
    ],
)
def test_work_that_fails_each_time_in_any_process_is_named_with_its_beginning(
    site: Site, work: str, code: str, status: int, said: str
) -> None:
    """Before any backlog shows it; a CRM that is away keeps nothing from coming in, so that is a warning."""
    failing(site, work, code)
    found, told = ready(site)
    sentences = [each["problem"] for each in told["problems" if status == 503 else "warnings"]]
    assert found == status
    assert len(sentences) == 1
    assert sentences[0].startswith(said)
    assert sentences[0].endswith("7 times in a row: In its own words.")
    assert (told["failing"][0]["work"], told["failing"][0]["times"]) == (work, 7)
    assert said in site.as_user("admin").get("/admin").text
    assert f'connector_work_failing_since_seconds{{work="{work}"}}' in site.app.test_client().get("/metrics").text


def test_a_contact_that_the_crm_will_not_let_go_of_is_told_by_itself(site: Site, seed: Seed) -> None:
    """Among all that is stuck, a consent that has ended there too only by a person's hand."""
    with_one = with_crm(site)
    contact, ada, ben = seed.contact("003000000000001AAA", "Ada", "Field"), seed.profile("ada"), seed.profile("ben")
    seed.yes(ben, contact)
    for profile in (ada, seed.profile("cleo")):
        seed.stuck("Social_Profile__c", profile)
    seed.stuck("Case", "no such case")
    with site.ctx.store.begin() as uow:
        named = outbox.c.external_key.in_((ada, ben))
        uow.connection.execute(update(outbox).where(named).values(state="dead", sent_contact_id=contact))
    status, told = ready(with_one)
    assert (status, told["dead_outbox"], told["contacts_never_taken_back"]) == (200, 4, 1)
    (warning,) = told["warnings"]
    assert warning["problem"].startswith("1 record in the CRM still names a contact whose consent has ended")
    assert "connector outbox retry" in warning["cure"]
    client = with_one.app.test_client()
    assert "connector_contacts_never_taken_back 1.0" in client.get("/metrics").text
    page = with_one.as_user("admin").get("/admin").text
    assert "1 record in the CRM still names a contact whose consent has ended" in page
    assert warning["cure"].split("`")[0] in page
    assert ready(site)[1]["contacts_never_taken_back"] == 0, "without a CRM there is nobody to take it back from"
