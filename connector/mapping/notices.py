"""The wordings of mappings/notices: who may be asked what in which words, read and checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from connector.domain.consent import COMPANY, Notice
from connector.domain.wording import wording_digest, x_length
from connector.mapping.yamlfile import Findings, Node, read_yaml

PARTS = ("ask", "purpose", "refusal", "undo")
"""What every wording says, in this order: who asks for what, what for, that a no costs nothing, how to undo it."""

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Z][A-Za-z]{1,3})?")
_WITHOUT_SPACES = frozenset({"ja", "zh", "th"})
_NO = {
    "en": ("no",), "de": ("nein",), "fr": ("non",), "es": ("no",), "ja": ("いいえ",),
    "it": ("no",), "nl": ("nee",), "pt": ("não",),
}  # fmt: skip
USUAL_COMPANY = "A company of thirty characters"
"""Stands in for the company's name while none is set, so that lengths are checked with a realistic one."""


class Limit(NamedTuple):
    """The longest wording that a place takes, as that place counts."""

    most: int
    unit: str

    def of(self, text: str) -> int:
        """How long the text is there."""
        if self.unit == "as X counts":
            return x_length(text)
        return len(text.encode()) if self.unit == "bytes" else len(text)


LIMITS = {
    "phone": Limit(500, "characters, about half a minute to say"),
    "chat": Limit(1000, "characters"),
    "email": Limit(2000, "characters"),
    "x_dm": Limit(280, "as X counts"),
    "dm": Limit(1000, "bytes"),
    "more": Limit(2000, "characters"),
}
"""Where a wording is used, and how long it may be there (``dm``: Instagram's limit, the tightest of them)."""

_PRIVATE_THREADS = frozenset({"x_dm", "dm"})


@dataclass(frozen=True, slots=True)
class NoticeFile:
    """One wording with all its versions: where it is used, and where each text stands for messages about it."""

    id: str
    used_for: frozenset[str]
    notices: tuple[Notice, ...]
    places: dict[tuple[str, str], str] = field(default_factory=dict)


def read_notice(
    path: Path, label: str, purposes: Collection[str], company: str, findings: Findings
) -> NoticeFile | None:
    """The wording of one file, or None; whatever is wrong is added to the findings."""
    root = read_yaml(path, findings)
    if root is None or not findings.closed(root, ("id", "for", "versions"), ("id", "for", "versions")):
        return None
    reader = _Reader(label, purposes, company or USUAL_COMPANY, findings)
    return reader.file(root, path.stem)


@dataclass(slots=True)
class _Reader:
    label: str
    purposes: Collection[str]
    company: str
    findings: Findings
    places: dict[tuple[str, str], str] = field(default_factory=dict)

    def file(self, root: Node, stem: str) -> NoticeFile:
        name = root.get("id")
        notice_id = self.findings.text(name)
        if name is not None and notice_id != stem:
            self.findings.add(name, f"`{notice_id}` is not the file's name.", f"Write `id: {stem}`.")
        used = root.get("for")
        kinds = frozenset(self.findings.texts(used))
        for kind in sorted(kinds - LIMITS.keys()):
            if used is not None:
                self.findings.add(used, f"`{kind}` is not a place to ask.", f"Use {', '.join(LIMITS)}.")
        notices = tuple(self.versions(root.get("versions"), notice_id, kinds & LIMITS.keys()))
        return NoticeFile(notice_id, kinds, notices, self.places)

    def versions(self, node: Node | None, notice_id: str, kinds: frozenset[str]) -> Iterator[Notice]:
        if node is None or not isinstance(node.value, list) or not node.value:
            if node is not None:
                self.findings.add(node, "A list of versions is needed here.", 'Begin with `- version: "1"`.')
            return
        before: datetime | None = None
        seen: set[str] = set()
        for each in node.value:
            keys = ("version", "valid_from", "material", "purposes", "text")
            if not self.findings.closed(each, keys, keys):
                continue
            version = self.findings.text(each.get("version"))
            valid_from = self.moment(each)
            if version in seen:
                self.findings.add(each, f"Version `{version}` is there twice.", "Give the new text a new version.")
            if before is not None and valid_from <= before:
                self.findings.add(each, "It is not valid later than the version above it.", "Put newer versions last.")
            seen.add(version)
            before = valid_from
            yield from self.texts(each, notice_id, version, valid_from, kinds)

    def moment(self, version: Node) -> datetime:
        node = version.get("valid_from")
        try:
            moment = datetime.fromisoformat(self.findings.text(node))
        except ValueError:
            self.findings.add(node or version, "This is not a time.", 'Write "2026-01-31T00:00:00Z".')
            return datetime.max.replace(tzinfo=UTC)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

    def texts(
        self, version_node: Node, notice_id: str, version: str, valid_from: datetime, kinds: frozenset[str]
    ) -> Iterator[Notice]:
        node = version_node.get("text")
        if node is None or not isinstance(node.value, dict):
            self.findings.add(
                node or version_node, "A wording per language is needed here.", "Write `en:` and below it the parts."
            )
            return
        if "en" not in node.value:
            self.findings.add(
                node, "There is no English wording.", "Add `en:`; it is used where no other language fits."
            )
        purposes = self.purposes_of(version_node)
        material = self.flag(version_node.get("material"))
        for lang, parts in node.items():
            text = self.wording(lang, parts, kinds)
            if text is not None:
                self.places[version, lang] = f"{self.label}:{parts.line} {parts.path}"
                yield Notice(notice_id, version, lang, purposes, text, wording_digest(text), material, valid_from)

    def purposes_of(self, version_node: Node) -> frozenset[str]:
        node = version_node.get("purposes")
        named = self.findings.texts(node)
        for name in named:
            if name not in self.purposes:
                self.findings.add(
                    node or version_node, f"`{name}` is not a purpose.", f"Use {', '.join(sorted(self.purposes))}."
                )
        if not named:
            self.findings.add(node or version_node, "It asks for nothing.", "Name at least one purpose.")
        return frozenset(named)

    def flag(self, node: Node | None) -> bool:
        if node is not None and not isinstance(node.value, bool):
            self.findings.add(node, "true or false is needed here.", "Write `material: false` when only words change.")
        return node is not None and node.value is True

    def wording(self, lang: str, node: Node, kinds: frozenset[str]) -> str | None:
        if not LANGUAGE.fullmatch(lang):
            self.findings.add(node, f"`{lang}` is not a language.", "Use a code such as en, de or pt-BR.")
        if not self.findings.closed(node, PARTS, PARTS):
            return None
        parts = {name: self.findings.text(node.get(name)).strip() for name in PARTS}
        for name, part in parts.items():
            self.part(node, name, part)
        self.says(node, lang, parts, kinds)
        text = ("" if lang.split("-", maxsplit=1)[0] in _WITHOUT_SPACES else " ").join(parts.values())
        for kind in sorted(kinds):
            limit = LIMITS[kind]
            length = limit.of(text.replace(COMPANY, self.company))
            if length > limit.most:
                self.findings.add(
                    node, f"It is {length} long for {kind}.", f"Shorten it to {limit.most} ({limit.unit})."
                )
        return text

    def part(self, node: Node, name: str, part: str) -> None:
        if not part:
            self.findings.add(node, f"`{name}` says nothing.", "Write one sentence.")
        for placeholder in sorted(set(re.findall(r"\{[^}]*\}?", part)) - {COMPANY}):
            self.findings.add(node, f"`{placeholder}` is not a placeholder.", f"Only {COMPANY} is filled in.")

    def says(self, node: Node, lang: str, parts: dict[str, str], kinds: frozenset[str]) -> None:
        if COMPANY not in parts["ask"]:
            self.findings.add(node, "`ask` does not say who asks.", f"Put {COMPANY} into it.")
        no = _NO.get(lang.split("-", maxsplit=1)[0], ())
        said = re.findall(r"\w+", parts["refusal"].casefold())
        if no and not any(word in said or (not word.isascii() and word in parts["refusal"].casefold()) for word in no):
            self.findings.add(node, f"`refusal` does not say what a {no[0]} means.", "Write: say no and we still help.")
        if kinds & _PRIVATE_THREADS and "STOP" not in parts["undo"]:
            self.findings.add(node, "`undo` does not name STOP.", "Say that STOP in this thread unlinks at any time.")
