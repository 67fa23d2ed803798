"""What customers can agree to (mappings/purposes.yml) and in which words they are asked (mappings/notices)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from connector.domain.consent import Assurance, Notice, Purpose
from connector.errors import MappingInvalid, Problem
from connector.mapping.notices import LIMITS, NoticeFile, read_notice
from connector.mapping.yamlfile import Findings, Node, read_yaml

OPERATIONS = frozenset(
    {
        "crm.case.attach", "crm.profile.attach", "crm.interaction.attach", "timeline.view",
        "agent.hints", "routing.vip", "export.audience", "message.promo", "report.person_joined", "survey.send",
    }
)  # fmt: skip
"""Every act that joins an account with a contact; one that no purpose names is always denied."""

POLICIES = {"ask": Assurance(0, 0), "double": Assurance(2, 2), "regulated": Assurance(3, 2)}
"""How strongly every purpose must be proven at least, whatever its own minimum."""


@dataclass(frozen=True, slots=True)
class ConsentRegistry:
    """The purposes, and every version of every wording, as the files have them."""

    purposes: Mapping[str, Purpose]
    notices: tuple[Notice, ...]
    places: Mapping[tuple[str, str, str], str] = field(default_factory=dict)
    used_for: Mapping[str, str] = field(default_factory=dict)
    _by_operation: Mapping[str, Purpose] = field(init=False, repr=False, compare=False)
    _by_key: Mapping[tuple[str, str, str], Notice] = field(init=False, repr=False, compare=False)
    _material: Mapping[str, tuple[Notice, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_operation = {name: each for each in self.purposes.values() for name in each.operations}
        object.__setattr__(self, "_by_operation", by_operation)
        object.__setattr__(self, "_by_key", {(each.id, each.version, each.lang): each for each in self.notices})
        material: dict[str, tuple[Notice, ...]] = {}
        for each in self.notices:
            if each.material:
                material[each.id] = (*material.get(each.id, ()), each)
        object.__setattr__(self, "_material", material)

    @classmethod
    def load(cls, folder: Path, company: str = "") -> ConsentRegistry:
        """The registry of a mappings folder; MappingInvalid carries every problem of every file at once."""
        return load_consent(folder, company)

    def purpose_of(self, operation: str) -> Purpose | None:
        """The one purpose that an operation belongs to; None when it is not mapped, which means: denied."""
        return self._by_operation.get(operation)

    def notice(self, notice_id: str, version: str, lang: str) -> Notice | None:
        """This very wording, or None."""
        return self._by_key.get((notice_id, version, lang))

    def current(self, notice_id: str, lang: str, now: datetime) -> Notice | None:
        """The newest valid wording in this language, else in the language's root, else in English."""
        for wanted in (lang, lang.split("-", maxsplit=1)[0], "en"):
            found = [
                each for each in self.notices if each.id == notice_id and each.lang == wanted and each.valid_from <= now
            ]
            if found:
                return max(found, key=lambda each: each.valid_from)
        return None

    def is_stale(self, purpose: str, notice_id: str | None, version: str | None, now: datetime) -> bool:
        """Whether what was agreed to has changed in substance since that version, or is not known any more."""
        given = self._by_key.get((notice_id or "", version or "", "en"))
        if given is None:
            return True
        later = (each for each in self._material.get(given.id, ()) if given.valid_from < each.valid_from <= now)
        return any(purpose in each.purposes for each in later)


def load_consent(folder: Path, company: str = "") -> ConsentRegistry:
    """The registry of a mappings folder; MappingInvalid carries every problem of every file at once.

    ``company`` is the name that goes into the wordings: their lengths are checked with it.
    """
    problems: list[Problem] = []
    purposes = read_purposes(folder / "purposes.yml", problems)
    files: list[NoticeFile] = []
    for path in sorted((folder / "notices").glob("*.yml")):
        findings = Findings(f"notices/{path.name}")
        found = read_notice(path, f"notices/{path.name}", purposes, company, findings)
        problems += findings.problems
        if found is not None:
            files.append(found)
    used_for = _places_to_ask(files, problems)
    if problems:
        raise MappingInvalid(problems)
    notices = tuple(notice for each in files for notice in each.notices)
    places = {(each.id, *key): place for each in files for key, place in each.places.items()}
    return ConsentRegistry(purposes, notices, places, used_for)


def _places_to_ask(files: list[NoticeFile], problems: list[Problem]) -> dict[str, str]:
    used_for: dict[str, str] = {}
    for each in files:
        for kind in sorted(each.used_for):
            if kind in used_for:
                where = f"notices/{each.id}.yml"
                problems.append(
                    Problem(where, f"`for: {kind}` is also in notices/{used_for[kind]}.yml.", "Keep one of them.")
                )
            used_for[kind] = each.id
    missing = sorted(LIMITS.keys() - used_for.keys())
    if missing and not problems:
        problems.append(Problem("notices/", f"Nothing is worded for {', '.join(missing)}.", "Add a file with `for:`."))
    return used_for


def read_purposes(path: Path, problems: list[Problem]) -> dict[str, Purpose]:
    """The purposes of one file by name; whatever is wrong in it is added to the problems."""
    findings = Findings(path.name)
    root = read_yaml(path, findings)
    found: dict[str, Purpose] = {}
    if root is not None and findings.closed(root, ("policy", "purposes"), ("purposes",)):
        floor = POLICIES[findings.choice(root.get("policy"), POLICIES, "ask") or "ask"]
        taken: dict[str, str] = {}
        for name, node in (root.get("purposes") or root).items():
            purpose = _purpose(name, node, floor, taken, findings)
            if purpose is not None:
                found[name] = purpose
        if not found and not findings.problems:
            findings.add(root, "No purpose is defined.", "Add `service` as shipped.")
    problems += findings.problems
    return found


SHOWN = Assurance(2, 2)
"""What the customer has shown by acts of her own, on both sides."""

_KEYS = ("dpv", "operations", "minimum", "lasts_days", "label", "adults_only")


def _purpose(name: str, node: Node, floor: Assurance, taken: dict[str, str], findings: Findings) -> Purpose | None:
    if not findings.closed(node, _KEYS, _KEYS[:5]):
        return None
    adults_only = node.get("adults_only")
    if adults_only is not None and not isinstance(adults_only.value, bool):
        findings.add(adults_only, "true or false is needed here.", "Write `adults_only: true`.")
    minimum = _level(node.get("minimum"), findings).strongest(floor)
    if adults_only is not None and adults_only.value is True and not minimum.covers(SHOWN):
        findings.add(
            adults_only,
            f"`{name}` is for adults only, and an agent's word (h1) tells no age.",
            "Raise its minimum to {h: 2, c: 2}.",
        )
    return Purpose(
        name=name,
        operations=_operations(name, node.get("operations"), taken, findings),
        minimum=minimum,
        lasts=_lasts(node.get("lasts_days"), findings),
        dpv=findings.text(node.get("dpv")),
        labels=_labels(node.get("label"), findings),
        adults_only=adults_only is not None and adults_only.value is True,
    )


def _operations(name: str, node: Node | None, taken: dict[str, str], findings: Findings) -> frozenset[str]:
    named = findings.texts(node)
    for operation in named:
        if node is not None and operation not in OPERATIONS:
            findings.add(node, f"`{operation}` is not an operation.", f"Use {', '.join(sorted(OPERATIONS))}.")
        if node is not None and operation in taken:
            cure = "An operation belongs to exactly one purpose: keep one."
            findings.add(node, f"`{operation}` is already part of `{taken[operation]}`.", cure)
        taken.setdefault(operation, name)
    return frozenset(named)


def _level(node: Node | None, findings: Findings) -> Assurance:
    if node is None or not findings.closed(node, ("h", "c"), ("h", "c")):
        return Assurance(3, 3)
    levels = {key: findings.number(node.get(key), 3) for key in ("h", "c")}
    for key, level in levels.items():
        if not 1 <= level <= 3:
            findings.add(node, f"`{key}` is {level}.", "Levels go from 1 (asserted) over 2 (shown) to 3 (signed in).")
    return Assurance(levels["h"], levels["c"])


def _lasts(node: Node | None, findings: Findings) -> timedelta:
    days = findings.number(node, 1)
    if node is not None and not 1 <= days <= 3650:
        findings.add(node, f"{days} days is not a time that consent lasts.", "Give 1 to 3650 days.")
        return timedelta(days=1)
    return timedelta(days=days)


def _labels(node: Node | None, findings: Findings) -> dict[str, str]:
    labels = {lang: findings.text(each) for lang, each in node.items()} if node is not None else {}
    if node is not None and not labels.get("en", "").strip():
        findings.add(node, "There is no English label.", "Add `en: …`, one line in the customer's words.")
    return labels
