"""$validate: whether a resource could be stored, and nothing is.

https://hl7.org/fhir/R4/resource-operation-validate.html. With a mode the whole way is gone, rules and
database included, and undone.
"""

from __future__ import annotations

from typing import Any, cast

from gateway import errors
from gateway.conditional import update
from gateway.errors import BadRequest, Internal, Issue, Problem, UnsupportedParameterValue
from gateway.fhir import validate as validation
from gateway.fhir import wire
from gateway.fhir.operations.call import Call
from gateway.unit import Unit, mapping_of
from mappings import resource
from mappings.operations import VALIDATE

Object = dict[str, Any]
MODES = ("create", "update", "delete")
_BASE = "http://hl7.org/fhir/StructureDefinition/"


def validate(call: Call) -> bytes:
    """Return an OperationOutcome of what is wrong with a resource: the one given, or the one called on.

    Raises BadRequest where there is nothing to validate, UnsupportedParameterValue, UnknownParameter;
    NotFound and Deleted for what it is called on.
    """
    call.see_inputs(VALIDATE.inputs_of(call.resource_type))
    call.see_parts(("resource",))
    mode = call.one("mode")
    if mode is not None and mode not in MODES:
        told = f"mode is one of {', '.join(MODES)}, not {mode[:60]}."
        raise UnsupportedParameterValue(told, expression="http.mode")
    value = _resource(call, mode)
    faults = _profile_faults(call)
    try:
        if value is not None:
            named = call.fhir_id or None if mode == "update" else None
            validation.check(value, call.resource_type, named, thorough=True)
        _rehearse(call, mode, value)
    except Problem as problem:
        faults = [*problem.issues, *faults]
    return wire.encode(_outcome(faults))


def _resource(call: Call, mode: str | None) -> Object | None:
    """Return the resource to be judged; None where it is but to be deleted."""
    given = call.parts.get("resource")
    if given is not None:
        if not isinstance(given, dict):
            raise BadRequest("The parameter resource is a resource.", expression="http.resource")
        return cast("Object", given)
    if not call.fhir_id:
        raise BadRequest("A resource to validate is needed.", expression="http.resource")
    stored = call.records.read(call.caller, call.resource_type, call.fhir_id)
    return None if mode == "delete" else wire.decode(bytes(stored.content or b""))


def _profile_faults(call: Call) -> list[Issue]:
    """Return that a profile is not known; the base definition of the type always is."""
    wanted = call.one("profile")
    if wanted is None or wanted.partition("|")[0] == f"{_BASE}{call.resource_type}":
        return []
    told = f"The profile {wanted[:200]} is not known here; {_BASE}{call.resource_type} is."
    return [Issue("error", "not-supported", told)]


def _rehearse(call: Call, mode: str | None, value: Object | None) -> None:
    """Do what the mode says, and undo it. Raises Problem."""

    def work(unit: Unit) -> None:
        if mode == "delete":
            unit.delete(unit.get(call.resource_type, call.fhir_id or str((value or {}).get("id", ""))))
        elif mode == "update":
            update(unit, call.resource_type, _id(call, value), value or {})
        else:
            mapping = mapping_of(call.resource_type)
            resource.read(mapping, value or {}, unit.new_id, unit.new(mapping.type))

    if mode is None:
        return
    try:
        call.records.rehearse(call.caller, work)
    except Exception as error:
        problem = errors.problem_of(error)
        if isinstance(problem, Internal):
            raise
        raise problem from error


def _id(call: Call, value: Object | None) -> str:
    found = call.fhir_id or (value or {}).get("id")
    if not isinstance(found, str):
        raise errors.Required("An update needs an id.", expression=f"{call.resource_type}.id")
    return found


def _outcome(faults: list[Issue]) -> Object:
    if faults:
        return errors.operation_outcome(Problem(issues=faults))
    fine = Issue("information", "informational", "The resource is valid.")
    return errors.operation_outcome(Problem(issues=[fine]))
