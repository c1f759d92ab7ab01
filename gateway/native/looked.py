"""Reads through the native door, for the audit trail: what each path shows, and of whom."""

from __future__ import annotations

from gateway.native.words import Ask, caller_of, negotiate, records_of

SHOWS = {
    "patients": "Patient",
    "procedures": "Procedure",
    "orders": "ServiceRequest",
    "encounters": "Encounter",
    "diagnoses": "Condition",
    "rc": "Observation",
}
"""The first word of a path behind its prefix -> what it shows, as FHIR names it."""
IDS = {
    "patient_id": "Patient",
    "procedure_id": "Procedure",
    "order_id": "ServiceRequest",
    "encounter_id": "Encounter",
    "visit_id": "Encounter",
    "diagnosis_id": "Condition",
    "act_id": "Procedure",
    "case_id": "Observation",
}
"""A parameter of a path -> whose id it is."""
NUMBERS = {"mrn", "number"}
"""Parameters of paths that are no ids: whoever finds by one notes what was found."""


async def begin(request: Ask) -> None:
    """See that a request can be answered, and note what it looks at. Raises as ``negotiate``."""
    await negotiate(request)
    if request.method != "GET" or not NUMBERS.isdisjoint(request.path_params):
        return
    words = [word for word in request.scope["path"].split("/") if word not in ("", "api", "v1")]
    shown = SHOWS.get(words[0]) if words else None
    if shown is None:
        return
    asked = next(((IDS[name], value) for name, value in request.path_params.items() if name in IDS), None)
    kind, fhir_id = asked or (shown, None)
    records_of(request).looks.note(caller_of(request), kind, fhir_id=fhir_id)
