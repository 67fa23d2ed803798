"""What a value may go through on its way into the normal event: small, named, bounded, without templates or code.

A missing value stays missing through every transform.
"""

from __future__ import annotations

import binascii
import html
import json
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlsplit

from connector.errors import PayloadUnreadable
from connector.mapping.bodies import check_depth, clean_text, clean_value
from connector.mapping.markup import html_to_text

Transform = Callable[[Any], Any]
_QUOTE_HEAD = re.compile(
    r"(?:On .{4,200} wrote:|Am .{4,200} schrieb .{0,100}:|Le .{4,200} a écrit ?:|El .{4,200} escribió:"
    r"|-{2,}\s*(?:Original Message|Ursprüngliche Nachricht|Message d'origine|Forwarded message)\s*-{2,}|_{10,})"
)
_DIGITS = re.compile(r"\+?[0-9]{7,15}", re.ASCII)


class TransformFailed(ValueError):
    """The value does not fit the transform; the message says why, without the value."""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TransformFailed("text is needed")


def cut_quoted(value: Any) -> str:
    """A mail's own words: everything from the first quotation head on is cut, and so are trailing quoted lines."""
    kept: list[str] = []
    for line in _text(value).replace("\r\n", "\n").split("\n"):
        if _QUOTE_HEAD.match(line.strip()[:400]):
            break
        kept.append(line)
    while kept and (not kept[-1].strip() or kept[-1].lstrip().startswith(">")):
        kept.pop()
    return "\n".join(kept).strip()


def e164(value: Any) -> str:
    """The phone number as + and digits; the sender must give the country code."""
    plain = re.sub(r"[\s().\-/]", "", _text(value)[:40])
    if not _DIGITS.fullmatch(plain):
        raise TransformFailed("no international phone number")
    return "+" + plain.lstrip("+")


def phone_or_null(value: Any) -> str | None:
    """The phone number as + and digits; nothing for anonymous, SIP and other callers without one."""
    try:
        return e164(value)
    except TransformFailed:
        return None


def _parse_json(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        return value
    try:
        found = json.loads(value if isinstance(value, bytes) else _text(value), parse_constant=_refuse)
        check_depth(found)
    except (ValueError, RecursionError, PayloadUnreadable):
        raise TransformFailed("no JSON inside") from None
    return clean_value(found)


def _refuse(_name: str) -> None:
    raise ValueError


def _decode(decoder: Callable[[bytes], bytes]) -> Transform:
    def decode(value: Any) -> str:
        raw = _text(value)
        try:
            return clean_text(decoder(raw.encode("ascii") + b"=" * (-len(raw) % 4)).decode("utf-8"))
        except (binascii.Error, ValueError):
            raise TransformFailed("no base64 text inside") from None

    return decode


def _pairs(value: Any) -> dict[str, Any]:
    """A list of [name, value] or {name, value} as one object; of a repeated name the first counts."""
    if not isinstance(value, list):
        raise TransformFailed("a list of pairs is needed")
    found: dict[str, Any] = {}
    for each in value:
        if isinstance(each, list) and len(each) == 2:
            name, content = each
        elif isinstance(each, dict):
            name, content = (each.get(key, each.get(key.title())) for key in ("name", "value"))
        else:
            raise TransformFailed("a list of pairs is needed")
        found.setdefault(str(name).lower(), content)
    return found


def _address(value: Any) -> dict[str, str | None]:
    name, email = parseaddr(_text(value)[:1000])
    return {"name": name or None, "email": email or None}


def _host(value: Any) -> str:
    try:
        return urlsplit(_text(value)).netloc.rpartition("@")[2].lower() or _text(value)
    except ValueError:
        raise TransformFailed("no web address") from None


def _integer(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return int(_text(value).strip())
    except ValueError:
        raise TransformFailed("no whole number") from None


def _number(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    try:
        return float(_text(value).strip())
    except ValueError:
        raise TransformFailed("no number") from None


def _strip_prefix(prefix: str) -> Transform:
    return lambda value: _text(value).removeprefix(prefix)


def _strip_suffix(suffix: str) -> Transform:
    return lambda value: _text(value).removesuffix(suffix)


def _after(mark: str) -> Transform:
    """What stands after the first mark; the whole text where there is none."""
    return lambda value: _text(value).partition(mark)[2] if mark in _text(value) else _text(value)


def _before(mark: str) -> Transform:
    return lambda value: _text(value).partition(mark)[0]


def _prefix(text: str) -> Transform:
    return lambda value: text + _text(value)


def _suffix(text: str) -> Transform:
    return lambda value: _text(value) + text


def _separator(mark: str) -> Transform:
    """The non-empty parts of a list as one text."""

    def join(value: Any) -> str | None:
        if not isinstance(value, list):
            raise TransformFailed("a list is needed")
        return mark.join(_text(each) for each in value if each not in (None, "")) or None

    return join


PLAIN: dict[str, Transform] = {
    "html_to_text": lambda value: html_to_text(_text(value)),
    "cut_quoted": cut_quoted,
    "e164": e164,
    "phone_or_null": phone_or_null,
    "strip": lambda value: _text(value).strip() or None,
    "blank_to_null": lambda value: value if not isinstance(value, str) or value.strip() else None,
    "unescape": lambda value: html.unescape(_text(value)),
    "lower": lambda value: _text(value).lower(),
    "upper": lambda value: _text(value).upper(),
    "json": _parse_json,
    "base64": _decode(b64decode),
    "base64url": _decode(urlsafe_b64decode),
    "pairs": _pairs,
    "address": _address,
    "host": _host,
    "integer": _integer,
    "number": _number,
    "text": _text,
}
"""Transforms that take no argument."""

WITH_TEXT: dict[str, Callable[[str], Transform]] = {
    "strip_prefix": _strip_prefix,
    "strip_suffix": _strip_suffix,
    "after": _after,
    "before": _before,
    "prefix": _prefix,
    "suffix": _suffix,
    "join": _separator,
}
"""Transforms that take one text."""


def chain(transforms: Sequence[Transform]) -> Transform:
    """One transform that does them in order and stops at a missing value."""

    def run(value: Any) -> Any:
        for transform in transforms:
            if value is None:
                return None
            value = transform(value)
        return value

    return run
