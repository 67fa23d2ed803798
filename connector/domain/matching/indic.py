"""The scripts of India read aloud: their letters keep the vowel ``a`` that nobody writes, and names are spelt with it.

Nine blocks of Unicode share one layout, so one table serves them all.
"""

from __future__ import annotations

import re
import unicodedata

NORTHERN, SOUTHERN = (0x0900, 0x0980, 0x0A00, 0x0A80, 0x0B00), (0x0B80, 0x0C00, 0x0C80, 0x0D00)
BENGALI, TAMIL = 0x0980, 0x0B80
_SIZE = 0x80
_KILLER = 0x4D
_NASAL = frozenset({0x01, 0x02})
_MUTED_IN_TAMIL = frozenset({0x15, 0x1A, 0x1F, 0x24, 0x2A})


def _table(first: int, words: str) -> dict[int, str]:
    return {first + at: word.strip("-") for at, word in enumerate(words.split())}


_VOWELS = _table(0x05, "a a i i u u ri li e e e ai o o o au") | {0x60: "ri"}
_SIGNS = _table(0x3E, "a i i u u ri ri e e e ai o o o au")
_CONSONANTS = _table(
    0x15, "k kh g gh n ch ch j jh n t th d dh n t th d dh n n p ph b bh m y r r l l zh v sh sh s h"
) | {0x58: "k", 0x59: "kh", 0x5A: "g", 0x5B: "z", 0x5C: "r", 0x5D: "rh", 0x5E: "f", 0x5F: "y"}
_BENGALI = {0x2B: "f", 0x2F: "y"}
_VOICED = {"k": "g", "ch": "s", "t": "t", "th": "th", "p": "b"}
_VOICED_BY_A_NASAL = {"k": "g", "ch": "j", "t": "d", "th": "d", "p": "b"}
_SAID_TOGETHER = ((re.compile("jn"), "gy"), (re.compile("n(?=[pb])"), "m"))
_SILENT_WITHIN = re.compile(r"(?<=[aeiou~])([^aeiou~]h?)~(?=[^aeiou~]h?r?[aeiou])")


def reads_aloud(text: str) -> bool:
    """Whether the text has letters of one of these scripts."""
    return any(0x0900 <= ord(char) < 0x0D80 for char in text)


def aloud(text: str) -> str:
    """The text with its words of these scripts spelt as they are spoken; other words as they are."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join(_word(word) if reads_aloud(word) else word for word in composed.split())


def _word(word: str) -> str:
    block = next((ord(char) // _SIZE * _SIZE for char in word if 0x0900 <= ord(char) < 0x0D80), 0)
    spelt = _spelt([ord(char) - block for char in word if block <= ord(char) < block + _SIZE], block)
    if block in NORTHERN:
        spelt = spelt.removesuffix("~") if len(spelt) > 2 else spelt
        spelt = _SILENT_WITHIN.sub(r"\1", spelt)
    for pattern, plain in _SAID_TOGETHER:
        spelt = pattern.sub(plain, spelt)
    return spelt.replace("~", "a")


def _spelt(codes: list[int], block: int) -> str:
    """Letters one by one; ``~`` is a vowel that is not written."""
    spelt = ""
    for at, code in enumerate(codes):
        after = codes[at + 1] if at + 1 < len(codes) else 0
        if code in _CONSONANTS:
            spelt += _consonant(code, codes[:at], after, block)
            spelt += "" if after in _SIGNS or after in {_KILLER, 0x3C} else "~"
        elif code == 0x3C:  # a dot beneath that was not joined to its letter
            spelt += "" if after in _SIGNS or after == _KILLER else "~"
        elif code in _NASAL:
            spelt += "ng" if after == 0x39 else "n"
        else:
            spelt += _VOWELS.get(code, _SIGNS.get(code, ""))
    return spelt


def _consonant(code: int, before: list[int], after: int, block: int) -> str:
    said = "th" if block == TAMIL and code == 0x24 else _CONSONANTS[code]
    if block == BENGALI and code in _BENGALI:
        return "" if code == 0x2F and before[-1:] == [_KILLER] else _BENGALI[code]
    if block != TAMIL or code not in _MUTED_IN_TAMIL:
        return said
    if not before:
        return "s" if said == "ch" else said
    joined = before[-1] == _KILLER
    nasal = joined and before[-2:-1] and before[-2] in {0x19, 0x1E, 0x23, 0x28, 0x29, 0x2E}
    if nasal:
        return _VOICED_BY_A_NASAL[said]
    return said if joined or after == _KILLER else _VOICED[said]
