"""The linear scorecard: a pair's log-odds as a weighted sum, and the list stage that makes probabilities of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from math import exp, log, log1p

from connector.domain.matching.features import Features

HIGHEST = 12.0
"""No evidence makes a suggestion surer than this in log-odds: about six wrong in a million."""


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Weights by feature, how strongly rivals count, and how the list's odds are stretched to fit what was seen.

    ``strangers``: how many people of such a name the base does not hold, for each rival that it holds.
    ``learnt_share``: the share of accounts whose owner is in the base, where the weights were learnt; ``known_share``:
    the share here, where somebody said so.
    """

    weights: Mapping[str, float]
    scale: float = 1.0
    rivals: float = 1.0
    version: str = ""
    strangers: float = 0.2
    learnt_share: float = 0.835
    known_share: float | None = None

    @property
    def prior(self) -> float:
        """What the share of known people here adds to every pair's log-odds: nothing where nobody said it."""
        return 0.0 if self.known_share is None else logit(self.known_share) - logit(self.learnt_share)

    def with_known_share(self, share: float | None) -> Scorecard:
        """The same card for an installation where this share of the accounts belongs to a contact."""
        return replace(self, known_share=share)

    def contributions(self, features: Features) -> dict[str, float]:
        """Each feature's share of the pair's log-odds; unknown features weigh nothing."""
        weights = self.weights
        return {name: weights[name] * value for name, value in features.items() if name in weights}

    def log_odds(self, features: Features) -> float:
        """The pair's log-odds, as if there were no other candidate."""
        weights, total = self.weights, 0.0
        for name, value in features.items():
            total += weights.get(name, 0.0) * value
        return total

    def compete(self, odds: Sequence[float], crowds: Sequence[float] = ()) -> list[float]:
        """For each pair the log-odds that are left when the other candidates are taken into account.

        ``crowds`` says how many contacts each stands for: those of the same name that were not read compete as well.
        """
        prior = self.prior
        odds = [each + prior for each in odds]
        top = max((0.0, *odds))
        shares = [exp(each - top) for each in odds]
        total = sum(share * crowd for share, crowd in zip_longest(shares, crowds, fillvalue=1.0))
        # Strangers are nobody of ours, so what the share of known people adds to our own is taken from them again.
        strangers = self.strangers * (total - max(shares, default=0.0)) * exp(-prior)
        outcome = []
        for each, share in zip(odds, shares, strict=True):
            others = self.rivals * max(total - share, 0.0) + strangers
            crowd = top + log(others + exp(-top)) if top > 0 else log1p(others)
            left = self.scale * (each - crowd)
            outcome.append(max(-HIGHEST, min(HIGHEST, left)))
        return outcome


def probability(log_odds: float) -> float:
    """The probability of the log-odds."""
    return 1 / (1 + exp(-log_odds)) if log_odds >= 0 else exp(log_odds) / (1 + exp(log_odds))


def logit(share: float) -> float:
    """The log-odds of a probability."""
    return log(share / (1 - share))
