"""The connector's suggestions beside what others would use, on every labelled set at hand, and how the index grows.

`python -m bench.identity.run` needs bench/identity/requirements.txt; pg_trgm runs where CONNECTOR_TEST_POSTGRES is set.
The connector answers all profiles; it and the peers, some of them slow, answer the same sample (`--sample`).
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections.abc import Sequence
from math import isnan

import numpy as np

from bench.identity import growth
from bench.identity.dataset import Labelled, folder, load
from bench.identity.engines import index_of
from bench.identity.generate import labelled
from bench.identity.metrics import Figures, measure
from bench.identity.peers import PEERS, Answers, PeerMissing
from bench.identity.train import first_card, fit, lists_of
from connector.domain.matching import Scorecard, SuggestionEngine
from connector.mapping.scorecard import load_scorecard

FOLDS = 5
HEAD = (
    "engine | R@1 | R@3 | R@5 | R@10 | MRR | R@P90 | R@P95 | R@P99 | no-match shown >=.9 | fpr90 | calibration error"
    " | ms p50 | ms p99"
)
Times = dict[str, float]


def cross_validated(data: Labelled) -> tuple[Answers, Times]:
    """The connector's answers by weights that never saw the profile's person, and the milliseconds each took."""
    return _cross_validated(data, [None])[0]


def _cross_validated(data: Labelled, known: Sequence[float | None]) -> list[tuple[Answers, Times]]:
    """The same once for each share of known people that the settings may say."""
    outcome: list[tuple[Answers, Times]] = [({}, {}) for _ in known]
    with index_of(data.contacts) as index:
        lists = lists_of(data, SuggestionEngine(index, first_card(data, index)))
        fold = np.array([data.fold(each, FOLDS) for each in lists.ids])
        for each in range(FOLDS):
            card = Scorecard(fit(lists, fold != each))
            ids = {lists.ids[at] for at in np.flatnonzero(fold == each)}
            for share, (answers, times) in zip(known, outcome, strict=True):
                _answer(SuggestionEngine(index, card.with_known_share(share)), data, ids, answers, times)
    return outcome


def shares(data: Labelled, known: Sequence[float]) -> None:
    """Prints what the setting of the share of known people is worth where that share is another."""
    _head(f"{data.name}: other shares of known people, cross-validated")
    unset, *told = _cross_validated(data, [None, *known])
    for share, mine in zip(known, told, strict=True):
        some = thinned(data, share)
        for name, (answers, times) in ((f"{share}, not said", unset), (f"{share}, set", mine)):
            show(name, measure(some, data.truth, answers), [times[each] for each in some])


def thinned(data: Labelled, share: float) -> list[str]:
    """As many profiles as there can be where this share of them has a contact; the same at every run."""
    shuffled = random.Random(11).sample([each for each, _ in data.profiles], len(data.profiles))
    known = [each for each in shuffled if each in data.truth]
    others = [each for each in shuffled if each not in data.truth]
    kept = min(len(known), round(len(others) * share / (1 - share)))
    return sorted(known[:kept] + others[: round(kept * (1 - share) / share)])


def as_shipped(data: Labelled) -> tuple[Answers, Times]:
    """The connector's answers by the weights that ship."""
    answers: Answers = {}
    times: Times = {}
    with index_of(data.contacts) as index:
        _answer(SuggestionEngine(index, load_scorecard()), data, {each for each, _ in data.profiles}, answers, times)
    return answers, times


def _answer(engine: SuggestionEngine, data: Labelled, ids: set[str], answers: Answers, times: Times) -> None:
    for profile_id, query in data.profiles:
        if profile_id in ids:
            begin = time.perf_counter()
            found = engine.suggest(query, 10)
            times[profile_id] = (time.perf_counter() - begin) * 1000
            answers[profile_id] = [(each.contact_id, each.score) for each in found]


def show(name: str, figures: Figures, times: list[float]) -> None:
    """Prints one engine's row."""
    ordered = sorted(times)
    cells = [f"{value:.3f}" if not isnan(value) else "-" for value in figures.row().values()]
    cells += [f"{ordered[len(ordered) // 2]:.1f}", f"{ordered[int(len(ordered) * 0.99)]:.1f}"]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def tables(data: Labelled, sample: int, peers: list[str]) -> None:
    """Prints both tables of one labelled set: the connector on all profiles, then beside the peers on a sample."""
    mine = cross_validated if data.name == "identity" else as_shipped
    name = "connector, cross-validated by contact" if mine is cross_validated else "connector, weights as shipped"
    answers, times = mine(data)
    named = {each for each, query in data.profiles if query.display_name}
    ids = [each for each, _ in data.profiles]
    _head(f"{data.name}: {len(data.contacts):,} contacts, all {_counted(data, ids)}")
    for title, some in (
        (name, ids),
        ("…of these, with a shown name", [each for each in ids if each in named]),
        ("…of these, a handle only", [each for each in ids if each not in named]),
    ):
        show(title, measure(some, data.truth, answers), [times[each] for each in some])
    some = sorted(random.Random(5).sample(ids, min(sample, len(ids))))
    if not peers or not some:
        return
    _head(f"{data.name}: the same sample for all, {_counted(data, some)} (slow peers would take hours for all)")
    show(name, measure(some, data.truth, answers), [times[each] for each in some])
    for peer in peers:
        try:
            found, took = PEERS[peer](data, set(some))
        except PeerMissing as missing:
            print(f"| {peer} | skipped: {missing} |", flush=True)
        else:
            show(peer, measure(some, data.truth, found, probable=peer == "Splink"), took)


def _counted(data: Labelled, ids: list[str]) -> str:
    return f"{len(ids):,} profiles, {sum(each in data.truth for each in ids):,} with a contact"


def _head(title: str) -> None:
    print(
        f"\n{title}; load {os.getloadavg()[0]:.1f}\n\n| {HEAD} |\n" + "|---" * (HEAD.count("|") + 1) + "|", flush=True
    )


def main() -> None:
    """Runs all engines on all labelled sets, then the growth."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sample", type=int, default=1000, help="profiles of each set that the peers answer")
    arguments.add_argument("--peers", default=",".join(PEERS), help="comma-separated; empty for none")
    arguments.add_argument(
        "--growth", default=",".join(map(str, growth.SIZES)), help="numbers of contacts; empty for none"
    )
    arguments.add_argument("--nightly", action="store_true", help="ten million contacts too")
    arguments.add_argument(
        "--known-shares",
        default="",
        help="comma-separated shares of known people: measures that setting and nothing else",
    )
    options = arguments.parse_args()
    peers = [name for name in options.peers.split(",") if name]
    place = folder()
    if place and options.known_shares:
        shares(load(place, "identity"), [float(each) for each in options.known_shares.split(",")])
        return
    if place is None:
        print("No labelled data: set CONNECTOR_IDENTITY_DATA to their folder; the generated set is measured alone.")
    sets = [load(place, "identity")] if place else []
    for data in [*sets, labelled()]:
        tables(data, options.sample, peers)
    sizes = [int(size) for size in options.growth.split(",") if size] + [growth.NIGHTLY] * options.nightly
    if sizes:
        asked = f"{growth.KNOWN:,} of the base and {growth.MISSING} others asked for by a handle"
        print(f"\nGrowth on SQLite, generated people, {asked}\n")
        growth.table(sizes, postgres=False, processes=2)


if __name__ == "__main__":
    main()
