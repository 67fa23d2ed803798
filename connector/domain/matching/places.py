"""Places as people write them: a city joined, a state by its code and its name."""

from __future__ import annotations

from functools import lru_cache

from connector.domain.matching.folding import fold

# ISO 3166-2 subdivisions where people write the code and the name alike; others are compared as written.
_STATES = """
AL Alabama | AK Alaska | AZ Arizona | AR Arkansas | CA California | CO Colorado | CT Connecticut | DE Delaware |
DC District of Columbia | FL Florida | GA Georgia | HI Hawaii | ID Idaho | IL Illinois | IN Indiana | IA Iowa |
KS Kansas | KY Kentucky | LA Louisiana | ME Maine | MD Maryland | MA Massachusetts | MI Michigan | MN Minnesota |
MS Mississippi | MO Missouri | MT Montana | NE Nebraska | NV Nevada | NH New Hampshire | NJ New Jersey |
NM New Mexico | NY New York | NC North Carolina | ND North Dakota | OH Ohio | OK Oklahoma | OR Oregon |
PA Pennsylvania | RI Rhode Island | SC South Carolina | SD South Dakota | TN Tennessee | TX Texas | UT Utah |
VT Vermont | VA Virginia | WA Washington | WV West Virginia | WI Wisconsin | WY Wyoming | PR Puerto Rico |
AB Alberta | BC British Columbia | MB Manitoba | NB New Brunswick | NL Newfoundland | NS Nova Scotia | ON Ontario |
QC Quebec | SK Saskatchewan | NSW New South Wales | QLD Queensland | VIC Victoria | TAS Tasmania | SP Sao Paulo |
RJ Rio de Janeiro | MG Minas Gerais | RS Rio Grande do Sul | BA Bahia | PE Pernambuco
"""
_ROWS = (row.split(maxsplit=1) for row in _STATES.split("|"))
_NAMES = {code.lower(): fold(name).replace(" ", "") for code, name in _ROWS}
_CODES = {name: code for code, name in _NAMES.items()}


@lru_cache(maxsize=16384)
def place_words(city: str | None, state: str | None) -> tuple[str, ...]:
    """The folded, joined words for a city and a state, a state both by code and name where both are in use."""
    words = []
    for text in (city, state):
        joined = fold(text or "").replace(" ", "")
        if joined:
            words.append(joined)
    if state and words:
        other = _NAMES.get(words[-1]) or _CODES.get(words[-1])
        if other:
            words.append(other)
    return tuple(dict.fromkeys(words))


@lru_cache(maxsize=4096)
def country_words(country: str | None) -> tuple[str, ...]:
    """The folded, joined word for a country."""
    joined = fold(country or "").replace(" ", "")
    return (joined,) if joined else ()
