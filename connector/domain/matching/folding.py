"""Any script to plain lower-case letters, so that names compare. The one module that knows ``anyascii``."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

_SILENT = b"'`"
_PLAIN = bytes(ord(chr(code).lower()) if chr(code).isalnum() else ord(" ") for code in range(128)) + bytes(128)
_APOSTROPHES = str.maketrans("", "", "'’‘`´ʼʻ′ʹ\u200b\u200c\u200d\u2060\ufeff")
_WORD = re.compile(r"\w+", re.UNICODE)

UNREADABLE = "*"
"""Stands for a look-alike letter of another script: it is never read as the letter it imitates."""


def word_set(text: str) -> frozenset[str]:
    """The words of a text as a set, for lists that read better as text."""
    return frozenset(text.split())


@lru_cache(maxsize=65536)
def fold(text: str) -> str:
    """The text as plain lower-case words separated by single spaces; apostrophes vanish, other signs separate."""
    if not text.isascii():
        text = anyascii(unicodedata.normalize("NFKC", text).translate(_APOSTROPHES))
    # By bytes, since this is done for every word of every contact.
    return " ".join(text.encode().translate(_PLAIN, _SILENT).decode().split())


_ONE_BY_ONE = re.compile(r"([\u3400-\u9fff\uac00-\ud7af])")


def spaced(text: str) -> str:
    """The text with a space around every Chinese character and Korean syllable, whose names have none."""
    return text if text.isascii() else _ONE_BY_ONE.sub(r" \1 ", text)


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN"
    return unicodedata.name(char, "?").split(" ")[0]


_LOOKALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})


@lru_cache(maxsize=4096)
def mixed_scripts(text: str | None) -> bool:
    """Whether one word mixes scripts that look alike, as a fake of somebody's name does."""
    if not text or text.isascii():
        return False
    return any(len({_script(char) for char in word if char.isalpha()} & _LOOKALIKE) > 1 for word in _WORD.findall(text))


def unmask(text: str) -> str:
    """The text with every non-Latin letter of a mixed-script word made unreadable."""
    if not mixed_scripts(text):
        return text
    return "".join(UNREADABLE if char.isalpha() and _script(char) in _LOOKALIKE - {"LATIN"} else char for char in text)
