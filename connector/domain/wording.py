"""How long a wording is where it is sent, and when two wordings are the same."""

from __future__ import annotations

import re
import unicodedata
from hashlib import sha256

_URL = re.compile(r"https?://\S+")
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
"""Code points that count one on X; all others count two (its published configuration 3)."""

URL_WEIGHT = 23


def x_length(text: str) -> int:
    """The length as X counts it: an address is 23, most scripts' letters 1, CJK and emoji 2.

    An emoji made of several code points counts once on X and several times here, so the figure is never too small.
    """
    composed = unicodedata.normalize("NFC", text)
    bare = _URL.sub("", composed)
    addresses = len(_URL.findall(composed))
    return addresses * URL_WEIGHT + sum(1 if _is_light(ord(char)) else 2 for char in bare)


def _is_light(point: int) -> bool:
    return any(first <= point <= last for first, last in _LIGHT)


def same_words(one: str, other: str) -> bool:
    """Whether two wordings read the same: line breaks, spaces and the way letters are composed do not count."""
    return _plain(one) == _plain(other)


def wording_digest(text: str) -> str:
    """SHA-256 of the wording as it reads; what the ledger keeps of it."""
    return sha256(_plain(text).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
