"""Checks Salesforce metadata files against the Metadata API's own WSDL, which simple-salesforce ships.

Element names, types, enums, and what is required; the order of elements is free, as deploys leave it free.
It proves form, not deployability: only an org knows whether a formula or a field name is right.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import simple_salesforce
from lxml import etree

XSD = "{http://www.w3.org/2001/XMLSchema}"
METADATA = "{http://soap.sforce.com/2006/04/metadata}"
WSDL = Path(simple_salesforce.__file__).parent / "metadata.wsdl"

PATTERNS = {
    "boolean": r"true|false",
    "int": r"-?\d+",
    "double": r"-?\d+(\.\d+)?",
    "date": r"\d{4}-\d\d-\d\d",
    "dateTime": r"\d{4}-\d\d-\d\dT.+",
}


@dataclass(frozen=True)
class Part:
    """One element a type may hold."""

    type: str
    required: bool
    many: bool


@dataclass
class Wsdl:
    """The types of the WSDL: complex ones by their parts, enums by their values."""

    parts: dict[str, dict[str, Part]] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    enums: dict[str, set[str]] = field(default_factory=dict)

    def parts_of(self, name: str) -> dict[str, Part]:
        """All parts of a type, inherited ones too."""
        base = self.bases.get(name)
        return {**(self.parts_of(base) if base else {}), **self.parts[name]}


@lru_cache(maxsize=1)
def wsdl() -> Wsdl:
    """The WSDL, read once."""
    found = Wsdl()
    root = etree.parse(WSDL).getroot()
    for simple in root.iter(f"{XSD}simpleType"):
        values = {str(value.get("value")) for value in simple.iter(f"{XSD}enumeration")}
        if values:
            found.enums[str(simple.get("name"))] = values
    for complex_type in root.iter(f"{XSD}complexType"):
        name = complex_type.get("name")
        if name is None:
            continue
        found.parts[name] = {
            str(element.get("name")): Part(
                str(element.get("type")).split(":")[1],
                element.get("minOccurs") != "0",
                element.get("maxOccurs") == "unbounded",
            )
            for element in complex_type.iter(f"{XSD}element")
        }
        extension = next(complex_type.iter(f"{XSD}extension"), None)
        if extension is not None:
            found.bases[name] = str(extension.get("base")).split(":")[1]
    return found


def problems_in(content: bytes) -> list[str]:
    """What is wrong with one metadata file, each problem with the path of its element; empty where all is well."""
    try:
        root = etree.fromstring(content)
    except etree.XMLSyntaxError as error:
        return [f"not well-formed: {error}"]
    name = str(root.tag).removeprefix(METADATA)
    if not str(root.tag).startswith(METADATA) or name not in wsdl().parts:
        return [f"unknown metadata type {name}"]
    return list(_problems(root, name, name))


def _problems(element: etree._Element, type_name: str, path: str) -> Iterator[str]:
    parts = wsdl().parts_of(type_name)
    seen = Counter(str(child.tag).removeprefix(METADATA) for child in element.iterchildren(etree.Element))
    for name, part in parts.items():
        if part.required and name not in seen:
            yield f"{path}: {name} is missing"
    for name, count in seen.items():
        if name in parts and count > 1 and not parts[name].many:
            yield f"{path}/{name}: stands {count} times, may stand once"
    for child in element.iterchildren(etree.Element):
        name = str(child.tag).removeprefix(METADATA)
        if name not in parts:
            yield f"{path}/{name}: unknown element"
        elif parts[name].type in wsdl().parts:
            yield from _problems(child, parts[name].type, f"{path}/{name}")
        else:
            yield from _value_problems(child, parts[name].type, f"{path}/{name}")


def _value_problems(element: etree._Element, type_name: str, path: str) -> Iterator[str]:
    value = (element.text or "").strip()
    if len(element):
        yield f"{path}: a value, not elements"
    elif not _fits(value, type_name):
        yield f"{path}: {value!r} is no {type_name}"


def _fits(value: str, type_name: str) -> bool:
    if type_name in wsdl().enums:
        return value in wsdl().enums[type_name]
    return type_name not in PATTERNS or re.fullmatch(PATTERNS[type_name], value) is not None
