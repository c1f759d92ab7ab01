"""Which resources are in which compartment, and when the care took place that a resource tells of.

https://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from functools import cache

from mappings.definitions import compartments
from mappings.element import Mapping
from mappings.resources import REGISTRY
from mappings.search import SearchParameter, parameters
from storage.model.shared import Reference
from storage.search.query import Paths, Refers

PERSON = "Patient"
"""The type whose compartments are each one person's, and not to be mixed with another's."""

CARE_DATES = (
    "authoredon",
    "authored-on",
    "authored",
    "date",
    "period",
    "recorded-date",
    "effective",
    "effective-time",
    "whenhandedover",
    "occurrence",
    "collected",
    "started",
    "start-date",
    "datetime",
    "datewritten",
    "identified",
    "sent",
    "created",
    "recorded",
)
"""Search parameters that tell when care took place, the best first: of a type its first one counts."""


def is_compartment(name: str) -> bool:
    """Tell whether R4 has a compartment of a type, and the type is stored."""
    return name in compartments() and name in REGISTRY


def members(compartment: str) -> tuple[str, ...]:
    """Return the types of resources that can be in a compartment, with that of the one it is of."""
    return tuple(sorted({compartment, *compartments()[compartment]} & REGISTRY.keys()))


@cache
def paths(compartment: str, resource_type: str) -> tuple[str, ...]:
    """Return the paths of references that put a resource of a type in a compartment; none for `{def}`."""
    known = parameters(REGISTRY[resource_type])
    names = compartments()[compartment].get(resource_type, ())
    return tuple(
        dict.fromkeys(
            path
            for name in names
            if name in known
            for target in known[name].targets
            if isinstance(target, Refers) and target.place.table is Reference
            for path in target.place.elements
        )
    )


@cache
def all_paths(compartment: str) -> tuple[Paths, ...]:
    """Return each type of a compartment with its paths."""
    return tuple((name, found) for name in members(compartment) if (found := paths(compartment, name)))


def care_date(mapping: Mapping) -> SearchParameter | None:
    """Return the search parameter of a type that tells when care took place, None where none does."""
    known = parameters(mapping)
    return next((known[name] for name in CARE_DATES if name in known and known[name].type == "date"), None)
