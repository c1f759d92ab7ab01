"""Cells of a sheet: none is run by a spreadsheet, and each text comes back as it was."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from gateway.native.spreadsheet import STARTS, cell, guard, lines, unguard

TEXTS = st.text(st.characters(codec="utf-8")) | st.builds(
    "{}{}".format, st.sampled_from(STARTS), st.text(max_size=5)
)


@given(TEXTS)
def test_a_guarded_text_comes_back_and_begins_no_formula(text: str) -> None:
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(tuple(start for start in STARTS if start != "'"))


@given(st.lists(st.lists(TEXTS.filter(lambda text: "\x00" not in text), min_size=2, max_size=4)))
def test_rows_are_read_again_as_they_were_written(rows: list[list[str]]) -> None:
    read = csv.reader(io.StringIO(lines(rows).decode(), newline=""))
    assert [[unguard(text) for text in row] for row in read] == rows


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3) | st.integers())
def test_a_number_stays_a_number(number: Decimal | int) -> None:
    assert Decimal(cell(number)) == number
    assert "E" not in cell(number)
