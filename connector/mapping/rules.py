"""The `items` of a mapping file: groups with their walk, named values, fields and rules."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from connector.domain.channels import DELETES, EDITS, AuthorRole, Direction, Kind, Visibility
from connector.mapping.channels import ChannelRegister
from connector.mapping.conditions import compile_when
from connector.mapping.fields import FIELDS, OTHER_NAMES
from connector.mapping.paths import Getter, PathInvalid, Scope
from connector.mapping.schema import AttachmentRule, FieldRule, Group, Rule
from connector.mapping.specs import Frame, compile_spec
from connector.mapping.walk import Each, parse_each
from connector.mapping.yamlfile import Findings, Node, suggest

_SHARED = ("network", "direction", "visibility", "author_role", "require", "set")
GROUP_KEYS = ("each", "wrap", "when", "let", "rules", "unknown", *_SHARED)
RULE_KEYS = ("when", "kind", "why", *_SHARED)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_WORDS: dict[str, tuple[str, ...]] = {
    "direction": tuple(each.value for each in Direction),
    "visibility": tuple(each.value for each in Visibility),
    "author_role": tuple(each.value for each in AuthorRole),
}
BY_AUTHOR = "by_author"


@dataclass(slots=True)
class GroupReader:
    """Reads the groups of one file; faults go to its findings."""

    findings: Findings
    channels: ChannelRegister
    headers: Sequence[str]
    root: Node

    def group(self, node: Node) -> Group:
        """The group that the node describes."""
        self.findings.closed(node, GROUP_KEYS, ("each", "rules"))
        each = self._each(node.get("each"))
        frame = Frame(self.findings, each.frames, [], self.headers)
        outer = Frame(self.findings, (), [], self.headers)
        lets = read_lets(self.root.get("let"), frame) | read_lets(node.get("let"), frame)
        rules = node.get("rules")
        listed = rules.value if rules is not None and isinstance(rules.value, list) else []
        if not listed:
            self.findings.add(rules or node, "At least one rule is needed.", "Write `rules:` with `- kind: …`.")
        self._check_reach(listed)
        return Group(
            each=each,
            condition=compile_when(node.get("when"), outer),
            lets=lets,
            rules=tuple(self._rule(each, node, frame) for each in listed),
            unknown=self._unknown(node, frame),
            wrap=self._wrap(node.get("wrap")),
        )

    def _check_reach(self, rules: Sequence[Node]) -> None:
        open_at = next((at for at, each in enumerate(rules) if each.get("when") is None), len(rules))
        for each in rules[open_at + 1 : open_at + 2]:
            self.findings.add(
                each,
                "This rule is never reached: one above it has no `when`.",
                "Move the rule without `when` to the end.",
            )

    def _each(self, node: Node | None) -> Each:
        text = self.findings.text(node, "@")
        try:
            return parse_each(text)
        except PathInvalid as error:
            self.findings.add(node or self.root, str(error), error.cure)
            return Each((), ())

    def _wrap(self, node: Node | None) -> str:
        name = self.findings.text(node)
        if node is not None:
            self._check_name(name, node)
        return name

    def _rule(self, node: Node, group: Node, frame: Frame) -> Rule:
        self.findings.closed(node, RULE_KEYS, ("kind",))
        word = self.findings.choice(node.get("kind"), [each.value for each in Kind], Kind.UNKNOWN.value)
        kind = Kind(word)
        if kind is Kind.IGNORE and node.get("why") is None:
            self.findings.add(node, "An ignored item needs a reason.", "Add `why: …`.")
        self.findings.text(node.get("why"))
        return self._built(kind, node, group, frame)

    def _unknown(self, group: Node, frame: Frame) -> Rule:
        label = group.get("unknown")
        rule = self._built(Kind.UNKNOWN, Node({}, group.line, group.path), group, frame)
        extra = (("type", _short(compile_spec(label, frame))),) if label is not None else ()
        return Rule(
            condition=rule.condition, kind=rule.kind, network=rule.network, direction=rule.direction,
            visibility=rule.visibility, author_role=rule.author_role, fields=rule.fields,
            extra=extra, attachments=(), require=(),
        )  # fmt: skip

    def _built(self, kind: Kind, node: Node, group: Node, frame: Frame) -> Rule:
        """The rule's own keys win over the group's, and those over the file's."""
        fields, extra, attachments = self._fields(_laid_over(group.get("set"), node.get("set")), frame)
        return Rule(
            condition=compile_when(node.get("when"), frame),
            kind=kind,
            network=self._network(node, group, frame),
            direction=self._word("direction", node, group, frame),
            visibility=self._word("visibility", node, group, frame),
            author_role=self._word("author_role", node, group, frame),
            fields=fields,
            extra=extra,
            attachments=attachments,
            require=self._require(kind, node, group),
        )

    def _network(self, node: Node, group: Node, frame: Frame) -> Getter:
        stated = node.get("network") or group.get("network") or self.root.get("network")
        if stated is not None and isinstance(stated.value, dict):
            return compile_spec(stated, frame)
        name = self.findings.text(stated)
        canonical = self.channels.canonical_network(name)
        if canonical is None and stated is not None:
            self.findings.add(stated, f"The network `{name}` is unknown.", suggest(name, self.channels.networks))
        return lambda _scope: canonical

    def _word(self, key: str, node: Node, group: Node, frame: Frame) -> Getter | None:
        stated = node.get(key) or group.get(key)
        if stated is None or stated.value is None or stated.value == BY_AUTHOR:
            return None
        if isinstance(stated.value, dict):
            self._check_choices(stated, _WORDS[key])
            return compile_spec(stated, frame)
        word = self.findings.choice(stated, [*_WORDS[key], *([BY_AUTHOR] if key == "direction" else [])])
        return lambda _scope: word

    def _check_choices(self, node: Node, words: Collection[str]) -> None:
        results = [each for _, each in (node.get("from") or Node(None, 0, "")).items()]
        for each in [*results, *filter(None, [node.get("else")])]:
            if each.value is not None:
                self.findings.choice(each, words)

    def _require(self, kind: Kind, node: Node, group: Node) -> tuple[str, ...]:
        stated = node.get("require") or group.get("require")
        names = self.findings.texts(stated)
        for name in names:
            if name not in FIELDS and stated is not None:
                self.findings.add(stated, f"`{name}` is no field.", _field_meant(name, FIELDS))
        needs_item = kind in DELETES or kind in EDITS
        return (*names, "item_id") if needs_item and "item_id" not in names else names

    def _fields(
        self, stated: dict[str, Node], frame: Frame
    ) -> tuple[tuple[FieldRule, ...], tuple[tuple[str, Getter], ...], tuple[AttachmentRule, ...]]:
        fields: list[FieldRule] = []
        extra: list[tuple[str, Getter]] = []
        attachments: tuple[AttachmentRule, ...] = ()
        for name, node in stated.items():
            if name == "attachments":
                attachments = self._attachments(node, frame)
            elif name.startswith("extra."):
                self._check_name(name.removeprefix("extra."), node)
                extra.append((name.removeprefix("extra."), compile_spec(node, frame)))
            elif name not in FIELDS:
                self.findings.add(
                    node, f"There is no field `{name}`.", _field_meant(name, [*FIELDS, "attachments", "extra.…"])
                )
            elif node.value is not None:
                self._check_time(name, node)
                fields.append(FieldRule(name, compile_spec(node, frame), FIELDS[name]))
        return tuple(fields), tuple(extra), attachments

    def _check_name(self, name: str, node: Node) -> None:
        if not _NAME.fullmatch(name):
            self.findings.add(node, f"`{name[:40]}` is no name.", "Use small letters, digits and _.")

    def _check_time(self, name: str, node: Node) -> None:
        if name == "occurred_at" and not _has_time(node):
            self.findings.add(node, "The time has no format.", "Write `{path: …, time: iso}` or another `time:`.")
        if name != "occurred_at" and node.get("time") is not None:
            self.findings.add(
                node, f"`{name}` takes no time.", "Remove `time:`; a version keeps what the sender wrote."
            )

    def _attachments(self, node: Node, frame: Frame) -> tuple[AttachmentRule, ...]:
        if node.value is None:
            return ()
        found = []
        for each in node.value if isinstance(node.value, list) else [node]:
            if not self.findings.closed(each, ("each", "kind", "url"), ("each",)):
                continue
            inside = Frame(self.findings)
            kind, url = each.get("kind"), each.get("url")
            found.append(
                AttachmentRule(
                    each=frame.path(each.get("each")),
                    kind=compile_spec(kind, inside) if kind else _nothing,
                    url=compile_spec(url, inside) if url else _nothing,
                )
            )
        return tuple(found)


def _field_meant(name: str, known: Collection[str]) -> str:
    meant = OTHER_NAMES.get(name)
    return f"Did you mean `{meant}`?" if meant else suggest(name, known)


def _short(getter: Getter) -> Getter:
    """A label of at most 100 characters; anything but text and numbers is left out."""

    def short(scope: Scope) -> str | None:
        value = getter(scope)
        return str(value)[:100] if isinstance(value, (str, int)) else None

    return short


def _nothing(_scope: Any) -> None:
    return None


def _has_time(node: Node) -> bool:
    if node.get("time") is not None:
        return True
    parts = node.get("first")
    listed = parts.value if parts is not None and isinstance(parts.value, list) else []
    return bool(listed) and all(each.value is None or _has_time(each) for each in listed)


def _laid_over(group: Node | None, rule: Node | None) -> dict[str, Node]:
    return dict(group.items() if group else ()) | dict(rule.items() if rule else ())


def read_lets(node: Node | None, frame: Frame) -> dict[str, Getter]:
    """The named values in order; each may use those above it, so none can run in a circle."""
    found: dict[str, Getter] = {}
    for name, each in node.items() if node is not None else ():
        if not _NAME.fullmatch(name):
            frame.findings.add(each, f"`{name[:40]}` is no name.", "Use small letters, digits and _.")
            continue
        found[name] = compile_spec(each, frame)
        frame.names.append(name)
    return found
