"""`when`: which items a rule is for, as one function of the scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from connector.mapping.paths import Getter, Scope
from connector.mapping.specs import Frame, choice_key
from connector.mapping.yamlfile import Node

Condition = Callable[[Scope], bool]
TESTS = ("exists", "starts", "not", "is", "same_as", "contains")


def compile_when(node: Node | None, frame: Frame) -> Condition:
    """Whether an item fits: every path of a mapping must; of a list of mappings, any."""
    if node is None:
        return lambda _scope: True
    if isinstance(node.value, list) and node.value:
        options = [compile_when(each, frame) for each in node.value]
        return lambda scope: any(option(scope) for option in options)
    if not isinstance(node.value, dict) or not node.value:
        frame.findings.add(node, "A condition is needed here.", "Write `{path: expected}`.")
        return lambda _scope: False
    tests = [_test(path, each, frame) for path, each in node.items()]
    return tests[0] if len(tests) == 1 else _every(tests)


def _every(tests: Sequence[Condition]) -> Condition:
    def every(scope: Scope) -> bool:
        for test in tests:  # noqa: SIM110  # `all` takes twice as long, and this runs for every rule of every item
            if not test(scope):
                return False
        return True

    return every


def _test(path: str, node: Node, frame: Frame) -> Condition:
    getter = frame.path(Node(path, node.line, node.path))
    if not isinstance(node.value, dict):
        return _equals(getter, _words(node, frame))
    frame.findings.closed(node, TESTS)
    if len(node.value) != 1:
        frame.findings.add(node, "Exactly one test is needed.", f"Use one of: {', '.join(TESTS)}.")
        return lambda _scope: False
    ((name, argument),) = node.value.items()
    compiler = _TESTS.get(name)
    return compiler(getter, argument, frame) if compiler else lambda _scope: False


def _words(node: Node, frame: Frame) -> frozenset[str]:
    listed = node.value if isinstance(node.value, list) else [node]
    for each in listed:
        if isinstance(each.value, (dict, list)):
            frame.findings.add(
                each, "A plain value is needed here.", f"Write a text or number, or one of: {', '.join(TESTS)}."
            )
    if not listed:
        frame.findings.add(node, "The list is empty, so this never holds.", "Name the values, or remove the line.")
    return frozenset(choice_key(each.value) for each in listed)


def _equals(getter: Getter, words: frozenset[str]) -> Condition:
    def equals(scope: Scope) -> bool:
        value = getter(scope)
        return (value if type(value) is str else _key(value)) in words

    return equals


def _key(value: Any) -> str | None:
    return None if isinstance(value, (dict, list)) else choice_key(value)


def _exists(getter: Getter, node: Node, frame: Frame) -> Condition:
    if not isinstance(node.value, bool):
        frame.findings.add(node, "`exists` is true or false.", "Write `{exists: true}`.")
    wanted = node.value is True
    return lambda scope: (getter(scope) is not None) is wanted


def _starts(getter: Getter, node: Node, frame: Frame) -> Condition:
    starts = frame.findings.texts(node)
    return lambda scope: isinstance(value := getter(scope), str) and value.startswith(starts)


def _not(getter: Getter, node: Node, frame: Frame) -> Condition:
    equal = _equals(getter, _words(node, frame))
    return lambda scope: not equal(scope)


def _is(getter: Getter, node: Node, frame: Frame) -> Condition:
    frame.findings.choice(node, ("brand",))
    return lambda scope: str(_key(getter(scope))).casefold() in scope.accounts


def _same_as(getter: Getter, node: Node, frame: Frame) -> Condition:
    other = frame.path(node)
    return lambda scope: getter(scope) is not None and _key(getter(scope)) == _key(other(scope))


def _contains(getter: Getter, node: Node, frame: Frame) -> Condition:
    words = _words(node, frame)
    return lambda scope: _holds(getter(scope), words)


def _holds(value: Any, words: frozenset[str]) -> bool:
    if isinstance(value, str):
        return any(word in value for word in words)
    candidates: Sequence[Any] = value if isinstance(value, list) else []
    return any(_key(each) in words for each in candidates)


_TESTS: dict[str, Callable[[Getter, Node, Frame], Condition]] = {
    "exists": _exists,
    "starts": _starts,
    "not": _not,
    "is": _is,
    "same_as": _same_as,
    "contains": _contains,
}
