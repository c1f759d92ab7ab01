"""The parts that the FHIR door's operations share: parameters, headers, bodies, answers.

https://hl7.org/fhir/R4/http.html#general
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.fhir.ask import FORM
from gateway.fhir.media import FHIR_JSON, FHIR_XML
from gateway.fhir.patch import KINDS
from gateway.openapi.native import REF, REFUSALS

Object = dict[str, Any]

SHAPE = REF + "fhir."
TEXT: Object = {"type": "string"}
ID: Object = {"type": "string", "pattern": r"^[A-Za-z0-9\-.]{1,64}$"}
OUTCOME: Object = {"$ref": SHAPE + "OperationOutcome"}
BUNDLE: Object = {"$ref": SHAPE + "Bundle"}
RESOURCE: Object = {"$ref": SHAPE + "Resource"}
PARAMETERS: Object = {"$ref": SHAPE + "Parameters"}
TAGS = '^(W/)?"[^"]*"$'

HEADERS = {
    "If-Match": "The version that is to be changed, as its ETag.",
    "If-None-Match": "The version that the caller has: 304 where it is the present one.",
    "If-Modified-Since": "304 where nothing has changed since.",
    "If-None-Exist": "Criteria, as in the query of a search: where a resource has them, none is created.",
    "Prefer": "return=minimal, representation, OperationOutcome; handling=strict, lenient; respond-async.",
}
"""Header -> what it is for: https://hl7.org/fhir/R4/http.html#Http-Headers."""

_FORMS: dict[str, Object] = {
    "If-Match": {"type": "string", "pattern": TAGS},
    "If-None-Match": {"type": "string", "pattern": TAGS},
    "Prefer": {
        "type": "string",
        "examples": ["return=minimal", "return=OperationOutcome", "handling=lenient"],
    },
}
DONE = {
    200: "Done.",
    201: "Created.",
    202: "Accepted; the answer will be at the Content-Location.",
    204: "Done.",
    304: "The caller has it already.",
}
"""Status -> what it means."""
GIVEN = {
    "ETag": "The version, as a weak tag.",
    "Last-Modified": "When it was last changed.",
    "Location": "Where the version is.",
}
"""Header of an answer -> what it tells."""

_REFUSED = {
    "any": (400, 404, 406, 503),
    "one": (410,),
    "match": (409, 412),
    "body": (409, 412, 413, 415, 422),
}

LATER: dict[int, Object | None] = {202: OUTCOME}
"""What is answered to who would rather have the answer later."""


def shared_parameters() -> dict[str, Object]:
    """Return the parameters that many operations have, by the name by which they refer to them."""
    found: dict[str, Object] = {
        "id": path_parameter("fhir_id", ID, "The logical id."),
        "version": path_parameter("version", ID, "The version."),
    }
    for name, told in HEADERS.items():
        found[name] = _parameter(name, "header", _FORMS.get(name, TEXT), told)
    return found


def shared_answers() -> dict[str, Object]:
    """Return the refusals by status."""
    return {
        str(status): {"description": told, "content": either(OUTCOME)} for status, told in REFUSALS.items()
    }


def _parameter(name: str, where: str, schema: Object, told: str, *, required: bool = False) -> Object:
    made = {"name": name, "in": where, "schema": schema, "description": told}
    return made | {"required": True} if required else made


def query(name: str, schema: Object, told: str = "") -> Object:
    """Return a parameter of the query."""
    made: Object = {"name": name, "in": "query", "schema": schema}
    return made | {"description": told} if told else made


def path_parameter(name: str, schema: Object, told: str) -> Object:
    """Return a parameter of a path."""
    return _parameter(name, "path", schema, told, required=True)


def of_type(types: Sequence[str], name: str = "resource_type") -> Object:
    """Return the parameter of a path that names a type."""
    return path_parameter(name, {"type": "string", "enum": list(types)}, "The resource type.")


def named(*names: str) -> list[Object]:
    """Return references to shared parameters."""
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def either(schema: Object) -> Object:
    """Return the content of a resource, in both formats."""
    return {FHIR_JSON: {"schema": schema}, FHIR_XML: {"schema": TEXT}}


def body(schema: Object, *, required: bool = True) -> Object:
    """Return the request body of a resource, in both formats."""
    return {"required": required, "content": either(schema)}


def form(fields: Mapping[str, Object]) -> Object:
    """Return the request body of a search by POST."""
    schema = {"type": "object", "properties": dict(fields), "additionalProperties": False}
    return {"content": {FORM: {"schema": schema}}}


def patch() -> Object:
    """Return the request body of a patch, in each of its languages."""
    shapes: list[Object] = [{"$ref": SHAPE + "JsonPatch"}, {"type": "object"}, PARAMETERS]
    content = {kind: {"schema": shape} for kind, shape in zip(KINDS, shapes, strict=True)}
    return {"required": True, "content": content | {FHIR_XML: {"schema": TEXT}}}


def answers(good: Mapping[int, Object | None], *refused: str) -> Object:
    """Return the answers of an operation: by status what is given, None for nothing, and what may be refused:
    ``one`` (it may be deleted), ``match`` (a version is named), ``body``.
    """
    found: Object = {}
    for status, schema in good.items():
        content = {} if schema is None else {"content": either(schema)}
        found[str(status)] = {"description": DONE[status]} | content
    for status in sorted({status for kind in ("any", *refused) for status in _REFUSED[kind]}):
        found[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return found


def with_headers(told: Object, *names: str) -> Object:
    """Let the good answers of an operation tell headers."""
    headers = {name: {"description": GIVEN[name], "schema": TEXT} for name in names}
    for status, given in told["responses"].items():
        if status in ("200", "201"):
            given["headers"] = headers
    return told


def operation(title: str, page: str, **told: Any) -> Object:
    """Return an operation: its title, its page of the standard, and the rest."""
    url = f"https://hl7.org/fhir/R4/{page}"
    return {"tags": ["FHIR"], "summary": title, "externalDocs": {"url": url}, **told}
