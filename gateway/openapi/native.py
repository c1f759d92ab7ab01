"""The native door and the health routes: what Litestar reads off the handlers, with what each tells in `opt`.

https://spec.openapis.org/oas/v3.1.0#paths-object
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import msgspec
from litestar import Litestar
from litestar.routes import HTTPRoute

from gateway.openapi.call import CALL, Call, options

Object = dict[str, Any]
REF = "#/components/schemas/"
PROBLEM_TYPE = "application/problem+json"

REFUSALS = {
    400: "The request is not right.",
    403: "The caller may not do this.",
    404: "There is no such resource.",
    405: "The method is not allowed here.",
    406: "None of the media types asked for can be given.",
    409: "The request does not go together with what is stored.",
    410: "The resource was deleted.",
    412: "A condition of the request does not hold.",
    413: "The content is larger than this server takes.",
    415: "The content is of a media type that this server does not read.",
    422: "The content can be read but not accepted.",
    503: "The gateway cannot serve this just now; try again.",
}
"""Status -> what it means."""


class Wrong(msgspec.Struct):
    """One thing that is wrong: issue code of FHIR, what it is, the field or parameter."""

    code: str
    detail: str
    expression: str | None


class ProblemDetails(msgspec.Struct):
    """What is wrong with a request (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[Wrong]
    present: str | msgspec.UnsetType = msgspec.UNSET
    """Of a workflow: the state."""
    allowed: list[str] | msgspec.UnsetType = msgspec.UNSET
    """Of a workflow: the states that may follow."""


class Described(NamedTuple):
    """An operation of the document, how its route is called, and its path."""

    operation: Object
    call: Call
    path: str
    method: str


def complete(document: Object, app: Litestar) -> Object:
    """Return Litestar's document with what the routes tell in `opt`: bodies, queries, answers, refusals."""
    found = list(_described(document, app))
    types = dict.fromkeys((ProblemDetails, *(kind for each in found for kind in each.call.types)))
    made, components = msgspec.json.schema_components(types, ref_template=REF + "{name}")
    schemas = dict(zip(types, made, strict=True))
    for each in found:
        _fill(each, schemas, components)
    document.setdefault("components", {})["schemas"] = components
    return document


def _described(document: Object, app: Litestar) -> Iterator[Described]:
    for route in app.routes:
        if not isinstance(route, HTTPRoute) or route.path_format not in document["paths"]:
            continue
        item = document["paths"][route.path_format]
        for method, (handler, _) in route.route_handler_map.items():
            if operation := item.get(method.lower()):
                told = cast("Call", handler.opt.get(CALL) or Call())
                yield Described(operation, told, route.path_format, method)


def _fill(each: Described, schemas: dict[Any, Object], components: dict[str, Object]) -> None:
    operation, call = each.operation, each.call
    operation["summary"] = operation.pop("description", "").partition("\n")[0].rstrip(".")
    parameters = [_in_path(made, call) for made in operation.get("parameters", ()) if made["in"] == "path"]
    parameters += _queries(call.query, schemas, components)
    if parameters:
        operation["parameters"] = parameters
    if call.body is not None:
        content: Object = {"schema": _any_of(call.body, schemas)}
        if call.examples:
            content["examples"] = {title: {"value": value} for title, value in call.examples.items()}
        operation["requestBody"] = {"required": True, "content": {call.body_type: content}}
    operation["tags"] = ["native" if each.path.startswith("/api") else "health"]
    operation["responses"] = _responses(each, schemas)


def _in_path(parameter: Object, call: Call) -> Object:
    words = call.words.get(parameter["name"])
    schema = {"type": "string", "enum": list(words)} if words else {"type": "string", "minLength": 1}
    return parameter | {"schema": schema}


def _queries(told: Any, schemas: dict[Any, Object], components: dict[str, Object]) -> list[Object]:
    """Return the parameters of a query; of one that has several forms, one for the fields of any of them."""
    forms = options(told)
    if len(forms) < 2:
        return [made for form in forms for made in _in_query(components[_name(schemas[form])])]
    about = "Fields of one of these forms, each a parameter of its own."
    fields: Object = {"name": "fields", "in": "query", "style": "form", "explode": True}
    return [fields | {"description": about, "schema": _any_of(told, schemas)}]


def _in_query(struct: Object) -> list[Object]:
    needed = struct.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": schema}
        | ({"description": schema["description"]} if "description" in schema else {})
        for name, schema in struct["properties"].items()
    ]


def _responses(each: Described, schemas: dict[Any, Object]) -> Object:
    call = each.call
    refused = {"content": {PROBLEM_TYPE: {"schema": schemas[ProblemDetails]}}}
    found = {status: {"description": REFUSALS[status]} | refused for status in sorted(_refusals(each))}
    for status, answer in {**call.otherwise, call.status: call.answer}.items():
        found[status] = {"description": REFUSALS.get(status, "Done.")}
        if answer is not None:
            found[status]["content"] = {call.media_type: {"schema": _any_of(answer, schemas)}}
    return {str(status): told for status, told in sorted(found.items())}


def _refusals(each: Described) -> set[int]:
    """Return the statuses that follow from what a route takes: problem details."""
    if not each.path.startswith("/api") or each.path.endswith("/health"):
        return set()
    found = {406, 503}
    if each.call.query is not None:
        found |= {400}
    if each.call.body is not None:
        found |= {400, 404, 409, 413, 415, 422}
    if "{" in each.path:
        found |= {404, 410}
    if each.method != "GET":
        found |= {403}
    if each.method == "DELETE":
        found |= {409}
    if each.method == "POST":
        # Whatever else is sent, there is something that it does to what is there.
        found |= {409, 413, 415, 422}
    return found


def _any_of(told: Any, schemas: dict[Any, Object]) -> Object:
    found = [schemas[kind] for kind in options(told)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _name(schema: Object) -> str:
    return schema["$ref"].removeprefix(REF)
