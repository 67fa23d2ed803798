"""Telling an organisation's account from a person's, so that nobody is suggested behind a company."""

from __future__ import annotations

import re

from connector.domain.matching.facts import ProfileQuery
from connector.domain.matching.folding import fold, word_set
from connector.domain.matching.usual import USUAL
from connector.domain.matching.view import ProfileView

# Words that only organisations call themselves by, folded; in a handle one of them at an end is enough.
_SURE = word_set(
    """
    agency alliance association bureau caucus chamber cmte coalition commission committee confederation
    conference consortium cooperative corporation customercare customerservice department directorate embassy
    federation foundation gmbh initiative institute institution laboratory library ministry museum network newspaper
    ngo nonprofit organisation organization orchestra partnership society taskforce university
    asociacion associacao associazione associacion fundacion fundacao fondazione fondation stiftung stichting stiftelsen
    fundacja vakfi instituto istituto institut comite comitato camara federacion federazione sindicato sindacato
    syndicat ministerio ministero ministere ministerium ministerie ministerstwo ministerstvo bakanligi universidad
    universidade universita universite universitat universitaet universiteit universitet uniwersytet universitesi
    ayuntamiento prefeitura mairie comune regione gemeinde gemeente kommune kommun belediyesi gobierno
    gouvernement partido partito partei partij partiet partia partiya cooperativa genossenschaft gesellschaft verband
    verein vereniging forening foreningen stowarzyszenie dernegi hochschule krankenhaus ziekenhuis ospedale szpital
    hastanesi biblioteca bibliotheque bibliothek bibliotheek muzeum musee museo museu restaurante ristorante empresa
    azienda entreprise societe spolka kompaniya sirketi versicherung verzekering sparkasse buchhandlung
    """
)
# Words that organisations call themselves by, but people bear or use too.
_LIKELY = word_set(
    """
    academy assembly bank center centre church city clinic club college community company consulting corp council
    county democrats dept festival force fund group guild hospital hotel inc journal labs league limited llc llp ltd
    parliament partners party police radio republicans resort restaurant savings school science service services shop
    solutions srl stadium store studio studios support systems theater theatre times trust union
    banco banca banque grupo gruppo groupe escuela escola ecole scuola schule colegio iglesia igreja eglise chiesa
    kirche noticias notizie actualites redaktion tienda loja boutique negozio winkel sklep butikk clinica clinique
    klinik consejo conselho conseil consiglio
    """
)
_WORDS = _SURE | _LIKELY
_ENOUGH = 2
_LONG = 6
"""A word of so many letters hardly stands in a handle by chance."""
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\W_]+")


def is_organisation(profile: ProfileQuery, view: ProfileView) -> bool:
    """Whether the account speaks as a company, club or office: by its shown name, else by its handle's words.

    A word that is a family name in this CRM says nothing, nor do such words beside somebody's whole name.
    """
    if view.emails or view.phones or view.orders:
        return False
    if view.named:
        return _speaks_as_one(frozenset(view.display), view)
    words = frozenset(fold(word) for word in _HUMPS.findall(profile.handle or ""))
    return len(words & _WORDS) >= _ENOUGH or _ends_as_one(view.handle.letters, view)


def _speaks_as_one(shown: frozenset[str], view: ProfileView) -> bool:
    found = frozenset(word for word in shown & _WORDS if not view.count(word).family)
    rest = [word for word in shown - _WORDS if word not in USUAL]
    if found & _SURE:
        return not any(view.count(first).given and _family_beside(first, rest, view) for first in rest)
    return len(found) >= _ENOUGH or (bool(found) and not any(view.count(word).family for word in rest))


def _family_beside(first: str, rest: list[str], view: ProfileView) -> bool:
    return any(word != first and view.count(word).family for word in rest)


def _ends_as_one(letters: str, view: ProfileView) -> bool:
    """Whether the handle begins or ends with an organisation's word and the rest is nobody's whole name."""
    for size in range(len(letters), _LONG - 1, -1):
        for word, rest in ((letters[-size:], letters[:-size]), (letters[:size], letters[size:])):
            if word in _SURE and not view.count(word).family:
                return not _whole_name(rest, view)
    return False


def _whole_name(letters: str, view: ProfileView) -> bool:
    cuts = ((letters[:at], letters[at:]) for at in range(3, len(letters) - 2))
    return any(
        (view.count(left).given and view.count(right).family) or (view.count(left).family and view.count(right).given)
        for left, right in cuts
    )
