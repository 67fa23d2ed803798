"""A second spelling of a name, where the one in use differs from the letters one by one: Müller is mueller as well.

The rules are those of whole scripts, as passports and people follow them; none is about a single name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

from connector.domain.matching.folding import fold
from connector.domain.matching.indic import aloud

_LATIN = str.maketrans(
    {"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa", "æ": "ae", "œ": "oe", "ð": "dh", "þ": "th", "đ": "dj"}
)
_FIRST_OF_ANOTHER_SCRIPT = "\u0370"


@lru_cache(maxsize=16384)
def twin(text: str) -> str | None:
    """The folded text in its second spelling: ä as ae, Greek ου as ou; None where that changes nothing."""
    if text.isascii():
        return None
    lowered = unicodedata.normalize("NFC", text).casefold()
    spelled = lowered.translate(_LATIN)
    if max(lowered) >= _FIRST_OF_ANOTHER_SCRIPT:
        for script, spell in _SCRIPTS:
            if script.search(spelled):
                spelled = spell(spelled)
    return fold(spelled) if spelled != lowered else None


Rules = tuple[tuple[re.Pattern[str], str], ...]


def _rules(*pairs: tuple[str, str]) -> Rules:
    return tuple((re.compile(pattern), plain) for pattern, plain in pairs)


# Two letters for one sound; an accent on the first of two vowels keeps them apart.
_GREEK = _rules(
    ("ο[υύ]", "ou"),
    (r"([αεη])[υύ](?=[θκξπστφχψ]|\b)", r"\1f"),
    ("([αεη])[υύ]", r"\1v"),
    ("γ(?=[γξχ])", "n"),
    ("nγ", "ng"),
    (r"\bμπ", "b"),
)
_CYRILLIC = _rules(("ё", "yo"), ("щ", "sch"), ("кс", "x"), (r"[иы]й\b", "y"))
# Where one of its own letters says that a word is Ukrainian, its г is an h.
_WORD_WITH_ITS_OWN_LETTER = re.compile(r"\w*[іїєґ]\w*")
_UKRAINIAN = _rules(("г", "h"), ("и", "y"), ("ї", "yi"), ("є", "ye"))
_ARTICLE = _rules((r"\bال(?=\w{3})", ""))
# A vav or yod within a Hebrew word is mostly a vowel; the first letter of a word is hard.
_HEBREW = _rules(
    ("וו", "v"),
    (r"\bי", "y"),
    (r"\bו", "v"),
    ("[וֹוּ]+", "o"),
    ("י+", "i"),
    (r"\b[אע]", "a"),
    (r"\bב", "b"),
    (r"\bכ", "k"),
    (r"\bפ", "p"),
    ("ש", "sh"),
    ("צ|ץ", "tz"),
    (r"ה\b", "a"),
)
# What Persian says otherwise than Arabic; its own letters tell them apart.
_WORD_WITH_A_PERSIAN_LETTER = re.compile("[پچژگکی]")
_PERSIAN = _rules(("[ضذظ]", "z"), ("ث", "s"), ("ق", "gh"), (r"\bا", "a"), ("و(?=ی)", "v"), ("ی", "i"))
_ARMENIAN = _rules(("ու|ւ", "u"), ("և", "ev"), ("ռ", "r"))
# A letter with a killer is silent; a vowel written before its consonant is spoken after it.
_THAI = _rules(("[ก-ฮ][ิุ]?์", ""), ("([เแโใไ])([ก-ฮ])", r"\2\1"), (r"ย\b", "i"), ("รร(?=[ก-ฮ])", "a"), ("รร", "an"))

_CONTRACTED = re.compile("([きしちにひみりぎじびぴキシチニヒミリギジビピ])([ゃゅょャュョ])")
_DOUBLED = re.compile("[っッ](.)")
_KANA = re.compile("[\u3041-\u30ff]+")
_NO_GLIDE = frozenset({"sh", "ch", "j"})


def _by(rules: Rules) -> Callable[[str], str]:
    def spell(text: str) -> str:
        for pattern, plain in rules:
            text = pattern.sub(plain, text)
        return text

    return spell


def _ukrainian(text: str) -> str:
    return _WORD_WITH_ITS_OWN_LETTER.sub(lambda word: _by(_UKRAINIAN)(word[0]), text)


def _hepburn(text: str) -> str:
    """Japanese syllables as on a passport: small ones join the one before, long vowels are written once."""
    return _KANA.sub(lambda run: _passport(run[0]), text)


def _passport(kana: str) -> str:
    joined = _DOUBLED.sub(lambda pair: fold(pair[1])[:1] + pair[1], _CONTRACTED.sub(_contracted, kana))
    return re.sub("o[ou]", "o", fold(joined)).replace("uu", "u")


def _contracted(pair: re.Match[str]) -> str:
    consonant, vowel = fold(pair[1])[:-1], fold(pair[2])[1:]
    return consonant + vowel if consonant in _NO_GLIDE else f"{consonant}y{vowel}"


_SCRIPTS = (
    (re.compile("[\u0370-\u03ff]"), _by(_GREEK)),
    (_WORD_WITH_ITS_OWN_LETTER, _ukrainian),
    (re.compile("[\u0400-\u04ff]"), _by(_CYRILLIC)),
    (re.compile("[\u0530-\u058f]"), _by(_ARMENIAN)),
    (re.compile("[\u0590-\u05ff]"), _by(_HEBREW)),
    (_WORD_WITH_A_PERSIAN_LETTER, _by(_PERSIAN)),
    (re.compile("[\u0600-\u06ff]"), _by(_ARTICLE)),
    (re.compile("[\u0900-\u0d7f]"), aloud),
    (re.compile("[\u0e00-\u0e7f]"), _by(_THAI)),
    (_KANA, _hepburn),
)
"""The letters by which a script is known, and how its second spelling is made."""
