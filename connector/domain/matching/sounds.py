"""What is left of a name when its spelling is taken off: its consonants, so that two romanisations of it are equal.

Arabic and Hebrew names come without vowels, Cyrillic, Greek and Georgian ones are spelt in several ways, and people
write names down as they hear them. Equal sounds are a hint, never the same name.
"""

from __future__ import annotations

import re
from functools import lru_cache

_ENOUGH = 4
_RUNS = (("sch", "s"), ("tch", "k"), ("dzh", "j"), ("dj", "j"), ("x", "ks"))
_CLASSES = str.maketrans({"c": "k", "q": "k", "z": "s", "f": "p", "v": "b"})
_SILENT = str.maketrans("", "", "aeiouyhwj")
_THREE_VOWELS = str.maketrans({"e": "i", "y": "i", "o": "u", "w": "u", "h": None, "j": "i"})
_TWICE = re.compile(r"(.)\1+")


@lru_cache(maxsize=65536)
def sounds(word: str) -> str:
    """The consonants of a folded word in a rough spelling: mohammed and muhamad give one answer, so do q, k and c."""
    for run, plain in _RUNS:
        word = word.replace(run, plain)
    return _TWICE.sub(r"\1", word.translate(_CLASSES)).translate(_SILENT)


@lru_cache(maxsize=65536)
def vowels_too(word: str) -> str:
    """The folded word in a rough spelling with three vowels: chowdhury and choudhuri give one answer."""
    for run, plain in _RUNS:
        word = word.replace(run, plain)
    return _TWICE.sub(r"\1", word.translate(_CLASSES).translate(_THREE_VOWELS))


def has_vowels(word: str) -> bool:
    """Whether the word is spelt with vowels, as Arabic and Hebrew names are not."""
    return 5 * sum(letter in "aeiou" for letter in word) > len(word)


def sounds_key(first: str, last: str) -> str:
    """The consonants of first and last name written as one word; empty where they are too few to tell names apart."""
    joined = sounds(first + last)
    return joined if len(joined) >= _ENOUGH else ""
