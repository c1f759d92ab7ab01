"""Observations, which are also the headers of research cases and arterial findings."""

from __future__ import annotations

from storage.model.columns import Boolean, Canonical, Code, Date, Integer, Link, Period, Quantity, Text, index
from storage.model.research import KINDS, MEMBERS
from storage.model.resource import Child, Shared, Typed

STATUSES = (
    "registered",
    "preliminary",
    "final",
    "amended",
    "corrected",
    "cancelled",
    "entered-in-error",
    "unknown",
)
VALUE_KINDS = (
    "Quantity",
    "CodeableConcept",
    "string",
    "boolean",
    "integer",
    "Range",
    "Ratio",
    "SampledData",
    "time",
    "dateTime",
    "Period",
)
DETAILS = ("none", *KINDS, *MEMBERS, "arterial_finding")
"""The tables that can hold the typed row of an observation."""


class Observation(
    Typed,
    name="observation",
    indexes=(
        index("status"),
        index("patient_id", "effective_lo"),
        index("effective_lo", "effective_hi"),
        index("patient_id", "status"),
        index("encounter_id"),
        index("value_time_lo", "value_time_hi"),
        index("value_code", "value_value"),
        index("value_value"),
        index("value_canonical_unit", "value_canonical"),
        index("specimen_id"),
    ),
):
    """An observation; ``detail`` tells which table holds the typed row of the same id.

    An integer stands in ``value_value``, a time in ``value_text``; a coded value is a concept.
    """

    patient = Link("patient")
    encounter = Link("encounter")
    detail = Code(*DETAILS, required=True, default="none")
    status = Code(*STATUSES, required=True)
    effective_kind = Code("dateTime", "Period", "Timing", "instant")
    effective = Period()
    issued = Date()
    value_kind = Code(*VALUE_KINDS)
    value = Quantity()
    value_low = Quantity()
    value_high = Quantity()
    value_text = Text()
    value_bool = Boolean()
    value_time = Period()
    specimen = Link("specimen")
    device = Link("resource")
    set_id = Integer()
    sub_id = Text(20)
    is_computed = Boolean(required=True, default="false")
    value_canonical = Canonical()


class ObservationComponent(
    Child,
    name="observation_component",
    indexes=(
        index("owner_id"),
        index("value_code", "value_value"),
        index("value_value"),
        index("value_canonical_unit", "value_canonical"),
    ),
):
    """A component; where ``rc_column`` is set, its value is a copy of that column of the typed row."""

    value_kind = Code(*VALUE_KINDS)
    value = Quantity()
    value_low = Quantity()
    value_high = Quantity()
    value_text = Text()
    value_bool = Boolean()
    value_time = Period()
    rc_column = Text(60)
    value_canonical = Canonical()


class ObservationRange(Shared, name="observation_range", indexes=(index("owner_id"),)):
    """A reference range of an observation, or of the component ``child_id``."""

    low = Quantity()
    high = Quantity()
    text = Text()
