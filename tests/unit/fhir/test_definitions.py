"""The facts kept from the R4 definitions, and where R4B differs from them.

https://hl7.org/fhir/R4/downloads.html
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from gateway.fhir.shapes import Kind, Shape, shape_of
from mappings import definitions
from mappings.definitions import build
from mappings.definitions.invariants import RULES
from tests.unit.fhir.samples import VALID

# What R4 has alone and what R4B has alone, for the types served and all that they are made of.
ELEMENTS = {"Extension": ({"valueMeta"}, {"valueCodeableReference", "valueRatioRange"})}
TARGETS = {
    "DiagnosticReport.subject": {"Medication", "Organization", "Practitioner", "Procedure", "Substance"},
    "Observation.subject": {"Medication", "Organization", "Practitioner", "Procedure", "Substance"},
}


def model_at(path: str) -> type[BaseModel]:
    name, *inner = path.split(".")
    module = importlib.import_module(f"fhir.resources.R4B.{name.lower()}")
    return getattr(module, name + "".join(part[0].upper() + part[1:] for part in inner))


def shapes_below(path: str, seen: set[str]) -> Iterator[Shape]:
    if path in seen:
        return
    seen.add(path)
    shape = shape_of(path)
    yield shape
    for field in shape.fields.values():
        if field.kind in (Kind.COMPLEX, Kind.CONCEPT, Kind.REFERENCE):
            yield from shapes_below(field.shape.path, seen)


@pytest.fixture(scope="module")
def served() -> list[Shape]:
    seen: set[str] = set()
    return [shape for resource_type in VALID for shape in shapes_below(resource_type, seen)]


def properties(shape: Shape) -> dict[str, Any]:
    fields = model_at(shape.path).model_fields.items()
    named = {field.alias or name: field for name, field in fields if name != "fhir_comments"}
    return {name: field for name, field in named.items() if not name.startswith("_")}


def test_the_elements_of_r4b_are_those_of_r4_but_for_these(served: list[Shape]) -> None:
    differing = {}
    for shape in served:
        ours, theirs = set(shape.names) - {"resourceType"}, set(properties(shape))
        if ours != theirs:
            differing[shape.path] = (ours - theirs, theirs - ours)
    assert len(served) > 80
    assert differing == ELEMENTS


def test_what_r4b_requires_and_repeats_is_what_r4_does(served: list[Shape]) -> None:
    for shape in served:
        theirs = properties(shape)
        required = {element.name for element, _ in shape.required if not element.is_choice} - {"resourceType"}
        extra = {name: field.json_schema_extra or {} for name, field in theirs.items()}
        assert required == {
            name
            for name, field in theirs.items()
            if field.is_required() or extra[name].get("element_required")
        }, shape.path
        for name in set(shape.names) & set(theirs):
            assert shape.fields[name].many == ("List" in str(theirs[name].annotation)), (shape.path, name)


def test_the_reference_targets_of_r4b_are_those_of_r4_but_for_these(served: list[Shape]) -> None:
    differing = {}
    for shape in served:
        for name, theirs in properties(shape).items():
            field = shape.fields.get(name)
            named = set((theirs.json_schema_extra or {}).get("enum_reference_types") or ()) - {"Resource"}
            if field and field.kind is Kind.REFERENCE and field.targets != named:
                assert not field.targets - named
                differing[f"{shape.path}.{name}"] = named - field.targets
    assert differing == TARGETS


def test_the_kept_files_are_what_the_definitions_give(corpus: Path) -> None:
    folder = corpus / "fhir-r4" / "definitions"
    elements = json.loads((folder / "elements.json").read_bytes())
    value_sets = json.loads((folder / "required-valuesets.json").read_bytes())
    assert build.lines(build.compact(elements)) == (build.HERE / "elements.json").read_bytes()
    assert build.lines(build.compact_codes(value_sets)) == (build.HERE / "codes.json").read_bytes()
    found, left = build.compact_search(json.loads((folder / "search-parameters.json").read_bytes()))
    assert build.lines(found) == (build.HERE / "search.json").read_bytes()
    assert build.lines(left) == (build.HERE / "search_left_out.json").read_bytes()
    compartments = build.compact_compartments(json.loads((folder / "compartments.json").read_bytes()))
    assert build.lines(compartments) == (build.HERE / "compartments.json").read_bytes()


def test_what_is_left_out_of_search_are_composites_ranges_and_these() -> None:
    left = json.loads((build.HERE / "search_left_out.json").read_bytes())
    others = {
        name
        for name, told in left.items()
        if not told.startswith("composite:") and not told.endswith("as Range)")
    }
    assert others == {
        "Bundle.composition",
        "Bundle.message",
        "Device.din",
        "QuestionnaireResponse.item-subject",
    }


def standard_invariants(corpus: Path) -> set[tuple[str, str]]:
    """Path and key of each invariant of severity error. What stands on a list is given to its owner here."""
    records = json.loads((corpus / "fhir-r4" / "definitions" / "elements.json").read_bytes())
    return {
        (
            record["path"].split(".")[0] if constraint["key"].startswith("org-") else record["path"],
            constraint["key"],
        )
        for record in records
        for constraint in record.get("constraint", ())
        if constraint["severity"] == "error"
    }


def test_the_invariants_checked_are_those_of_the_standard_for_all_that_is_served(corpus: Path) -> None:
    seen: set[str] = set()
    paths = {shape.path for resource_type in VALID for shape in shapes_below(resource_type, seen)}
    elsewhere = {"dom-2", "dom-3", "dom-4", "dom-5", "ref-1", "txt-1", "txt-2"}  # walk.py and narrative.py
    standard = {
        (path, key) for path, key in standard_invariants(corpus) if path in paths and key not in elsewhere
    }
    ours = {(path, rule.key) for path, rules in RULES.items() for rule in rules}
    # The definitions give ext-1 with Element.
    assert ours == standard | {("Extension", "ext-1")}


def test_each_type_and_each_value_set_can_be_read() -> None:
    assert len(definitions.resource_types()) == 145
    for resource_type in definitions.resource_types():
        assert shape_of(resource_type).fields["resourceType"]
        assert {"id", "meta"} <= set(shape_of(resource_type).names)


@pytest.mark.parametrize("name", ["patient", "Quantity", "Element", "Foo", ""])
def test_what_is_no_resource_type_is_told_apart(name: str) -> None:
    assert not definitions.is_resource_type(name)


def test_codes_come_by_system_and_open_sets_are_none() -> None:
    genders = definitions.codes("administrative-gender")
    assert genders == {"http://hl7.org/fhir/administrative-gender": {"male", "female", "other", "unknown"}}
    assert definitions.codes("mimetypes") is None
