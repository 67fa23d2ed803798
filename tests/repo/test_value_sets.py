"""What the CRM mapping writes into restricted picklists is in the package's value sets."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import yaml

from connector.domain.channels import Channel

ROOT = Path(__file__).resolve().parents[2]
SETS = ROOT / "salesforce" / "force-app" / "main" / "default" / "globalValueSets"
NAMESPACE = {"m": "http://soap.sforce.com/2006/04/metadata"}


def values_of(name: str) -> set[str]:
    tree = ET.parse(SETS / f"{name}.globalValueSet-meta.xml")
    return {each.text or "" for each in tree.findall("m:customValue/m:fullName", NAMESPACE)}


def test_every_network_that_is_written_is_in_the_value_set() -> None:
    mapping = yaml.safe_load((ROOT / "mappings" / "crm" / "salesforce.yml").read_text(encoding="utf-8"))
    network = mapping["values"]["network"]
    written = {*network["same"], *network.get("renamed", {}).values(), network["other"]}
    assert written - values_of("Social_Network") == set()


def test_every_network_of_the_register_keeps_its_name_in_the_crm() -> None:
    mapping = yaml.safe_load((ROOT / "mappings" / "crm" / "salesforce.yml").read_text(encoding="utf-8"))
    register = yaml.safe_load((ROOT / "mappings" / "channels.yml").read_text(encoding="utf-8"))
    assert set(register["networks"]) - set(mapping["values"]["network"]["same"]) == set()


def test_every_channel_is_in_the_value_set() -> None:
    assert set(Channel) - values_of("Service_Channel") == set()
