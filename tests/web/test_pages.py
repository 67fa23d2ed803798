"""What people see: every page answers, shows what matters, and says what to do when there is nothing."""

from __future__ import annotations

import pytest

from tests.web.conftest import Site
from tests.web.seed import MARA, Seed, small_world

PAGES = (
    "/inbox", "/inbox?tab=answered", "/cases", "/people", "/search?q=mara", "/reports", "/reports/volume",
    "/reports/first-response", "/reports/volume/cases", "/reports/first-response/cases?answered=no", "/admin",
    "/admin/deliveries", "/admin/shelf", "/admin/outbox", "/admin/sources", "/admin/users", "/admin/keys",
)  # fmt: skip


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


def test_case_profile_and_contact_pages_answer(site: Site, seed: Seed) -> None:
    """One of each state: linked, not linked, from the CRM."""
    ids = small_world(seed)
    for path in (
        f"/cases/{ids['case']}",
        f"/cases/{ids['asked']}",
        f"/cases/{ids['phone']}",
        f"/contacts/{MARA}",
        f"/profiles/{ids['unknown']}",
        f"/profiles/{ids['linked']}",
        f"/profiles/{ids['unknown']}/ask?contact={MARA}",
    ):
        answer = site.as_user("agent").get(path)
        assert answer.status_code == 200, (path, answer.text[:500])
