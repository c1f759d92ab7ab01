"""Rows as comma-separated lines that a spreadsheet shows and never runs.

A text that a program for spreadsheets could take for a formula is written with an apostrophe before it, and
so is one that begins with an apostrophe: whoever reads the lines in again takes one apostrophe away, and has
each text as it was. Numbers are no texts and stay numbers, negative ones too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
"""How a text begins that gets an apostrophe: a formula's first character, or the apostrophe itself."""
CSV = "text/csv"
"""Its media type; whoever answers says that it is UTF-8."""


def guard(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs."""
    return f"'{text}" if text.startswith(STARTS) else text


def unguard(text: str) -> str:
    """Return the text that ``guard`` made a cell of."""
    return text[1:] if text.startswith("'") and text[1:].startswith(STARTS) else text


def cell(value: Any) -> str:
    """Return a value as a cell: nothing for None, true and false, numbers as they are kept, lists parted by
    semicolons, instants in UTC.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list):
        return guard(";".join(str(item) for item in value))  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return guard(str(value))


def lines(rows: Iterable[Iterable[Any]]) -> bytes:
    """Return rows as lines of UTF-8 that end as RFC 4180 has them."""
    written = io.StringIO(newline="")
    csv.writer(written).writerows([cell(value) for value in row] for row in rows)
    return written.getvalue().encode()
