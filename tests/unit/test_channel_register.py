"""Channels: every network has one name, and every event one channel."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.domain.channels import Channel, Kind, Visibility
from connector.errors import MappingInvalid
from connector.mapping.channels import load_channels
from tests.corpus import ROOT

REGISTER = load_channels(ROOT / "mappings" / "channels.yml")


@pytest.mark.parametrize(
    ("name", "canonical"),
    [("twitter", "x"), ("X", "x"), (" Facebook_Page ", "facebook"), ("Web Chat", "chat"), ("orkut", None), ("", None)],
)
def test_a_network_is_known_by_any_of_its_names(name: str, canonical: str | None) -> None:
    assert REGISTER.canonical_network(name) == canonical


@pytest.mark.parametrize(
    ("network", "kind", "visibility", "channel"),
    [
        ("x", Kind.MENTION, Visibility.PUBLIC, Channel.SOCIAL),
        ("x", Kind.MESSAGE, Visibility.PRIVATE, Channel.MESSAGING),
        ("x", Kind.PROFILE_CHANGE, None, Channel.SOCIAL),
        ("messenger", Kind.MESSAGE, Visibility.PRIVATE, Channel.MESSAGING),
        ("whatsapp", Kind.CALL, Visibility.PRIVATE, Channel.PHONE),
        ("sms", Kind.MESSAGE, Visibility.PRIVATE, Channel.SMS),
        ("phone", Kind.CALL, Visibility.PRIVATE, Channel.PHONE),
        ("email", Kind.EMAIL, Visibility.PRIVATE, Channel.EMAIL),
        ("chatwoot", Kind.MESSAGE, Visibility.PRIVATE, Channel.CHAT),
        ("discourse", Kind.COMMENT, Visibility.PRIVATE, Channel.COMMUNITY),
        ("trustpilot", Kind.REVIEW, Visibility.PUBLIC, Channel.REVIEW),
        ("zendesk", Kind.TICKET_CREATED, Visibility.PUBLIC, Channel.SELF_SERVICE),
    ],
)
def test_an_event_counts_under_one_channel(
    network: str, kind: Kind, visibility: Visibility | None, channel: Channel
) -> None:
    assert REGISTER.channel_for(network, kind, visibility) is channel


def test_six_channel_reports_group_the_nine() -> None:
    groups = {channel: REGISTER.report_group(channel) for channel in Channel}
    assert groups[Channel.MESSAGING] is groups[Channel.REVIEW] is groups[Channel.SOCIAL] is Channel.SOCIAL
    assert groups[Channel.SMS] is groups[Channel.PHONE] is Channel.PHONE
    assert len(set(groups.values())) == 6
    assert REGISTER.reopen_days == 7


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("networks: {a: {title: A, channel: socail}}", "not allowed"),
        ("networks: {a: {title: A}}", "`channel` is missing"),
        ("networks: {a: {title: A, channel: social, kinds: {cal: phone}}}", "unknown"),
        ("networks: {a: {title: A, channel: social, aliases: [b]}, b: {title: B, channel: chat}}", "two networks"),
        ("networks: {}\nreport_groups: {sms: fone}", "not allowed"),
        ("networks: {}\nreopen_days: soon", "whole number"),
        ("x: 1", "`networks` is missing"),
    ],
)
def test_a_wrong_register_says_so(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "channels.yml"
    path.write_text(text, "utf-8")
    with pytest.raises(MappingInvalid) as raised:
        load_channels(path)
    assert any(what in each.what for each in raised.value.problems)
