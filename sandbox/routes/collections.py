"""Up to 200 records a call: each gets its own result, in the order sent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

from flask import Blueprint, Response, request

from sandbox.errors import ApiError
from sandbox.lifecycle import delete_records
from sandbox.schema import SObject
from sandbox.soql.run import Queries
from sandbox.web import answer, base_url, kind, mapping, org, sobject, user_id
from sandbox.writes import ROLLED_BACK, Result, Writer

collections = Blueprint("collections", __name__)

MOST = 200
MOST_CHUNKS = 10

Record = dict[str, Any]


@collections.patch("/composite/sobjects/<name>/<key>")
def upsert(name: str, key: str) -> Response:
    """Creates or changes records of one object by an external id."""
    item = sobject(name)
    field = item.by_lower.get(key.lower())
    if field is None or not (field.external_id or field.id_lookup):
        raise ApiError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {key}")
    records, all_or_none = _body()
    for record in records:
        if _type_of(record).lower() != item.name.lower():
            raise ApiError(400, "INVALID_INPUT", f"All records must be of type {item.name}")
    results = Writer(org(), item, user_id(), kind()).upsert(field, records, all_or_none=all_or_none)
    return answer([result.body(upsert=True) for result in results])


@collections.post("/composite/sobjects")
def create() -> Response:
    """Creates records, of several objects if need be."""
    return _in_chunks(lambda writer, records: writer.create(records))


@collections.patch("/composite/sobjects")
def update() -> Response:
    """Changes records by their ids, of several objects if need be."""
    return _in_chunks(lambda writer, records: writer.update(records))


@collections.delete("/composite/sobjects")
def delete() -> Response:
    """Moves records to the recycle bin."""
    given = [one for one in request.args.get("ids", "").split(",") if one]
    _check_size(given)
    all_or_none = request.args.get("allOrNone", "").lower() == "true"
    results = delete_records(org(), given, kind(), all_or_none=all_or_none)
    return answer([result.body() for result in results])


@collections.get("/composite/sobjects/<name>")
def retrieve(name: str) -> Response:
    """Records by id, null where there is none."""
    return _retrieve(name, request.args.get("ids", ""), request.args.get("fields", ""))


@collections.post("/composite/sobjects/<name>")
def retrieve_many(name: str) -> Response:
    """Records by id, for lists too long for an address."""
    body = mapping()
    return _retrieve(name, _listed(body, "ids"), _listed(body, "fields"))


def _listed(body: Record, name: str) -> str:
    given = body.get(name)
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise ApiError(400, "INVALID_INPUT", f"{name} must be a list of texts")
    return ",".join(given)


def _retrieve(name: str, ids: str, fields: str) -> Response:
    item = sobject(name)
    wanted = [one for one in ids.split(",") if one]
    _check_size(wanted)
    queries = Queries(org(), base_url())
    found = [queries.by_id(item.name, one, ["IsDeleted", *fields.split(",")]) for one in wanted]
    shown = [None if one is None or one["IsDeleted"] else one for one in found]
    for one in shown:
        if one and "isdeleted" not in fields.lower():
            one.pop("IsDeleted")
    return answer(shown)


def _in_chunks(write: Callable[[Writer, list[Record]], list[Result]]) -> Response:
    records, all_or_none = _body()
    chunks = [(name, list(group)) for name, group in groupby(records, key=_type_of)]
    if len(chunks) > MOST_CHUNKS:
        raise ApiError(400, "INVALID_INPUT", f"The request has more than {MOST_CHUNKS} chunks of one type")
    here = org()
    results: list[Result] = []
    try:
        with here.db.transaction():
            for name, group in chunks:
                results += write(Writer(here, _known(name), user_id(), kind()), group)
            _undo_if(all_or_none and any(result.error for result in results))
    except _RolledBack:
        results = [result if result.error else Result(None, False, ROLLED_BACK) for result in results]
    return answer([result.body() for result in results])


class _RolledBack(Exception):
    """Undoes what the transaction wrote."""


def _undo_if(failed: bool) -> None:
    if failed:
        raise _RolledBack


def _body() -> tuple[list[Record], bool]:
    body = mapping()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ApiError(400, "INVALID_INPUT", "The request must contain a list of records")
    _check_size(records)
    return records, body.get("allOrNone") is True


def _check_size(items: list[Any]) -> None:
    if not items:
        raise ApiError(400, "INVALID_INPUT", "The request has no records")
    if len(items) > MOST:
        raise ApiError(
            400, "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MOST} records into this call"
        )


def _type_of(record: Record) -> str:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not isinstance(name, str):
        raise ApiError(400, "INVALID_INPUT", "Each record must name its type in attributes")
    return name


def _known(name: str) -> SObject:
    item = org().schema.find(name)
    if item is None or item.readonly:
        raise ApiError(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return item
