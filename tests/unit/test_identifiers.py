"""Equal means equal: one canonical form for a phone, an e-mail, a handle, and nothing at all for junk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.identifiers import (
    canonical_email,
    canonical_handle,
    canonical_phone,
    country_code,
    emails_in,
    phones_in,
)


@pytest.mark.parametrize(
    ("written", "country", "canonical"),
    [
        ("+55 11 98765-4321", None, "+5511987654321"),
        ("+55 11 8765-4321", None, "+5511987654321"),
        ("11 8765-4321", "Brazil", "+5511987654321"),
        ("+55 11 3333-4444", None, "+551133334444"),
        ("5215512345678", None, "+525512345678"),
        ("+52 1 55 1234 5678", None, "+525512345678"),
        ("+52 55 1234 5678", None, "+525512345678"),
        ("+54 9 11 2345-6789", None, "+5491123456789"),
        ("011 15-2345-6789", "AR", "+5491123456789"),
        ("+54 11 4345-6789", None, "+541143456789"),
        ("0351 15 412-3456", "AR", "+5493514123456"),
        ("044 55 1234 5678", "Mexico", "+525512345678"),
        ("01 55 1234 5678", "MX", "+525512345678"),
        ("(11) 8765-4321", "BR", "+5511987654321"),
        ("8 (495) 123-45-67", "Russia", "+74951234567"),
        ("06 698 12345", "Italy", "+390669812345"),
        ("０３-１２３４-５６７８", "Japan", "+81312345678"),
        ("011 44 20 7946 0958", "US", "+442079460958"),
        ("+1 212 555 0198;ext=44", None, "+12125550198"),
        ("030 901820", "Germany", "+4930901820"),
        ("(212) 555-0198 ext. 44", "US", "+12125550198"),
        ("whatsapp:+14155550123", None, "+14155550123"),
        ("0044 20 7946 0958", None, "+442079460958"),
        ("020 7946 0958", "United Kingdom", "+442079460958"),
        ("০১৭১২-৯৮৭৬৫৪", "Bangladesh", "+8801712987654"),
        ("0912 345 6780", "Iran, Islamic Republic of", "+989123456780"),
        ("024 412 9876", "Ghana", "+233244129876"),
        ("0664 1729384", "Österreich", "+436641729384"),
        ("8 916 245-67-39", "Россия", "+79162456739"),
    ],
)
def test_a_number_has_one_form_however_it_is_written(written: str, country: str | None, canonical: str) -> None:
    assert canonical_phone(written, country) == canonical


NO_NUMBERS = [
    "",
    "000-000-0000",
    "1111111111",
    "1234567890",
    "9999999999",
    "555-1234",
    "n/a",
    "12",
    "+",
    "call me",
    None,
]


@pytest.mark.parametrize("junk", NO_NUMBERS)
def test_junk_is_no_number(junk: str | None) -> None:
    assert canonical_phone(junk, "United States") is None


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Ann.Lee@Fjord.no", "ann.lee@fjord.no"),
        (" ann@bücher.de ", "ann@bücher.de"),
        ("A.n.n+news@GoogleMail.com", "ann@gmail.com"),
        ("ann+shop@fjord.no", "ann+shop@fjord.no"),
        ("jörg@fjord.no", "jörg@fjord.no"),
        ("me@annlee.org", "me@annlee.org"),
        ("test.pilot@fjord.no", "test.pilot@fjord.no"),
        ("media-lee@fjord.no", "media-lee@fjord.no"),
        ("85512347@qq.com", "85512347@qq.com"),
    ],
)
def test_an_address_has_one_form(written: str, canonical: str) -> None:
    assert canonical_email(written) == canonical


NO_ADDRESSES = """
noreply@shop.com info@shop.com test@test.com ann@example.com a@b @shop.com ann@ ann a..b@shop.com ann@-shop.com
no.reply@shop.com do_not_reply@shop.com support+1@shop.com info-de@shop.com test2@shop.com kontakt@shop.de
ventas@shop.es
soporte@shop.es kundenservice@shop.de atencion.al.cliente@shop.es aaa@shop.com 1234@shop.com abc@abc.com asdf@asdf.com
"""


@pytest.mark.parametrize("junk", ["", None, *NO_ADDRESSES.split()])
def test_role_desks_and_junk_are_no_address(junk: str | None) -> None:
    assert canonical_email(junk) is None


@pytest.mark.parametrize(
    ("written", "network", "canonical"),
    [
        ("@Chad.Storey", "x", "chad.storey"),
        ("https://www.facebook.com/chad.storey/", "facebook", "chad.storey"),
        ("x.com/Chad", "x", "chad"),
        ("http://youtube.com/user/Chad?x=1", "youtube", "chad"),
        ("＠ＣＨＡＤ", "x", "chad"),
        ("Chad@Social.Example", "mastodon", "chad@social.example"),
        ("  ", "x", None),
    ],
)
def test_a_handle_is_read_from_what_people_paste(written: str, network: str, canonical: str | None) -> None:
    assert canonical_handle(written, network) == canonical


def test_identifiers_are_found_in_running_text() -> None:
    text = "Hi, it's ann.lee@fjord.no, or call +47 22 12 34 56. Not noreply@fjord.no!"
    assert emails_in(text) == ("ann.lee@fjord.no",)
    assert phones_in(text) == ("+4722123456",)


@pytest.mark.parametrize(
    ("country", "code"),
    [("Germany", "DE"), ("de", "DE"), ("Türkiye", "TR"), ("the Netherlands", "NL"), ("Atlantis", None), (None, None)],
)
def test_a_country_is_known_by_name_or_code(country: str | None, code: str | None) -> None:
    assert country_code(country) == code


@given(st.text(max_size=60))
def test_canonical_forms_are_stable_and_never_crash(text: str) -> None:
    for canonical in (canonical_phone, canonical_email, canonical_handle):
        once = canonical(text)
        assert once is None or canonical(once) == once
    emails_in(text)
    phones_in(text, "US")


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("Korea, Republic of", "KR"),
        ("Korea, Democratic People's Republic of", "KP"),
        ("Congo, the Democratic Republic of the", "CD"),
        ("Congo", "CG"),
        ("Tanzania, United Republic of", "TZ"),
        ("Côte d'Ivoire", "CI"),
        ("Ivory Coast", "CI"),
        ("U.S.A.", "US"),
        ("Georgia, USA", "US"),
        ("the Netherlands", "NL"),
        ("日本", "JP"),
        ("Nowhere", None),
        ("XX", None),
        ("", None),
    ],
)
def test_a_country_is_known_by_the_names_in_use(name: str, region: str | None) -> None:
    assert country_code(name) == region


@pytest.mark.parametrize("written", ["mailto:Ann@Fjord.no", "<ann@fjord.no>", "ann@fjord.no.", "ＡＮＮ@fjord.no"])
def test_an_address_is_taken_out_of_what_it_was_copied_with(written: str) -> None:
    assert canonical_email(written) == "ann@fjord.no"
