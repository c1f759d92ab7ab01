"""Any structurally valid R4 resource of a type, by the definitions of its elements, of bounded size.

All datatypes occur, extensions known and unknown, extensions of primitives, contained resources, narrative:
https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from mappings import definitions
from mappings.definitions import Element
from mappings.element import Mapping
from tests.strategies.extensions import Draw, draw_known, known
from tests.strategies.primitives import PRIMITIVES

DEPTH = 5
"""How deep elements may be nested; below that there is only what is required."""
CONTAINED = ("Patient", "Organization", "Observation", "Basic", "Medication")
UNKNOWN_URLS = ("urn:x:one", "urn:x:two", "http://example.org/StructureDefinition/third")
REFERENCES = (
    "Patient/p1",
    "Practitioner/d-1.a",
    "Encounter/e1/_history/2",
    "http://elsewhere.example/fhir/Patient/p1",
    "urn:uuid:6f1c8a52-1111-4222-8333-944455556666",
    "#c1",
)


@st.composite
def resource(draw: Draw, type_name: str, mapping: Mapping | None = None) -> dict[str, Any]:
    """Draw a resource of a type as it is decoded from JSON; ``mapping`` tells which extensions are known."""
    made: dict[str, Any] = {"resourceType": type_name, "id": draw(PRIMITIVES["id"])}
    made |= draw_object(draw, type_name, "", 0)
    if mapping and known(mapping) and draw(st.booleans()):
        lines = draw(st.lists(st.sampled_from(known(mapping)), min_size=1, max_size=4))
        told = [draw_known(draw, line, fill) for line in lines]
        made["extension"] = draw(st.permutations(made.get("extension", []) + told))
    return made


def fill(draw: Draw, type_name: str) -> Any:
    """Draw a value of a datatype, with little below it."""
    return draw_value(draw, Element("value", (type_name,)), type_name, DEPTH - 1)


def draw_object(draw: Draw, type_name: str, path: str, depth: int) -> dict[str, Any]:
    """Draw the elements directly below a path of a type: those required and some of the others."""
    elements = [
        element for element in definitions.elements_at(type_name, path) if wanted(element, type_name, depth)
    ]
    required = [element for element in elements if element.least]
    others = [element for element in elements if not element.least]
    most = 0 if depth > DEPTH else 7 if depth == 0 else 3
    chosen = required + (
        draw(st.lists(st.sampled_from(others), max_size=most, unique=True)) if others else []
    )
    if not any(element.name != "id" for element in chosen):
        chosen.append(next(element for element in others if element.name not in ("id", "extension")))
    made: dict[str, Any] = {}
    for element in chosen:
        made |= draw_element(draw, element, type_name, depth)
    return valued(draw, made) if type_name == "Extension" else made


def wanted(element: Element, type_name: str, depth: int) -> bool:
    """Tell whether an element may be drawn here: contained resources contain nothing, and all has an end."""
    if element.name in ("contained", "text", "meta"):
        return depth == 0 or type_name not in definitions.resource_types()
    return not (depth == 0 and element.path == "id") and not (
        type_name == "Extension" and element.name == "extension"
    )


def valued(draw: Draw, made: dict[str, Any]) -> dict[str, Any]:
    """Give an extension a value or extensions within it (ext-1), and a URL of its own."""
    made["url"] = draw(st.sampled_from(UNKNOWN_URLS))
    made.pop("_url", None)
    if made.keys() <= {"id", "url"}:
        if draw(st.booleans()):
            made["extension"] = [{"url": "inner", "valueDecimal": draw(PRIMITIVES["decimal"])}]
        else:
            made["valueString"] = draw(PRIMITIVES["string"])
    return made


def draw_element(draw: Draw, element: Element, type_name: str, depth: int) -> dict[str, Any]:
    """Draw an element: its key with its value or values, and for primitives perhaps its sibling ``_key``."""
    kind = draw(st.sampled_from(element.types))
    key = element.name
    if element.is_choice:
        name = kind.partition("(")[0]
        key += name[0].upper() + name[1:]
    many = element.most is None or element.most > 1
    size = draw(st.integers(1, 2 if depth < DEPTH else 1)) if many else 1
    values = [draw_value(draw, element, kind, depth, type_name) for _ in range(size)]
    if kind not in PRIMITIVES or kind == "xhtml" or key in ("url", "id"):
        return {key: values if many else values[0]}
    # A status that is required stands in a column that may not be empty: an extension cannot take its place.
    return with_siblings(
        draw, key, values, many=many, depth=depth, bare=not (element.least and element.codes)
    )


def with_siblings(
    draw: Draw, key: str, values: list[Any], *, many: bool, depth: int, bare: bool
) -> dict[str, Any]:
    """Return primitives with, now and then, ids and extensions of their own; if ``bare``, these alone."""
    siblings = [
        draw_sibling(draw) if depth < DEPTH and draw(st.integers(0, 5)) == 0 else None for _ in values
    ]
    if not any(siblings):
        return {key: values if many else values[0]}
    told = [
        None if bare and sibling and "extension" in sibling and draw(st.booleans()) else value
        for value, sibling in zip(values, siblings, strict=True)
    ]
    made: dict[str, Any] = {f"_{key}": siblings if many else siblings[0]}
    if any(value is not None for value in told):
        made[key] = told if many else told[0]
    return made


def draw_sibling(draw: Draw) -> dict[str, Any]:
    """Draw what stands beside a primitive: an id, extensions, or both."""
    extension = {"url": draw(st.sampled_from(UNKNOWN_URLS)), "valueCode": draw(PRIMITIVES["code"])}
    return draw(
        st.sampled_from([{"id": "s1"}, {"extension": [extension]}, {"id": "s2", "extension": [extension]}])
    )


def draw_value(draw: Draw, element: Element, kind: str, depth: int, type_name: str = "") -> Any:
    """Draw one value of an element: a primitive, a datatype, a nested element, a contained resource."""
    name = kind.partition("(")[0]
    if name in PRIMITIVES:
        return draw_code(draw, element) if name == "code" and element.codes else draw(PRIMITIVES[name])
    if name == "Resource":
        inner = draw(st.sampled_from(CONTAINED))
        return {"resourceType": inner, "id": "c1"} | draw_object(draw, inner, "", DEPTH - 1)
    if name == "Reference":
        return draw_reference(draw, depth)
    if name == "CodeableConcept" and element.codes:
        return draw_bound(draw, element)
    if kind.startswith("#"):
        owner, _, path = kind[1:].partition(".")
        return draw_object(draw, owner, path, depth + 1)
    if name in ("BackboneElement", "Element"):
        return draw_object(draw, type_name, element.path, depth + 1)
    return draw_object(draw, name, "", depth + 1)


def draw_code(draw: Draw, element: Element) -> str:
    """Draw a code of a required value set, any code where the set is open."""
    listed = definitions.codes(element.codes)
    return draw(
        st.sampled_from(sorted({code for codes in listed.values() for code in codes}))
        if listed
        else PRIMITIVES["code"]
    )


def draw_bound(draw: Draw, element: Element) -> dict[str, Any]:
    """Draw a CodeableConcept of a required value set."""
    listed = definitions.codes(element.codes) or {"urn:x:open": frozenset({"a"})}
    system = draw(st.sampled_from(sorted(listed)))
    return {"coding": [{"system": system, "code": draw(st.sampled_from(sorted(listed[system])))}]}


def draw_reference(draw: Draw, depth: int) -> dict[str, Any]:
    """Draw a Reference that points somewhere."""
    made = draw_object(draw, "Reference", "", depth + 1)
    if draw(st.booleans()):
        made.pop("_reference", None)
        made["reference"] = draw(st.sampled_from(REFERENCES))
    return made
