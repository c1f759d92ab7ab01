"""The paths of the operations, read off the table of what is offered.

https://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from typing import Any

from gateway.openapi.parts import LATER, PARAMETERS, RESOURCE, answers, body, named, of_type, operation, query
from mappings.operations import OPERATIONS, Level, Offered
from mappings.resources import REGISTRY

Object = dict[str, Any]

_LEVELS: dict[Level, str] = {
    "system": "",
    "type": "/{resource_type}",
    "instance": "/{resource_type}/{fhir_id}",
}


def paths() -> dict[str, Object]:
    """Return the paths of the operations, one for each level."""
    found: dict[str, Object] = {}
    for offered in OPERATIONS:
        for level in offered.levels:
            found[f"{_LEVELS[level]}/${offered.name}"] = _offered(offered, level)
    return found


def _offered(offered: Offered, level: Level) -> Object:
    types = [name for name in REGISTRY if offered.definition(name)]
    within = [*([] if level == "system" else [of_type(types)]), *(named("id") if level == "instance" else [])]
    inputs = dict.fromkeys(name for each in types for name in offered.inputs_of(each))
    refused = answers({200: RESOURCE, **({} if offered.changes else LATER)}, "one", "body")
    asked = [query(name, {"type": "string"}) for name in inputs if name not in ("resource", "meta")]
    title, page = f"${offered.name}", f"{_page(offered, types)}.html"
    posted = operation(
        title, page, parameters=within, requestBody=body(PARAMETERS, required=False), responses=refused
    )
    if offered.changes:
        return {"post": posted}
    return {"get": operation(title, page, parameters=[*within, *asked], responses=refused), "post": posted}


def _page(offered: Offered, types: list[str]) -> str:
    """Return the page of the standard that tells an operation."""
    owner = types[0].lower() if "" not in offered.definitions else "resource"
    return f"{owner}-operation-{offered.name}"
