"""The figures of the table: recall at k, recall at a precision, no-match profiles shown, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan

Answer = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class Figures:
    """One engine on one labelled set."""

    recall: dict[int, float]
    mrr: float
    recall_at_precision: dict[float, float]
    shown_without_match: float
    """Share of no-match profiles shown at probability .9 or more (NaN for scores that are no probability)."""
    false_at_90: float
    """Share of no-match profiles still shown at the threshold that keeps 90 % of the right firsts."""
    calibration_error: float

    def row(self) -> dict[str, float]:
        """The figures by short name."""
        values = {f"R@{k}": value for k, value in self.recall.items()} | {"MRR": self.mrr}
        values |= {f"R@P{round(p * 100)}": value for p, value in self.recall_at_precision.items()}
        return values | {
            "nomatch>=.9": self.shown_without_match,
            "fpr90": self.false_at_90,
            "ECE": self.calibration_error,
        }


def measure(
    ids: Sequence[str], truth: Mapping[str, frozenset[str]], answers: Mapping[str, Answer], probable: bool = True
) -> Figures:
    """The figures of the answers for these profiles; a missing answer is an empty one."""
    recall, mrr = _recall(ids, truth, answers)
    tops = _tops(ids, truth, answers)
    matched = sum(1 for each in ids if each in truth)
    lonely = max(len(ids) - matched, 1)
    at, keep = _curve(tops, matched, lonely)
    shown = sum(1 for score, _, has in tops if score >= 0.9 and not has) / lonely if probable else float("nan")
    return Figures(recall, mrr, at, shown, keep, _calibration(tops) if probable else float("nan"))


def _recall(
    ids: Sequence[str], truth: Mapping[str, frozenset[str]], answers: Mapping[str, Answer]
) -> tuple[dict[int, float], float]:
    hits, reciprocal, matched = dict.fromkeys((1, 3, 5, 10), 0), 0.0, 0
    for each in ids:
        right = truth.get(each)
        if not right:
            continue
        matched += 1
        rank = next((at for at, (contact, _) in enumerate(answers.get(each, ()), 1) if contact in right), 0)
        for k in hits:
            hits[k] += 0 < rank <= k
        reciprocal += 1 / rank if 0 < rank <= 10 else 0
    matched = max(matched, 1)
    return {k: hit / matched for k, hit in hits.items()}, reciprocal / matched


def _tops(
    ids: Sequence[str], truth: Mapping[str, frozenset[str]], answers: Mapping[str, Answer]
) -> list[tuple[float, bool, bool]]:
    tops = []
    for each in ids:
        if answers.get(each):
            contact, score = answers[each][0]
            tops.append((score, contact in truth.get(each, ()), each in truth))
    return sorted(tops, reverse=True)


def _curve(tops: list[tuple[float, bool, bool]], matched: int, lonely: int) -> tuple[dict[float, float], float]:
    best = dict.fromkeys((0.9, 0.95, 0.99), 0.0)
    right = wrong = wrong_lonely = 0
    need = 0.9 * sum(hit for _, hit, _ in tops)
    keep = float("nan")
    for at, (score, hit, has) in enumerate(tops):
        right, wrong, wrong_lonely = right + hit, wrong + (not hit), wrong_lonely + (not has)
        if at + 1 < len(tops) and tops[at + 1][0] == score:
            continue
        for target in best:
            if right / (right + wrong) >= target:
                best[target] = right / max(matched, 1)
        if isnan(keep) and right >= need:
            keep = wrong_lonely / lonely
    return best, keep


def _calibration(tops: list[tuple[float, bool, bool]]) -> float:
    bins: dict[int, list[float]] = {}
    for score, hit, _ in tops:
        bins.setdefault(min(9, int(score * 10)), []).append(score - hit)
    return sum(abs(sum(each)) for each in bins.values()) / max(len(tops), 1)
