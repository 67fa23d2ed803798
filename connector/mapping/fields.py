"""The fields of the normal event as a mapping may set them, and what each accepts."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

MAX_ID = 512
MAX_ATTRIBUTE = 500
_DIRECTION_MARKS = re.compile("[\u0000-\u001f\u202a-\u202e\u2066-\u2069]")
_WEB = ("https://", "http://")


class FieldWrong(ValueError):
    """The value cannot stand in this field; the message says why, without the value."""


def _identifier(value: Any) -> str | None:
    if isinstance(value, str):
        if len(value) > MAX_ID:
            raise FieldWrong(f"an id of more than {MAX_ID} characters")
        return value.strip() or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        raise FieldWrong("an id written as a decimal number, which may already be rounded")
    raise FieldWrong(f"an id is needed, not {_kind(value)}")


def _version(value: Any) -> str | None:
    """A version orders states and names nobody, so a decimal number may stand for it."""
    return str(value) if isinstance(value, float) else _identifier(value)


def _words(value: Any) -> str | None:
    if isinstance(value, str):
        return value or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise FieldWrong(f"text is needed, not {_kind(value)}")


def _moment(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value
    raise FieldWrong("a time without its format")


def _kind(value: Any) -> str:
    names = {bool: "true or false", float: "a decimal number", list: "a list", dict: "an object"}
    return names.get(type(value), "this value")


def _attribute(value: Any) -> str | None:
    """A describing text; one that is none is left out, since no message should be lost for it."""
    if not isinstance(value, str):
        return None
    plain = value if value.isascii() and value.isprintable() else _DIRECTION_MARKS.sub("", value)
    plain = plain.strip()
    return (plain if len(plain) <= MAX_ATTRIBUTE else plain[: MAX_ATTRIBUTE - 1] + "…") or None


def _count(value: Any) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 16:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53 else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def web_address(value: Any) -> str | None:
    """The address if it is http or https; anything else, such as a script, is left out."""
    if not isinstance(value, str) or len(value) > 4000:
        return None
    plain = value.strip()
    return plain if plain.lower().startswith(_WEB) else None


FIELDS: dict[str, Callable[[Any], Any]] = {
    "event_id": _identifier,
    "item_id": _identifier,
    "account_id": _identifier,
    "thread_id": _identifier,
    "parent_id": _identifier,
    "customer_id": _identifier,
    "scope": _identifier,
    "version": _version,
    "occurred_at": _moment,
    "text": _words,
    "lang": _attribute,
    "permalink": web_address,
    "author.external_id": _identifier,
    "author.handle": _attribute,
    "author.display_name": _attribute,
    "author.location": _attribute,
    "author.bio": _attribute,
    "author.followers": _count,
    "author.verified": _flag,
    "author.profile_url": web_address,
}
"""Each field with the function that takes a raw value; ids, text and times refuse a wrong type, attributes drop it."""

OTHER_NAMES: dict[str, str] = {
    "id": "item_id", "message_id": "item_id", "author": "author.external_id", "author.id": "author.external_id",
    "author_id": "author.external_id", "author.name": "author.display_name", "author.username": "author.handle",
    "author.screen_name": "author.handle", "author.url": "author.profile_url", "author.link": "author.profile_url",
    "customer": "customer_id", "account": "account_id", "thread": "thread_id", "conversation_id": "thread_id",
    "parent": "parent_id", "reply_to": "parent_id", "time": "occurred_at", "timestamp": "occurred_at",
    "created_at": "occurred_at", "date": "occurred_at", "body": "text", "content": "text", "message": "text",
    "language": "lang", "url": "permalink", "link": "permalink",
}  # fmt: skip
"""What people write who do not have the list beside them."""
