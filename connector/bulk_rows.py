"""The output of the bulk command: its file, and a suggestion as the file has it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from connector.domain.matching import Candidate
from connector.domain.matching.scorecard import logit
from connector.errors import InputInvalid

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


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """The file to write answers to; InputInvalid says why it cannot be written."""
    try:
        with path.open("w", encoding="utf-8", newline="\n") as file:
            yield file
    except BrokenPipeError:
        raise  # whoever read the answers has enough of them
    except OSError as problem:
        raise _cannot_be_written(path, problem.strerror) from problem


def see_writable(path: Path) -> None:
    """Refuses a place where no file can be written, before there is anything to write."""
    if path.is_dir():
        raise _cannot_be_written(path, "it is a folder")
    if not path.parent.is_dir():
        raise _cannot_be_written(path, "there is no such folder")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise _cannot_be_written(path, os.strerror(errno.EACCES))


def _cannot_be_written(path: Path, why: str | None) -> InputInvalid:
    return InputInvalid(f"{path} cannot be written: {why}; give a file in a folder of yours that has room.")
