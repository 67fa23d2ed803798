"""From metadata XML to fields: what a deployed field means for rows and describe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lxml import etree

from sandbox.formula import FormulaInvalid, formula_sql
from sandbox.schema import Field, Schema, SObject, system_fields

NS = "{http://soap.sforce.com/2006/04/metadata}"

TYPES = {
    "AutoNumber": "string", "Checkbox": "boolean", "Currency": "currency", "Date": "date", "DateTime": "datetime",
    "Email": "email", "EncryptedText": "string", "Html": "textarea", "LongTextArea": "textarea",
    "Lookup": "reference", "MasterDetail": "reference", "MultiselectPicklist": "multipicklist", "Number": "double",
    "Percent": "percent", "Phone": "phone", "Picklist": "picklist", "Text": "string", "TextArea": "textarea",
    "Url": "url",
}  # fmt: skip
LENGTHS = {"Email": 80, "Phone": 40, "Url": 255, "TextArea": 255, "Picklist": 255, "MultiselectPicklist": 4099,
           "Lookup": 18, "MasterDetail": 18, "AutoNumber": 30}  # fmt: skip

ValueSet = dict[str, str]
"""API name to label, in order."""


class ComponentInvalid(ValueError):
    """A component cannot be deployed as it is."""


def text(element: etree._Element, name: str, default: str = "") -> str:
    """The text of a child element."""
    return (element.findtext(NS + name) or default).strip()


def truth(element: etree._Element, name: str) -> bool:
    """Whether a child element says true."""
    return text(element, name) == "true"


def read_value_set(root: etree._Element, tag: str = "customValue") -> ValueSet:
    """The active values of a value set; the global form and a field's own form differ in one tag."""
    found = {}
    for value in root.iterfind(NS + tag):
        if text(value, "isActive", "true") == "true":
            name = text(value, "fullName")
            found[name] = text(value, "label", name)
    if not found:
        raise ComponentInvalid("A value set needs at least one active value")
    return found


def read_object(root: etree._Element, name: str, prefix: str) -> SObject:
    """A new custom object with its system fields and name field, its own fields still to come."""
    label, plural = text(root, "label"), text(root, "pluralLabel")
    naming = root.find(NS + "nameField")
    if not label or not plural or naming is None:
        raise ComponentInvalid("Must specify label, pluralLabel and nameField for a custom object")
    if not text(root, "sharingModel"):
        raise ComponentInvalid("Must specify a sharingModel for a custom object")
    is_number = text(naming, "type") == "AutoNumber"
    title = Field(
        "Name", "string", text(naming, "label", "Name"), 80, name_field=True, id_lookup=True,
        auto_number=text(naming, "displayFormat") if is_number else None, required=not is_number,
    )  # fmt: skip
    fields = [*system_fields(name, owner=True), title]
    return SObject(name, prefix, label, plural, {item.name: item for item in fields}, custom=True)


def read_field(element: etree._Element, value_sets: Mapping[str, ValueSet]) -> Field:
    """One custom field; raises ComponentInvalid."""
    name, kind = text(element, "fullName"), text(element, "type")
    if not name.endswith("__c"):
        raise ComponentInvalid(f"The name of a custom field ends in __c: {name}")
    if kind not in TYPES:
        raise ComponentInvalid(f"'{kind}' is not a valid value for the enum 'FieldType'")
    if not text(element, "label"):
        raise ComponentInvalid("Required field is missing: label")
    common: dict[str, Any] = {
        "label": text(element, "label"),
        "length": int(text(element, "length") or LENGTHS.get(kind, 0)),
        "required": truth(element, "required") or kind == "MasterDetail",
        "external_id": truth(element, "externalId"),
        "unique": truth(element, "unique"),
        "case_sensitive": truth(element, "caseSensitive"),
        "formula": text(element, "formula") or None,
        "auto_number": text(element, "displayFormat") if kind == "AutoNumber" else None,
        "custom": True,
    }
    if kind in {"Text", "LongTextArea", "EncryptedText"} and not common["length"] and not common["formula"]:
        raise ComponentInvalid("Must specify 'length' for a CustomField of type " + kind)
    extra = _by_kind(element, name, kind, value_sets)
    return Field(name, TYPES[kind], **(common | extra))


def _by_kind(element: etree._Element, name: str, kind: str, value_sets: Mapping[str, ValueSet]) -> dict[str, Any]:
    if kind in {"Number", "Currency", "Percent"}:
        if not text(element, "precision") or not text(element, "scale"):
            raise ComponentInvalid(f"Must specify 'precision' and 'scale' for a CustomField of type {kind}")
        return {"precision": int(text(element, "precision")), "scale": int(text(element, "scale"))}
    if kind in {"Picklist", "MultiselectPicklist"}:
        return _picklist(element, value_sets)
    if kind in {"Lookup", "MasterDetail"}:
        children = text(element, "relationshipName")
        return {
            "to": (text(element, "referenceTo"),),
            "relationship": name.removesuffix("__c") + "__r",
            "children": f"{children}__r" if children else None,
            "on_delete": "cascade" if kind == "MasterDetail" or text(element, "deleteConstraint") == "Cascade"
            else "set_null",
        }  # fmt: skip
    if kind == "Checkbox":
        if not text(element, "defaultValue") and not text(element, "formula"):
            raise ComponentInvalid("Must specify 'defaultValue' for a CustomField of type Checkbox")
        return {"default": text(element, "defaultValue") == "true"}
    return {}


def _picklist(element: etree._Element, value_sets: Mapping[str, ValueSet]) -> dict[str, Any]:
    values = element.find(NS + "valueSet")
    if values is None:
        raise ComponentInvalid("Must specify a valueSet for a picklist")
    shared = text(values, "valueSetName")
    if shared:
        if shared not in value_sets:
            raise ComponentInvalid(f"Global value set {shared} was not found")
        found = value_sets[shared]
        # A field on a global value set is restricted by nature.
        return {"values": tuple(found), "labels": found, "restricted": True, "value_set": shared}
    definition = values.find(NS + "valueSetDefinition")
    if definition is None:
        raise ComponentInvalid("Must specify either valueSetName or valueSetDefinition")
    found = read_value_set(definition, "value")
    default = next((text(v, "fullName") for v in definition.iterfind(NS + "value") if truth(v, "default")), None)
    return {"values": tuple(found), "labels": found, "restricted": truth(values, "restricted"), "default": default}


def check_field(schema: Schema, item: SObject, field: Field) -> None:
    """Checks what a field needs of others, once all objects are known; raises ComponentInvalid."""
    for target in field.to:
        if schema.find(target) is None:
            raise ComponentInvalid(f"referenceTo value of '{target}' does not resolve to a valid sObject type")
        taken = [
            (child.name, other.name)
            for child, other in schema.children(target)
            if field.children
            and other.children == field.children
            and (child.name, other.name) != (item.name, field.name)
        ]
        if taken:
            raise ComponentInvalid(f"There is already a Child Relationship named {field.children} on {target}.")
    if field.formula:
        try:
            formula_sql(item, field.formula, "t")
        except FormulaInvalid as error:
            raise ComponentInvalid(str(error)) from error
