"""A handle that fits nobody as it is spelt is read in the spellings that people play with; a plain one never is."""

from collections.abc import Iterator

import pytest

from connector.domain.matching import ProfileQuery, SuggestionEngine
from connector.domain.matching.handles import read_otherwise
from connector.mapping.scorecard import load_scorecard
from tests.suggestion_base import PEOPLE, engine_over, person

MORE = (
    person("sota", "Sota", "Kondo", country="Japan"),
    person("carre", "José", "Carreño-Valdivia", country="Chile"),
    *(person(f"mari{number}", "Mariela", f"Duarte{chr(97 + number)}x") for number in range(26)),
    person("la", "Marie", "La"),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[SuggestionEngine]:
    with engine_over([*PEOPLE, *MORE]) as opened:
        yield opened


@pytest.mark.parametrize(
    ("handle", "contact_id"),
    [
        ("4nn1k4.th0rv4ld53n", "ann"),
        ("r0bertk3strel", "bob1"),
        ("ann1ka_thorva1dsen", "ann"),
        ("a.th0rv4lds3n", "ann"),
        ("annikathorvaldsennn", "ann"),
        ("annnika_thorvaldsen", "ann"),
        ("ruppertt_kestrell", "bob2"),
        ("souta.kondou", "sota"),
        ("sohta_kondoh", "sota"),
        ("jos%C3%A9-carre%C3%B1o-valdivia", "carre"),
    ],
)
def test_a_handle_in_a_playful_spelling_finds_its_person(
    handle: str, contact_id: str, engine: SuggestionEngine
) -> None:
    assert [each.contact_id for each in engine.suggest(ProfileQuery(network="x", handle=handle))][:1] == [contact_id]


def test_a_second_reading_says_that_it_is_one(engine: SuggestionEngine) -> None:
    best = engine.suggest(ProfileQuery(network="x", handle="4nn1k4.th0rv4ld53n"))[0]
    plain = engine.suggest(ProfileQuery(network="x", handle="annika.thorvaldsen"))[0]
    assert any("digits as letters" in reason.detail for reason in best.reasons)
    assert not any("digits as letters" in reason.detail for reason in plain.reasons)
    assert best.score < plain.score


@pytest.mark.parametrize(
    "handle",
    ["annikathorvaldsen", "rupert1984", "anna", "2kestrel1990", "", None, "1234", "żółć", "carre%C3%B1o%2D%7a1a"],
)
def test_a_plain_handle_has_no_other_spelling(handle: str | None) -> None:
    assert [
        each for each in read_otherwise(handle) if each.strip("0123456789_.") != (handle or "").strip("0123456789")
    ] == []


def test_a_part_of_a_longer_name_says_less(engine: SuggestionEngine) -> None:
    weighed = {group[0].contact.contact_id: group[0].features for group in engine.weigh(ProfileQuery(handle="mariela"))}
    assert weighed["la"]["rest.longer_name"] > 1
    assert not any("rest.longer_name" in each for contact_id, each in weighed.items() if contact_id.startswith("mari"))
    assert load_scorecard().weights["rest.longer_name"] < 0
