"""JSON and XML, both ways, in every interaction: https://hl7.org/fhir/R4/http.html#mime-type."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.fhir import xml
from storage.lexical import DECODER
from tests.fixtures.server import Fhir
from tests.unit.fhir.samples import VALID, valid

XML = "application/fhir+xml"
FULL = "application/fhir+xml; charset=utf-8"


def told(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    """Return the resource of an answer in XML; asserts its status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == FULL
    assert "Accept" in answer.headers["vary"]
    return xml.read(answer.content)


def stored(fhir: Fhir, path: str) -> dict[str, Any]:
    return DECODER.decode(fhir.get(path).content)


@pytest.mark.parametrize("name", sorted(VALID))
def test_a_resource_goes_in_as_xml_and_comes_out_as_either(fhir: Fhir, name: str) -> None:
    value = valid(name, id="x")
    made = fhir.put(f"{name}/x", xml.write(value), content_type=XML, accept=XML)
    assert told(made, 201) == stored(fhir, f"{name}/x") == told(fhir.get(f"{name}/x", accept=XML))
    fhir.delete(f"{name}/x")
    again = fhir.put(f"{name}/x", value | {}) if name == "Organization" else None
    assert again is None or again.json()["name"] == value["name"]


def test_a_create_in_xml_is_answered_in_json_unless_asked_otherwise(fhir: Fhir) -> None:
    body = xml.write({"resourceType": "Patient", "gender": "male"})
    plain = fhir.post("Patient", body, content_type=f"{XML}; charset=UTF-8")
    assert (plain.status_code, plain.json()["gender"]) == (201, "male")
    assert plain.headers["content-type"].startswith("application/fhir+json")
    made = fhir.post("Patient?_format=xml", body, content_type="text/xml")
    assert told(made, 201)["gender"] == "male"
    assert made.headers["location"].endswith("/_history/1")


def test_every_reading_interaction_answers_in_xml(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", active=True)
    fhir.made("Patient", id="p", active=False)
    for path in (
        "Patient/p",
        "Patient/p/_history/1",
        "Patient/p/_history",
        "Patient",
        "metadata",
        "Patient?_id=p&_sort=name",
    ):
        answer = fhir.get(path, accept=XML)
        assert told(answer) == stored(fhir, path), path
    found = fhir.ask(
        "POST", "Patient/_search", b"_id=p", content_type="application/x-www-form-urlencoded", accept=XML
    )
    assert told(found)["entry"][0]["resource"]["active"] is False


def test_decimals_and_narrative_are_the_same_in_both(fhir: Fhir) -> None:
    div = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='a'>x<br /></p></div>"
    value: dict[str, Any] = {
        "resourceType": "Patient",
        "id": "p",
        "text": {"status": "generated", "div": div},
    }
    value["extension"] = [{"url": "urn:x", "valueDecimal": 0}]
    body = xml.write(value).replace(b'valueDecimal value="0"', b'valueDecimal value="1.50"')
    fhir.put("Patient/p", body, content_type=XML)
    assert '"valueDecimal":1.50' in fhir.get("Patient/p").text
    assert fhir.get("Patient/p").json()["text"]["div"] == div
    answer = fhir.get("Patient/p?_format=application/fhir%2Bxml")
    assert 'valueDecimal value="1.50"' in answer.text
    assert div in answer.text


def test_a_form_names_its_format(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    form = "application/x-www-form-urlencoded"
    answer = fhir.ask("POST", "Patient/_search", b"_id=p&_format=xml", content_type=form)
    assert told(answer)["total"] == 1
    assert fhir.ask("POST", "Patient/_search", b"_format=ttl", content_type=form).status_code == 406
    assert fhir.ask("POST", "Patient/_search", b"<x/>", content_type=XML).status_code == 415


def test_a_transaction_goes_in_as_xml(fhir: Fhir) -> None:
    entry = {"resource": {"resourceType": "Patient"}, "request": {"method": "POST", "url": "Patient"}}
    body = xml.write({"resourceType": "Bundle", "type": "transaction", "entry": [entry, entry]})
    answer = told(fhir.post("", body, content_type=XML, accept=XML))
    assert [each["response"]["status"][:3] for each in answer["entry"]] == ["201", "201"]
    assert fhir.get("Patient").json()["total"] == 2


def test_a_large_answer_is_whole_in_either_format(fhir: Fhir) -> None:
    entry = {
        "resource": {"resourceType": "Patient", "name": [{"family": "F" * 200}]},
        "request": {"method": "POST", "url": "Patient"},
    }
    fhir.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry] * 300})
    answer = fhir.get("Patient?_count=300", accept=XML)
    assert len(answer.content) > 100_000
    assert told(answer) == stored(fhir, "Patient?_count=300")
    head = fhir.ask("HEAD", "Patient?_count=300", accept=XML)
    assert (head.content, head.headers["content-type"]) == (b"", FULL)


def test_errors_are_told_in_the_format_that_was_asked_for(fhir: Fhir) -> None:
    cases = [
        (fhir.get("Patient/nobody", accept=XML), 404, "not-found"),
        (fhir.get("Unicorn/1", accept=XML), 404, "not-supported"),
        (fhir.get("Patient?unicorn=1&_format=xml"), 400, "not-supported"),
        (fhir.get("Patient/a/b/c/d", accept=XML), 404, "not-found"),
        (fhir.post("Patient", {"resourceType": "Patient", "gender": "x"}, accept=XML), 422, "code-invalid"),
        (fhir.ask("PUT", "metadata", accept=XML), 405, "not-supported"),
        (fhir.post("Patient", b"<x", content_type=XML, accept=XML), 400, "structure"),
    ]
    for answer, status, code in cases:
        assert told(answer, status)["issue"][0]["code"] == code


def test_xml_that_is_wrong_is_told_by_line_or_by_place(fhir: Fhir) -> None:
    head = '<Patient xmlns="http://hl7.org/fhir">'
    answer = fhir.post("Patient", f"{head}\n<brthDate value='1'/></Patient>".encode(), content_type=XML)
    issue = answer.json()["issue"][0]
    assert (answer.status_code, issue["expression"]) == (400, ["Patient.brthDate"])
    assert issue["diagnostics"].startswith("Line 2, element brthDate")
    answer = fhir.post("Patient", f"{head}<active value='yes'/></Patient>".encode(), content_type=XML)
    issue = answer.json()["issue"][0]
    assert (answer.status_code, issue["expression"]) == (422, ["Patient.active"])
    answer = fhir.post("Patient", b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', content_type=XML)
    assert (answer.status_code, "document type" in answer.text) == (400, True)


def test_what_cannot_be_given_or_read_is_refused_in_json(fhir: Fhir) -> None:
    for answer, status in (
        (fhir.get("metadata", accept="text/turtle"), 406),
        (fhir.get("metadata?_format=ttl", accept=XML), 406),
        (fhir.post("Patient", b"x", content_type="text/turtle"), 415),
        (fhir.post("Patient", b"<x/>", content_type=f"{XML}; charset=utf-16"), 415),
    ):
        assert (answer.status_code, answer.json()["resourceType"]) == (status, "OperationOutcome")


def test_a_write_can_ask_for_its_outcome_in_xml(fhir: Fhir) -> None:
    value = {"resourceType": "Patient"}
    made = fhir.post("Patient", value, accept=XML, prefer="return=OperationOutcome")
    assert told(made, 201)["resourceType"] == "OperationOutcome"
    assert fhir.post("Patient", value, accept=XML, prefer="return=minimal").content == b""


def test_a_pretty_answer_in_xml_has_lines(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", gender="male")
    answer = fhir.get("Patient/p?_format=xml&_pretty=true")
    assert '\n  <gender value="male"/>\n' in answer.text
    assert told(answer) == stored(fhir, "Patient/p")


def test_the_statement_lists_both_formats(fhir: Fhir) -> None:
    assert stored(fhir, "metadata")["format"] == ["json", "xml"]
