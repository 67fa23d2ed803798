"""What the `items` of a mapping file become: groups with their rules, every path already read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from connector.domain.channels import Kind
from connector.mapping.conditions import Condition
from connector.mapping.paths import Getter
from connector.mapping.walk import Each


@dataclass(frozen=True, slots=True)
class AttachmentRule:
    """Where attachments stand, and the kind and address of each."""

    each: Getter
    kind: Getter
    url: Getter


class FieldRule(NamedTuple):
    """One field of the event: its name, where its value comes from, and what it accepts."""

    name: str
    getter: Getter
    accept: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """What one sort of item becomes. ``direction`` None means: by whether the author is the brand."""

    condition: Condition
    kind: Kind
    network: Getter
    direction: Getter | None
    visibility: Getter | None
    author_role: Getter | None
    fields: tuple[FieldRule, ...]
    extra: tuple[tuple[str, Getter], ...]
    attachments: tuple[AttachmentRule, ...]
    require: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Items found by one walk, with their rules in order.

    ``unknown`` is for those that no rule fits; ``wrap`` names the plain values of a list, so that paths can reach them.
    """

    each: Each
    condition: Condition
    lets: Mapping[str, Getter]
    rules: tuple[Rule, ...]
    unknown: Rule
    wrap: str = ""
