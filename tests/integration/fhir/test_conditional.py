"""Interactions that name a resource by criteria: https://hl7.org/fhir/R4/http.html#cond-update."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx
import pytest

from tests.fixtures.server import Fhir, outcome

WRITERS = 32
CRITERIA = "identifier=urn:x|1"


def patient(number: str = "1", **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": number}], **elements}


def at_once(work: Callable[[int], httpx.Response], writers: int = WRITERS) -> Counter[int]:
    start = Barrier(writers)

    def run(number: int) -> int:
        start.wait()
        return work(number).status_code

    with ThreadPoolExecutor(writers) as pool:
        return Counter(pool.map(run, range(writers)))


def total(fhir: Fhir, query: str = "Patient?_summary=count") -> int:
    return fhir.get(query).json()["total"]


# --- create ---


def test_a_conditional_create_stores_what_is_not_there_and_answers_what_is(fhir: Fhir) -> None:
    first = fhir.post("Patient", patient(gender="male"), if_none_exist=CRITERIA)
    assert first.status_code == 201
    again = fhir.post("Patient", patient(gender="female"), if_none_exist=CRITERIA)
    assert (again.status_code, again.content) == (200, first.content)
    # With the type before it, as some clients send it.
    assert fhir.post("Patient", patient(), if_none_exist=f"Patient?{CRITERIA}").content == first.content
    for header in ("location", "etag", "last-modified"):
        assert again.headers[header] == first.headers[header]
    assert total(fhir) == 1


def test_criteria_that_find_several_are_refused_and_nothing_is_stored(fhir: Fhir) -> None:
    fhir.post("Patient", patient())
    fhir.post("Patient", patient())
    outcome(fhir.post("Patient", patient(), if_none_exist=CRITERIA), 412, "multiple-matches")
    outcome(fhir.put(f"Patient?{CRITERIA}", patient()), 412, "multiple-matches")
    merge = fhir.ask("PATCH", f"Patient?{CRITERIA}", b"{}", content_type="application/merge-patch+json")
    outcome(merge, 412, "multiple-matches")
    assert total(fhir) == 2


def test_a_deleted_resource_is_not_found_by_criteria(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", **{k: v for k, v in patient().items() if k != "resourceType"})
    fhir.delete("Patient/p")
    assert fhir.post("Patient", patient(), if_none_exist=CRITERIA).status_code == 201


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        ("", "invalid"),
        ("identifier=", "invalid"),
        ("nonsense=1", "not-supported"),
        ("identifier=urn:x|1&nonsense=1", "not-supported"),
        ("identifier=urn:x|1&_count=1", "invalid"),
        ("_sort=name", "invalid"),
        ("birthdate=soon", "value"),
        ("_format=json", "invalid"),
    ],
)
def test_criteria_that_say_nothing_or_something_unknown_are_refused(
    fhir: Fhir, criteria: str, code: str
) -> None:
    fhir.post("Patient", patient())
    lenient = {"prefer": "handling=lenient"}
    outcome(fhir.post("Patient", patient("2"), if_none_exist=criteria, **lenient), 400, code)
    outcome(fhir.put(f"Patient?{criteria}", patient("2"), **lenient), 400, code)
    outcome(fhir.delete(f"Patient?{criteria}", **lenient), 400, code)
    assert total(fhir) == 1


def test_the_content_of_a_conditional_write_is_judged_like_any_other(fhir: Fhir) -> None:
    outcome(fhir.post("Patient", patient(gender="femal"), if_none_exist=CRITERIA), 422, "code-invalid")
    outcome(fhir.put(f"Patient?{CRITERIA}", patient(gender="femal")), 422, "code-invalid")
    outcome(fhir.put(f"Encounter?{CRITERIA}", patient()), 400, "invalid")
    outcome(fhir.put("Unicorn?identifier=1", patient()), 404, "not-supported")


def test_of_many_writers_with_the_same_criteria_one_creates(fhir: Fhir) -> None:
    for number in ("1", "2", "3"):
        statuses = at_once(
            lambda _, n=number: fhir.post("Patient", patient(n), if_none_exist=f"identifier=urn:x|{n}")
        )
        assert statuses == {201: 1, 200: WRITERS - 1}
        assert total(fhir, f"Patient?identifier=urn:x|{number}&_summary=count") == 1


def test_criteria_that_differ_but_name_the_same_number_do_not_create_twice(fhir: Fhir) -> None:
    spellings = ["identifier=urn:x|1", "identifier=1", "identifier=urn:x%7C1&_format=json", "?identifier=1"]
    statuses = at_once(lambda n: fhir.post("Patient", patient(), if_none_exist=spellings[n % len(spellings)]))
    assert statuses == {201: 1, 200: WRITERS - 1}


def test_of_conditional_and_plain_writers_of_a_unique_number_one_creates(fhir: Fhir) -> None:
    mrn = {"system": "http://suture.example.org/fhir/sid/mrn", "value": "M1"}
    value = {"resourceType": "Patient", "identifier": [mrn]}
    asked = f"identifier={mrn['system']}|M1"
    statuses = at_once(
        lambda n: fhir.post("Patient", value, **({"if_none_exist": asked} if n % 2 else {})), 16
    )
    assert statuses[201] == 1
    assert statuses.keys() <= {200, 201, 409}
    assert total(fhir) == 1


# --- update ---


def test_a_conditional_update_replaces_the_one_that_is_found(fhir: Fhir) -> None:
    made = fhir.post("Patient", patient()).json()
    answer = fhir.put(f"Patient?{CRITERIA}", patient(gender="male"))
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.json()["id"] == made["id"]
    assert fhir.get(f"Patient/{made['id']}").content == answer.content
    same = fhir.put(f"Patient?{CRITERIA}", patient(gender="male", id=made["id"]))
    assert (same.status_code, same.headers["etag"]) == (200, 'W/"2"')


def test_a_conditional_update_that_finds_nothing_creates_under_the_id_of_the_body_if_any(fhir: Fhir) -> None:
    plain = fhir.put(f"Patient?{CRITERIA}", patient())
    assert plain.status_code == 201
    assert plain.headers["location"].endswith(f"Patient/{plain.json()['id']}/_history/1")
    named = fhir.put("Patient?identifier=urn:x|2", patient("2", id="mine"))
    assert (named.status_code, named.json()["id"]) == (201, "mine")


def test_an_id_that_is_not_that_of_what_is_found_is_refused(fhir: Fhir) -> None:
    fhir.made("Patient", id="other")
    fhir.made("Patient", id="p", identifier=[{"system": "urn:x", "value": "1"}])
    outcome(fhir.put(f"Patient?{CRITERIA}", patient(id="other")), 400, "invalid")
    outcome(fhir.put("Patient?identifier=urn:x|9", patient(id="other")), 409, "conflict")
    assert "identifier" not in fhir.get("Patient/other").json()


def test_if_match_holds_for_what_criteria_find(fhir: Fhir) -> None:
    outcome(fhir.put(f"Patient?{CRITERIA}", patient(), if_match="*"), 412)
    made = fhir.post("Patient", patient()).json()
    outcome(fhir.put(f"Patient?{CRITERIA}", patient(gender="male"), if_match='W/"2"'), 412, "conflict")
    outcome(fhir.delete(f"Patient?{CRITERIA}", if_match='W/"2"'), 412, "conflict")
    assert fhir.put(f"Patient?{CRITERIA}", patient(gender="male"), if_match='W/"1"').status_code == 200
    assert fhir.delete(f"Patient?{CRITERIA}", if_match='W/"2"').status_code == 204
    outcome(fhir.get(f"Patient/{made['id']}"), 410)


def test_many_conditional_updates_make_one_resource_and_lose_nothing(fhir: Fhir) -> None:
    statuses = at_once(lambda n: fhir.put(f"Patient?{CRITERIA}", patient(multipleBirthInteger=n + 1)))
    assert statuses == {201: 1, 200: WRITERS - 1}
    (entry,) = fhir.get(f"Patient?{CRITERIA}").json()["entry"]
    assert entry["resource"]["meta"]["versionId"] == str(WRITERS)


def test_what_no_longer_fits_the_criteria_is_not_written_over(fhir: Fhir) -> None:
    """Each writer takes the number away from the one who has it: whoever comes later must make a new one."""
    statuses = at_once(lambda n: fhir.put(f"Patient?{CRITERIA}", patient(f"taken-{n}")), 8)
    assert statuses[201] == 8
    assert total(fhir) == 8


# --- delete ---


def test_a_conditional_delete_takes_all_that_is_found(fhir: Fhir) -> None:
    for number in ("1", "1", "1", "2"):
        fhir.post("Patient", patient(number))
    answer = fhir.delete(f"Patient?{CRITERIA}", prefer="return=OperationOutcome")
    assert (answer.status_code, answer.json()["issue"][0]["diagnostics"]) == (200, "3 resources deleted.")
    assert total(fhir) == 1
    assert fhir.delete(f"Patient?{CRITERIA}").status_code == 204
    one = fhir.delete("Patient?identifier=urn:x|2")
    assert (one.status_code, one.headers["etag"], one.content) == (204, 'W/"2"', b"")


def test_a_conditional_delete_with_a_version_is_of_one(fhir: Fhir) -> None:
    fhir.post("Patient", patient())
    fhir.post("Patient", patient())
    outcome(fhir.delete(f"Patient?{CRITERIA}", if_match='W/"1"'), 412, "multiple-matches")
    assert total(fhir) == 2


def test_a_conditional_delete_is_of_all_or_of_none(fhir: Fhir) -> None:
    fhir.made("Patient", id="a", **{k: v for k, v in patient().items() if k != "resourceType"})
    fhir.made("Patient", id="b", **{k: v for k, v in patient().items() if k != "resourceType"})
    about = {"subject": {"reference": "Patient/b"}}
    fhir.made("Observation", status="final", code={"text": "x"}, **about)
    outcome(fhir.delete(f"Patient?{CRITERIA}"), 409, "conflict")
    assert total(fhir) == 2


def test_parts_are_deleted_before_what_they_are_part_of(fhir: Fhir) -> None:
    def made(fhir_id: str, **elements: Any) -> None:
        code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
        fhir.made("Encounter", **{"id": fhir_id, "status": "finished", "class": code, **elements})

    for name, whole in (("a", None), ("b", "a"), ("c", "b")):
        made(name, **({"partOf": {"reference": f"Encounter/{whole}"}} if whole else {}))
    assert fhir.delete("Encounter?status=finished").status_code == 204
    assert total(fhir, "Encounter?_summary=count") == 0


# --- prefer ---


@pytest.mark.parametrize("method", ["create", "update", "patch"])
def test_what_is_returned_is_what_is_preferred(fhir: Fhir, method: str) -> None:
    def ask(prefer: str, number: int) -> httpx.Response:
        value = patient(multipleBirthInteger=number)
        if method == "create":
            return fhir.post("Patient", value, if_none_exist=f"identifier=urn:y|{number}", prefer=prefer)
        if method == "update":
            return fhir.put(f"Patient?{CRITERIA}", value, prefer=prefer)
        fhir.put(f"Patient?{CRITERIA}", patient())
        kind = "application/merge-patch+json"
        merge = b'{"multipleBirthInteger":%d}' % number
        return fhir.ask("PATCH", f"Patient?{CRITERIA}", merge, content_type=kind, prefer=prefer)

    minimal = ask("return=minimal", 1)
    assert (minimal.content, minimal.status_code in (200, 201)) == (b"", True)
    assert minimal.headers["etag"]
    assert ask("return=OperationOutcome", 2).json()["resourceType"] == "OperationOutcome"
    assert ask("return=representation", 3).json()["multipleBirthInteger"] == 3
    assert ask("respond-async; wait=1", 4).json()["multipleBirthInteger"] == 4


# --- criteria that name what is held here ---


def test_criteria_know_the_value_sets_that_are_held(fhir: Fhir) -> None:
    codes = {"compose": {"include": [{"system": "urn:bones", "concept": [{"code": "tibia"}]}]}}
    named = {"resourceType": "ValueSet", "url": "urn:shins", "status": "active", **codes}
    assert fhir.post("ValueSet", named).status_code == 201
    told = {"code": {"coding": [{"system": "urn:bones", "code": "tibia"}]}}
    finding = {"resourceType": "Observation", "status": "final", **told}
    criteria = "code:in=urn:shins"
    assert fhir.post("Observation", finding, if_none_exist=criteria).status_code == 201
    assert fhir.post("Observation", finding, if_none_exist=criteria).status_code == 200
    entry = {"method": "POST", "url": "Observation", "ifNoneExist": criteria}
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [{"resource": finding, "request": entry}],
    }
    assert fhir.post("", bundle).json()["entry"][0]["response"]["status"].startswith("200")
    assert fhir.delete(f"Observation?{criteria}").status_code == 204
    assert fhir.get("Observation?_summary=count").json()["total"] == 0
