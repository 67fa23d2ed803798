"""Deploys: a zip of metadata becomes schema, all of it or none, with a line for every component."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import TYPE_CHECKING, Any

import orjson
from lxml import etree

from sandbox.errors import ApiError
from sandbox.ids import make_id
from sandbox.metadata import NS, ComponentInvalid, ValueSet, check_field, read_field, read_object, read_value_set, text
from sandbox.schema import Schema, SObject

if TYPE_CHECKING:
    from sandbox.org import Org

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


FOLDERS = {
    "applications": "CustomApplication", "customPermissions": "CustomPermission", "dashboards": "Dashboard",
    "externalClientApps": "ExternalClientApplication", "flexipages": "FlexiPage", "labels": "CustomLabels",
    "layouts": "Layout", "lwc": "LightningComponentBundle", "quickActions": "QuickAction", "reports": "Report",
    "reportTypes": "ReportType", "tabs": "CustomTab",
}  # fmt: skip
"""Folders of components that this org takes in and shows nowhere."""


PARTS = {
    "businessProcesses": "BusinessProcess", "compactLayouts": "CompactLayout", "fieldSets": "FieldSet",
    "indexes": "Index", "listViews": "ListView", "recordTypes": "RecordType", "sharingReasons": "SharingReason",
    "validationRules": "ValidationRule", "webLinks": "WebLink",
}  # fmt: skip
"""Parts of an object that this org takes in and shows nowhere; a package may list them one by one."""


@dataclass
class Component:
    """One line of the deploy's result."""

    kind: str
    name: str
    file: str
    digest: str = ""
    problem: str = ""


@dataclass
class Deploy:
    """A deploy being worked out on a copy of the schema; nothing of it shows before ``apply``."""

    org: Org
    files: dict[str, bytes]
    schema: Schema
    value_sets: dict[str, ValueSet]
    components: list[Component] = field(default_factory=list)
    changed: dict[str, SObject] = field(default_factory=dict)
    permission_sets: dict[str, etree._Element] = field(default_factory=dict)

    def work_out(self) -> None:
        """Reads every file and notes every problem."""
        objects = {name: data for name, data in self.files.items() if name.startswith("objects/")}
        rest = {name: data for name, data in self.files.items() if name not in objects and name != "package.xml"}
        for name in sorted(rest, key=lambda name: (not name.startswith("globalValueSets/"), name)):
            if name.startswith("globalValueSets/"):
                self._attempt("GlobalValueSet", name, rest[name], self._value_set)
        for name, data in sorted(objects.items()):
            self._attempt("CustomObject", name, data, self._object)
        # A standard object is not deployed: only its fields and parts are.
        self.components = [each for each in self.components if not _is_frame(each)]
        self._check_fields()
        for name, data in sorted(rest.items()):
            if name.startswith("permissionsets/"):
                self._attempt("PermissionSet", name, data, self._permission_set)
            elif not name.startswith("globalValueSets/"):
                self._attempt(_kind_of(name), name, data, lambda _name, _root: None)
        self._check_manifest()

    def _attempt(self, kind: str, file: str, data: bytes, read: Callable[[str, etree._Element], None]) -> None:
        name = file.partition("/")[2].rpartition(".")[0] or file
        component = Component(kind, name, file, hashlib.sha256(data).hexdigest())
        self.components.append(component)
        if not data.lstrip().startswith(b"<"):
            return
        try:
            read(name, etree.fromstring(data, etree.XMLParser(resolve_entities=False)))
        except etree.XMLSyntaxError as error:
            component.problem = f"Error parsing file: {error}"
        except ComponentInvalid as error:
            component.problem = str(error)

    def _value_set(self, name: str, root: etree._Element) -> None:
        self.value_sets[name] = read_value_set(root)
        for item in list(self.schema.objects.values()):
            using = [found for found in item.fields.values() if found.value_set == name]
            if using:
                values = self.value_sets[name]
                self._put(item.with_fields(*(replace(one, values=tuple(values), labels=values) for one in using)))

    def _put(self, item: SObject) -> None:
        self.schema.put(item)
        self.changed[item.name] = item

    def _object(self, name: str, root: etree._Element) -> None:
        item = self.schema.find(name)
        if item is None:
            if not name.endswith("__c"):
                raise ComponentInvalid(f"Entity of type '{name}' is not available in this organization")
            item = read_object(root, name, self._free_prefix())
        for element in root.iterfind(NS + "fields"):
            full_name = text(element, "fullName")
            component = Component("CustomField", f"{name}.{full_name}", f"objects/{name}.object")
            component.digest = hashlib.sha256(etree.tostring(element, method="c14n")).hexdigest()
            self.components.append(component)
            try:
                item = _with_field(item, element, self.value_sets)
            except ComponentInvalid as error:
                component.problem = str(error)
        self._parts(name, root)
        self._put(item)

    def _parts(self, name: str, root: etree._Element) -> None:
        for tag, kind in PARTS.items():
            for element in root.iterfind(NS + tag):
                component = Component(kind, f"{name}.{text(element, 'fullName')}", f"objects/{name}.object")
                component.digest = hashlib.sha256(etree.tostring(element, method="c14n")).hexdigest()
                self.components.append(component)

    def _free_prefix(self) -> str:
        used = {item.prefix for item in self.schema.objects.values()}
        return next(f"a0{char}" for char in _BASE62 if f"a0{char}" not in used)

    def _check_fields(self) -> None:
        for component in self.components:
            if component.kind != "CustomField" or component.problem:
                continue
            object_name, _, name = component.name.partition(".")
            item = self.schema.objects[object_name]
            try:
                check_field(self.schema, item, item.fields[name])
            except ComponentInvalid as error:
                component.problem = str(error)

    def _permission_set(self, name: str, root: etree._Element) -> None:
        if not text(root, "label"):
            raise ComponentInvalid("Required field is missing: label")
        for permission in root.iterfind(NS + "objectPermissions"):
            if self.schema.find(text(permission, "object")) is None:
                raise ComponentInvalid(f"In field: field - no CustomObject named {text(permission, 'object')} found")
        for permission in root.iterfind(NS + "fieldPermissions"):
            self._check_permission(text(permission, "field"))
        self.permission_sets[name] = root

    def _check_permission(self, full_name: str) -> None:
        object_name, _, name = full_name.partition(".")
        item = self.schema.find(object_name)
        found = item.by_lower.get(name.lower()) if item else None
        if item and found is None and f"{name.removesuffix('Address')}Street".lower() in item.by_lower:
            return  # an address is one field to permissions, though it is kept in parts
        if found is None:
            raise ComponentInvalid(f"In field: field - no CustomField named {full_name} found")
        if found.required and found.custom:
            raise ComponentInvalid(f"You cannot deploy to a required field: {full_name}")

    def _check_manifest(self) -> None:
        try:
            root = etree.fromstring(self.files["package.xml"], etree.XMLParser(resolve_entities=False))
        except (KeyError, etree.XMLSyntaxError):
            self.components.append(Component("", "package.xml", "package.xml", problem="No package.xml found"))
            return
        present = {(component.kind, component.name) for component in self.components}
        for types in root.iterfind(NS + "types"):
            kind = text(types, "name")
            for member in types.iterfind(NS + "members"):
                name = (member.text or "").strip()
                if name != "*" and (kind, name) not in present and not _is_inside(kind, name, present):
                    self.components.append(
                        Component(
                            kind, name, "package.xml",
                            problem=f"An object '{name}' of type {kind} was named in package.xml, but was not found in "
                            "zipped directory",
                        )
                    )  # fmt: skip

    @property
    def failures(self) -> list[Component]:
        """Components that cannot be deployed."""
        return [component for component in self.components if component.problem]

    def apply(self) -> None:
        """Makes the deploy visible."""
        for item in self.changed.values():
            self.org.keep_object(item)
        for name, values in self.value_sets.items():
            self.org.db.run("INSERT OR REPLACE INTO _setting VALUES (?, ?)", (f"values:{name}", orjson.dumps(values)))
        for name, root in self.permission_sets.items():
            if self.org.db.one("SELECT Id FROM PermissionSet WHERE Name = ?", (name,)) is None:
                self.org.insert("PermissionSet", Name=name, Label=text(root, "label"),
                                Description=text(root, "description")[:255])  # fmt: skip

    def lines(self, *, check_only: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Successes and failures as the deploy result shows them; remembers what was deployed."""
        good, bad = [], []
        for component in self.components:
            known = self.org.db.one("SELECT digest FROM _component WHERE kind = ? AND name = ?",
                                    (component.kind, component.name))  # fmt: skip
            line = {
                "componentType": component.kind, "fullName": component.name, "fileName": component.file,
                "success": not component.problem, "created": known is None, "deleted": False,
                "changed": known is None or known[0] != component.digest, "warning": False,
            }  # fmt: skip
            if component.problem:
                bad.append(line | {"problem": component.problem, "problemType": "Error"})
                continue
            good.append(line)
            if not check_only:
                self.org.db.run("INSERT OR REPLACE INTO _component VALUES (?, ?, ?)",
                                (component.kind, component.name, component.digest))  # fmt: skip
        return good, bad


def deploy(org: Org, data: bytes, options: dict[str, Any]) -> str:
    """The id of a deploy request; its result waits under that id."""
    files = _unzip(data)
    check_only = options.get("checkOnly") is True
    with org.db.transaction():
        work = Deploy(org, files, Schema(org.schema.objects), _value_sets(org))
        work.work_out()
        failed = bool(work.failures)
        if not failed and not check_only:
            work.apply()
        good, bad = work.lines(check_only=check_only or failed)
        deploy_id = make_id("0Af", org.db.take_numbers("0Af", 1))
    total = len(good) + len(bad)
    org.deploys[deploy_id] = {
        "polls": org.config.deploy_polls,
        "options": options,
        "result": {
            "id": deploy_id, "done": True, "success": not failed, "status": "Failed" if failed else "Succeeded",
            "checkOnly": check_only, "rollbackOnError": True, "ignoreWarnings": False,
            "numberComponentsTotal": total, "numberComponentsDeployed": 0 if failed else total,
            "numberComponentErrors": len(bad), "numberTestErrors": 0, "numberTestsCompleted": 0, "numberTestsTotal": 0,
            "details": {"componentSuccesses": good, "componentFailures": bad, "allComponentMessages": [*bad, *good],
                        "runTestResult": {"numTestsRun": 0, "numFailures": 0}},
        },
    }  # fmt: skip
    return deploy_id


def _unzip(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            files = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except zipfile.BadZipFile as error:
        raise ApiError(400, "INVALID_INPUT", "The file is not a zip archive") from error
    manifest = next((name for name in sorted(files) if name.rsplit("/", 1)[-1] == "package.xml"), "package.xml")
    root = manifest.removesuffix("package.xml")
    return {name.removeprefix(root): content for name, content in files.items() if name.startswith(root)}


def _value_sets(org: Org) -> dict[str, ValueSet]:
    rows = org.db.all("SELECT name, value FROM _setting WHERE name LIKE 'values:%'")
    return {name.removeprefix("values:"): orjson.loads(value) for name, value in rows}


def _with_field(item: SObject, element: etree._Element, value_sets: dict[str, ValueSet]) -> SObject:
    found = read_field(element, value_sets)
    before = item.fields.get(found.name)
    if before is not None and before.type != found.type:
        raise ComponentInvalid(f"Cannot change the type of {found.name} from {before.type} to {found.type}")
    return item.with_fields(found)


def _is_frame(component: Component) -> bool:
    is_standard = component.kind == "CustomObject" and not component.name.endswith("__c")
    return is_standard and not component.problem


def _kind_of(file: str) -> str:
    folder = file.split("/", 1)[0]
    return FOLDERS.get(folder, folder)


def _is_inside(kind: str, name: str, present: set[tuple[str, str]]) -> bool:
    """Whether a bundle or folder of this name has files in the zip."""
    return any(found == kind and other.startswith(f"{name}/") for found, other in present)
