"""Contacts that the CRM holds twice are one row; namesakes are not."""

from dataclasses import replace

import pytest

from connector.domain.matching import ProfileQuery
from tests.suggestion_base import PEOPLE, engine_over, person


@pytest.mark.parametrize("copies", [2, 30, 90])
def test_copies_are_one_row_and_none_is_shown_beside_an_excluded_one(copies: int) -> None:
    people = [person(f"copy{number}", "Wanda", "Quorum", state="NY") for number in range(copies)]
    with engine_over([*PEOPLE, *people]) as engine:
        for query in (ProfileQuery(handle="wandaquorum"), ProfileQuery(handle="4711", display_name="Wanda Quorum")):
            (row,) = engine.suggest(query, 50)
            assert row.duplicates
            for number in range(0, copies, 7):
                assert engine.suggest(replace(query, excluded=frozenset([f"copy{number}"]))) == []


@pytest.mark.parametrize("handle", ["wandaquorum", "wquorum", "quorum"])
def test_namesakes_of_a_frequent_name_stay_two_whatever_the_handle_shows_of_it(handle: str) -> None:
    cities = ("Albany", "Utica")
    pair = [person(city, "Wanda", "Quorum", state="NY", city=city) for city in cities]
    wandas = [person(f"w{number}", "Wanda", f"Zwick{number:03}") for number in range(300)]
    quorums = [person(f"q{number}", f"Xaver{number:03}", "Quorum") for number in range(3)]
    with engine_over([*PEOPLE, *pair, *wandas, *quorums]) as engine:
        found = engine.suggest(ProfileQuery(handle=handle), 50)
    assert set(cities) <= {each.contact_id for each in found}
