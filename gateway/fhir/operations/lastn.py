"""$lastn: of what a search finds, the latest of each code.

https://hl7.org/fhir/R4/observation-operation-lastn.html. Codes that stand together in one resource are taken
for the same wherever they stand.
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import BadRequest, UnsupportedParameterValue
from gateway.fhir import bundle, params
from gateway.fhir.bundle import Link
from gateway.fhir.operations.call import ALWAYS, Call
from gateway.fhir.query_string import query_string
from gateway.fhir.search_values import Context
from gateway.fhir.terms import held_by
from gateway.unit import mapping_of
from mappings.operations import LASTN, LATEST_BY, LATEST_OF
from mappings.search import parameters
from storage.search import TooMany
from storage.search.query import Coded, Sort

MOST = 1000


def lastn(call: Call) -> bytes:
    """Return a Bundle of the latest (``max`` of them, else one) of each code among what a search finds.

    Raises UnknownParameter, UnsupportedParameterValue, BadRequest for what shapes a search, or where too much
    is found.
    """
    call.see_parts()
    mapping = mapping_of(call.resource_type)
    listed = [pair for pair in call.listed if pair[0] not in (*LASTN.inputs_of(mapping.type), *ALWAYS)]
    for name, _ in listed:
        if name.partition(":")[0] in (*params.CONTROLS, params.CURSOR):
            raise BadRequest(f"{name} cannot be used with ${LASTN.name}.", expression=f"http.{name}")
    held = held_by(call.records, call.caller, call.base_url)
    asked = params.parse(mapping, listed, Context(call.records.clock(), call.base_url, held))
    known = parameters(mapping)
    first, *others = known[LATEST_BY].targets
    query = replace(asked.query, sort=(Sort(LATEST_BY, first, descending=True, others=tuple(others)),))
    groups = [target for target in known[LATEST_OF].targets if isinstance(target, Coded)]
    try:
        found = call.records.latest(call.caller, query, groups[0], _most(call))
    except TooMany:
        raise BadRequest("Too much is found: ask for one patient.") from None
    url = f"{call.place}/${LASTN.name}"
    links = [Link("self", f"{url}?{query_string(list(call.listed))}" if call.listed else url)]
    return bundle.searchset(call.base_url, found, [], links, len(found))


def _most(call: Call) -> int:
    text = call.one("max") or "1"
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 10 and int(text)):
        raise UnsupportedParameterValue(
            f"max is a number of at least 1, not {text[:60]}.", expression="http.max"
        )
    return min(int(text), MOST)
