"""Telling an organisation's account from a person's, so that nobody is suggested behind a company."""

from __future__ import annotations

from connector.domain.matching.facts import ProfileQuery
from connector.domain.matching.folding import fold, word_set
from connector.domain.matching.usual import USUAL
from connector.domain.matching.view import ProfileView

_WORDS = word_set(
    """
    academy agency alliance assembly association bank bureau caucus center centre chamber church city clinic club
    cmte college commission committee community company conference consulting cooperative corp corporation council
    county customerservice democrats department dept directorate embassy federation festival force foundation fund
    gmbh group guild hospital hotel inc initiative institute journal labs league library limited llc llp ltd
    ministry museum network newspaper ngo organisation organization orchestra parliament partners party police radio
    republicans resort restaurant savings school service services shop society solutions srl stadium store studio
    studios support systems theater theatre times trust union university verein stiftung partei asociacion fundacion
    ayuntamiento ministerio universidad universita comune regione ministero associazione associacao prefeitura
    universidade mairie ministere universite gemeente stichting foreningen
    """
)
_SURE = 2


def is_organisation(profile: ProfileQuery, view: ProfileView) -> bool:
    """Whether the account speaks as a company, club or office: by its shown name, else by its handle's words."""
    if view.emails or view.phones or view.orders:
        return False
    if view.named:
        words = set(view.display)
        return len(words & _WORDS) >= _SURE or (bool(words & _WORDS) and not _has_family_name(words - _WORDS, view))
    return len(set(fold(_spaced(profile.handle or "")).split()) & _WORDS) >= _SURE


def _has_family_name(words: set[str], view: ProfileView) -> bool:
    return any(view.count(word).family for word in words if word not in USUAL)


def _spaced(handle: str) -> str:
    return "".join(f" {char}" if char.isupper() else char for char in handle)
