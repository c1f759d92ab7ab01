"""The CapabilityStatement, read off the mappings: https://hl7.org/fhir/R4/capabilitystatement.html."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from gateway.fhir.params import includable
from gateway.fhir.wire import encode
from gateway.health import RELEASE
from mappings.element import Mapping
from mappings.resources import REGISTRY
from mappings.search import SearchParameter, parameters
from mappings.times import render_instant
from storage.search.query import Refers

INTERACTIONS = ("read", "vread", "update", "delete", "history-instance", "create", "search-type")


@cache
def statement(base_url: str, started: datetime) -> bytes:
    """Return the CapabilityStatement of this server at a base URL: what is there, and nothing else."""
    return encode(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": render_instant(started),
            "kind": "instance",
            "software": {"name": "Suture", "version": RELEASE},
            "implementation": {"description": "Suture, a gateway for surgical services", "url": base_url},
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "resource": [_resource(mapping) for mapping in REGISTRY.values()]}],
        }
    )


def _resource(mapping: Mapping) -> dict[str, Any]:
    found = parameters(mapping)
    references = sorted(name for name, parameter in found.items() if _brings(parameter))
    return {
        "type": mapping.type,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{mapping.type}",
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": False,
        "conditionalRead": "not-supported",
        "conditionalUpdate": False,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "logical", "local"],
        "searchInclude": [f"{mapping.type}:{name}" for name in references],
        "searchRevInclude": _pointing(mapping.type),
        "searchParam": [{"name": name, "type": found[name].type} for name in sorted(found)],
    }


def _pointing(resource_type: str) -> list[str]:
    """Return the reference parameters of other types that may point to a type."""
    return sorted(
        f"{other.type}:{name}"
        for other in REGISTRY.values()
        for name, parameter in parameters(other).items()
        if _brings(parameter) and resource_type in _targets(parameter)
    )


def _brings(parameter: SearchParameter) -> bool:
    return parameter.type == "reference" and includable(parameter)


def _targets(parameter: SearchParameter) -> set[str]:
    told = {target.only for target in parameter.targets if isinstance(target, Refers)}
    return set(REGISTRY) if None in told else {name for name in told if name}
