"""Mappings tried by hand: one payload through one mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.mapping.forms import URLENCODED
from connector.mapping.normalise import Failure
from connector.mapping.source import SourceMapping

_TYPES = {".form": URLENCODED, ".xml": "application/atom+xml", ".json": "application/json"}


@dataclass(frozen=True, slots=True)
class Tried:
    """What one payload became: the normal events as plain data, and the items that could not become one."""

    events: list[dict[str, Any]]
    failures: list[Failure]


def try_payload(
    mapping: SourceMapping,
    body: bytes,
    headers: Mapping[str, str] | None = None,
    account_ids: Sequence[str] = (),
) -> Tried:
    """The events and failures of one payload; the content type is taken from the headers if it stands there."""
    sent = {name.lower(): value for name, value in (headers or {}).items()}
    result = mapping.normalise(body, sent, sent.get("content-type", ""), account_ids)
    return Tried([event.as_dict() for event in result.events], result.failures)


def expected_of(tried: Tried) -> dict[str, Any]:
    """What stands beside a fixture as its ``.expected.json``: the events without what is absent, and the failures."""
    failures = [{"path": each.path, "code": each.code} for each in tried.failures]
    return {"events": [_present(each) for each in tried.events]} | ({"failures": failures} if failures else {})


def _present(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _present(each) for name, each in value.items()}
        return {name: each for name, each in kept.items() if each not in (None, "", [], {})}
    return [_present(each) for each in value] if isinstance(value, list) else value


def content_type_of(path: Path) -> str:
    """The content type that a payload file's ending stands for; "" where it says nothing."""
    return _TYPES.get(path.suffix, "")
