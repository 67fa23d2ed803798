"""The CRM mapping file: typed, closed, all problems at once; and the shipped one fits the shipped package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml import etree

from connector.crm.package import package_root
from connector.errors import MappingInvalid
from connector.mapping.channels import load_channels
from connector.mapping.crm import load_crm_mapping
from connector.settings import default_mappings_dir

SHIPPED = default_mappings_dir() / "crm" / "salesforce.yml"
OBJECTS = package_root() / "main" / "default" / "objects"
NS = {"m": "http://soap.sforce.com/2006/04/metadata"}
STANDARD = {"Subject", "Status", "Priority", "Origin", "ContactId"}


def changed(tmp_path: Path, *edits: tuple[str, str]) -> Path:
    """The shipped file with some of its text replaced."""
    text = SHIPPED.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "salesforce.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_problem_is_told_at_once_with_its_line_and_cure(tmp_path: Path) -> None:
    path = changed(
        tmp_path,
        ("Network__c: network", "Network__c: netwrok"),
        ("assign: true", "assign: perhaps"),
        ("    hold: On Hold\n", ""),
        ("channel: phone, network: phone", "channel: telepathy, network: phone"),
        ("  new_status: New\n", "  new_status: New\n  colour: blue\n"),
    )
    with pytest.raises(MappingInvalid) as raised:
        load_crm_mapping(path)
    told = "\n".join(str(each) for each in raised.value.problems)
    assert len(raised.value.problems) == 5
    for words in ("Did you mean `network`?", "true or false", "`hold` is missing", "telepathy", "`colour` is unknown"):
        assert words in told
    assert all(re.match(r"salesforce\.yml:\d+ ", str(each)) for each in raised.value.problems)


def test_a_file_that_is_no_mapping_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "salesforce.yml"
    path.write_text("- just\n- a list\n", encoding="utf-8")
    with pytest.raises(MappingInvalid):
        load_crm_mapping(path)


def test_a_field_may_be_renamed_or_left_out(tmp_path: Path) -> None:
    path = changed(tmp_path, ("      Handle__c: {value: handle, cut: 255}\n", ""), ("Last_Seen_At__c:", "Seen__c:"))
    fields = load_crm_mapping(path).objects["profile"].fields
    assert "Handle__c" not in fields
    assert fields["Seen__c"].value == "last_seen_at"


@pytest.mark.parametrize("kind", ["profile", "case", "interaction"])
def test_every_field_written_is_in_the_package_and_texts_are_cut_to_its_length(kind: str) -> None:
    obj = load_crm_mapping(SHIPPED).objects[kind]
    for name, rule in {obj.key: None, **obj.fields, **obj.once}.items():
        if name in STANDARD:
            continue
        file = OBJECTS / obj.name / "fields" / f"{name}.field-meta.xml"
        assert file.is_file(), f"{obj.name}.{name} is not in the package"
        length = etree.parse(file).findtext("m:length", namespaces=NS)
        if rule is not None and length and rule.value not in ("link_ref", "source_record_id"):
            assert rule.cut == int(length), f"{obj.name}.{name}"


def test_what_is_written_into_restricted_picklists_is_among_their_values() -> None:
    mapping = load_crm_mapping(SHIPPED)
    values = OBJECTS.parent / "globalValueSets"
    networks = etree.parse(values / "Social_Network.globalValueSet-meta.xml").findall(".//m:fullName", NS)
    known = {each.text for each in networks}
    assert {*mapping.networks.values(), mapping.other_network} <= known
    for field, used in (("Link_Status__c", mapping.link_status), ("Link_Method__c", mapping.link_method)):
        tree = etree.parse(OBJECTS / "Social_Profile__c" / "fields" / f"{field}.field-meta.xml")
        assert set(used.values()) <= {each.text for each in tree.findall(".//m:fullName", NS)}


def test_origins_name_networks_that_exist() -> None:
    table = load_channels(default_mappings_dir() / "channels.yml")
    for name, origin in load_crm_mapping(SHIPPED).origins.items():
        assert table.canonical_network(origin.network) == origin.network, name


def test_every_network_of_the_register_keeps_its_name_in_the_crm() -> None:
    mapping = load_crm_mapping(SHIPPED)
    for name in load_channels(default_mappings_dir() / "channels.yml").networks:
        assert mapping.network(name) == name
    assert mapping.network("somewhere new") == "other"


def test_the_fields_that_hold_order_numbers_are_named_or_there_are_none(tmp_path: Path) -> None:
    assert load_crm_mapping(SHIPPED).order_fields == ()
    named = changed(tmp_path, ("# contact:\n#   orders:", "contact:\n  orders:"))
    assert load_crm_mapping(named).order_fields == ("Order_Numbers__c",)


def test_a_wrong_name_of_a_field_with_order_numbers_is_told(tmp_path: Path) -> None:
    path = changed(tmp_path, ("# contact:\n#   orders: [Order_Numbers__c]", "contact:\n  orders: [Order Numbers]"))
    with pytest.raises(MappingInvalid) as raised:
        load_crm_mapping(path)
    (problem,) = raised.value.problems
    assert "`Order Numbers` is no field's name. Write its API name" in str(problem)
