"""Paths into a body: JMESPath, with `^` for the envelope around the item and `$name` for a value named under `let`.

An expression is read once, when the mapping is loaded; plain names, indexes and `||` take a short cut that gives the
same result ten times faster. Nothing in it can loop or grow: length, functions and multi-selects are bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions

MAX_LENGTH = 300
MAX_MULTISELECTS = 3
_PIPE = re.compile(r"(?<!\|)\|(?!\|)")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*(?:\[[0-9]{1,4}\])?"
_PLAIN = re.compile(rf"{_NAME}(?:\.{_NAME})*", re.ASCII)
_NAMED = re.compile(r"\$([a-z][a-z0-9_]*)(?:\.(?=.)|(?=\[)|$)", re.ASCII)
_FUNCTIONS = frozenset(Functions.FUNCTION_TABLE) - {"to_string"}


class PathInvalid(ValueError):
    """The expression cannot be used; the message says why, `cure` what to write instead."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.cure = cure


class PathFailed(ValueError):
    """The expression met a value that it cannot work on."""


class Scope:
    """What a path can see: the item, the envelopes around it, the kept headers, the named values.

    ``kept`` is what was worked out once for all items of the body.
    """

    __slots__ = ("accounts", "frames", "headers", "item", "kept", "lets", "memo")

    def __init__(
        self,
        item: Any,
        frames: Sequence[Any],
        headers: Mapping[str, str],
        accounts: frozenset[str],
        lets: Mapping[str, Getter],
    ) -> None:
        self.item = item
        self.frames = frames
        self.headers = headers
        self.accounts = accounts
        self.lets = lets
        self.memo: dict[str, Any] = {}
        self.kept: dict[Hashable, Any] = {}

    def of_item(self, item: Any, frames: Sequence[Any], lets: Mapping[str, Getter]) -> Scope:
        """The scope of an item of the same body."""
        scope = Scope(item, frames, self.headers, self.accounts, lets)
        scope.kept = self.kept
        return scope

    def named(self, name: str) -> Any:
        """The value named under `let`, worked out at most once an item."""
        if name not in self.memo:
            self.memo[name] = self.lets[name](self)
        return self.memo[name]


Getter = Callable[[Scope], Any]


def compile_path(text: str, frames: Sequence[str], names: Sequence[str]) -> Getter:
    """A function from a scope to the value under the path; PathInvalid when the path cannot be used.

    ``frames`` are the list positions of the walk, outermost first (`entry[]`, `entry[].changes[]`): a `^` path that
    begins with one of them means the element that the item stands in, not all of them.
    """
    if text.startswith("^"):
        return _envelope(text[1:], frames)
    if text.startswith("$"):
        return _from_name(text, names)
    search = compile_expression(text)
    return lambda scope: search(scope.item)


def _envelope(text: str, frames: Sequence[str]) -> Getter:
    depth, rest = 0, text
    for at, prefix in enumerate(frames, start=1):
        if text == prefix or text.startswith((prefix + ".", prefix + "[")):
            depth, rest = at, text[len(prefix) :].removeprefix(".")
    search = compile_expression(rest or "@")
    return lambda scope: search(scope.frames[depth])


def _from_name(text: str, names: Sequence[str]) -> Getter:
    found = _NAMED.match(text)
    if found is None or found[1] not in names:
        known = ", ".join(f"${name}" for name in names) or "none yet"
        raise PathInvalid(f"`{text[:60]}` names no value.", f"Define it above, under `let`; known here: {known}.")
    name = found[1]
    rest = text[found.end() :]
    if not rest:
        return lambda scope: scope.named(name)
    search = compile_expression(rest)
    return lambda scope: search(scope.named(name))


def compile_expression(text: str) -> Callable[[Any], Any]:
    """A function from a value to what the JMESPath expression finds in it; PathInvalid when it cannot be used."""
    if text == "@":
        return lambda value: value
    if len(text) > MAX_LENGTH:
        raise PathInvalid(f"The path is longer than {MAX_LENGTH} characters.", "Name a part of it under `let`.")
    options = text.split(" || ")
    if all(_PLAIN.fullmatch(option) and option not in {"true", "false", "null"} for option in options):
        return _either([_keys(option) for option in options])
    return _jmespath(text)


def _keys(text: str) -> Callable[[Any], Any]:
    words = text.replace("[", ".").replace("]", "").split(".")
    if len(words) == 1:
        return lambda value: value.get(text) if type(value) is dict else None
    if "[" in text:
        return _steps([int(word) if word.isdigit() else word for word in words])

    def get(value: Any) -> Any:
        for key in words:
            if type(value) is not dict:
                return None
            value = value.get(key)
        return value

    return get


def _steps(keys: Sequence[str | int]) -> Callable[[Any], Any]:
    def get(value: Any) -> Any:
        for key in keys:
            if isinstance(key, str):
                value = value.get(key) if type(value) is dict else None
            else:
                value = value[key] if type(value) is list and key < len(value) else None
        return value

    return get


def _either(options: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    """The first that is not empty, else the last: what `||` means in JMESPath."""
    *firsts, last = options

    def get(value: Any) -> Any:
        for option in firsts:
            found = option(value)
            if not _empty(found):
                return found
        return last(value)

    return get if firsts else last


def _empty(value: Any) -> bool:
    """Whether JMESPath counts the value as false: 0 is a value there."""
    return value is None or value is False or (type(value) in {str, list, dict} and not value)


def _jmespath(text: str) -> Callable[[Any], Any]:
    if "||" in text and _PIPE.search(text):
        # `a || b | [0]` takes the first of both, which nobody means.
        raise PathInvalid("`||` and `|` stand in one path.", "Write `{first: [one, other]}` instead of `||`.")
    try:
        compiled = jmespath.compile(text)
    except JMESPathError:
        raise PathInvalid(
            f"`{text[:60]}` is not JMESPath.", "Put unusual names in double quotes: '\"message-headers\"'."
        ) from None
    _check_tree(compiled.parsed)

    def search(value: Any) -> Any:
        try:
            return compiled.search(value)
        except JMESPathError as error:
            raise PathFailed(f"`{text[:60]}` does not fit the value ({type(error).__name__})") from None

    return search


def _check_tree(tree: Mapping[str, Any]) -> None:
    multiselects = 0
    pending: list[Any] = [tree]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict):
            continue
        multiselects += node.get("type") in {"multi_select_list", "multi_select_dict"}
        if node.get("type") == "function_expression":
            _check_function(str(node.get("value")))
        pending.extend(node.get("children", ()))
    if multiselects > MAX_MULTISELECTS:
        raise PathInvalid(f"More than {MAX_MULTISELECTS} multi-selects in one path.", "Name a part of it under `let`.")


def _check_function(name: str) -> None:
    if name == "to_string":
        raise PathInvalid("`to_string` turns a missing value into the word null.", "Leave it out: ids become text.")
    if name not in _FUNCTIONS:
        raise PathInvalid(f"JMESPath has no function `{name}`.", f"Use one of: {', '.join(sorted(_FUNCTIONS))}.")
