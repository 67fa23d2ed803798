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
_STAGE = {"scale": 1.0, "rivals": 1.0, "strangers": 0.2, "learnt_share": 0.835}


@lru_cache(maxsize=4)
def load_scorecard(path: Path | None = None, known_share: float | None = None) -> Scorecard:
    """The scorecard of a file, or the one that ships with the connector, for this share of known people."""
    source = path or files("connector.domain.matching").joinpath("scorecard.yaml")
    where = str(path or "scorecard.yaml")
    try:
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
    except yaml.YAMLError as problem:
        raise MappingInvalid([Problem(where, f"is no YAML: {problem}.", _CURE)]) from problem
    return _scorecard(where, content).with_known_share(known_share)


def _scorecard(where: str, content: Any) -> Scorecard:
    if not isinstance(content, Mapping) or not isinstance(content.get("weights"), Mapping):
        raise MappingInvalid([Problem(where, "has no table of weights.", _CURE)])
    stage = {name: content.get(name, default) for name, default in _STAGE.items()}
    numbers = {**content["weights"], **stage}
    wrong = [name for name, value in numbers.items() if isinstance(value, bool) or not isinstance(value, int | float)]
    if wrong:
        raise MappingInvalid([Problem(where, f"weight {name} is no number.", _CURE) for name in wrong])
    if not 0 < stage["learnt_share"] < 1:
        raise MappingInvalid([Problem(where, "learnt_share is no share between 0 and 1.", _CURE)])
    weights = {str(name): float(value) for name, value in content["weights"].items()}
    return Scorecard(
        weights, version=str(content.get("version", "")), **{name: float(value) for name, value in stage.items()}
    )
