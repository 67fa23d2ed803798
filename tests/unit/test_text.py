"""Cutting text where people see characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.text import cut, one_line, units

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
THUMB = "\U0001f44d\U0001f3fd"
FLAG_DE, FLAG_FR = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"
SCOTLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f"


@pytest.mark.parametrize(
    ("text", "length", "kept"),
    [
        ("short", 10, "short"),
        ("exactly ten", 11, "exactly ten"),
        ("one word more", 9, "one word…"),
        ("ab" + FAMILY, 12, "ab…"),
        ("ab" + THUMB, 5, "ab…"),
        (FLAG_DE + FLAG_FR, 7, FLAG_DE + "…"),
        ("x" + SCOTLAND, 14, "x…"),
        ("cafe\u0301s", 5, "caf…"),
        ("हिन्दी भाषा", 7, "हिन्दी…"),
        ("", 5, ""),
    ],
)
def test_a_cut_never_goes_through_a_character(text: str, length: int, kept: str) -> None:
    assert cut(text, length) == kept


@given(st.text(max_size=80), st.integers(1, 60))
def test_a_cut_text_fits_and_is_a_beginning_of_the_text(text: str, length: int) -> None:
    kept = cut(text, length)
    assert units(kept) <= length
    assert kept == text or (kept.endswith("…") and text.startswith(kept[:-1]))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("  two \n lines\t", "two lines"),
        ("bell\x07 and null\x00", "bell and null"),
        (f"keeps {FAMILY}", f"keeps {FAMILY}"),
        ("\u2028separators\u2029", "separators"),
        (" \n ", ""),
    ],
)
def test_one_line_keeps_what_can_be_seen(text: str, line: str) -> None:
    assert one_line(text) == line
