"""$everything: https://hl7.org/fhir/R4/patient-operation-everything.html."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.server import Fhir, outcome


def entries(fhir: Fhir, path: str) -> list[dict[str, Any]]:
    """Return the resources of all pages of an operation."""
    answer = fhir.get(path)
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    made = [entry["resource"] for entry in bundle.get("entry", [])]
    while url := next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None):
        answer = fhir.http.get(url)
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        made += [entry["resource"] for entry in bundle.get("entry", [])]
    return made


def names(fhir: Fhir, path: str) -> list[str]:
    return [f"{resource['resourceType']}/{resource['id']}" for resource in entries(fhir, path)]


@pytest.fixture
def clinic(fhir: Fhir) -> Fhir:
    """Two patients' care by one practitioner; what was observed of the first refers to the second."""
    fhir.made("Organization", id="org", name="House")
    fhir.made("Organization", id="other", name="Elsewhere")
    fhir.made("Practitioner", id="doc")
    fhir.made("Patient", id="p", managingOrganization={"reference": "Organization/org"})
    fhir.made("Patient", id="q")
    for who in ("p", "q"):
        subject = {"reference": f"Patient/{who}"}
        for year in (2023, 2024):
            fhir.made(
                "Encounter",
                id=f"{who}{year}",
                status="finished",
                **{"class": {"code": "IMP"}},
                subject=subject,
                period={"start": f"{year}-05-01", "end": f"{year}-05-03"},
                participant=[{"individual": {"reference": "Practitioner/doc"}}],
            )
            fhir.made(
                "Observation",
                id=f"{who}o{year}",
                status="final",
                code={"text": "x"},
                subject=subject,
                encounter={"reference": f"Encounter/{who}{year}"},
                effectiveDateTime=f"{year}-05-02",
                hasMember=[{"reference": f"Observation/qo{year}"}] if who == "p" else [{"display": "none"}],
            )
        fhir.made(
            "Immunization",
            id=f"{who}i",
            status="completed",
            vaccineCode={"text": "x"},
            patient=subject,
            occurrenceDateTime="2024-05-02",
        )
    return fhir


ALL = {
    "Patient/p",
    "Organization/org",
    "Practitioner/doc",
    "Encounter/p2023",
    "Encounter/p2024",
    "Observation/po2023",
    "Observation/po2024",
    "Immunization/pi",
}


def test_everything_of_a_patient_is_what_is_theirs_and_what_that_refers_to(clinic: Fhir) -> None:
    found = names(clinic, "Patient/p/$everything")
    assert set(found) == ALL
    assert len(found) == len(ALL)


def test_everything_of_a_visit_is_what_happened_there_and_whom_it_was_about(clinic: Fhir) -> None:
    found = set(names(clinic, "Encounter/p2024/$everything"))
    assert found == {
        "Encounter/p2024",
        "Observation/po2024",
        "Patient/p",
        "Practitioner/doc",
        "Organization/org",
    }


def test_pages_hold_each_resource_once(clinic: Fhir) -> None:
    found = names(clinic, "Patient/p/$everything?_count=3")
    assert (len(found), set(found)) == (len(ALL), ALL)
    first = clinic.get("Patient/p/$everything?_count=3").json()
    assert len(first["entry"]) == 3
    assert "total" not in first
    assert clinic.get("Patient/p/$everything").json()["total"] == len(ALL)


def test_types_can_be_chosen(clinic: Fhir) -> None:
    assert set(names(clinic, "Patient/p/$everything?_type=Encounter,Practitioner")) == {
        "Encounter/p2023",
        "Encounter/p2024",
        "Practitioner/doc",
    }
    outcome(clinic.get("Patient/p/$everything?_type=Unicorn"), 400, "value")


def test_care_dates_choose_what_has_dates_and_keep_the_rest(clinic: Fhir) -> None:
    undated = {"Patient/p", "Organization/org", "Practitioner/doc"}
    assert set(names(clinic, "Patient/p/$everything?start=2024-01-01")) == undated | {
        "Encounter/p2024",
        "Observation/po2024",
        "Immunization/pi",
    }
    assert set(names(clinic, "Patient/p/$everything?end=2023-12-31")) == undated | {
        "Encounter/p2023",
        "Observation/po2023",
    }
    assert set(names(clinic, "Patient/p/$everything?start=2023-05-02&end=2023-05-02")) == undated | {
        "Encounter/p2023",
        "Observation/po2023",
    }
    outcome(clinic.get("Patient/p/$everything?start=soon"), 400, "value")
    outcome(clinic.get("Encounter/p2024/$everything?start=2024"), 400, "not-supported")


def test_what_has_changed_since_can_be_asked_for(clinic: Fhir) -> None:
    stamp = clinic.made("Patient", id="p", gender="male")["meta"]["lastUpdated"]
    assert names(clinic, f"Patient/p/$everything?_since={stamp}") == ["Patient/p"]


def test_parameters_may_come_in_a_body(clinic: Fhir) -> None:
    listed = [{"name": "_type", "valueCode": "Encounter"}, {"name": "_count", "valueInteger": 1}]
    answer = clinic.post("Patient/p/$everything", {"resourceType": "Parameters", "parameter": listed})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["entry"]) == 1
    assert any(link["relation"] == "next" for link in answer.json()["link"])


def test_what_was_deleted_is_not_in_it(clinic: Fhir) -> None:
    clinic.delete("Immunization/pi")
    assert "Immunization/pi" not in names(clinic, "Patient/p/$everything")
    clinic.made("Patient", id="gone")
    clinic.delete("Patient/gone")
    outcome(clinic.get("Patient/gone/$everything"), 410, "deleted")


def test_it_is_there_for_patients_and_visits_alone(clinic: Fhir) -> None:
    outcome(clinic.get("Patient/nobody/$everything"), 404, "not-found")
    outcome(clinic.get("Practitioner/doc/$everything"), 404, "not-found")
    outcome(clinic.get("Unicorn/1/$everything"), 404, "not-supported")
    outcome(clinic.get("Patient/p/$everything?name=x"), 400, "not-supported")


REFERENCE = re.compile(r'"reference":"([A-Z]\w+/[\w.\-]+)"')


def test_every_reference_within_a_real_record_can_be_followed(fhir: Fhir, corpus: Path) -> None:
    bundles = [file for file in (corpus / "synthea").rglob("*.json") if "Information" not in file.name]
    path = min(bundles, key=lambda file: file.stat().st_size)
    stored = fhir.ask("POST", "", path.read_bytes())
    assert stored.status_code == 200, stored.text[:2000]
    made = [entry["response"]["location"].split("/_history")[0] for entry in stored.json()["entry"]]
    here = {"/".join(location.split("/")[-2:]) for location in made}
    patient = next(name for name in here if name.startswith("Patient/"))
    answer = fhir.get(f"{patient}/$everything?_count=1000")
    told = {f"{r['resourceType']}/{r['id']}" for r in entries(fhir, f"{patient}/$everything?_count=1000")}
    assert set(REFERENCE.findall(answer.text)) & here <= told
    assert told <= here
    unreferenced = {name.partition("/")[0] for name in here - told}
    assert unreferenced <= {"Organization", "Practitioner", "PractitionerRole", "Location"}
