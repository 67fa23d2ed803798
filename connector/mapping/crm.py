"""The CRM mapping file, typed and closed: which value goes into which field, and which origins of cases are read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connector.domain.channels import AuthorRole, Channel, Direction, Visibility
from connector.domain.consent import LinkState, Method
from connector.errors import MappingInvalid
from connector.mapping.yamlfile import Findings, Node, read_yaml

VALUES: Mapping[str, frozenset[str]] = {
    "profile": frozenset(
        {
            "network", "handle", "network_user_id", "profile_url", "link_status", "link_method", "linked_at",
            "last_seen_at", "display_name", "followers", "verified",
        }
    ),
    "case": frozenset(
        {
            "subject", "new_status", "new_priority", "reopened_status", "origin", "channel", "network",
            "first_inbound_at", "first_response_at", "moved_to_private_at", "inbound_touches", "outbound_touches",
            "channel_count", "is_cross_channel", "reopen_count", "link_ref", "visibility",
        }
    ),
    "interaction": frozenset(
        {
            "channel", "network", "direction", "visibility", "author_role", "occurred_at", "duration_seconds",
            "summary", "source_url", "source_system", "source_record_id", "possible_duplicate", "state",
        }
    ),
}  # fmt: skip
"""What the connector can write, by kind of record (docs/adding-a-crm.md)."""

PARENTS: Mapping[str, frozenset[str]] = {
    "profile": frozenset(),
    "case": frozenset({"profile", "parent_case"}),
    "interaction": frozenset({"profile", "case"}),
}
RANKS = {"profile": 10, "case": 20, "interaction": 30}
_OBJECT = ("name", "key", "contact", "fields", "once", "reopen", "parents", "crm_case", "assign")
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_STATUSES = ("none", "hold", *(state.value for state in LinkState))


@dataclass(frozen=True, slots=True)
class FieldRule:
    """One field: the value it takes, where a text is cut, and the length above which an address is left out."""

    value: str
    cut: int | None = None
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class ObjectMapping:
    """One kind of record as an object of the CRM."""

    kind: str
    name: str
    key: str
    contact: str | None
    fields: Mapping[str, FieldRule]
    once: Mapping[str, FieldRule] = field(default_factory=dict)
    reopen: Mapping[str, FieldRule] = field(default_factory=dict)
    parents: Mapping[str, str] = field(default_factory=dict)
    crm_case: str | None = None
    assign: bool = False

    def written(self) -> list[str]:
        """The fields that the run-as user must see and edit, the key first."""
        single = [each for each in (self.contact, self.crm_case) if each]
        parents = [_reference(name) for name in self.parents]
        return list(dict.fromkeys([self.key, *single, *self.fields, *self.once, *self.reopen, *parents]))

    def rules(self) -> list[tuple[str, FieldRule]]:
        """Every field with what it is given; one that is given something else later on stands twice."""
        return [rule for part in (self.fields, self.once, self.reopen) for rule in part.items()]


def _reference(relationship: str) -> str:
    """The field behind a relationship: Social_Profile__r is Social_Profile__c, and Parent is ParentId."""
    custom = relationship.removesuffix("__r")
    return f"{custom}__c" if custom != relationship else f"{relationship}Id"


@dataclass(frozen=True, slots=True)
class Origin:
    """What an Origin of a CRM-born case means; ``opening``: the case itself is the customer's first message."""

    channel: Channel
    network: str
    opening: bool = False


@dataclass(frozen=True, slots=True)
class CrmMapping:
    """The whole file; ``order_fields`` are those of the contact that hold order numbers."""

    objects: Mapping[str, ObjectMapping]
    new_status: str
    new_priority: str | None
    reopened_status: str
    networks: Mapping[str, str]
    other_network: str
    case_origins: Mapping[str, str]
    link_status: Mapping[str, str]
    link_method: Mapping[str, str]
    states: Mapping[str, str]
    origins: Mapping[str, Origin]
    order_fields: tuple[str, ...] = ()

    def network(self, name: str) -> str:
        """The CRM's name of a network."""
        return self.networks.get(name, self.other_network)

    def kind_of(self, obj: str) -> ObjectMapping:
        """The mapping of a CRM object; KeyError for one that the file does not name."""
        for each in self.objects.values():
            if each.name == obj:
                return each
        raise KeyError(obj)

    def words(self, value: str) -> frozenset[str]:
        """All that may be written as this value; none where it is no fixed list."""
        tables: dict[str, Iterable[str]] = {
            "network": (*self.networks.values(), self.other_network),
            "link_status": self.link_status.values(),
            "link_method": self.link_method.values(),
            "state": self.states.values(),
            "origin": self.case_origins.values(),
            "new_status": (self.new_status,),
            "reopened_status": (self.reopened_status,),
            "new_priority": (self.new_priority,) if self.new_priority else (),
            "channel": Channel,
            "direction": Direction,
            "visibility": Visibility,
            "author_role": AuthorRole,
        }
        return frozenset(str(word) for word in tables.get(value, ()))


def load_crm_mapping(path: Path) -> CrmMapping:
    """The CRM mapping of a file; MappingInvalid with everything that is wrong in it, each with line and cure."""
    findings = Findings(path.name)
    root = read_yaml(path, findings)
    needed = ("objects", "values", "origins")
    if root is None or not findings.closed(root, (*needed, "contact"), needed):
        raise MappingInvalid(findings.problems)
    reader = _Reader(findings)
    mapping = reader.read(root)
    if findings.problems:
        raise MappingInvalid(findings.problems)
    return mapping


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self.findings = findings

    def read(self, root: Node) -> CrmMapping:
        objects = root.get("objects") or root
        self.findings.closed(objects, tuple(VALUES), tuple(VALUES))
        values = root.get("values") or root
        wanted = ("new_status", "reopened_status", "network", "origin", "link_status", "link_method", "state")
        self.findings.closed(values, (*wanted, "new_priority"), wanted)
        networks, other = self._networks(values.get("network"))
        return CrmMapping(
            objects={kind: self._object(kind, node) for kind, node in objects.items() if kind in VALUES},
            new_status=self.findings.text(values.get("new_status")),
            new_priority=self.findings.text(values.get("new_priority")) or None,
            reopened_status=self.findings.text(values.get("reopened_status")),
            networks=networks,
            other_network=other,
            case_origins=self._table(values.get("origin"), (*(each.value for each in Channel), "other"), ("other",)),
            link_status=self._table(values.get("link_status"), _STATUSES, _STATUSES),
            link_method=self._table(values.get("link_method"), tuple(each.value for each in Method)),
            states=self._table(values.get("state"), ("live", "deleted"), ("live", "deleted")),
            origins=self._origins(root.get("origins")),
            order_fields=self._order_fields(root.get("contact")),
        )

    def _object(self, kind: str, node: Node) -> ObjectMapping:
        self.findings.closed(node, _OBJECT, ("name", "key", "fields"))
        return ObjectMapping(
            kind=kind,
            name=self.findings.text(node.get("name")),
            key=self.findings.text(node.get("key")),
            contact=self.findings.text(node.get("contact")) or None,
            fields=self._fields(kind, node.get("fields")),
            once=self._fields(kind, node.get("once")),
            reopen=self._fields(kind, node.get("reopen")),
            parents=self._parents(kind, node.get("parents")),
            crm_case=self.findings.text(node.get("crm_case")) or None,
            assign=self._flag(node.get("assign")),
        )

    def _fields(self, kind: str, node: Node | None) -> dict[str, FieldRule]:
        return {} if node is None else {name: self._rule(kind, each) for name, each in node.items()}

    def _rule(self, kind: str, node: Node) -> FieldRule:
        if not isinstance(node.value, dict):
            return FieldRule(self.findings.choice(node, VALUES[kind]))
        self.findings.closed(node, ("value", "cut", "longest"), ("value",))
        cut, longest = (self.findings.number(node.get(name), 0) or None for name in ("cut", "longest"))
        return FieldRule(self.findings.choice(node.get("value"), VALUES[kind]), cut, longest)

    def _parents(self, kind: str, node: Node | None) -> dict[str, str]:
        if node is None:
            return {}
        return {name: self.findings.choice(each, PARENTS[kind]) for name, each in node.items()}

    def _networks(self, node: Node | None) -> tuple[dict[str, str], str]:
        if node is None or not self.findings.closed(node, ("same", "renamed", "other"), ("same", "other")):
            return {}, ""
        table = {name: name for name in self.findings.texts(node.get("same"))}
        renamed = node.get("renamed")
        if renamed is not None:
            table |= {name: self.findings.text(each) for name, each in renamed.items()}
        return table, self.findings.text(node.get("other"))

    def _table(self, node: Node | None, allowed: tuple[str, ...], required: tuple[str, ...] = ()) -> dict[str, str]:
        if node is None or not self.findings.closed(node, allowed, required):
            return {}
        return {key: self.findings.text(each) for key, each in node.items()}

    def _origins(self, node: Node | None) -> dict[str, Origin]:
        channels = tuple(each.value for each in Channel)
        found: dict[str, Origin] = {}
        for name, each in node.items() if node is not None else ():
            if self.findings.closed(each, ("channel", "network", "opening"), ("channel", "network")):
                channel = Channel(self.findings.choice(each.get("channel"), channels, Channel.PHONE.value))
                network = self.findings.text(each.get("network"))
                found[name] = Origin(channel, network, self._flag(each.get("opening")))
        return found

    def _order_fields(self, node: Node | None) -> tuple[str, ...]:
        if node is None or not self.findings.closed(node, ("orders",), ("orders",)):
            return ()
        names = self.findings.texts(node.get("orders"))
        for name in names:
            if not _FIELD_NAME.fullmatch(name):
                self.findings.add(node, f"`{name}` is no field's name.", "Write its API name: Order_Numbers__c.")
        return names

    def _flag(self, node: Node | None) -> bool:
        if node is None or isinstance(node.value, bool):
            return node is not None and node.value is True
        self.findings.add(node, "true or false is needed here.", "Write it without quotes.")
        return False
