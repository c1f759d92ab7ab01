"""Readers of HL7v2 fields that are not of their element's usual datatype: coded by a table, times, parts.

https://hl7.org/fhir/uv/v2mappings/2024Sep/segment_maps.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from mappings import times
from mappings.codecs import number
from mappings.v2types import V2_TABLE, authority, code_system, compact, cwe, cx, identifier_type

if TYPE_CHECKING:
    from mappings.element import Reader, V2Context, Value
    from mappings.er7 import Repetition


def of_table(table: str) -> Reader:
    """Return a reader of IS, CE, CWE whose code is of an HL7 table ("0007") where it names no other."""

    def reader(repetition: Repetition, context: V2Context) -> Value:
        made = cwe(repetition, context)
        for coding in made.get("coding", ()) if made else ():
            if "system" not in coding:
                coding["system"] = V2_TABLE + table
        return made

    return reader


def time_stamp(repetition: Repetition, context: V2Context) -> Value:
    """TS, DTM -> dateTime, its precision kept."""
    text = repetition.component(1)
    return times.from_v2(text, context.zone) if text else None


def time_of_day(repetition: Repetition, context: V2Context) -> Value:
    """TS, DTM -> instant: one that tells the time of day; None for a date."""
    found = time_stamp(repetition, context)
    return found if found and "T" in found else None


def text(repetition: Repetition, context: V2Context) -> Value:
    """ST, or the text of a CE: what is written there; None where it is empty."""
    del context
    return repetition.component(1).strip() or repetition.component(2).strip() or None


def named(repetition: Repetition, context: V2Context) -> Value:
    """A code with a name (CWE, or DLD whose first component is one), or a code alone -> a Reference that only
    names.
    """
    del context
    code, name = repetition.component(1, 1).strip(), repetition.component(1, 2).strip()
    return compact(display=name or repetition.component(2).strip() or code)


def days(repetition: Repetition, context: V2Context) -> Value:
    """NM that counts days -> Duration."""
    del context
    found = repetition.component(1).strip()
    if not found:
        return None
    if not found.isdecimal():
        raise ValueError(found)
    return {"value": number(Decimal(found)), "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}


def annotation(repetition: Repetition, context: V2Context) -> Value:
    """ST, or the text of a CE -> Annotation."""
    return compact(text=text(repetition, context))


def note(repetition: Repetition, context: V2Context) -> Value:
    """FT of NTE-3 -> Annotation; separators in it are part of the text."""
    del context
    return compact(text=repetition.text.strip())


def logical(repetition: Repetition, context: V2Context) -> Value:
    """CX -> a Reference by identifier."""
    return compact(identifier=cx(repetition, context))


def entity(component: int, kind: str) -> Reader:
    """Return a reader of one half of an EIP (1 placer, 2 filler) -> Identifier of that type of table 0203."""

    def reader(repetition: Repetition, context: V2Context) -> Value:
        value, name, universal, form = (repetition.component(component, sub) for sub in (1, 2, 3, 4))
        if not value:
            return None
        return compact(
            type=identifier_type(kind), system=authority(name, universal, form, context), value=value
        )

    return reader


def inner_concept(component: int) -> Reader:
    """Return a reader of a CWE that stands within a component (SPS of OBR-15) -> CodeableConcept."""

    def reader(repetition: Repetition, context: V2Context) -> Value:
        del context
        code, display, name = (repetition.component(component, sub) for sub in (1, 2, 3))
        if not code:
            return compact(text=display.strip())
        return {"coding": [compact(system=code_system(name), code=code.strip(), display=display.strip())]}

    return reader
