"""Mappings tried by hand: one payload through one mapping, and files checked before they are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.errors import MappingInvalid, Problem
from connector.mapping.channels import ChannelRegister, load_channels
from connector.mapping.forms import URLENCODED
from connector.mapping.loader import load_mapping
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


def content_type_of(path: Path) -> str:
    """The content type that a payload file's ending stands for; "" where it says nothing."""
    return _TYPES.get(path.suffix, "")


def check_mappings(paths: Iterable[Path], register: ChannelRegister | None = None) -> list[Problem]:
    """Every problem in the mapping files given, or in all files of the mapping directories given.

    ``register`` stands in for the channels.yml that lies beside `sources/`, for files kept elsewhere.
    """
    problems: list[Problem] = []
    registers: dict[Path, ChannelRegister | None] = {}
    for path in (each for given in paths for each in mapping_files(given)):
        home = path.parent.parent if path.parent.name == "sources" else path.parent
        if home not in registers:
            registers[home] = register or _register(home / "channels.yml", problems)
        known = registers[home]
        if known is None:
            continue
        try:
            load_mapping(path, known)
        except MappingInvalid as error:
            problems.extend(error.problems)
    return problems


def mapping_files(given: Path) -> list[Path]:
    """The mapping files that a path stands for: itself, or those of the folder or of its `sources/`."""
    if not given.is_dir():
        return [given]
    inside = given / "sources"
    return sorted((inside if inside.is_dir() else given).glob("*.yml"))


def _register(path: Path, problems: list[Problem]) -> ChannelRegister | None:
    try:
        return load_channels(path)
    except MappingInvalid as error:
        problems.extend(error.problems)
        return None
