"""What the CRM mapping writes into restricted picklists is in the package's value sets."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
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


@pytest.mark.parametrize(
    ("table", "field"),
    [
        ("link_status", "Social_Profile__c/fields/Link_Status__c"),
        ("link_method", "Social_Profile__c/fields/Link_Method__c"),
        ("state", "Channel_Interaction__c/fields/State__c"),
    ],
)
def test_every_word_that_is_written_is_a_value_of_its_field(table: str, field: str) -> None:
    mapping = yaml.safe_load((ROOT / "mappings" / "crm" / "salesforce.yml").read_text(encoding="utf-8"))
    tree = ET.parse(SETS.parent / "objects" / f"{field}.field-meta.xml")
    known = {each.text for each in tree.findall("m:valueSet/m:valueSetDefinition/m:value/m:fullName", NAMESPACE)}
    assert known
    assert set(mapping["values"][table].values()) - known == set()
