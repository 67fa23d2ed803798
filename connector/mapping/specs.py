"""Values of a mapping file: a path, a constant, a choice, a join or a look-up, made into one function of the scope."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from connector.mapping.paths import Getter, PathInvalid, Scope, compile_path
from connector.mapping.times import FORMATS, parse_time
from connector.mapping.transforms import PLAIN, WITH_TEXT, Transform, chain
from connector.mapping.yamlfile import Findings, Node, suggest

SOURCES = ("path", "value", "header", "first", "join", "choose", "lookup", "seconds_between")
_MODIFIERS = ("take", "then", "time", "default", "with", "missing", "from", "else")
_BELONGS = {"with": "join", "missing": "join", "from": "choose", "else": "choose", "take": "lookup"}


@dataclass(slots=True)
class Frame:
    """What the paths of one group of items may name while its file is read."""

    findings: Findings
    frames: Sequence[str] = ()
    names: list[str] = field(default_factory=list)
    headers: Sequence[str] = ()

    def path(self, node: Node | None) -> Getter:
        """The path as a function; a bad one is remembered and finds nothing."""
        text = self.findings.text(node)
        if node is None or not isinstance(node.value, str):
            return _nothing
        try:
            return compile_path(text, self.frames, self.names)
        except PathInvalid as error:
            self.findings.add(node, str(error), error.cure)
            return _nothing


def _nothing(_scope: Scope) -> None:
    return None


def compile_spec(node: Node, frame: Frame) -> Getter:
    """A function from the scope to the value that the node describes; faults are remembered in the frame's findings."""
    if node.value is None:
        return _nothing
    if isinstance(node.value, str):
        return frame.path(node)
    if not isinstance(node.value, dict):
        frame.findings.add(node, "A path or a mapping is needed here.", "For a constant write `{value: …}`.")
        return _nothing
    if not frame.findings.closed(node, SOURCES + _MODIFIERS):
        return _nothing
    sources = [key for key in SOURCES if key in node.value]
    if len(sources) != 1:
        frame.findings.add(node, f"Exactly one of {', '.join(SOURCES)} is needed.", "Keep one of them.")
        return _nothing
    _check_modifiers(node, sources[0], frame.findings)
    return _modified(node, _COMPILERS[sources[0]](node, frame), frame)


def _check_modifiers(node: Node, source: str, findings: Findings) -> None:
    for key, each in node.items():
        if _BELONGS.get(key, source) != source:
            findings.add(each, f"`{key}` goes with `{_BELONGS[key]}` only.", "Remove it.")


def _modified(node: Node, getter: Getter, frame: Frame) -> Getter:
    steps = _transforms(node.get("then"), frame.findings)
    time = node.get("time")
    if time is not None:
        formats = tuple(frame.findings.choice(each, FORMATS) for each in _list(time))
        steps.append(lambda value: parse_time(value, formats) if value != "" else None)
    default = node.get("default")
    fallback = default.plain() if default is not None else None
    if not steps:
        return getter if fallback is None else lambda scope: _or(getter(scope), fallback)
    run = steps[0] if len(steps) == 1 else chain(steps)
    return lambda scope: fallback if (value := getter(scope)) is None else _or(run(value), fallback)


def _or(value: Any, fallback: Any) -> Any:
    return fallback if value is None else value


def _list(node: Node) -> list[Node]:
    return node.value if isinstance(node.value, list) else [node]


def _transforms(node: Node | None, findings: Findings) -> list[Transform]:
    found: list[Transform] = []
    for each in _list(node) if node is not None else []:
        if isinstance(each.value, dict) and len(each.value) == 1:
            ((name, argument),) = each.value.items()
            if name in WITH_TEXT:
                found.append(WITH_TEXT[name](findings.text(argument)))
            else:
                findings.add(each, f"There is no transform `{name}:`.", suggest(name, WITH_TEXT))
            continue
        name = findings.text(each)
        if name in PLAIN:
            found.append(PLAIN[name])
        elif name in WITH_TEXT:
            findings.add(each, f"`{name}` needs a text.", f"Write `{{{name}: …}}`.")
        else:
            findings.add(each, f"There is no transform `{name}`.", suggest(name, [*PLAIN, *WITH_TEXT]))
    return found


def _path(node: Node, frame: Frame) -> Getter:
    return frame.path(node.get("path"))


def _value(node: Node, _frame: Frame) -> Getter:
    stated = node.get("value")
    constant = stated.plain() if stated is not None else None
    return lambda _scope: constant


def _header(node: Node, frame: Frame) -> Getter:
    each = node.get("header")
    name = frame.findings.text(each).lower()
    if each is not None and name not in frame.headers:
        frame.findings.add(each, f"The header `{name}` is not kept.", "Add it to `headers` at the top of the file.")
    return lambda scope: scope.headers.get(name)


def _parts(node: Node | None, frame: Frame) -> list[Getter]:
    if node is None or not isinstance(node.value, list) or not node.value:
        if node is not None:
            frame.findings.add(node, "A list is needed here.", "Write `[first, second]`.")
        return []
    return [compile_spec(each, frame) for each in node.value]


def _first(node: Node, frame: Frame) -> Getter:
    parts = _parts(node.get("first"), frame)

    def first(scope: Scope) -> Any:
        for part in parts:
            value = part(scope)
            if value is not None and value != "":
                return value
        return None

    return first


def _join(node: Node, frame: Frame) -> Getter:
    parts = _parts(node.get("join"), frame)
    mark = frame.findings.text(node.get("with"))
    skip = frame.findings.choice(node.get("missing"), ("skip", "null"), "null") == "skip"

    def join(scope: Scope) -> str | None:
        texts = [_joinable(part(scope)) for part in parts]
        if not skip and any(text is None for text in texts):
            return None
        return mark.join(text for text in texts if text is not None) or None

    return join


def _joinable(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds_between(node: Node, frame: Frame) -> Getter:
    parts = _parts(node.get("seconds_between"), frame)
    if len(parts) != 2:
        frame.findings.add(node, "`seconds_between` needs two times.", "Write `[start, end]`, each with its `time:`.")
        return _nothing

    def between(scope: Scope) -> int | None:
        start, end = (part(scope) for part in parts)
        if not isinstance(start, datetime) or not isinstance(end, datetime):
            return None
        return max(0, round((end - start).total_seconds()))

    return between


def _choose(node: Node, frame: Frame) -> Getter:
    subject = compile_spec(node.get("choose") or node, frame)
    table: dict[str, Any] = {}
    stated = node.get("from")
    if stated is None or not isinstance(stated.value, dict):
        frame.findings.add(stated or node, "`choose` needs a table.", "Add `from: {value: result}`.")
    else:
        table = {key: each.plain() for key, each in stated.items()}
    otherwise = node.get("else")
    fallback = otherwise.plain() if otherwise is not None else None
    return lambda scope: table.get(choice_key(subject(scope)), fallback)


def choice_key(value: Any) -> str:
    """The text under which a value stands in a table: true, false and null as in YAML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _lookup(node: Node, frame: Frame) -> Getter:
    stated = node.get("lookup")
    if stated is None or not frame.findings.closed(stated, ("in", "by", "key", "unwrap"), ("in", "by")):
        return _nothing
    where, by = frame.path(stated.get("in")), compile_spec(stated.get("by") or stated, frame)
    keys = tuple(frame.findings.texts(stated.get("key")) or ("id",))
    unwrap = frame.findings.text(stated.get("unwrap"))
    take = node.get("take")
    taken: Callable[[Any], Any] = _take(take, frame)

    def look(scope: Scope) -> Any:
        wanted = _joinable(by(scope))
        if wanted is None:
            return None
        entries = where(scope)
        if isinstance(entries, list):
            return taken(_by_id(entries, keys, unwrap, scope.kept).get(wanted))
        return taken(_unwrapped(entries.get(wanted), unwrap) if isinstance(entries, Mapping) else None)

    return look


def _take(node: Node | None, frame: Frame) -> Callable[[Any], Any]:
    if node is None:
        return lambda value: value
    search = Frame(frame.findings).path(node)
    return lambda value: search(Scope(value, (), {}, frozenset(), {}))


def _by_id(entries: list[Any], keys: tuple[str, ...], unwrap: str, kept: dict[Hashable, Any]) -> dict[str, Any]:
    """The entries of a list by the ids inside each; the first of an id counts.

    Made once a list: a batch looks in the same list for every item.
    """
    known = kept.get((id(entries), keys, unwrap))
    if known is None:
        found: dict[str, Any] = {}
        for each in entries:
            entry = _unwrapped(each, unwrap)
            for name in map(_joinable, map(entry.get, keys)) if isinstance(entry, Mapping) else ():
                if name is not None:
                    found.setdefault(name, entry)
        known = kept[id(entries), keys, unwrap] = (found, entries)  # kept with it, so that its id stays its own
    return cast("dict[str, Any]", known[0])


def _unwrapped(entry: Any, unwrap: str) -> Any:
    if unwrap and isinstance(entry, Mapping) and isinstance(entry.get(unwrap), Mapping):
        return entry[unwrap]
    return entry


_COMPILERS: dict[str, Callable[[Node, Frame], Getter]] = {
    "path": _path,
    "value": _value,
    "header": _header,
    "first": _first,
    "join": _join,
    "choose": _choose,
    "lookup": _lookup,
    "seconds_between": _seconds_between,
}
