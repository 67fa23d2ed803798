"""Text cut to a length without breaking what a reader sees as one character."""

from __future__ import annotations

import re
import unicodedata

ELLIPSIS = "…"
JOINER = "\u200d"
_EXTENDING = frozenset({"Mn", "Me", "Mc"})
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")
"""Control characters but those that count as white space."""


def one_line(text: str) -> str:
    """The text on one line: runs of white space are one space, control characters are gone."""
    return " ".join(_CONTROLS.sub("", text).split())


def cut(text: str, length: int) -> str:
    """The text in at most ``length`` UTF-16 units (as Salesforce counts), an ellipsis telling that it was longer.

    Never cuts inside a character as people see it: accents, emoji with skin tone, joined families and flags stay whole.
    """
    if units(text) <= length:
        return text
    kept, room = 0, length - units(ELLIPSIS)
    for start, end in _clusters(text):
        size = units(text[start:end])
        if size > room:
            break
        kept, room = end, room - size
    return text[:kept].rstrip() + ELLIPSIS


def units(text: str) -> int:
    """The length in UTF-16 units: most emoji count two."""
    return len(text) + sum(1 for char in text if ord(char) > 0xFFFF)


def _clusters(text: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    start = 0
    for at in range(1, len(text) + 1):
        if at == len(text) or _may_break(text, start, at):
            found.append((start, at))
            start = at
    return found


def _may_break(text: str, start: int, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if before == JOINER or _extends(after):
        return False
    if _is_flag_half(before) and _is_flag_half(after):
        return (at - start) % 2 == 0
    return not (before == "\r" and after == "\n")


def _extends(char: str) -> bool:
    return (
        char == JOINER
        or unicodedata.category(char) in _EXTENDING
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\ufe00" <= char <= "\ufe0f"  # variation selectors
        or "\U000e0020" <= char <= "\U000e007f"  # tags of sub-national flags
        or "\u1160" <= char <= "\u11ff"  # medial and final Hangul letters
    )


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
