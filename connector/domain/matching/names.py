"""A contact's name as people write it in handles: joined, without particles, in parts, as pet names, as initials."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from connector.domain.matching.folding import fold, word_set
from connector.domain.matching.nicks import other_forms
from connector.domain.matching.spellings import twin
from connector.domain.matching.usual import USUAL

FULL, PART, PET, MAILED = 0, 1, 2, 3
"""How a form relates to the name as the CRM writes it."""

_PARTICLES = word_set(
    """
    a al ap as bar ben bin bint da dal dalla das de degli dei del della den der des di do dos du e el el- het ibn la
    las le les lo los mac mc na of op ould saint san sant santa st ste st. 't te ten ter tot und v van vande vander
    vom von y z zu zum zur
    """
)
_TITLES = word_set(
    """
    jr sr ii iii iv mr mrs ms miss mx dr prof professor phd md esq sir dame lord lady rev fr sister brother hon capt
    captain col colonel gen general sgt lt ing dipl mag herr frau sig signora sr sra srta don dona mme mlle dhr mevr
    ret usn usaf usa junior senior
    """
)
_MAX_FORMS = 6

# Korean family names as their bearers write them, where the letter-by-letter form differs.
_SPELLINGS = """
gim kim i lee bag park choe choi jeong jung gang kang jo cho yun yoon im lim sin shin gwon kwon go ko
mun moon yu yoo u woo jeon jun
"""
_USUAL_SPELLING = dict(zip(_SPELLINGS.split()[::2], _SPELLINGS.split()[1::2], strict=True))

Forms = tuple[tuple[str, int], ...]


class NameForms(NamedTuple):
    """The forms of one contact's name: (form, FULL | PART | PET | MAILED), longest first, and the initials of each."""

    firsts: Forms
    lasts: Forms
    initials: str
    last_initials: str
    written: tuple[str, str]

    @property
    def whole(self) -> str:
        """The name as the CRM writes it, folded."""
        return " ".join(filter(None, map(fold, self.written)))

    @property
    def monogram(self) -> str:
        """The initials of the whole name, with every part of a double one."""
        return self.initials + self.last_initials


@lru_cache(maxsize=65536)
def given_forms(text: str) -> tuple[Forms, str]:
    """The forms of a given name and its initials; a name of initials only has the joined initials as its form."""
    forms: dict[str, int] = {}
    initials = ""
    for spelled in (fold(text), twin(text)):
        tokens = _tokens(spelled)
        if not tokens:
            continue
        initials = initials or "".join(token[0] for token in tokens)
        words = [token for token in tokens if len(token) > 1]
        if not words:
            forms.update({initials: FULL} if len(initials) > 1 else {})
            continue
        forms.setdefault(words[0], FULL)
        if len(words) > 1:
            forms.setdefault("".join(words), FULL)
        for word in words[1:]:
            if len(word) > 2 or word is words[-1]:
                forms.setdefault(word, PART)
    for own in list(forms):
        for pet in other_forms(own):
            forms.setdefault(pet, PET)
    return _longest_first(forms), initials


@lru_cache(maxsize=65536)
def family_forms(text: str) -> tuple[Forms, str]:
    """The forms of a family name: joined, without particles, and each part of a double name; and its initials."""
    forms: dict[str, int] = {}
    initials = ""
    for spelled in (fold(text), twin(text)):
        tokens = _tokens(spelled)
        if not tokens:
            continue
        initials = initials or "".join(token[0] for token in tokens)
        forms.setdefault("".join(tokens), FULL)
        if len(tokens) == 1 and not text.isascii() and tokens[0] in _USUAL_SPELLING:
            forms.setdefault(_USUAL_SPELLING[tokens[0]], PART)
        bare = [token for token in tokens if token not in _PARTICLES] or tokens
        if len(bare) < len(tokens):
            forms.setdefault("".join(bare), PART)
        if len(bare) > 1:
            for part in bare:
                if len(part) > 2:
                    forms.setdefault(part, PART)
    return _longest_first(forms)[:_MAX_FORMS], initials


def name_forms(first_name: str | None, last_name: str | None, emails: tuple[str, ...] = ()) -> NameForms:
    """All forms of a contact's name, with the given name its e-mail address shows; one field alone is a family name."""
    firsts, initials = given_forms(first_name or "")
    lasts, last_initials = family_forms(last_name or "")
    if not lasts and firsts:
        lasts, last_initials = tuple((form, kind) for form, kind in firsts if kind < PET), initials
        firsts, initials = (), ""
    if emails and lasts:
        firsts = _with_mailed(firsts, lasts, emails)
    return NameForms(firsts, lasts, initials, last_initials, (first_name or "", last_name or ""))


def _with_mailed(firsts: Forms, lasts: Forms, emails: tuple[str, ...]) -> Forms:
    forms = dict(firsts)
    for email in emails[:3]:
        for given in mailed_given(email, lasts[0][0]):
            forms.setdefault(given, MAILED)
    return _longest_first(forms) if len(forms) > len(firsts) else firsts


@lru_cache(maxsize=65536)
def mailed_given(email: str, last: str) -> tuple[str, ...]:
    """The given names that an address of the kind given.family@ shows: what a person goes by."""
    local = email.rpartition("@")[0].split("+")[0]
    if last not in local or len(last) < 3:
        return ()
    rest = fold(local.replace(last, " ", 1)).split()
    return tuple(word for word in rest if len(word) > 2 and word.isalpha() and word not in USUAL)


def with_usual_spelling(words: list[str]) -> list[str]:
    """The words, and for Korean family names among them also the spelling in use."""
    return words + [usual for word in words if (usual := _USUAL_SPELLING.get(word)) and usual not in words]


def own_forms(forms: Forms, limit: int = 4) -> list[str]:
    """The forms the CRM itself writes, without pet names, the whole name first."""
    whole = [form for form, kind in forms if kind == FULL]
    return (whole + [form for form, kind in forms if kind == PART])[:limit]


def _tokens(folded: str | None) -> list[str]:
    tokens = folded.split() if folded else []
    kept = [token for token in tokens if token not in _TITLES]
    return kept or tokens


def _longest_first(forms: dict[str, int]) -> Forms:
    return tuple(sorted(forms.items(), key=lambda pair: (-len(pair[0]), pair[1], pair[0])))
