"""The patients of the search benchmark: each with a stay, a diagnosis, an order and two observations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from tests.benchmarks.requests import SYSTEM, http, order, patient

PATIENTS_OF_A_BUNDLE = 25
RESOURCES_OF_A_PATIENT = 6
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
DIAGNOSES = tuple(f"{44054000 + n}" for n in range(100))
"""Each is that of one patient in a hundred."""
MONTHS = 60


def bundles(first: int, until: int) -> list[bytes]:
    """The requests that load the patients from `first` to just before `until`, some in each transaction."""
    places = range(first, until, PATIENTS_OF_A_BUNDLE)
    return [_bundle(place, min(place + PATIENTS_OF_A_BUNDLE, until)) for place in places]


def _bundle(first: int, until: int) -> bytes:
    return transaction([entry for place in range(first, until) for entry in entries(place)])


def transaction(listed: list[dict[str, Any]]) -> bytes:
    """The request of a transaction that answers with no resources."""
    return http("POST", "/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": listed})


def put(resource: dict[str, Any]) -> dict[str, Any]:
    """The entry that creates or replaces a resource under its own id."""
    return {
        "resource": resource,
        "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
    }


def entries(place: int) -> Iterator[dict[str, Any]]:
    """The entries of one patient; only the patient has an id that is known before."""
    yield put(patient(f"P{place}", place, f"p-{place}"))
    about = f"Patient/p-{place}"
    stay = f"urn:uuid:{UUID(int=place)}"
    yield {"fullUrl": stay} | _post(_stay(place, about))
    yield _post(_diagnosis(place, about, stay))
    yield _post(
        order(f"P{place}", place) | {"subject": {"reference": about}, "encounter": {"reference": stay}}
    )
    yield _post(_measured(place, about, stay, "718-7", "g/dL", f"{8 + place % 100 / 10:.1f}"))
    yield _post(_measured(place, about, stay, "29463-7", "kg", f"{45 + place % 700 / 10:.1f}"))


def _post(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


def day(place: int) -> str:
    """A day of one of the `MONTHS` since 2020."""
    month = place % MONTHS
    return f"{2020 + month // 12}-{1 + month % 12:02}-{1 + place // MONTHS % 28:02}"


def _stay(place: int, about: str) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "identifier": [{"system": f"{SYSTEM}/visit", "value": f"V{place}"}],
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": about},
        "period": {"start": f"{day(place)}T07:00:00Z", "end": f"{day(place)}T16:00:00Z"},
    }


def _diagnosis(place: int, about: str, stay: str) -> dict[str, Any]:
    code = DIAGNOSES[place % len(DIAGNOSES)]
    return {
        "resourceType": "Condition",
        "clinicalStatus": {
            "coding": [
                {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
            ]
        },
        "code": {"coding": [{"system": SNOMED, "code": code}], "text": f"Diagnosis {code}"},
        "subject": {"reference": about},
        "encounter": {"reference": stay},
        "onsetDateTime": day(place),
    }


def _measured(place: int, about: str, stay: str, code: str, unit: str, value: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": about},
        "encounter": {"reference": stay},
        "effectiveDateTime": f"{day(place)}T08:{place % 60:02}:00Z",
        "valueQuantity": {"value": float(value), "unit": unit, "system": UCUM, "code": unit},
    }
