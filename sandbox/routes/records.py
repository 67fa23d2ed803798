"""Single records: create, read, change, upsert, delete; and which changed or went."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, Response, request

from sandbox.database import quoted
from sandbox.describe import full, global_entry
from sandbox.errors import STATUS_OF_ROW, ApiError, RowError, RowRefused
from sandbox.ids import to_id18
from sandbox.lifecycle import delete_records
from sandbox.schema import Field, SObject
from sandbox.soql.run import Queries
from sandbox.values import coercer, parse_time, wire_time
from sandbox.web import answer, base_url, empty, kind, mapping, org, sobject, user_id
from sandbox.writes import Result, Writer

records = Blueprint("records", __name__)

NOT_FOUND = ApiError(404, "NOT_FOUND", "The requested resource does not exist")


@records.get("/sobjects")
def all_objects() -> Response:
    """Every object of the org."""
    base = base_url()
    entries = [global_entry(item, base) for item in org().schema.objects.values()]
    return answer({"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": entries})


@records.get("/sobjects/<name>")
def basic(name: str) -> Response:
    """The object's own line, and no recent items."""
    return answer({"objectDescribe": global_entry(sobject(name), base_url()), "recentItems": []})


@records.get("/sobjects/<name>/describe")
def describe(name: str) -> Response:
    """The object with all its fields."""
    return answer(full(org().schema, sobject(name), base_url(), audit_fields=org().config.audit_fields))


@records.post("/sobjects/<name>")
def create(name: str) -> Response:
    """The new record's id."""
    result = _writer(sobject(name)).create([mapping()])[0]
    _raise_if_refused(result)
    location = f"{base_url()}/sobjects/{name}/{result.record_id}"
    response = answer({"id": result.record_id, "success": True, "errors": []}, 201)
    response.headers["Location"] = location
    return response


@records.get("/sobjects/<name>/<record_id>")
def read(name: str, record_id: str) -> Response:
    """The record, all fields or those asked for."""
    item = sobject(name)
    return _shown(item, to_id18(record_id))


@records.patch("/sobjects/<name>/<record_id>")
def change(name: str, record_id: str) -> Response:
    """Changes the record."""
    body = mapping()
    if any(key.lower() == "id" for key in body):
        raise ApiError(400, "INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    _raise_if_refused(_writer(sobject(name)).update([{**body, "Id": _known_id(sobject(name), record_id)}])[0])
    return empty()


@records.delete("/sobjects/<name>/<record_id>")
def delete(name: str, record_id: str) -> Response:
    """Moves the record to the recycle bin."""
    _raise_if_refused(delete_records(org(), [_known_id(sobject(name), record_id)], kind())[0])
    return empty()


@records.get("/sobjects/<name>/<key>/<path:value>")
def read_by_key(name: str, key: str, value: str) -> Response:
    """The record with this external id."""
    item = sobject(name)
    return _shown(item, _one_id(item, _key(item, key), value))


@records.delete("/sobjects/<name>/<key>/<path:value>")
def delete_by_key(name: str, key: str, value: str) -> Response:
    """Moves the record with this external id to the recycle bin."""
    item = sobject(name)
    record_id = _one_id(item, _key(item, key), value)
    if record_id is None:
        raise NOT_FOUND
    _raise_if_refused(delete_records(org(), [record_id], kind())[0])
    return empty()


@records.patch("/sobjects/<name>/<key>/<path:value>")
def upsert(name: str, key: str, value: str) -> Response:
    """Creates or changes the record with this external id; 201 tells it was created."""
    item = sobject(name)
    field = _key(item, key)
    body = mapping()
    if any(given.lower() == field.name.lower() for given in body):
        raise ApiError(400, "INVALID_FIELD", f"The {field.name} field should not be specified in the sobject data.")
    with org().db.transaction():
        _one_id(item, field, value)
        result = _writer(item).upsert(
            field, [{**body, field.name: value}], update_only=request.args.get("updateOnly", "").lower() == "true"
        )[0]
    _raise_if_refused(result)
    return answer(
        {"id": result.record_id, "success": True, "errors": [], "created": result.created},
        201 if result.created else 200,
    )


@records.get("/sobjects/<name>/updated")
def updated(name: str) -> Response:
    """Ids of records changed in the span, and how far the next span may start."""
    item, start, end = sobject(name), *_span()
    here = org()
    with here.db.transaction():
        rows = here.db.all(
            f"SELECT Id FROM {quoted(item.name)} "  # noqa: S608
            "WHERE SystemModstamp >= ? AND SystemModstamp < ? AND IsDeleted = 0 ORDER BY SystemModstamp, Id",
            (start, end),
        )
        covered = min(end, here.covered_until())
    return answer({"ids": [row[0] for row in rows], "latestDateCovered": wire_time(covered)})


@records.get("/sobjects/<name>/deleted")
def deleted(name: str) -> Response:
    """Ids of records deleted in the span, with when, and how far the next span may start."""
    item, start, end = sobject(name), *_span()
    here = org()
    with here.db.transaction():
        rows = here.db.all(
            f"SELECT Id, SystemModstamp FROM {quoted(item.name)} "  # noqa: S608
            "WHERE SystemModstamp >= ? AND SystemModstamp < ? AND IsDeleted = 1 ORDER BY SystemModstamp, Id",
            (start, end),
        )
        covered = min(end, here.covered_until())
    return answer(
        {
            "deletedRecords": [{"id": row[0], "deletedDate": wire_time(row[1])} for row in rows],
            "earliestDateAvailable": wire_time(here.clock() - timedelta(days=15) // timedelta(milliseconds=1)),
            "latestDateCovered": wire_time(covered),
        }
    )


def _span() -> tuple[int, int]:
    try:
        start, end = (_whole_minute(request.args[name]) for name in ("start", "end"))
    except (KeyError, ValueError) as error:
        raise ApiError(
            400, "INVALID_FIELD", "start and end must be date-times, such as 2026-01-31T00:00:00Z"
        ) from error
    if start >= end:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "endDate must be at least 60 seconds greater than startDate")
    if start < org().clock() - timedelta(days=30) // timedelta(milliseconds=1):
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
    return start, end


def _whole_minute(text: str) -> int:
    """Seconds are ignored here, as on Salesforce."""
    # A plus sign that was not percent-encoded arrives as a blank.
    cleaned = text.replace(" ", "+").rstrip(":")
    ms = parse_time(cleaned)
    if not datetime.fromisoformat(cleaned).tzinfo and not text.endswith(":"):
        raise ValueError(text)
    return ms // 60_000 * 60_000


def _shown(item: SObject, record_id: str | None) -> Response:
    wanted = request.args.get("fields")
    fields = wanted.split(",") if wanted else list(item.fields)
    found = Queries(org(), base_url()).by_id(item.name, record_id, ["IsDeleted", *fields]) if record_id else None
    if found is None:
        raise NOT_FOUND
    if found["IsDeleted"]:
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted")
    if wanted and "isdeleted" not in wanted.lower():
        found.pop("IsDeleted")
    return answer(found)


def _known_id(item: SObject, given: str) -> str:
    record_id = to_id18(given)
    if record_id is None or not record_id.startswith(item.prefix):
        raise NOT_FOUND
    return record_id


def _key(item: SObject, name: str) -> Field:
    field = item.by_lower.get(name.lower())
    if field is None or not (field.external_id or field.id_lookup):
        raise ApiError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")
    return field


class SeveralFound(Exception):
    """More than one record has this external id; the answer lists them."""

    def __init__(self, urls: Iterable[str]) -> None:
        self.urls = list(urls)
        super().__init__(f"{len(self.urls)} records")


@records.errorhandler(SeveralFound)
def several(error: SeveralFound) -> Response:
    """300 with the addresses of all that fit."""
    return answer(error.urls, 300)


def _one_id(item: SObject, key: Field, value: str) -> str | None:
    rows = _ids_of(item, key, value)
    if len(rows) > 1:
        raise SeveralFound(f"{base_url()}/sobjects/{item.name}/{row}" for row in rows)
    return rows[0] if rows else None


def _ids_of(item: SObject, key: Field, value: str) -> list[str]:
    here = org()
    try:
        stored: Any = coercer(key)(value)
    except RowRefused:
        return []  # what the field cannot hold, no record has
    with here.db.transaction():
        rows = here.db.all(
            f"SELECT Id FROM {quoted(item.name)} WHERE IsDeleted = 0 AND {quoted(key.name)} = ?",  # noqa: S608
            (stored,),
        )
    return [row[0] for row in rows]


def _writer(item: SObject) -> Writer:
    if item.readonly:
        raise ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {item.name} does not support this")
    return Writer(org(), item, user_id(), kind())


def _raise_if_refused(result: Result) -> None:
    error: RowError | None = result.error
    if error is not None:
        status = STATUS_OF_ROW.get(error.code, 400)
        # A reference that leads nowhere is the request's fault; a missing record is a missing page.
        status = 400 if error.fields and status == 404 else status
        raise ApiError(status, error.code, error.message, error.fields)
