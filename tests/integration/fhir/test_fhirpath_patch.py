"""FHIRPath Patch of places of all kinds: primitives with extensions, choices, lists, contained resources.

https://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.patches import FHIRPATH, ask, operation
from tests.fixtures.server import Fhir, outcome

TOLD = {"url": "http://x.example/t", "valueString": "told"}
OTHER = {"url": "http://x.example/o", "valueCode": "o"}
ORGANIZATION: dict[str, Any] = {"resourceType": "Organization", "id": "o", "name": "O"}
NAMED: dict[str, Any] = {
    "given": ["a", "b", None],
    "_given": [None, {"extension": [TOLD, OTHER]}, {"extension": [TOLD]}],
}
RICH: dict[str, Any] = {
    "id": "p",
    "_gender": {"extension": [TOLD]},
    "birthDate": "1990",
    "_birthDate": {"extension": [TOLD]},
    "name": [NAMED],
    "multipleBirthInteger": 2,
    "managingOrganization": {"reference": "#o"},
    "contained": [ORGANIZATION],
    "extension": [OTHER],
}
ADDED = {"part": [{"name": "url", "valueUri": OTHER["url"]}, {"name": "value", "valueCode": "o"}]}


def given(values: list[Any], beside: list[Any] | None = None) -> dict[str, Any]:
    return {"name": [{"given": values} | ({"_given": beside} if beside else {})]}


RICH_CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "an extension of an item is deleted by its index",
        operation("delete", "Patient.name[0].given[1].extension[0]"),
        given(["a", "b", None], [None, {"extension": [OTHER]}, {"extension": [TOLD]}]),
    ),
    (
        "an extension of an item is deleted by its url",
        operation("delete", "Patient.name.given[1].extension('http://x.example/o')"),
        given(["a", "b", None], [None, {"extension": [TOLD]}, {"extension": [TOLD]}]),
    ),
    (
        "an item with extensions alone goes with the last of them",
        operation("delete", "Patient.name.given[2].extension"),
        given(["a", "b"], [None, {"extension": [TOLD, OTHER]}]),
    ),
    (
        "an item with extensions alone is deleted",
        operation("delete", "Patient.name.given.last()"),
        given(["a", "b"], [None, {"extension": [TOLD, OTHER]}]),
    ),
    (
        "an item is chosen by its value",
        operation("delete", "Patient.name.given.where($this = 'b')"),
        given(["a", None], [None, {"extension": [TOLD]}]),
    ),
    (
        "an item is chosen by its extensions",
        operation("delete", "Patient.name.given.where(extension.exists()).first()"),
        given(["a", None], [None, {"extension": [TOLD]}]),
    ),
    (
        "the value of an extension of an item is replaced",
        operation("replace", "Patient.name.given[2].extension.value", {"valueInteger": 3}),
        given(
            ["a", "b", None],
            [
                None,
                {"extension": [TOLD, OTHER]},
                {"extension": [{"url": "http://x.example/t", "valueInteger": 3}]},
            ],
        ),
    ),
    (
        "an extension is added to an item that has none",
        operation("add", "Patient.name.given[0]", ADDED, name="extension"),
        given(
            ["a", "b", None],
            [{"extension": [OTHER]}, {"extension": [TOLD, OTHER]}, {"extension": [TOLD]}],
        ),
    ),
    (
        "an item with extensions alone is replaced by a value",
        operation("replace", "Patient.name.given[2]", {"valueString": "c"}),
        given(["a", "b", "c"], [None, {"extension": [TOLD, OTHER]}, None]),
    ),
    (
        "an item takes its extensions along",
        operation("move", "Patient.name.given", source=2, destination=0),
        given([None, "a", "b"], [{"extension": [TOLD]}, None, {"extension": [TOLD, OTHER]}]),
    ),
    (
        "an item is inserted before those with extensions",
        operation("insert", "Patient.name.given", {"valueString": "z"}, index=1),
        given(
            ["a", "z", "b", None],
            [None, None, {"extension": [TOLD, OTHER]}, {"extension": [TOLD]}],
        ),
    ),
    (
        "an element with extensions alone is replaced",
        operation("replace", "Patient.gender", {"valueCode": "male"}),
        {"gender": "male", "_gender": None},
    ),
    ("an element with extensions alone is deleted", operation("delete", "Patient.gender"), {"_gender": None}),
    (
        "an extension of an element is deleted",
        operation("delete", "Patient.birthDate.extension.where(url = 'http://x.example/t')"),
        {"_birthDate": None},
    ),
    (
        "a choice is replaced by another of its types",
        operation("replace", "Patient.multipleBirth.ofType(integer)", {"valueBoolean": True}),
        {"multipleBirthInteger": None, "multipleBirthBoolean": True},
    ),
    (
        "a choice is deleted by its stem",
        operation("delete", "Patient.multipleBirth"),
        {"multipleBirthInteger": None},
    ),
    (
        "a choice of another type is not there",
        operation("delete", "Patient.multipleBirth.ofType(boolean)"),
        {},
    ),
    (
        "what stands within a contained resource is replaced",
        operation("replace", "Patient.contained.where(id = 'o').name", {"valueString": "P"}),
        {"contained": [{"resourceType": "Organization", "id": "o", "name": "P"}]},
    ),
    (
        "a contained resource is replaced, which refers to its container and its neighbour",
        operation(
            "replace",
            "Patient.contained[0]",
            {
                "resource": {
                    "resourceType": "Organization",
                    "id": "o",
                    "partOf": {"reference": "#o"},
                    "name": "Q",
                }
            },
        ),
        {
            "contained": [
                {"resourceType": "Organization", "id": "o", "partOf": {"reference": "#o"}, "name": "Q"}
            ]
        },
    ),
    (
        "a value refers to what is contained",
        operation(
            "replace", "Patient.managingOrganization", {"valueReference": {"reference": "#o", "display": "x"}}
        ),
        {"managingOrganization": {"reference": "#o", "display": "x"}},
    ),
    (
        "brackets and bars within text are text",
        operation("delete", "Patient.identifier.where(value = 'a (b)|c')"),
        {},
    ),
    (
        "a path may begin below the type",
        operation("replace", "birthDate", {"valueDate": "1991"}),
        {"birthDate": "1991", "_birthDate": None},
    ),
]


@pytest.mark.parametrize(
    ("patch", "changes"), [case[1:] for case in RICH_CASES], ids=[case[0] for case in RICH_CASES]
)
def test_places_of_all_kinds_are_patched(fhir: Fhir, patch: dict[str, Any], changes: dict[str, Any]) -> None:
    fhir.made("Patient", **RICH)
    answer = ask(fhir, FHIRPATH, patch)
    assert answer.status_code == 200, answer.text
    found = {key: value for key, value in answer.json().items() if key not in ("resourceType", "meta")}
    assert found == {key: value for key, value in (RICH | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        (operation("replace", "Patient.birthDate", {"valueString": "1991-01-01"}), "valueDate"),
        (operation("replace", "Patient.name[0].given[0]", {"valueInteger": 1}), "valueString"),
        (operation("add", "Patient", {"valueString": "male"}, name="gender"), "valueCode"),
        (operation("add", "Patient", {"valueHumanName": {"text": "x"}}, name="contact"), "part"),
        (operation("add", "Patient", ADDED, name="active"), "valueBoolean"),
        (operation("insert", "Patient.name", {"valueString": "x"}, index=0), "valueHumanName"),
        (operation("add", "Patient", {"valueInteger": 3}, name="multipleBirth"), "is there"),
        (operation("add", "Patient", {"valueBoolean": True}, name="multipleBirth"), "is there"),
        (operation("add", "Patient", {"valueCode": "male"}, name="gender"), "is there"),
        (operation("add", "Patient", {"valueCode": "male"}, name="_gender"), "no element"),
        (
            operation("replace", "Patient.multipleBirth.ofType(boolean)", {"valueInteger": 3}),
            "no such",
        ),
        (
            operation("replace", "Patient.maritalStatus", {"valueCodeableConcept": {"text": "x"}}),
            "no such",
        ),
        (operation("replace", "Patient.name.given", {"valueString": "x"}), "3 elements"),
        (operation("delete", "Patient.name.given.where(extension.exists())"), "2 elements"),
        (
            operation("insert", "Patient.contact[0].telecom", {"valueString": "1"}, index=0),
            "no such",
        ),
        (operation("move", "Patient.name.given", source=3, destination=0), "only 3 items"),
        (operation("move", "Patient.name.given", source=0, destination=3), "only 3 items"),
        (operation("move", "Patient.link", source=0, destination=0), "only 0 items"),
        (operation("move", "Patient.name.where(use='x')", source=0, destination=0), "no list"),
    ],
)
def test_what_the_standard_does_not_let_a_patch_do_is_refused(
    fhir: Fhir, patch: dict[str, Any], words: str
) -> None:
    fhir.made("Patient", **RICH)
    assert words in outcome(ask(fhir, FHIRPATH, patch), 422)["diagnostics"]
    assert fhir.get("Patient/p").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    "path", ["Patient.name[", "1+1", "Patient.repeat(name)", "Patient.name.given", "Patient.name.where(1/0)"]
)
def test_the_operation_whose_path_is_wrong_is_located(fhir: Fhir, path: str) -> None:
    fhir.made("Patient", **RICH)
    patch = operation("delete", "Patient.link")
    patch["parameter"] += operation("replace", path, {"valueString": "x"})["parameter"]
    answer = ask(fhir, FHIRPATH, patch)
    assert outcome(answer, answer.status_code)["expression"] == ["Parameters.parameter[1]"]
    assert answer.status_code in (400, 422)


def test_a_reference_to_nothing_that_is_contained_is_found_in_the_outcome(fhir: Fhir) -> None:
    fhir.made("Patient", **RICH)
    patch = operation("replace", "Patient.managingOrganization", {"valueReference": {"reference": "#q"}})
    issue = outcome(ask(fhir, FHIRPATH, patch), 422, "invariant")
    assert issue["expression"] == ["Patient.managingOrganization.reference"]


def test_a_contained_resource_comes_with_the_reference_to_it(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    added = operation(
        "add",
        "Patient",
        {"resource": ORGANIZATION},
        name="contained",
    )
    link = operation("add", "Patient", {"valueReference": {"reference": "#o"}}, name="managingOrganization")
    added["parameter"] += link["parameter"]
    answer = ask(fhir, FHIRPATH, added)
    assert answer.status_code == 200, answer.text
    assert answer.json()["contained"] == [ORGANIZATION]
