"""How alike two strings are. The one module that knows ``rapidfuzz``."""

from __future__ import annotations

from rapidfuzz.fuzz import ratio


def alike(left: str, right: str) -> float:
    """0 for nothing in common to 1 for equal, by edits."""
    return ratio(left, right) / 100
