"""A contact's name is found in the handles that people of the world make of it."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.matching import ProfileQuery, SuggestionEngine
from connector.domain.matching.folding import fold, mixed_scripts
from connector.domain.matching.handles import read_handle
from connector.domain.matching.names import name_forms
from connector.domain.matching.sounds import sounds, sounds_key
from connector.domain.matching.spellings import twin
from tests.suggestion_base import PEOPLE, engine_over, person


@pytest.fixture(scope="module")
def engine() -> Iterator[SuggestionEngine]:
    with engine_over() as opened:
        yield opened


@pytest.mark.parametrize(
    ("handle", "contact_id"),
    [
        ("AnnikaThorvaldsen", "ann"),
        ("annika_thorvaldsen_84", "ann"),
        ("thorvaldsen.annika", "ann"),
        ("athorvaldsen", "ann"),
        ("annikathor", "ann"),
        ("the_real_bobkestrel", "bob1"),
        ("juergenmuellerluedenscheid", "mue"),
        ("jurgen.luedenscheid", "mue"),
        ("femkevanderberghe", "van"),
        ("femkeberghe", "van"),
        ("mariagarciaquintanilla", "gar"),
        ("mjose.quintanilla", "gar"),
        ("pepagarcia_mariajosequintanilla", "gar"),
        ("kimseoyeon", "kim"),
        ("wangxiaoming", "wan"),
        ("xiaomingwang", "wan"),
        ("dmitrykuznetsov", "pet"),
        ("dima.kuznetsov", "pet"),
        ("siobhanoflaherty", "ofl"),
        ("dr_peterhoskyns", "hos"),
        ("HoskynsForAlbany", "hos"),
        ("PetHosky", "hos"),
        ("p3terhoskyns", "hos"),
    ],
)
def test_the_person_comes_first(engine: SuggestionEngine, handle: str, contact_id: str) -> None:
    found = engine.suggest(ProfileQuery(network="x", handle=handle))
    assert [each.contact_id for each in found[:1]] == [contact_id]


@pytest.mark.parametrize(
    ("shown", "contact_id"),
    [
        ("Annika Thorvaldsen", "ann"),
        ("THORVALDSEN, Annika", "ann"),
        ("Bob Kestrel 🌞", "bob1"),
        ("王小明", "wan"),
        ("이서연", "lee"),
        ("Lee Seoyeon", "lee"),
        ("Дмитрий Кузнецов", "pet"),
        ("Jürgen Müller-Lüdenscheid", "mue"),
        ("Dr. Siobhán O’Flaherty-Quinn, PhD", "ofl"),
    ],
)
def test_a_shown_name_is_enough(engine: SuggestionEngine, shown: str, contact_id: str) -> None:
    found = engine.suggest(ProfileQuery(network="facebook", handle="1000482", display_name=shown))
    assert [each.contact_id for each in found[:1]] == [contact_id]


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Łukasz", "lukasz"),
        ("O’Brien", "obrien"),
        ("Ñandú ß", "nandu ss"),
        ("გიორგი", "giorgi"),
        ("王小明", "wangxiaoming"),
    ],
)
def test_any_script_folds_to_letters(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_umlauts_have_a_twin() -> None:
    assert (fold("Müller"), twin("Müller"), twin("Miller")) == ("muller", "mueller", None)


def test_look_alike_letters_warn_and_are_not_read_as_what_they_imitate(engine: SuggestionEngine) -> None:
    fake = "аnnikathorvaldsen"
    assert mixed_scripts(fake)
    assert not mixed_scripts("Дмитрий Kuznetsov")
    assert read_handle(fake).letters.startswith("*nnika")
    real = engine.suggest(ProfileQuery(handle="annikathorvaldsen"))[0]
    faked = engine.suggest(ProfileQuery(handle=fake))
    assert all(each.score < real.score for each in faked)
    assert all(any(reason.kind == "warning" for reason in each.reasons) for each in faked)


def test_titles_and_particles_are_no_names() -> None:
    forms = dict(name_forms("Dr. Femke", "van der Berghe jr").lasts)
    assert set(forms) == {"vanderberghe", "berghe"}


def test_an_address_shows_what_a_person_goes_by() -> None:
    with_mail = dict(name_forms("Emmeline", "Levinger", ("emersonlevinger@mail.de",)).firsts)
    assert "emerson" in with_mail
    assert "emerson" not in dict(name_forms("Emmeline", "Levinger").firsts)


ABROAD = (
    person("ara", "خالد", "منصور", country="Jordan"),
    person("heb", "מרים", "קפלן", country="Israel"),
    person("geo", "Zaqaria", "Chiqovani", country="Georgia"),
    person("vie", "Văn An", "Nguyễn", country="Vietnam"),
    person("mon", "Lena", "Brandt-Ostrowski", country="Germany"),
    person("gre", "Γεώργιος", "Παπαδόπουλος", country="Greece"),
    person("rus", "Вячеслав", "Щербаков", country="Russia"),
    person("plc", "Robert", "Tanglewood", city="Brooklyn", state="NY", country="United States"),
    person("cut", "Ulla", "Wackernagelmann", country="Germany"),
    person("chu", "Jesús", "Zarzamora", country="Mexico"),
)


@pytest.fixture(scope="module")
def abroad() -> Iterator[SuggestionEngine]:
    with engine_over([*PEOPLE, *ABROAD]) as opened:
        yield opened


@pytest.mark.parametrize(
    ("handle", "contact_id"),
    [
        ("khaledmansour", "ara"),
        ("khalid.mansur", "ara"),
        ("miriamkaplan", "heb"),
        ("zakariachikovani", "geo"),
        ("annguyen", "vie"),
        ("nguyenvanan", "vie"),
        ("reallbo", "mon"),
        ("george_papadopoulos", "gre"),
        ("viacheslavshcherbakov", "rus"),
        ("bobby4brooklyn", "plc"),
        ("uwackernagel", "cut"),
        ("chuyzarzamora", "chu"),
    ],
)
def test_spellings_short_forms_and_initials_find_the_person(
    abroad: SuggestionEngine, handle: str, contact_id: str
) -> None:
    found = abroad.suggest(ProfileQuery(network="x", handle=handle))
    assert [each.contact_id for each in found[:1]] == [contact_id]


@pytest.mark.parametrize(
    ("shown", "contact_id"),
    [("Khaled Mansour", "ara"), ("Chikovani Zakaria", "geo"), ("Viacheslav Shcherbakov", "rus")],
)
def test_a_shown_name_may_be_spelt_otherwise(abroad: SuggestionEngine, shown: str, contact_id: str) -> None:
    found = abroad.suggest(ProfileQuery(network="facebook", handle="1000482", display_name=shown))
    assert contact_id in [each.contact_id for each in found[:1]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("mohammed", fold("محمد")),
        ("alexei", fold("Алексей")),
        ("tchaikovsky", fold("Чайковский")),
        ("taqtaqishvili", fold("თაქთაქიშვილი")),
        ("cohen", fold("כהן")),
        ("smyth", "smith"),
    ],
)
def test_two_spellings_sound_alike(one: str, other: str) -> None:
    assert sounds(one) == sounds(other) != ""


def test_names_of_few_consonants_make_no_sound_key() -> None:
    assert sounds_key("li", "yu") == ""
    assert sounds("meyer") != sounds("miller")


@given(st.text("schtdzjkxaeiwynb*q3", max_size=7), st.text("schtdzjkxaeiwynb*q3", max_size=7))
@settings(max_examples=300, deadline=None)
def test_of_a_second_word_only_the_first_consonant_may_sound_otherwise(first: str, second: str) -> None:
    assert sounds(first + second).endswith(sounds(second)[1:])


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=200, deadline=None)
def test_a_whole_name_folds_as_its_parts_do(first: str, last: str) -> None:
    assert name_forms(first, last).whole == fold(f"{first} {last}")
