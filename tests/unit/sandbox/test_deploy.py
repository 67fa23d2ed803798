"""A deployed package becomes schema, whole or not at all, and says what is wrong with it."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from typing import Any

import pytest

from connector.crm.package import compose_zip
from tests.unit.sandbox.conftest import Caller, MakeOrg

XMLNS = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
OBJECT = (
    "<label>Thing</label><pluralLabel>Things</pluralLabel><sharingModel>Read</sharingModel>"
    "<nameField><label>Name</label><type>Text</type></nameField>"
)


NUMBER = "<precision>9</precision><scale>0</scale>"


def _field(kind: str, more: str = "", name: str = "Any__c", label: str = "<label>Any</label>") -> str:
    return f"<fields><fullName>{name}</fullName>{label}<type>{kind}</type>{more}</fields>"


def _object(*parts: str, head: str = OBJECT) -> str:
    return f"<CustomObject {XMLNS}>{head}{''.join(parts)}</CustomObject>"


def _zip(**files: str) -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("package.xml", f"<Package {XMLNS}><version>66.0</version></Package>")
        for name, content in files.items():
            folder, _, rest = name.partition("__")
            archive.writestr(f"{folder}/{rest.replace('__dot__', '.')}", content)
    return out.getvalue()


def _deploy(org: Caller, data: bytes, part: str = "json", **options: Any) -> dict[str, Any]:
    form = {"file": (BytesIO(data), "deploy.zip"), part: json.dumps({"deployOptions": options})}
    started = org.http.post(f"{org.base}/metadata/deployRequest", data=form, headers=org.headers)
    assert started.status_code == 201, started.text
    found: dict[str, Any] = org.send("GET", f"{started.get_json()['url']}?includeDetails=true").get_json()[
        "deployResult"
    ]
    return found


def _problems(result: dict[str, Any]) -> list[str]:
    assert result["success"] is False
    return [line["problem"] for line in result["details"]["componentFailures"]]


@pytest.fixture
def bare(make_org: MakeOrg) -> Caller:
    """An org without the package."""
    return make_org()


@pytest.mark.parametrize("part", ["json", "entity_content"])
def test_the_package_becomes_objects_fields_and_permission_sets(bare: Caller, part: str) -> None:
    result = _deploy(bare, compose_zip(), part)
    assert (result["status"], result["success"], result["done"]) == ("Succeeded", True, True)
    assert result["numberComponentsDeployed"] == result["numberComponentsTotal"] > 40
    assert bare.send("GET", "/sobjects/Channel_Interaction__c").status_code == 200
    assert bare.column("SELECT Name FROM PermissionSet ORDER BY Name") == [
        "Cross_Channel_Agent",
        "Cross_Channel_Integration",
    ]
    bare.upsert("Social_Profile__c", "Profile_Key__c", {"Profile_Key__c": "p", "Network__c": "x"})
    assert bare.column("SELECT Name FROM Social_Profile__c") == ["SP-0000001"]
    assert bare.column("SELECT Link_Status__c FROM Social_Profile__c") == ["Unlinked"]


def test_a_second_deploy_of_the_same_changes_nothing(bare: Caller) -> None:
    first, second = _deploy(bare, compose_zip()), _deploy(bare, compose_zip())
    flags = [{(line["created"], line["changed"]) for line in result["details"]["componentSuccesses"]}
             for result in (first, second)]  # fmt: skip
    assert flags == [{(True, True)}, {(False, False)}]
    assert len(bare.soql("SELECT Id FROM PermissionSet")) == 2


def test_a_check_alone_leaves_no_trace(bare: Caller) -> None:
    result = _deploy(bare, compose_zip(), checkOnly=True)
    assert (result["success"], result["checkOnly"]) == (True, True)
    assert bare.send("GET", "/sobjects/Social_Profile__c").status_code == 404
    assert {line["created"] for line in _deploy(bare, compose_zip())["details"]["componentSuccesses"]} == {True}


def test_new_fields_and_values_reach_an_object_with_rows(bare: Caller) -> None:
    values = f"<GlobalValueSet {XMLNS}>{{}}</GlobalValueSet>"
    value = "<customValue><fullName>{0}</fullName><default>false</default></customValue>"
    pick = _field("Picklist", "<valueSet><valueSetName>Kinds</valueSetName></valueSet>")
    assert _deploy(bare, _zip(globalValueSets__Kinds__dot__globalValueSet=values.format(value.format("a")),
                              **{"objects__Thing__c.object": _object(pick)}))["success"]  # fmt: skip
    bare.create("Thing__c", Name="one", Any__c="a")
    assert bare.send("POST", "/sobjects/Thing__c", {"Name": "two", "Any__c": "b"}).status_code == 400
    both = values.format(value.format("a") + value.format("b"))
    assert _deploy(bare, _zip(globalValueSets__Kinds__dot__globalValueSet=both))["success"]
    more = _field("Checkbox", "<defaultValue>true</defaultValue>", "Flag__c")
    assert _deploy(bare, _zip(**{"objects__Thing__c.object": _object(pick, more)}))["success"]
    bare.create("Thing__c", Name="two", Any__c="b")
    found = bare.soql("SELECT Name, Any__c, Flag__c FROM Thing__c ORDER BY Name")
    assert [(one["Any__c"], one["Flag__c"]) for one in found] == [("a", True), ("b", True)]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (_object(_field("Text")), "Must specify 'length'"),
        (_object(_field("Number")), "Must specify 'precision' and 'scale'"),
        (_object(_field("Checkbox")), "Must specify 'defaultValue'"),
        (_object(_field("Picklist")), "Must specify a valueSet"),
        (_object(_field("Picklist", "<valueSet/>")), "either valueSetName or valueSetDefinition"),
        (_object(_field("Picklist", "<valueSet><valueSetName>No</valueSetName></valueSet>")), "No was not found"),
        (_object(_field("Picklist", "<valueSet><valueSetDefinition/></valueSet>")), "at least one active value"),
        (_object(_field("PickList")), "'PickList' is not a valid value for the enum 'FieldType'"),
        (_object(_field("Date", name="Any")), "ends in __c"),
        (_object(_field("Date", label="")), "Required field is missing: label"),
        (_object(_field("Lookup", "<referenceTo>No__c</referenceTo>")), "referenceTo value of 'No__c'"),
        (_object(_field("Number", NUMBER + "<formula>No__c + 1</formula>")),
         "Field No__c does not exist"),
        (_object(_field("Number", NUMBER + "<formula>WHAT(1)</formula>")),
         "Unknown function WHAT"),
        (_object(_field("Number", NUMBER + "<formula>IF(1)</formula>")),
         "Incorrect number of parameters"),
        (_object(_field("Number", NUMBER + "<formula>1 +</formula>")), "Syntax error"),
        (_object(_field("Number", NUMBER + "<formula>CreatedDate + CreatedDate</formula>")),
         "can only be subtracted"),
        (_object(head="<label>Thing</label>"), "Must specify label, pluralLabel and nameField"),
        (_object(head=OBJECT.replace("<sharingModel>Read</sharingModel>", "")), "sharingModel"),
        (f"<CustomObject {XMLNS}>", "Error parsing file"),
    ],
)  # fmt: skip
def test_a_wrong_object_fails_with_its_reason_and_leaves_no_trace(bare: Caller, content: str, problem: str) -> None:
    result = _deploy(bare, _zip(**{"objects__Thing__c.object": content}))
    assert problem in _problems(result)[0]
    assert result["numberComponentsDeployed"] == 0
    assert bare.send("GET", "/sobjects/Thing__c").status_code == 404


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("objects__Nope.object", _object(), "Entity of type 'Nope' is not available"),
        ("permissionsets__P.permissionset", f"<PermissionSet {XMLNS}/>", "missing: label"),
        ("permissionsets__P.permissionset",
         f"<PermissionSet {XMLNS}><label>P</label><fieldPermissions><field>Case.No__c</field></fieldPermissions>"
         "</PermissionSet>", "no CustomField named Case.No__c"),
        ("permissionsets__P.permissionset",
         f"<PermissionSet {XMLNS}><label>P</label><objectPermissions><object>No__c</object></objectPermissions>"
         "</PermissionSet>", "no CustomObject named No__c"),
        ("tabs__Any.tab", "<CustomTab>", "Error parsing file"),
        ("globalValueSets__Any.globalValueSet", f"<GlobalValueSet {XMLNS}/>", "at least one active value"),
    ],
)  # fmt: skip
def test_a_wrong_component_fails_with_its_reason(bare: Caller, name: str, content: str, problem: str) -> None:
    assert problem in _problems(_deploy(bare, _zip(**{name: content})))[0]


def test_a_required_field_in_a_permission_set_is_refused(bare: Caller) -> None:
    permission = "<fieldPermissions><field>Thing__c.Any__c</field></fieldPermissions>"
    content = f"<PermissionSet {XMLNS}><label>P</label>{permission}</PermissionSet>"
    required = _object(_field("Text", "<length>10</length><required>true</required>"))
    result = _deploy(bare, _zip(**{"objects__Thing__c.object": required, "permissionsets__P.permissionset": content}))
    assert _problems(result) == ["You cannot deploy to a required field: Thing__c.Any__c"]


def test_the_type_of_a_field_stays(bare: Caller) -> None:
    assert _deploy(bare, _zip(**{"objects__Thing__c.object": _object(_field("Date"))}))["success"]
    result = _deploy(bare, _zip(**{"objects__Thing__c.object": _object(_field("DateTime"))}))
    assert _problems(result) == ["Cannot change the type of Any__c from date to datetime"]


def test_two_lookups_cannot_share_a_child_name(bare: Caller) -> None:
    look = "<referenceTo>Contact</referenceTo><relationshipName>Things</relationshipName>"
    result = _deploy(
        bare, _zip(**{"objects__Thing__c.object": _object(_field("Lookup", look), _field("Lookup", look, "B__c"))})
    )
    assert "already a Child Relationship named Things__r on Contact" in _problems(result)[0]


def test_a_master_takes_its_details_along(bare: Caller) -> None:
    look = "<referenceTo>Contact</referenceTo><relationshipName>Things</relationshipName>"
    assert _deploy(bare, _zip(**{"objects__Thing__c.object": _object(_field("MasterDetail", look))}))["success"]
    contact = bare.create("Contact", LastName="a")
    bare.create("Thing__c", Name="one", Any__c=contact)
    bare.send("DELETE", f"/sobjects/Contact/{contact}")
    assert bare.soql("SELECT Id FROM Thing__c") == []


def test_what_the_manifest_names_must_be_in_the_zip(bare: Caller) -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        types = "<types><members>No__c</members><members>*</members><name>CustomObject</name></types>"
        archive.writestr("src/package.xml", f"<Package {XMLNS}>{types}</Package>")
    assert "'No__c' of type CustomObject was named in package.xml" in _problems(_deploy(bare, out.getvalue()))[0]


def test_the_parts_of_an_object_may_be_listed_one_by_one_as_the_orgs_own_tool_does(bare: Caller) -> None:
    """Its manifest names list views and compact layouts, and never a standard object whose fields alone it brings."""
    out = BytesIO()
    with zipfile.ZipFile(BytesIO(compose_zip())) as ours, zipfile.ZipFile(out, "w") as theirs:
        for name in ours.namelist():
            if name != "package.xml":
                theirs.writestr(name, ours.read(name))
        listed = {"ListView": "Social_Profile__c.All", "CompactLayout": "Channel_Interaction__c.Overview"}
        types = "".join(f"<types><members>{each}</members><name>{kind}</name></types>" for kind, each in listed.items())
        theirs.writestr("package.xml", f"<Package {XMLNS}>{types}</Package>")
    result = _deploy(bare, out.getvalue())
    assert result["success"] is True
    told = {(line["componentType"], line["fullName"]) for line in result["details"]["componentSuccesses"]}
    assert {("ListView", "Social_Profile__c.All"), ("CustomField", "Case.Channel__c")} < told
    assert ("CustomObject", "Case") not in told


def test_a_zip_without_a_manifest_fails(bare: Caller) -> None:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("readme.txt", "a")
    assert "No package.xml found" in _problems(_deploy(bare, out.getvalue()))


def test_a_result_is_waited_for_as_long_as_the_org_is_told(make_org: MakeOrg) -> None:
    org = make_org(deploy_polls=2)
    form = {"file": (BytesIO(compose_zip()), "deploy.zip")}
    url = org.http.post(f"{org.base}/metadata/deployRequest", data=form, headers=org.headers).get_json()["url"]
    states = [org.send("GET", url).get_json()["deployResult"]["status"] for _ in range(3)]
    assert states == ["InProgress", "InProgress", "Succeeded"]
    assert "details" not in org.send("GET", url).get_json()["deployResult"]


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({}, 400),
        ({"file": (BytesIO(b"no zip"), "deploy.zip")}, 400),
        ({"file": (BytesIO(_zip()), "deploy.zip"), "json": "{"}, 400),
        ({"file": (BytesIO(_zip()), "deploy.zip"), "json": (BytesIO(b"{}"), "options.json")}, 201),
    ],
)
def test_a_wrong_request_is_refused(bare: Caller, form: dict[str, Any], status: int) -> None:
    assert bare.http.post(f"{bare.base}/metadata/deployRequest", data=form, headers=bare.headers).status_code == status
    assert bare.send("GET", "/metadata/deployRequest/nope").status_code == 404


def test_a_multi_select_picklist_holds_several_values(bare: Caller) -> None:
    values = "".join(f"<value><fullName>{name}</fullName><default>false</default></value>" for name in "abc")
    definition = f"<valueSet><restricted>true</restricted><valueSetDefinition>{values}</valueSetDefinition></valueSet>"
    pick = _field("MultiselectPicklist", definition)
    assert _deploy(bare, _zip(**{"objects__Thing__c.object": _object(pick)}))["success"]
    for name, chosen in (("1", "A;b"), ("2", "b;c"), ("3", None)):
        bare.create("Thing__c", Name=name, Any__c=chosen)
    assert bare.send("POST", "/sobjects/Thing__c", {"Name": "4", "Any__c": "a;x"}).status_code == 400
    found = {
        test: bare.column(f"SELECT Name FROM Thing__c WHERE Any__c {test} ORDER BY Name")
        for test in ("INCLUDES ('a')", "INCLUDES ('a;b', 'c')", "EXCLUDES ('a')", "= 'a;b'")
    }
    assert found == {
        "INCLUDES ('a')": ["1"],
        "INCLUDES ('a;b', 'c')": ["1", "2"],
        "EXCLUDES ('a')": ["2", "3"],
        "= 'a;b'": ["1"],
    }


@pytest.mark.parametrize(
    ("formula", "value"),
    [
        ("1 + 2 * 3", 7.0),
        ("-(4 - 6) / 4", 0.5),
        ("1 / 0", None),
        ("ABS(0 - 2)", 2.0),
        ("MAX(1, 3) - MIN(1, 3)", 2.0),
        ("IF(AND(TRUE, NOT(FALSE)) && OR(1 > 2, 2 >= 2), 1, 0)", 1.0),
        ("IF(ISPICKVAL(Status, \"New\") || FALSE, 1, NULL)", 1.0),
        ("IF(!ISBLANK(Subject), 1, 2)", 2.0),
        ("IF(TEXT(Priority) <> \"Low\", 1, 2)", 1.0),
        ("ROUND((CreatedDate + 1 - CreatedDate) * 24, 1)", 24.0),
        ("BLANKVALUE(Twice__c, 5)", 10.0),
    ],
)  # fmt: skip
def test_formulas_compute(bare: Caller, formula: str, value: float | None) -> None:
    number = "<precision>18</precision><scale>2</scale><formula>{}</formula>"
    escaped = formula.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    fields = (_field("Number", number.format("5 * 2"), "Twice__c"), _field("Number", number.format(escaped)))
    result = _deploy(bare, _zip(**{"objects__Case.object": _object(*fields, head="")}))
    assert result["success"], result["details"]["componentFailures"]
    bare.create("Case", Priority="High")
    assert bare.column("SELECT Any__c FROM Case") == [value]
