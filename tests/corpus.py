"""Where the public sample bodies lie, if this machine has them; they are never part of the repository."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("CONNECTOR_CORPUS") or ROOT.parent / "shared" / "data" / "payloads")

needs_corpus = pytest.mark.skipif(
    not (CORPUS / "expected.json").is_file(), reason="the sample bodies are not on this machine (CONNECTOR_CORPUS)"
)


def corpus_json(name: str) -> Any:
    """A JSON file of the corpus; an empty list where there is no corpus."""
    path = CORPUS / name
    return json.loads(path.read_text("utf-8")) if path.is_file() else []
