"""Rules by which a real org refuses a package that is well-formed: lengths, names, what must stand where.

The Metadata WSDL tells none of them. Each is a documented limit of the platform, or what every public package keeps to.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from lxml import etree

from connector.crm.package import NAMESPACE, package_root

ROOT = package_root() / "main" / "default"
NS = {"m": NAMESPACE}
FIELDS = sorted(ROOT.glob("objects/*/fields/*-meta.xml"))
OBJECTS = sorted(ROOT.glob("objects/*/*.object-meta.xml"))
LAYOUTS = sorted(ROOT.glob("layouts/*-meta.xml"))
VALUES = sorted([*ROOT.glob("globalValueSets/*-meta.xml"), *FIELDS])
CUSTOM_NAME = re.compile(r"(?=.{1,43}$)[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*__c")
RELATIONSHIP = re.compile(r"(?=.{1,40}$)[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
SYSTEM = {"Name", "CreatedById", "LastModifiedById", "OwnerId"}


def _root(file: Path) -> etree._Element:
    return etree.parse(file).getroot()


def _text(root: etree._Element, name: str) -> str:
    return str(root.findtext(f"m:{name}", "", NS))


def _all(root: etree._Element, path: str) -> list[str]:
    return [str(each.text) for each in root.iterfind("/".join(f"m:{part}" for part in path.split("/")), NS)]


def _fields_of(obj: str) -> set[str]:
    return {file.name.split(".")[0] for file in FIELDS if file.parents[1].name == obj}


def _ids(files: list[Path]) -> list[str]:
    return [file.relative_to(ROOT).as_posix() for file in files]


@pytest.mark.parametrize("file", FIELDS, ids=_ids(FIELDS))
def test_a_field_keeps_to_the_lengths_and_names_of_the_platform(file: Path) -> None:
    root = _root(file)
    name, kind = _text(root, "fullName"), _text(root, "type")
    assert name == file.name.removesuffix(".field-meta.xml")
    assert CUSTOM_NAME.fullmatch(name)
    assert 0 < len(_text(root, "label")) <= 40
    assert len(_text(root, "description")) <= 1000
    if kind == "Text":
        assert 0 < int(_text(root, "length")) <= 255
        assert (_text(root, "unique") == "true") is (root.find("m:caseSensitive", NS) is not None)
    if kind == "Number":
        assert 0 <= int(_text(root, "scale")) < int(_text(root, "precision")) <= 18
    if kind == "Checkbox":
        assert _text(root, "defaultValue") in ("true", "false")
    if kind == "Lookup":
        assert RELATIONSHIP.fullmatch(_text(root, "relationshipName"))
        assert 0 < len(_text(root, "relationshipLabel")) <= 80
        assert (_text(root, "required"), _text(root, "deleteConstraint")) == ("false", "SetNull")
    if root.find("m:formula", NS) is not None:
        assert len(_text(root, "formula")) <= 3900
        assert "true" not in (_text(root, "trackHistory"), _text(root, "required"))


def test_nothing_hangs_on_what_an_org_may_have_switched_off() -> None:
    for file in OBJECTS:
        assert _root(file).find("m:externalSharingModel", NS) is None, "refused where external sharing is off"
    for file in FIELDS:
        if file.parents[1].name == "Case":
            assert _root(file).find("m:trackHistory", NS) is None, "refused where the history of cases is off"


def test_no_parent_has_two_lists_of_children_under_one_name() -> None:
    lists = Counter(
        (_text(root, "referenceTo"), _text(root, "relationshipName").lower())
        for root in map(_root, FIELDS)
        if root.find("m:relationshipName", NS) is not None
    )
    assert [each for each, times in lists.items() if times > 1] == []


@pytest.mark.parametrize("file", VALUES, ids=_ids(VALUES))
def test_values_of_a_picklist_differ_also_by_label_and_one_at_most_is_the_default(file: Path) -> None:
    values = [each for tag in ("customValue", "value") for each in _root(file).iter(f"{{{NAMESPACE}}}{tag}")]
    for part in ("fullName", "label"):
        words = [_text(each, part).casefold() for each in values]
        assert [word for word, times in Counter(words).items() if times > 1] == []
        assert all(0 < len(word) <= 255 for word in words)
    assert sum(_text(each, "default") == "true" for each in values) <= 1


@pytest.mark.parametrize("file", OBJECTS, ids=_ids(OBJECTS))
def test_an_object_has_what_a_deployment_needs_and_shows_only_what_it_has(file: Path) -> None:
    root, obj = _root(file), file.parent.name
    assert CUSTOM_NAME.fullmatch(obj)
    assert 0 < len(_text(root, "label")) <= 40
    assert 0 < len(_text(root, "pluralLabel")) <= 40
    assert (_text(root, "deploymentStatus"), _text(root, "nameField/m:type")) == ("Deployed", "AutoNumber")
    # The platform takes these three together or not at all.
    assert {_text(root, name) for name in ("enableBulkApi", "enableSharing", "enableStreamingApi")} == {"true"}
    own = [_root(each) for each in FIELDS if each.parents[1].name == obj]
    tracked = [each for each in own if _text(each, "trackHistory") == "true"]
    assert len(tracked) <= (20 if _text(root, "enableHistory") == "true" else 0)
    assert sum(_text(each, "externalId") == "true" for each in own) <= 25
    known = _fields_of(obj)
    searched = root.find("m:searchLayouts", NS)
    assert searched is not None
    assert {str(each.text) for each in searched} <= known
    for view in file.parent.glob("listViews/*-meta.xml"):
        columns = _all(_root(view), "columns")
        assert set(columns) <= known | {"NAME"}
        assert len(columns) <= 15
    for layout in file.parent.glob("compactLayouts/*-meta.xml"):
        assert 0 < len(_all(_root(layout), "fields")) <= 10
        assert set(_all(_root(layout), "fields")) <= known
        assert _text(root, "compactLayoutAssignment") == _text(_root(layout), "fullName")


def test_each_object_has_the_layout_that_the_org_makes_for_it_by_default() -> None:
    expected = {f"{file.parent.name}-{_text(_root(file), 'label')} Layout.layout-meta.xml" for file in OBJECTS}
    assert {file.name for file in LAYOUTS} == expected, "by another name nobody would be shown it"


@pytest.mark.parametrize("file", LAYOUTS, ids=_ids(LAYOUTS))
def test_a_layout_shows_every_field_once_and_lets_nobody_edit_one_by_hand(file: Path) -> None:
    root, obj = _root(file), file.name.split("-")[0]
    items = [
        (_text(each, "field"), _text(each, "behavior"))
        for each in root.iterfind("m:layoutSections/m:layoutColumns/m:layoutItems", NS)
    ]
    required = {
        each.name.split(".")[0]
        for each in FIELDS
        if each.parents[1].name == obj and _text(_root(each), "required") == "true"
    }
    assert Counter(name for name, _ in items) == Counter(_fields_of(obj) | SYSTEM)
    assert {name for name, behavior in items if behavior == "Required"} == required
    assert {name for name, behavior in items if behavior == "Edit"} == {"OwnerId"}
    for related in root.iterfind("m:relatedLists", NS):
        child, _, lookup = _text(related, "relatedList").partition(".")
        assert lookup in _fields_of(child)
        assert set(_all(related, "fields")) <= _fields_of(child) | {"NAME"}


@pytest.mark.parametrize("file", sorted(ROOT.glob("permissionsets/*-meta.xml")), ids=lambda file: file.name)
def test_a_permission_set_grants_what_is_there_and_says_it_once(file: Path) -> None:
    root = _root(file)
    assert len(_text(root, "label")) <= 80
    assert len(_text(root, "description")) <= 255
    assert root.find("m:license", NS) is None, "a licence would keep every other kind of user out"
    for path in ("fieldPermissions/field", "objectPermissions/object", "userPermissions/name"):
        names = _all(root, path)
        assert names == sorted(set(names)), path
    assert set(_all(root, "userPermissions/enabled")) <= {"true"}
    assert set(_all(root, "tabSettings/tab")) <= {each.name.split(".")[0] for each in ROOT.glob("tabs/*")}
    for each in root.iterfind("m:objectPermissions", NS):
        may = {right.tag.rpartition("}")[2] for right in each if right.text == "true"}
        assert "allowRead" in may, "the org adds what a right depends on, or refuses it"
