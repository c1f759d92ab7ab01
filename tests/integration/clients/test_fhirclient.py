"""The everyday work of the SMART project's fhirclient against the running server.

https://hl7.org/fhir/R4/http.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from fhirclient.client import FHIRClient
from fhirclient.models import bundle as bundles
from fhirclient.models import observation as observations
from fhirclient.models import patient as patients
from fhirclient.server import FHIRNotFoundException, FHIRServer

from tests.fixtures.server import Fhir

# The library declares all elements as None: what they hold later cannot be checked.
Bundle: Any = bundles.Bundle
Observation: Any = observations.Observation
Patient: Any = patients.Patient

URN = "urn:uuid:1c1dbdc5-8f5b-4c51-b1a9-2c0e9d0a51c4"


@pytest.fixture
def smart(fhir: Fhir) -> Iterator[FHIRClient]:
    made = FHIRClient(settings={"app_id": "suture", "api_base": fhir.base})
    made.prepare()
    assert made.server
    yield made
    made.server.session.close()


@pytest.fixture
def server(smart: FHIRClient) -> FHIRServer:
    assert smart.server
    return smart.server


def person(server: FHIRServer, family: str, **elements: Any) -> Any:
    made = Patient({"name": [{"family": family}], **elements}).create(server)
    return Patient(made)


def pulse(patient: str, value: int, day: int) -> Any:
    return Observation(
        {
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": patient},
            "effectiveDateTime": f"2024-03-{day:02}",
            "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "/min"},
        }
    )


def test_the_server_is_open_and_tells_what_it_can(smart: FHIRClient, server: FHIRServer) -> None:
    assert smart.ready
    told: Any = server.capabilityStatement
    assert told.fhirVersion == "4.0.1"
    assert "Patient" in {resource.type for resource in told.rest[0].resource}


def test_a_resource_is_made_read_changed_and_deleted(server: FHIRServer) -> None:
    made = person(server, "Hopper", birthDate="1906-12-09")
    read = Patient.read(made.id, server)
    assert read.as_json() == made.as_json()
    read.gender = "female"
    assert read.update()["meta"]["versionId"] == "2"
    assert Patient.read(made.id, server).gender == "female"
    read.delete()
    with pytest.raises(requests.HTTPError, match="410"):
        Patient.read(made.id, server)
    with pytest.raises(FHIRNotFoundException):
        Patient.read("nobody", server)


def test_an_update_from_an_old_version_is_refused(server: FHIRServer) -> None:
    made = person(server, "Hopper")
    server.session.headers["If-Match"] = 'W/"1"'
    made.gender = "female"
    assert made.update(server)["meta"]["versionId"] == "2"
    made.gender = "male"
    with pytest.raises(requests.HTTPError, match="412"):
        made.update(server)
    assert Patient.read(made.id, server).gender == "female"


def test_letters_of_any_language_come_back(server: FHIRServer) -> None:
    made = person(server, "Ångström-Λ")
    (found,) = Patient.where({"family": "Ångström-Λ"}).perform_resources_iter(server)
    assert (found.id, found.name[0].family) == (made.id, "Ångström-Λ")


def test_a_search_pages_sorts_and_includes(server: FHIRServer) -> None:
    patient, other = person(server, "Hopper"), person(server, "Lovelace")
    for day in range(1, 8):
        pulse(f"Patient/{patient.id}", 60 + day, day).create(server)
    pulse(f"Patient/{other.id}", 90, 9).create(server)
    asked = Observation.where(
        {"patient": patient.id, "date": "ge2024-03-02", "_sort": "-date", "_count": "2"}
    )
    pages = list(asked.perform_iter(server))
    assert [len(page.entry) for page in pages] == [2, 2, 2]
    values = [entry.resource.valueQuantity.value for page in pages for entry in page.entry]
    assert values == [67, 66, 65, 64, 63, 62]
    brought = Observation.where({"subject:Patient.name": "lovelace"}).include("subject")
    found = list(brought.perform_resources_iter(server))
    assert [one.resource_type for one in found] == ["Observation", "Patient"]
    assert found[0].valueQuantity.value == 90
    turned = Patient.where({"family": "hopper"}).include("subject", Observation, reverse=True)
    assert len(list(turned.perform_resources_iter(server))) == 8


def test_alternatives_and_missing_values_are_asked_for(server: FHIRServer) -> None:
    for family, gender in (("Hopper", "female"), ("Turing", "male"), ("Noether", "other")):
        person(server, family, gender=gender)
    person(server, "Nobody")
    either = Patient.where({"gender": {"$or": ["female", "male"]}, "_sort": "family"})
    assert [one.name[0].family for one in either.perform_resources_iter(server)] == ["Hopper", "Turing"]
    without = Patient.where({"gender:missing": "true"})
    assert [one.name[0].family for one in without.perform_resources_iter(server)] == ["Nobody"]


def test_a_reference_is_followed(server: FHIRServer) -> None:
    patient = person(server, "Hopper")
    made = Observation(pulse(f"Patient/{patient.id}", 70, 1).create(server))
    read = Observation.read(made.id, server)
    assert read.subject.resolved(Patient).as_json() == patient.as_json()


def transaction(*entries: dict[str, Any]) -> Any:
    return Bundle({"type": "transaction", "entry": list(entries)})


def entry(resource: dict[str, Any], url: str, full_url: str) -> dict[str, Any]:
    return {"fullUrl": full_url, "resource": resource, "request": {"method": "POST", "url": url}}


def sent(server: FHIRServer, bundle: Any) -> Any:
    return Bundle(bundle.create(server))


def test_a_transaction_stores_all_with_references_between_them(server: FHIRServer) -> None:
    patient = {"resourceType": "Patient", "name": [{"family": "Hopper"}]}
    answer = sent(
        server,
        transaction(
            entry(pulse(URN, 70, 1).as_json(), "Observation", URN[:-1] + "5"), entry(patient, "Patient", URN)
        ),
    )
    assert [one.response.status[:3] for one in answer.entry] == ["201", "201"]
    (measured,) = Observation.where({}).perform_resources_iter(server)
    (found,) = Patient.where({"family": "hopper"}).perform_resources_iter(server)
    assert measured.subject.reference == f"Patient/{found.id}"


def test_a_transaction_with_a_fault_stores_nothing(server: FHIRServer) -> None:
    good, bad = {"resourceType": "Patient"}, {"resourceType": "Patient", "gender": "unicorn"}
    bundle = transaction(entry(good, "Patient", URN), entry(bad, "Patient", URN[:-1] + "5"))
    with pytest.raises(requests.HTTPError) as refused:
        sent(server, bundle)
    assert refused.value.response is not None
    assert "gender" in refused.value.response.text
    assert list(Patient.where({}).perform_resources_iter(server)) == []


def test_everything_of_a_patient_is_read(server: FHIRServer) -> None:
    patient = person(server, "Hopper")
    pulse(f"Patient/{patient.id}", 70, 1).create(server)
    found = Bundle.read_from(f"Patient/{patient.id}/$everything", server)
    assert sorted(one.resource.resource_type for one in found.entry) == ["Observation", "Patient"]
