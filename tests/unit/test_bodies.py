"""Bodies: hostile ones end in a reason, odd ones are read by a stated rule, and nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import PayloadUnreadable
from connector.mapping.bodies import BODY_FORMATS, MAX_DEPTH, parse_body

URLENCODED = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "content_type", "reason"),
    [
        (b"", "", "empty"),
        (b"  \n", "", "empty"),
        (b"{", "", "not JSON"),
        (b"{}{}", "", "not JSON"),
        (b"{'a': 1}", "", "not JSON"),
        (b'{"a": NaN}', "", "NaN"),
        (b'{"a": Infinity}', "", "Infinity"),
        (b'{"a": -Infinity}', "", "-Infinity"),
        (b'{"a": 1e999}', "", "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "", "thousands of digits"),
        (b"[" * 900 + b"]" * 900, "", "deeper"),
        (b"[" * 200_000, "", "deeper"),
        (b'{"a":' * 101 + b"1" + b"}" * 101, "", "deeper"),
        ('{"a":"é"}'.encode("latin-1"), "", "Latin-1"),
        ('{"a":1}'.encode("utf-16"), "", "UTF-16"),
        ('{"a":1}'.encode("utf-16-le"), "", "UTF-16"),
        ('{"a":1}'.encode("utf-32"), "", "UTF-32"),
        (b'{"a":"\xed\xa0\x80"}', "", "UTF-8"),
        (b"{}", "multipart/form-data; boundary=x", "content type"),
        (b"{}", URLENCODED, "content type"),
        (b"{}", "application/xml", "content type"),
    ],
)
def test_a_json_body_that_cannot_be_read_says_why(body: bytes, content_type: str, reason: str) -> None:
    with pytest.raises(PayloadUnreadable, match=reason):
        parse_body("json", body, content_type)


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"null", None),
        (b"7", 7),
        (b"[1]", [1]),
        (b'\xef\xbb\xbf{"a":1}\r\n', {"a": 1}),
        (b'{"a":18446744073709551617}', {"a": 18446744073709551617}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'{"a":"\\ud83d\\ude00"}', {"a": "😀"}),
        (b'{"a":"x\\ud83dy"}', {"a": "x\ufffdy"}),
        (b'{"\\udc00":"\\ud800"}', {"\ufffd": "\ufffd"}),
        (b'{"a":"x\\u0000y"}', {"a": "x\ufffdy"}),
        ('{"a":"👩‍👩‍👧 \u202eabc"}'.encode(), {"a": "👩‍👩‍👧 \u202eabc"}),
    ],
)
def test_an_odd_json_body_is_read_by_the_stated_rule(body: bytes, value: Any) -> None:
    assert parse_body("json", body, "application/json; charset=utf-8") == value


def test_a_body_at_the_depth_limit_is_read() -> None:
    assert parse_body("json", b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(PayloadUnreadable):
        parse_body("json", b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_a_form_keeps_blank_and_repeated_values() -> None:
    assert parse_body("form", b"a=1&b=&a=2&a=3&c=%C3%A5+x", URLENCODED) == {"a": ["1", "2", "3"], "b": "", "c": "å x"}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"a=1", "application/json"),
        (b"\xff=1", URLENCODED),
        (b"&".join([b"a=1"] * 1001), URLENCODED),
        (b"x", "multipart/form-data"),
    ],
)
def test_a_form_that_is_none_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(PayloadUnreadable):
        parse_body("form", body, content_type)


MULTIPART = (
    b'--b\r\nContent-Disposition: form-data; name="text"\r\n\r\ngr\xfc\xdfe\r\n'
    b'--b\r\nContent-Disposition: form-data; name="charsets"\r\n\r\n{"text":"iso-8859-1","to":"no-such"}\r\n'
    b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\na@b.example\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="/etc/passwd"\r\n\r\nX\r\n--b--\r\n'
)


def test_a_multipart_form_gives_its_fields_and_leaves_its_files() -> None:
    found = parse_body("form", MULTIPART, "multipart/form-data; boundary=b")
    assert (found["text"], found["to"]) == ("grüße", "a@b.example")
    assert "file" not in found


FEED = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>
<entry><id>tag:1</id><title>a &amp; b</title><updated>2026-03-02T08:15:30Z</updated></entry></feed>"""


HIDDEN = b"<?xml version='1.0' encoding='utf-7'?>+ADwAIQ-DOCTYPE f [+ADwAIQ-ENTITY a 'x'>]>" + FEED[22:]
"""In this encoding the DOCTYPE is not seen in the bytes."""


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "iso-8859-1", "windows-1252"])
def test_a_feed_in_a_usual_encoding_is_read(encoding: str) -> None:
    head = f'<?xml version="1.0" encoding="{encoding}"?>'
    body = (head + FEED.decode()[21:].replace("a &amp; b", "grün")).encode(encoding)
    assert parse_body("feed", body, "")["entries"][0]["title"] == "grün"


def test_a_feed_becomes_plain_data() -> None:
    found = parse_body("feed", FEED, "application/atom+xml")
    assert found["entries"][0]["id"] == "tag:1"
    assert json.dumps(found)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'<!DOCTYPE feed [<!ENTITY a "x">]>' + FEED, ""),
        (b"<! doctype feed>" + FEED, ""),
        (FEED.decode().encode("utf-16"), ""),
        (HIDDEN, ""),
        (b"\xef\xbb\xbf" + HIDDEN, ""),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'>" + b"<a>" * 100 + b"</a>" * 100 + b"</feed>", ""),
        (b"", ""),
        (b"no feed at all", ""),
        (b"/etc/hostname", ""),
        (b"https://feeds.example/", ""),
        (FEED, "application/json"),
    ],
)
def test_a_feed_that_is_none_or_hides_a_bomb_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(PayloadUnreadable):
        parse_body("feed", body, content_type)


TYPES = st.sampled_from(
    [
        "",
        URLENCODED,
        "application/json",
        "multipart/form-data; boundary=b",
        "text/xml",
        'multipart/form-data; boundary="\xe9',
    ]
)


@given(st.sampled_from(BODY_FORMATS), st.one_of(st.binary(max_size=300), st.text(max_size=100).map(str.encode)), TYPES)
def test_no_bytes_end_in_anything_but_data_or_a_reason(body_format: str, body: bytes, content_type: str) -> None:
    try:
        value = parse_body(body_format, body, content_type)
    except PayloadUnreadable:
        return
    assert json.dumps(value, ensure_ascii=False).encode("utf-8")
