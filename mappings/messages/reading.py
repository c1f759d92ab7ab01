"""The values of a line's fields, and how they make one value of its element.

https://hl7.org/fhir/uv/v2mappings/2024Sep/mapping_guidelines.html
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from mappings import v2lines
from mappings.element import V2, Line, Rows, V2Context, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mappings.element import Reader
    from mappings.er7 import Repetition, Segment
    from mappings.messages.coverage import Coverage
    from mappings.messages.workspace import Desk


@dataclass(frozen=True)
class Reading:
    """A field of a line that is not empty, and the values of its repetitions."""

    field: V2
    segment: Segment
    number: int
    values: list[Value]

    @property
    def is_null(self) -> bool:
        """Whether the field says ``""``: to be cleared."""
        return self.segment.field(self.number).is_null


def read_line(
    line: Line, fields: Iterable[V2], segments: Sequence[Segment], context: V2Context, coverage: Coverage
) -> list[Reading]:
    """Return the fields of a line that are not empty, in the order in which the line lists them."""
    return [
        Reading(field, segment, field.place[1], read_field(line, field, segment, context, coverage))
        for field in fields
        for segment in segments
        if segment.name == field.place[0] and not segment.field(field.place[1]).is_empty
    ]


def read_field(
    line: Line, field: V2, segment: Segment, context: V2Context, coverage: Coverage
) -> list[Value]:
    """Return the values of a field's repetitions; those that cannot be read are warned about (102, 103)."""
    number = field.place[1]
    found = segment.field(number)
    values: list[Value] = []
    if found.is_null:
        return values
    for repetition in found.repetitions:
        value = _read(partial(v2lines.v2_value, line, field, repetition), segment, number, context, coverage)
        if isinstance(value, list) and isinstance(line, Rows):
            values += cast("list[Value]", value)
        elif value is not None:
            values.append(value)
    return values


def read_number(
    read: Reader, repetition: Repetition, segment: Segment, number: int, desk: Desk
) -> dict[str, Any] | None:
    """Return the identifier of a repetition of a field that no line reads."""
    return _read(partial(read, repetition), segment, number, desk.context, desk.coverage)


def _read(
    read: Callable[[V2Context], Value],
    segment: Segment,
    number: int,
    context: V2Context,
    coverage: Coverage,
) -> Value:
    """Return what a field tells, None with a warning (102) where it is not of its type; a name or a number is
    not lost for the dates from and to which it holds.
    """
    try:
        return read(context)
    except (ValueError, ArithmeticError):
        coverage.warn("102", segment, number, text=f"{segment.name}-{number} is not of its type")
    try:
        return read(replace(context, undated=True))
    except (ValueError, ArithmeticError):
        return None


def combine(line: Line, readings: Sequence[Reading], present: Value) -> tuple[Value, list[Reading]]:
    """Return the element's value, and the readings that are in it; None where there is no value.

    An array takes all; a single element the first that has a value, with the parts that other fields add
    to it. A part alone is added to what is there, and one that says ``""`` is taken from it.
    """
    filled = [reading for reading in readings if reading.values]
    if isinstance(line, Rows) and line.many:
        values: list[Value] = []
        for value in (value for reading in filled for value in reading.values):
            if value not in values:
                values.append(value)
        return values or None, filled
    first = next((reading for reading in filled if not reading.field.part), None)
    parts = [reading for reading in readings if reading.field.part and (reading.values or reading.is_null)]
    if not parts:
        same = [reading for reading in filled if first and reading.values[0] == first.values[0]]
        return (first.values[0], same) if first else (None, [])
    base: Value = first.values[0] if first else present or {}
    told = {reading.field.part: reading.values[0] for reading in reversed(parts) if reading.values}
    gone = {reading.field.part for reading in parts} - told.keys()
    made = {name: value for name, value in (base | told).items() if name not in gone}
    return made or None, [*([first] if first else ()), *parts]
