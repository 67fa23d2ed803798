"""Record ids: 15 case-sensitive characters, and the 3 that make them safe where case is lost."""

from __future__ import annotations

from functools import lru_cache

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_ORG = "SB"


def checksum(id15: str) -> str:
    """The three characters that say which of the fifteen are capitals."""
    return "".join(
        _SUFFIX[sum(1 << bit for bit, char in enumerate(id15[at : at + 5]) if "A" <= char <= "Z")] for at in (0, 5, 10)
    )


def make_id(prefix: str, number: int) -> str:
    """The 18-character id of the ``number``-th record of the object with this key prefix."""
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = _DIGITS[rest] + digits
    id15 = f"{prefix}{_ORG}{digits:0>10}"
    return id15 + checksum(id15)


@lru_cache(maxsize=65536)
def to_id18(value: str) -> str | None:
    """The 18-character form of a 15- or 18-character id; None where it is no id."""
    if not value.isascii() or not value.isalnum():
        return None
    if len(value) == 15:
        return value + checksum(value)
    if len(value) != 18:
        return None
    return _restore_case(value[:15], value[15:].upper())


def _restore_case(id15: str, suffix: str) -> str | None:
    if any(char not in _SUFFIX for char in suffix):
        return None
    if checksum(id15) == suffix:
        return id15 + suffix
    chars = []
    for at, char in enumerate(id15):
        capital = _SUFFIX.index(suffix[at // 5]) >> (at % 5) & 1
        chars.append(char.upper() if capital else char.lower())
    restored = "".join(chars)
    return restored + suffix if checksum(restored) == suffix else None
