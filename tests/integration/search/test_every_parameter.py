from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from gateway.errors import BadRequest
from gateway.fhir.conditions import modifiers
from gateway.fhir.filter_tests import operators
from gateway.fhir.params import includable
from gateway.fhir.search_page import table
from mappings.resources import REGISTRY, WITH_TABLES
from mappings.search import SearchParameter, parameters
from mappings.search_references import nested_types
from storage.search.query import Flag
from storage.search.sort import sort_of, sortable
from tests.fixtures.library import Library

VALUES = {
    "token": "urn:x|1,2,|3",
    "string": "smith",
    "date": "ge2020-01,lt2019",
    "reference": "Patient/1,http://far/Patient/2",
    "quantity": "gt5.4|http://unitsofmeasure.org|mg,3",
    "number": "7,lt2",
    "uri": "http://x.org/a",
    "special": "-72.5|0|10|km",
}
PAGE = Path(__file__).parents[3] / "docs" / "search.md"
VALUE_SET = "http://hl7.org/fhir/ValueSet/administrative-gender"
OF_MODIFIERS = {
    "missing": "true",
    "of-type": "urn:x|MR|1",
    "identifier": "urn:x|1",
    "in": VALUE_SET,
    "not-in": VALUE_SET,
}

ASKED = [*sorted(WITH_TABLES), "MedicationRequest", "Person", "PlanDefinition", "RiskAssessment"]
"""All types with tables, a sample of the others."""
EACH = [
    (type_name, parameter) for type_name in ASKED for parameter in parameters(REGISTRY[type_name]).values()
]


def write(made: Library) -> None:
    # What codes are below one is told by their code system.
    made.put(
        "CodeSystem",
        "x",
        url="urn:x",
        status="active",
        content="complete",
        concept=[{"code": "1", "concept": [{"code": "2"}]}],
    )


def value(parameter: SearchParameter) -> str:
    if parameter.parts:
        return "$".join(value(part).partition(",")[0] for part in parameter.parts)
    return "true" if isinstance(parameter.targets[0], Flag) else VALUES[parameter.type]


def of_modifier(parameter: SearchParameter, modifier: str) -> str:
    if modifier in ("above", "below"):
        nested = [f"{kind}/1" for kind in nested_types(parameter)]
        return {"token": "urn:x|1", "reference": ",".join(nested)}.get(parameter.type, "") or value(parameter)
    return OF_MODIFIERS.get(modifier, value(parameter))


@pytest.mark.parametrize(("type_name", "parameter"), EACH, ids=[f"{name}-{made.name}" for name, made in EACH])
def test_each_parameter_can_be_asked_for_with_each_of_its_modifiers(
    library: Library, type_name: str, parameter: SearchParameter
) -> None:
    searches = [f"{parameter.name}={value(parameter)}"]
    searches += [
        f"{parameter.name}:{modifier}={of_modifier(parameter, modifier)}" for modifier in modifiers(parameter)
    ]
    for text in searches:
        assert library.links(library.bundle(type_name, text))["self"].startswith(parameter.name), text
    with pytest.raises(BadRequest):
        library.bundle(type_name, f"{parameter.name}:nonsense={value(parameter)}")


@pytest.mark.parametrize("type_name", ASKED)
def test_each_parameter_sorts_or_is_refused_as_a_sort_key(library: Library, type_name: str) -> None:
    for parameter in parameters(REGISTRY[type_name]).values():
        text = f"_sort={parameter.name}"
        if sortable(sort_of(parameter.name, parameter.targets)):
            assert library.bundle(type_name, text)["resourceType"] == "Bundle"
        else:
            with pytest.raises(BadRequest):
                library.bundle(type_name, text)


@pytest.mark.parametrize("type_name", ASKED)
def test_each_reference_to_a_resource_can_be_included(library: Library, type_name: str) -> None:
    for parameter in parameters(REGISTRY[type_name]).values():
        text = f"_include={type_name}:{parameter.name}&_revinclude={type_name}:{parameter.name}"
        if includable(parameter):
            assert library.bundle(type_name, text)["resourceType"] == "Bundle"
        else:
            with pytest.raises(BadRequest):
                library.bundle(type_name, text)


OPERANDS = {
    **VALUES,
    "token": "urn:x|1",
    "date": "2020-01",
    "quantity": "5",
    "number": "7",
    "reference": "Patient/1",
}


@pytest.mark.parametrize("type_name", ASKED)
def test_each_parameter_can_be_filtered_by_each_of_its_operators(library: Library, type_name: str) -> None:
    for parameter in parameters(REGISTRY[type_name]).values():
        for operator in operators(parameter):
            operand = {"in": VALUE_SET, "ni": VALUE_SET, "pr": "true"}.get(operator) or operand_of(parameter)
            answer = library.bundle(type_name, f"_filter={parameter.name} {operator} {quote(operand)}")
            assert answer["total"] == 0 or operator in ("pr", "ne", "ni"), (parameter.name, operator)


def operand_of(parameter: SearchParameter) -> str:
    if parameter.parts:
        return "$".join(operand_of(part) for part in parameter.parts)
    return "true" if isinstance(parameter.targets[0], Flag) else OPERANDS[parameter.type]


def test_the_page_in_the_repository_tells_what_there_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == table(), "run: suture docs --search docs/search.md"
