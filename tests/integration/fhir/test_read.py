"""read and vread: https://hl7.org/fhir/R4/http.html#read and https://hl7.org/fhir/R4/http.html#vread."""

from __future__ import annotations

import pytest

from tests.fixtures.server import Fhir, outcome


def test_a_read_gives_the_current_version_with_its_tag_and_time(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    written = fhir.put("Patient/p", {"resourceType": "Patient", "id": "p", "gender": "male"})
    read = fhir.get("Patient/p")
    assert (read.status_code, read.content) == (200, written.content)
    assert read.headers["etag"] == 'W/"2"'
    assert read.headers["last-modified"] == written.headers["last-modified"]
    assert "location" not in read.headers


def test_each_version_stays_readable_as_it_was_written(fhir: Fhir) -> None:
    written = [
        fhir.put("Patient/p", {"resourceType": "Patient", "id": "p", "gender": gender})
        for gender in ("male", "female", "other")
    ]
    for version, answer in enumerate(written, 1):
        read = fhir.get(f"Patient/p/_history/{version}")
        assert (read.status_code, read.content) == (200, answer.content)
        assert read.headers["etag"] == f'W/"{version}"'


def test_what_never_was_is_not_found(fhir: Fhir) -> None:
    assert "Patient/nobody" in outcome(fhir.get("Patient/nobody"), 404, "not-found")["diagnostics"]
    fhir.made("Patient", id="p")
    outcome(fhir.get("Encounter/p"), 404, "not-found")


@pytest.mark.parametrize("version", ["2", "0", "-1", "x", "1.0", "99999999999999999999", "%00"])
def test_a_version_that_never_was_is_not_found(fhir: Fhir, version: str) -> None:
    fhir.made("Patient", id="p")
    outcome(fhir.get(f"Patient/p/_history/{version}"), 404, "not-found")


def test_what_was_deleted_is_gone_and_its_versions_stay(fhir: Fhir) -> None:
    made = fhir.made("Patient", id="p")
    fhir.delete("Patient/p")
    outcome(fhir.get("Patient/p"), 410, "deleted")
    outcome(fhir.get("Patient/p/_history/2"), 410, "deleted")
    assert fhir.get("Patient/p/_history/1").json() == made


def test_ids_are_told_apart_by_case(fhir: Fhir) -> None:
    fhir.made("Patient", id="Ab")
    outcome(fhir.get("Patient/aB"), 404)


@pytest.mark.parametrize(
    "asked", ["application/fhir+json", "application/json", "*/*", "text/html, */*;q=0.1"]
)
def test_json_is_given_to_whoever_takes_it(fhir: Fhir, asked: str) -> None:
    fhir.made("Patient", id="p")
    answer = fhir.get("Patient/p", accept=asked)
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"


def test_the_format_parameter_goes_before_the_accept_header(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    assert fhir.get("Patient/p?_format=json", accept="application/pdf").status_code == 200
    outcome(fhir.get("Patient/p?_format=pdf", accept="application/json"), 406)
