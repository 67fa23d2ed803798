"""The Salesforce package: from the source format people edit to the zip that the metadata API deploys.

The zip's bytes depend on nothing but the tree, so two installs of one release send the same package.
"""

from __future__ import annotations

import zipfile
from collections import defaultdict
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from lxml import etree

from connector.errors import Misconfigured

NAMESPACE = "http://soap.sforce.com/2006/04/metadata"
METADATA_VERSION = "56.0"
"""The version that the package is written in, whatever version the org is spoken to in: from 57.0 on the org names new
global value sets otherwise (with the suffix __gvs) than the fields that use them do."""

META = "-meta.xml"

OBJECT_PARTS = frozenset(
    {
        "businessProcesses", "compactLayouts", "fields", "fieldSets", "indexes", "listViews", "recordTypes",
        "sharingReasons", "validationRules", "webLinks",
    }
)  # fmt: skip
"""Folders below an object in source format; each is named like the element of its .object file."""

TYPES = {
    "applications": "CustomApplication",
    "customPermissions": "CustomPermission",
    "externalClientApps": "ExternalClientApplication",
    "flexipages": "FlexiPage",
    "globalValueSets": "GlobalValueSet",
    "labels": "CustomLabels",
    "layouts": "Layout",
    "permissionsets": "PermissionSet",
    "quickActions": "QuickAction",
    "reportTypes": "ReportType",
    "tabs": "CustomTab",
}
"""Folders whose files are one component each."""

FOLDERED = {"dashboards": "Dashboard", "reports": "Report"}
BUNDLES = {"lwc": "LightningComponentBundle"}

_STAMP = (1980, 1, 1, 0, 0, 0)
_NOT_DEPLOYED = {"__tests__", "jsconfig.json", ".eslintrc.json"}

Member = tuple[str, str]
"""Metadata type and full name, as package.xml lists them."""


def package_root() -> Path:
    """The folder `force-app` of this installation: beside the code in a checkout, inside the package in a wheel."""
    here = Path(__file__).resolve().parents[1]
    for root in (here.parent / "salesforce" / "force-app", here / "_data" / "salesforce" / "force-app"):
        if root.is_dir():
            return root
    raise Misconfigured("The Salesforce package is not part of this installation; install the connector again.")


def compose_zip(root: Path | None = None) -> bytes:
    """The package as the zip that the metadata API deploys; the same tree gives the same bytes."""
    base = (root or package_root()) / "main" / "default"
    if not base.is_dir():
        raise Misconfigured(f"There is no Salesforce package in {base}; its source format starts with main/default.")
    files: dict[str, bytes] = {}
    members: set[Member] = set()
    for folder in sorted(path for path in base.iterdir() if path.is_dir()):
        for name, content, found in _folder(folder):
            files[name] = content
            members.update(found)
    files["package.xml"] = _package_xml(members)
    return _zip(files)


def _folder(folder: Path) -> Iterator[tuple[str, bytes, list[Member]]]:
    if folder.name == "objects":
        for directory in sorted(path for path in folder.iterdir() if path.is_dir()):
            yield _object(directory)
    elif folder.name in BUNDLES:
        yield from _bundles(folder)
    elif folder.name in TYPES or folder.name in FOLDERED:
        yield from _components(folder)
    else:
        raise Misconfigured(f"The Salesforce package holds a folder this release cannot deploy: {folder.name}.")


def _object(directory: Path) -> tuple[str, bytes, list[Member]]:
    own = directory / f"{directory.name}.object{META}"
    root = _parse(own) if own.is_file() else _empty("CustomObject")
    members: list[Member] = [("CustomObject", directory.name)] if own.is_file() else []
    for part in sorted(path for path in directory.iterdir() if path.is_dir()):
        if part.name not in OBJECT_PARTS:
            raise Misconfigured(f"{directory.name} holds a folder this release cannot deploy: {part.name}.")
        for file in sorted(part.glob(f"*{META}")):
            element = _parse(file)
            element.tag = f"{{{NAMESPACE}}}{part.name}"
            root.append(element)
            if part.name == "fields" and not own.is_file():
                members.append(("CustomField", f"{directory.name}.{file.name.split('.')[0]}"))
    return f"objects/{directory.name}.object", _serialise(root), members


def _components(folder: Path) -> Iterator[tuple[str, bytes, list[Member]]]:
    kind = TYPES.get(folder.name) or FOLDERED[folder.name]
    for file in sorted(folder.rglob(f"*{META}")):
        inside = file.relative_to(folder).as_posix().removesuffix(META)
        full_name, _, suffix = inside.rpartition(".")
        is_folder = suffix.endswith("Folder")
        name = f"{folder.name}/{full_name}{META}" if is_folder else f"{folder.name}/{inside}"
        yield name, _serialise(_parse(file)), [(kind, full_name)]


def _bundles(folder: Path) -> Iterator[tuple[str, bytes, list[Member]]]:
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        inside = file.relative_to(folder)
        if len(inside.parts) > 1 and not _NOT_DEPLOYED.intersection(inside.parts):
            yield f"{folder.name}/{inside.as_posix()}", file.read_bytes(), [(BUNDLES[folder.name], inside.parts[0])]


def _parse(file: Path) -> etree._Element:
    try:
        return etree.parse(file, etree.XMLParser(remove_blank_text=True, resolve_entities=False)).getroot()
    except etree.XMLSyntaxError as error:
        raise Misconfigured(f"{file.name} of the Salesforce package is not well-formed: {error}.") from error


def _empty(name: str) -> etree._Element:
    return etree.fromstring(f'<{name} xmlns="{NAMESPACE}"/>')


def _serialise(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def _package_xml(members: set[Member]) -> bytes:
    by_type: dict[str, list[str]] = defaultdict(list)
    for kind, name in sorted(members):
        by_type[kind].append(name)
    root = _empty("Package")
    for kind, names in by_type.items():
        types = etree.SubElement(root, f"{{{NAMESPACE}}}types")
        for name in names:
            etree.SubElement(types, f"{{{NAMESPACE}}}members").text = name
        etree.SubElement(types, f"{{{NAMESPACE}}}name").text = kind
    etree.SubElement(root, f"{{{NAMESPACE}}}version").text = METADATA_VERSION
    return _serialise(root)


def _zip(files: dict[str, bytes]) -> bytes:
    # Stored, not deflated: compressed bytes differ between zlib builds.
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, _STAMP)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, files[name])
    return out.getvalue()
