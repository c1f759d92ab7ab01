"""OBX-5 as value[x] of Observation, by the type that OBX-2 tells; and the reference range of OBX-7.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-obx-to-observation.html
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from mappings import times
from mappings.codecs import PERIOD, TIME_OF_PERIOD
from mappings.element import ext
from mappings.v2attachments import encapsulated, pointer
from mappings.v2numbers import decimal, units
from mappings.v2samples import sampled
from mappings.v2types import compact, cwe

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Field, Repetition

VALUE_EXTENSION = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value"
"""Observation.value[x] of R5, which alone can be an Attachment."""
UNIT_EXTENSION = ext("observation-unit")
"""The units of a value that is a text, for which value[x] has no place."""
MEASURED = frozenset({"valueQuantity", "valueRange", "valueRatio", "valueSampledData"})
"""Elements that hold the units of OBX-6."""
COMPARATORS = frozenset({"<", "<=", ">", ">="})
LINES = frozenset({"ST", "TX", "FT"})
"""Types whose repetitions are the lines of one text."""
ARRAYS = frozenset({"NA", "MA"})
"""Types whose repetitions are the rows of one array."""


class Found(NamedTuple):
    """An element and its value: ``("valueQuantity", {...})``, or an ``extension`` with one Attachment.

    ``fits`` is False where the text is not of the type that OBX-2 tells, and was kept as a string.
    """

    element: str
    value: Value
    fits: bool = True


Read = Callable[["Repetition", "Repetition | None", "V2Context"], "Found | None"]


def value(field: Field, kind: str, unit: Field | None, context: V2Context) -> Found | None:
    """Return the value of OBX-5 (``field``), of the type ``kind`` (OBX-2), in the units of OBX-6.

    None where there is no value. What is not of its type is kept as valueString, and so are types that
    value[x] has no word for (XPN, EI, ...). Of several repetitions that are not one value together only the
    first is taken: ``repetitions`` has them all.
    """
    return next(iter(repetitions(field, kind, unit, context)), None)


def repetitions(field: Field, kind: str, unit: Field | None, context: V2Context) -> list[Found]:
    """Return one value for each repetition of OBX-5; texts and arrays are one value over all of them.

    More than one become components of the observation, by the v2-to-FHIR guide.
    """
    if field.is_empty or field.is_null:
        return []
    kind = kind.strip().upper()
    if kind in LINES:
        return _lines(field)
    if kind in ARRAYS:
        return [_array(field, unit)]
    read = _READERS.get(kind, _text)
    unit_text = unit.first if unit else None
    found = [_one(read, repetition, unit_text, context) for repetition in field.repetitions if repetition]
    return [item for item in found if item]


def _one(read: Read, repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    try:
        return read(repetition, unit, context)
    except ValueError:
        return Found("valueString", repetition.text.strip(), fits=False)


def _array(field: Field, unit: Field | None) -> Found:
    try:
        return Found("valueSampledData", sampled(field, unit))
    except ValueError:
        return Found("valueString", _joined(field), fits=False)


def _lines(field: Field) -> list[Found]:
    text = _joined(field)
    return [Found("valueString", text)] if text else []


def _joined(field: Field) -> str:
    return field.lines.strip()


def _text(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    del unit, context
    text = repetition.text.strip()
    return Found("valueString", text) if text else None


def _number(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    """NM (2.A.47), which has one component."""
    del context
    if any(repetition.component(place, 0) for place in range(2, repetition.count + 1)):
        raise ValueError("not a number")
    return Found("valueQuantity", {"value": decimal(repetition.component(1, 0).strip()), **units(unit)})


def _composite_quantity(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    """CQ: a number and its units (2.A.16), those of OBX-6 where it has none."""
    del context
    made: dict[str, Any] = {"value": decimal(repetition.component(1).strip())}
    own = repetition.component(2, 2).strip() or repetition.component(2).strip()
    return Found("valueQuantity", made | ({"unit": own} if own else units(unit)))


def _structured(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    """SN (2.A.70): comparator, number, separator or suffix, number."""
    del context
    comparator, first, separator, second = (repetition.component(place).strip() for place in (1, 2, 3, 4))
    told = units(unit)
    if first and not separator and not second and comparator in COMPARATORS | {"", "="}:
        sign = {"comparator": comparator} if comparator in COMPARATORS else {}
        return Found("valueQuantity", {"value": decimal(first), **sign, **told})
    if first and second and comparator in ("", "="):
        low, high = decimal(first), decimal(second)
        if separator == "-":
            return Found("valueRange", {"low": {"value": low, **told}, "high": {"value": high, **told}})
        if separator in (":", "/"):
            return Found("valueRatio", {"numerator": {"value": low, **told}, "denominator": {"value": high}})
    text = f"{comparator}{first}{separator}{second}"
    return Found("valueString", text) if text else None


def _concept(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    del unit
    made = cwe(repetition, context)
    return Found("valueCodeableConcept", made) if made else None


def _date_time(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    del unit
    return Found("valueDateTime", times.from_v2(repetition.component(1), context.zone))


def _time(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    """TM (2.A.75); FHIR's time has no offset, so that one is not of its kind."""
    del unit
    made = TIME_OF_PERIOD.from_v2(repetition, context)
    if made is None or not _TIME.match(made):
        raise ValueError("not a time of day")
    return Found("valueTime", made)


_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?\Z", re.ASCII)


def _period(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    del unit
    made = PERIOD.from_v2(repetition, context)
    return Found("valuePeriod", made) if made else None


def _numeric_range(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    """NR (2.A.48): low and high, either may be open."""
    del context
    told = units(unit)
    ends = {name: repetition.component(place).strip() for place, name in ((1, "low"), (2, "high"))}
    made = {name: {"value": decimal(text), **told} for name, text in ends.items() if text}
    return Found("valueRange", made) if made else None


def _value_range(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    """VR: first and last code of a range, as the text ``first-last``."""
    del unit, context
    parts = [repetition.component(place).strip() for place in (1, 2)]
    text = "-".join(part for part in parts if part)
    return Found("valueString", text) if text else None


def _encapsulated(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    del unit, context
    return _attached(encapsulated(repetition))


def _pointer(repetition: Repetition, unit: Repetition | None, context: V2Context) -> Found | None:
    del unit, context
    return _attached(pointer(repetition))


def _attached(attachment: Value) -> Found | None:
    return Found("extension", {"url": VALUE_EXTENSION, "valueAttachment": attachment}) if attachment else None


_READERS: dict[str, Read] = {
    "NM": _number,
    "SN": _structured,
    "CQ": _composite_quantity,
    **dict.fromkeys(("CE", "CWE", "CNE", "CF", "IS", "ID"), _concept),
    **dict.fromkeys(("DT", "DTM", "TS"), _date_time),
    "TM": _time,
    "DR": _period,
    "NR": _numeric_range,
    "VR": _value_range,
    "ED": _encapsulated,
    "RP": _pointer,
}

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)"
_BETWEEN = re.compile(rf"\s*({_NUMBER})\s*(?:-|–|\^)\s*({_NUMBER})\s*\Z", re.ASCII)
_BEYOND = re.compile(rf"\s*(<=?|>=?|≤|≥)\s*({_NUMBER})\s*\Z", re.ASCII)


def reference_range(field: Field, unit: Field | None) -> Value:
    """Return the reference range of OBX-7, None where there is none.

    Its text, always; low and high, in the units of OBX-6, where it reads ``a-b``, ``<a`` or ``>a``.
    """
    text = field.text.strip()
    if not text or field.is_null:
        return None
    told = units(unit.first if unit else None)
    low, high = _limits(text)
    return compact(
        low={"value": decimal(low), **told} if low else None,
        high={"value": decimal(high), **told} if high else None,
        text=text,
    )


def _limits(text: str) -> tuple[str, str]:
    if between := _BETWEEN.match(text):
        return between[1], between[2]
    if beyond := _BEYOND.match(text):
        return ("", beyond[2]) if beyond[1] in ("<", "<=", "≤") else (beyond[2], "")
    return "", ""
