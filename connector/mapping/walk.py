"""The walk from a body to its items: `each: entry[].changes[]`, with the place of every item and what lay around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from connector.mapping.paths import PathInvalid

_STEP = re.compile(r'(?:([A-Za-z_][A-Za-z0-9_-]*)|"([^"]{1,100})")?(\[\])?', re.ASCII)
MAX_ITEMS = 10_000
MAX_STEPS = 20 * MAX_ITEMS
"""Elements of lists that all walks of a body may pass, whatever is in them: each item stands in lists of its own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step down: into a key, or through every element of the list under it."""

    key: str | None
    many: bool


@dataclass(frozen=True, slots=True)
class Each:
    """A walk, read once; ``frames`` are the texts that a `^` path may begin with."""

    steps: tuple[Step, ...]
    frames: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """One item with its place; ``frames`` are the body and every list element passed on the way."""

    path: str
    item: Any
    frames: tuple[Any, ...]


@dataclass(slots=True)
class Coverage:
    """Which containers had what a walk looked for, and which did not: what nobody looked into is reported."""

    hits: set[str] = field(default_factory=set)
    misses: dict[str, Any] = field(default_factory=dict)
    steps: int = 0

    def step(self, count: int) -> None:
        """Counts what a walk is about to go through; TooMany when that is more than a body may hold."""
        self.steps += count
        if count > MAX_ITEMS or self.steps > MAX_STEPS:
            raise TooMany

    def unread(self) -> dict[str, Any]:
        """The containers that no walk found anything in, by place."""
        return {path: value for path, value in self.misses.items() if path not in self.hits}


def parse_each(text: str) -> Each:
    """The walk that the text describes; PathInvalid when it is none."""
    if text == "@":
        return Each((), ())
    steps: list[Step] = []
    frames: list[str] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None or found.end() == at:
            break
        steps.append(Step(found[1] or found[2], bool(found[3])))
        at = found.end()
        if found[3]:
            frames.append(text[:at])
        if at < len(text) and text[at] == "." and at + 1 < len(text):
            at += 1
        elif at < len(text):
            break
    if at < len(text) or not steps or any(step.key is None and not step.many for step in steps):
        raise PathInvalid(
            f"`{text[:60]}` is no walk.", "Write names and `[]`: `entry[].changes[]`, or `@` for the whole body."
        )
    return Each(tuple(steps), tuple(frames))


def walk(each: Each, root: Any, coverage: Coverage) -> Iterator[Found]:
    """Every item in order; a list that is none is given as an item, so that it is reported and not lost."""
    if not each.steps:
        coverage.hits.add("$")
    yield from _down(each.steps, Found("$", root, (root,)), coverage)


def _down(steps: tuple[Step, ...], here: Found, coverage: Coverage) -> Iterator[Found]:
    if not steps:
        coverage.hits.add(here.path)
        yield here
        return
    step, path, value = steps[0], here.path, here.item
    if step.key is not None:
        if type(value) is not dict:
            coverage.hits.add(path)
            yield here
            return
        if value.get(step.key) is None:
            coverage.misses.setdefault(path, value)
            return
        coverage.hits.add(path)
        path, value = f"{path}.{step.key}", value[step.key]
    if not step.many or (step.key is None and type(value) is dict):
        # A leading `[]` also takes a body that is a single object.
        frames = (*here.frames, value) if step.many else here.frames
        if step.many:
            coverage.hits.add(path)
        yield from _down(steps[1:], Found(path, value, frames), coverage)
    elif type(value) is list:
        coverage.hits.add(path)
        coverage.step(len(value))
        for at, element in enumerate(value):
            yield from _down(steps[1:], Found(f"{path}[{at}]", element, (*here.frames, element)), coverage)
    else:
        coverage.hits.add(path)
        yield Found(path, Misplaced(), here.frames)


class TooMany(Exception):
    """The body has longer lists than are read."""


class Misplaced:
    """Stands for a value where a list was needed."""
