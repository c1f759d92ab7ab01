"""The CapabilityStatement, read off the mappings: https://hl7.org/fhir/R4/capabilitystatement.html."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple

from gateway.errors import UnsupportedParameterValue
from gateway.fhir.criterion import FILTERS
from gateway.fhir.params import includable
from gateway.fhir.patch import KINDS as PATCHES
from gateway.fhir.wire import encode
from gateway.health import RELEASE
from mappings import definitions
from mappings.definitions import NORMATIVE
from mappings.element import Mapping
from mappings.operations import OPERATIONS, Level
from mappings.resources import REGISTRY
from mappings.search import EVERY, SearchParameter, parameters
from mappings.search_references import target_types
from mappings.times import render_instant

INTERACTIONS = (
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
OF_THE_SYSTEM = ("transaction", "batch", "history-system", "search-system")
"""Interactions with all types at once."""

LATER = (
    "With Prefer: respond-async a search, a history, a batch, a transaction or an operation that changes "
    "nothing is answered later: 202, and a Content-Location at which the answer is asked for, "
    "a batch-response of one entry. DELETE there cancels it."
)
"""https://hl7.org/fhir/R4/async.html; a CapabilityStatement has no element for it."""

COMPARTMENTS = "http://hl7.org/fhir/CompartmentDefinition/"
MODES = ("full", "normative", "terminology")


class Statement(NamedTuple):
    """What the server says of itself, and its ETag: the same as long as it says the same."""

    content: bytes
    tag: str


def mode_of(text: str | None) -> str:
    """Return the part of the capabilities that is asked for. Raises UnsupportedParameterValue."""
    if text and text not in MODES:
        told = f"mode: {text[:60]!r} cannot be used; one of {', '.join(MODES)} is needed"
        raise UnsupportedParameterValue(told, expression="http.mode")
    return text or "full"


# Bounded: callers choose the name by which they call the server.
@lru_cache(maxsize=64)
def statement(base_url: str, started: datetime, mode: str = "full", *, cors: bool = False) -> Statement:
    """Return what this server is capable of at a base URL: what is there, and nothing else.

    ``mode`` tells which part: all, that of the resource types that are normative in R4, or what it knows of
    terminology (a TerminologyCapabilities). ``cors``: whether pages of other origins may call it.
    """
    told: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "kind": "instance",
        "software": {"name": "Suture", "version": RELEASE},
        "implementation": {"description": "Suture, a gateway for surgical services", "url": base_url},
    }
    if mode == "terminology":
        told["resourceType"] = "TerminologyCapabilities"
    else:
        mappings = [m for m in REGISTRY.values() if mode == "full" or m.type in NORMATIVE]
        told |= {
            "fhirVersion": "4.0.1",
            "format": ["json", "xml"],
            "patchFormat": [*PATCHES, "application/json"],
            "rest": [_rest(mappings, cors=cors)],
        }
    tag = f'W/"{hashlib.sha256(encode(told)).hexdigest()[:16]}"'
    return Statement(encode(told | {"date": render_instant(started)}), tag)


def _rest(mappings: list[Mapping], *, cors: bool) -> dict[str, Any]:
    return {
        "mode": "server",
        "documentation": LATER,
        "security": {"cors": cors},
        "resource": [_resource(mapping) for mapping in mappings],
        "searchParam": _of_every_type(),
        "operation": _operations("", "system"),
        "compartment": [f"{COMPARTMENTS}{name.lower()}" for name in definitions.compartments()],
        "interaction": [{"code": code} for code in OF_THE_SYSTEM],
    }


def _of_every_type() -> list[dict[str, Any]]:
    """Return what any search may ask, whatever its type, and what one of several types may."""
    told = {name: parameter.type for name, parameter in parameters(EVERY).items()}
    told |= dict.fromkeys((*(name for name in FILTERS if name != "_has"), "_type"), "special")
    return [{"name": name, "type": told[name]} for name in sorted(told)]


def _resource(mapping: Mapping) -> dict[str, Any]:
    found = parameters(mapping)
    references = sorted(name for name, parameter in found.items() if brings(parameter))
    told = {
        "type": mapping.type,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{mapping.type}",
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "multiple",
        "referencePolicy": ["literal", "logical", "local"],
        "searchInclude": [f"{mapping.type}:{name}" for name in references],
        "searchRevInclude": pointing(mapping.type),
        "searchParam": [{"name": name, "type": found[name].type} for name in sorted(found)],
        "operation": _operations(mapping.type, "type", "instance"),
    }
    # Nothing empty may stand in JSON.
    return {key: value for key, value in told.items() if value != []}


def _operations(resource_type: str, *levels: Level) -> list[dict[str, str]]:
    """Return the operations that a type (or "", the system) has at any of some levels."""
    offered = [made for made in OPERATIONS if not set(levels).isdisjoint(made.levels)]
    told = ((made.name, made.definition(resource_type)) for made in offered)
    return [{"name": name, "definition": definition} for name, definition in told if definition]


def pointing(resource_type: str) -> list[str]:
    """Return the reference parameters of other types that may point to a type, each as Type:name."""
    return sorted({*_pointing().get("", ()), *_pointing().get(resource_type, ())})


@cache
def _pointing() -> dict[str, list[str]]:
    """Return the reference parameters by the types that they may point to; those to any type under ""."""
    found: dict[str, list[str]] = {}
    for mapping in REGISTRY.values():
        for name, parameter in parameters(mapping).items():
            for target in (target_types(parameter) or ("",)) if brings(parameter) else ():
                found.setdefault(target, []).append(f"{mapping.type}:{name}")
    return found


def brings(parameter: SearchParameter) -> bool:
    """Tell whether an include can name a parameter."""
    return parameter.type == "reference" and includable(parameter)
