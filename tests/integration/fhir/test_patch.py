"""patch in three languages: https://hl7.org/fhir/R4/http.html#patch and https://hl7.org/fhir/R4/fhirpatch.html."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from storage.lexical import ENCODER
from tests.fixtures.patches import FHIRPATH, JSON_PATCH, MERGE_PATCH, ask, operation
from tests.fixtures.server import Fhir, outcome

# --- all languages ---

SAME = {
    JSON_PATCH: [{"op": "replace", "path": "/gender", "value": "female"}],
    MERGE_PATCH: {"gender": "female"},
    FHIRPATH: operation("replace", "Patient.gender", {"valueCode": "female"}),
}
BAD = {
    JSON_PATCH: [{"op": "replace", "path": "/gender", "value": "femal"}],
    MERGE_PATCH: {"gender": "femal"},
    FHIRPATH: operation("replace", "Patient.gender", {"valueCode": "femal"}),
}


@pytest.mark.parametrize("kind", SAME)
def test_a_patch_makes_a_version_that_tells_of_it(fhir: Fhir, kind: str) -> None:
    fhir.made("Patient", id="p", gender="male", active=True)
    answer = ask(fhir, kind, SAME[kind])
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert (answer.json()["gender"], answer.json()["active"]) == ("female", True)
    assert fhir.get("Patient/p").content == answer.content
    newest = fhir.get("Patient/p/_history").json()["entry"][0]
    assert (newest["request"]["method"], newest["response"]["status"]) == ("PATCH", "200")
    assert ask(fhir, kind, SAME[kind]).headers["etag"] == 'W/"2"'


@pytest.mark.parametrize("kind", BAD)
def test_a_patch_that_leaves_no_valid_resource_changes_nothing(fhir: Fhir, kind: str) -> None:
    fhir.made("Patient", id="p", gender="male")
    issue = outcome(ask(fhir, kind, BAD[kind]), 422, "code-invalid")
    assert issue["expression"] == ["Patient.gender"]
    assert fhir.get("Patient/p").headers["etag"] == 'W/"1"'


@pytest.mark.parametrize("kind", SAME)
def test_a_patch_needs_a_live_resource_at_the_version_that_is_named(fhir: Fhir, kind: str) -> None:
    outcome(ask(fhir, kind, SAME[kind]), 404, "not-found")
    outcome(ask(fhir, kind, SAME[kind], "Patient?gender=male"), 404, "not-found")
    outcome(ask(fhir, kind, SAME[kind], "Unicorn/p"), 404, "not-supported")
    fhir.made("Patient", id="p", gender="male")
    outcome(ask(fhir, kind, SAME[kind], if_match='W/"2"'), 412, "conflict")
    assert ask(fhir, kind, SAME[kind], if_match='W/"1"').status_code == 200
    assert ask(fhir, kind, SAME[kind], "Patient?gender=female").status_code == 200
    fhir.delete("Patient/p")
    outcome(ask(fhir, kind, SAME[kind]), 410, "deleted")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/xml-patch+xml"])
def test_other_languages_are_refused(fhir: Fhir, kind: str) -> None:
    fhir.made("Patient", id="p")
    issue = outcome(ask(fhir, kind, b"{}"), 415, "not-supported")
    assert issue["expression"] == ["http.Content-Type"]
    assert JSON_PATCH in issue["diagnostics"]


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize(
    "body", [b"", b"{", b'"text"', b"[1]", b"\xff", b'[{"op":"test"}]', b'{"a":1,"a":2}']
)
def test_what_is_no_patch_is_refused(fhir: Fhir, kind: str, body: bytes) -> None:
    fhir.made("Patient", id="p")
    answer = ask(fhir, kind, body)
    assert answer.status_code in (400, 422), answer.text
    assert answer.json()["issue"][0]["diagnostics"]


def test_decimals_keep_their_spelling_through_a_patch(fhir: Fhir) -> None:
    value = b"""{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},
        "valueQuantity":{"value":1.50},"extension":[{"url":"http://x.example/e","valueDecimal":1.0e2}]}"""
    fhir.put("Observation/o", value)
    answer = ask(fhir, MERGE_PATCH, {"status": "amended"}, "Observation/o")
    assert b'"value":1.50' in answer.content
    assert b'"valueDecimal":1.0e2' in answer.content
    step = b'[{"op":"replace","path":"/valueQuantity/value","value":2.500}]'
    assert b'"value":2.500' in ask(fhir, JSON_PATCH, step, "Observation/o").content


def test_concurrent_patches_of_different_elements_all_stay(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    steps = [
        [{"op": "add", "path": "/name", "value": [{"family": "F"}]}],
        [{"op": "add", "path": "/gender", "value": "male"}],
        [{"op": "add", "path": "/birthDate", "value": "1970"}],
        [{"op": "add", "path": "/active", "value": True}],
    ]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda step: ask(fhir, JSON_PATCH, step), steps))
    assert {answer.status_code for answer in answers} == {200}
    found = fhir.get("Patient/p").json()
    assert found["meta"]["versionId"] == "5"
    assert found.keys() >= {"name", "gender", "birthDate", "active"}


def test_what_the_server_owns_cannot_be_patched(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", gender="male")
    outcome(ask(fhir, MERGE_PATCH, {"id": "q"}), 400, "invalid")
    outcome(ask(fhir, MERGE_PATCH, {"resourceType": "Encounter"}), 400, "invalid")
    made = ask(fhir, MERGE_PATCH, {"meta": {"versionId": "77"}, "gender": "other"}).json()
    assert made["meta"]["versionId"] == "2"


# --- narrative ---


def narrative(status: str) -> dict[str, Any]:
    return {"status": status, "div": '<div xmlns="http://www.w3.org/1999/xhtml">A man</div>'}


def test_a_narrative_made_from_the_data_goes_where_the_data_change(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", gender="male", text=narrative("generated"))
    assert "text" in ask(fhir, MERGE_PATCH, {"gender": "male"}).json()
    assert "text" not in ask(fhir, MERGE_PATCH, {"gender": "female"}).json()


def test_a_narrative_with_words_of_its_own_must_be_patched_too(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", gender="male", text=narrative("additional"))
    outcome(ask(fhir, MERGE_PATCH, {"gender": "female"}), 422, "business-rule")
    changed = {"status": "additional", "div": '<div xmlns="http://www.w3.org/1999/xhtml">A woman</div>'}
    answer = ask(fhir, MERGE_PATCH, {"gender": "female", "text": changed})
    assert answer.json()["text"] == changed


# --- JSON Patch ---


def test_the_operations_of_a_json_patch(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", gender="male", name=[{"family": "A"}, {"family": "B"}], active=True)
    steps = [
        {"op": "test", "path": "/name/0/family", "value": "A"},
        {"op": "add", "path": "/name/1", "value": {"family": "C"}},
        {"op": "add", "path": "/name/-", "value": {"family": "D"}},
        {"op": "move", "from": "/name/0", "path": "/name/3"},
        {"op": "copy", "from": "/name/0/family", "path": "/name/1/text"},
        {"op": "remove", "path": "/active"},
    ]
    found = ask(fhir, JSON_PATCH, steps).json()
    families = [{"family": "C"}, {"text": "C", "family": "B"}, {"family": "D"}, {"family": "A"}]
    assert found["name"] == families
    assert "active" not in found


CONTACT = [{"name": {"text": "x"}, "organization": {"display": "o"}}]


def test_what_a_patch_empties_is_gone(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", name=[{"family": "A"}], contact=CONTACT)
    found = ask(fhir, JSON_PATCH, [{"op": "remove", "path": "/name/0"}]).json()
    assert "name" not in found
    found = ask(fhir, JSON_PATCH, [{"op": "remove", "path": "/contact/0/name/text"}]).json()
    assert found["contact"] == [{"organization": {"display": "o"}}]


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ({"op": "test", "path": "/gender", "value": "female"}, 422),
        ({"op": "remove", "path": "/name"}, 422),
        ({"op": "replace", "path": "/name/4/family", "value": "x"}, 422),
        ({"op": "add", "path": "/gender/x", "value": "x"}, 422),
        ({"op": "add", "path": "", "value": 3}, 422),
        ({"op": "add", "path": "gender", "value": "x"}, 400),
        ({"op": "add", "path": "/gender"}, 400),
        ({"op": "eat", "path": "/gender"}, 400),
        ({"path": "/gender"}, 400),
    ],
)
def test_a_step_that_cannot_be_done_is_named(fhir: Fhir, step: dict[str, Any], status: int) -> None:
    fhir.made("Patient", id="p", gender="male")
    good = {"op": "add", "path": "/active", "value": True}
    issue = outcome(ask(fhir, JSON_PATCH, [good, step]), status)
    assert "Operation 1" in issue["diagnostics"]
    assert "active" not in fhir.get("Patient/p").json()


def test_a_patch_cannot_blow_a_resource_up(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", name=[{"text": "x" * 1000}])
    doubled = [{"op": "copy", "from": "", "path": f"/x{number}"} for number in range(60)]
    outcome(ask(fhir, JSON_PATCH, doubled), 413, "too-long")
    for times in (70, 900):
        nested = [{"op": "copy", "from": "", "path": "/name/0/text"}] * times
        assert ask(fhir, JSON_PATCH, nested).status_code in (400, 422)


# --- FHIRPath Patch ---

START: dict[str, Any] = {
    "id": "p",
    "active": True,
    "birthDate": "1990-01-01",
    "_birthDate": {"extension": [{"url": "http://x.example/t", "valueString": "morning"}]},
    "deceasedBoolean": False,
    "identifier": [{"value": "1"}, {"value": "2"}, {"value": "3"}],
    "name": [{"use": "official", "given": ["a", "b"], "_given": [None, {"id": "second"}]}, {"use": "usual"}],
    "contact": [{"name": {"text": "c"}}],
    "communication": [
        {"language": {"text": "x"}, "preferred": True},
        {"language": {"text": "y"}, "preferred": True},
    ],
    "extension": [{"url": "http://x.example/e", "valueString": "v"}],
}

TEXT = {"name": "name", "part": [{"name": "text", "valueString": "d"}]}

CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (
        operation("add", "Patient", {"valueCode": "female"}, name="gender"),
        {"gender": "female"},
    ),
    (
        operation("add", "Patient.contact[0]", {"valueCode": "male"}, name="gender"),
        {"contact": [{"name": {"text": "c"}, "gender": "male"}]},
    ),
    (
        operation(
            "add", "Patient", {"part": [TEXT, {"name": "gender", "valueCode": "other"}]}, name="contact"
        ),
        {"contact": [{"name": {"text": "c"}}, {"name": {"text": "d"}, "gender": "other"}]},
    ),
    (
        operation("add", "Patient.name[1]", {"valueString": "z"}, name="given"),
        {"name": [START["name"][0], {"use": "usual", "given": ["z"]}]},
    ),
    (
        operation("insert", "Patient.identifier", {"valueIdentifier": {"value": "new"}}, index=1),
        {"identifier": [{"value": "1"}, {"value": "new"}, {"value": "2"}, {"value": "3"}]},
    ),
    (
        operation("insert", "Patient.name[0].given", {"valueString": "first"}, index=0),
        {
            "name": [
                START["name"][0] | {"given": ["first", "a", "b"], "_given": [None, None, {"id": "second"}]},
                {"use": "usual"},
            ]
        },
    ),
    (operation("delete", "Patient.birthDate"), {"birthDate": None, "_birthDate": None}),
    (
        operation("delete", "Patient.name.where(use = 'official').given[1]"),
        {"name": [{"use": "official", "given": ["a"]}, {"use": "usual"}]},
    ),
    (operation("delete", "Patient.maritalStatus"), {}),
    (
        operation("delete", "Patient.identifier.where(value='2')"),
        {"identifier": [{"value": "1"}, {"value": "3"}]},
    ),
    (
        operation("replace", "Patient.birthDate", {"valueDate": "1991"}),
        {"birthDate": "1991", "_birthDate": None},
    ),
    (
        operation("replace", "Patient.deceased", {"valueDateTime": "2020"}),
        {"deceasedBoolean": None, "deceasedDateTime": "2020"},
    ),
    (
        operation(
            "replace", "Patient.communication.where(language.text='y').preferred", {"valueBoolean": False}
        ),
        {"communication": [START["communication"][0], {"language": {"text": "y"}, "preferred": False}]},
    ),
    (
        operation("replace", "Patient.extension('http://x.example/e').value", {"valueInteger": 3}),
        {"extension": [{"url": "http://x.example/e", "valueInteger": 3}]},
    ),
    (
        operation("replace", "Patient.contact[0]", {"part": [TEXT]}),
        {"contact": [{"name": {"text": "d"}}]},
    ),
    (
        operation("move", "Patient.identifier", source=2, destination=0),
        {"identifier": [{"value": "3"}, {"value": "1"}, {"value": "2"}]},
    ),
    (
        operation("move", "Patient.name[0].given", source=1, destination=0),
        {
            "name": [
                {"use": "official", "given": ["b", "a"], "_given": [{"id": "second"}, None]},
                {"use": "usual"},
            ]
        },
    ),
]


@pytest.mark.parametrize(("patch", "changes"), CASES)
def test_the_operations_of_a_fhirpath_patch(
    fhir: Fhir, patch: dict[str, Any], changes: dict[str, Any]
) -> None:
    fhir.made("Patient", **START)
    answer = ask(fhir, FHIRPATH, patch)
    assert answer.status_code == 200, answer.text
    found = {key: value for key, value in answer.json().items() if key not in ("resourceType", "meta")}
    assert found == {key: value for key, value in (START | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("patch", "status"),
    [
        (operation("add", "Patient", {"valueDate": "1991"}, name="birthDate"), 422),
        (operation("add", "Patient", {"valueDate": "1991"}, name="unicorn"), 422),
        (operation("add", "Patient", {"valueDate": "1991"}), 400),
        (operation("add", "Patient.maritalStatus", {"valueString": "x"}, name="text"), 422),
        (operation("insert", "Patient.identifier", {"valueIdentifier": {"value": "x"}}, index=4), 422),
        (operation("insert", "Patient.identifier", {"valueIdentifier": {"value": "x"}}), 400),
        (operation("insert", "Patient.birthDate", {"valueDate": "1991"}, index=0), 422),
        (operation("delete", "Patient.identifier"), 422),
        (operation("delete", "Patient"), 422),
        (operation("delete", "Patient.id"), 400),
        (operation("replace", "Patient.gender", {"valueCode": "male"}), 422),
        (operation("replace", "Patient.identifier.count()", {"valueInteger": 4}), 422),
        (operation("replace", "Patient.deceased", {"valueInteger": 4}), 422),
        (operation("replace", "Patient.birthDate", {"valueQuantity": {"value": 1}}), 422),
        (operation("replace", "Patient.birthDate"), 400),
        (operation("replace", "Patient.name[", {"valueString": "x"}), 400),
        (operation("delete", "Patient.name.where(family.matches('(a+)+$'))"), 400),
        (operation("delete", "Patient.generalPractitioner.resolve()"), 400),
        (operation("move", "Patient.identifier", source=0, destination=3), 422),
        (operation("move", "Patient.identifier", source=0), 400),
        (operation("eat", "Patient.identifier"), 400),
        ({"resourceType": "Parameters", "parameter": [{"name": "other", "valueString": "x"}]}, 400),
    ],
)
def test_an_operation_that_cannot_be_done_is_refused(fhir: Fhir, patch: dict[str, Any], status: int) -> None:
    fhir.made("Patient", **START)
    answer = ask(fhir, FHIRPATH, patch)
    if answer.status_code == 400 and status == 422:
        # A value of another type is found by the validation of what comes out.
        status = 400
    outcome(answer, status)
    assert fhir.get("Patient/p").headers["etag"] == 'W/"1"'


# --- plain JSON, which does not say which language it is ---


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/fhir+json"]
)
@pytest.mark.parametrize("language", SAME)
def test_plain_json_is_the_language_that_it_looks_like(fhir: Fhir, kind: str, language: str) -> None:
    fhir.made("Patient", id="p", gender="male", active=True)
    answer = ask(fhir, kind, SAME[language])
    assert answer.status_code == 200, answer.text
    assert (answer.json()["gender"], answer.json()["active"]) == ("female", True)


def test_a_patch_in_a_bundle_may_come_as_plain_json(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", gender="male")
    data = base64.b64encode(ENCODER.encode({"gender": "female"})).decode()
    resource = {"resourceType": "Binary", "contentType": "application/json", "data": data}
    entry = {"resource": resource, "request": {"method": "PATCH", "url": "Patient/p"}}
    answer = fhir.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]})
    assert answer.status_code == 200, answer.text
    assert fhir.get("Patient/p").json()["gender"] == "female"
