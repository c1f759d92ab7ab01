"""Resource types without tables: kept whole, searched by copies of the elements that a table names.

https://hl7.org/fhir/R4/resourcelist.html and https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

from collections.abc import Container, Iterable

from mappings.copies import Copies
from mappings.definitions import search_table, types_searched_by_table
from mappings.element import Mapping
from mappings.leaves import Leaf, leaf
from mappings.search import SearchParameter
from storage.model.ledger import OtherResource
from storage.model.shared import (
    Coding,
    Concept,
    ContactPoint,
    Identifier,
    Reference,
    SearchDate,
    SearchQuantity,
    SearchString,
)
from storage.search.query import Coded, Measured, Place, Refers, Span, Target, Words, Written

NOT_STORED = frozenset({"Parameters"})
"""Types that are never stored: https://hl7.org/fhir/R4/parameters.html gives them no endpoint."""


def types_of_content(others: Container[str]) -> Iterable[str]:
    """Return the resource types that are kept whole, apart from those that have tables."""
    return (name for name in types_searched_by_table() if name not in others and name not in NOT_STORED)


def mapping_of_content(name: str) -> Mapping:
    """Return the mapping of a resource type that is kept whole."""
    table = {code: (kind, tuple(map(leaf, leaves))) for code, (kind, *leaves) in search_table(name).items()}
    return Mapping(
        type=name,
        table=OtherResource,
        search=tuple(_parameter(name, code, kind, leaves) for code, (kind, leaves) in table.items()),
        content=Copies(table),
    )


def _parameter(name: str, code: str, kind: str, leaves: tuple[Leaf, ...]) -> SearchParameter:
    expressions = tuple(f"{name}.{found.element}" for found in leaves)
    targets = tuple(_targets(code, kind, leaves))
    return SearchParameter(code, kind, targets, tuple(dict.fromkeys(expressions)), code == "phonetic")


def _targets(code: str, kind: str, leaves: tuple[Leaf, ...]) -> Iterable[Target]:
    """Return where a parameter looks: one target for all leaves that are kept and asked alike."""
    alike: dict[tuple[str, str], list[str]] = {}
    for found in leaves:
        alike.setdefault((_kept(kind, found.kind), found.only), []).append(found.element)
    # What has a system comes first: it is what a caller's words are read for.
    for kept, only in sorted(alike):
        yield _target(kept, only, tuple(dict.fromkeys(alike[kept, only])), code)


def _kept(kind: str, datatype: str) -> str:
    """Tell how a datatype is kept for a type of parameter."""
    if kind == "token":
        return _TOKENS.get(datatype, "raw token")
    if kind in ("reference", "uri"):
        return "Reference" if datatype == "Reference" else "raw uri"
    return kind


_TOKENS = {
    "Identifier": "Identifier",
    "CodeableConcept": "Coding",
    "Coding": "Coding",
    "ContactPoint": "ContactPoint",
}


def _target(kept: str, only: str, elements: tuple[str, ...], code: str) -> Target:
    strings = Place(SearchString, (code,))
    match kept:
        case "Identifier":
            place = Place(Identifier, elements)
            return Coded(place, "value", "system", whole=place, kind=f"{elements[0]}.type")
        case "Coding":
            return Coded(Place(Coding, elements), "code", "system", whole=Place(Concept, elements))
        case "ContactPoint":
            guards = (("system", only),) if only else ()
            return Coded(Place(ContactPoint, elements, guards), "value_norm", "system")
        case "Reference":
            return Refers(Place(Reference, elements), only=only or None)
        case "date":
            return Span(Place(SearchDate, elements), "lo", "hi")
        case "quantity" | "number":
            value, comparator, unit, system, units_code = SearchQuantity.amount.names
            shared = SearchQuantity.amount_canonical.names
            place = Place(SearchQuantity, elements)
            return Measured(place, value, comparator, unit, system, units_code, (shared[0], shared[1]))
        case "raw token":
            return Coded(strings, "norm")
        case "raw uri":
            return Written(strings, "value", versioned=True, norm="norm")
        case _:
            return Words(strings, "value", "norm", "phon")
