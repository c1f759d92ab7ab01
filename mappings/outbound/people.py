"""People, organizations and places that a message names: XCN, CNN, XON, CWE, PL.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-xcn-to-practitioner.html
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mappings.messages.people import NPI
from mappings.outbound.parts import Value, items, part, text, texts
from mappings.outbound.sheet import Part, components
from mappings.outbound.ways import authority, system_name, type_code
from mappings.resources.location import PL
from mappings.v2types import NAME_USE

if TYPE_CHECKING:
    from mappings.outbound.fill import Piece, Pieces


def people(pieces: Pieces, references: Iterable[Value]) -> list[str]:
    """Return an XCN for each number of each person that References name; who has none is there by name."""
    return [found for reference in references for found in _person(pieces, reference)]


def _person(pieces: Pieces, reference: Value) -> list[str]:
    numbers, name = _numbers(pieces, reference), _name(pieces, reference)
    return [found for number in numbers if (found := _xcn(pieces, number, name))]


def _resource(pieces: Pieces, reference: Value) -> Value:
    piece = pieces.get(reference)
    return piece.resource if piece else {}


def _numbers(pieces: Pieces, reference: Value) -> list[Value]:
    """Return the identifiers of whom or what a Reference names; an empty one where there is none."""
    logical = part(reference, "identifier")
    return items(_resource(pieces, reference), "identifier") or [logical]


def _name(pieces: Pieces, reference: Value) -> Value:
    resource = _resource(pieces, reference)
    if isinstance(resource.get("name"), str):
        return {"family": resource["name"]}
    return next(iter(items(resource, "name")), {"family": text(reference, "display")})


def _named(name: Value) -> list[str]:
    """Return family, two given names, suffix, prefix, second suffix."""
    given, suffix, prefix = ([*texts(name, key), "", ""] for key in ("given", "suffix", "prefix"))
    return [text(name, "family") or text(name, "text"), given[0], given[1], suffix[0], prefix[0], suffix[1]]


def _xcn(pieces: Pieces, number: Value, name: Value) -> str:
    kind = "NPI" if number.get("system") == NPI else type_code(number)
    found = ("", "", "") if kind == "NPI" else authority(number.get("system"), pieces.context)
    use = next((code for code, meant in NAME_USE.items() if meant == name.get("use")), "")
    parts: list[Part] = [text(number, "value"), *_named(name)]
    return components(*parts, "", found, use, "", "", kind)


def interpreters(pieces: Pieces, references: Iterable[Value]) -> list[str]:
    """Return an NDL for each person that References name: a CNN in its first component."""
    found: list[str] = []
    for reference in references:
        number = _numbers(pieces, reference)[0]
        family, first, second, suffix, prefix, _ = _named(_name(pieces, reference))
        told = (text(number, "value"), family, first, second, suffix, prefix, "", "")
        found.append(components((*told, *authority(number.get("system"), pieces.context))))
    return [one for one in found if one]


def producer(pieces: Pieces, reference: Value) -> str:
    """Return the CWE of an organization (OBX-15): its number and its name."""
    number, name = _organization(pieces, reference)
    return components(text(number, "value"), name, system_name(number.get("system")))


def organization(pieces: Pieces, reference: Value) -> str:
    """Return the XON of an organization (OBX-23): its name, authority and number."""
    number, name = _organization(pieces, reference)
    found = authority(number.get("system"), pieces.context) if number else ""
    return components(name, "", "", "", "", found, "", "", "", text(number, "value"))


def _organization(pieces: Pieces, reference: Value) -> tuple[Value, str]:
    name = text(_resource(pieces, reference), "name") or text(reference, "display")
    return _numbers(pieces, reference)[0], name


def place(piece: Piece | None, reference: Value) -> str:
    """Return the PL of a Location: by its key where it came in a message, else by its name."""
    resource = piece.resource if piece else {}
    keys = [text(item, "value") for item in items(resource, "identifier") if item.get("system") == PL]
    if keys:
        facility, building, floor, care, room, bed = (keys[0].split("^") + [""] * 6)[:6]
        return components(care, room, bed, facility, "", "", building, floor)
    return components(text(resource, "name") or text(reference, "display"))
