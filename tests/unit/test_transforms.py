"""Transforms: each does one small thing to a value, or says why it cannot."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mapping.transforms import PLAIN, WITH_TEXT, TransformFailed, chain


@pytest.mark.parametrize(
    ("name", "value", "result"),
    [
        ("html_to_text", "<p>a &amp; b</p><p>c<br>d</p>", "a & b\nc\nd"),
        ("html_to_text", "<script>x()</script><style>p{}</style>hi <b>you</b>", "hi you"),
        ("html_to_text", "1 &lt; 2 &amp;&amp; 3 &gt; 2", "1 < 2 && 3 > 2"),
        ("html_to_text", "<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
        ("html_to_text", '<img src=x onerror="alert(1)">text', "text"),
        ("html_to_text", "<p>a<p>b<P >c", "a\nb\nc"),
        ("html_to_text", "hello<div>there</div>", "hello\nthere"),
        ("html_to_text", "<table><tr><td>Order</td><td>7</td></tr><tr><td>Paid</td></tr></table>", "Order 7\nPaid"),
        ("html_to_text", '<a title="1 > 0" href=\'">"\'>more</a> than 0', "more than 0"),
        ("html_to_text", "<a onclick=don't>hi</a> <3 a < b", "hi <3 a < b"),
        ("html_to_text", "<!doctype html><head><title>T</title></head><!-- a > b -->x<![CDATA[y]]>", "x"),
        ("html_to_text", "<style>p { }", ""),
        ("html_to_text", "words <script", "words"),
        ("cut_quoted", "new\n\nOn Mon, 2 Mar 2026 at 08:00, A wrote:\n> old", "new"),
        ("cut_quoted", "neu\n\nAm 02.03.2026 um 08:00 schrieb Aurora:\n> alt", "neu"),
        ("cut_quoted", "new\n-----Original Message-----\nold", "new"),
        ("cut_quoted", "answer\n> question\n> more\n", "answer"),
        ("cut_quoted", "> question\nanswer", "> question\nanswer"),
        ("e164", "+46 70-000 00 42", "+46700000042"),
        ("e164", "46700000042", "+46700000042"),
        ("phone_or_null", "anonymous", None),
        ("phone_or_null", "sip:a@b.example", None),
        ("strip", "  ", None),
        ("blank_to_null", "", None),
        ("blank_to_null", "a ", "a "),
        ("lower", "ÅÄÖ", "åäö"),
        ("upper", "a", "A"),
        ("unescape", "a &amp; b", "a & b"),
        ("json", '{"a":"\\ud83d"}', {"a": "\ufffd"}),
        ("json", {"a": 1}, {"a": 1}),
        ("base64", "aGVq", "hej"),
        ("base64url", "aGVq", "hej"),
        ("base64url", "8J-Ntw", "🍷"),
        ("pairs", [["A", 1], ["a", 2]], {"a": 1}),
        ("pairs", [{"Name": "X", "Value": 1}, {"name": "Y", "value": 2}], {"x": 1, "y": 2}),
        ("address", "Mara <m@x.example>", {"name": "Mara", "email": "m@x.example"}),
        ("host", "https://user@Forum.example:8443/t/1", "forum.example:8443"),
        ("host", "forum.example", "forum.example"),
        ("integer", "49", 49),
        ("integer", 3.0, 3),
        ("number", "1.5", 1.5),
        ("text", 7, "7"),
    ],
)
def test_a_transform_gives(name: str, value: Any, result: Any) -> None:
    assert PLAIN[name](value) == result


@pytest.mark.parametrize(
    ("name", "argument", "value", "result"),
    [
        ("strip_prefix", "whatsapp:", "whatsapp:+1", "+1"),
        ("strip_suffix", "-x", "a-x", "a"),
        ("after", "_", "FACEBOOK_18", "18"),
        ("after", "_", "none", "none"),
        ("before", "_", "FACEBOOK_18", "FACEBOOK"),
        ("prefix", "x-", 1, "x-1"),
        ("suffix", "!", "a", "a!"),
        ("join", ", ", ["a", "", None, 2], "a, 2"),
        ("join", ", ", [], None),
    ],
)
def test_a_transform_with_a_text_gives(name: str, argument: str, value: Any, result: Any) -> None:
    assert WITH_TEXT[name](argument)(value) == result


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("json", "{"), ("json", "NaN"), ("json", "[" * 5000), ("json", 1.5), ("base64", "ä"), ("base64", "/w=="),
        ("e164", "070-123"), ("e164", True), ("pairs", "x"), ("pairs", [1]), ("host", 1.5), ("host", "https://["),
        ("integer", "4.5"), ("integer", "9" * 5000), ("number", "x"), ("text", []), ("html_to_text", 1.5),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_says_why(name: str, value: Any) -> None:
    with pytest.raises(TransformFailed, match=r"\w"):
        PLAIN[name](value)


def test_a_missing_value_stops_a_chain() -> None:
    assert chain([PLAIN["blank_to_null"], PLAIN["json"]])("  ") is None
    assert chain([PLAIN["json"]])(None) is None


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
VALUES = st.one_of(LEAVES, st.lists(LEAVES, max_size=3), st.dictionaries(st.text(), LEAVES, max_size=3))


@given(st.sampled_from(sorted(PLAIN)), VALUES)
def test_any_value_ends_in_a_value_or_a_reason(name: str, value: Any) -> None:
    try:
        result = chain([PLAIN[name]])(value)
    except TransformFailed:
        return
    assert (result is None) or (value is not None)


@pytest.mark.parametrize(
    "piece",
    ["<!--", "<", "<div>", "<ul><li>", "<b><div>", "<b></p>", '<a ="', "<a ='", "<script>", "&", "&amp;lt;", "="],
)
def test_hostile_html_costs_no_more_than_its_length(piece: str) -> None:
    """Tags nested ten thousand deep cost a parser that builds the tree minutes; anybody can send such a mail."""
    assert isinstance(PLAIN["html_to_text"](piece * (400_000 // len(piece))), str)
