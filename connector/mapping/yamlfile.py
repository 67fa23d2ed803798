"""YAML read with the place of every value, so that each problem can say its file, line and path."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from yaml.constructor import SafeConstructor
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

from connector.errors import Problem

Scalar = str | int | float | bool | None
MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The C reader where PyYAML has it, which is ten times faster."""


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a YAML file with its line and its path."""

    value: Scalar | list[Node] | dict[str, Node]
    line: int
    path: str

    def items(self) -> Iterator[tuple[str, Node]]:
        """The key and value pairs of a mapping; nothing for any other value."""
        if isinstance(self.value, dict):
            yield from self.value.items()

    def get(self, key: str) -> Node | None:
        """The value under a key, or None."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def plain(self) -> object:
        """The value as ordinary Python data."""
        if isinstance(self.value, dict):
            return {key: each.plain() for key, each in self.value.items()}
        if isinstance(self.value, list):
            return [each.plain() for each in self.value]
        return self.value


@dataclass(slots=True)
class Findings:
    """Everything that is wrong in one file, gathered while reading on."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def add(self, node: Node, what: str, cure: str) -> None:
        """Remember one problem at the place of the node."""
        where = f"{self.file}:{node.line}" + (f" {node.path}" if node.path else "")
        problem = Problem(where, what, cure)
        if problem not in self.problems:
            self.problems.append(problem)

    def closed(self, node: Node, allowed: Collection[str], required: Collection[str] = ()) -> bool:
        """Whether the node is a mapping with only the allowed keys and all required ones; each fault is remembered."""
        if not isinstance(node.value, dict):
            self.add(node, "A mapping (key: value) is needed here.", f"Write one with the keys {', '.join(allowed)}.")
            return False
        before = len(self.problems)
        for key, each in node.items():
            if key not in allowed:
                self.add(each, f"The key `{key}` is unknown.", suggest(key, allowed))
        for key in required:
            if key not in node.value:
                self.add(node, f"The key `{key}` is missing.", f"Add `{key}: …`.")
        return len(self.problems) == before

    def text(self, node: Node | None, default: str = "") -> str:
        """The node's text; another type is remembered as a problem."""
        if node is None:
            return default
        if isinstance(node.value, str):
            return node.value
        self.add(node, "Text is needed here.", 'Put it in quotes, for example "no" or "1".')
        return default

    def choice(self, node: Node | None, allowed: Collection[str], default: str = "") -> str:
        """The node's text if it is one of the allowed words; anything else is remembered as a problem."""
        word = self.text(node, default)
        if node is not None and isinstance(node.value, str) and word not in allowed:
            self.add(node, f"`{word}` is not allowed here.", suggest(word, allowed))
            return default
        return word

    def texts(self, node: Node | None) -> tuple[str, ...]:
        """The texts of a list, or a single text as a list of one."""
        if node is None:
            return ()
        if isinstance(node.value, list):
            return tuple(self.text(each) for each in node.value)
        return (self.text(node),)

    def number(self, node: Node | None, default: int) -> int:
        """The node's whole number; another type is remembered as a problem."""
        if node is None:
            return default
        if isinstance(node.value, int) and not isinstance(node.value, bool):
            return node.value
        self.add(node, "A whole number is needed here.", "Write it without quotes.")
        return default


def suggest(word: str, allowed: Collection[str]) -> str:
    """A cure that names the nearest allowed word, or all of them."""
    near = difflib.get_close_matches(word, list(allowed), n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"Use one of: {', '.join(sorted(allowed))}."


def read_yaml(path: Path, findings: Findings) -> Node | None:
    """The file as nodes, or None with the reason among the findings."""
    top = Node(None, 1, "")
    try:
        data = path.read_bytes()
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        cure = "Check its name, or copy the shipped one into this folder." if missing else "Check its permissions."
        findings.add(top, f"The file cannot be read ({error.strerror}).", cure)
        return None
    if len(data) > MAX_BYTES:
        findings.add(top, "The file is larger than 256 KiB.", "Split it.")
        return None
    return parse_yaml(data, findings)


def parse_yaml(data: bytes, findings: Findings) -> Node | None:
    """The YAML text as nodes, or None with the reason among the findings."""
    top = Node(None, 1, "")
    try:
        if not _plain(data, top, findings):
            return None
        root = yaml.compose(data, Loader=_LOADER)
        if root is not None:
            return _node(SafeConstructor(), root, "", findings)
        findings.add(top, "The file is empty.", "See docs/adding-a-source.md for a first mapping.")
    except (yaml.reader.ReaderError, UnicodeDecodeError):
        findings.add(top, "The file holds bytes that are no text.", "Save it as UTF-8.")
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = getattr(error, "problem", None) or type(error).__name__
        findings.add(Node(None, line, ""), f"This is not YAML ({reason}).", "Check indentation, quotes and colons.")
    return None


def _plain(data: bytes, top: Node, findings: Findings) -> bool:
    """Whether the text is without anchors and not too deep, told event by event before anything is built of it."""
    depth = 0
    for event in yaml.parse(data, Loader=_LOADER):
        if getattr(event, "anchor", None):
            findings.add(top, "YAML anchors and aliases are not part of the language.", "Repeat the value instead.")
            return False
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            findings.add(top, f"The file is nested deeper than {MAX_DEPTH} levels.", "Write it flatter.")
            return False
    return True


def _node(loader: SafeConstructor, node: yaml.Node, path: str, findings: Findings) -> Node:
    line = node.start_mark.line + 1
    if isinstance(node, MappingNode):
        return Node(_mapping(loader, node, path, findings), line, path)
    if isinstance(node, SequenceNode):
        return Node([_node(loader, each, f"{path}[{at}]", findings) for at, each in enumerate(node.value)], line, path)
    value = loader.construct_object(node)
    if value is None or isinstance(value, (str, int, float, bool)):
        return Node(value, line, path)
    findings.add(Node(None, line, path), "Dates and binary values are not read.", "Put the value in quotes.")
    return Node(str(value), line, path)


def _mapping(loader: SafeConstructor, node: MappingNode, path: str, findings: Findings) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for key_node, value_node in node.value:
        key = key_node.value if isinstance(key_node, ScalarNode) else ""
        below = f"{path}.{key}" if path else key
        if not isinstance(key_node, ScalarNode):
            findings.add(Node(None, key_node.start_mark.line + 1, path), "A key must be plain text.", "Use a word.")
        elif key in found:
            findings.add(Node(None, key_node.start_mark.line + 1, below), f"The key `{key}` is twice.", "Keep one.")
        found[key] = _node(loader, value_node, below, findings)
    return found
