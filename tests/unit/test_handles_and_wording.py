"""Handles as they are typed and pasted, and how long and how equal wordings are."""

from __future__ import annotations

import pytest

from connector.domain.handles import read_handle
from connector.domain.wording import same_words, wording_digest, x_length


@pytest.mark.parametrize(
    ("network", "typed", "read"),
    [
        ("x", " @Grace_P ", "Grace_P"),
        ("x", "https://x.com/Grace_P?s=20", "Grace_P"),
        ("x", "twitter.com/grace_p/status/12", "grace_p"),
        ("x", "grace p", None),
        ("x", "grace@p", None),
        ("x", "", None),
        ("x", "https://x.com/", None),
        ("x", "gr\u202eace", None),
        ("x", "ｇｒａｃｅ", "grace"),
        ("instagram", "grace.p", "grace.p"),
        ("reddit", "https://www.reddit.com/user/grace_p/", "grace_p"),
        ("youtube", "https://youtube.com/@gracep", "gracep"),
        ("mastodon", "grace", None),
        ("mastodon", "@grace@social.example", "grace@social.example"),
        ("mastodon", "https://social.example/@grace", "grace@social.example"),
        ("bluesky", "grace.example.social", "grace.example.social"),
        ("discourse", "grace", "grace"),
        ("x", "https://[broken", None),
    ],
)
def test_a_handle_is_read_from_what_was_typed_or_refused(network: str, typed: str, read: str | None) -> None:
    assert read_handle(network, typed) == read


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("abc", 3),
        ("ありがとう", 10),
        ("é", 1),
        ("e\u0301", 1),
        ("👍", 2),
        ("see https://riverbend.example/a/long/path now", 31),
        ("“x”", 3),
    ],
)
def test_the_length_is_the_one_that_x_counts(text: str, length: int) -> None:
    assert x_length(text) == length


def test_wordings_are_equal_that_read_the_same() -> None:
    assert same_words("May we?\n Say  no.", "May we? Say no.")
    assert wording_digest("e\u0301te\u0301") == wording_digest("été")
    assert not same_words("May we?", "may we?")
