"""Mapping files into source mappings: everything that is wrong is told at once, with file, line, path and cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connector.errors import MappingInvalid, Problem
from connector.mapping.bodies import BODY_FORMATS
from connector.mapping.channels import ChannelRegister, load_channels
from connector.mapping.handshakes import handshake_problem
from connector.mapping.rules import GroupReader
from connector.mapping.schema import Group
from connector.mapping.schemes import scheme_problem
from connector.mapping.source import SourceMapping
from connector.mapping.yamlfile import Findings, Node, parse_yaml, read_yaml

LANGUAGE = 1
KEYS = (
    "source", "title", "version", "language", "network", "verification", "handshake",
    "body", "max_kib", "headers", "also", "let", "items",
)  # fmt: skip


def load_mappings(directory: Path) -> dict[str, SourceMapping]:
    """Every mapping under `directory/sources` by its name; MappingInvalid with all problems of all files."""
    channels = load_channels(directory / "channels.yml")
    found: dict[str, SourceMapping] = {}
    problems: list[Problem] = []
    for path in sorted((directory / "sources").glob("*.yml")):
        try:
            mapping = load_mapping(path, channels)
        except MappingInvalid as error:
            problems.extend(error.problems)
            continue
        found[mapping.name] = mapping
    if problems:
        raise MappingInvalid(problems)
    return found


def load_mapping(path: Path, channels: ChannelRegister) -> SourceMapping:
    """The mapping in one file; MappingInvalid with everything that is wrong in it."""
    return _load(path, channels, path.parent)


def _load(path: Path, channels: ChannelRegister, folder: Path | None) -> SourceMapping:
    findings = Findings(path.name)
    return _whole(read_yaml(path, findings), path.stem, _Beside(channels, folder), findings)


def parse_mapping(name: str, text: bytes, channels: ChannelRegister) -> SourceMapping:
    """The mapping in a text that is no file yet, for a preview; MappingInvalid with everything that is wrong in it."""
    findings = Findings(f"{name}.yml")
    return _whole(parse_yaml(text, findings), name, _Beside(channels, None), findings)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What a mapping file may refer to: the register, and the folder of those whose groups it takes along."""

    channels: ChannelRegister
    folder: Path | None


def _whole(root: Node | None, stem: str, beside: _Beside, findings: Findings) -> SourceMapping:
    mapping = _mapping(root, stem, beside, findings) if root is not None else None
    if mapping is None or findings.problems:
        raise MappingInvalid(findings.problems)
    return mapping


def _mapping(root: Node, stem: str, beside: _Beside, findings: Findings) -> SourceMapping | None:
    findings.closed(root, KEYS, ("source", "version", "network", "verification", "items"))
    if not isinstance(root.value, dict):
        return None
    name = findings.text(root.get("source"))
    if name != stem:
        findings.add(root.get("source") or root, f"`source` is not the file's name ({stem}).", "Make them equal.")
    headers = tuple(each.lower() for each in findings.texts(root.get("headers")))
    body_format = findings.choice(root.get("body"), BODY_FORMATS, "json")
    others = _others(root.get("also"), body_format, beside, findings)
    return SourceMapping(
        name=name,
        title=findings.text(root.get("title"), name),
        version=_version(root, findings),
        network=findings.text(root.get("network")),
        verifications=_verifications(root.get("verification"), findings),
        handshake=_handshake(root.get("handshake"), findings),
        body_format=body_format,
        max_bytes=findings.number(root.get("max_kib"), 1024) * 1024,
        headers=(*headers, *(name for each in others for name in each.headers)),
        groups=(
            *_groups(root, headers, beside.channels, findings),
            *(group for each in others for group in each.groups),
        ),
        channels=beside.channels,
        file=findings.file,
    )


def _version(root: Node, findings: Findings) -> int:
    language = findings.number(root.get("language"), LANGUAGE)
    if language != LANGUAGE:
        findings.add(
            root.get("language") or root, f"Language {language} is not known.", f"Write `language: {LANGUAGE}`."
        )
    version = findings.number(root.get("version"), 1)
    if version < 1:
        findings.add(root.get("version") or root, "The version starts at 1.", "Raise it with every change.")
    return version


def _verifications(node: Node | None, findings: Findings) -> tuple[str, ...]:
    names = findings.texts(node)
    for name in names:
        problem = scheme_problem(name)
        if problem is not None and node is not None:
            findings.add(node, problem.what, problem.cure)
    return names or ("",)


def _handshake(node: Node | None, findings: Findings) -> str | None:
    if node is None:
        return None
    name = findings.text(node)
    problem = handshake_problem(name)
    if problem is not None:
        findings.add(node, problem.what, problem.cure)
    return name


def _others(node: Node | None, body_format: str, beside: _Beside, findings: Findings) -> list[SourceMapping]:
    """The mappings whose groups look at the same bodies."""
    found: list[SourceMapping] = []
    if node is None:
        return found
    for name in findings.texts(node):
        path = beside.folder / f"{name}.yml" if beside.folder else None
        if path is None or not path.is_file():
            findings.add(node, f"There is no mapping `{name}` to take along here.", _ALSO)
            continue
        try:
            other = _load(path, beside.channels, None)
        except MappingInvalid:
            findings.add(node, f"The mapping `{name}` has problems of its own.", f"Cure {path.name} first.")
            continue
        if other.body_format != body_format:
            findings.add(node, f"The mapping `{name}` reads another format of body.", _ALSO)
        found.append(other)
    return found


_ALSO = "Name files of this folder, without .yml, that take no others along."


def _groups(root: Node, headers: Sequence[str], channels: ChannelRegister, findings: Findings) -> tuple[Group, ...]:
    items = root.get("items")
    if items is None:
        return ()
    if not isinstance(items.value, list) or not items.value:
        findings.add(items, "A list of item groups is needed.", "Write `- each: …`.")
        return ()
    reader = GroupReader(findings, channels, headers, root)
    return tuple(reader.group(each) for each in items.value)
