"""Reads the scorecard's weights from the YAML file that ships with the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from connector.domain.matching.scorecard import Scorecard
from connector.errors import MappingInvalid, Problem

_CURE = "Copy connector/domain/matching/scorecard.yaml and change numbers only."
_STAGE = {"scale": 1.0, "rivals": 1.0, "strangers": 0.2}


@lru_cache(maxsize=4)
def load_scorecard(path: Path | None = None) -> Scorecard:
    """The scorecard of a file, or the one that ships with the connector."""
    source = path or files("connector.domain.matching").joinpath("scorecard.yaml")
    where = str(path or "scorecard.yaml")
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
    except yaml.YAMLError as problem:
        raise MappingInvalid([Problem(where, f"is no YAML: {problem}.", _CURE)]) from problem
    return _scorecard(where, content)


def _scorecard(where: str, content: Any) -> Scorecard:
    if not isinstance(content, Mapping) or not isinstance(content.get("weights"), Mapping):
        raise MappingInvalid([Problem(where, "has no table of weights.", _CURE)])
    stage = {name: content.get(name, default) for name, default in _STAGE.items()}
    numbers = {**content["weights"], **stage}
    wrong = [name for name, value in numbers.items() if isinstance(value, bool) or not isinstance(value, int | float)]
    if wrong:
        raise MappingInvalid([Problem(where, f"weight {name} is no number.", _CURE) for name in wrong])
    weights = {str(name): float(value) for name, value in content["weights"].items()}
    return Scorecard(
        weights, version=str(content.get("version", "")), **{name: float(value) for name, value in stage.items()}
    )
