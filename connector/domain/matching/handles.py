"""Reading a handle: its letters, where words begin in it, its digits, and what people put around a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

from connector.domain.identifiers import canonical_handle
from connector.domain.matching.folding import UNREADABLE, fold, mixed_scripts, unmask

MAX_LETTERS = 40
MOST_SPELLINGS = 3
"""Each other spelling of a handle costs a look into the dictionary."""

_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+")
_PIECES = re.compile(r"[a-z*]+|[0-9]+")
_CHANNEL_ID = re.compile(r"^UC[\w-]{22}$")
_LEET = {"0": "o", "1": "i", "3": "e"}
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_DIGIT_WITHIN = re.compile(r"(?<![0-9])[013457](?=[^\W\d_])|(?<=[^\W\d_])[013457](?=[._-]|$)")
_DIGIT_FIRST = re.compile(r"(?<![0-9])[013457](?=[^\W\d_])")
_ONE_WITHIN = re.compile(_DIGIT_WITHIN.pattern.replace("[013457]", "1"))
_AS_LETTERS = str.maketrans("013457", "oieast")
_DRAWN_OUT = re.compile(r"(.)\1{2,}|([^\W\d_])\2(?=[\d._-]*$)")
_THRICE = re.compile(r"([^\W\d_])\1{2,}")
_DOUBLED = re.compile(r"([^\W\d_])\1+")
_LONG_O = re.compile("o(?:[uo]|h(?![aeiou]))|(?<=u)u")


@dataclass(frozen=True, slots=True)
class HandleText:
    """A handle taken apart: ``letters`` joined, the positions where a word ``starts``, the groups of ``digits``."""

    letters: str
    starts: frozenset[int]
    digits: tuple[str, ...]
    plain: str
    mixed: bool


NO_HANDLE = HandleText("", frozenset(), (), "", mixed=False)


@lru_cache(maxsize=4096)
def read_handle(handle: str | None, network: str = "") -> HandleText:
    """The handle taken apart; a network's own machine ids hold no name and read as empty."""
    if not handle or (network == "youtube" and _CHANNEL_ID.match(handle)):
        return NO_HANDLE
    text = _plainly(handle)
    if "/" in text:
        text = canonical_handle(text, network) or ""
    mixed = mixed_scripts(text)
    words = _words(unmask(text) if mixed else text)
    letters, starts, digits = "", {0}, []
    for word in words:
        if word[0].isdigit():
            digits.append(word)
        else:
            letters += word
        starts.add(len(letters))
    plain = "".join(words)
    if len(letters) > MAX_LETTERS:
        letters = letters[:MAX_LETTERS]
    return HandleText(letters, frozenset(starts), tuple(digits), plain, mixed)


@lru_cache(maxsize=4096)
def read_otherwise(handle: str | None) -> tuple[str, ...]:
    """The handle in other spellings, for when nobody fits it as it is.

    Digits are read as the letters they look like; letters that were drawn out, and Japanese long vowels, are read once.
    """
    text = _plainly(handle or "").lower()
    if not text.isascii():
        return ()
    spellings = []
    if _DIGIT_FIRST.search(text):
        spellings = [
            _DIGIT_WITHIN.sub(lambda digit: digit[0].translate(_AS_LETTERS), each)
            for each in (text, _ONE_WITHIN.sub("l", text))
        ]
    spellings.append(_THRICE.sub(r"\1\1", text))
    if _DRAWN_OUT.search(text) or len(_DOUBLED.findall(text)) > 1:
        spellings.append(_DOUBLED.sub(r"\1", text))
    spellings.append(_LONG_O.sub(lambda vowel: "o" if vowel[0][0] == "o" else "", text))
    return tuple(dict.fromkeys(each for each in spellings if each != text))[:MOST_SPELLINGS]


def _plainly(handle: str) -> str:
    text = handle.strip().lstrip("@")
    return unquote(text) if _ESCAPED.search(text) else text


def _words(text: str) -> list[str]:
    words: list[str] = []
    for chunk in re.split(r"[\s._\-–—~+@|,]+", text):
        humps = _HUMPS.findall(chunk) if chunk.isascii() else [chunk]
        for hump in humps:
            plain = (
                hump.lower()
                if hump.isascii()
                else "".join(fold(part) or UNREADABLE * (part == UNREADABLE) for part in _pieces(hump))
            )
            words.extend(_PIECES.findall(plain.replace(" ", "")))
    return _spelled_digits(words)


def _pieces(text: str) -> list[str]:
    return re.split(rf"({re.escape(UNREADABLE)})", text)


def _spelled_digits(words: list[str]) -> list[str]:
    """A lone 0, 1 or 3 between letters is usually meant as the letter it looks like."""
    for at in range(1, len(words) - 1):
        if words[at] in _LEET and words[at - 1].isalpha() and words[at + 1].isalpha():
            joined = words[at - 1] + _LEET[words[at]] + words[at + 1]
            return [*words[: at - 1], joined, *words[at + 2 :]]
    return words
