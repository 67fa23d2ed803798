"""Reading a handle: its letters, where words begin in it, its digits, and what people put around a name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from connector.domain.identifiers import canonical_handle
from connector.domain.matching.folding import UNREADABLE, fold, mixed_scripts, unmask, word_set

MAX_LETTERS = 40

_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z]+")
_PIECES = re.compile(r"[a-z*]+|[0-9]+")
_CHANNEL_ID = re.compile(r"^UC[\w-]{22}$")
_LEET = {"0": "o", "1": "i", "3": "e"}

# Titles and words that people of any trade put around their name. General English and some neighbours; no names.
_TITLES = word_set(
    """
    mr mrs ms miss mx dr doc doctor prof professor sir dame lord lady rev pastor father sister brother rabbi imam
    judge justice atty attorney adv advocate esq chef coach capt captain col major sgt lt gen general officer chief
    sen senator senador senadora rep representative congressman congresswoman congress gov governor mayor pres
    president vp minister mp mep mla mpp cllr councillor councilman councilwoman commissioner delegate del
    assemblyman assemblywoman assemblymember alderman sheriff ambassador secretary sec speaker chair chairman dip
    dep deputy deputato deputado onorevole on ing arch avv dott dottssa herr frau
    """
)
_WORDS = word_set(
    """
    the real official its im iam i am this is just only call me my mine mine hey hi hello its team house page tv fm
    fan fans blog news photo photos foto pics art arts music fit yoga cooks writes reads runs tweets says games
    gaming yt ttv live online web dev codes tech design studio jr sr phd md rn cpa mba vote votes elect for with and
    of in at from by to press media office official oficial ufficiale offiziell public person profile personal
    private home campaign friends supporters now today new world love life big little old young super mega daily
    tweet insta gram ig fb tw xo xx xoxo ltd inc
    """
)
AFFIXES = _TITLES | _WORDS
_LONGEST = max(map(len, AFFIXES))


@dataclass(frozen=True, slots=True)
class HandleText:
    """A handle taken apart: ``letters`` joined, the positions where a word ``starts``, the groups of ``digits``."""

    letters: str
    starts: frozenset[int]
    digits: tuple[str, ...]
    plain: str
    mixed: bool

    @property
    def core(self) -> tuple[int, int]:
        """Where the letters begin and end when titles and usual words at both ends are taken off."""
        return core_of(self.letters)


NO_HANDLE = HandleText("", frozenset(), (), "", mixed=False)


@lru_cache(maxsize=4096)
def read_handle(handle: str | None, network: str = "") -> HandleText:
    """The handle taken apart; a network's own machine ids hold no name and read as empty."""
    if not handle or (network == "youtube" and _CHANNEL_ID.match(handle)):
        return NO_HANDLE
    text = handle.strip().lstrip("@")
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


@lru_cache(maxsize=8192)
def core_of(letters: str) -> tuple[int, int]:
    """The span that is left when usual words are taken off both ends, never all of it."""
    start, end = 0, len(letters)
    while cut := _affix_at_start(letters, start, end):
        start += cut
    while cut := _affix_at_end(letters, start, end):
        end -= cut
    return start, end


def _affix_at_start(letters: str, start: int, end: int) -> int:
    for size in range(min(_LONGEST, end - start - 3), 1, -1):
        if letters[start : start + size] in AFFIXES:
            return size
    return 0


def _affix_at_end(letters: str, start: int, end: int) -> int:
    for size in range(min(_LONGEST, end - start - 3), 1, -1):
        if letters[end - size : end] in AFFIXES:
            return size
    return 0


@lru_cache(maxsize=32768)
def unexplained(segment: str) -> str:
    """What is left of a piece of a handle when usual words are taken off both of its ends."""
    if segment in AFFIXES:
        return ""
    start, end = 0, len(segment)
    changed = True
    while changed and start < end:
        changed = False
        for size in range(min(_LONGEST, end - start), 1, -1):
            if segment[start : start + size] in AFFIXES:
                start, changed = start + size, True
                break
            if segment[end - size : end] in AFFIXES:
                end, changed = end - size, True
                break
    return segment[start:end]
