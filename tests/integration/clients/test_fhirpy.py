"""The everyday work of fhirpy against the running server: https://hl7.org/fhir/R4/http.html."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fhirpy import AsyncFHIRClient, SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

from tests.fixtures.server import Fhir

MRN = "urn:example:mrn"


@pytest.fixture
def client(fhir: Fhir) -> SyncFHIRClient:
    return SyncFHIRClient(fhir.base)


def with_headers(fhir: Fhir, **headers: str) -> SyncFHIRClient:
    return SyncFHIRClient(fhir.base, extra_headers={k.replace("_", "-"): v for k, v in headers.items()})


def person(client: SyncFHIRClient, family: str, **elements: Any) -> Any:
    return client.resource("Patient", name=[{"family": family}], **elements).save()


def pulse(client: SyncFHIRClient, patient: Any, value: int, day: int) -> Any:
    code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    return client.resource(
        "Observation",
        status="final",
        code=code,
        subject=patient.to_reference(),
        effectiveDateTime=f"2024-03-{day:02}",
        valueQuantity={"value": value, "system": "http://unitsofmeasure.org", "code": "/min"},
    ).save()


def test_a_resource_is_made_read_changed_and_deleted(client: SyncFHIRClient) -> None:
    made = person(client, "Hopper", birthDate="1906-12-09")
    assert made.id
    assert made["meta"]["versionId"] == "1"
    read = client.reference("Patient", made.id).to_resource()
    assert read.serialize() == made.serialize()
    read["gender"] = "female"
    read.save()
    assert (read["meta"]["versionId"], read["gender"]) == ("2", "female")
    assert made.refresh()["gender"] == "female"
    read.delete()
    with pytest.raises(ResourceNotFound):
        client.get("Patient", made.id)


def test_a_refresh_of_what_is_current_changes_nothing(client: SyncFHIRClient) -> None:
    made = person(client, "Hopper")
    before = made.serialize()
    assert made.refresh().serialize() == before


def test_an_update_from_an_old_version_is_refused(fhir: Fhir, client: SyncFHIRClient) -> None:
    made = person(client, "Hopper")
    careful = with_headers(fhir, If_Match='W/"1"')
    changed = careful.resource("Patient", **made.serialize())
    changed["gender"] = "female"
    assert changed.save()["meta"]["versionId"] == "2"
    stale = careful.resource("Patient", **made.serialize())
    # The library knows no other reason for a 412.
    with pytest.raises(MultipleResourcesFound, match="conflict"):
        stale.save()
    assert client.get("Patient", made.id)["gender"] == "female"


@pytest.mark.parametrize("kind", ["", "application/merge-patch+json"])
def test_some_elements_are_patched(fhir: Fhir, kind: str) -> None:
    # Unless told otherwise the library sends application/json.
    client = with_headers(fhir, Content_Type=kind) if kind else SyncFHIRClient(fhir.base)
    made = SyncFHIRClient(fhir.base).resource("Patient", name=[{"family": "Hopper"}], gender="male").save()
    patched = client.reference("Patient", made.id).patch(gender="female", birthDate="1906-12-09")
    assert patched["name"] == [{"family": "Hopper"}]
    assert (patched["gender"], patched["birthDate"]) == ("female", "1906-12-09")
    assert "birthDate" not in client.patch("Patient", made.id, birthDate=None)
    with pytest.raises(OperationOutcome, match=r"Patient\.gender"):
        client.patch("Patient", made.id, gender="unicorn")


def test_references_are_followed(client: SyncFHIRClient) -> None:
    patient = person(client, "Hopper")
    measured = pulse(client, patient, 70, 1)
    assert measured["subject"].to_resource().id == patient.id
    found = client.resources("Observation").search(subject=patient).fetch()
    assert [one.id for one in found] == [measured.id]


def test_a_search_sorts_pages_and_includes(client: SyncFHIRClient) -> None:
    patient, other = person(client, "Hopper"), person(client, "Lovelace")
    made = [pulse(client, patient, 60 + day, day) for day in range(1, 8)]
    pulse(client, other, 90, 9)
    asked = (
        client.resources("Observation").search(patient=patient, date__ge="2024-03-02").sort("-date").limit(2)
    )
    assert [one.id for one in asked.fetch_all()] == [one.id for one in reversed(made[1:])]
    brought = asked.include("Observation", "subject").fetch_raw()
    assert [entry["search"]["mode"] for entry in brought["entry"]] == ["match", "match", "include"]
    assert brought["entry"][-1].resource.id == patient.id
    chained = client.resources("Observation").search(patient__Patient__name="lovelace")
    assert [one["valueQuantity"]["value"] for one in chained] == [90]
    backwards = client.resources("Patient").has("Observation", "patient", value_quantity__gt="80")
    assert [one.id for one in backwards] == [other.id]
    turned = client.resources("Patient").search(_id=other.id).revinclude("Observation", "subject").fetch_raw()
    assert [entry.resource.resource_type for entry in turned["entry"]] == ["Patient", "Observation"]


def test_one_is_got_and_the_first_and_only_some_elements(client: SyncFHIRClient) -> None:
    made = person(client, "Hopper", gender="female", active=True)
    assert client.resources("Patient").search(name__exact="Hopper").get().id == made.id
    assert client.resources("Patient").search(name="nobody").first() is None
    (short,) = client.resources("Patient").elements("gender").fetch()
    assert (short["gender"], "active" in short) == ("female", False)
    person(client, "Hopper")
    with pytest.raises(MultipleResourcesFound):
        client.resources("Patient").search(name="hopper").get()


def test_what_matches_is_counted(client: SyncFHIRClient) -> None:
    for family in ("Hopper", "Hoppe", "Lovelace"):
        person(client, family)
    assert client.resources("Patient").search(name="hopp").count() == 2
    assert client.resources("Patient").count() == 3


def test_an_update_and_a_deletion_choose_by_a_search(client: SyncFHIRClient) -> None:
    chosen = client.resources("Patient").search(identifier=f"{MRN}|7")
    value = client.resource("Patient", identifier=[{"system": MRN, "value": "7"}], gender="male")
    first, made = chosen.update(value)
    assert made
    value["gender"] = "female"
    second, made = chosen.update(value)
    assert (second.id, second["gender"], made) == (first.id, "female", False)
    assert chosen.delete()[1] == 204
    assert chosen.fetch() == []


def test_a_create_is_conditional_where_the_header_says_so(fhir: Fhir, client: SyncFHIRClient) -> None:
    once = with_headers(fhir, If_None_Exist=f"identifier={MRN}|8")
    value = once.resource("Patient", identifier=[{"system": MRN, "value": "8"}])
    first, made = once.resources("Patient").get_or_create(value)
    again, made_again = once.resources("Patient").get_or_create(value)
    assert (made, made_again, again.id) == (True, False, first.id)
    assert len(client.resources("Patient").fetch()) == 1


def transaction(client: SyncFHIRClient, *entries: dict[str, Any]) -> Any:
    return client.resource("Bundle", type="transaction", entry=list(entries)).save()


def test_a_transaction_stores_all_with_references_between_them(client: SyncFHIRClient) -> None:
    name = "urn:uuid:9d3f6a2e-1d5c-4d7f-9b0a-0a1c7f7d2b11"
    patient = {"resourceType": "Patient", "name": [{"family": "Hopper"}]}
    condition = {
        "resourceType": "Condition",
        "subject": {"reference": name},
        "code": {"text": "Coxarthrosis"},
    }
    answer = transaction(
        client,
        {"fullUrl": name, "resource": patient, "request": {"method": "POST", "url": "Patient"}},
        {"resource": condition, "request": {"method": "POST", "url": "Condition"}},
    )
    assert answer["type"] == "transaction-response"
    (stored,) = client.resources("Condition").fetch()
    assert stored["subject"].to_resource()["name"][0]["family"] == "Hopper"


def test_a_transaction_with_a_fault_stores_nothing(client: SyncFHIRClient) -> None:
    good = {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}}
    bad = {"resource": {"resourceType": "Condition"}, "request": {"method": "POST", "url": "Condition"}}
    with pytest.raises(OperationOutcome, match="subject"):
        transaction(client, good, bad)
    assert client.resources("Patient").fetch() == []


def test_a_resource_is_validated_and_operations_are_called(client: SyncFHIRClient) -> None:
    assert client.resource("Patient", gender="female").is_valid()
    assert not client.resource("Patient", gender="unicorn").is_valid()
    patient = person(client, "Hopper")
    pulse(client, patient, 70, 1)
    everything = patient.execute("$everything", method="get")
    assert {entry["resource"]["resourceType"] for entry in everything["entry"]} == {"Patient", "Observation"}


def test_a_refused_resource_tells_what_is_wrong(client: SyncFHIRClient) -> None:
    with pytest.raises(OperationOutcome, match=r"Patient\.gender"):
        client.resource("Patient", gender="unicorn").save()


def test_many_are_written_at_once_by_the_asynchronous_client(fhir: Fhir) -> None:
    async def work() -> tuple[list[Any], list[Any]]:
        client = AsyncFHIRClient(fhir.base)
        made = [client.resource("Patient", name=[{"family": f"Number{n}"}]) for n in range(12)]
        await asyncio.gather(*(one.save() for one in made))
        return made, await client.resources("Patient").sort("family").limit(5).fetch_all()

    made, found = asyncio.run(work())
    assert {one.id for one in made} == {one.id for one in found}
    assert len(found) == 12
