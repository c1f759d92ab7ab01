"""References in every form that names a resource of this server: https://hl7.org/fhir/R4/references.html#literal."""

from __future__ import annotations

import pytest

from tests.fixtures.server import Fhir

CODE = {"text": "weight"}


@pytest.mark.parametrize("form", ["Patient/rp", "Patient/rp/_history/1", "{base}/Patient/rp"])
def test_a_reference_finds_its_target_and_comes_back_as_it_was_written(fhir: Fhir, form: str) -> None:
    fhir.made("Patient", id="rp")
    written = form.format(base=fhir.base)
    made = fhir.made("Observation", status="final", code=CODE, subject={"reference": written})
    assert made["subject"] == {"reference": written}
    for query in ("patient=rp", "subject=Patient/rp", f"subject={fhir.base}/Patient/rp"):
        found = fhir.get(f"Observation?{query}&_include=Observation:subject").json()
        assert found["total"] == 1, query
        assert [entry["resource"]["resourceType"] for entry in found["entry"]] == ["Observation", "Patient"]


def test_an_absolute_reference_to_another_server_stays_one(fhir: Fhir) -> None:
    fhir.made("Patient", id="rp")
    elsewhere = {"reference": "http://elsewhere.example.org/fhir/Patient/rp"}
    made = fhir.made("Observation", status="final", code=CODE, subject=elsewhere)
    assert made["subject"] == elsewhere
    assert fhir.get("Observation?patient=rp").json()["total"] == 0


def test_a_search_for_a_version_finds_only_references_to_that_version(fhir: Fhir) -> None:
    fhir.made("Patient", id="rp")
    for name in ("Patient/rp", "Patient/rp/_history/1"):
        fhir.made("Observation", status="final", code=CODE, subject={"reference": name})
    found = fhir.get("Observation?subject=Patient/rp/_history/1").json()
    subjects = [entry["resource"]["subject"]["reference"] for entry in found["entry"]]
    assert subjects == ["Patient/rp/_history/1"]
    assert fhir.get("Observation?subject=Patient/rp").json()["total"] == 2
