"""Fits the scorecard's weights: a conditional logit over each profile's list with "nobody" as one more choice.

`python -m bench.identity.train --out FILE` writes the weights; the same data give the same file.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from bench.identity.dataset import Labelled, folder, load
from bench.identity.engines import index_of
from connector.domain.matching import Scorecard, SuggestionEngine
from connector.domain.matching.engine import Weighed
from connector.domain.matching.index import SuggestionIndex

SILENT = -5.15
"""What a pair weighs whose handle holds nothing of the name: the mean of 949 such pairs of the labelled data."""


def _telling(right: float, seen: float) -> float:
    """The weight that makes an otherwise silent pair as likely as it was right, one half added to either side."""
    return round(log((right + 0.5) / (seen - right + 0.5)) - SILENT, 1)


# Not to be learnt from the labelled data: hardly anybody there wrote an address, nobody an order number, and no network
# proved anything. Counted where it says of how many; else judged, as a share that is right.
STATED = {
    "email.equal": (_telling(92, 92), "an equal address was right 92 of 92 times, in another labelled set"),
    "handle.confirmed_elsewhere": (
        _telling(3313, 3332),
        "an equal handle elsewhere was right 3,313 of 3,332 times",
    ),
    "phone.equal": (_telling(98, 100), "judged 98 of 100: households share numbers, and numbers get new owners"),
    "phone.equal_end": (_telling(95, 100), "judged 95 of 100: as before, and the country is not known"),
    "order.equal": (_telling(95, 100), "judged 95 of 100: numbers are mistyped, and orders are gifts"),
    "phone.end_in_handle": (2.0, "judged: four digits and more are often a year or a date"),
    "shown.initial_same": (2.2, "judged: nine in ten write their own middle initial, one namesake in ten shares it"),
    "shown.initial_other": (-2.2, "judged: as before, the other way round"),
    "warning.mixed_script": (-2.5, "judged: perhaps somebody's imitation"),
    "proof.network": (20.0, "rank, not rate: with the next line above all that other evidence can weigh"),
    "proof.elsewhere": (-60.0, "rank, not rate: the network says that it is somebody else's account"),
}
FIXED = {name: weight for name, (weight, _) in STATED.items()}
NEVER_NEGATIVE = (
    "email.",
    "phone.",
    "order.",
    "handle.",
    "place.city",
    "place.state",
    "place.country",
    "place.in_handle",
    "bio.",
    "shown.first_alike",
)
NEVER_POSITIVE = (
    "left.",
    "rarity.",
    "shown.rarity",
    "shown.rest",
    "also.cut_out",
    "place.other",
    "edges.clash",
    "rest.other",
    "rest.longer",
    "rest.read_otherwise",
)


@dataclass
class Lists:
    """The candidate lists of many profiles as one sparse matrix; ``owner`` says whose list a row is in."""

    ids: list[str]
    names: list[str]
    matrix: csr_matrix
    owner: np.ndarray
    right: np.ndarray
    contacts: list[str]


def lists_of(data: Labelled, engine: SuggestionEngine, only: Sequence[int] | None = None) -> Lists:
    """The lists of all (or only some) profiles of a labelled set."""
    chosen = data.profiles if only is None else [data.profiles[at] for at in only]
    columns: dict[str, int] = {}
    cells: list[tuple[int, int, float]] = []
    owner: list[int] = []
    right: list[bool] = []
    contacts: list[str] = []
    for at, (profile_id, query) in enumerate(chosen):
        truth = data.truth.get(profile_id, frozenset())
        for group in engine.weigh(query):
            best: Weighed = group[0]
            row = len(owner)
            cells += [(row, columns.setdefault(name, len(columns)), value) for name, value in best.features.items()]
            owner.append(at)
            right.append(any(each.contact.contact_id in truth for each in group))
            contacts.append(best.contact.contact_id)
    rows, cols, values = zip(*cells, strict=True)
    matrix = csr_matrix((values, (rows, cols)), shape=(len(owner), len(columns)))
    return Lists([each for each, _ in chosen], list(columns), matrix, np.array(owner), np.array(right), contacts)


def first_card(data: Labelled, index: SuggestionIndex) -> Scorecard:
    """A rough card from every fifth profile: it only says which of a contact's duplicates stands for the others."""
    rough = lists_of(data, SuggestionEngine(index, Scorecard({})), range(0, len(data.profiles), 5))
    return Scorecard(fit(rough, np.ones(len(rough.ids), dtype=bool)))


def fit(lists: Lists, keep: np.ndarray, ridge: float = 0.5) -> dict[str, float]:
    """Weights by feature that make the right contact, or nobody, likeliest on the kept profiles."""
    rows = keep[lists.owner]
    matrix, owner, right = lists.matrix[rows], lists.owner[rows], lists.right[rows]
    index = np.full(len(lists.ids), -1)
    index[keep] = np.arange(keep.sum())
    owner, count = index[owner], int(keep.sum())
    has = np.bincount(owner[right], minlength=count) > 0
    begin = np.array([FIXED.get(name, 0.0) for name in lists.names])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        odds = matrix @ weights
        top = np.zeros(count)
        np.maximum.at(top, owner, odds)
        shares = np.exp(odds - top[owner])
        total = np.bincount(owner, shares, count) + np.exp(-top)
        good = np.where(has, np.bincount(owner[right], shares[right], count), np.exp(-top))
        value = -(np.log(np.maximum(good, 1e-300)) - np.log(total)).sum()
        pull = shares / total[owner]
        pull[right] -= shares[right] / np.maximum(good[owner[right]], 1e-300)
        drift = weights - begin * fixed
        return value + ridge * (drift @ drift), matrix.T @ pull + 2 * ridge * drift

    fixed = np.array([name in FIXED for name in lists.names], dtype=float)
    bounds = [_bounds(name) for name in lists.names]
    found = minimize(loss, begin, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 400, "maxfun": 500})
    return dict(zip(lists.names, found.x.tolist(), strict=True))


def _bounds(name: str) -> tuple[float | None, float | None]:
    if name in FIXED:
        return FIXED[name], FIXED[name]
    if name.startswith(NEVER_NEGATIVE):
        return 0.0, None
    if name.startswith(NEVER_POSITIVE):
        return None, 0.0
    return None, None


def write(path: Path, weights: dict[str, float], version: str, learnt_share: float) -> None:
    """Writes a scorecard file, features in order; a weight that was not learnt says where it comes from."""
    learnt = {name: round(value, 3) for name, value in weights.items() if abs(value) >= 0.0005}
    lines = [
        "# Log-odds by feature. Made by `python -m bench.identity.train`; figures in docs/suggestions.md.",
        f"version: '{version}'",
        "scale: 1.0",
        "rivals: 1.0",
        f"learnt_share: {learnt_share:.3f}",
        "weights:",
    ]
    for name, value in sorted({**learnt, **FIXED}.items()):
        lines.append(f"  {name}: {value}" + (f"  # {STATED[name][1]}" if name in STATED else ""))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Fits on the labelled data and writes the scorecard."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--sample", type=int, default=0, help="only so many profiles")
    options = arguments.parse_args()
    place = folder()
    if place is None:
        raise SystemExit(
            "No labelled data: set CONNECTOR_IDENTITY_DATA to a folder with contacts.csv, profiles.jsonl, truth.csv."
        )
    data = load(place)
    only = sorted(random.Random(7).sample(range(len(data.profiles)), options.sample)) if options.sample else None
    with index_of(data.contacts) as index:
        lists = lists_of(data, SuggestionEngine(index, first_card(data, index)), only)
    weights = fit(lists, np.ones(len(lists.ids), dtype=bool))
    write(options.out, weights, "2", sum(each in data.truth for each in lists.ids) / len(lists.ids))
    print(f"{len(lists.ids)} profiles, {len(lists.contacts)} candidates, {len(weights)} weights -> {options.out}")


if __name__ == "__main__":
    main()
