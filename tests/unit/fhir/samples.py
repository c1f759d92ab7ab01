"""Small valid resources of each type that is kept in tables (https://hl7.org/fhir/R4/resourcelist.html), and
what validation says of others.
"""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import Problem
from gateway.fhir.validate import check

DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Hip</p></div>'
TERMS = "http://terminology.hl7.org/CodeSystem"


def _status(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{TERMS}/{system}", "code": code}]}


VALID: dict[str, dict[str, Any]] = {
    "Patient": {
        "id": "p1",
        "meta": {
            "tag": [{"system": "http://x.example", "code": "t"}],
            "lastUpdated": "2024-02-29T10:00:00.123Z",
        },
        "text": {"status": "generated", "div": DIV},
        "extension": [{"url": "http://x.example/e", "valueDecimal": Decimal("1.50")}],
        "identifier": [{"use": "official", "system": "urn:oid:1.2.36", "value": "123"}],
        "active": True,
        "name": [
            {
                "family": "Gödel",
                "given": ["Ada", None],
                "_given": [None, {"extension": [{"url": "u:x", "valueCode": "n"}]}],
            }
        ],
        "telecom": [{"system": "phone", "value": "555"}],
        "gender": "female",
        "birthDate": "1974-12",
        "_birthDate": {
            "extension": [{"url": "http://x.example/t", "valueDateTime": "1974-12-25T14:35:45-05:00"}]
        },
        "deceasedBoolean": False,
        "contact": [{"name": {"family": "B"}, "period": {"start": "2012"}}],
        "managingOrganization": {"reference": "Organization/1"},
        "generalPractitioner": [{"reference": "#g"}],
        "contained": [{"resourceType": "Practitioner", "id": "g", "name": [{"family": "G"}]}],
    },
    "Practitioner": {"name": [{"family": "Careful"}], "qualification": [{"code": {"text": "MD"}}]},
    "Organization": {"name": "St. Elsewhere", "telecom": [{"system": "phone", "value": "1", "use": "work"}]},
    "Location": {
        "status": "active",
        "position": {"longitude": Decimal("-83.69"), "latitude": Decimal("42.25")},
    },
    "Encounter": {
        "status": "finished",
        "class": {"system": f"{TERMS}/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/p1", "type": "Patient"},
        "period": {"start": "2024-01-01", "end": "2024-01-02T10:00:00Z"},
        "diagnosis": [{"condition": {"reference": "Condition/1"}, "rank": 1}],
    },
    "Condition": {
        "clinicalStatus": _status("condition-clinical", "resolved"),
        "verificationStatus": _status("condition-ver-status", "confirmed"),
        "subject": {"reference": "Patient/p1"},
        "abatementDateTime": "2020",
        "stage": [{"summary": {"text": "II"}}],
    },
    "Procedure": {
        "status": "completed",
        "subject": {"reference": "http://other.example/fhir/Patient/1/_history/2"},
        "performedPeriod": {"start": "2024-01-01T10:00:00+01:00", "end": "2024-01-01T09:30:00Z"},
    },
    "ServiceRequest": {
        "status": "active",
        "intent": "order",
        "code": {"text": "Total hip"},
        "subject": {"reference": "urn:uuid:53fefa32-fcbb-4ff8-8a92-55ee120877b7"},
        "occurrenceTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
    },
    "Specimen": {"status": "available", "collection": {"quantity": {"value": 6, "unit": "mL"}}},
    "DiagnosticReport": {"status": "final", "code": {"text": "X-ray"}, "issued": "2024-01-01T10:00:00Z"},
    "Observation": {
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "valueQuantity": {"value": Decimal("1E+2"), "system": "http://unitsofmeasure.org", "code": "/min"},
        "referenceRange": [{"low": {"value": 60}, "high": {"value": 100}}],
        "component": [{"code": {"text": "other"}, "valueString": "x"}],
    },
    "DocumentReference": {
        "status": "current",
        "content": [
            {"attachment": {"contentType": "text/plain", "data": "YWJj", "url": "http://x.example/d"}}
        ],
    },
    "AllergyIntolerance": {
        "clinicalStatus": _status("allergyintolerance-clinical", "active"),
        "category": ["food"],
        "patient": {"identifier": {"value": "1"}, "display": "by number only"},
    },
    "MedicationStatement": {
        "status": "active",
        "medicationCodeableConcept": {"text": "aspirin"},
        "subject": {"reference": "Group/1"},
        "dosage": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}],
    },
    "Coverage": {
        "status": "active",
        "beneficiary": {"reference": "Patient/p1"},
        "payor": [{"reference": "Organization/1"}],
    },
}


KEPT_WHOLE: dict[str, dict[str, Any]] = {
    "MedicationRequest": {
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": "urn:x:drugs", "code": "d1"}]},
        "subject": {"reference": "Patient/p1"},
        "authoredOn": "2024-02",
        "identifier": [{"system": "urn:x", "value": "rx-1"}],
    },
    "Claim": {
        "status": "active",
        "type": {"text": "institutional"},
        "use": "claim",
        "patient": {"reference": "Patient/p1"},
        "created": "2024-02-29T10:00:00+01:00",
        "provider": {"reference": "Organization/1"},
        "priority": {"coding": [{"code": "normal"}]},
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/1"}}],
        "total": {"value": Decimal("1.50"), "currency": "EUR"},
    },
    "Immunization": {
        "status": "completed",
        "vaccineCode": {"coding": [{"system": "http://hl7.org/fhir/sid/cvx", "code": "140"}]},
        "patient": {"reference": "Patient/p1"},
        "occurrenceDateTime": "2024-02-29",
    },
    "PractitionerRole": {
        "active": True,
        "practitioner": {"reference": "Practitioner/1"},
        "telecom": [{"system": "phone", "value": "+1 555 0100"}],
        "period": {"start": "2020"},
    },
    "List": {"status": "current", "mode": "working", "entry": [{"item": {"reference": "Condition/1"}}]},
    "Bundle": {
        "type": "collection",
        "entry": [{"fullUrl": "urn:x:1", "resource": {"resourceType": "Basic", "code": {"text": "x"}}}],
    },
    "Binary": {"contentType": "text/plain", "data": "YWJj"},
    "ValueSet": {
        "url": "http://x.example/vs",
        "version": "1",
        "name": "Sides",
        "status": "draft",
        "compose": {"include": [{"system": "http://snomed.info/sct", "concept": [{"code": "7771000"}]}]},
    },
}
"""Types without tables of their own: a sample."""


def valid(resource_type: str, **changes: Any) -> dict[str, Any]:
    """A valid resource with some elements set; an element given as None is left out."""
    made = {"resourceType": resource_type, **copy.deepcopy((VALID | KEPT_WHOLE)[resource_type]), **changes}
    return {key: value for key, value in made.items() if value is not None}


def refusal(resource: dict[str, Any], *args: Any, **kwargs: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        check(resource, *(args or (resource["resourceType"],)), **kwargs)
    return caught.value


def found(problem: Problem) -> list[tuple[str, str | None]]:
    return [(issue.code, issue.expression) for issue in problem.issues]
