"""Words that people of any trade put around their name in a handle: general vocabulary, no names."""

from __future__ import annotations

from functools import lru_cache

from connector.domain.matching.folding import word_set

TITLES = word_set(
    """
    mr mrs ms miss mx dr doc doctor doctora prof professor sir dame lord lady rev reverend pastor father sister brother
    rabbi imam judge justice atty attorney adv advocate esq chef coach capt captain col colonel major sgt lt gen general
    officer chief ceo vp president pres presidente minister ministro ministra premier chancellor sen senator senador
    senadora senatore senatrice rep representative cong congressman congresswoman congress gov governor mayor alcalde
    alcaldesa sindaco mp mep mla mpp msp mk td cllr councillor councilor councilman councilwoman councilmember
    commissioner comm delegate del assemblyman assemblywoman assemblymember assembly asambleista alderman sheriff
    ambassador amb secretary sec speaker leader whip chair chairman chairwoman dip diputado diputada dep deputy deputato
    deputata deputado onorevole ing arch avv avvocato dott dottssa herr frau don dona sheikh haji usrep ussen rt hon
    """
)
_HEAD = TITLES | word_set(
    """
    the real official its iam im i just only call me my us usa state team vote elect votefor reelect friendsof hey hi
    hello house senate campaign citizen teacher farmer author writer artist singer actor dj mc
    """
)
_TAIL = TITLES | word_set(
    """
    official oficial ufficiale offiziell officiel real tv fm fan fans page blog news photo photos foto pics art arts
    music fit yoga cooks writes reads runs tweets says games gaming yt ttv live online web dev codes tech design studio
    jr sr ii iii phd md rn cpa mba jd esq for office press media public person profile personal private campaign world
    life daily ig fb tw xo xx xoxo us usa uk nz au eu house senate state statehouse statesenate district council
    parliament camera senato parlamento asamblea it de fr es br mx ph
    """
)
USUAL = _HEAD | _TAIL
_LONGEST = max(map(len, USUAL))
HEAD, MIDDLE, TAIL = 0, 1, 2
_WORDS = {HEAD: _HEAD, MIDDLE: frozenset({"and", "the", "de", "von"}), TAIL: _TAIL}


@lru_cache(maxsize=65536)
def unexplained(segment: str, where: int) -> str:
    """What is left of a piece of a handle when the words usual at that place are taken off both of its ends."""
    words = _WORDS[where]
    if where == MIDDLE:
        return "" if segment in words else segment
    start, end = 0, len(segment)
    while start < end and (cut := _cut(segment, start, end, words)):
        start, end = cut
    return segment[start:end]


def _cut(segment: str, start: int, end: int, words: frozenset[str]) -> tuple[int, int] | None:
    for size in range(min(_LONGEST, end - start), 0, -1):
        if segment[start : start + size] in words:
            return start + size, end
        if segment[end - size : end] in words:
            return start, end - size
    return None
