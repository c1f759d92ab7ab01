"""Binary in its native form: https://hl7.org/fhir/R4/binary.html#rest."""

from __future__ import annotations

import base64

import httpx
import pytest

from gateway.fhir import xml
from tests.fixtures.server import MAX_BODY, Fhir, outcome

FHIR = "application/fhir+json"
PDF = b"%PDF-1.4\n\x00\xff\xfe binary"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


def stored(fhir: Fhir, content: bytes = PDF, kind: str = "application/pdf", **headers: str) -> httpx.Response:
    answer = fhir.put("Binary/b", content, content_type=kind, **headers)
    assert answer.status_code in (200, 201), answer.text
    return answer


def test_content_of_any_type_becomes_a_binary(fhir: Fhir) -> None:
    made = fhir.post("Binary", PDF, content_type="application/pdf", x_security_context="Patient/p")
    assert (made.status_code, made.headers["etag"]) == (201, 'W/"1"')
    value = made.json()
    assert made.headers["location"].endswith(f"Binary/{value['id']}/_history/1")
    told = {key: value[key] for key in ("resourceType", "contentType", "securityContext", "data")}
    assert told == {
        "resourceType": "Binary",
        "contentType": "application/pdf",
        "securityContext": {"reference": "Patient/p"},
        "data": base64.b64encode(PDF).decode(),
    }
    read = fhir.get(f"Binary/{value['id']}", accept="application/pdf")
    assert (read.status_code, read.content) == (200, PDF)
    assert read.headers["content-type"] == "application/pdf"
    assert read.headers["x-security-context"] == "Patient/p"
    assert (read.headers["etag"], read.headers["vary"]) == ('W/"1"', "Accept, Accept-Encoding, Origin")
    assert "last-modified" in read.headers


@pytest.mark.parametrize(
    ("accept", "native"),
    [
        ("", True),
        ("*/*", True),
        (BROWSER, True),
        ("application/pdf", True),
        ("application/*", True),
        ("image/png", True),
        ("text/turtle", True),
        ("application/json, text/plain, */*", True),
        ("application/fhir+json;q=0.5, application/pdf", True),
        ("application/fhir+json;q=0, */*", True),
        ("application/fhir+json", False),
        ("application/fhir+json, */*", False),
        ("application/fhir+json; fhirVersion=4.0, application/pdf;q=0.9", False),
        ("application/json", False),
        ("application/json;q=0.2, image/png", False),
    ],
)
def test_the_content_is_read_unless_fhir_is_asked_for(fhir: Fhir, accept: str, native: bool) -> None:
    stored(fhir)
    for path in ("Binary/b", "Binary/b/_history/1"):
        answer = fhir.get(path, accept=accept)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].partition(";")[0] == ("application/pdf" if native else FHIR)
        assert (answer.content == PDF) is native
        head = fhir.ask("HEAD", path, accept=accept)
        assert (head.content, head.headers["content-type"]) == (b"", answer.headers["content-type"])
        assert head.headers["content-length"] == str(len(answer.content))


def test_xml_and_named_formats_are_of_the_resource(fhir: Fhir) -> None:
    stored(fhir)
    for answer in (
        fhir.get("Binary/b", accept="application/fhir+xml"),
        fhir.get("Binary/b", accept="text/xml"),
        fhir.get("Binary/b?_format=application/xml", accept="*/*"),
    ):
        assert xml.read(answer.content)["contentType"] == "application/pdf"
    assert fhir.get("Binary/b?_format=json", accept=BROWSER).json()["resourceType"] == "Binary"
    outcome(fhir.get("Binary/b?_format=pdf", accept="*/*"), 406)
    outcome(fhir.get("Binary/b", accept="application/fhir+json; fhirVersion=5.0"), 406)


def test_a_generic_type_means_the_content_where_that_is_of_it(fhir: Fhir) -> None:
    for kind, generic in (
        ("application/json", "application/json"),
        ("application/vnd.xacml+json", "application/json"),
        ("text/xml", "application/xml"),
    ):
        content = b'{"a": 1}' if generic.endswith("json") else b"<a/>"
        stored(fhir, content, kind)
        answer = fhir.get("Binary/b", accept=generic)
        assert (answer.content, answer.headers["content-type"].partition(";")[0]) == (content, kind)


def test_in_a_bundle_it_is_always_a_resource(fhir: Fhir) -> None:
    stored(fhir)
    entry = fhir.get("Binary?_id=b", accept="*/*").json()["entry"][0]["resource"]
    assert base64.b64decode(entry["data"]) == PDF
    assert fhir.get("Binary/b/_history", accept="*/*").json()["entry"][0]["resource"]["data"]


def test_a_resource_in_fhir_is_taken_as_one(fhir: Fhir) -> None:
    value = {"resourceType": "Binary", "id": "b", "contentType": "text/plain", "data": "YWJj"}
    for body, kind in (
        (wire(value), FHIR),
        (wire(value), "application/json"),
        (xml.write(value), "application/fhir+xml"),
        (xml.write(value), "text/xml"),
    ):
        stored(fhir, body, kind)
        assert fhir.get("Binary/b", accept="*/*").content == b"abc"
    issue = outcome(fhir.put("Binary/b", wire(value | {"data": "!"})), 422)
    assert issue["expression"] == ["Binary.data"]
    outcome(fhir.put("Binary/b", b'{"resourceType": "Binary",', content_type="application/json"), 400)
    outcome(fhir.post("Binary", b"{", content_type=FHIR), 400)


def wire(value: dict[str, str]) -> bytes:
    return httpx.Request("POST", "http://x.example", json=value).content


def test_other_resources_and_other_json_are_content(fhir: Fhir) -> None:
    for content, kind in (
        (b'{"resourceType": "Patient", "gender": "male"}', FHIR),
        (b'<Patient xmlns="http://hl7.org/fhir"/>', "application/fhir+xml"),
        (b"[1, 2]", "application/json"),
        (b"{ no json", "application/json"),
        (b"<ClinicalDocument xmlns='urn:hl7-org:v3'/>", "text/xml"),
    ):
        stored(fhir, content, kind)
        answer = fhir.get("Binary/b", accept="*/*")
        assert (answer.content, answer.headers["content-type"].partition(";")[0]) == (content, kind)


def test_versions_conditions_and_preferences_are_as_with_any_resource(fhir: Fhir) -> None:
    assert stored(fhir).status_code == 201
    assert fhir.get("Binary/b", if_none_match='W/"1"').status_code == 304
    outcome(fhir.put("Binary/b", b"x", content_type="text/plain", if_match='W/"7"'), 412)
    quiet = stored(fhir, b"new", "text/plain", prefer="return=minimal", if_match='W/"1"')
    assert (quiet.status_code, quiet.content, quiet.headers["etag"]) == (200, b"", 'W/"2"')
    assert fhir.get("Binary/b/_history/1").content == PDF
    told = stored(fhir, b"newer", "text/plain", prefer="return=OperationOutcome").json()
    assert told["resourceType"] == "OperationOutcome"
    assert stored(fhir, b"newer", "text/plain").headers["etag"] == 'W/"3"'
    stamp = fhir.get("Binary/b").headers["last-modified"]
    assert fhir.get("Binary/b", if_modified_since=stamp).status_code == 304
    fhir.delete("Binary/b")
    outcome(fhir.get("Binary/b", accept="text/plain"), 410)
    outcome(fhir.get("Binary/nobody", accept="text/plain"), 404)


def test_content_that_may_run_in_a_page_is_disarmed(fhir: Fhir) -> None:
    script = b"<script>alert(1)</script>"
    for kind in ("text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/javascript"):
        stored(fhir, script, kind)
        answer = fhir.get("Binary/b", accept=BROWSER)
        assert answer.headers["content-type"].partition(";")[0] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"] == "attachment"
        assert "sandbox" in answer.headers["content-security-policy"]
    for kind in ("application/pdf", "image/png", "text/plain; charset=iso-8859-1"):
        stored(fhir, script, kind)
        answer = fhir.get("Binary/b", accept=BROWSER)
        assert answer.headers["content-type"] == kind
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "content-disposition" not in answer.headers


def test_a_type_that_is_none_is_refused_or_hidden(fhir: Fhir) -> None:
    outcome(fhir.post("Binary", b"x", content_type="plain"), 415)
    outcome(fhir.post("Binary", b"x", content_type="text/plain", content_encoding="gzip"), 415)
    fhir.made("Binary", id="b", contentType="strange ünd more", data="YWJj")
    answer = fhir.get("Binary/b", accept="*/*")
    assert (answer.headers["content-type"], answer.content) == ("application/octet-stream", b"abc")


def test_empty_and_large_content(fhir: Fhir) -> None:
    stored(fhir, b"", "text/plain")
    assert fhir.get("Binary/b", accept="text/plain").content == b""
    outcome(fhir.post("Binary", b"x" * (MAX_BODY + 1), content_type="text/plain"), 413)
    large = bytes(range(256)) * 8000
    stored(fhir, large, "application/octet-stream")
    assert fhir.get("Binary/b").content == large
