"""Codecs of single values: between a FHIR value and a group of columns, both ways side by side.

https://hl7.org/fhir/R4/datatypes.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping as MappingType
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from mappings import times
from mappings.element import Unclaimed

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition

Columns = tuple[Any, ...]

_ZONED = re.compile(r"T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)\Z")


class Plain:
    """One column that holds the value as it is; ``kind`` is the Python type that it must have."""

    kind: type = str

    def to_row(self, value: Value) -> Columns:
        if type(value) is not self.kind:
            raise Unclaimed
        return (value,)

    def to_fhir(self, columns: Columns) -> Value:
        return columns[0]

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        return repetition.component(1) or None


class TextCodec(Plain):
    """string, uri, markdown...; from HL7v2 the whole text of the repetition."""

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        return repetition.text.strip() or None


class BoolCodec(Plain):
    """boolean; HL7v2 table 0136: Y, N."""

    kind = bool

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        return {"Y": True, "N": False}.get(repetition.component(1).upper())


class IntCodec(Plain):
    """integer, positiveInt, unsignedInt."""

    kind = int

    def to_row(self, value: Value) -> Columns:
        if type(value) is not int or not -(2**31) <= value < 2**31:
            raise Unclaimed
        return (value,)

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        text = repetition.component(1)
        return int(text) if text else None


class DecimalCodec(Plain):
    """decimal; ``1.50`` stays ``1.50``, exponents and signs of zero are respelt by the column (and kept
    beside it).
    """

    def to_row(self, value: Value) -> Columns:
        return (number(value),)

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        text = repetition.component(1).strip()
        if not text:
            return None
        if not text.lstrip("+-").replace(".", "", 1).isdecimal():
            raise ValueError(text)
        return number(Decimal(text))


def number(value: Value) -> Decimal:
    """Return a JSON number as the database will give it back; raises Unclaimed for what no column should
    hold.
    """
    if type(value) is int:
        value = Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value.adjusted()) > 200:
        raise Unclaimed
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent > 0:
        return value.quantize(Decimal(1)) if value.adjusted() < 28 else Decimal(format(value, "f"))
    # A plain Decimal, since the column forgets how the number was spelt; and it knows no negative zero.
    return abs(value) if value.is_zero() else Decimal(value)


class ListCodec(Plain):
    """An array of plain values in a json column."""

    kind = list

    def to_row(self, value: Value) -> Columns:
        items: Any = value
        if type(value) is not list or any(isinstance(item, dict | list) for item in items):
            raise Unclaimed
        return (items,)


class DateCodec:
    """date, dateTime, instant in ``x, x_lo, x_hi``: text as given, bounds for search."""

    def to_row(self, value: Value) -> Columns:
        if type(value) is not str:
            raise Unclaimed
        try:
            return (value, *times.bounds(value))
        except ValueError:
            raise Unclaimed from None

    def to_fhir(self, columns: Columns) -> Value:
        return columns[0]

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        text = repetition.component(1)
        return times.from_v2(text, context.zone) if text else None


class InstantCodec(DateCodec):
    """instant, or a dateTime with a time and a zone, in one column of its own type; other dates stay beside
    it.
    """

    def to_row(self, value: Value) -> Columns:
        if type(value) is not str or not _ZONED.search(value):
            raise Unclaimed
        return super().to_row(value)[1:2]

    def to_fhir(self, columns: Columns) -> Value:
        return None if columns[0] is None else times.render_instant(columns[0])


class DayCodec(DateCodec):
    """date: of an HL7v2 time stamp the day as sent, never shifted by its offset."""

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        made = super().from_v2(repetition, context)
        return made and made[:10]


class TimeOfPeriodCodec(DateCodec):
    """A dateTime in the columns of a period: the text stands in ``x_start``."""

    def to_row(self, value: Value) -> Columns:
        text, low, high = super().to_row(value)
        return (text, None, low, high)


class PlainTimeCodec(TimeOfPeriodCodec):
    """time in the columns of a period; a time of day has no bounds."""

    def to_row(self, value: Value) -> Columns:
        if type(value) is not str:
            raise Unclaimed
        return (value, None, None, None)

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        text = repetition.component(1)
        if not text:
            return None
        if not text[:6].isdecimal() or len(text.partition(".")[0]) not in (2, 4, 6):
            raise ValueError(text)
        return ":".join((text[0:2], text[2:4] or "00", text[4:] or "00"))


class PeriodCodec:
    """Period in ``x_start, x_end, x_lo, x_hi``."""

    def to_row(self, value: Value) -> Columns:
        if type(value) is not dict:
            raise Unclaimed
        parts = cast("dict[str, Any]", value)
        start, end = parts.get("start"), parts.get("end")
        try:
            return (start, end, *times.period_bounds(start, end))
        except (ValueError, TypeError):
            raise Unclaimed from None

    def to_fhir(self, columns: Columns) -> Value:
        start, end = columns[0], columns[1]
        if start is None and end is None:
            return None
        return {name: text for name, text in (("start", start), ("end", end)) if text is not None}

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        """DR: start and end."""
        found = {
            name: times.from_v2(repetition.component(place), context.zone)
            for place, name in ((1, "start"), (2, "end"))
            if repetition.component(place)
        }
        return found or None


class PartsCodec:
    """An object whose parts stand in one column each, in the order of ``parts``; numbers go through
    ``number``.
    """

    def __init__(self, *parts: str, numbers: tuple[str, ...] = ("value",)) -> None:
        self.parts = parts
        self.numbers = numbers

    def to_row(self, value: Value) -> Columns:
        if type(value) is not dict:
            raise Unclaimed
        return tuple(self._part(name, value.get(name)) for name in self.parts)  # pyright: ignore[reportUnknownMemberType]

    def _part(self, name: str, value: Value) -> Any:
        if value is None:
            return None
        if name in self.numbers:
            return number(value)
        if type(value) is not str:
            raise Unclaimed
        return value

    def to_fhir(self, columns: Columns) -> Value:
        return {
            name: value for name, value in zip(self.parts, columns, strict=True) if value is not None
        } or None

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        """CQ: quantity^units."""
        text = repetition.component(1)
        if not text:
            return None
        unit = repetition.component(2, 2) or repetition.component(2)
        return {"value": number(Decimal(text))} | ({"unit": unit} if unit else {})


@dataclass(frozen=True)
class CodeCodec(Plain):
    """code: one of the column's list; ``v2`` maps the codes of an HL7v2 table, others are kept by the
    message's rules.
    """

    v2: MappingType[str, str]

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        return self.v2.get(repetition.component(1).upper())


def coded(table: MappingType[str, str] | None = None, /, **codes: str) -> CodeCodec:
    """A code whose HL7v2 table maps to FHIR codes: ``coded(F="female")``."""
    return CodeCodec({**(table or {}), **codes})


TEXT = TextCodec()
BOOL = BoolCodec()
INT = IntCodec()
DECIMAL = DecimalCodec()
LIST = ListCodec()
DATE = DayCodec()
DATETIME = DateCodec()
INSTANT = InstantCodec()
PERIOD = PeriodCodec()
DATETIME_OF_PERIOD = TimeOfPeriodCodec()
TIME_OF_PERIOD = PlainTimeCodec()
QUANTITY = PartsCodec("value", "comparator", "unit", "system", "code")
MONEY = PartsCodec("value", "currency")
CODE = coded()
