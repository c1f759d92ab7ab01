"""The paths of the FHIR door: each interaction and operation, by type where a type has parameters of its own.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from typing import Any

from gateway.fhir import history, jobs, metadata, view
from gateway.fhir.ask import BASE
from gateway.openapi import operations, searches
from gateway.openapi.parts import (
    BUNDLE,
    LATER,
    OUTCOME,
    RESOURCE,
    SHAPE,
    TEXT,
    answers,
    body,
    form,
    named,
    of_type,
    operation,
    patch,
    path_parameter,
    query,
    shared_answers,
    shared_parameters,
    with_headers,
)
from gateway.openapi.schemas import shapes
from mappings import definitions
from mappings.element import Mapping
from mappings.resources import REGISTRY

Object = dict[str, Any]

_SHOWN = searches.shaping(*view.NAMES)
_VERSIONED = ("ETag", "Last-Modified")


def add_to(document: Object) -> Object:
    """Return a document with the paths of the FHIR door and what they refer to."""
    own = [mapping for mapping in REGISTRY.values() if mapping.content is None]
    for suffix, item in {**_of_the_system(), **_of_each(own), **_of_one(), **operations.paths()}.items():
        document["paths"][BASE + suffix] = item
    components = document.setdefault("components", {})
    made = shapes(mapping.type for mapping in own)
    components.setdefault("schemas", {}).update({f"fhir.{name}": shape for name, shape in made.items()})
    components["parameters"] = shared_parameters()
    components["responses"] = shared_answers()
    return document


def _of_the_system() -> dict[str, Object]:
    listed = searches.of_any("_type")
    capabilities = [query("mode", {"enum": list(metadata.MODES)}), *_SHOWN, *named("If-None-Match")]
    told = answers({200: RESOURCE, 304: None})
    return {
        "/metadata": {
            "get": operation(
                "capabilities", "http.html#capabilities", parameters=capabilities, responses=told
            )
        },
        "/_history": _history([]),
        f"/{jobs.STATUS}/{{job_id}}": _answered_later(),
        "/_search": _search_by_post(listed, []),
        "": {
            "get": _search(listed, []),
            "post": operation(
                "batch or transaction",
                "http.html#transaction",
                parameters=named("Prefer"),
                requestBody=body(BUNDLE),
                responses=answers({200: BUNDLE, **LATER}, "one", "body"),
            ),
        },
    }


def _answered_later() -> Object:
    """Return how a request stands that is answered later."""
    within = [path_parameter("job_id", TEXT | {"minLength": 1}, "The request.")]
    told = {"parameters": within, "responses": answers({200: BUNDLE, **LATER}, "one", "body")}
    return {
        "get": operation("answer of a request", "async.html", **told),
        "delete": operation("cancel a request", "async.html", parameters=within, responses=answers(LATER)),
    }


def _of_each(own: list[Mapping]) -> dict[str, Object]:
    """Return what is done with a type: by name for those with tables, all others by one template."""
    found: dict[str, Object] = {}
    for mapping in own:
        listed, shape = searches.of_mapping(mapping), {"$ref": SHAPE + mapping.type}
        found[f"/{mapping.type}"] = _type_item(listed, [], shape)
        found[f"/{mapping.type}/_search"] = _search_by_post(listed, [])
    named_here = {mapping.type for mapping in own}
    within = [of_type([name for name in REGISTRY if name not in named_here])]
    found["/{resource_type}"] = _type_item(searches.of_any(), within, RESOURCE)
    found["/{resource_type}/_search"] = _search_by_post(searches.of_any(), within)
    return found


def _type_item(listed: list[Object], within: list[Object], shape: Object) -> Object:
    stale, good = named("If-Match", "Prefer"), {200: shape, 201: shape}
    criteria = [*within, *listed, *stale]
    return {
        "get": _search(listed, within),
        "post": with_headers(
            operation(
                "create",
                "http.html#create",
                parameters=[*within, *named("If-None-Exist", "Prefer")],
                requestBody=body(shape),
                responses=answers(good, "one", "body"),
            ),
            *_VERSIONED,
            "Location",
        ),
        "put": operation(
            "conditional update",
            "http.html#cond-update",
            parameters=criteria,
            requestBody=body(shape),
            responses=answers(good, "one", "body"),
        ),
        "patch": operation(
            "conditional patch",
            "http.html#patch",
            parameters=criteria,
            requestBody=patch(),
            responses=answers({200: shape}, "one", "body"),
        ),
        "delete": operation(
            "conditional delete",
            "http.html#delete",
            parameters=criteria,
            responses=answers({200: OUTCOME, 204: None}, "match"),
        ),
    }


def _of_one() -> dict[str, Object]:
    every = [of_type(list(REGISTRY)), *named("id")]
    known = named("If-None-Match", "If-Modified-Since")
    read = answers({200: RESOURCE, 304: None}, "one")
    item, stale = "/{resource_type}/{fhir_id}", named("If-Match", "Prefer")
    written = answers({200: RESOURCE, 201: RESOURCE}, "one", "body")
    members = [
        of_type(list(definitions.compartments())),
        *named("id"),
        of_type(list(REGISTRY), "member"),
    ]
    return {
        item: {
            "get": with_headers(
                operation("read", "http.html#read", parameters=[*every, *_SHOWN, *known], responses=read),
                *_VERSIONED,
            ),
            "put": operation(
                "update",
                "http.html#update",
                parameters=[*every, *stale],
                requestBody=body(RESOURCE),
                responses=written,
            ),
            "patch": operation(
                "patch",
                "http.html#patch",
                parameters=[*every, *stale],
                requestBody=patch(),
                responses=answers({200: RESOURCE}, "one", "body"),
            ),
            "delete": operation(
                "delete",
                "http.html#delete",
                parameters=[*every, *stale],
                responses=answers({200: OUTCOME, 204: None}, "match"),
            ),
        },
        f"{item}/_history": _history(every),
        f"{item}/_history/{{version}}": {
            "get": operation(
                "vread",
                "http.html#vread",
                parameters=[*every, *named("version"), *_SHOWN, *known],
                responses=read,
            )
        },
        "/{resource_type}/_history": _history(every[:1]),
        f"{item}/{{member}}": {"get": _search(searches.of_any(), members)},
        f"{item}/{{member}}/_search": _search_by_post(searches.of_any(), members),
    }


def _search(listed: list[Object], within: list[Object]) -> Object:
    where = [*within, *listed, *named("Prefer")]
    return operation(
        "search", "http.html#search", parameters=where, responses=answers({200: BUNDLE, **LATER})
    )


def _search_by_post(listed: list[Object], within: list[Object]) -> Object:
    told = {
        "parameters": [*within, *named("Prefer")],
        "requestBody": form(searches.fields(listed)),
        "responses": answers({200: BUNDLE, **LATER}) | {"415": {"$ref": "#/components/responses/415"}},
    }
    return {"post": operation("search by POST", "http.html#search", **told)}


def _history(within: list[Object]) -> Object:
    listed = searches.shaping(*(name for name in history.PARAMETERS if name != history.BEFORE))
    told = {"parameters": [*within, *listed, *named("Prefer")], "responses": answers({200: BUNDLE, **LATER})}
    return {"get": operation("history", "http.html#history", **told)}
