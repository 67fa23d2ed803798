"""Who might this be? Looks up a few ranges of the index, weighs each contact found, and gives the best with reasons."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from connector.domain.identifiers import CROWDED_AT
from connector.domain.matching.alignment import STRONG, Alignment
from connector.domain.matching.duplicates import group_duplicates, same_person
from connector.domain.matching.facts import Candidate, ContactFacts, ProfileQuery
from connector.domain.matching.features import Features, compare
from connector.domain.matching.index import UNSEEN, Probe, SuggestionIndex
from connector.domain.matching.names import PET, name_forms
from connector.domain.matching.organisations import is_organisation
from connector.domain.matching.plan import Plan, sure_probes
from connector.domain.matching.reasons import explain
from connector.domain.matching.scorecard import Scorecard, probability
from connector.domain.matching.view import ProfileView, view_of, views_otherwise, words_to_look_up

MAX_CANDIDATES = 40
"""So many are weighed at most in each of two helpings, the rest of a crowd is only counted: 100 found no more."""
FLOOR = 0.005
"""A contact less likely than this is not shown."""
WORTH_A_LOOK = 0.03
"""When the best five together are less likely than this nobody is plausible, and an agent is not bothered."""
RARE_SHARE = 0.02
"""A name is rare when fewer bearers than this are expected in the base by chance."""


@dataclass(frozen=True, slots=True)
class Weighed:
    """One contact with its features, its reading of the handle and its log-odds.

    ``crowd`` is how many contacts it stands for: more than one where so many bear the name that only some are read.
    """

    contact: ContactFacts
    features: Features
    reading: Alignment
    log_odds: float
    view: ProfileView
    crowd: float = 1.0


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
        finals = self._scorecard.compete([group[0].log_odds for group in groups], [group[0].crowd for group in groups])
        ranked = sorted(zip(finals, groups, strict=True), key=lambda pair: (-pair[0], pair[1][0].contact.contact_id))
        if sum(probability(final) for final, _ in ranked[:5]) < WORTH_A_LOOK:
            return []
        shown = []
        for final, group in ranked[:limit]:
            score = probability(final)
            if score < FLOOR:
                break
            best = group[0]
            reasons = explain(self._scorecard, best.view, best.contact, best.features, best.reading, final)
            shown.append(
                Candidate(best.contact.contact_id, score, reasons, tuple(each.contact.contact_id for each in group[1:]))
            )
        return shown

    def weigh(self, profile: ProfileQuery) -> list[list[Weighed]]:
        """Every contact found with its features, duplicates together: what training and measuring look at."""
        view = view_of(profile)
        self._look_up(view)
        return self._groups(view, profile)

    def _look_up(self, view: ProfileView) -> None:
        view.look_up(*self._index.words(words_to_look_up(view)))

    def _groups(self, view: ProfileView, profile: ProfileQuery) -> list[list[Weighed]]:
        weighed, excluded = self._weigh(view, profile), profile.excluded
        weighed.sort(key=lambda each: (-each.log_odds, each.contact.contact_id))
        groups = group_duplicates(weighed, excluded, self._rare)
        # Of a crowd only some are read: who was excluded may be none of them, and its copies must not be shown either.
        gone = self._index.contacts(self._index.references(sorted(excluded))).values()
        return [group for group in groups if not any(same_person(group[0].contact, each, self._rare) for each in gone)]

    def _rare(self, contact: ContactFacts) -> bool:
        """Whether hardly one contact in the whole base is expected to bear this name by chance.

        The profile may show only a part of the name, so the whole is looked up.
        """
        forms = name_forms(contact.first_name, contact.last_name)
        firsts = [form for form, kind in forms.firsts if kind < PET]
        if not forms.lasts or not firsts:
            return False
        last = forms.lasts[0][0]
        size, counts = self._index.words([last, *firsts])
        given = max(counts.get(first, UNSEEN).given for first in firsts)
        return counts.get(last, UNSEEN).family * given < RARE_SHARE * size

    def _weigh(self, view: ProfileView, profile: ProfileQuery) -> list[Weighed]:
        plan = Plan(view)
        found = self._first_found(view, profile, plan.whole_names())
        weighed = self._compare(view, profile, found)
        if not any(_whole(each) for each in weighed if each.contact.contact_id not in profile.excluded):
            probes = plan.parts_of_names()
            weighed += self._compare(view, profile, self._crowds(probes, self._index.probe(probes), found))
            if not any(each.reading.last and not each.reading.left for each in weighed):
                weighed = self._read_otherwise(weighed, view, profile)
        return weighed

    def _read_otherwise(self, weighed: list[Weighed], view: ProfileView, profile: ProfileQuery) -> list[Weighed]:
        """The same with those whom the handle names in another spelling; each contact by its better reading."""
        best = {each.contact.contact_id: each for each in weighed}
        for again in views_otherwise(view, profile):
            self._look_up(again)
            plan = Plan(again)
            names = plan.whole_names()
            found = self._crowds(names, self._index.probe(names), {}) if names else {}
            if view.handle.digits != again.handle.digits:
                parts = plan.parts_of_names()
                found |= self._crowds(parts, self._index.probe(parts), found)
            for each in self._compare(again, profile, found):
                known = best.get(each.contact.contact_id)
                if known is None or known.log_odds < each.log_odds:
                    best[each.contact.contact_id] = each
        return list(best.values())

    def _first_found(self, view: ProfileView, profile: ProfileQuery, names: list[Probe]) -> dict[int, float]:
        """Contacts by exact identifiers, then by names, in one look; identifiers that a crowd shares are dropped."""
        refs = self._index.references(sorted({proof.contact_id for proof in profile.proofs}))
        asked = sure_probes(view)
        hits = self._index.probe([*(each.probe for each in asked), *names])
        for each, same in zip(asked, hits, strict=False):
            if len(same) <= CROWDED_AT:
                refs += same
            elif each.kind:
                view.forget(each.kind, each.value)
        sure = dict.fromkeys(refs, 1.0)
        return sure | self._crowds(names, hits[len(asked) :], sure)

    def _crowds(self, probes: list[Probe], hits: list[list[int]], known: dict[int, float]) -> dict[int, float]:
        """The contacts newly found, each with how many it stands for by the narrowest probe that found it."""
        looked: dict[Probe, list[int]] = {}
        room = set(known)
        for probe, refs in zip(probes, hits, strict=True):
            if len(room) >= len(known) + MAX_CANDIDATES:
                break
            looked[probe] = refs
            room.update(refs)
        cut = [probe for probe, refs in looked.items() if len(refs) == probe.limit]
        sizes = dict(zip(cut, self._index.count(cut), strict=True))
        found: dict[int, float] = {}
        for probe, refs in looked.items():
            crowd = sizes[probe] / len(refs) if probe in sizes else 1.0
            for ref in refs:
                if ref not in known:
                    found[ref] = min(found.get(ref, crowd), crowd)
        return found

    def _compare(self, view: ProfileView, profile: ProfileQuery, crowds: dict[int, float]) -> list[Weighed]:
        chosen = sorted(islice(crowds, MAX_CANDIDATES))
        proven = {proof.contact_id for proof in profile.proofs}
        weighed = []
        for ref, contact in self._index.contacts(chosen).items():
            features, reading = compare(view, contact)
            if proven:
                features["proof.network" if contact.contact_id in proven else "proof.elsewhere"] = 1.0
            weighed.append(Weighed(contact, features, reading, self._scorecard.log_odds(features), view, crowds[ref]))
        return weighed


def _whole(weighed: Weighed) -> bool:
    """Whether a whole name explains the handle so well that pieces of names need no look."""
    reading = weighed.reading
    if reading.pattern not in STRONG:
        return False
    if reading.pattern == "pet_last":
        return not reading.left and reading.first_at < reading.last_at
    return not reading.left or (reading.left < 4 and len(reading.first) + len(reading.last) > 7)
