"""update and update as create: https://hl7.org/fhir/R4/http.html#update."""

from __future__ import annotations

from gateway.fhir import validate, wire
from gateway.records import Caller, Records, Written
from gateway.unit import mapping_of


def update(
    records: Records, caller: Caller, resource_type: str, fhir_id: str, body: bytes, if_match: int | None
) -> Written:
    """Replace a resource by that of a body, whose id must be that of the URL. Raises Problem."""
    mapping_of(resource_type)
    value = wire.decode(body)
    validate.check(value, resource_type, fhir_id)
    return records.update(caller, resource_type, fhir_id, value, if_match)
