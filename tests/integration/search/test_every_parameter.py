from __future__ import annotations

import pytest

from gateway.errors import BadRequest
from gateway.fhir.conditions import modifiers
from gateway.fhir.params import includable
from mappings.resources import REGISTRY
from mappings.search import SearchParameter, parameters
from storage.search.query import Flag, Sort
from storage.search.sort import sortable
from storage.session import Store
from tests.fixtures.library import Library

VALUES = {
    "token": "urn:x|1,2,|3",
    "string": "smith",
    "date": "ge2020-01,lt2019",
    "reference": "Patient/1,http://far/Patient/2",
    "quantity": "gt5.4|http://unitsofmeasure.org|mg,3",
    "number": "7,lt2",
    "uri": "http://x.org/a",
}
OF_MODIFIERS = {"missing": "true", "of-type": "urn:x|MR|1", "identifier": "urn:x|1"}

EACH = [
    (type_name, parameter)
    for type_name, mapping in REGISTRY.items()
    for parameter in parameters(mapping).values()
]


@pytest.fixture(scope="module")
def library(store: Store) -> Library:
    return Library(store)


def value(parameter: SearchParameter) -> str:
    if parameter.parts:
        return "$".join(value(part).partition(",")[0] for part in parameter.parts)
    return "true" if isinstance(parameter.targets[0], Flag) else VALUES[parameter.type]


@pytest.mark.parametrize(("type_name", "parameter"), EACH, ids=[f"{name}-{made.name}" for name, made in EACH])
def test_each_parameter_can_be_asked_for_with_each_of_its_modifiers(
    library: Library, type_name: str, parameter: SearchParameter
) -> None:
    searches = [f"{parameter.name}={value(parameter)}"]
    searches += [
        f"{parameter.name}:{modifier}={OF_MODIFIERS.get(modifier, value(parameter))}"
        for modifier in modifiers(parameter)
    ]
    for text in searches:
        assert library.links(library.bundle(type_name, text))["self"].startswith(parameter.name), text
    with pytest.raises(BadRequest):
        library.bundle(type_name, f"{parameter.name}:nonsense={value(parameter)}")


@pytest.mark.parametrize("type_name", REGISTRY)
def test_each_parameter_sorts_or_is_refused_as_a_sort_key(library: Library, type_name: str) -> None:
    for parameter in parameters(REGISTRY[type_name]).values():
        text = f"_sort={parameter.name}"
        if len(parameter.targets) == 1 and sortable(Sort(parameter.name, parameter.targets[0])):
            assert library.bundle(type_name, text)["resourceType"] == "Bundle"
        else:
            with pytest.raises(BadRequest):
                library.bundle(type_name, text)


@pytest.mark.parametrize("type_name", REGISTRY)
def test_each_reference_to_a_resource_can_be_included(library: Library, type_name: str) -> None:
    for parameter in parameters(REGISTRY[type_name]).values():
        text = f"_include={type_name}:{parameter.name}&_revinclude={type_name}:{parameter.name}"
        if includable(parameter):
            assert library.bundle(type_name, text)["resourceType"] == "Bundle"
        else:
            with pytest.raises(BadRequest):
                library.bundle(type_name, text)
