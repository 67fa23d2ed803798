"""Telling an organisation's account from a person's, so that nobody is suggested behind a company."""

from __future__ import annotations

import re

from connector.domain.matching.facts import ProfileQuery
from connector.domain.matching.folding import fold, word_set
from connector.domain.matching.usual import USUAL
from connector.domain.matching.view import ProfileView
from connector.domain.matching.voices import is_called_one, speaks_as_many

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
    airlines airways bakery bookstore brewery brewing committees congregation dealership
    distillery distributors fundraiser hospitality logistics manufacturing municipality nightclub pharmacy
    pizzeria plumbing productions railway realtors roastery roofing secretariat subcommittee supermarket telecom
    winery apotheke apotek pharmacie farmacia farmacie panaderia pasteleria boulangerie patisserie panificio baeckerei
    bakkerij ferreteria peluqueria librairie libreria livraria concesionario autohaus fluggesellschaft aerolinea
    stadtwerke feuerwehr polizei polizia policia gendarmerie bomberos pompiers brandweer politie
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
# What offices, trades and associations are about: two such words together name no person.
_TOPICS = word_set(
    """
    affairs agriculture automotive aviation bakers banking beauty budget business coffee commerce congress consumer
    customs cuisine culture defence defense development digital economy education electronics employment energy
    engineering environment estate events fashion finance financial fisheries fitness food furniture health healthcare
    heritage housing immigration industry industries infrastructure insurance international interior investments
    jewelry jewellery judiciary kitchen labour leasing majority mall marketing medical motors nutrition
    oversight planning policy programme program project properties realty regional rentals rescue research resources
    safety sanitation sciences security senate software sports supplies supply tax technologies technology
    telecommunications tourism toys trading training transport transportation travel treasury veterans volunteers
    wholesale wildlife women workforce youth
    educacion salud turismo energia seguridad cultura deportes saude seguranca sante tourisme culture sicherheit
    gesundheit bildung verkehr wirtschaft umwelt ambiente sanita istruzione trasporti economia
    """
)
_LINKS = word_set("a an and at by for from in of on the to de del la el les des und der die das et y e di da")
_WORDS = _SURE | _LIKELY | _TOPICS
_ENOUGH = 2
_LONG = 6
"""A word of so many letters hardly stands in a handle by chance."""
_SHORT = 3
"""A word of so many letters counts where capitals or signs set it off."""
_HUMPS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^A-Z\W_]+")


def is_organisation(profile: ProfileQuery, view: ProfileView) -> bool:
    """Whether the account speaks as a company, club or office: by its shown name, else by its handle's words.

    A word that is a family name in this CRM says nothing, nor do such words beside somebody's whole name.
    """
    if view.emails or view.phones or view.orders:
        return False
    if speaks_as_many((profile.bio or "")[:1000]) and not _shows_a_person(view):
        return True
    if view.named:
        return _speaks_as_one(frozenset(view.display), view) or (
            is_called_one(profile.display_name or "") and not _shows_a_person(view)
        )
    words = [fold(word) for word in _HUMPS.findall(profile.handle or "")]
    if len(frozenset(words) & (_SURE | _LIKELY)) >= _ENOUGH or _ends_as_one(view):
        return True
    return _about_one(words, view)


def _shows_a_person(view: ProfileView) -> bool:
    """Whether the shown name, or where there is none the handle, holds a given and a family name of this CRM."""
    if not view.display:
        return _whole_name(view.handle.letters, view)
    rest = [word for word in view.display if word not in USUAL]
    return any(view.count(first).given and _family_beside(first, rest, view) for first in rest)


def _speaks_as_one(shown: frozenset[str], view: ProfileView) -> bool:
    found = frozenset(word for word in shown & _WORDS if not view.count(word).family)
    rest = [word for word in shown - _WORDS if word not in USUAL]
    if found & _SURE:
        return not _shows_a_person(view)
    if _about_one(list(shown), view):
        return True
    likely = found - _TOPICS
    return len(likely) >= _ENOUGH or (bool(likely) and not any(view.count(word).family for word in rest))


def _about_one(words: list[str], view: ProfileView) -> bool:
    """Whether two words of an organisation's business stand together, and nobody's name beside them."""
    found = frozenset(word for word in words if word in _WORDS and not view.count(word).family)
    return len(found) >= _ENOUGH and not _names_somebody(words, view)


def _names_somebody(words: list[str], view: ProfileView) -> bool:
    rest = (word for word in words if word not in _WORDS and word not in USUAL and word not in _LINKS)
    return any(view.count(word).given or view.count(word).family for word in rest)


def _family_beside(first: str, rest: list[str], view: ProfileView) -> bool:
    return any(word != first and view.count(word).family for word in rest)


def _ends_as_one(view: ProfileView) -> bool:
    """Whether the handle begins or ends with an organisation's word and the rest is nobody's whole name."""
    letters, marks = view.handle.letters, view.handle.starts
    for size in range(len(letters), _SHORT - 1, -1):
        at = len(letters) - size
        for word, rest, border in ((letters[at:], letters[:at], at), (letters[:size], letters[size:], size)):
            if word in _SURE and (size >= _LONG or (rest and border in marks)) and not view.count(word).family:
                return not _whole_name(rest, view)
    return False


def _whole_name(letters: str, view: ProfileView) -> bool:
    cuts = ((letters[:at], letters[at:]) for at in range(3, len(letters) - 2))
    return any(
        (view.count(left).given and view.count(right).family) or (view.count(left).family and view.count(right).given)
        for left, right in cuts
    )
