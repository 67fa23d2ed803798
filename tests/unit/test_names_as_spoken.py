"""Names in scripts that leave vowels out, or write them otherwise than they are spoken, in the spelling in use."""

from collections.abc import Iterator

import pytest

from connector.domain.matching import ProfileQuery, SuggestionEngine
from connector.domain.matching.indic import aloud
from connector.domain.matching.sounds import sounds, vowels_too
from connector.domain.matching.spellings import twin
from tests.suggestion_base import PEOPLE, engine_over, person


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("राहुल शर्मा", "rahul sharma"),
        ("मनोज यादव", "manoj yadav"),
        ("संजय सिंह", "sanjay singh"),
        ("कविता", "kavita"),
        ("আরিফ রহমান", "arif rahman"),
        ("সুমন সরকার", "suman sarkar"),
        ("ગીતા પટેલ", "gita patel"),
        ("ਗੁਰਪ੍ਰੀਤ", "gurprit"),
        ("முருகன்", "murugan"),
        ("சுந்தரம்", "sundaram"),
        ("వెంకట", "venkata"),
        ("ಸುರೇಶ", "suresha"),
        ("മോഹൻ", "moha"),
        ("plain रवि", "plain ravi"),
        ("", ""),
        ("्", ""),
    ],
)
def test_indian_scripts_are_spelt_as_they_are_spoken(written: str, spoken: str) -> None:
    assert aloud(written) == spoken


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("שלום", "shlom"),
        ("יוסף", "yosf"),
        ("ביטון", "biton"),
        ("پرویز", "prviz"),
        ("Լուսինե", "lusine"),
        ("ชัย", "chai"),
    ],
)
def test_other_scripts_have_a_spelling_nearer_to_the_one_in_use(written: str, spelt: str) -> None:
    assert twin(written) == spelt


@pytest.mark.parametrize(("one", "other"), [("chowdhury", "choudhuri"), ("deepak", "dipak"), ("tesema", "tessema")])
def test_two_spellings_of_a_name_are_equal_but_for_their_vowels(one: str, other: str) -> None:
    assert sounds(one) == sounds(other)
    assert vowels_too(one) == vowels_too(other)


INDIAN = (
    person("dev", "राहुल", "चतुर्वेदी", country="India"),
    person("ban", "সুমন", "সরকার", country="Bangladesh"),
    person("tam", "முருகன்", "சுந்தரம்", country="India"),
    person("heb", "שלום", "ביטון", country="Israel"),
    person("arm", "Լուսինե", "Մանուկյան", country="Armenia"),
    person("lat", "Mahmud", "Choudhury", country="Bangladesh"),
)


@pytest.fixture(scope="module")
def engine() -> Iterator[SuggestionEngine]:
    with engine_over([*PEOPLE, *INDIAN]) as opened:
        yield opened


@pytest.mark.parametrize(
    ("handle", "contact_id"),
    [
        ("rahulchaturvedi", "dev"),
        ("rahul_chaturvedi91", "dev"),
        ("suman.sarkar", "ban"),
        ("murugansundaram", "tam"),
        ("shalombiton", "heb"),
        ("lusinemanukyan", "arm"),
        ("mahmoodchowdhury", "lat"),
    ],
)
def test_the_handle_in_latin_letters_finds_the_person(engine: SuggestionEngine, handle: str, contact_id: str) -> None:
    assert [each.contact_id for each in engine.suggest(ProfileQuery(network="x", handle=handle))][:1] == [contact_id]


@pytest.mark.parametrize("shown", ["Rahul Chaturvedi", "राहुल चतुर्वेदी"])
def test_the_shown_name_finds_the_person_in_either_script(engine: SuggestionEngine, shown: str) -> None:
    found = engine.suggest(ProfileQuery(network="facebook", handle="100482", display_name=shown))
    assert [each.contact_id for each in found][:1] == ["dev"]
