"""The page before the reports: six figures, what they were before, and of how many."""

from __future__ import annotations

import re

import pytest

from tests.web.conftest import Site
from tests.web.seed import Seed
from tests.web.test_pages import words


def seeded(seed: Seed) -> None:
    """Twelve cases in the last 28 days, nine of them answered after an hour; six before, answered after two."""
    profile = seed.profile("ola")
    for number in range(12):
        answered = {"hours": 24 * number + 4} if number < 9 else None
        case = seed.case(profile, opened={"hours": 24 * number + 5}, answered=answered)
        seed.say(case, "hello", ago={"hours": 24 * number + 5}, profile_id=profile)
    for number in range(6):
        case = seed.case(profile, opened={"days": 30 + number, "hours": 5}, answered={"days": 30 + number, "hours": 3})
        seed.say(case, "hello", ago={"days": 30 + number, "hours": 5}, profile_id=profile)


@pytest.mark.parametrize(
    "line",
    [
        "Attempts to reach us 12 +100 % · was 6",
        "Messages, posts and calls 12 +100 % · was 6",
        "Cases begun 12 +100 % · was 6",
        "Not answered yet 3 was 0 of 12 cases",
        "Half answered within 1 h -50 % · was 2 h of 12 cases",
        "90 % answered within ≥ 10 d 5 h none before of 12 cases · not reached yet, too many still wait",
    ],
)
def test_each_figure_says_what_it_was_before_and_of_how_many(site: Site, seed: Seed, line: str) -> None:
    """A rank among those who still wait is a bound, and never compared."""
    seeded(seed)
    assert line in words(site.as_user("reporter").get("/reports"))


def test_the_page_says_which_days_and_as_of_when(site: Site) -> None:
    """Both spans, the zone and the moment."""
    page = words(site.as_user("reporter").get("/reports"))
    assert "6 Jan to 2 Feb 2026, beside 9 Dec 2025 to 5 Jan 2026; days in Europe/Oslo, as of" in page


def test_each_figure_leads_to_its_report(site: Site) -> None:
    """With its unit."""
    page = site.as_user("reporter").get("/reports").text
    for address in ("/reports/volume?unit=attempts", "/reports/volume?unit=interactions", "/reports/first-response"):
        assert f'href="{address}"' in page


def test_a_chart_draws_no_open_end_where_everybody_was_answered(site: Site, seed: Seed) -> None:
    """Too few cases for a 90th percentile are no reason to say that somebody waits."""
    profile = seed.profile("ola")
    seed.case(profile, opened={"hours": 5}, answered={"hours": 4})
    page = site.as_user("reporter").get("/reports/first-response").text
    assert 'class="open"' not in page
    assert "all answered" in page
    for number in range(3):
        seed.case(profile, opened={"hours": 9 + number})
    page = site.as_user("reporter").get("/reports/first-response").text
    assert 'class="open"' in page
    assert "more than 9 h" in page
    assert "3 waiting" in page


def test_a_report_says_its_days_as_people_do(site: Site, seed: Seed) -> None:
    """With the day of the week, which explains most of the dips; addresses and exports keep 2026-01-31."""
    seeded(seed)
    reporter = site.as_user("reporter")
    page = reporter.get("/reports/volume?from=2026-01-30&to=2026-02-02").text
    assert "30 Jan to 2 Feb 2026, days in Europe/Oslo" in page
    assert '<th scope="row">Sun 1 Feb 2026</th>' in page
    assert "day=2026-02-01" in page
    assert "Sun 1 Feb 2026" in reporter.get("/reports/volume/cases?from=2026-01-30&to=2026-02-02&day=2026-02-01").text
    assert "Mon 2 Feb 2026, days in Europe/Oslo" in reporter.get("/reports/volume?from=2026-02-02&to=2026-02-02").text


def test_the_cases_behind_a_figure_come_latest_first_and_page_without_gap(site: Site, seed: Seed) -> None:
    """Whoever asks which cases wait wants to see them in time."""
    for hours in range(60):
        seed.case(seed.profile(f"person_{hours}"), opened={"hours": hours * 7 % 60 + 1})
    reporter, seen = site.as_user("reporter"), []
    path = "/reports/first-response/cases?answered=no"
    while path:
        page = reporter.get(path).text
        seen += re.findall(r'data-label="First message"><time datetime="([^"]+)"', page)
        found = re.search(r'rel="next" href="([^"]+)"', page)
        path = found[1].replace("&amp;", "&") if found else ""
    assert len(seen) == 60
    assert seen == sorted(set(seen), reverse=True)
