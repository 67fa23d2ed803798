"""One walk through every page in a real browser: nothing that axe finds, no script error, and the keyboard works."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import insert, update

from connector.flows import people
from connector.store.tables import cases, crm_users
from tests.browser.conftest import Desk
from tests.web.conftest import PASSWORD
from tests.web.seed import MARA, TOMAS

pytestmark = pytest.mark.browser

AXE = Axe()
ONLY_VIOLATIONS: dict[str, Any] = {"resultTypes": ["violations"], "selectors": False}

CUT_TABLES = "[...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def opened(
    browser: Any, desk: Desk, *, width: int = 1440, scheme: str = "light", script: bool = True
) -> tuple[Any, list[str]]:
    """A signed-in page, and the list that its complaints are added to."""
    url, _, _ = desk
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
    )
    page = context.new_page()
    complaints: list[str] = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{url}/login")
    page.fill("[name=name]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/inbox")
    return page, complaints


def violations(page: Any, path: str) -> list[str]:
    """What axe finds on the page as it stands."""
    found = AXE.run(page, options=ONLY_VIOLATIONS).response["violations"]
    return [f"{path}: {each['id']} at {each['nodes'][0]['html'][:120]}" for each in found]


def addresses(ids: dict[str, str]) -> list[str]:
    """Every page there is."""
    unknown = f"/profiles/{ids['unknown']}"
    return [
        "/inbox", "/inbox?tab=answered", "/inbox?tab=unlinked", "/cases", f"/cases/{ids['case']}",
        f"/cases/{ids['asked']}",
        f"/cases/{ids['rtl']}", f"/cases/{ids['phone']}", "/people", "/search?q=mara",
        f"/search?q=mara&profile={ids['unknown']}", f"/contacts/{MARA}", f"/contacts/{MARA}/ask",
        f"/contacts/{MARA}/ask?handle=mara_l&network=instagram", f"/contacts/{MARA}/ask?handle=!",
        unknown, f"{unknown}/ask?contact={TOMAS}",
        f"{unknown}/ask?contact={TOMAS}&more=1", "/reports", "/reports/volume", "/reports/first-response",
        "/reports/volume/cases", "/admin", "/admin/deliveries", "/admin/deliveries/1", "/admin/shelf", "/admin/outbox",
        "/admin/outbox/1", "/admin/sources", "/admin/users", "/admin/keys",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_every_page_is_clean_for_axe_and_fits_its_window(
    browser: Any, shown_desk: Desk, width: int, scheme: str
) -> None:
    """No violation, no complaint of the browser (its policy included), nothing and no table that scrolls sideways.

    The wide window is looked at once more at half its width: that is what zooming to 200 % makes of it.
    """
    page, complaints = opened(browser, shown_desk, width=width, scheme=scheme)
    found: list[str] = []
    for path in addresses(shown_desk[2]):
        answer = page.goto(shown_desk[0] + path)
        assert answer.status == 200, path
        if path.startswith("/inbox") and width > 1200 and page.locator("a.row").count():
            page.wait_for_selector("#peek h2")
        found += violations(page, path)
        for shown in (width, width // 2) if width > 720 else (width,):
            page.set_viewport_size({"width": shown, "height": 900})
            if page.evaluate(TOO_WIDE):
                found.append(f"{path}: wider than its window of {shown}")
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate(CUT_TABLES):
            found.append(f"{path}: a table that scrolls sideways at {width}")
    assert found == []
    assert complaints == []
    page.context.close()


def test_the_sign_in_page_and_errors_are_clean_too(browser: Any, shown_desk: Desk) -> None:
    """They are the first thing some people see."""
    page = browser.new_page()
    page.goto(f"{shown_desk[0]}/login")
    assert violations(page, "/login") == []
    page.close()
    page, _ = opened(browser, shown_desk)
    assert page.goto(f"{shown_desk[0]}/cases/none").status == 404
    assert violations(page, "/cases/none") == []
    page.context.close()


def test_the_inbox_shows_the_chosen_case_beside_the_list(browser: Any, shown_desk: Desk) -> None:
    """The first at once, the next by j or a click, and a second click opens it; on a narrow window a click opens."""
    url, _, ids = shown_desk
    page, complaints = opened(browser, shown_desk)
    peek = page.locator("#peek")
    peek.get_by_text("the app shows an error").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("j")
    peek.get_by_text("Any news?").wait_for()
    assert peek.get_by_text("linked by consent").is_visible()
    row = page.locator(f'a.row[href$="/cases/{ids["rtl"]}"]')
    row.click()
    peek.get_by_text("أين طردي؟").wait_for()
    assert page.url == f"{url}/inbox"
    assert page.locator("a.row[aria-current]").count() == 1
    row.click()
    page.wait_for_url(f"{url}/cases/{ids['rtl']}")
    page.set_viewport_size({"width": 900, "height": 900})
    page.goto(f"{url}/inbox")
    assert not peek.is_visible()
    row.click()
    page.wait_for_url(f"{url}/cases/{ids['rtl']}")
    assert complaints == []
    page.context.close()


def test_a_case_that_cannot_be_shown_beside_the_list_can_still_be_opened(browser: Any, shown_desk: Desk) -> None:
    """The pane says so; the link is a link."""
    page, _ = opened(browser, shown_desk)
    page.route("**/peek", lambda route: route.abort())
    page.reload()
    page.get_by_text("This case cannot be shown here just now").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/*")
    page.context.close()


def test_a_report_prints_as_a_clean_page(browser: Any, shown_desk: Desk) -> None:
    """Its question, figures and definition; no menu, no filters, nothing that only a screen can use."""
    page, _ = opened(browser, shown_desk)
    page.goto(f"{shown_desk[0]}/reports/volume")
    page.emulate_media(media="print")
    assert page.locator("details.definition > p").first.is_visible()
    for gone in (".rail", ".search", ".filters", ".exports"):
        assert not page.locator(gone).is_visible(), gone
    for kept in ("h1", ".chart", "table", "text=What this leaves out"):
        assert page.locator(kept).first.is_visible(), kept
    page.context.close()


def test_a_quiet_day_is_one_line_on_a_phone(browser: Any, shown_desk: Desk) -> None:
    """A table that has become a list shows no zeros, and says so."""
    page, _ = opened(browser, shown_desk, width=360)
    page.goto(f"{shown_desk[0]}/reports/volume")
    day = page.locator("tr.nothing").first
    assert day.bounding_box()["height"] < 60
    assert not day.locator("td").first.is_visible()
    said = page.locator("tbody tr:not(.nothing, .total)").first
    assert said.locator("td:not(.nothing)").first.is_visible()
    page.context.close()


def test_an_agent_links_an_account_with_the_keyboard_alone(browser: Any, desk: Desk) -> None:
    """From the inbox over the question to the receipt, without touching a mouse."""
    url, _, ids = desk
    page, complaints = opened(browser, desk)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/cases/{ids['asked']}")
    page.get_by_role("link", name="Ask the customer").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/ask?*")  # until it is loaded with its script: what is typed before reaches the field alone
    page.get_by_label("In the customer's own words").focus()
    page.keyboard.type("yes, that is me")
    page.keyboard.press("Escape")
    page.keyboard.press("i")  # what was typed is not left behind
    page.keyboard.press("y")
    assert page.evaluate("document.activeElement.value") == "yes"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/cases/{ids['asked']}?done=yes")
    assert page.get_by_text("linked by consent").is_visible()
    assert page.evaluate("document.activeElement.textContent").startswith("Linked: the customer said yes.")
    page.keyboard.press("i")
    page.wait_for_url(f"{url}/inbox")
    page.keyboard.press("?")
    assert page.get_by_text("down and up in a list").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("quispe")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/search?q=quispe")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/contacts/{TOMAS}")
    assert page.get_by_text("@fjordpost the app shows an error").first.is_visible()
    assert complaints == []
    page.context.close()


def test_everything_works_without_script(browser: Any, desk: Desk) -> None:
    """Script is a help, never a need."""
    url, _, ids = desk
    page, _ = opened(browser, desk, script=False)
    assert not page.locator("#peek").is_visible()
    page.goto(f"{url}/cases/{ids['asked']}")
    page.get_by_role("link", name="Ask the customer").first.click()
    page.get_by_label("In the customer's own words").fill("no thanks")
    page.get_by_role("button", name="No", exact=True).click()
    page.wait_for_url(f"{url}/cases/{ids['asked']}?done=no")
    assert page.get_by_text("the customer said no").first.is_visible()
    page.context.close()


def test_the_longest_owner_leaves_the_customer_in_sight(browser: Any, desk: Desk) -> None:
    """On a phone as on a wide window: who waits is what the row is for."""
    _, site, ids = desk
    owner = "Aleksandra-Konstantina Papadopoulou-Featherstonehaugh von Hohenlohe"
    with site.ctx.store.begin() as uow:
        uow.connection.execute(insert(crm_users).values(crm_id="005aa0000000001AAA", name=owner))
        mine = update(cases).where(cases.c.id == ids["asked"])
        uow.connection.execute(mine.values(owner_crm_id="005aa0000000001AAA"))
    page, _ = opened(browser, desk, width=360)
    for width in (360, 720, 1440, 1700):
        page.set_viewport_size({"width": width, "height": 900})
        row = page.locator(f'a.row[href$="/cases/{ids["asked"]}"]')
        assert row.locator(".row-who b").bounding_box()["width"] > 80, width
        assert row.get_by_text("Social · X").bounding_box()["width"] > 60, width
        assert row.get_by_text(owner).is_visible(), width
        assert not page.evaluate(TOO_WIDE), width
    page.context.close()


def test_a_double_click_sends_a_form_once(browser: Any, desk: Desk) -> None:
    """Of two keys with one name nobody knows which token was copied."""
    url, site, _ = desk
    page, _ = opened(browser, desk)
    page.goto(f"{url}/admin/keys")
    page.get_by_label("Which program uses it?").fill("warehouse")
    page.get_by_role("button", name="Make a key").dblclick()
    page.get_by_text("shown this once").wait_for()
    assert len(people.keys(site.ctx)) == 1
    page.reload()
    page.get_by_text("made already").wait_for()
    assert len(people.keys(site.ctx)) == 1
    page.context.close()


def test_an_answer_is_recorded_only_to_the_wording_that_is_shown(browser: Any, shown_desk: Desk) -> None:
    """Another way or language needs its own words: until they are shown there is nothing to record."""
    url, _, ids = shown_desk
    page, complaints = opened(browser, shown_desk)
    page.goto(f"{url}/profiles/{ids['unknown']}/ask?contact={TOMAS}")
    words = page.get_by_label("In the customer's own words")
    words.fill("yes, sure")
    page.get_by_label("How do you ask?").select_option("In chat")
    assert not words.is_visible()
    page.get_by_label("How do you ask?").select_option("On the phone")
    assert words.input_value() == "yes, sure"
    page.get_by_label("Language").select_option("Deutsch")
    page.get_by_role("button", name="Show the wording").click()
    page.locator("blockquote[lang=de]").wait_for()
    words.wait_for()  # the rest of the page may still be on its way
    assert complaints == []
    page.context.close()
