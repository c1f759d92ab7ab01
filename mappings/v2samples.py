"""NA and MA, arrays of numbers, as SampledData.

https://hl7.org/fhir/R4/datatypes.html#SampledData; HL7 v2.5.1, sections 2.A.46 and 2.A.41
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.v2numbers import decimal, units

if TYPE_CHECKING:
    from mappings.er7 import Field, Repetition

UNKNOWN = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    ]
}
MISSING = "E"
"""What FHIR writes for a sample that could not be taken."""


def sampled(field: Field, unit: Field | None) -> dict[str, Any]:
    """Return the SampledData of an array: a row for each repetition, its numbers side by side.

    The time between samples stands nowhere in the field: it is said to be unknown. Raises ValueError for rows
    of unequal length and for what is no number.
    """
    rows = [_samples(repetition) for repetition in field.repetitions]
    if len({len(row) for row in rows}) != 1 or not rows[0]:
        raise ValueError("rows of unequal length")
    return {
        "origin": {"value": 0, **units(unit.first if unit else None)},
        "_period": UNKNOWN,
        "dimensions": len(rows[0]) if len(rows) > 1 else 1,
        "data": " ".join(sample for row in rows for sample in row),
    }


def _samples(repetition: Repetition) -> list[str]:
    texts = [repetition.component(place).strip() for place in range(1, repetition.count + 1)]
    return [format(decimal(text), "f") if text else MISSING for text in texts]
