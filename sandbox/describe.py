"""Describe: what an object and its fields are, in the words clients read."""

from __future__ import annotations

from typing import Any

from sandbox.schema import NUMBER_TYPES, Field, Schema, SObject

_SOAP = {"id": "tns:ID", "reference": "tns:ID", "boolean": "xsd:boolean", "int": "xsd:int", "double": "xsd:double",
         "currency": "xsd:double", "percent": "xsd:double", "date": "xsd:date", "datetime": "xsd:dateTime"}  # fmt: skip


def global_entry(item: SObject, base: str) -> dict[str, Any]:
    """The object's line in the list of all objects."""
    writeable = not item.readonly
    return {
        "name": item.name, "label": item.label, "labelPlural": item.plural, "keyPrefix": item.prefix,
        "custom": item.custom, "customSetting": False, "createable": writeable, "updateable": writeable,
        "deletable": writeable, "undeletable": writeable, "mergeable": item.merges, "queryable": True,
        "retrieveable": True, "replicateable": True, "searchable": True, "layoutable": True, "triggerable": True,
        "activateable": False, "deprecatedAndHidden": False, "feedEnabled": False, "mruEnabled": True,
        "urls": {
            "sobject": f"{base}/sobjects/{item.name}",
            "describe": f"{base}/sobjects/{item.name}/describe",
            "rowTemplate": f"{base}/sobjects/{item.name}/{{ID}}",
        },
    }  # fmt: skip


def full(schema: Schema, item: SObject, base: str, *, audit_fields: bool) -> dict[str, Any]:
    """The object with its fields and child relationships."""
    children = [
        {"childSObject": child.name, "field": field.name, "relationshipName": field.children,
         "cascadeDelete": field.on_delete == "cascade", "restrictedDelete": False, "deprecatedAndHidden": False}
        for child, field in schema.children(item.name)
    ]  # fmt: skip
    return global_entry(item, base) | {
        "fields": [_field(field, readonly=item.readonly, audit_fields=audit_fields) for field in item.fields.values()],
        "childRelationships": children,
        "recordTypeInfos": [],
        "supportedScopes": [],
    }


def _field(field: Field, *, readonly: bool, audit_fields: bool) -> dict[str, Any]:
    number = field.type in NUMBER_TYPES
    writeable = field.writeable and not readonly
    nillable = not (
        field.required or field.type in {"id", "boolean"} or field.name in {"CreatedDate", "SystemModstamp"}
    )
    return {
        "name": field.name, "label": field.label, "type": field.type, "soapType": _SOAP.get(field.type, "xsd:string"),
        "length": field.length, "byteLength": field.length * 3, "precision": field.precision if number else 0,
        "scale": field.scale if number else 0, "digits": 10 if field.type == "int" else 0, "custom": field.custom,
        "externalId": field.external_id, "unique": field.unique, "caseSensitive": field.case_sensitive,
        "idLookup": field.id_lookup or field.external_id, "nillable": nillable,
        "defaultedOnCreate": field.default is not None or field.type == "boolean" or field.name == "OwnerId"
        or (field.system and not nillable),
        "defaultValue": field.default if field.default is not None else (False if field.type == "boolean" else None),
        "createable": (writeable and field.createable) or (field.audit and audit_fields and not readonly),
        "updateable": writeable and field.updateable,
        "calculated": field.formula is not None, "calculatedFormula": field.formula,
        "autoNumber": field.auto_number is not None, "nameField": field.name_field,
        "restrictedPicklist": field.restricted, "dependentPicklist": False, "picklistValues": _values(field),
        "referenceTo": list(field.to), "relationshipName": field.relationship, "namePointing": field.polymorphic,
        "filterable": not field.is_long_text, "sortable": not field.is_long_text,
        "groupable": field.type not in {"textarea", "datetime", "double"}, "aggregatable": field.type != "textarea",
        "deprecatedAndHidden": False, "encrypted": False, "permissionable": field.custom and not field.required,
    }  # fmt: skip


def _values(field: Field) -> list[dict[str, Any]]:
    return [
        {"value": value, "label": field.labels.get(value, value), "active": True, "validFor": None,
         "defaultValue": value == field.default}
        for value in field.values
    ]  # fmt: skip
