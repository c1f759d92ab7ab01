"""Pages of elsewhere write nothing, however they ask; whoever is no page may leave the media type out.

https://www.rfc-editor.org/rfc/rfc9110#section-8.3
"""

from __future__ import annotations

import httpx
import pytest
from litestar import Litestar, post
from litestar.testing import TestClient

from gateway.app import answer_problem
from gateway.origins import Origins

PATIENTS = "/api/v1/patients"
PATIENT = (
    b'{"mrn": "M-1", "first_name": "Ann", "last_name": "Quillfeather", "sex": "F",'
    b' "date_of_birth": "1970-01-01"}'
)
BODY = {"/fhir/Patient": b'{"resourceType": "Patient"}', PATIENTS: PATIENT}
ELSEWHERE = [
    {"origin": "https://elsewhere.example.org"},
    {"origin": "null"},
    {"origin": "http://localhost:1"},
    {"origin": "http://["},
    {"origin": "https://elsewhere.example.org", "sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("path", BODY)
def test_a_body_that_does_not_say_what_it_is_is_taken_for_json(http: httpx.Client, path: str) -> None:
    answer = http.post(path, content=BODY[path])
    assert "content-type" not in answer.request.headers
    assert answer.status_code == 201, answer.text


@pytest.mark.parametrize("headers", ELSEWHERE)
@pytest.mark.parametrize("path", BODY)
def test_a_page_of_elsewhere_writes_nothing(http: httpx.Client, path: str, headers: dict[str, str]) -> None:
    for kind in ({}, {"content-type": "text/plain"}, {"content-type": "application/json"}):
        answer = http.post(path, content=BODY[path], headers=headers | kind)
        assert answer.status_code == 403, answer.text
    sheet = {"file": ("patients.csv", b"mrn\nM-1\n", "text/csv")}
    assert http.post(f"{PATIENTS}/bulk/import/csv", files=sheet, headers=headers).status_code == 403
    assert http.get("/fhir/Patient?_summary=count").json()["total"] == 0


def test_a_page_of_this_gateway_writes(http: httpx.Client) -> None:
    own = str(http.base_url).rstrip("/")
    for headers in ({"origin": own}, {"origin": own, "sec-fetch-site": "same-origin"}):
        assert http.post("/fhir/Patient", content=BODY["/fhir/Patient"], headers=headers).status_code == 201


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"])
def test_a_form_is_no_json(http: httpx.Client, kind: str) -> None:
    answer = http.post(PATIENTS, content=PATIENT, headers={"content-type": kind})
    assert answer.status_code == 415, answer.text


def test_a_page_of_an_origin_that_may_call_writes() -> None:
    @post("/")
    async def taken() -> None: ...

    allowed = Origins(["https://app.example.org"])
    app = Litestar([taken], middleware=[allowed], exception_handlers={Exception: answer_problem})
    with TestClient(app) as client:
        statuses = [
            client.post("/", headers={"origin": origin, "sec-fetch-site": "cross-site"}).status_code
            for origin in ("https://app.example.org", "https://app.example.org.elsewhere.org")
        ]
    assert statuses == [201, 403]
