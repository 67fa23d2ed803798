"""Values on the wire and in a column: what each field type takes, keeps and shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any

from sandbox.errors import RowRefused
from sandbox.ids import to_id18
from sandbox.schema import NUMBER_TYPES, Field

Coercer = Callable[[Any], Any]

_EMAIL = re.compile(r"[^@\s,;<>()\[\]\"]+@[^@\s,;<>()\[\]\"]+\.[^@\s.,;<>()\[\]\"]{2,}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def coercer(item: Field) -> Coercer:
    """A function from a JSON value to what the column keeps; it raises RowRefused with Salesforce's code."""
    if item.type in NUMBER_TYPES:
        return _number(item)
    return {
        "boolean": _boolean,
        "date": _date,
        "datetime": _datetime,
        "email": _email,
        "picklist": _picklist,
        "multipicklist": _multipicklist,
        "reference": _reference,
        "id": _reference,
    }.get(item.type, _text)(item)


def shown(item: Field, value: Any) -> Any:
    """A column's value as JSON shows it."""
    if value is None:
        return None
    if item.type == "datetime":
        return wire_time(value)
    if item.type == "boolean":
        return bool(value)
    if item.type in {"double", "currency", "percent"}:
        return float(value)
    return value


def wire_time(ms: int) -> str:
    """A time as Salesforce writes it: UTC with milliseconds and +0000."""
    seconds, rest = divmod(int(ms), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC).isoformat()[:19]}.{rest:03d}+0000"


def parse_time(text: str) -> int:
    """Epoch milliseconds of an ISO 8601 time; one without an offset is UTC. Raises ValueError."""
    if "T" not in text:
        raise ValueError(text)
    parsed = datetime.fromisoformat(text)
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    delta = aware - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def _wrong_type(item: Field, value: Any) -> RowRefused:
    return RowRefused(
        "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{item.label}: value not of required type: {str(value)[:80]}", item.name
    )


def _as_text(item: Field, value: Any) -> str | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong_type(item, value)
    text = value if isinstance(value, str) else str(value)
    # Salesforce counts as Java does: a character beyond the basic plane, such as most emoji, is two.
    if item.length and len(text.encode("utf-16-le", "surrogatepass")) // 2 > item.length:
        raise RowRefused(
            "STRING_TOO_LONG",
            f"{item.label}: data value too large: {text[: item.length]} (max length={item.length})",
            item.name,
        )
    # Salesforce trims what people type; a value of blanks alone is none.
    return text.strip() or None


def _text(item: Field) -> Coercer:
    return lambda value: _as_text(item, value)


def _email(item: Field) -> Coercer:
    def coerce(value: Any) -> str | None:
        text = _as_text(item, value)
        if text is not None and not _EMAIL.fullmatch(text):
            raise RowRefused("INVALID_EMAIL_ADDRESS", f"{item.label}: invalid email address: {text}", item.name)
        return text

    return coerce


def _picklist(item: Field) -> Coercer:
    allowed = {value.lower(): value for value in item.values}

    def coerce(value: Any) -> str | None:
        text = _as_text(item, value)
        if text is None:
            return None
        known = allowed.get(text.lower())
        if known is None and item.restricted:
            raise RowRefused(
                "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                f"{item.label}: bad value for restricted picklist field: {text}",
                item.name,
            )
        return known or text

    return coerce


def _multipicklist(item: Field) -> Coercer:
    one = _picklist(item)

    def coerce(value: Any) -> str | None:
        text = _as_text(item, value)
        return None if text is None else ";".join(str(one(part)) for part in text.split(";") if part)

    return coerce


def _boolean(item: Field) -> Coercer:
    def coerce(value: Any) -> int:
        if not isinstance(value, bool):
            raise _wrong_type(item, value)
        return int(value)

    return coerce


def _number(item: Field) -> Coercer:
    whole = item.type == "int"
    largest = 2**31 if whole else 10 ** (item.precision - item.scale)

    def coerce(value: Any) -> float | int | None:
        if value is None or value == "":
            return None
        try:
            number = float(value)
        except (TypeError, ValueError) as error:
            raise _wrong_type(item, value) from error
        if isinstance(value, bool) or not isfinite(number) or (whole and number != int(number)):
            raise _wrong_type(item, value)
        if abs(number) >= largest:
            raise RowRefused(
                "NUMBER_OUTSIDE_VALID_RANGE", f"{item.label}: value outside of valid range: {value}", item.name
            )
        return int(number) if whole else round(number, item.scale)

    return coerce


def _date(item: Field) -> Coercer:
    def coerce(value: Any) -> str | None:
        if value is None or value == "":
            return None
        try:
            return date.fromisoformat(str(value)[:10]).isoformat()
        except ValueError as error:
            raise _wrong_type(item, value) from error

    return coerce


def _datetime(item: Field) -> Coercer:
    def coerce(value: Any) -> int | None:
        if value is None or value == "":
            return None
        try:
            # Salesforce keeps whole seconds in the date-times it is given.
            return parse_time(value) // 1000 * 1000
        except (TypeError, ValueError) as error:
            raise _wrong_type(item, value) from error

    return coerce


def _reference(item: Field) -> Coercer:
    def coerce(value: Any) -> str | None:
        if value is None or value == "":
            return None
        found = to_id18(value) if isinstance(value, str) else None
        if found is None:
            raise RowRefused("MALFORMED_ID", f"{item.label}: id value of incorrect type: {value}", item.name)
        return found

    return coerce
