"""Whatever contacts and profiles hold: both databases answer alike, reasons add up, and no order of input matters."""

import random
from dataclasses import replace
from math import log

import pytest

from connector.domain.matching import ContactFacts, ProfileQuery, Proof, SuggestionEngine
from connector.mapping.scorecard import load_scorecard
from connector.store.suggestion_index import SqlSuggestionIndex
from connector.store.unit_of_work import Store
from tests.suggestion_base import everything, index_over

SIGNS = (
    "abcdefgh ABC", "\ud800\udfff", "\u0301\u0308\u20dd", "\u200b\u202e\ufeff\u00ad", "مرحبا", "שלום", "王小明",
    "김이박", "ケンジょ", "Жанна", "Ελένη", "😀🏳️", "०१٣",
    "._-@+|/\\{}~!$%^&*=#<>'\"`\t\n\0", "ßſﬁİı", "𝓐𝓷𝕒", "аеорс", "ﷺ",
    "\U0010ffff\uffff", "ｆｕ",
)  # fmt: skip
FIRSTS = ("Anna", "Bob", "Robert", "Jo", "X", "李", "Élise", "Мария", "Ann Marie", "J.", "", " ", "van", "al")
LASTS = ("Smith", "Li", "O", "Müller-Lüdenscheid", "van der Berg", "王", "Иванова", "", "-", "Smith|Anna", "{", "%abc")
MAILS = ("a@b.no", "anna@smith.no", "\ud800@x.de", "😀@x.no", "@", "ANNA@SMITH.NO")
PHONES = ("+4791234567", "000", "٠١٢٣", "+447700900123")
PLACES = ("Oslo", "NY", "", "São Paulo", "smith")


class Hostile:
    """Contacts and profiles of anything, the same for one seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)

    def _text(self, usual: tuple[str, ...]) -> str:
        rng = self._rng
        if rng.random() < 0.7:
            return rng.choice(usual)
        return "".join(rng.choice(rng.choice(SIGNS)) for _ in range(rng.choice((1, 2, 5, 13, 200))))

    def _some(self, usual: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._text(usual) for _ in range(self._rng.choice((0, 0, 1, 2))))

    def contact(self, number: int) -> ContactFacts:
        """A contact of which nothing but the id is sure."""
        return ContactFacts(
            f"c{number}",
            self._text(FIRSTS),
            self._text(LASTS),
            self._some(MAILS),
            self._some(PHONES),
            self._text(PLACES),
            self._text(PLACES),
            self._text(PLACES),
            self._some(FIRSTS),
            self._some(("A-4711",)),
        )

    def profile(self, ids: list[str]) -> ProfileQuery:
        """A profile with hints, proofs and excluded contacts all at once."""
        rng = self._rng
        name = f"{self._text(FIRSTS)}{rng.choice(('', '.', ' '))}{self._text(LASTS)}"
        return ProfileQuery(
            network=rng.choice(("x", "youtube", "phone", "")),
            handle=rng.choice((None, name, name.lower(), self._text(FIRSTS))),
            display_name=rng.choice((None, name, self._text(LASTS))),
            location=rng.choice((None, self._text(PLACES))),
            bio=rng.choice((None, name, f"mail anna@smith.no {name}", "\u0301" * 5000, "a@" * 3000, "+1" * 3000)),
            emails=self._some(MAILS),
            phones=self._some(PHONES),
            confirmed_handles=self._some(FIRSTS),
            excluded=frozenset(rng.sample(ids, rng.choice((0, 0, 1)))),
            proofs=tuple(
                Proof(rng.choice(("own_phone", "login")), rng.choice(ids)) for _ in range(rng.choice((0, 0, 2)))
            ),
        )


@pytest.mark.parametrize("seed", range(6))
def test_hostile_contacts_and_profiles_are_answered_alike(any_store: Store, seed: int) -> None:
    hostile = Hostile(seed)
    people = [hostile.contact(number) for number in range((1, 2, 40)[seed % 3])]
    people += [
        ContactFacts(f"same{number}", "Anna", "Smith", city=f"Town {number}") for number in range(50 * (seed % 2))
    ]
    ids = [each.contact_id for each in people]
    with index_over(people) as lite, any_store.begin() as uow:
        index = SqlSuggestionIndex(uow.connection)
        index.rebuild([])
        index.upsert(reversed(people))
        assert everything(index) == everything(lite)
        ours, other = (SuggestionEngine(each, load_scorecard()) for each in (index, lite))
        for query in (hostile.profile(ids) for _ in range(60)):
            found = ours.suggest(query, 50)
            assert found == other.suggest(_turned(query), 50)
            shown = [one for each in found for one in (each.contact_id, *each.duplicates)]
            assert len(shown) == len(set(shown))
            assert query.excluded.isdisjoint(shown)
            for each in found:
                total = sum(reason.weight for reason in each.reasons)
                assert total == pytest.approx(log(each.score / (1 - each.score)), abs=1e-6)
        index.rebuild([])


def _turned(query: ProfileQuery) -> ProfileQuery:
    return replace(
        query,
        emails=query.emails[::-1],
        phones=query.phones[::-1],
        confirmed_handles=query.confirmed_handles[::-1],
        proofs=query.proofs[::-1],
    )
