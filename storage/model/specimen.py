"""Specimens."""

from __future__ import annotations

from storage.model.columns import Code, Date, Link, Period, Quantity, Text, index
from storage.model.resource import Child, Typed


class Specimen(
    Typed,
    name="specimen",
    indexes=(index("status"), index("patient_id"), index("collected_lo", "collected_hi")),
):
    """A specimen; type, method, site and conditions are concepts."""

    patient = Link("patient")
    status = Code("available", "unavailable", "unsatisfactory", "entered-in-error")
    received_time = Date()
    collector = Link("practitioner")
    collected_kind = Code("dateTime", "Period")
    collected = Period()
    collection_quantity = Quantity()


class SpecimenContainer(Child, name="specimen_container", indexes=(index("owner_id"),)):
    """A container of a specimen; type and additive are concepts."""

    description = Text()
    capacity = Quantity()
    specimen_quantity = Quantity()
