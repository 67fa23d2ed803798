"""The Salesforce package is well-formed, complete for what the connector writes, and composes to the same bytes."""

from __future__ import annotations

import json
import re
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
import yaml
from lxml import etree

from connector.crm import package
from connector.crm.package import METADATA_VERSION, NAMESPACE, compose_zip, package_root
from connector.domain.channels import AuthorRole, Channel, Direction, Visibility
from connector.errors import Misconfigured
from connector.flows.sync import fields_read
from connector.flows.writeback import fields_written
from connector.mapping.crm import load_crm_mapping
from connector.settings import default_mappings_dir
from tests.repo.metadata_wsdl import problems_in

ROOT = package_root() / "main" / "default"
FILES = sorted(ROOT.rglob("*-meta.xml"))
NS = {"m": NAMESPACE}
FIELD = ROOT / "objects/Case/fields/Channel__c.field-meta.xml"


def _xml(path: str) -> etree._Element:
    return etree.parse(ROOT / path).getroot()


def _values(root: etree._Element, tag: str = "customValue") -> list[str]:
    return [str(value.findtext("m:fullName", namespaces=NS)) for value in root.iter(f"{{{NAMESPACE}}}{tag}")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_file_fits_the_metadata_wsdl(file: Path) -> None:
    assert problems_in(file.read_bytes()) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("<type>Picklist</type>", "<type>PickList</type>", "is no FieldType"),
        ("<restricted>true", "<restriced>true</restriced><restricted>true", "unknown element"),
        ("</CustomField>", "", "not well-formed"),
        ("<required>false", "<required>no", "is no boolean"),
        ("<label>", "<label>Twice</label><label>", "may stand once"),
        ("CustomField", "CustomFeld", "unknown metadata type"),
        ("<valueSetName>Service_Channel</valueSetName>", "", ""),
    ],
)
def test_the_check_sees_what_is_seeded(old: str, new: str, problem: str) -> None:
    content = FIELD.read_text(encoding="utf-8")
    assert old in content
    found = problems_in(content.replace(old, new).encode())
    assert (not found) if not problem else problem in found[0]


def test_the_check_sees_a_missing_element() -> None:
    content = (ROOT / "globalValueSets/Service_Channel.globalValueSet-meta.xml").read_text(encoding="utf-8")
    assert problems_in(content.replace("<sorted>false</sorted>", "").encode()) == ["GlobalValueSet: sorted is missing"]


def test_two_compositions_are_the_same_bytes() -> None:
    assert compose_zip() == compose_zip()


def test_the_zip_lists_every_component_it_holds_and_nothing_else() -> None:
    with zipfile.ZipFile(BytesIO(compose_zip())) as archive:
        names = set(archive.namelist())
        manifest = etree.fromstring(archive.read("package.xml"))
        case = etree.fromstring(archive.read("objects/Case.object"))
    members = {
        (types.findtext("m:name", namespaces=NS), member.text)
        for types in manifest.iterfind("m:types", NS)
        for member in types.iterfind("m:members", NS)
    }
    assert manifest.findtext("m:version", namespaces=NS) == METADATA_VERSION
    assert ("CustomObject", "Social_Profile__c") in members
    assert ("CustomObject", "Case") not in members, "a standard object is extended, not deployed"
    fields = {("CustomField", f"Case.{name.text}") for name in case.iterfind("m:fields/m:fullName", NS)}
    assert fields == {member for member in members if member[0] == "CustomField"}
    assert {f"permissionsets/{name}.permissionset" for kind, name in members if kind == "PermissionSet"} <= names


def test_the_orgs_own_tool_sends_the_same_version_in_which_value_sets_keep_their_names() -> None:
    project = json.loads((package_root().parent / "sfdx-project.json").read_text(encoding="utf-8"))
    assert project["sourceApiVersion"] == METADATA_VERSION
    assert float(METADATA_VERSION) < 57


def test_composed_objects_fit_the_wsdl_too() -> None:
    with zipfile.ZipFile(BytesIO(compose_zip())) as archive:
        for name in archive.namelist():
            assert problems_in(archive.read(name)) == [], name


def test_bundles_and_folders_keep_their_files_and_leave_tests_out(tmp_path: Path) -> None:
    base = tmp_path / "main" / "default"
    files = {
        "lwc/timeline/timeline.js": "export default 1;",
        "lwc/timeline/timeline.js-meta.xml": f'<LightningComponentBundle xmlns="{NAMESPACE}"/>',
        "lwc/timeline/__tests__/timeline.test.js": "test",
        "reports/Cross.reportFolder-meta.xml": f'<ReportFolder xmlns="{NAMESPACE}"/>',
        "reports/Cross/Volume.report-meta.xml": f'<Report xmlns="{NAMESPACE}"/>',
    }
    for name, content in files.items():
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(content, encoding="utf-8")
    with zipfile.ZipFile(BytesIO(compose_zip(tmp_path))) as archive:
        names = archive.namelist()
        manifest = archive.read("package.xml").decode()
    assert names == [
        "lwc/timeline/timeline.js",
        "lwc/timeline/timeline.js-meta.xml",
        "package.xml",
        "reports/Cross-meta.xml",
        "reports/Cross/Volume.report",
    ]
    assert "<members>timeline</members>" in manifest
    assert "<members>Cross/Volume</members>" in manifest


@pytest.mark.parametrize(
    ("path", "content", "problem"),
    [
        ("classes/Any.cls-meta.xml", "<a/>", "folder this release cannot deploy: classes"),
        ("objects/Case/triggers/Any.trigger-meta.xml", "<a/>", "folder this release cannot deploy: triggers"),
        ("objects/Case/fields/Any.field-meta.xml", "<a>", "not well-formed"),
    ],
)
def test_what_cannot_be_composed_is_refused_with_its_name(
    tmp_path: Path, path: str, content: str, problem: str
) -> None:
    file = tmp_path / "main" / "default" / path
    file.parent.mkdir(parents=True)
    file.write_text(content, encoding="utf-8")
    with pytest.raises(Misconfigured, match=problem):
        compose_zip(tmp_path)


def test_a_folder_without_a_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="no Salesforce package"):
        compose_zip(tmp_path)


def test_value_sets_hold_the_words_of_the_domain() -> None:
    interaction = "objects/Channel_Interaction__c/fields"
    assert _values(_xml("globalValueSets/Service_Channel.globalValueSet-meta.xml")) == list(Channel)
    for name, words in (("Direction__c", Direction), ("Visibility__c", Visibility), ("Author_Role__c", AuthorRole)):
        assert _values(_xml(f"{interaction}/{name}.field-meta.xml"), "value") == list(words)


def test_every_network_of_the_mappings_is_a_value_of_the_package() -> None:
    channels = package_root().parents[1] / "mappings" / "channels.yml"
    networks = set(yaml.safe_load(channels.read_text(encoding="utf-8"))["networks"])
    known = set(_values(_xml("globalValueSets/Social_Network.globalValueSet-meta.xml")))
    assert networks - known == set(), "add these to Social_Network.globalValueSet-meta.xml"


def test_keys_are_external_ids_unique_and_tell_cases_apart() -> None:
    for path in (
        "Social_Profile__c/fields/Profile_Key__c",
        "Channel_Interaction__c/fields/Interaction_Key__c",
        "Case/fields/Connector_Key__c",
    ):
        root = _xml(f"objects/{path}.field-meta.xml")
        flags = [root.findtext(f"m:{name}", namespaces=NS) for name in ("externalId", "unique", "caseSensitive")]
        assert flags == ["true", "true", "true"], path


def test_every_reference_is_a_lookup_that_lets_its_parent_go() -> None:
    for file in ROOT.glob("objects/*/fields/*-meta.xml"):
        root = etree.parse(file).getroot()
        if root.find("m:referenceTo", NS) is not None:
            assert root.findtext("m:type", namespaces=NS) == "Lookup", file.name
            assert root.findtext("m:deleteConstraint", namespaces=NS) == "SetNull", file.name


def test_permission_sets_name_every_field_that_is_not_required_and_only_those() -> None:
    optional: set[str] = set()
    required: set[str] = set()
    for file in ROOT.glob("objects/*/fields/*-meta.xml"):
        name = f"{file.parents[1].name}.{file.name.split('.')[0]}"
        is_required = etree.parse(file).getroot().findtext("m:required", namespaces=NS) == "true"
        (required if is_required else optional).add(name)
    assert required, "the keys are required"
    for file in ROOT.glob("permissionsets/*-meta.xml"):
        named = {str(one.text) for one in etree.parse(file).getroot().iterfind("m:fieldPermissions/m:field", NS)}
        assert {one for one in named if one.endswith("__c")} == optional, file.name


ALWAYS_SEEN = frozenset(
    [
        "Account.Name",
        "Case.CaseNumber",
        "Case.ClosedDate",
        "Case.CreatedDate",
        "Case.Id",
        "Case.IsClosed",
        "Case.IsDeleted",
        "Case.MasterRecordId",
        "Case.OwnerId",
        "Case.Status",
        "Case.SystemModstamp",
        "Contact.FirstName",
        "Contact.Id",
        "Contact.IsDeleted",
        "Contact.LastName",
        "Contact.MasterRecordId",
        "Contact.SystemModstamp",
        "User.Id",
        "User.IsActive",
        "User.Name",
        "User.SystemModstamp",
        "User.UserType",
    ]
)
"""Standard fields that the org puts under no field permission: it refuses a permission set that names one."""

IN_AN_ADDRESS = re.compile(r"(Mailing)(City|State|Country)$")


def test_the_integration_may_see_and_edit_just_what_the_connector_reads_and_writes() -> None:
    mapping = load_crm_mapping(default_mappings_dir() / "crm" / "salesforce.yml")
    needed = {name: each.fields for name, each in fields_read(mapping).items() if each.is_needed}
    read = {
        f"{name}.{IN_AN_ADDRESS.sub('MailingAddress', field)}" for name, fields in needed.items() for field in fields
    }
    written = {f"{name}.{field}" for name, each in fields_written(mapping).items() for field in each.fields}
    assert {"Case.Subject", "Case.ParentId", "Case.Social_Profile__c", "Channel_Interaction__c.Case__c"} < written
    granted = _granted("Cross_Channel_Integration")
    keys = {f"{each.name}.{each.key}" for each in mapping.objects.values() if each.kind != "case"}
    assert written - keys - ALWAYS_SEEN == {name for name, may_edit in granted.items() if may_edit}
    people_only = {name for name, may_edit in granted.items() if not may_edit and name.endswith("_Seconds__c")}
    assert (read | written) - keys - ALWAYS_SEEN == set(granted) - people_only


def test_the_integration_deletes_nothing_and_never_writes_a_contact() -> None:
    root = _xml("permissionsets/Cross_Channel_Integration.permissionset-meta.xml")
    allowed = {
        str(each.findtext("m:object", namespaces=NS)): {
            str(right.tag).rpartition("}")[2] for right in each if right.text == "true"
        }
        for each in root.iterfind("m:objectPermissions", NS)
    }
    reads, writes = {"allowRead", "viewAllRecords"}, {"allowRead", "viewAllRecords", "allowCreate", "allowEdit"}
    ours = dict.fromkeys(("Case", "Channel_Interaction__c", "Social_Profile__c"), writes)
    assert allowed == {"Account": reads, "Contact": reads, **ours}


def _granted(permission_set: str) -> dict[str, bool]:
    root = _xml(f"permissionsets/{permission_set}.permissionset-meta.xml")
    return {
        str(each.findtext("m:field", namespaces=NS)): each.findtext("m:editable", namespaces=NS) == "true"
        for each in root.iterfind("m:fieldPermissions", NS)
    }


def test_people_can_link_nothing_by_hand() -> None:
    agent = _xml("permissionsets/Cross_Channel_Agent.permissionset-meta.xml")
    editable = [one.text for one in agent.iterfind("m:fieldPermissions/m:editable", NS)]
    assert set(editable) == {"false"}


def test_an_installed_wheel_finds_its_own_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "__file__", str(tmp_path / "connector" / "crm" / "package.py"))
    with pytest.raises(Misconfigured, match="not part of this installation"):
        package_root()
    inside = tmp_path / "connector" / "_data" / "salesforce" / "force-app"
    inside.mkdir(parents=True)
    assert package_root() == inside
