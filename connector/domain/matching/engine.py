"""Who might this be? Looks up a few ranges of the index, weighs each contact found, and gives the best with reasons."""

from __future__ import annotations

from dataclasses import dataclass

from connector.domain.identifiers import CROWDED_AT
from connector.domain.matching.alignment import Alignment
from connector.domain.matching.duplicates import group_duplicates
from connector.domain.matching.facts import Candidate, ContactFacts, ProfileQuery
from connector.domain.matching.features import Features, compare
from connector.domain.matching.index import SuggestionIndex
from connector.domain.matching.organisations import is_organisation
from connector.domain.matching.plan import identity_probes, name_probes
from connector.domain.matching.reasons import explain
from connector.domain.matching.scorecard import Scorecard, probability
from connector.domain.matching.view import ProfileView, view_of, words_to_look_up

MAX_CANDIDATES = 100
FLOOR = 0.01
"""Below this nobody is plausible, and an agent is not bothered."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One contact with its features, its reading of the handle and its log-odds."""

    contact: ContactFacts
    features: Features
    reading: Alignment
    log_odds: float


class SuggestionEngine:
    """Suggestions over one index with one scorecard; it reads and never writes."""

    def __init__(self, index: SuggestionIndex, scorecard: Scorecard) -> None:
        self._index = index
        self._scorecard = scorecard

    def suggest(self, profile: ProfileQuery, limit: int = 5) -> list[Candidate]:
        """The contacts it may be, the likeliest first; nobody for brands, organisations and what names no one."""
        view = view_of(profile)
        self._look_up(view)
        if profile.brand or (not profile.proofs and is_organisation(profile, view)):
            return []
        groups = self._groups(view, profile)
        if not groups:
            return []
        finals = self._scorecard.compete([group[0].log_odds for group in groups])
        ranked = sorted(zip(finals, groups, strict=True), key=lambda pair: (-pair[0], pair[1][0].contact.contact_id))
        shown = []
        for final, group in ranked[:limit]:
            score = probability(final)
            if score < FLOOR:
                break
            best = group[0]
            reasons = explain(self._scorecard, view, best.contact, best.features, best.reading, final)
            shown.append(
                Candidate(best.contact.contact_id, score, reasons, tuple(each.contact.contact_id for each in group[1:]))
            )
        return shown

    def weigh(self, profile: ProfileQuery) -> list[Weighed]:
        """Every contact found, with its features, unordered: what training and measuring look at."""
        view = view_of(profile)
        self._look_up(view)
        return self._weigh(view, profile)

    def _look_up(self, view: ProfileView) -> None:
        view.size = self._index.size()
        view.counts = self._index.words(words_to_look_up(view))

    def _groups(self, view: ProfileView, profile: ProfileQuery) -> list[list[Weighed]]:
        weighed = self._weigh(view, profile)
        weighed.sort(key=lambda each: (-each.log_odds, each.contact.contact_id))
        return group_duplicates(weighed, profile.excluded)

    def _weigh(self, view: ProfileView, profile: ProfileQuery) -> list[Weighed]:
        weighed = []
        for contact in self._find(view, profile):
            features, reading = compare(view, contact)
            for proof in profile.proofs:
                if proof.contact_id == contact.contact_id:
                    features["proof.network"] = 1.0
            weighed.append(Weighed(contact, features, reading, self._scorecard.log_odds(features)))
        return weighed

    def _find(self, view: ProfileView, profile: ProfileQuery) -> list[ContactFacts]:
        sure, likely = identity_probes(view), name_probes(view)
        found = self._index.probe([*sure, *likely])
        refs: dict[int, None] = {}
        for at, hits in enumerate(found):
            if at < len(sure) and len(hits) > CROWDED_AT:
                continue
            refs.update(dict.fromkeys(hits))
        proven = self._index.references(sorted({proof.contact_id for proof in profile.proofs}))
        contacts = self._index.contacts(sorted({*proven, *list(refs)[:MAX_CANDIDATES]}))
        return [contact for _, contact in sorted(contacts.items())]
