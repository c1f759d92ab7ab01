"""$meta, $meta-add, $meta-delete: the profiles, tags and security labels of resources.

https://hl7.org/fhir/R4/resource-operation-meta.html, https://hl7.org/fhir/R4/resource-operation-meta-add.html
and https://hl7.org/fhir/R4/resource-operation-meta-delete.html. A version that was stored never changes: what
is added or deleted makes a new one.
"""

from __future__ import annotations

from typing import Any, cast

from gateway.errors import BadRequest
from gateway.fhir import validate, wire
from gateway.fhir.operations.call import CARRIER, Call, output
from mappings.operations import META, META_ADD, META_DELETE
from storage.versions import Stored

Object = dict[str, Any]
LABELS = ("profile", "security", "tag")


def meta(call: Call) -> bytes:
    """Return the metadata of a resource, or all profiles, tags and labels in use in a type or in the system.

    Raises NotFound, Deleted, UnknownParameter.
    """
    call.see_inputs(META.inputs_of(call.resource_type))
    if call.fhir_id:
        return _told(call.records.read(call.caller, call.resource_type, call.fhir_id))
    found = call.records.labels(call.caller, call.resource_type or None)
    return output("return", "valueMeta", {name: found[name] for name in LABELS if found.get(name)})


def meta_add(call: Call) -> bytes:
    """Add profiles, tags and labels to a resource; return its metadata. Raises Problem."""
    given = _given(call, META_ADD.inputs_of(call.resource_type))
    return _told(
        call.records.patch(
            call.caller, *_name(call), lambda value: _changed(call, _with(value, given)), call.if_match
        )
    )


def meta_delete(call: Call) -> bytes:
    """Take profiles, tags and labels from a resource; return its metadata. Raises Problem.

    What it has not is no error. A tag or label is known by its system and code.
    """
    given = _given(call, META_DELETE.inputs_of(call.resource_type))
    return _told(
        call.records.patch(
            call.caller, *_name(call), lambda value: _changed(call, _without(value, given)), call.if_match
        )
    )


def _name(call: Call) -> tuple[str, str]:
    return call.resource_type, call.fhir_id


def _told(stored: Stored) -> bytes:
    value: Object = wire.decode(bytes(stored.content or b"{}"))
    return output("return", "valueMeta", value["meta"])


def _given(call: Call, known: tuple[str, ...]) -> Object:
    """Return the parameter ``meta``, found to be a Meta. Raises BadRequest, UnknownParameter, Problem."""
    call.see_inputs(known)
    value = call.parts.get("meta")
    if not isinstance(value, dict) or not value:
        raise BadRequest("The parameter meta is needed, as valueMeta.", expression="http.meta")
    given = cast("Object", value)
    carrier: Object = {"resourceType": CARRIER, "parameter": [{"name": "meta", "valueMeta": given}]}
    validate.check(carrier, CARRIER)
    return given


def _changed(call: Call, value: Object) -> Object:
    validate.check(value, call.resource_type)
    return value


def _key(label: Any) -> Any:
    return label if isinstance(label, str) else (label.get("system"), label.get("code"))


def _with(value: Object, given: Object) -> Object:
    standing: Object = value.get("meta", {})
    made = dict(standing)
    for name in LABELS:
        known = {_key(label) for label in standing.get(name, [])}
        fresh = {_key(label): label for label in given.get(name, []) if _key(label) not in known}
        if fresh:
            made[name] = [*standing.get(name, []), *fresh.values()]
    return value | {"meta": made}


def _without(value: Object, given: Object) -> Object:
    standing: Object = value.get("meta", {})
    made = dict(standing)
    for name in LABELS:
        gone = {_key(label) for label in given.get(name, [])}
        kept = [label for label in standing.get(name, []) if _key(label) not in gone]
        made.pop(name, None)
        if kept:
            made[name] = kept
    return value | {"meta": made}
