"""The lines of Observation, its components and its reference ranges.

https://hl7.org/fhir/R4/observation.html; HL7v2 OBX: https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mappings.codecs import (
    BOOL,
    DATETIME,
    DATETIME_OF_PERIOD,
    PERIOD,
    QUANTITY,
    TEXT,
    IntCodec,
    PartsCodec,
    coded,
)
from mappings.datatypes import ANNOTATION, CODEABLE_CONCEPT, IDENTIFIER, REFERENCE
from mappings.element import V2, Choice, Joined, Mapping, Unclaimed, choice, linked, many, one, single
from mappings.observation_codes import STATUS, absent_reason, interpretation
from mappings.v2fields import note, of_table, time_of_day
from mappings.v2numbers import decimal
from mappings.v2types import ei, typed
from storage.model.observation import Observation, ObservationComponent, ObservationRange

if TYPE_CHECKING:
    from mappings.element import V2Context, Value
    from mappings.er7 import Repetition

QUANTITY_PARTS = ("value", "comparator", "unit", "system", "code")


class IntegerOfQuantity(IntCodec):
    """An integer in the columns of a quantity: it stands in ``value_value``, as all numbers do."""

    def to_row(self, value: Value) -> tuple[Any, ...]:
        (found,) = super().to_row(value)
        return (Decimal(found), None, None, None, None)

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        return None if columns[0] is None else int(columns[0])


class RangeCodec:
    """Range in the columns of two quantities, low and high."""

    quantity = PartsCodec(*QUANTITY_PARTS)

    def to_row(self, value: Value) -> tuple[Any, ...]:
        if type(value) is not dict:
            raise Unclaimed
        low, high = (
            self.quantity.to_row(value.get(name, {}))  # pyright: ignore[reportUnknownMemberType]
            for name in ("low", "high")
        )
        return (*low, *high)

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        half = len(QUANTITY_PARTS)
        low, high = self.quantity.to_fhir(columns[:half]), self.quantity.to_fhir(columns[half:])
        return {name: found for name, found in (("low", low), ("high", high)) if found} or None

    def from_v2(self, repetition: Repetition, context: V2Context) -> Value:
        """NR: low and high, without the units of OBX-6; raises ValueError for what is no number."""
        del context
        found = {name: repetition.component(place).strip() for place, name in ((1, "low"), (2, "high"))}
        return {name: {"value": decimal(text)} for name, text in found.items() if text} or None


INTEGER = IntegerOfQuantity()
RANGE = RangeCodec()


def value_choice(
    table: type[Observation] | type[ObservationComponent],
    at: str,
    prefix: str,
    strings: str = "",
    dates: str = "",
) -> Choice:
    """Return value[x] of an observation or a component; Ratio and SampledData stay in the remainder.

    ``prefix`` goes before the names of its search parameters, ``strings`` and ``dates`` are parameters that
    only an observation has (https://hl7.org/fhir/R4/observation.html#search). OBX-5 is read by
    ``mappings.v2values``, since OBX-2 tells its type and OBX-6 its units.
    """
    quantity = f"{prefix}value-quantity:quantity combo-value-quantity:quantity"
    concept = f"{prefix}value-concept:token combo-value-concept:token {strings}"
    return choice(
        "value",
        table.value_kind,
        one("valueQuantity", table.value, QUANTITY, search=quantity),
        single("valueCodeableConcept", CODEABLE_CONCEPT, search=concept, at=at),
        one("valueString", table.value_text, TEXT, search=strings),
        one("valueBoolean", table.value_bool, BOOL),
        one("valueInteger", table.value, INTEGER),
        one("valueRange", Joined(table.value_low, table.value_high), RANGE),
        one("valueTime", table.value_text, TEXT),
        one("valueDateTime", table.value_time, DATETIME_OF_PERIOD, search=dates),
        one("valuePeriod", table.value_time, PERIOD, search=dates),
    )


REFERENCE_RANGE = Mapping(
    # OBX-7 needs the units of OBX-6: mappings.v2values.reference_range.
    type="Observation.referenceRange",
    table=ObservationRange,
    lines=(
        one("low", ObservationRange.low, QUANTITY),
        one("high", ObservationRange.high, QUANTITY),
        single("type", CODEABLE_CONCEPT),
        many("appliesTo", CODEABLE_CONCEPT),
        one("text", ObservationRange.text, TEXT),
    ),
)
COMPONENT = Mapping(
    type="Observation.component",
    table=ObservationComponent,
    lines=(
        single("code", CODEABLE_CONCEPT, search="component-code:token combo-code:token"),
        value_choice(ObservationComponent, "component.value", "component-"),
        single(
            "dataAbsentReason",
            CODEABLE_CONCEPT,
            search="component-data-absent-reason:token combo-data-absent-reason:token",
        ),
        many("interpretation", CODEABLE_CONCEPT),
        many("referenceRange", REFERENCE_RANGE),
    ),
)
LINES = (
    many("identifier", IDENTIFIER, V2("OBX-21", typed(ei, "FILL")), "identifier:token"),
    many("basedOn", REFERENCE, search="based-on:reference"),
    many("partOf", REFERENCE, search="part-of:reference"),
    one("status", Observation.status, coded(STATUS), "OBX-11", "status:token"),
    many(
        "category",
        CODEABLE_CONCEPT,
        (V2("OBX-29", of_table("0936")), V2("OBR-24", of_table("0074"))),
        "category:token",
    ),
    single("code", CODEABLE_CONCEPT, "OBX-3", "code:token combo-code:token"),
    linked("subject", Observation.patient, REFERENCE, search="patient:reference:Patient subject:reference"),
    many("focus", REFERENCE, search="focus:reference"),
    linked("encounter", Observation.encounter, REFERENCE, search="encounter:reference"),
    choice(
        "effective",
        Observation.effective_kind,
        one("effectiveDateTime", Observation.effective, DATETIME_OF_PERIOD, "OBX-14 OBR-7", "date:date"),
        one("effectivePeriod", Observation.effective, PERIOD, search="date:date"),
        one("effectiveInstant", Observation.effective, DATETIME_OF_PERIOD, search="date:date"),
    ),
    one("issued", Observation.issued, DATETIME, V2("OBR-22", time_of_day)),
    many("performer", REFERENCE, search="performer:reference"),
    value_choice(Observation, "value", "", "value-string:string", "value-date:date"),
    single(
        "dataAbsentReason",
        CODEABLE_CONCEPT,
        V2("OBX-11", absent_reason),
        "data-absent-reason:token combo-data-absent-reason:token",
    ),
    many("interpretation", CODEABLE_CONCEPT, V2("OBX-8", interpretation)),
    many("note", ANNOTATION, V2("NTE-3", note)),
    single("bodySite", CODEABLE_CONCEPT, "OBX-20"),
    single("method", CODEABLE_CONCEPT, "OBX-17", "method:token"),
    linked("specimen", Observation.specimen, REFERENCE, search="specimen:reference"),
    linked("device", Observation.device, REFERENCE, search="device:reference"),
    many("referenceRange", REFERENCE_RANGE),
    many("hasMember", REFERENCE, search="has-member:reference"),
    many("derivedFrom", REFERENCE, search="derived-from:reference"),
    many("component", COMPONENT),
)
