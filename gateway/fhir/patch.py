"""patch: what a request changes in a resource, in one of three languages.

https://hl7.org/fhir/R4/http.html#patch: JSON Patch (RFC 6902), JSON Merge Patch (RFC 7396), FHIRPath Patch
(https://hl7.org/fhir/R4/fhirpatch.html).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import jsonpatch
from jsonpointer import JsonPointerException

from gateway.conditional import Change
from gateway.errors import BadRequest, BusinessRule, NotParseable, TooLarge, Unprocessable
from gateway.fhir import fhirpath_patch, validate, wire
from gateway.unit import mapping_of

Object = dict[str, Any]
Edit = Callable[[Object], Object]
"""Changes a resource, which it may change in place."""

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
FHIRPATH_PATCH = "application/fhir+json"
KINDS = (JSON_PATCH, MERGE_PATCH, FHIRPATH_PATCH)
PLAIN_JSON = ("application/json", "text/json")
"""Types of JSON that tell no language of patches: the form of the body does."""

MOST_OPERATIONS = 1000
MOST_BYTES = 16 * 1024 * 1024
"""A resource may not grow beyond this by being copied into itself."""


def language_of(kind: str, body: bytes) -> str:
    """Return the language of a patch in JSON of a type, one of KINDS or any other type of JSON.

    JSON that does not tell is a JSON Patch where it is an array, a FHIRPath Patch where it is Parameters, and
    else a JSON Merge Patch, which many clients send so.
    """
    if kind in (JSON_PATCH, MERGE_PATCH):
        return kind
    if body.lstrip().startswith(b"["):
        return JSON_PATCH
    carries = wire.decode(body).get("resourceType") == fhirpath_patch.CARRIER
    return FHIRPATH_PATCH if carries else MERGE_PATCH


def change_of(kind: str, body: bytes, resource_type: str) -> Change:
    """Return the change that the body of a patch asks for; ``kind`` is one of KINDS.

    Applied to a resource of the type it gives one that was found good. Both raise Problem: BadRequest where
    the patch itself is not right, Unprocessable where it cannot be applied, and what validation finds.
    """
    mapping_of(resource_type)
    edit = _READERS[kind](body)

    def change(resource: Object) -> Object:
        before = wire.encode(resource)
        fhir_id: str = resource["id"]
        try:
            # Through its text, which may be no stranger than what a body may be.
            after = wire.decode(wire.encode(pruned(edit(resource))))
        except RecursionError:
            raise Unprocessable("The patch nests the resource too deep.") from None
        made = told_anew(wire.decode(before), after)
        validate.check(made, resource_type, fhir_id)
        return made

    return change


# --- JSON Patch ---


def _json_patch(body: bytes) -> Edit:
    try:
        wrapped = wire.decode(b'{"patch":' + body + b"}")
    except NotParseable as problem:
        raise NotParseable(f"A JSON Patch is needed. {problem.issues[0].diagnostics}") from None
    value = wrapped["patch"]
    if len(wrapped) > 1 or not isinstance(value, list) or len(cast("list[Any]", value)) > MOST_OPERATIONS:
        raise BadRequest(f"A JSON Patch is an array of at most {MOST_OPERATIONS} operations.")
    steps = [_step(operation, place) for place, operation in enumerate(cast("list[Any]", value))]

    def edit(resource: Object) -> Object:
        for place, step in enumerate(steps):
            resource = _stepped(step, resource, place)
        return resource

    return edit


def _step(operation: Any, place: int) -> jsonpatch.JsonPatch:
    """Return one operation, ready. Raises BadRequest for what is none."""
    try:
        return jsonpatch.JsonPatch([operation])
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, AttributeError) as error:
        raise BadRequest(f"Operation {place} cannot be read: {_told(error)}") from None


def _stepped(step: jsonpatch.JsonPatch, resource: Object, place: int) -> Object:
    operation: Object = step.patch[0]
    try:
        made: Any = step.apply(resource, in_place=True)
    except jsonpatch.InvalidJsonPatch as error:
        raise BadRequest(f"Operation {place} cannot be read: {_told(error)}") from None
    except (jsonpatch.JsonPatchException, JsonPointerException, TypeError, KeyError, IndexError) as error:
        told = f"Operation {place} ({operation.get('op')}) cannot be applied: {_told(error)}"
        raise Unprocessable(told, expression=str(operation.get("path"))) from None
    if not isinstance(made, dict):
        raise Unprocessable(f"Operation {place} leaves no resource.")
    if operation.get("op") == "copy" and len(wire.encode(cast("Object", made))) > MOST_BYTES:
        raise TooLarge
    return cast("Object", made)


def _told(error: Exception) -> str:
    # The library's own words may quote the whole resource.
    return f"{type(error).__name__}: the path, or what stands there, is not as the operation says"


# --- JSON Merge Patch ---


def _merge_patch(body: bytes) -> Edit:
    wanted = wire.decode(body)
    return lambda resource: merged(resource, wanted)


def merged(target: Any, wanted: Any) -> Any:
    """Return what a JSON Merge Patch makes of a value (RFC 7396, section 2)."""
    if not isinstance(wanted, dict):
        return wanted
    found: Object = dict(cast("Object", target)) if isinstance(target, dict) else {}
    for key, value in cast("Object", wanted).items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


# --- FHIRPath Patch ---


def _fhirpath_patch(body: bytes) -> Edit:
    value = wire.decode(body)
    # What a value refers to by #id is contained in the resource that is patched.
    validate.check(value, fhirpath_patch.CARRIER, part_of_another=True)
    operations = fhirpath_patch.operations_of(value)

    def edit(resource: Object) -> Object:
        for operation in operations:
            operation.apply(resource)
        return resource

    return edit


_READERS: dict[str, Callable[[bytes], Edit]] = {
    JSON_PATCH: _json_patch,
    MERGE_PATCH: _merge_patch,
    FHIRPATH_PATCH: _fhirpath_patch,
}


# --- what every patch leaves behind ---


def pruned(resource: Object) -> Object:
    """Return a resource without the arrays and objects that a patch has emptied, which FHIR does not have."""
    found = {key: kept for key, value in resource.items() if not _empty(key, kept := _kept(value, key))}
    for key in [key for key in resource if key.startswith("_") and isinstance(resource[key], list)]:
        _close(found, key, resource[key])
    return found


def _close(found: Object, key: str, before: list[Any]) -> None:
    """Take away the places in an array of primitives at which extensions were emptied and no value is."""
    columns: list[tuple[str, list[Any]]] = [(name, found.get(name) or []) for name in (key[1:], key)]
    (_, values), (_, siblings) = columns
    emptied = [at for at, item in enumerate(before) if item is not None and not _at(siblings, at)]
    for at in reversed([at for at in emptied if _at(values, at) is None]):
        del values[at : at + 1], siblings[at : at + 1]
    for name, items in columns:
        if not items:
            found.pop(name, None)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def _empty(key: str, value: Any) -> bool:
    """Whether there is nothing: no items, or, beside the values of an array, nothing but places for them."""
    if key.startswith("_") and isinstance(value, list):
        return not any(cast("list[Any]", value))
    return value in ([], {})


def _kept(value: Any, key: str = "") -> Any:
    if isinstance(value, dict):
        return pruned(cast("Object", value))
    if isinstance(value, list):
        return list(_kept_items(cast("list[Any]", value), beside=key.startswith("_")))
    return value


def _kept_items(items: list[Any], *, beside: bool) -> Iterator[Any]:
    for item in items:
        kept = _kept(item)
        # A null holds the place of a value that has extensions alone, and must stay; beside the values of an
        # array what was emptied becomes one, or what follows would belong to another value.
        if kept is None or kept not in ([], {}):
            yield kept
        elif beside:
            yield None


_OF_THE_DATA = frozenset({"generated", "extensions"})


def told_anew(before: Object, after: Object) -> Object:
    """Return a patched resource whose narrative does not tell of what it was before.

    A narrative that was made from the data is taken away where the data are changed and it is not; one with
    words of its own must be changed by the patch too. Raises BusinessRule.
    """
    text: Any = after.get("text")
    if not isinstance(text, dict) or text != before.get("text") or _data(before) == _data(after):
        return after
    status: Any = cast("Object", text).get("status")
    if status in _OF_THE_DATA:
        return {key: value for key, value in after.items() if key != "text"}
    if status == "empty":
        return after
    told = "The narrative says more than the data do: a patch that changes the data must change text, too."
    raise BusinessRule(told, expression=f"{after.get('resourceType')}.text")


def _data(resource: Object) -> Object:
    return {key: value for key, value in resource.items() if key not in ("text", "meta")}
