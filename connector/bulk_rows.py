"""A suggestion as the bulk file has it."""

from __future__ import annotations

from typing import Any

from connector.domain.matching import Candidate
from connector.domain.matching.scorecard import logit

SCORE_DIGITS = 9
"""So many that the logit of the surest score is told to four."""


def as_row(candidate: Candidate) -> dict[str, Any]:
    """A candidate as the bulk file has it: what rounding takes from the other weights, the last one makes up for."""
    score = round(candidate.score, SCORE_DIGITS)
    weights = [round(each.weight, 4) for each in candidate.reasons[:-1]]
    weights.append(round(logit(score) - sum(weights), 4))
    row: dict[str, Any] = {
        "contact_id": candidate.contact_id,
        "score": score,
        "reasons": [
            {"kind": each.kind, "detail": each.detail, "weight": weight}
            for each, weight in zip(candidate.reasons, weights, strict=True)
        ],
    }
    return row | ({"duplicates": list(candidate.duplicates)} if candidate.duplicates else {})
