"""One table: the connector's suggestions beside what others would use, on every labelled set at hand.

`python -m bench.identity.run` needs bench/identity/requirements.txt; pg_trgm runs where CONNECTOR_TEST_POSTGRES is set.
"""

from __future__ import annotations

import argparse
import random
import time
from math import isnan

import numpy as np

from bench.identity.dataset import Labelled, folder, load
from bench.identity.engines import index_of
from bench.identity.generate import labelled
from bench.identity.metrics import Figures, measure
from bench.identity.peers import PEERS, Answers
from bench.identity.train import first_card, fit, lists_of
from connector.domain.matching import Scorecard, SuggestionEngine
from connector.mapping.scorecard import load_scorecard

FOLDS = 5


def cross_validated(data: Labelled, ids: set[str]) -> tuple[Answers, list[float]]:
    """The connector's answers by weights that never saw the profile's person, and the milliseconds each took."""
    answers: Answers = {}
    times: list[float] = []
    with index_of(data.contacts) as index:
        lists = lists_of(data, SuggestionEngine(index, first_card(data, index)))
        fold = np.array([data.fold(each, FOLDS) for each in lists.ids])
        for each in range(FOLDS):
            engine = SuggestionEngine(index, Scorecard(fit(lists, fold != each)))
            _answer(engine, data, {lists.ids[at] for at in np.flatnonzero(fold == each)} & ids, answers, times)
    return answers, times


def as_shipped(data: Labelled, ids: set[str]) -> tuple[Answers, list[float]]:
    """The connector's answers by the weights that ship."""
    answers: Answers = {}
    times: list[float] = []
    with index_of(data.contacts) as index:
        _answer(SuggestionEngine(index, load_scorecard()), data, ids, answers, times)
    return answers, times


def _answer(engine: SuggestionEngine, data: Labelled, ids: set[str], answers: Answers, times: list[float]) -> None:
    for profile_id, query in data.profiles:
        if profile_id in ids:
            begin = time.perf_counter()
            found = engine.suggest(query, 10)
            times.append((time.perf_counter() - begin) * 1000)
            answers[profile_id] = [(each.contact_id, each.score) for each in found]


def show(name: str, figures: Figures, times: list[float]) -> None:
    """Prints one engine's row."""
    ordered = sorted(times)
    cells = [f"{value:.3f}" if not isnan(value) else "-" for value in figures.row().values()]
    cells += [f"{ordered[len(ordered) // 2]:.1f}", f"{ordered[int(len(ordered) * 0.99)]:.1f}"]
    print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def table(data: Labelled, sample: int, peers: list[str]) -> None:
    """Prints the table of one labelled set; all engines answer the same profiles."""
    ids = [each for each, _ in data.profiles]
    some = sorted(random.Random(5).sample(ids, sample)) if 0 < sample < len(ids) else ids
    matched = sum(each in data.truth for each in some)
    print(f"\n{data.name}: {len(data.contacts)} contacts, {len(some)} profiles, {matched} with a match")
    head = [
        "R@1",
        "R@3",
        "R@5",
        "R@10",
        "MRR",
        "R@P90",
        "R@P95",
        "R@P99",
        "nomatch>=.9",
        "fpr90",
        "ECE",
        "ms p50",
        "ms p99",
    ]
    print("| engine | " + " | ".join(head) + " |\n" + "|---" * (len(head) + 1) + "|")
    mine = cross_validated if data.name == "identity" else as_shipped
    answers, times = mine(data, set(some))
    show(f"connector ({mine.__name__.replace('_', ' ')})", measure(some, data.truth, answers), times)
    for name in peers:
        result = PEERS[name](data, set(some))
        if result is None:
            print(f"| {name} | not installed or no server |")
        else:
            show(name, measure(some, data.truth, result[0], probable=name == "Splink"), result[1])


def main() -> None:
    """Runs all engines on all labelled sets."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sample", type=int, default=0, help="only so many profiles of each set (0: all)")
    arguments.add_argument("--peers", default=",".join(PEERS), help="comma-separated; empty for none")
    options = arguments.parse_args()
    peers = [name for name in options.peers.split(",") if name]
    place = folder()
    sets = [load(place, "identity")] if place else []
    for data in [*sets, labelled()]:
        table(data, options.sample, peers)


if __name__ == "__main__":
    main()
