"""The criteria of conditional interactions: a search that must not be understood by halves.

https://hl7.org/fhir/R4/http.html#ccreate and https://hl7.org/fhir/R4/http.html#cond-update
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.conditional import Criteria
from gateway.errors import BadRequest
from gateway.fhir import params, view
from gateway.fhir.query_string import pairs, query_string
from gateway.fhir.search_values import Context
from gateway.fhir.terms import held_by
from gateway.unit import mapping_of

if TYPE_CHECKING:
    from gateway.records import Caller, Records


def criteria_of(records: Records, caller: Caller, resource_type: str, text: str, base_url: str) -> Criteria:
    """Return the criteria that parameters (``name=value&...``) tell.

    What is not known is refused, whatever the caller prefers: criteria that leave something out find too
    much. Parameters that shape the answer are no criteria. Raises UnsupportedType, UnknownParameter,
    UnsupportedParameterValue, BadRequest where there are none or where they shape a search.
    """
    mapping = mapping_of(resource_type)
    asked = [
        pair
        for pair in pairs(text.removeprefix(resource_type).removeprefix("?"))
        if pair[0] not in view.NAMES
    ]
    shaping = [name for name, _ in asked if name.partition(":")[0] in (*params.CONTROLS, params.CURSOR)]
    if shaping:
        raise BadRequest(f"{shaping[0]} is no criterion.", expression=f"http.{shaping[0]}")
    context = Context(records.clock(), base_url, held_by(records, caller, base_url))
    found = params.parse(mapping, asked, context)
    if not found.query.conditions:
        raise BadRequest(f"Criteria are needed, as {resource_type}?identifier=system|value.")
    return Criteria(found.query, f"{resource_type}?{query_string(sorted(found.used))}")
