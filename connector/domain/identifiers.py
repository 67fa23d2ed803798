"""Phones, e-mails and handles in one canonical form each, so that equal means equal.

The one module that knows ``phonenumbers`` and ``email_validator``. Nothing here asks a server, not even for a domain.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote, urlsplit

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneNumber, PhoneNumberType


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


CROWDED_AT = 25
"""An e-mail or phone on more contacts than this says nothing about one person: a switchboard, a shared desk."""

_COUNTRIES = """
AE united arab emirates, uae; AR argentina; BN brunei darussalam; BO plurinational state of bolivia; CD congo
kinshasa, dr congo, democratic republic of the congo; CI ivory coast; CV cabo verde; KP democratic people's republic
of korea, north korea; LA lao people's democratic republic; MK macedonia, north macedonia; MO macau; SY syrian arab
republic; SZ eswatini; AT austria; AU australia; BE belgium; BG bulgaria; BR brasil, brazil; CA canada; CH
switzerland; CL chile; CN china; CO colombia; CZ czechia, czech republic; DE deutschland, germany; DK denmark; EC
ecuador; EE estonia; EG egypt; ES espana, españa, spain; FI finland; FR france; GB england, great britain, northern
ireland, scotland, uk, united kingdom, wales; GE georgia; GR greece; HK hong kong; HR croatia; HU hungary; ID
indonesia; IE ireland; IL israel; IN india; IS iceland; IT italia, italy; JP japan; KE kenya; KR south korea, korea,
republic of korea; LT lithuania; LU luxembourg; LV latvia; MA morocco; MX mexico, méxico; MY malaysia; NG nigeria; NL
holland, netherlands; NO norway; NZ new zealand; PE peru, perú; PH philippines; PK pakistan; PL poland; PT portugal;
RO romania; RS serbia; RU russia, russian federation; SA saudi arabia; SE sweden; SG singapore; SI slovenia; SK
slovakia; TH thailand; TR turkey, türkiye; TW taiwan; UA ukraine; US united states, united states of america, usa; UY
uruguay; VE venezuela; VN viet nam, vietnam; ZA south africa
"""
_COUNTRY_NAMES = {
    name.strip(): entry.strip()[:2]
    for entry in _COUNTRIES.replace("\n", " ").split(";")
    for name in entry.strip()[3:].split(",")
}

# What stands before the @ of desks, machines and fillers, signs and digits taken out.
_ROLE_LOCALS = _words(
    """
    abuse accounts admin administrator alerts anon anonymous asdf billing booking bookings bounce bounces career careers
    contact customer customercare customerservice donotreply email enquiries enquiry example fake feedback finance hello
    help helpdesk hostmaster hr info information invoice invoices jobs legal mail mailer mailerdaemon marketing media
    na news newsletter nobody noemail nomail none noreply notification notifications null office orders postmaster press
    privacy qwerty reception reservations root sales sample security service services shop spam support team test tester
    testing testuser unknown updates user username webmaster xxx xyz
    atencionalcliente atendimento bestellung buchhaltung clientes clienti comercial commercial contabilita contabilidad
    contacto contato contatto einkauf empfang facturacion info kontakt kunde kunden kundendienst kundenservice
    kundeservice kundtjanst klantenservice personal presse prensa rechnung redaktion reklamation secretaria sekretariat
    serviceclient servicio servizio servizioclienti soporte sac suporte ventas vendas vertrieb verwaltung vendite
    """
)
_JUNK_DOMAINS = _words(
    """
    example.com example.org example.net test.com test.de email.com domain.com none.com noemail.com invalid localhost
    """
)
_MEXICAN_MOBILE = 13
"""Digits of a mobile with the prefix 044 or 045 that Mexico used until 2019."""
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
_SIGNS = str.maketrans("", "", "._-0123456789")
_RISING = "01234567890123456789"
_REAL_NUMBER = 7
"""A mailbox of so many digits is somebody's account number, whatever their order."""
_PLAIN_LOCAL = re.compile(r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*")
_EMAIL = re.compile(r"[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", re.UNICODE)
_ORDER_WORD = re.compile(r"[^\W_]+(?:-[^\W_]+)*", re.UNICODE)
_URL_PREFIXES = frozenset({"user", "c", "channel", "in", "company", "people", "u", "profile", "pages"})
_CASE_MATTERS = frozenset({"youtube_channel", "line", "wechat"})


@lru_cache(maxsize=1024)
def country_code(country: str | None) -> str | None:
    """The two-letter region of a country's name or code; None when it is not known."""
    if not country:
        return None
    text = country.strip()
    if len(text) == 2 and text.upper() in phonenumbers.SUPPORTED_REGIONS:
        return text.upper()
    name = text.casefold().removeprefix("the ").replace(".", "")
    formal = [part.strip() for part in name.split(",", 1)]
    turned = " ".join(reversed(formal)).removeprefix("the ")  # Congo, the Democratic Republic of the
    # The last part before the first: of two that could be one it is the country (Georgia, USA).
    return next((region for each in (name, turned, formal[-1], formal[0]) if (region := _region_called(each))), None)


def _region_called(name: str) -> str | None:
    return _COUNTRY_NAMES.get(name) or _names_of_the_world().get(name)


@lru_cache(maxsize=1)
def _names_of_the_world() -> dict[str, str]:
    """The countries by their names in many languages; read when a name is not a frequent one, since they are many."""
    from phonenumbers.geodata.locale import LOCALE_DATA

    names: dict[str, str] = {}
    for region, by_language in LOCALE_DATA.items():
        if region in phonenumbers.SUPPORTED_REGIONS:
            names.update((name.casefold(), region) for name in by_language.values() if not name.startswith("*"))
    return names


@lru_cache(maxsize=8192)
def canonical_phone(text: str | None, country: str | None = None) -> str | None:
    """The number as E.164, without extension and with today's mobile prefix; None for what is no number."""
    if not text:
        return None
    cleaned = text.removeprefix("whatsapp:").removeprefix("tel:").strip()
    if cleaned.startswith("00"):
        cleaned = "+" + cleaned[2:]
    for candidate, region in _readings(cleaned, country_code(country)):
        number = _parse(candidate, region)
        if number is not None and _plausible(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return None


def _readings(text: str, region: str | None) -> list[tuple[str, str | None]]:
    readings: list[tuple[str, str | None]] = [] if region is None and not text.startswith("+") else [(text, region)]
    digits = re.sub(r"\D", "", text)
    if region == "MX" and len(digits) == _MEXICAN_MOBILE and digits.startswith(("044", "045")):
        return [(digits[3:], region)]
    if not text.startswith("+") and 10 < len(digits) <= 15:
        readings.append(("+" + digits, None))
    return readings


def _parse(text: str, region: str | None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    return _modern(number)


def _modern(number: PhoneNumber) -> PhoneNumber:
    """Three countries changed how a mobile is written abroad; both spellings are the same telephone."""
    national = str(number.national_number)
    code = number.country_code
    if code == 52 and len(national) == 11 and national.startswith("1"):
        return _with(number, national[1:])
    if code == 55 and len(national) == 10 and national[2] in "6789":
        return _with(number, f"{national[:2]}9{national[2:]}")
    if code == 54 and len(national) == 10 and not national.startswith("9"):
        mobile = _with(number, "9" + national)
        landline = phonenumbers.number_type(number) == PhoneNumberType.FIXED_LINE
        if not landline and phonenumbers.is_valid_number(mobile):
            return mobile
    return number


def _with(number: PhoneNumber, national: str) -> PhoneNumber:
    return PhoneNumber(country_code=number.country_code, national_number=int(national))


def _plausible(number: PhoneNumber) -> bool:
    national = str(number.national_number)
    if len(set(national)) <= 2 and len(national) > 5:
        return False
    if national in _RISING or national in _RISING[::-1]:
        return False
    return phonenumbers.is_possible_number_with_reason(number) == phonenumbers.ValidationResult.IS_POSSIBLE


@lru_cache(maxsize=8192)
def canonical_email(text: str | None) -> str | None:
    """The address in lower case, domain in Unicode form; None for junk, role desks and what is no address."""
    if not text:
        return None
    written = text.strip()
    if not written.isascii() or written[-1:] in ">." or written[:7].lower() == "mailto:":
        written = unicodedata.normalize("NFKC", written).strip("<> ")
        written = re.sub("^mailto:", "", written, flags=re.IGNORECASE).split("?")[0].rstrip(".")
    local, domain = _plain(written.lower()) or _parts(written) or ("", "")
    if not local:
        return None
    if _is_desk(local) or domain in _JUNK_DOMAINS or domain.endswith((".test", ".invalid")):
        return None
    if len(local) < 5 and local == domain.partition(".")[0]:
        return None
    if domain in _DOTLESS:
        local, domain = local.split("+")[0].replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def _is_desk(local: str) -> bool:
    """Whether a mailbox is a desk's, a machine's or a filler: no.reply, support+1, info-de, test2, aaa, 1234."""
    bare = local.partition("+")[0]
    if bare.isdigit():
        return bare in _RISING and len(bare) < _REAL_NUMBER
    letters = bare.translate(_SIGNS)
    head, sign, rest = bare.partition("-")
    return (
        letters in _ROLE_LOCALS
        or (bool(sign) and len(rest) < 3 and head in _ROLE_LOCALS)
        or (len(letters) > 1 and letters == bare and len(set(letters)) == 1)
    )


def _plain(text: str) -> tuple[str, str] | None:
    """The usual ASCII address without asking the library for every mailbox: its domain is checked once."""
    local, _, domain = text.partition("@")
    if not _PLAIN_LOCAL.fullmatch(local) or len(local) > 64 or not _plain_domain(domain):
        return None
    return local, domain


@lru_cache(maxsize=16384)
def _plain_domain(domain: str) -> bool:
    return domain.isascii() and not domain.startswith("xn--") and _parts(f"a@{domain}") == ("a", domain)


def _parts(text: str) -> tuple[str, str] | None:
    try:
        checked = validate_email(text, check_deliverability=False, allow_smtputf8=True, test_environment=True)
    except EmailNotValidError:
        return None
    return checked.local_part.casefold(), checked.domain.casefold()


def emails_in(text: str | None) -> tuple[str, ...]:
    """The canonical addresses written in a text, in order, each once."""
    if not text or "@" not in text:
        return ()
    found = (canonical_email(match.strip(".'-")) for match in _EMAIL.findall(text[:4000]))
    return tuple(dict.fromkeys(each for each in found if each))


def phones_in(text: str | None, country: str | None = None) -> tuple[str, ...]:
    """The canonical numbers written in a text, in order, each once."""
    if not text or sum(char.isdigit() for char in text) < 7:
        return ()
    matcher = phonenumbers.PhoneNumberMatcher(text[:4000], country_code(country), max_tries=20)
    found = (
        canonical_phone(phonenumbers.format_number(each.number, phonenumbers.PhoneNumberFormat.E164))
        for each in matcher
    )
    return tuple(dict.fromkeys(each for each in found if each))


def order_numbers_in(text: str | None) -> tuple[str, ...]:
    """The words of a text that may be an order's number, in order, each once: 5 to 30 signs, four of them digits."""
    words = _ORDER_WORD.findall((text or "")[:4000])
    return tuple(dict.fromkeys(each for each in words if 4 < len(each) < 31 and sum(map(str.isdigit, each)) > 3))


def local_part(email: str) -> str:
    """What stands before the @, without a +tag."""
    return email.rpartition("@")[0].split("+")[0]


def canonical_handle(text: str | None, network: str = "") -> str | None:
    """The handle as the network shows it, without @, address or spaces, in lower case; None when nothing is left."""
    if not text:
        return None
    normal = unicodedata.normalize("NFKC", text)
    cleaned = "".join(char for char in normal if char.isprintable() and not char.isspace()).strip("/")
    if "://" in cleaned or cleaned.lower().startswith(
        ("www.", "facebook.com/", "instagram.com/", "x.com/", "twitter.com/", "t.me/")
    ):
        cleaned = _from_url(cleaned)
    cleaned = unicodedata.normalize("NFKC", cleaned.lstrip("@").casefold()) if network not in _CASE_MATTERS else cleaned
    return cleaned or None


def _from_url(text: str) -> str:
    try:
        path = urlsplit(text if "://" in text else f"https://{text}").path
    except ValueError:
        return text
    parts = [unquote(part) for part in path.split("/") if part]
    while len(parts) > 1 and parts[0].lower() in _URL_PREFIXES:
        parts.pop(0)
    return parts[0] if parts else ""
