"""One walk through every page in a real browser: nothing that axe finds, no script error, and the keyboard works."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.web.conftest import PASSWORD, Site
from tests.web.seed import MARA, TOMAS

pytestmark = pytest.mark.browser

Desk = tuple[str, Site, dict[str, str]]


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


def addresses(ids: dict[str, str]) -> list[str]:
    """Every page there is."""
    unknown = f"/profiles/{ids['unknown']}"
    return [
        "/inbox", "/inbox?tab=answered", "/cases", f"/cases/{ids['case']}", f"/cases/{ids['asked']}",
        f"/cases/{ids['rtl']}", f"/cases/{ids['phone']}", "/people", "/search?q=mara",
        f"/search?q=mara&profile={ids['unknown']}", f"/contacts/{MARA}", unknown, f"{unknown}/ask?contact={TOMAS}",
        f"{unknown}/ask?contact={TOMAS}&more=1", "/reports", "/reports/volume", "/reports/first-response",
        "/reports/volume/cases", "/admin", "/admin/deliveries", "/admin/deliveries/1", "/admin/shelf", "/admin/outbox",
        "/admin/outbox/1", "/admin/sources", "/admin/users", "/admin/keys",
    ]  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (360, "dark")])
def test_every_page_is_clean_for_axe_and_fits_its_window(browser: Any, desk: Desk, width: int, scheme: str) -> None:
    """No violation, no complaint of the browser (its policy included), nothing that scrolls sideways."""
    page, complaints = opened(browser, desk, width=width, scheme=scheme)
    found: list[str] = []
    for path in addresses(desk[2]):
        answer = page.goto(desk[0] + path)
        assert answer.status == 200, path
        results = Axe().run(page)
        found += [
            f"{path}: {each['id']} at {each['nodes'][0]['html'][:120]}" for each in results.response["violations"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{path}: wider than its window")
    assert found == []
    assert complaints == []
    page.context.close()


def test_the_sign_in_page_and_errors_are_clean_too(browser: Any, desk: Desk) -> None:
    """They are the first thing some people see."""
    page = browser.new_page()
    page.goto(f"{desk[0]}/login")
    assert Axe().run(page).violations_count == 0
    page, _ = opened(browser, desk)
    assert page.goto(f"{desk[0]}/cases/none").status == 404
    assert Axe().run(page).violations_count == 0
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
    page.get_by_label("In the customer's own words").focus()
    page.keyboard.type("yes, that is me")
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    assert page.evaluate("document.activeElement.value") == "yes"
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/cases/{ids['asked']}?done=yes")
    assert page.get_by_text("linked by consent").is_visible()
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
    page.goto(f"{url}/cases/{ids['asked']}")
    page.get_by_role("link", name="Ask the customer").first.click()
    page.get_by_label("In the customer's own words").fill("no thanks")
    page.get_by_role("button", name="No", exact=True).click()
    page.wait_for_url(f"{url}/cases/{ids['asked']}?done=no")
    assert page.get_by_text("the customer said no").first.is_visible()
    page.context.close()


def test_text_at_twice_its_size_still_fits(browser: Any, desk: Desk) -> None:
    """Zoom of 200 % on a laptop is a window of 720."""
    page, _ = opened(browser, desk, width=720)
    wide = [
        path
        for path in addresses(desk[2])
        if page.goto(desk[0] + path)
        and page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    ]
    assert wide == []
    page.context.close()
