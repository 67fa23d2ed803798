"""Form bodies, urlencoded or multipart, as pairs in order; file parts are left out."""

from __future__ import annotations

import json
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import parse_qsl

from connector.errors import PayloadUnreadable

MAX_FIELDS = 1000
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"


def form_pairs(body: bytes, content_type: str) -> list[tuple[str, str]]:
    """The form's names and values in order, blank ones kept; PayloadUnreadable when the body is no form."""
    media = content_type.partition(";")[0].strip().lower()
    if media == URLENCODED:
        return _urlencoded(body)
    if media == MULTIPART:
        return _multipart(body, content_type)
    raise PayloadUnreadable(f"A form was expected, but the content type is `{media[:60] or 'missing'}`.")


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        text = body.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="replace") if text else []
    except UnicodeDecodeError:
        raise PayloadUnreadable("The form holds raw bytes that should be percent-encoded.") from None
    except ValueError:
        raise PayloadUnreadable(f"The form has more than {MAX_FIELDS} fields.") from None


def _multipart(body: bytes, content_type: str) -> list[tuple[str, str]]:
    if not content_type.isascii() or "\n" in content_type or "\r" in content_type:
        raise PayloadUnreadable("The content type of the form is broken.")
    head = b"Content-Type: " + content_type.encode("ascii") + b"\r\n\r\n"
    try:
        message: Message = BytesParser(policy=HTTP).parsebytes(head + body)
        parts = message.get_payload() if message.is_multipart() else []
    except (ValueError, LookupError, RecursionError):
        raise PayloadUnreadable("The multipart form cannot be read.") from None
    if not isinstance(parts, list) or not parts or len(parts) > MAX_FIELDS:
        raise PayloadUnreadable(f"The multipart form has no parts, or more than {MAX_FIELDS}.")
    raw = [(name, data) for part in parts if isinstance(part, Message) for name, data in _field(part)]
    charsets = _charsets(dict(raw).get("charsets", b""))
    return [(name, _decode(data, charsets.get(name, "utf-8"))) for name, data in raw]


def _field(part: Message) -> list[tuple[str, bytes]]:
    try:
        name = part.get_param("name", header="content-disposition")
        is_file = part.get_filename() is not None
        data = part.get_payload(decode=True)
    except (ValueError, LookupError, AttributeError, TypeError):
        raise PayloadUnreadable("A part of the multipart form cannot be read.") from None
    if not isinstance(name, str) or is_file or not isinstance(data, bytes):
        return []
    return [(name, data)]


def _charsets(data: bytes) -> dict[str, str]:
    """SendGrid states the charset of each part in a field of its own."""
    try:
        table = json.loads(data) if data else {}
    except (ValueError, RecursionError):
        return {}
    return {k: v for k, v in table.items() if isinstance(v, str)} if isinstance(table, dict) else {}


def _decode(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return data.decode("utf-8", "replace")
