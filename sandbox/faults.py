"""The fault plan: what goes wrong, how often, for which calls. Seeded, so a run can be told again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from threading import Lock
from typing import Any

from sandbox.calls import CLASSES, LOGIN

BEFORE = ("latency", "cut", "unavailable", "rate_limited", "expired_token", "html", "limit_exceeded")
AFTER = ("lost_answer", "truncated", "short_list")
ROW = ("row_lock",)
MODES = (*BEFORE, *AFTER, *ROW)
AIMS = ("read", "write", *CLASSES)


class PlanInvalid(ValueError):
    """The fault plan names something unknown."""


@dataclass
class Rule:
    """One line of the plan: a fault, the calls it may hit, and how often it does."""

    fault: str
    on: frozenset[str] = frozenset()
    rate: float = 1.0
    count: int | None = None
    skip: int = 0
    retry_after: int | None = None
    ms: int = 0
    hits: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.fault not in MODES:
            raise PlanInvalid(f"unknown fault {self.fault!r}; known are {', '.join(MODES)}")
        beyond = sorted(self.on - set(AIMS))
        if beyond:
            raise PlanInvalid(f"{self.fault} is aimed at {', '.join(beyond)}; known are {', '.join(AIMS)}")
        if not 0 <= self.rate <= 1:
            raise PlanInvalid(f"rate of {self.fault} must lie between 0 and 1")

    def fits(self, kind: str, *, writes: bool) -> bool:
        """Whether the rule may hit a call of this class."""
        if not self.on:
            return kind != LOGIN
        return kind in self.on or (kind != LOGIN and ("write" if writes else "read") in self.on)


class FaultPlan:
    """The rules in force; an empty plan breaks nothing."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._random = Random(0)  # noqa: S311 - chooses faults, guards nothing
        self._rules: list[Rule] = []

    def load(self, plan: Mapping[str, Any]) -> None:
        """Puts a plan in force in place of the one before; raises PlanInvalid and keeps the old one if it is wrong."""
        if not isinstance(plan.get("rules", []), list):
            raise PlanInvalid("rules must be a list")
        try:
            rules = [Rule(**{**rule, "on": _names(rule.get("on"))}) for rule in plan.get("rules", [])]
            random = Random(plan.get("seed", 0))  # noqa: S311
        except (TypeError, AttributeError) as error:
            raise PlanInvalid(str(error)) from error
        with self._lock:
            self._rules, self._random = rules, random

    def clear(self) -> None:
        """Breaks nothing any more."""
        self.load({})

    def strike(self, fault: str, kind: str, *, writes: bool) -> Rule | None:
        """The rule that hits this call with this fault, or None; counts towards the rule's count."""
        if not self._rules:
            return None
        with self._lock:
            for rule in self._rules:
                if rule.fault == fault and rule.fits(kind, writes=writes) and self._hits(rule):
                    return rule
        return None

    def _hits(self, rule: Rule) -> bool:
        if rule.skip > 0:
            rule.skip -= 1
            return False
        if rule.count is not None and rule.hits >= rule.count:
            return False
        if rule.rate < 1 and self._random.random() >= rule.rate:
            return False
        rule.hits += 1
        return True

    def row_locked(self, kind: str) -> bool:
        """Whether the next record of a writing call finds its row locked."""
        return self.strike("row_lock", kind, writes=True) is not None


def _names(value: Any) -> frozenset[str]:
    return frozenset([value] if isinstance(value, str) else value or ())
