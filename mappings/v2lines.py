"""HL7v2 fields to rows, by the lines of a mapping that name them.

https://hl7.org/fhir/uv/v2mappings/2024Sep/segment_maps.html
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from mappings.convert import Around, At, append, clear, put
from mappings.element import V2, Choice, Extension, Line, Mapping, One, Part, Rows, V2Context, Value

if TYPE_CHECKING:
    from mappings.er7 import Repetition


@cache
def v2_lines(mapping: Mapping, segments: tuple[str, ...]) -> tuple[tuple[Line, tuple[V2, ...], Around], ...]:
    """Return the lines of a mapping that segments fill: the line, its fields as it lists them, the
    elements around it.
    """
    return tuple(_v2_lines(mapping.lines, segments, ()))


def _v2_lines(
    lines: tuple[Line, ...], segments: tuple[str, ...], around: Around
) -> Iterator[tuple[Line, tuple[V2, ...], Around]]:
    for line in lines:
        found = tuple(field for field in line.v2 if field.place[0] in segments)
        if found:
            yield line, found, around
        if isinstance(line, (Part, Choice)) or (isinstance(line, Extension) and line.rows is None):
            yield from _v2_lines(line.lines, segments, (*around, line))
        elif isinstance(line, Extension) and line.rows is not None:
            yield from _v2_lines((line.rows,), segments, (*around, line))


def v2_value(line: Line, field: V2, repetition: Repetition, context: V2Context) -> Value:
    """Return the FHIR value of one repetition of a field of a line; raises ValueError where it is malformed.

    Of a choice the value is ``{key: value}``.
    """
    read = field.read
    if read is None and isinstance(line, One):
        read = line.codec.from_v2
    if read is None and isinstance(line, Rows):
        read = line.mapping.v2
    if read is None:
        raise TypeError(f"nothing reads {field.field} for {line.element}")
    return read(repetition, context)


def whole(line: Line, around: Around) -> Line:
    """Return the line that is there or not as a whole: the choice that a branch belongs to, else the line
    itself.
    """
    return around[-1] if around and isinstance(around[-1], Choice) else line


def set_from_v2(at: At, line: Line, around: Around, value: Value) -> None:
    """Set an element from what its fields say, whatever stood there: a list for an array.

    ``at`` is the place that ``descend`` gave. Raises Refused.
    """
    owner = whole(line, around)
    clear(at, owner)
    if isinstance(line, Choice):
        for key, item in value.items():
            put(at, line, key, item)
    elif isinstance(line, Rows) and line.many:
        for item in value:
            append(at, line, item, f"{at.where}.{line.element}")
    elif isinstance(line, Rows) and not isinstance(owner, Choice):
        append(at, line, value, f"{at.where}.{line.element}")
    else:
        put(at, owner, line.element, value)
