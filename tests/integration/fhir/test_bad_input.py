# ruff: noqa: E501 - tables of bad bodies, one a line
"""Bad content is refused, located and stored in no part: https://hl7.org/fhir/R4/http.html#create."""

from __future__ import annotations

import json
from typing import Any

import pytest

from storage.session import Store
from tests.fixtures.server import MAX_BODY, Fhir, outcome, rows

MRN = "http://suture.example.org/fhir/sid/mrn"


def patient(**elements: Any) -> bytes:
    return json.dumps({"resourceType": "Patient", **elements}).encode()


def observation(**elements: Any) -> bytes:
    value = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **elements}
    return json.dumps({key: part for key, part in value.items() if part is not None}).encode()


def nested(levels: int) -> bytes:
    return (
        b'{"resourceType":"Patient","extension":'
        + b'[{"url":"u:x","extension":' * levels
        + b"[]"
        + b"}]" * levels
        + b"}"
    )


# Type, body, statuses, and where the fault is (None: no one element).
BAD: list[tuple[str, str, bytes, tuple[int, ...], str | None]] = [
    ("cut off", "Patient", b'{"resourceType":"Patient"', (400,), None),
    ("no comma", "Patient", b'{"resourceType":"Patient" "id":"x"}', (400,), None),
    ("not utf-8", "Patient", patient(name=[{"family": "x"}]).replace(b"x", b"\xff"), (400,), None),
    ("xml", "Patient", b"<Patient/>", (400,), None),
    ("NaN", "Observation", b'{"resourceType":"Observation","valueInteger":NaN}', (400,), None),
    ("no type", "Patient", b"{}", (400,), "Patient.resourceType"),
    ("another type", "Patient", observation(), (400,), "Patient.resourceType"),
    ("type of a wrong type", "Patient", b'{"resourceType":["Patient"]}', (400,), "Patient.resourceType"),
    ("text for array", "Patient", patient(name="Berg"), (400,), "Patient.name"),
    ("object for array", "Patient", patient(name={"family": "Berg"}), (400,), "Patient.name"),
    ("array for text", "Patient", patient(gender=["male"]), (400, 422), "Patient.gender"),
    ("text for boolean", "Patient", patient(active="true"), (400, 422), "Patient.active"),
    ("text for number", "Observation", observation(valueInteger="1"), (400, 422), "Observation.valueInteger"),
    ("number for text", "Patient", patient(name=[{"family": 5}]), (400, 422), "Patient.name[0].family"),
    ("null", "Patient", patient(gender=None), (400,), "Patient.gender"),
    ("unknown code", "Patient", patient(gender="boy"), (422,), "Patient.gender"),
    ("unknown status", "Observation", observation(status="done"), (422,), "Observation.status"),
    ("missing element", "Observation", observation(status=None), (422,), "Observation.status"),
    ("unknown element", "Patient", patient(colour="red"), (400,), "Patient.colour"),
    ("unknown element within", "Patient", patient(name=[{"famly": "x"}]), (400,), "Patient.name[0].famly"),
    ("two of a choice", "Observation", observation(valueString="x", valueInteger=1), (400, 422), "Observation.value"),
    ("empty array", "Patient", patient(name=[]), (400,), "Patient.name"),
    ("empty object", "Patient", patient(name=[{}]), (400,), "Patient.name[0]"),
    ("empty text", "Patient", patient(name=[{"family": ""}]), (400,), "Patient.name[0].family"),
    ("NUL", "Patient", b'{"resourceType":"Patient","name":[{"family":"a\\u0000b"}]}', (400,), None),
    ("raw NUL", "Patient", b'{"resourceType":"Patient","name":[{"family":"a\x00b"}]}', (400,), None),
    ("half a surrogate", "Patient", b'{"resourceType":"Patient","name":[{"family":"\\ud800"}]}', (400,), None),
    ("twice the same", "Patient", b'{"resourceType":"Patient","gender":"male","gender":"female"}', (400,), "Patient.gender"),
    ("too deep", "Patient", nested(500), (400,), None),
    ("far too deep", "Patient", nested(100_000), (400,), None),
    ("a date that is none", "Patient", patient(birthDate="2023-02-30"), (422,), "Patient.birthDate"),
    ("a year of 0", "Patient", patient(birthDate="0000"), (422,), "Patient.birthDate"),
    ("a number beyond reason", "Observation", observation(valueInteger=2**31), (400, 422), "Observation.valueInteger"),
    ("a huge exponent", "Observation", b'{"resourceType":"Observation","status":"final","code":{"text":"x"},"valueQuantity":{"value":1e999999999}}', (400, 422), None),
    ("a reference that is none", "Patient", patient(managingOrganization={"reference": "no reference"}), (422,), "Patient.managingOrganization.reference"),
    ("a reference to a wrong type", "Observation", observation(subject={"reference": "Encounter/1"}), (422,), "Observation.subject"),
    ("script", "Patient", patient(text={"status": "generated", "div": "<div xmlns='http://www.w3.org/1999/xhtml'><script>x</script></div>"}), (422,), "Patient.text.div"),
]  # fmt: skip


def located(expression: str, place: str) -> bool:
    """Whether an expression names a place, something in it, or the element that ought to have it."""
    return expression.startswith(place) or place.startswith(expression)


@pytest.mark.parametrize(("kind", "name", "body", "statuses", "place"), BAD, ids=[bad[0] for bad in BAD])
def test_bad_content_is_refused_and_located_and_stores_nothing(
    fhir: Fhir, store: Store, kind: str, name: str, body: bytes, statuses: tuple[int, ...], place: str | None
) -> None:
    before = rows(store)
    answer = fhir.post(name, body)
    assert answer.status_code in statuses, answer.text
    issue = outcome(answer, answer.status_code)
    assert issue["diagnostics"]
    if place is not None:
        assert located(issue["expression"][0], place), issue
    assert rows(store) == before


def test_every_fault_of_a_resource_is_told_at_once(fhir: Fhir) -> None:
    answer = fhir.post("Patient", patient(gender="boy", birthDate="1.1.80", active="yes", name=[]))
    places = {issue["expression"][0] for issue in answer.json()["issue"]}
    assert places == {"Patient.gender", "Patient.birthDate", "Patient.active", "Patient.name"}


def test_a_body_over_the_limit_is_refused_whether_or_not_it_tells_its_length(
    fhir: Fhir, store: Store
) -> None:
    before = rows(store)
    body = patient(name=[{"text": "x" * MAX_BODY}])
    outcome(fhir.post("Patient", body), 413, "too-long")
    parts = (body[start : start + 65536] for start in range(0, len(body), 65536))
    named = {"content-type": "application/fhir+json"}
    answer = fhir.http.post(f"{fhir.base}/Patient", content=parts, headers=named)
    outcome(answer, 413, "too-long")
    assert rows(store) == before


LARGE: list[tuple[str, str, dict[str, Any]]] = [
    ("a text of a megabyte", "Patient", {"name": [{"family": "x" * 1_000_000}]}),
    ("an address of a megabyte", "Patient", {"address": [{"text": "high street " * 80_000, "city": "y" * 100_000}]}),
    ("a value of a megabyte", "Observation", {"valueString": "x y " * 250_000}),
    ("a code of 3,000 letters", "Observation", {"code": {"coding": [{"system": "urn:x", "code": "c" * 3000}]}}),
    ("an identifier of 3,000 letters", "Patient", {"identifier": [{"system": "urn:x", "value": "i" * 3000}]}),
    ("a record number of 3,000 letters", "Patient", {"identifier": [{"system": MRN, "value": "i" * 3000}]}),
    ("a system of 3,000 letters", "Patient", {"identifier": [{"system": "urn:" + "s" * 3000, "value": "1"}]}),
    ("a telephone number of 3,000 digits", "Patient", {"telecom": [{"system": "phone", "value": "5" * 3000}]}),
    ("a URL of 3,000 letters", "Patient", {"meta": {"profile": ["http://x.example/" + "p" * 3000]}}),
    ("a tag of 3,000 letters", "Patient", {"meta": {"tag": [{"system": "urn:t", "code": "t" * 3000}]}}),
    ("a reference of 3,000 letters", "Observation", {"subject": {"reference": "http://x.example/Patient/" + "1" * 60, "display": "d" * 3000}}),
    ("a number of 60 digits", "Observation", {"valueQuantity": {"value": int("9" * 60)}}),
    ("500 names", "Patient", {"name": [{"family": f"F{n}", "given": ["a", "b"]} for n in range(500)]}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "elements"), LARGE, ids=[large[0] for large in LARGE])
def test_what_is_long_is_kept_whole_or_refused_but_no_fault_of_ours(
    fhir: Fhir, store: Store, kind: str, name: str, elements: dict[str, Any]
) -> None:
    before = rows(store)
    body = observation(**elements) if name == "Observation" else patient(**elements)
    answer = fhir.post(name, body)
    if answer.status_code == 201:
        read = fhir.get(f"{name}/{answer.json()['id']}").json()
        assert {key: part for key, part in read.items() if key in elements and key != "meta"} == {
            key: part for key, part in elements.items() if key != "meta"
        }
        assert elements.get("meta", {}).items() <= read["meta"].items()
    else:
        outcome(answer, 422)
        assert rows(store) == before


@pytest.mark.parametrize("date", ["0001", "0001-01-01", "9999", "9999-12", "9999-12-31"])
def test_dates_far_away_are_kept_and_found(fhir: Fhir, date: str) -> None:
    made = fhir.made("Patient", birthDate=date)
    assert made["birthDate"] == date
    for search in (f"birthdate={date}", f"birthdate=ge{date}", f"birthdate=le{date}", "_sort=birthdate"):
        answer = fhir.get(f"Patient?{search}")
        assert answer.status_code == 200, answer.text
        assert [entry["resource"]["id"] for entry in answer.json()["entry"]] == [made["id"]], search


@pytest.mark.parametrize(
    "time",
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "2016-12-31T23:59:60Z"],
)  # fmt: skip
def test_times_far_away_are_kept(fhir: Fhir, time: str) -> None:
    made = fhir.made("Observation", status="final", code={"text": "x"}, effectiveDateTime=time, issued=time)
    assert (made["effectiveDateTime"], made["issued"]) == (time, time)
    assert fhir.get("Observation?_sort=date&date=ge0001").status_code == 200
