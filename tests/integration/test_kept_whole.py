"""Resource types without tables live like all others: versions, references, chains, includes, deletion.

https://hl7.org/fhir/R4/http.html and https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway import errors
from gateway.fhir import validate, wire
from gateway.unit import Unit
from mappings import resource
from mappings.resources import REGISTRY, WITH_TABLES
from storage.session import Store
from tests.fixtures.library import CALLER, Library, found
from tests.fixtures.records import as_sent
from tests.unit.fhir.samples import KEPT_WHOLE, valid

RX = KEPT_WHOLE["MedicationRequest"]
MRN = "http://suture.example.org/fhir/sid/mrn"


@pytest.fixture
def library(clean: Store) -> Library:
    return Library(clean)


def text_of(value: dict[str, Any]) -> bytes:
    return as_sent(wire.decode(wire.encode(value)))


def test_a_decimal_comes_back_as_it_was_spelt_from_the_column_too(library: Library, clean: Store) -> None:
    body = b'{"resourceType":"Invoice","status":"draft","totalNet":{"value":1.50,"currency":"EUR"},\
"totalGross":{"value":1e2,"currency":"EUR"}}'
    made = library.records.create(CALLER, "Invoice", wire.decode(body))
    assert made.content is not None
    assert b'"value":1.50' in made.content
    assert b'"value":1e2' in made.content
    with clean.connection() as connection:
        row = connection.execute("SELECT content::text FROM other_resource").fetchone()
    assert row is not None
    assert '"value":1e2' in row[0]


def test_an_update_replaces_content_and_copies_and_keeps_the_old_version(
    library: Library, clean: Store
) -> None:
    library.put("MedicationRequest", "rx", **RX)
    library.put("MedicationRequest", "rx", **RX | {"status": "stopped", "identifier": [{"value": "rx-2"}]})
    assert library.ids("MedicationRequest", "status=active") == []
    assert library.ids("MedicationRequest", "status=stopped&identifier=rx-2&subject=Patient/p1") == ["rx"]
    with clean.connection() as connection:
        assert connection.execute("SELECT value FROM identifier").fetchall() == [("rx-2",)]
    first = library.records.vread(CALLER, "MedicationRequest", "rx", "1")
    assert as_sent(wire.decode(first.content or b"")) == text_of(valid("MedicationRequest"))
    assert library.records.read(CALLER, "MedicationRequest", "rx").version == 2


def test_what_changes_nothing_makes_no_version(library: Library) -> None:
    library.put("Claim", "c", **KEPT_WHOLE["Claim"])
    library.put("Claim", "c", **KEPT_WHOLE["Claim"])
    assert library.records.read(CALLER, "Claim", "c").version == 1


def test_what_is_deleted_is_found_no_more_and_comes_back_by_an_update(library: Library) -> None:
    library.put("Immunization", "i", **KEPT_WHOLE["Immunization"])
    library.records.delete(CALLER, "Immunization", "i")
    assert library.ids("Immunization", "vaccine-code=140") == []
    with pytest.raises(errors.Deleted):
        library.records.read(CALLER, "Immunization", "i")
    library.put("Immunization", "i", **KEPT_WHOLE["Immunization"])
    assert library.ids("Immunization", "vaccine-code=http://hl7.org/fhir/sid/cvx%7C140") == ["i"]


def test_metadata_language_and_narrative_are_kept_as_of_every_type(library: Library) -> None:
    value = valid(
        "List",
        meta={"profile": ["http://x.example/p"], "tag": [{"system": "urn:x", "code": "t"}], "source": "u:s"},
        language="de",
        _language={"id": "l1"},
        text={
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml">a</div>',
            "_div": {"id": "d"},
        },
        extension=[{"url": "urn:x", "valueString": "y"}],
        contained=[{"resourceType": "Basic", "id": "b", "code": {"text": "x"}}],
    )
    made = library.records.create(CALLER, "List", value)
    assert as_sent(wire.decode(made.content or b"")) == text_of(value)
    for query in ("_tag=urn:x%7Ct", "_profile=http://x.example/p", "_source=u:s", "_lastUpdated=ge2020"):
        assert library.ids("List", query) == [made.fhir_id], query


def test_references_lead_through_chains_and_includes_both_ways(library: Library) -> None:
    library.put("MedicationRequest", "rx", **RX)
    library.put("MedicationRequest", "rx2", **RX | {"subject": {"reference": "Patient/p2"}})
    library.put("Patient", "p1", name=[{"family": "Nakamura"}])
    library.put("Task", "t", status="draft", intent="plan", focus={"reference": "MedicationRequest/rx"})
    assert library.ids("MedicationRequest", "patient.family=naka") == ["rx"]
    assert library.ids("Patient", "_has:MedicationRequest:patient:status=active") == ["p1"]
    assert library.ids("MedicationRequest", "_has:Task:focus:status=draft") == ["rx"]
    assert library.ids("Task", "focus:MedicationRequest.patient.family=naka") == ["t"]
    bundle = library.bundle("MedicationRequest", "_id=rx&_include=MedicationRequest:patient")
    assert found(bundle, "include") == ["p1"]
    bundle = library.bundle(
        "Patient", "_id=p1&_revinclude=MedicationRequest:subject&_revinclude:iterate=Task:focus"
    )
    assert sorted(found(bundle, "include")) == ["rx", "t"]


def test_a_patient_parameter_leaves_out_subjects_of_other_types(library: Library) -> None:
    library.put("List", "of-patient", **KEPT_WHOLE["List"], subject={"reference": "Patient/x"})
    library.put("List", "of-group", **KEPT_WHOLE["List"], subject={"reference": "Group/x"})
    assert library.ids("List", "patient=x") == ["of-patient"]
    assert sorted(library.ids("List", "subject=x")) == ["of-group", "of-patient"]


def test_only_the_contact_of_the_system_asked_for_counts(library: Library) -> None:
    library.put(
        "PractitionerRole", "r", telecom=[{"system": "phone", "value": "555 01"}, {"value": "a@x.example"}]
    )
    assert library.ids("PractitionerRole", "phone=55501") == ["r"]
    assert library.ids("PractitionerRole", "telecom=a@x.example") == ["r"]
    assert library.ids("PractitionerRole", "email=a@x.example") == []


def test_only_the_related_artifact_of_the_kind_asked_for_counts(library: Library) -> None:
    related = [
        {"type": "depends-on", "resource": "http://x.example/Library/a|1"},
        {"type": "predecessor", "resource": "http://x.example/Library/b"},
    ]
    library.put("PlanDefinition", "p", status="draft", relatedArtifact=related)
    assert library.ids("PlanDefinition", "depends-on=http://x.example/Library/a") == ["p"]
    assert library.ids("PlanDefinition", "depends-on=http://x.example/Library/b") == []
    assert library.ids("PlanDefinition", "predecessor=http://x.example/Library/b") == ["p"]


def test_a_claim_may_mention_a_number_that_is_unique_to_its_owner(library: Library) -> None:
    library.put("Patient", "p", identifier=[{"system": MRN, "value": "M1"}])
    for name in ("a", "b"):
        library.put("Account", name, status="active", identifier=[{"system": MRN, "value": "M1"}])
    assert sorted(library.ids("Account", f"identifier={MRN}%7CM1")) == ["a", "b"]


def test_texts_too_long_for_an_index_are_kept_and_not_searched(library: Library) -> None:
    long = "x" * 4000
    value = valid("List", title=long, code={"coding": [{"system": "urn:x", "code": long}], "text": long})
    value["identifier"] = [{"system": "urn:" + long, "value": long}]
    made = library.records.create(CALLER, "List", value)
    assert as_sent(wire.decode(made.content or b"")) == text_of(value)
    assert library.ids("List", "title=xxxx") == [made.fhir_id]
    assert library.ids("List", f"code={long}") == []


def test_results_are_sorted_by_dates_and_names(library: Library) -> None:
    for name, day in (("a", "2024-03"), ("b", "2024-01-15"), ("c", "2025")):
        library.put("MedicationRequest", name, **RX | {"authoredOn": day})
    assert library.ids("MedicationRequest", "_sort=authoredon") == ["b", "a", "c"]
    assert library.ids("MedicationRequest", "_sort=-authoredon") == ["c", "a", "b"]
    assert library.ids("MedicationRequest", "authoredon=lt2024-03") == ["b"]


def test_many_in_one_unit_of_work_are_written_and_rendered_alike(library: Library) -> None:
    def work(unit: Unit) -> None:
        for number in range(60):
            record = unit.new("MedicationRequest", f"rx{number}")
            resource.read(REGISTRY["MedicationRequest"], valid("MedicationRequest"), unit.new_id, record)
        unit.flush()

    library.records.unit(CALLER, work)
    assert len(library.ids("MedicationRequest", "code=urn:x:drugs%7Cd1&_count=100")) == 60
    stored = library.records.read(CALLER, "MedicationRequest", "rx59")
    assert as_sent(wire.decode(stored.content or b"")) == text_of(valid("MedicationRequest"))


@pytest.mark.parametrize("name", sorted(KEPT_WHOLE))
def test_a_sample_of_each_is_valid_and_comes_back(library: Library, name: str) -> None:
    validate.check(valid(name), name)
    made = library.records.create(CALLER, name, valid(name))
    assert as_sent(wire.decode(made.content or b"")) == text_of(valid(name))


def test_parameters_alone_are_not_stored(library: Library) -> None:
    assert "Parameters" not in REGISTRY
    assert {"Bundle", "Binary", "OperationOutcome"} <= REGISTRY.keys() - WITH_TABLES
    with pytest.raises(errors.UnsupportedType):
        library.records.create(CALLER, "Parameters", {"resourceType": "Parameters"})
