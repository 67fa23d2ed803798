"""Invented people of many languages are found among thousands by handles and spellings that are usual there."""

import random
from collections.abc import Iterator

import pytest

from connector.domain.matching import ContactFacts, ProfileQuery, SuggestionEngine
from connector.domain.matching.spellings import twin
from tests.suggestion_base import engine_over, person

# Given name, family name, country: the handles.
PEOPLE = {
    ("خالد", "الحربي", "Saudi Arabia"): "khaledalharbi khalid.harbi",
    ("محمد", "عبد الرحمن", "Egypt"): "mohamedabdelrahman mohammad.abdulrahman",
    ("فاطمة الزهراء", "بنعلي", "Morocco"): "fatimazahrabenali fatimaezzahra.benali",
    ("Youssef", "El Mansouri", "Morocco"): "youssefelmansouri yelmansouri mansouri_youssef",
    ("Abdulrahman", "Al-Qahtani", "Saudi Arabia"): "abdulrahmanalqahtani a.qahtani abdelrahman_alqahtani",
    ("שרה", "לוי", "Israel"): "sarahlevi",
    ("דניאל", "שפירא", "Israel"): "danielshapira",
    ("Noa", "Ben-David", "Israel"): "noabendavid",
    ("प्रिया", "शर्मा", "India"): "priyasharma priya_sharma92",
    ("विक्रम", "राठौड़", "India"): "vikram.rathod",
    ("Lakshmi Narayanan", "Venkataraman", "India"): "lakshminvenkataraman lvenkataraman",
    ("S. Ramesh", "Krishnan", "India"): "srameshkrishnan rameshkrishnan",
    ("অরিন্দম", "চট্টোপাধ্যায়", "India"): "arindamchattopadhyay",
    ("สมชาย", "ศรีสุวรรณ", "Thailand"): "somchaisrisuwan",
    ("Nattapong", "Wongsawat", "Thailand"): "nattapong.w nattapongwongsawat",
    ("Thị Hương", "Nguyễn", "Vietnam"): "huongnguyen nguyenthihuong",
    ("Đức Anh", "Trần", "Vietnam"): "ducanhtran tranducanh anhtran_duc",
    ("지훈", "박", "South Korea"): "parkjihoon jihoonpark jihun.park",
    ("현우", "최", "South Korea"): "hyunwoochoi choihyunwoo",
    ("Min-jung", "Oh", "South Korea"): "minjungoh ohminjung",
    ("さくら", "たなか", "Japan"): "sakuratanaka tanakasakura",
    ("ケンジ", "スズキ", "Japan"): "kenjisuzuki suzuki_kenji",
    ("Yūki", "Ōtsuka", "Japan"): "yukiotsuka yuukiootsuka yukiohtsuka",
    ("しょうた", "いとう", "Japan"): "shotaito shoutaitou",
    ("伟强", "陈", "China"): "chenweiqiang weiqiangchen",
    ("丽华", "欧阳", "China"): "ouyanglihua lihuaouyang",
    ("Xiu Ying", "Zhang", "China"): "zhangxiuying xiuyingzhang xyzhang",
    ("Ελευθερία", "Χατζηδάκη", "Greece"): "eleftheriachatzidaki eleftheria_hatzidaki",
    ("Ευάγγελος", "Παπαευθυμίου", "Greece"): "vangelispapaefthymiou evangelospapaefthimiou",
    ("Γιάννης", "Μπουζάκης", "Greece"): "giannisbouzakis yannisbouzakis",
    ("Наталья Викторовна", "Соловьёва", "Russia"): "nataliasolovieva natashasolovyova natalyasoloveva",
    ("Евгений Петрович", "Ярцев", "Russia"): "evgenyyartsev zhenyayartsev e.yartsev",
    ("Юлия", "Щукина", "Russia"): "yuliashchukina juliaschukina",
    ("Олександр", "Шевчук", "Ukraine"): "oleksandrshevchuk alexandershevchuk",
    ("Сергій", "Їжакевич", "Ukraine"): "serhiiyizhakevych sergey_yizhakevich",
    ("Ђорђе", "Живковић", "Serbia"): "djordjezivkovic djordje.zivkovic",
    ("ნინო", "ხაჩიძე", "Georgia"): "ninokhachidze nino_xachidze",
    ("გიორგი", "ჭანტურია", "Georgia"): "giorgichanturia",
    ("Արմեն", "Հովհաննիսյան", "Armenia"): "armenhovhannisyan armen_hovhannisian",
    ("Işıl", "Çağlar", "Turkey"): "isilcaglar isil_caglar",
    ("İbrahim", "Yıldırım", "Turkey"): "ibrahimyildirim iyildirim",
    ("Gülşah", "Öztürk", "Turkey"): "gulsahozturk guelsah.oeztuerk",
    ("Małgorzata", "Wójcik-Krzyżanowska", "Poland"): "gosiawojcik malgorzatakrzyzanowska mwojcikkrzyzanowska",
    ("Paweł", "Szczęsny", "Poland"): "pawelszczesny pszczesny",
    ("Agnieszka", "Wiśniewska", "Poland"): "agnieszkawisniewski agawisniewska",
    ("Jana", "Svobodová", "Czechia"): "janasvobodova janasvoboda",
    ("Kateřina", "Dvořáčková", "Czechia"): "katerinadvorackova katkadvorackova",
    ("Jiří", "Růžička", "Czechia"): "jiriruzicka jirkaruzicka",
    ("Sigríður", "Þorsteinsdóttir", "Iceland"): "sigridurthorsteinsdottir sigridurt",
    ("Björn", "Guðmundsson", "Iceland"): "bjorngudmundsson bjorngudmunds",
    ("László", "Szentgyörgyi", "Hungary"): "szentgyorgyilaszlo lacikaszentgyorgyi laciszentgyorgyi",
    ("Zsófia", "Nagy-Horváth", "Hungary"): "nagyhorvathzsofi zsofiahorvath",
    (
        "María del Carmen",
        "Fernández Ibarrola",
        "Spain",
    ): "carmenfernandez_ib mariacarmenfernandezibarrola carmenibarrola mcfernandezi",
    ("José Ángel", "Muñoz Etxeberria", "Spain"): "joseangelmunoz jamunozetxeberria pepeetxeberria",
    ("Ana Beatriz", "dos Santos Vasconcelos", "Brazil"): "anabeatrizvasconcelos biavasconcelos anabsantos",
    ("João Pedro", "Guimarães", "Portugal"): "joaopedroguimaraes jpguimaraes",
    ("Maarten", "van 't Hoff", "Netherlands"): "maartenvanthoff maartenvthoff mvanthoff maartenhoff",
    ("Lieke", "de Wit-Jansma", "Netherlands"): "liekedewit liekejansma lieke_dewitjansma",
    ("IJsbrand", "van der Kooij", "Netherlands"): "ijsbrandvdkooij ijsbrandkooij ijsbrandvanderkooy",
    ("Aoife", "O'Sullivan", "Ireland"): "aoifeosullivan aoife_sullivan aosullivan",
    ("Pádraig", "Ó Dónaill", "Ireland"): "padraigodonaill",
    ("Fiona", "MacGillivray", "United Kingdom"): "fionamcgillivray fmacgillivray",
    ("Callum", "McTavish", "United Kingdom"): "callummactavish callum.mctavish",
    ("Jörg", "Groß", "Germany"): "joerggross jorggross joerg.gros",
    ("Änne", "Kühnemund-Schäfer", "Germany"): "aennekuehnemund annekuhnemundschafer",
    ("Jean-Étienne", "L'Hôpital", "France"): "jeanetiennelhopital je_lhopital etiennelhopital",
    ("Hélène", "Saint-Rémy", "France"): "helenesaintremy helenestremy hsaintremy",
    ("Anne-Cécile", "Lefèbvre d'Aubigny", "France"): "annececiledaubigny aclefebvre cecilelefebvre",
    ("Åse", "Bjørnstad", "Norway"): "asebjornstad aasebjoernstad",
    ("Søren", "Kjærgaard", "Denmark"): "sorenkjaergaard soerenkjaergaard sorenkjargaard",
    ("Mikael", "Sjöström", "Sweden"): "mikaelsjostrom micke_sjostrom",
    ("Suharyanto", None, "Indonesia"): "suharyanto_ suharyanto88",
    (None, "Wulandari", "Indonesia"): "wulandari.id its_wulandari",
    ("Oluwaseun", "Adébáyọ̀", "Nigeria"): "seunadebayo oluwaseunadebayo",
    ("Chukwuemeka", "Ọkọnkwọ", "Nigeria"): "emekaokonkwo chukwuemekaokonkwo",
    ("Ngozi", "Nwáchukwu", "Nigeria"): "ngozinwachukwu n_nwachukwu",
    ("ሰላም", "ተስፋዬ", "Ethiopia"): "selamtesfaye selam_tesfaye",
    ("ዳዊት", "መኮንን", "Ethiopia"): "dawitmekonnen",
    ("Ștefan", "Mureșanu", "Romania"): "stefanmuresanu",
    ("Rūta", "Kazlauskienė", "Lithuania"): "rutakazlauskiene rutakazlauskaite",
}
_SYLLABLES = [consonant + vowel for consonant in "bcdfghjklmnprstvz" for vowel in "aeiou"]


def _others() -> Iterator[ContactFacts]:
    """Twenty thousand invented names, and some that share a given or a family name with those asked for."""
    rng = random.Random(4)
    for number in range(20_000):
        first, last = ("".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4))) for _ in range(2))
        yield person(f"other{number}", first.title(), last.title())
    firsts, lasts = ([name[part] for name in PEOPLE if name[part]] for part in range(2))
    for number in range(250):
        mixed = rng.choice(firsts), rng.choice(lasts)
        if not any(name[:2] == mixed for name in PEOPLE):
            yield person(f"mixed{number}", *mixed)


@pytest.fixture(scope="module")
def engine() -> Iterator[SuggestionEngine]:
    asked = (person(f"{first} {last}", first, last, country=country) for first, last, country in PEOPLE)
    with engine_over([*asked, *_others()]) as opened:
        yield opened


@pytest.mark.parametrize("name", PEOPLE, ids=lambda name: f"{name[0]} {name[1]}")
def test_a_usual_handle_brings_the_person_among_the_first_three(
    engine: SuggestionEngine, name: tuple[str | None, str | None, str]
) -> None:
    for handle in PEOPLE[name].split():
        found = engine.suggest(ProfileQuery(network="x", handle=handle), 3)
        assert f"{name[0]} {name[1]}" in [each.contact_id for each in found], handle


@pytest.mark.parametrize("name", PEOPLE, ids=lambda name: f"{name[0]} {name[1]}")
def test_the_name_itself_brings_the_person_first(
    engine: SuggestionEngine, name: tuple[str | None, str | None, str]
) -> None:
    shown = " ".join(part for part in name[:2] if part)
    found = engine.suggest(ProfileQuery(network="facebook", handle="1000482", display_name=shown), 1)
    assert [each.contact_id for each in found] == [f"{name[0]} {name[1]}"]


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        ("Müller", "mueller"),
        ("Παπαευθυμίου", "papaefthymiou"),
        ("Μπουζάκης", "bouzakis"),
        ("Άγγελος Ευαγγέλου", "angelos evangelou"),
        ("Μάυρος", None),
        ("Соловьёва", "solovyova"),
        ("Достоевский", "dostoevsky"),
        ("Сергій Гнатюк", "serhiy gnatyuk"),
        ("الحربي", "hrby"),
        ("الله", None),
        ("สุวรรณ", "suwan"),
        ("しょうた", "shota"),
        ("いっぺい ジョージ", "ippei joji"),
        ("王", None),
        ("Naïm", None),
    ],
)
def test_a_second_spelling_is_that_of_the_script(written: str, spelled: str | None) -> None:
    assert twin(written) == spelled
