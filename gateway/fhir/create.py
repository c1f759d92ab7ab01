"""create: https://hl7.org/fhir/R4/http.html#create."""

from __future__ import annotations

from gateway.fhir import validate, wire
from gateway.records import Caller, Records
from gateway.unit import mapping_of
from storage.versions import Stored


def create(records: Records, caller: Caller, resource_type: str, body: bytes) -> Stored:
    """Store the resource of a body under a new id (one that it brings is ignored). Raises Problem."""
    mapping_of(resource_type)
    value = wire.decode(body)
    validate.check(value, resource_type)
    return records.create(caller, resource_type, value)
