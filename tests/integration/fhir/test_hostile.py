"""What a caller must not be able to do: store less than was there, bind the server, hide active content.

https://hl7.org/fhir/R4/security.html
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.fixtures.server import Fhir, outcome

PATCH = "application/json-patch+json"
DIV = '<div xmlns="http://www.w3.org/1999/xhtml">x{}</div>'


@pytest.mark.parametrize("view", ["_elements=name", "_summary=text", "_summary=true"])
def test_a_subsetted_resource_is_not_stored(fhir: Fhir, view: str) -> None:
    fhir.made("Patient", id="p", gender="female", name=[{"family": "Doe"}], photo=[{"title": "face"}])
    part = fhir.get(f"Patient/p?{view}").json()
    outcome(fhir.put("Patient/p", part), 422, "business-rule")
    outcome(fhir.post("Patient", part), 422, "business-rule")
    assert fhir.get("Patient/p").json()["gender"] == "female"


@pytest.mark.parametrize(
    "path",
    [
        "Patient.name" + ".select($this.combine($this))" * 12,
        "Patient.name" + ".union($this.name)" * 12,
        "Patient.name | Patient.name",
        "iif(true, Patient.name, Patient.name)",
        "Patient.repeat(name)",
    ],
)
def test_a_path_that_makes_collections_grow_is_refused_at_once(fhir: Fhir, path: str) -> None:
    fhir.made("Patient", id="p", name=[{"family": "Doe"}])
    operation = [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": path}]
    body = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": operation}]}
    began = time.monotonic()
    outcome(fhir.ask("PATCH", "Patient/p", body), 400)
    assert time.monotonic() - began < 5


def test_a_tag_with_very_many_attributes_is_refused_unread(fhir: Fhir) -> None:
    many = " ".join(f'a{number}="1"' for number in range(30_000))
    body = f'<Patient xmlns="http://hl7.org/fhir" {many}/>'.encode()
    outcome(fhir.ask("POST", "Patient", body, content_type="application/fhir+xml"), 400, "structure")
    text = {"status": "additional", "div": DIV.format(f"<p {many}>y</p>")}
    outcome(fhir.post("Patient", {"resourceType": "Patient", "text": text}), 422)


@pytest.mark.parametrize(
    "inner",
    [
        "<![CDATA[><img src=x onerror=alert(1)>]]>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<?x ><img src=x onerror=alert(1)>?>",
    ],
)
def test_what_would_come_to_life_in_a_browser_is_refused(fhir: Fhir, inner: str) -> None:
    text = {"status": "additional", "div": DIV.format(inner)}
    outcome(fhir.post("Patient", {"resourceType": "Patient", "text": text}), 422)


def test_a_patch_does_not_move_extensions_to_another_value(fhir: Fhir) -> None:
    def beside(name: str) -> dict[str, Any]:
        return {"extension": [{"url": f"http://example.org/{name}", "valueBoolean": True}]}

    name = {"given": ["a", "b"], "_given": [beside("A"), beside("B")]}
    fhir.made("Patient", id="p", name=[name])
    operation = [{"op": "remove", "path": "/name/0/_given/0/extension/0"}]
    done = fhir.ask("PATCH", "Patient/p", operation, content_type=PATCH)
    assert done.json()["name"] == [{"given": ["a", "b"], "_given": [None, beside("B")]}]


def test_what_is_no_json_patch_is_refused_and_quotes_nothing(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", name=[{"family": "Secretive"}])
    outcome(fhir.ask("PATCH", "Patient/p", b'[],"a":1', content_type=PATCH), 400)
    missing = [{"op": "test", "path": "/nope", "value": 1}]
    issue = outcome(fhir.ask("PATCH", "Patient/p", missing, content_type=PATCH), 422)
    assert "Secretive" not in issue["diagnostics"]


def test_empty_criteria_do_not_create_in_a_transaction(fhir: Fhir) -> None:
    request = {"method": "POST", "url": "Patient", "ifNoneExist": "?"}
    entry = {"resource": {"resourceType": "Patient"}, "request": request}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    outcome(fhir.ask("POST", "", bundle), 400)
    assert fhir.get("Patient?_summary=count").json()["total"] == 0


@pytest.mark.parametrize("text", ["%5C*", "'*", "%5C'*", "a%5C*"])
def test_signs_in_a_search_for_words_are_words(fhir: Fhir, text: str) -> None:
    assert fhir.get(f"Patient?_text={text}").status_code in (200, 400)


def test_a_create_with_criteria_in_the_url_is_refused_and_told_of_the_header(fhir: Fhir) -> None:
    issue = outcome(fhir.post("Patient?identifier=u:x|8", {"resourceType": "Patient"}), 400)
    assert "If-None-Exist" in issue["diagnostics"]
    assert fhir.get("Patient?_summary=count").json()["total"] == 0
