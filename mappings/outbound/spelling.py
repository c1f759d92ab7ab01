"""A FHIR value as the text of a field, such that the reader of that field gives the value back.

A line says by what its field is read; nothing says how it is written. Of the ways in which a value of its
kind can be written the one is taken that the line's own reader reads as the value: so each line works both
ways, and what no field can say is left out rather than said otherwise.

https://hl7.org/fhir/uv/v2mappings/2024Sep/datatype_maps.html
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from mappings import times
from mappings.codecs import CodeCodec
from mappings.element import V2, Line, One, Rows, V2Context, Value
from mappings.er7 import Repetition
from mappings.er7_delimiters import DEFAULT
from mappings.outbound.ways import ways
from mappings.v2lines import v2_value

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDED = frozenset({"system", "use", "type", "display"})
"""What a field may say besides, where the value says nothing: the place itself tells it."""


class Spelt(NamedTuple):
    """The text of a repetition, and how many single values of what was to be said it says."""

    text: str = ""
    said: int = 0


def spell(line: Line, field: V2, value: Value, context: V2Context, kept: Iterable[str] = ()) -> Spelt:
    """Return the text of a repetition that reads as a value, or as the most of it that the field can say.

    ``kept`` are spellings that are preferred where they read as the value. Empty where nothing reads so.
    """
    whole = weight(value)
    best = Spelt()
    for text in (*kept, *_ways(line, value, context)):
        found = likeness(_read(line, field, text, context), value)
        if found > best.said:
            best = Spelt(text, found)
        if found >= whole:
            break
    return best


def _ways(line: Line, value: Value, context: V2Context) -> Iterator[str]:
    if isinstance(line, One) and isinstance(line.codec, CodeCodec) and isinstance(value, str):
        yield from (code for code, meant in line.codec.v2.items() if meant == value)
    yield from ways(value, context)


def _read(line: Line, field: V2, text: str, context: V2Context) -> Value:
    try:
        value = v2_value(line, field, Repetition(text, DEFAULT), context)
    except (ValueError, ArithmeticError, TypeError):
        return None
    # One repetition may tell several values; here it is to tell one alone.
    alone = cast("list[Value]", value) if isinstance(line, Rows) and isinstance(value, list) else [value]
    return alone[0] if len(alone) == 1 else None


def weight(value: Value) -> int:
    """Return of how many single values a value is made."""
    if isinstance(value, dict):
        return sum(map(weight, cast("dict[str, Value]", value).values()))
    if isinstance(value, list):
        return sum(map(weight, cast("list[Value]", value)))
    return 1


def likeness(read: Value, value: Value) -> int:
    """Return how many single values of ``value`` a reading has; 0 where it says anything else."""
    if isinstance(read, dict) and isinstance(value, dict):
        return _of_parts(read, value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(read, list) and isinstance(value, list):
        return _of_items(read, value)  # pyright: ignore[reportUnknownArgumentType]
    return int(_same(read, value))


def _of_parts(read: dict[str, Any], value: dict[str, Any]) -> int:
    found = 0
    for name, part in read.items():
        if name not in value:
            if name in ADDED:
                continue
            return 0
        same = likeness(part, value[name])
        if not same:
            return 0
        found += same
    return found


def _of_items(read: list[Any], value: list[Any]) -> int:
    """Items in order; the value may have more than the field has room for."""
    if len(read) > len(value):
        return 0
    found = [likeness(left, right) for left, right in zip(read, value, strict=False)]
    return sum(found) if all(found) else 0


def _same(read: Value, value: Value) -> bool:
    if isinstance(read, bool) or isinstance(value, bool):
        return read is value
    if isinstance(read, str) and isinstance(value, str):
        return read.strip() == value.strip() or _same_moment(read, value)
    if isinstance(read, (int, Decimal)) and isinstance(value, (int, Decimal)):
        return read == value
    return False


def _same_moment(read: str, value: str) -> bool:
    """Tell whether two dates or times are the same, whatever zone they are written in."""
    if not (read[:4].isdecimal() and value[:4].isdecimal() and len(read) >= 4):
        return False
    try:
        return times.bounds(read) == times.bounds(value)
    except ValueError:
        return False
