"""Bodies into plain data, within limits: JSON, forms, and Atom or RSS feeds.

Decided once, for every sender: of a repeated JSON key the last one counts (as in the providers' own libraries); whole
numbers stay exact; NaN and infinity are refused; a lone surrogate or a NUL becomes U+FFFD; a UTF-8 byte order mark is
skipped; any other encoding is refused with its name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from io import BytesIO
from typing import Any, NoReturn
from xml.parsers.expat import ExpatError, ParserCreate

from connector.errors import PayloadUnreadable
from connector.mapping.forms import MULTIPART, URLENCODED, form_pairs

MAX_DEPTH = 100
_ESCAPED = re.compile(rb"\\u(?:[dD][89a-fA-F]|0000)")
_BOMS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)
_DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_FEED_TYPES = ("xml", "rss", "atom")
_XML_ENCODING = re.compile(rb"""\s*(?:\xef\xbb\xbf)?<\?xml[^>]*?encoding\s*=\s*["']([!-~]*)["']""", re.IGNORECASE)
_ASCII_LIKE = re.compile(rb"utf-?8|us-ascii|ascii|(?:iso-8859|windows-125)-?[0-9]{1,2}", re.IGNORECASE)


def parse_body(body_format: str, body: bytes, content_type: str = "") -> Any:
    """The body as dicts, lists and scalars; PayloadUnreadable with the reason when it is not in the stated format."""
    return _PARSERS[body_format](body, content_type)


def _json(body: bytes, content_type: str) -> Any:
    media = content_type.partition(";")[0].strip().lower()
    if media in {URLENCODED, MULTIPART} or media.endswith(("/xml", "+xml", "/html")):
        raise PayloadUnreadable(f"JSON was expected, but the content type is `{media[:60]}`.")
    try:
        value = _DECODER.decode(_utf8(body))
    except RecursionError:
        raise PayloadUnreadable(f"The JSON is nested deeper than {MAX_DEPTH} levels.") from None
    except json.JSONDecodeError as error:
        raise PayloadUnreadable(f"This is not JSON: {error.msg} at character {error.pos}.") from None
    except ValueError:
        raise PayloadUnreadable("The JSON holds a number of thousands of digits.") from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH:  # else it cannot be nested so deep
        check_depth(value)
    return clean_value(value) if _ESCAPED.search(body) or b"\x00" in body else value


def _utf8(body: bytes) -> str:
    for mark, name in _BOMS:
        if body.startswith(mark):
            raise PayloadUnreadable(f"The body is {name}; only UTF-8 is read.")
    if b"\x00" in body[:4]:
        raise PayloadUnreadable("The body is UTF-16 or UTF-32 without a mark; only UTF-8 is read.")
    if not body.strip():
        raise PayloadUnreadable("The body is empty.")
    try:
        return body.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise PayloadUnreadable(f"The body is not UTF-8 (byte {error.start}); is it Latin-1?") from None


def _refuse_constant(name: str) -> NoReturn:
    raise PayloadUnreadable(f"The JSON holds {name}, which is no JSON number.")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise PayloadUnreadable("The JSON holds a number that is too large.")
    return number


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)


def check_depth(value: Any) -> None:
    """Nothing when the value is nested at most MAX_DEPTH deep; PayloadUnreadable otherwise."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for each in level:
            if type(each) is dict:
                below.extend(inner for inner in each.values() if type(inner) in {dict, list})
            elif type(each) is list:
                below.extend(inner for inner in each if type(inner) in {dict, list})
        if not below:
            return
        level = below
    raise PayloadUnreadable(f"The JSON is nested deeper than {MAX_DEPTH} levels.")


def clean_value(value: Any) -> Any:
    """The value with every text in it cleaned."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, list):
        return [clean_value(each) for each in value]
    if isinstance(value, dict):
        return {clean_text(key): clean_value(each) for key, each in value.items()}
    return value


def clean_text(text: str) -> str:
    """The text with every lone surrogate and NUL as U+FFFD, so that any database and the CRM can hold it."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")


def _form(body: bytes, content_type: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in form_pairs(body, content_type or URLENCODED):
        key, text = clean_text(name), clean_text(value)
        if key not in found:
            found[key] = text
        elif isinstance(found[key], list):
            found[key].append(text)
        else:
            found[key] = [found[key], text]
    return found


def _feed(body: bytes, content_type: str) -> dict[str, Any]:
    media = content_type.partition(";")[0].strip().lower()
    if media and not any(word in media for word in _FEED_TYPES):
        raise PayloadUnreadable(f"A feed was expected, but the content type is `{media[:60]}`.")
    if _DOCTYPE.search(body):
        raise PayloadUnreadable("The feed has a DOCTYPE or entity, which is refused because it can hide a bomb.")
    if not body.strip():
        raise PayloadUnreadable("The body is empty.")
    if b"\x00" in body:
        raise PayloadUnreadable("The feed is not UTF-8; only UTF-8 is read.")
    declared = _XML_ENCODING.match(body)
    if declared is not None and not _ASCII_LIKE.fullmatch(declared[1]):
        # In another one a DOCTYPE could hide from the look above.
        raise PayloadUnreadable(f"The feed is {declared[1].decode('ascii')[:30]}; only UTF-8 and Latin are read.")
    _check_feed_depth(body)
    import feedparser

    # A stream, never the bytes themselves: feedparser would try to open those as an address or a file name.
    parsed = feedparser.parse(BytesIO(body), sanitize_html=True, resolve_relative_uris=False)
    if not parsed.version and not parsed.entries:
        raise PayloadUnreadable("This is neither Atom nor RSS.")
    found: dict[str, Any] = _plain({"feed": parsed.feed, "entries": parsed.entries})
    return found


def _check_feed_depth(body: bytes) -> None:
    """Nothing for a feed nested at most MAX_DEPTH deep, or not well-formed, which the feed reader takes as it can."""
    depth = 0

    def opened(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise PayloadUnreadable(f"The feed is nested deeper than {MAX_DEPTH} levels.")

    def closed(_name: str) -> None:
        nonlocal depth
        depth -= 1

    reader = ParserCreate()
    reader.StartElementHandler, reader.EndElementHandler = opened, closed
    try:
        reader.Parse(body, True)
    except ExpatError:
        return


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(value[key]) for key in value if not str(key).endswith("_parsed")}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return clean_text(value) if isinstance(value, str) else value


_PARSERS: dict[str, Callable[[bytes, str], Any]] = {"json": _json, "form": _form, "feed": _feed}
BODY_FORMATS = tuple(_PARSERS)
