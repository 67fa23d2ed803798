"""Networks by their one name, and the channel that an event counts under (mappings/channels.yml)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connector.domain.channels import Channel, Kind, Visibility
from connector.errors import MappingInvalid
from connector.mapping.yamlfile import Findings, Node, read_yaml

_CHANNELS = tuple(each.value for each in Channel)
_KINDS = tuple(each.value for each in Kind)


@dataclass(frozen=True, slots=True)
class Network:
    """One network: its name, what people call it, and where its events belong."""

    name: str
    title: str
    channel: Channel
    private: Channel
    kinds: Mapping[Kind, Channel] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChannelRegister:
    """All networks, the report groups, and how long a closed case may reopen."""

    networks: Mapping[str, Network]
    report_groups: Mapping[Channel, Channel]
    reopen_days: int
    names: Mapping[str, str]

    def canonical_network(self, name: str) -> str | None:
        """The one name of a network for any of its names, in any case; None when it is not in channels.yml."""
        return self.names.get(name.strip().lower().replace(" ", "_"))

    def channel_for(self, network: str, kind: Kind, visibility: Visibility | None) -> Channel:
        """The channel that an event of this network counts under; KeyError for a name that is not canonical."""
        found = self.networks[network]
        if kind in found.kinds:
            return found.kinds[kind]
        return found.private if visibility is Visibility.PRIVATE else found.channel

    def report_group(self, channel: Channel) -> Channel:
        """The channel under which the six-channel reports show this one."""
        return self.report_groups.get(channel, channel)


def load_channels(path: Path) -> ChannelRegister:
    """The table of channels.yml; MappingInvalid with everything that is wrong in it."""
    findings = Findings(path.name)
    root = read_yaml(path, findings)
    networks: dict[str, Network] = {}
    groups: dict[Channel, Channel] = {}
    days = 7
    if root is not None and findings.closed(root, ("reopen_days", "report_groups", "networks"), ("networks",)):
        days = findings.number(root.get("reopen_days"), days)
        groups = _groups(root.get("report_groups"), findings)
        for name, node in (root.get("networks") or root).items():
            networks[name] = _network(name, node, findings)
    names = _names(networks, root, findings)
    if findings.problems:
        raise MappingInvalid(findings.problems)
    return ChannelRegister(networks, groups, days, names)


def _groups(node: Node | None, findings: Findings) -> dict[Channel, Channel]:
    if node is None or not findings.closed(node, _CHANNELS):
        return {}
    return {Channel(key): _channel(each, findings) for key, each in node.items()}


def _network(name: str, node: Node, findings: Findings) -> Network:
    findings.closed(node, ("title", "aliases", "channel", "private", "kinds"), ("title", "channel"))
    channel = _channel(node.get("channel"), findings)
    private = node.get("private")
    kinds = node.get("kinds")
    table = {}
    if kinds is not None and findings.closed(kinds, _KINDS):
        table = {Kind(key): _channel(each, findings) for key, each in kinds.items()}
    return Network(
        name=name,
        title=findings.text(node.get("title"), name),
        channel=channel,
        private=_channel(private, findings) if private else channel,
        kinds=table,
        aliases=findings.texts(node.get("aliases")),
    )


def _channel(node: Node | None, findings: Findings) -> Channel:
    return Channel(findings.choice(node, _CHANNELS, Channel.SOCIAL.value))


def _names(networks: Mapping[str, Network], root: Node | None, findings: Findings) -> dict[str, str]:
    names = {name: name for name in networks}
    for network in networks.values():
        for alias in network.aliases:
            if names.setdefault(alias, network.name) != network.name and root is not None:
                findings.add(root, f"The alias `{alias}` belongs to two networks.", "Keep it with one.")
    return names
