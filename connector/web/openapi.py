"""The OpenAPI 3.1 description, made from the operations and models that serve the API."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from connector.web.api_call import Nothing, Operation
from connector.web.paging import RowNumber
from connector.web.permissions import ROLES, rule_of

REFERENCE = "#/components/schemas/{model}"
_PART = re.compile(r"<(?:(\w+):)?(\w+)>")

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457, with a stable code",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
    },
}

Mode = Literal["validation", "serialization"]


def document(operations: Sequence[Operation], public_url: str) -> dict[str, Any]:
    """The whole description as plain values."""
    models: list[tuple[type[BaseModel], Mode]] = []
    for operation in operations:
        models.append((operation.returns, "serialization"))
        if operation.body is not Nothing:
            models.append((operation.body, "validation"))
    unique = list(dict.fromkeys(models))
    references, definitions = models_json_schema(unique, by_alias=True, ref_template=REFERENCE)
    schemas = dict(definitions.get("$defs", {}))
    schemas["Problem"] = PROBLEM
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        entry = _operation(operation, references)
        paths.setdefault(_PART.sub(r"{\2}", operation.path), {})[operation.method.lower()] = entry
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Connector",
            "version": "1",
            "description": "Social cases, consent and cross-channel history. Every list pages by cursor; every error "
            "is problem+json with a stable code; every POST takes an Idempotency-Key.",
        },
        "servers": [{"url": f"{public_url.rstrip('/')}/api/v1"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key with its role"}},
        },
    }


def _operation(operation: Operation, references: Mapping[Any, Any]) -> dict[str, Any]:
    rule = rule_of(f"api.{operation.name}")
    roles = sorted(role.value for role, held in ROLES.items() if rule in held)
    entry: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"{operation.handler.__doc__ or operation.summary}\n\nRoles: {', '.join(roles)}.",
        "tags": [operation.tag],
        "x-roles": roles,
        "parameters": [*_path_parameters(operation.path), *_query_parameters(operation.query)],
        "responses": {
            str(operation.status): {
                "description": (operation.returns.__doc__ or "").strip(),
                "content": {"application/json": {"schema": references[operation.returns, "serialization"]}},
            },
            "default": {
                "description": "Anything else",
                "content": {"application/problem+json": {"schema": {"$ref": REFERENCE.format(model="Problem")}}},
            },
        },
    }
    if operation.method == "POST":
        entry["parameters"].append(_IDEMPOTENCY)
    if operation.body is not Nothing:
        schema = references[operation.body, "validation"]
        entry["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return entry


_IDEMPOTENCY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"},
    "description": "The same key gives the stored answer, refusals too; with another body: code idempotency_conflict.",
}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer", "minimum": 0, "maximum": RowNumber.LARGEST}
            if kind == "row"
            else {"type": "string"},
        }
        for kind, name in _PART.findall(path)
    ]


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _inlined({key: value for key, value in part.items() if key != "description"}, definitions),
            **({"description": part["description"]} if "description" in part else {}),
        }
        for name, part in schema.get("properties", {}).items()
    ]


def _inlined(value: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return _inlined(definitions[value["$ref"].rsplit("/", maxsplit=1)[1]], definitions)
        return {key: _inlined(each, definitions) for key, each in value.items()}
    if isinstance(value, list):
        return [_inlined(each, definitions) for each in value]
    return value
