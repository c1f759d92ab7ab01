"""What the validation of resources accepts and refuses: https://hl7.org/fhir/R4/validation.html."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import Issue, Problem
from gateway.fhir import validate, wire
from gateway.fhir.structure import model_of, structural_issues
from gateway.fhir.validate import check
from gateway.fhir.walk import MOST_ISSUES
from tests.unit.fhir.samples import TERMS, VALID, found, refusal, valid


@pytest.mark.parametrize("resource_type", VALID)
def test_a_valid_resource_of_each_served_type_passes_and_is_left_as_it_was(resource_type: str) -> None:
    resource = valid(resource_type)
    before = wire.encode(resource)
    check(resource, resource_type, thorough=True)
    assert wire.encode(resource) == before


def test_every_official_example_passes(corpus: Path) -> None:
    refused: dict[str, list[str]] = {}
    paths = sorted((corpus / "fhir-r4" / "examples").glob("*.json"))
    for path in paths:
        resource = wire.decode(path.read_bytes())
        try:
            check(resource, resource["resourceType"], thorough=True)
        except Problem as problem:
            refused[path.name] = [issue.diagnostics for issue in problem.issues]
    assert len(paths) > 200
    assert refused == {}


def test_every_synthea_bundle_passes(corpus: Path) -> None:
    paths = sorted((corpus / "synthea").glob("*.json"))
    for path in paths:
        check(wire.decode(path.read_bytes()), "Bundle", conditional_references=True, thorough=True)
    assert paths


# What is changed in the Patient of the samples; the issue code; where; words that the diagnostics must hold.
PATIENT: list[tuple[dict[str, Any], str, str, str]] = [
    ({"nmae": "x"}, "structure", "Patient.nmae", "did you mean name?"),
    ({"fhir_comments": "x"}, "structure", "Patient.fhir_comments", "no element"),
    ({"birthDate__ext": {"id": "x"}}, "structure", "Patient.birthDate__ext", "no element"),
    ({"name": {"family": "x"}}, "structure", "Patient.name", "an array is needed"),
    ({"name": ["x"]}, "structure", "Patient.name[0]", "one object of type HumanName"),
    ({"name": []}, "structure", "Patient.name", "cannot be empty"),
    ({"name": [{}]}, "structure", "Patient.name[0]", "cannot be empty"),
    ({"name": [None]}, "structure", "Patient.name[0]", "null"),
    ({"name": [{"id": "a"}]}, "structure", "Patient.name[0]", "ele-1"),
    ({"name": [{"given": ["a", None]}]}, "structure", "Patient.name[0].given[1]", "null"),
    ({"name": [{"given": [None], "_given": [None]}]}, "structure", "Patient.name[0].given[0]", "null"),
    ({"name": [{"_given": [None, {"id": "a"}]}]}, "structure", "Patient.name[0].given[0]", "null"),
    (
        {"name": [{"given": ["a"], "_given": [None, {"id": "a"}]}]},
        "structure",
        "Patient.name[0].given",
        "longer",
    ),
    ({"_birthDate": {"id": "a"}, "birthDate": None}, "structure", "Patient.birthDate", "ele-1"),
    ({"name": [{"family": ""}]}, "structure", "Patient.name[0].family", "cannot be empty"),
    ({"name": [{"family": " "}]}, "value", "Patient.name[0].family", "white space"),
    ({"name": [{"family": "a\x01b"}]}, "value", "Patient.name[0].family", "control"),
    ({"name": [{"family": "a\ufffeb"}]}, "value", "Patient.name[0].family", "U+FFFE"),
    ({"name": [{"given": ["a", "\uffff"]}]}, "value", "Patient.name[0].given[1]", "U+FFFF"),
    ({"identifier": [{"system": "urn:\ufffe"}]}, "value", "Patient.identifier[0].system", "URI"),
    ({"language": "a\uffff"}, "value", "Patient.language", "a code"),
    ({"photo": [{"data": "YWJj\x0b"}]}, "value", "Patient.photo[0].data", "base64"),
    ({"name": [{"family": 3}]}, "value", "Patient.name[0].family", "3 is not string"),
    ({"name": [{"use": "daily"}]}, "code-invalid", "Patient.name[0].use", "nickname"),
    ({"gender": "F"}, "code-invalid", "Patient.gender", "female, male, other, unknown"),
    ({"gender": ["male"]}, "structure", "Patient.gender", "one value"),
    ({"active": "true"}, "value", "Patient.active", "without quotes"),
    ({"active": 1}, "value", "Patient.active", "true or false"),
    ({"birthDate": "2019-02-30"}, "value", "Patient.birthDate", "that exists"),
    ({"birthDate": "1900-02-29"}, "value", "Patient.birthDate", "that exists"),
    ({"birthDate": "2019-1"}, "value", "Patient.birthDate", "YYYY-MM"),
    ({"birthDate": "2019-13"}, "value", "Patient.birthDate", "YYYY-MM"),
    ({"birthDate": "0000"}, "value", "Patient.birthDate", "YYYY"),
    ({"birthDate": "2019-01-01T00:00:00Z"}, "value", "Patient.birthDate", "date"),
    ({"birthDate": "٢٠١٩"}, "value", "Patient.birthDate", "date"),
    ({"deceasedDateTime": "2019"}, "structure", "Patient.deceased", "exclude each other"),
    ({"multipleBirthInteger": Decimal("1.0")}, "value", "Patient.multipleBirthInteger", "whole"),
    ({"multipleBirthInteger": 2**31}, "value", "Patient.multipleBirthInteger", "2147483647"),
    ({"multipleBirthInteger": "1"}, "value", "Patient.multipleBirthInteger", "whole"),
    ({"id": "a b"}, "value", "Patient.id", "1 to 64"),
    ({"id": "a" * 65}, "value", "Patient.id", "1 to 64"),
    ({"implicitRules": "http://a b"}, "value", "Patient.implicitRules", "without spaces"),
    ({"language": "de  CH"}, "value", "Patient.language", "double spaces"),
    ({"meta": {"lastUpdated": "2024-01-01"}}, "value", "Patient.meta.lastUpdated", "instant"),
    ({"link": [{"type": "seealso"}]}, "required", "Patient.link[0]", "other is missing"),
    ({"contact": [{"gender": "male"}]}, "invariant", "Patient.contact[0]", "pat-1"),
    ({"telecom": [{"value": "1"}]}, "invariant", "Patient.telecom[0]", "cpt-2"),
    ({"photo": [{"data": "YQ"}]}, "value", "Patient.photo[0].data", "base64"),
    ({"photo": [{"data": "YWJj"}]}, "invariant", "Patient.photo[0]", "att-1"),
    ({"extension": [{"url": "u:x"}]}, "invariant", "Patient.extension[0]", "ext-1"),
    ({"extension": [{"valueString": "x"}]}, "required", "Patient.extension[0]", "url"),
    (
        {"extension": [{"url": "u:x", "valueDecimal": "1.5"}]},
        "value",
        "Patient.extension[0].valueDecimal",
        "quotes",
    ),
    (
        {"extension": [{"url": "u:x", "valueDecimal": Decimal("NaN")}]},
        "value",
        "Patient.extension[0].valueDecimal",
        "",
    ),
    (
        {"extension": [{"url": "u:x", "valueDecimal": Decimal("1e999999")}]},
        "value",
        "Patient.extension[0].valueDecimal",
        "",
    ),
    (
        {"extension": [{"url": "u:x", "valueFoo": 1}]},
        "structure",
        "Patient.extension[0].valueFoo",
        "no element",
    ),
    (
        {"extension": [{"url": "u:x", "valueOid": "1.2"}]},
        "value",
        "Patient.extension[0].valueOid",
        "urn:oid:",
    ),
    (
        {"extension": [{"url": "u:x", "valueUuid": "x"}]},
        "value",
        "Patient.extension[0].valueUuid",
        "urn:uuid:",
    ),
    (
        {"extension": [{"url": "u:x", "valueTime": "24:00:00"}]},
        "value",
        "Patient.extension[0].valueTime",
        "hh:mm:ss",
    ),
    (
        {"identifier": [{"period": {"start": "2020", "end": "2019-12"}}]},
        "invariant",
        "Patient.identifier[0].period",
        "per-1",
    ),
    (
        {"identifier": [{"period": {"start": "2020-01-01T10:00:00Z", "end": "2020-01-01T10:30:00+01:00"}}]},
        "invariant",
        "Patient.identifier[0].period",
        "per-1",
    ),
    (
        {"managingOrganization": {"reference": "Patient/1"}},
        "value",
        "Patient.managingOrganization.reference",
        "Organization",
    ),
    (
        {"managingOrganization": {"reference": "Foo/1"}},
        "value",
        "Patient.managingOrganization.reference",
        "Foo",
    ),
    (
        {"managingOrganization": {"reference": "1"}},
        "value",
        "Patient.managingOrganization.reference",
        "Type/id",
    ),
    (
        {"managingOrganization": {"reference": "Organization?name=x"}},
        "value",
        "Patient.managingOrganization.reference",
        "",
    ),
    (
        {"managingOrganization": {"reference": "urn:uuid:1"}},
        "value",
        "Patient.managingOrganization.reference",
        "UUID",
    ),
    (
        {"managingOrganization": {"reference": "#x"}},
        "invariant",
        "Patient.managingOrganization.reference",
        "contained",
    ),
    (
        {"managingOrganization": {"reference": "#g"}},
        "value",
        "Patient.managingOrganization.reference",
        "Practitioner",
    ),
    (
        {"managingOrganization": {"reference": "Organization/1", "type": "Patient"}},
        "value",
        "Patient.managingOrganization.reference",
        "type says",
    ),
    (
        {"contained": [{"resourceType": "Foo"}]},
        "structure",
        "Patient.contained[0].resourceType",
        "no resource type",
    ),
    ({"contained": [{"id": "g"}]}, "structure", "Patient.contained[0].resourceType", "no resource type"),
]


@pytest.mark.parametrize(("change", "code", "place", "words"), PATIENT)
def test_a_fault_is_named_and_located(change: dict[str, Any], code: str, place: str, words: str) -> None:
    problem = refusal(valid("Patient", **change))
    assert (code, place) in found(problem)
    told = [issue.diagnostics for issue in problem.issues if issue.expression == place]
    assert any(words in text for text in told), told
    assert problem.status == (400 if any(issue.code == "structure" for issue in problem.issues) else 422)


OF_OTHER_TYPES: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("Observation", {"status": "done"}, "code-invalid", "Observation.status", "entered-in-error"),
    ("Observation", {"status": None}, "required", "Observation", "status is missing"),
    ("Observation", {"code": None}, "required", "Observation", "code is missing"),
    ("Observation", {"dataAbsentReason": {"text": "x"}}, "invariant", "Observation", "obs-6"),
    (
        "Observation",
        {"component": [{"code": VALID["Observation"]["code"], "valueString": "x"}]},
        "invariant",
        "Observation",
        "obs-7",
    ),
    (
        "Observation",
        {"referenceRange": [{"age": {"low": {"value": 1}}}]},
        "invariant",
        "Observation.referenceRange[0]",
        "obs-3",
    ),
    ("Observation", {"valueQuantity": {"code": "mm"}}, "invariant", "Observation.valueQuantity", "qty-3"),
    ("Observation", {"valueQuantity": {"value": "1"}}, "value", "Observation.valueQuantity.value", "decimal"),
    ("Observation", {"valueString": "x"}, "structure", "Observation.value", "exclude"),
    (
        "Observation",
        {"valueQuantity": None, "valueRatio": {"numerator": {"value": 1}}},
        "invariant",
        "Observation.valueRatio",
        "rat-1",
    ),
    (
        "Observation",
        {"valueQuantity": None, "valueRange": {"low": {"value": 2}, "high": {"value": Decimal("1.5")}}},
        "invariant",
        "Observation.valueRange",
        "rng-2",
    ),
    (
        "Observation",
        {"subject": {"reference": "Organization/1"}},
        "value",
        "Observation.subject.reference",
        "Patient",
    ),
    (
        "Condition",
        {"clinicalStatus": {"text": "gone"}},
        "code-invalid",
        "Condition.clinicalStatus",
        "remission",
    ),
    (
        "Condition",
        {"clinicalStatus": {"coding": [{"system": "http://x.example", "code": "resolved"}]}},
        "code-invalid",
        "Condition.clinicalStatus",
        "http://x.example|resolved",
    ),
    ("Condition", {"clinicalStatus": None}, "invariant", "Condition", "con-4"),
    (
        "Condition",
        {
            "verificationStatus": {
                "coding": [{"system": f"{TERMS}/condition-ver-status", "code": "entered-in-error"}]
            }
        },
        "invariant",
        "Condition",
        "con-5",
    ),
    (
        "Condition",
        {"evidence": [{"extension": [{"url": "u:x", "valueCode": "y"}]}]},
        "invariant",
        "Condition.evidence[0]",
        "con-2",
    ),
    ("Condition", {"stage": [{"type": {"text": "x"}}]}, "invariant", "Condition.stage[0]", "con-1"),
    ("AllergyIntolerance", {"clinicalStatus": None}, "invariant", "AllergyIntolerance", "ait-1"),
    (
        "AllergyIntolerance",
        {"category": ["food", "metal"]},
        "code-invalid",
        "AllergyIntolerance.category[1]",
        "biologic",
    ),
    ("Organization", {"name": None}, "invariant", "Organization", "org-1"),
    ("Organization", {"telecom": [{"system": "phone", "use": "home"}]}, "invariant", "Organization", "org-3"),
    ("Organization", {"address": [{"use": "home"}]}, "invariant", "Organization", "org-2"),
    (
        "ServiceRequest",
        {"code": None, "orderDetail": [{"text": "x"}]},
        "invariant",
        "ServiceRequest",
        "prr-1",
    ),
    (
        "ServiceRequest",
        {"occurrenceTiming": {"repeat": {"period": 1}}},
        "invariant",
        "ServiceRequest.occurrenceTiming.repeat",
        "tim-2",
    ),
    ("Encounter", {"class": None}, "required", "Encounter", "class is missing"),
    (
        "Encounter",
        {"diagnosis": [{"condition": {"display": "x"}, "rank": 0}]},
        "value",
        "Encounter.diagnosis[0].rank",
        "from 1",
    ),
    ("Encounter", {"length": {"value": 1, "code": "min"}}, "invariant", "Encounter.length", "drt-1"),
    (
        "MedicationStatement",
        {"medicationCodeableConcept": None},
        "required",
        "MedicationStatement",
        "medication is missing",
    ),
    ("Coverage", {"payor": []}, "structure", "Coverage.payor", "empty"),
    ("DocumentReference", {"content": None}, "required", "DocumentReference", "content is missing"),
]


@pytest.mark.parametrize(("resource_type", "change", "code", "place", "words"), OF_OTHER_TYPES)
def test_a_fault_is_found_in_each_type(
    resource_type: str, change: dict[str, Any], code: str, place: str, words: str
) -> None:
    problem = refusal(valid(resource_type, **change))
    assert (code, place) in found(problem)
    assert any(words in issue.diagnostics for issue in problem.issues)


def test_all_faults_are_told_at_once() -> None:
    problem = refusal(
        valid("Patient", gender="F", birthDate="x", nmae=1, contact=[{"gender": "m", "name": {"a": 1}}])
    )
    assert sorted(found(problem)) == [
        ("code-invalid", "Patient.contact[0].gender"),
        ("code-invalid", "Patient.gender"),
        ("structure", "Patient.contact[0].name.a"),
        ("structure", "Patient.nmae"),
        ("value", "Patient.birthDate"),
    ]
    assert problem.status == 400


def test_no_more_than_some_issues_are_listed() -> None:
    problem = refusal({"resourceType": "Patient", **{f"x{n}": n for n in range(1000)}})
    assert len(problem.issues) == MOST_ISSUES


ADDRESS: list[tuple[dict[str, Any], str, str | None, str]] = [
    ({"resourceType": "Practitioner"}, "Patient", None, "Patient.resourceType"),
    ({}, "Patient", None, "Patient.resourceType"),
    ({"resourceType": "Patient", "id": "2"}, "Patient", "1", "Patient.id"),
    ({"resourceType": "Patient"}, "Patient", "1", "Patient.id"),
]


@pytest.mark.parametrize(("resource", "resource_type", "resource_id", "place"), ADDRESS)
def test_content_that_is_not_what_the_url_says_is_400_invalid(
    resource: dict[str, Any], resource_type: str, resource_id: str | None, place: str
) -> None:
    problem = refusal(resource, resource_type, resource_id)
    assert (problem.status, found(problem)) == (400, [("invalid", place)])


def test_the_id_of_the_url_is_accepted() -> None:
    check({"resourceType": "Patient", "id": "a.B-1", "active": True}, "Patient", "a.B-1")


@pytest.mark.parametrize(
    "value",
    [
        "2024",
        "2024-02",
        "2024-02-29",
        "2024-02-29T23:59:59Z",
        "2024-02-29T23:59:59.123456789+14:00",
        "0001-01-01",
    ],
)
def test_every_precision_of_a_date_time_passes(value: str) -> None:
    check(valid("Patient", deceasedBoolean=None, deceasedDateTime=value), "Patient")


def test_what_r4_has_and_r4b_has_not_passes() -> None:
    check(valid("Patient", extension=[{"url": "u:x", "valueMeta": {"versionId": "1"}}]), "Patient")


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        ({"name": {"family": "x"}}, "structure", "Patient.name"),
        ({"link": [{"type": "seealso"}]}, "required", "Patient.link[0].other"),
        ({"birthDate": "2019-02-30"}, "value", "Patient.birthDate"),
        ({"deceasedDateTime": "2019"}, "structure", "Patient"),
        ({"contact": [{"gender": 1}]}, "structure", "Patient.contact[0].gender"),
    ],
)
def test_the_structural_validator_agrees(change: dict[str, Any], code: str, place: str) -> None:
    issues = structural_issues(valid("Patient", **change), "Patient")
    assert (code, place) in [(issue.code, issue.expression) for issue in issues]


def test_what_only_the_structural_validator_finds_is_told_where_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nothing is known that it alone finds. It has its say all the same.
    own = [
        Issue("error", "structure", "odd", "Patient.name[0]"),
        Issue("error", "value", "odd", "Patient.gender"),
    ]
    monkeypatch.setattr(validate, "structural_issues", lambda *_: own)
    with pytest.raises(Problem) as refused:
        validate.check(valid("Patient"), "Patient", thorough=True)
    assert found(refused.value) == [("structure", "Patient.name[0]"), ("value", "Patient.gender")]
    twice = refusal(valid("Patient", gender="F"))
    assert found(twice) == [("code-invalid", "Patient.gender"), ("structure", "Patient.name[0]")]


def test_a_type_that_r4b_has_changed_or_lost_is_judged_by_the_walk_alone() -> None:
    assert model_of("Evidence") is None
    assert model_of("SubstanceNucleicAcid") is None
    assert found(refusal({"resourceType": "SubstanceNucleicAcid", "subunit": {}})) == [
        ("structure", "SubstanceNucleicAcid.subunit")
    ]


def test_no_fault_quotes_what_is_within_an_object() -> None:
    problem = refusal(valid("Patient", name={"family": "Secret"}))
    assert "Secret" not in str(problem)
    assert not any("Secret" in issue.diagnostics for issue in problem.issues)
