"""What people see: every page answers, shows what matters, and says what to do when there is nothing."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import select

from connector.domain.consent import Answer, HoldReason
from connector.flows.consent.holding import hold
from connector.store.tables import audit, links, outbox, rejected_suggestions, shelf
from tests.conftest import FakeClock
from tests.web.conftest import Site
from tests.web.seed import AGENT, LONG, MARA, TOMAS, Seed, small_world

PAGES = (
    "/inbox", "/inbox?tab=answered", "/cases", "/people", "/search?q=mara", "/reports", "/reports/volume",
    "/reports/first-response", "/reports/volume/cases", "/reports/first-response/cases?answered=no", "/admin",
    "/admin/deliveries", "/admin/shelf", "/admin/outbox", "/admin/sources", "/admin/users", "/admin/keys",
)  # fmt: skip


def words(page: Any) -> str:
    """The page's text without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text).split())


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_on_an_empty_installation(site: Site, path: str) -> None:
    """The first thing an admin sees after installing is not an error."""
    answer = site.as_user("admin").get(path)
    assert answer.status_code == 200, answer.text[:500]
    assert "<h1>" in answer.text


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_with_something_in_it(site: Site, seed: Seed, path: str) -> None:
    """The same pages, with people, cases and trouble."""
    small_world(seed)
    seed.shelved(seed.delivery(state="done"))
    seed.delivery(state="dead", error="The body is not JSON.")
    seed.stuck("Case", "key-1")
    answer = site.as_user("admin").get(path)
    assert answer.status_code == 200, answer.text[:500]


def test_the_inbox_shows_who_waits_longest_first_and_who_it_is(site: Site, seed: Seed) -> None:
    """The name where a consent permits, the handle and "not linked" where none does."""
    small_world(seed)
    page = site.as_user("agent").get("/inbox")
    said = words(page)
    assert said.index("@tomas_quispe not linked") < said.index("Mara Lindqvist linked")
    assert "1 d 6 h overdue" in said
    assert "Waiting for us 3" in said
    assert "from the CRM" not in said


def test_the_inbox_pages_without_gap_or_repeat(site: Site, seed: Seed) -> None:
    """By the address in the Next button."""
    made = {seed.case(seed.profile(f"person_{number}"), opened={"minutes": number // 4 + 1}) for number in range(120)}
    seen: list[str] = []
    path: str | None = "/inbox?network=x"
    while path:
        page = site.as_user("agent").get(path).text
        seen += re.findall(r'class="row" href="/cases/([0-9a-f-]+)"', page)
        more = re.search(r'rel="next" href="([^"]+)"', page)
        path = more[1].replace("&amp;", "&") if more else None
        assert path is None or "network=x" in path
    assert len(seen) == len(made)
    assert set(seen) == made


def test_social_text_is_shown_as_text_and_nothing_else(site: Site, seed: Seed) -> None:
    """Markup, scripts, odd addresses and direction tricks from outside stay harmless."""
    evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>'
    profile = seed.profile("evil", display_name=evil, bio=evil, profile_url="javascript:alert(3)")
    case = seed.case(profile, opened={"hours": 1}, subject=evil)
    seed.say(
        case, f"\u202e{evil}", ago={"hours": 1}, author_name=evil, profile_id=profile, permalink="javascript:alert(4)"
    )
    for path in ("/inbox", f"/cases/{case}", f"/profiles/{profile}", "/people", "/search?q=evil"):
        page = site.as_user("agent").get(path).text
        assert "<script>alert" not in page
        assert "<img" not in page
        assert "javascript:" not in page
        assert 'class="words" dir="auto">\u202e' not in page


HOSTILE = "\"'><img src=x onerror=alert(1)></script><script>alert(2)</script>"


def test_hostile_text_is_harmless_wherever_it_comes_to_stand(site: Site, seed: Seed) -> None:
    """In every field that the outside fills: of contacts, accounts, cases, messages, deliveries, shelves, the CRM."""
    seed.contact(MARA, HOSTILE, HOSTILE, email=f"{HOSTILE}@x.no", city=HOSTILE, state=HOSTILE, account_name=HOSTILE)
    profile = seed.profile(HOSTILE, display_name=HOSTILE, location=HOSTILE, bio=HOSTILE, profile_url=HOSTILE)
    seed.yes(profile, MARA)
    seed.insert("crm_users", crm_id="005aa0000000001AAA", name=HOSTILE)
    texts: dict[str, Any] = {"subject": HOSTILE, "status": HOSTILE, "crm_number": HOSTILE, "thread": HOSTILE}
    case = seed.case(profile, opened={"hours": 1}, owner_crm_id="005aa0000000001AAA", **texts)
    said: dict[str, Any] = {"author_name": HOSTILE, "permalink": HOSTILE, "lang": HOSTILE, "kind": HOSTILE}
    seed.say(case, HOSTILE, ago={"hours": 1}, profile_id=profile, **said)
    delivery = seed.delivery(state="dead", error=HOSTILE, body=HOSTILE.encode(), content_type=HOSTILE)
    seed.shelved(delivery, path=HOSTILE)
    seed.stuck(HOSTILE, HOSTILE, code=HOSTILE)
    seed.insert(
        "social_profiles", id="odd", network=HOSTILE, handle="odd", handle_key="odd", first_seen_at=1, last_seen_at=1
    )
    paths = [
        *PAGES, f"/cases/{case}", f"/cases/{case}/peek", f"/contacts/{MARA}", f"/contacts/{MARA}/ask",
        f"/profiles/{profile}", f"/profiles/{profile}/ask?contact={MARA}", "/profiles/odd", "/admin/deliveries/1",
        "/admin/outbox/1",
    ]  # fmt: skip
    client = site.as_user("admin")
    assert "&lt;img src=x onerror" in client.get(f"/cases/{case}").text
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        page = answer.text
        assert "<img" not in page, path
        assert "<script>" not in page, path
    for path in ("/search", f"/contacts/{MARA}/ask", "/admin/shelf", "/admin/outbox", "/login"):
        query = dict.fromkeys(("q", "handle", "network", "source", "reason", "object", "code", "next"), HOSTILE)
        page = client.get(path, query_string=query, follow_redirects=True).text
        assert "<img" not in page, path
        assert "<script>" not in page, path


def test_the_card_says_not_linked_and_whom_to_ask_about(site: Site, seed: Seed) -> None:
    """Reasons in words, a masked address, and no Link button anywhere."""
    ids = small_world(seed)
    page = site.as_user("agent").get(f"/cases/{ids['asked']}")
    said = words(page)
    assert "not linked" in said
    assert "Tomás Quispe , Arequipa" in said
    assert "t…e@andenet.pe" in said
    assert "tquispe@andenet.pe" not in said
    assert "the handle holds first and last name" in said
    assert "Ask the customer" in said
    assert ">Link<" not in page.text


def test_asking_leads_to_a_recorded_answer_and_a_link(site: Site, seed: Seed) -> None:
    """The wording is on the page, the customer's words go into the record, the receipt says what happened."""
    ids = small_world(seed)
    path = f"/profiles/{ids['unknown']}/ask"
    page = site.as_user("agent").get(f"{path}?contact={TOMAS}&case={ids['asked']}")
    assert "May I note your name there with your Fjordpost record?" in page.text
    version = re.search(r'name="version" value="([^"]+)"', page.text)
    assert version is not None
    form = {
        "contact": TOMAS,
        "case": ids["asked"],
        "method": "agent_phone",
        "lang": "en",
        "version": version[1],
        "key": "k",
    }
    answer = site.post("agent", path, **form, said="sure, go ahead", **{"answer.service": "yes"})
    assert answer.location == f"/cases/{ids['asked']}?done=yes"
    shown = words(site.as_user("agent").get(answer.location))
    assert "Linked: the customer said yes." in shown
    assert "Tomás Quispe linked by consent" in shown
    again = site.post("agent", path, **form, said="sure, go ahead", **{"answer.service": "yes"})
    assert again.status_code == 302
    with site.ctx.store.read() as connection:
        made = connection.execute(select(links.c.state).where(links.c.contact_id == TOMAS)).scalars().all()
    assert made == ["active"]


@pytest.mark.parametrize(("answer", "receipt"), [("no", "said no"), ("not_now", "not now")])
def test_no_and_not_now_are_recorded_and_link_nothing(site: Site, seed: Seed, answer: str, receipt: str) -> None:
    """Both are answers, and the page says what they mean."""
    ids = small_world(seed)
    form = {"contact": TOMAS, "method": "agent_chat", "lang": "de", "version": "1", "key": "k", "said": "nein"}
    done = site.post("agent", f"/profiles/{ids['unknown']}/ask", **form, **{"answer.service": answer})
    page = words(site.as_user("agent").get(done.location))
    assert receipt in page
    assert "not linked" in page


def test_an_incomplete_answer_is_refused_and_what_was_typed_stays(site: Site, seed: Seed) -> None:
    """Nothing was recorded, and the page says so."""
    ids = small_world(seed)
    form = {"contact": TOMAS, "method": "agent_phone", "lang": "en", "version": "1", "key": "k", "said": "well, maybe"}
    page = site.post("agent", f"/profiles/{ids['unknown']}/ask", **form)
    assert page.status_code == 422
    assert "The answer is missing" in page.text
    assert 'value="well, maybe"' in page.text
    assert "Nothing was recorded." in page.text


def test_further_purposes_are_asked_one_by_one(site: Site, seed: Seed) -> None:
    """Nothing is chosen beforehand."""
    ids = small_world(seed)
    page = site.as_user("agent").get(f"/profiles/{ids['unknown']}/ask?contact={TOMAS}&more=1").text
    assert page.count('type="radio"') == 4 * 3
    assert "checked" not in page


def test_none_of_these_is_remembered(site: Site, seed: Seed) -> None:
    """And the page says so."""
    ids = small_world(seed)
    done = site.post("agent", f"/profiles/{ids['unknown']}/reject", contact=TOMAS, case=ids["asked"])
    page = words(site.as_user("agent").get(done.location))
    assert "Remembered" in page
    assert "Tomás Quispe" not in page
    with site.ctx.store.read() as connection:
        assert connection.execute(select(rejected_suggestions.c.contact_id)).scalars().all() == [TOMAS]


def test_unlinking_says_first_what_it_does_and_closes_the_history(site: Site, seed: Seed) -> None:
    """How many messages leave, what cannot be undone, then a receipt."""
    ids = small_world(seed)
    page = site.as_user("agent").get(f"/contacts/{MARA}")
    link = re.search(r"/links/([^/]+)/end", page.text)
    assert link is not None
    assert "1 case and 3 messages leave" in words(site.as_user("agent").get(f"/links/{link[1]}/end"))
    nothing = site.post("agent", f"/links/{link[1]}/end", contact=MARA)
    assert nothing.status_code == 422
    done = site.post("agent", f"/links/{link[1]}/end", why="withdrawn", words="please undo it", contact=MARA)
    shown = words(site.as_user("agent").get(done.location))
    assert "Unlinked." in shown
    assert "parcel" not in shown
    assert "Address changed" in shown
    assert "not linked" in words(site.as_user("agent").get(f"/cases/{ids['case']}"))


def test_a_hold_closes_the_history_and_says_why(site: Site, seed: Seed) -> None:
    """The third state of the card."""
    ids = small_world(seed)
    with site.ctx.store.read() as connection:
        link = connection.execute(select(links.c.id)).scalar_one()
    hold(site.ctx, link, HoldReason.ACCOUNT_DELETED, AGENT)
    page = words(site.as_user("agent").get(f"/cases/{ids['case']}"))
    assert "on hold The account was deleted." in page
    assert "after 30 days the link ends" in page
    assert "Mara Lindqvist" not in page
    assert "parcel" not in words(site.as_user("agent").get(f"/contacts/{MARA}"))


def test_the_timeline_holds_every_channel_in_time_with_consent_as_lines(site: Site, seed: Seed) -> None:
    """Newest first; each item of a linked account says why it is there."""
    small_world(seed)
    page = site.as_user("agent").get(f"/contacts/{MARA}")
    said = words(page)
    order = [
        "Linked @MaraLindqvist, by phone",
        "My parcel says delivered",
        "Address changed",
        "Please send the invoice",
    ]
    assert [said.index(each) for each in order] == sorted(said.index(each) for each in order)
    assert "because they agreed (by phone), for service" in said
    assert "5 min long" in said
    only = words(site.as_user("agent").get(f"/contacts/{MARA}?channel=phone"))
    assert "Address changed" in only
    assert "invoice" not in only


def test_a_long_history_pages_without_losing_what_lies_between(site: Site, seed: Seed) -> None:
    """Cases and single calls come once each, whatever page they fall on."""
    seed.contact(MARA, "Mara", "Lindqvist")
    for number in range(70):
        more: dict[str, Any] = {"origin": "crm", "channel": "phone", "network": "phone", "crm_contact_id": MARA}
        seed.case(opened={"hours": number + 1}, subject=f"case-{number:02d}.", **more)
        seed.say(None, f"call-{number:02d}.", ago={"hours": number + 1.5}, kind="call", **more)
    seen: list[str] = []
    path: str | None = f"/contacts/{MARA}"
    while path:
        page = site.as_user("agent").get(path).text
        seen += re.findall(r"(?:case|call)-\d\d\.", page)
        more_link = re.search(r'rel="next" href="([^"]+)"', page)
        path = more_link[1] if more_link else None
    assert sorted(seen) == sorted(f"{kind}-{number:02d}." for kind in ("case", "call") for number in range(70))


def test_a_case_of_thousands_of_messages_does_not_flood_the_history(site: Site, seed: Seed) -> None:
    """The words that began it and the latest ones; the case itself has all."""
    seed.contact(MARA, "Mara", "Lindqvist")
    case = seed.case(opened={"days": 3}, origin="crm", channel="email", network="email", crm_contact_id=MARA)
    for number in range(60):
        seed.say(case, f"line {number:02d}", ago={"hours": 60 - number}, channel="email", network="email", origin="crm")
    page = site.as_user("agent").get(f"/contacts/{MARA}").text
    shown = re.findall(r">line (\d\d)<", page)
    assert shown == ["00", "00", *(f"{number}" for number in range(41, 60))]
    assert "40 messages between, in the case itself" in page
    assert "60 messages" in page


def test_a_case_without_a_word_in_it_stands_in_the_history_and_in_its_counts(site: Site, seed: Seed) -> None:
    """People log cases by hand; "nothing" beside an entry would be untrue, and so would "0 messages"."""
    seed.contact(MARA, "Mara", "Lindqvist")
    seed.case(
        opened={"days": 1}, origin="crm", channel="email", network="email", crm_contact_id=MARA, subject="Invoice copy"
    )
    page = words(site.as_user("agent").get(f"/contacts/{MARA}"))
    assert "1 case, 0 interactions" in page
    assert "All E-mail E-mail Invoice copy New" in page
    assert "0 messages" not in page
    assert "Invoice copy" in words(site.as_user("agent").get(f"/contacts/{MARA}?channel=email"))


def test_a_merged_contact_leads_to_the_one_that_stayed(site: Site, seed: Seed) -> None:
    """With the history of both."""
    small_world(seed)
    seed.contact("003aa0000000009AAA", "M.", "Lindqvist", is_deleted=True, master_id=MARA)
    answer = site.as_user("agent").get("/contacts/003aa0000000009AAA")
    assert answer.location == f"/contacts/{MARA}"


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("Lindqvist", "Mara Lindqvist"), ("mara lind", "Mara Lindqvist"), ("lindqvist mara", "Mara Lindqvist"),
        ("mara.lindqvist@fjordpost.no", "Mara Lindqvist"), ("+47 22 12 34 56", "Mara Lindqvist"),
        ("0047 22123456", "Mara Lindqvist"), ("TOMAS QUISPE", "Tomás Quispe"), ("@tomas_q", "@tomas_quispe"),
        (MARA, "Mara Lindqvist"), ("von Bergerdorff", "Bergerdorff-Schwarzenstein"), ("نورالدين", "نورالدين_خدمة"),
    ],
)  # fmt: skip
def test_search_finds_by_name_address_number_handle_and_id(site: Site, seed: Seed, typed: str, found: str) -> None:
    """However it is written."""
    small_world(seed)
    assert found in site.as_user("agent").get("/search", query_string={"q": typed}).text.split("<h1>Search</h1>")[1]


@pytest.mark.parametrize("typed", ["00001042", "1042"])
def test_a_case_number_leads_straight_to_its_case(site: Site, seed: Seed, typed: str) -> None:
    """Nobody wants a list of one."""
    ids = small_world(seed)
    assert site.as_user("agent").get(f"/search?q={typed}").location == f"/cases/{ids['phone']}"


@pytest.mark.parametrize("typed", ["%", "_", "'", '"', "a" * 5000, "mara\x00", "☃", "\ud800"])
def test_search_takes_whatever_is_typed(site: Site, seed: Seed, typed: str) -> None:
    """Finding nothing is an answer, not an error."""
    small_world(seed)
    answer = site.as_user("agent").get(
        "/search?q=" + "".join(f"%{byte:02x}" for byte in typed.encode("utf-8", "surrogatepass"))
    )
    assert answer.status_code == 200


def test_an_unknown_case_says_what_to_do(site: Site) -> None:
    """Never a code alone."""
    page = site.as_user("agent").get("/cases/none")
    assert page.status_code == 404
    assert "There is nothing here" in page.text
    assert "Search for the person or the case" in page.text


def test_a_fault_of_ours_shows_no_stack_and_no_value(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the place; the page says what to do."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("mara.lindqvist@fjordpost.no broke it")

    monkeypatch.setattr("connector.web.agent.cases.inbox", broken)
    page = site.as_user("agent").get("/inbox")
    assert page.status_code == 500
    assert "Something broke on our side" in page.text
    assert "mara.lindqvist" not in page.text
    assert "Traceback" not in page.text


def test_a_reporter_sees_figures_and_no_person(site: Site, seed: Seed) -> None:
    """Cases without names, reports with their drill-down, nothing else."""
    small_world(seed)
    client = site.as_user("reporter")
    assert client.get("/").location == "/reports"
    for path in ("/cases", "/reports/volume", "/reports/volume/cases", "/reports/first-response"):
        page = client.get(path).text
        for secret in ("Mara", "tomas", "parcel", "نور"):
            assert secret not in page
    assert client.get("/people").status_code == 403


def test_page_export_and_api_tell_the_same_figures(site: Site, seed: Seed) -> None:
    """They come from one result."""
    small_world(seed)
    page = words(site.as_user("reporter").get("/reports/volume?unit=interactions"))
    export = site.as_user("reporter").get("/reports/volume.csv?unit=interactions")
    told = site.api("GET", "/reports/volume?unit=interactions", role="reporter").json
    total = told["totals"]["interactions"]
    assert total == sum(int(line.split(",")[3]) for line in export.text.splitlines()[1:])
    assert f"Social {sum(row['interactions'] for row in told['rows'] if row['key'] == 'social')} interactions" in page
    assert "attachment" in export.headers["Content-Disposition"]


@pytest.mark.parametrize(
    "wrong",
    [
        "from=x",
        "from=2026-02-02&to=2026-02-01",
        "tz=Mars/Base",
        "by=colour",
        "unit=tons",
        "from=2001-01-01",
        "channel=fax",
        "network=faxnet",
    ],
)
def test_a_wrong_filter_is_named(site: Site, wrong: str) -> None:
    """On the page, beside its fields, and over the API alike."""
    page = site.as_user("reporter").get(f"/reports/volume?{wrong}")
    assert page.status_code == 422
    assert 'role="alert"' in page.text
    assert '<input type="date" name="from"' in page.text
    if wrong.startswith("from=2026"):
        assert 'name="from" value="2026-02-02"' in page.text
    if wrong.startswith("tz="):
        assert '<input name="tz" value="Mars/Base">' in page.text
    assert f"<code>{wrong.partition('=')[0]}</code>" in page.text or "The span is longer" in page.text
    assert site.api("GET", f"/reports/volume?{wrong}", role="reporter").status_code == 422


@pytest.mark.parametrize("wrong", ["band=soon", "answered=perhaps", "day=31"])
def test_a_figure_that_is_none_leads_to_no_cases(site: Site, wrong: str) -> None:
    """Rather than to those of another figure."""
    assert site.as_user("reporter").get(f"/reports/first-response/cases?{wrong}").status_code == 422


def test_the_cases_behind_a_figure_say_which_figure_and_how_many(site: Site, seed: Seed) -> None:
    """With the filters that were set, and in the zone that its days are of."""
    small_world(seed)
    page = words(
        site.as_user("reporter").get("/reports/volume/cases?key=social&network=x&tz=Asia/Tokyo&day=2026-02-02")
    )
    assert "Social · X · Mon 2 Feb 2026: 1 case, the latest first. Times in Asia/Tokyo." in page
    assert "Mon 2 Feb 2026, 18:00" in page
    page = words(site.as_user("reporter").get("/reports/first-response/cases?by=network"))
    assert "All · 6 Jan to 2 Feb 2026: 4 cases," in page
    page = site.as_user("reporter").get("/reports/first-response?by=network").text
    assert '<th scope="row">All' in page
    page = words(site.as_user("reporter").get("/reports/first-response/cases?band=under_3h"))
    assert "answered after 1 to 3 h: 1 case," in page


def test_the_page_counts_a_case_once_in_a_sum(site: Site, seed: Seed) -> None:
    """One that came by two channels stands in both columns and once under All; the API tells the sums too."""
    small_world(seed)
    page = words(site.as_user("reporter").get("/reports/volume?unit=cases&from=2026-02-02&to=2026-02-02"))
    assert "Day All Messaging Social All days 2 2 1 Mon 2 Feb 2026 2 2 1" in page
    told = site.api("GET", "/reports/volume?unit=cases&from=2026-02-02", role="reporter").json
    assert told["totals"]["cases"] == 2
    assert {row["key"]: row["cases"] for row in told["series"]["keys"]} == {"messaging": 2, "social": 1}


def test_shelved_items_are_retried_and_dropped_after_a_question(site: Site, seed: Seed) -> None:
    """By line or by reason; nothing happens before the second step."""
    first, second = seed.delivery(state="done"), seed.delivery(state="done")
    seed.shelved(first)
    seed.shelved(second)
    form = {"act": "drop", "group": "1", "source": "social", "reason": "mapping_unmatched"}
    asked = site.post("admin", "/admin/shelf", **form)
    assert "Set 2 items aside?" in asked.text
    ids = re.findall(r'name="id" value="(\d+)"', asked.text)
    site.post("admin", "/admin/shelf", act="retry", sure="1", id=ids[0])
    done = site.post("admin", "/admin/shelf", act="drop", sure="1", id=ids[1])
    assert "1 row was set aside." in site.as_user("admin").get(done.location).text
    with site.ctx.store.read() as connection:
        assert set(connection.execute(select(shelf.c.state)).scalars()) == {"replayed", "dropped"}
        assert len(connection.execute(select(audit.c.id).where(audit.c.action.like("shelf.%"))).all()) == 2


def test_dead_records_go_out_again_by_reason(site: Site, seed: Seed) -> None:
    """The CRM's words head the group."""
    for number in range(3):
        seed.stuck("Case", f"key-{number}")
    page = site.as_user("admin").get("/admin/outbox")
    assert "3 × Case: Status: bad value for restricted picklist field" in words(page)
    form = {"act": "retry", "group": "1", "object": "Case", "code": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"}
    ids = re.findall(r'name="id" value="(\d+)"', site.post("admin", "/admin/outbox", **form).text)
    site.post("admin", "/admin/outbox", act="retry", sure="1", id=ids)
    with site.ctx.store.read() as connection:
        assert set(connection.execute(select(outbox.c.state)).scalars()) == {"pending"}


def test_times_are_local_with_the_zone_named_once(site: Site, seed: Seed, clock: FakeClock) -> None:
    """Noon UTC in February is 13:00 in Oslo."""
    case = seed.case(seed.profile("ola"), opened={"hours": 0})
    clock.move(hours=2)
    page = site.as_user("agent").get(f"/cases/{case}").text
    assert 'datetime="2026-02-02T13:00:00+01:00"' in page
    assert page.count("Europe/Oslo") == 1


def test_said_no_is_shown_without_a_name(site: Site, seed: Seed) -> None:
    """The answer stands on the card, and nobody asks at once again."""
    ids = small_world(seed)
    seed.yes(ids["unknown"], TOMAS, Answer.NO)
    page = words(site.as_user("agent").get(f"/cases/{ids['asked']}"))
    assert "The customer said no." in page
    assert "nobody asks again before Sun 3 May 2026" in page
    assert "Tomás Quispe" not in page


def test_the_longest_names_have_a_page(site: Site, seed: Seed) -> None:
    """And it is theirs."""
    small_world(seed)
    assert "Wolfeschlegelsteinhausen" in site.as_user("agent").get(f"/contacts/{LONG}").text


def test_whoever_looks_at_one_reason_sees_its_lines_and_not_the_other_reasons(site: Site, seed: Seed) -> None:
    """With fifty reasons the lines would stand below them all; a group of several details does not hide that it is."""
    for number, reason in enumerate(("mapping_unmatched", "mapping_unmatched", "bad_time")):
        seed.shelved(seed.delivery(state="done"), path=f"$[{number}]", reason=reason, detail=f"Trouble {number}.")
    seed.stuck("Case", "key-1")
    seed.stuck("Case", "key-2", code="STRING_TOO_LONG")
    admin = site.as_user("admin")
    assert "2 × social: Trouble 0. (and 1 similar reason)" in words(admin.get("/admin/shelf"))
    chosen = words(admin.get("/admin/shelf?source=social&reason=bad_time"))
    assert "1 × social: Trouble 2." in chosen
    assert "2 ×" not in chosen
    assert "Look at them" not in chosen
    assert "×" not in words(admin.get("/admin/shelf?state=dropped"))
    assert words(admin.get("/admin/outbox")).count("1 × Case") == 2
    chosen = words(admin.get("/admin/outbox?state=dead&object=Case&code=STRING_TOO_LONG"))
    assert chosen.count("1 × Case") == 1
    assert "All reasons" in chosen


def test_records_without_a_code_of_the_crm_go_out_again_without_the_others(site: Site, seed: Seed) -> None:
    """As those whose worker was killed three times over them: "all of them" means these, not all of the object."""
    seed.stuck("Case", "key-1")
    seed.stuck("Case", "key-2", code=None)
    page = site.as_user("admin").get("/admin/outbox?state=dead&object=Case&code=")
    assert words(page).count("1 × Case") == 1
    asked = site.post("admin", "/admin/outbox", act="retry", group="1", object="Case", code="")
    assert "Work on 1 record again?" in words(asked)


def test_a_message_that_is_only_a_picture_says_so_and_leads_to_it(site: Site, seed: Seed) -> None:
    """Nobody answers "No text." without having seen what was sent; the picture itself is never fetched by the page."""
    ids = small_world(seed)
    sent = '[{"kind":"image","url":"https://cdn.example/label.png"},{"kind":"video","url":null}]'
    seed.say(ids["asked"], None, ago={"minutes": 1}, profile_id=ids["unknown"], attachments=sent)
    page = site.as_user("agent").get(f"/cases/{ids['asked']}")
    assert "Attached: image , opens in a new tab , video" in words(page)
    assert "No text." not in words(page)
    assert '<a href="https://cdn.example/label.png" rel="noreferrer noopener"' in page.text
    assert "<img" not in page.text


def test_a_long_conversation_leads_to_its_end_and_back_from_what_came_earlier(site: Site, seed: Seed) -> None:
    """The newest message is what an agent came for; a short one has no such line."""
    ids = small_world(seed)
    agent = site.as_user("agent")
    assert "To the last one" not in agent.get(f"/cases/{ids['case']}").text
    for minute in range(210):
        seed.say(ids["case"], f"message {minute}", ago={"minutes": 300 - minute}, profile_id=ids["linked"])
    page = agent.get(f"/cases/{ids['case']}")
    assert "200 messages here, the oldest first. To the last one" in words(page)
    assert '<a href="#end">' in page.text
    assert "Latest messages" not in page.text
    earlier = re.search(r'rel="next" href="([^"]+)">Earlier messages', page.text)
    assert earlier is not None
    page = agent.get(earlier[1].replace("&amp;", "&"))
    assert f'href="/cases/{ids["case"]}#end">Latest messages' in page.text
