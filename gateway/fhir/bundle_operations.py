"""Operations called by entries of a batch or transaction: https://hl7.org/fhir/R4/http.html#transaction.

In a transaction they are part of it: what they change is undone with all else, and what they tell is told of
what was written. A resource that one of them changes may be written by no other entry.
"""

from __future__ import annotations

from gateway.errors import MethodNotAllowed
from gateway.fhir.answer import if_match
from gateway.fhir.bundle_answer import Done
from gateway.fhir.bundle_targets import Context
from gateway.fhir.entries import READING, Entry
from gateway.fhir.operations import called
from gateway.fhir.operations.call import Call, parted, see_offered


def call(context: Context, entry: Entry) -> Done:
    """Return what an operation answers. Raises Problem: MethodNotAllowed where there is none such."""
    *place, _ = entry.path
    found = called(place, entry.operation or "")
    if found is None:
        raise MethodNotAllowed(f"{entry.url} calls no operation.", expression="request.url")
    offered, run = found
    if offered.changes and entry.method in READING:
        raise MethodNotAllowed(f"${offered.name} is called by POST.", expression="request.method")
    resource_type, fhir_id = (*place, "", "")[:2]
    see_offered(offered, resource_type)
    told = parted(entry.query, None if entry.method in READING else entry.resource)
    where = (context.base_url, resource_type, fhir_id)
    seen = if_match(entry.request.get("ifMatch"))
    asked = Call(context.records, context.caller, *where, *told, context.prefer, seen)
    return Done(200, content=run(asked))
