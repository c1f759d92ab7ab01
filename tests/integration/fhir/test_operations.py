"""$validate, $meta, $meta-add, $meta-delete, $lastn: https://hl7.org/fhir/R4/operationslist.html."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gateway.fhir import xml
from mappings.operations import OPERATIONS
from storage.session import Store
from tests.fixtures.server import Fhir, outcome, rows

XML = "application/fhir+xml"
TAG = {"system": "urn:t", "code": "a"}
PATIENT = {"resourceType": "Patient", "id": "p"}


def issues(answer: httpx.Response) -> list[dict[str, Any]]:
    """Return the issues of what $validate answered."""
    assert answer.status_code == 200, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"
    return answer.json()["issue"]


def fine(answer: httpx.Response) -> bool:
    return [issue["severity"] for issue in issues(answer)] == ["information"]


def parameters(**values: Any) -> dict[str, Any]:
    """Return Parameters; each value is a pair of the name of its type and the value."""
    listed = [{"name": name, kind: value} for name, (kind, value) in values.items()]
    return {"resourceType": "Parameters", "parameter": listed}


# --- $validate ---


def test_a_resource_is_validated_and_not_stored(fhir: Fhir, store: Store) -> None:
    before = rows(store)
    assert fine(fhir.post("Patient/$validate", {"resourceType": "Patient"}))
    assert fine(fhir.post("Patient/$validate", parameters(resource=("resource", PATIENT))))
    for mode in ("create", "update"):
        assert fine(fhir.post(f"Patient/$validate?mode={mode}", PATIENT))
        body = parameters(mode=("valueCode", mode), resource=("resource", PATIENT))
        assert fine(fhir.post("Patient/$validate", body))
    assert fine(fhir.post("Patient/$validate", xml.write(PATIENT), content_type=XML))
    assert rows(store) == before


def test_all_faults_of_a_resource_are_told(fhir: Fhir) -> None:
    found = issues(
        fhir.post("Patient/$validate", {"resourceType": "Patient", "gender": "x", "brthDate": "1"})
    )
    assert sorted(issue["expression"][0] for issue in found) == ["Patient.brthDate", "Patient.gender"]
    assert issues(fhir.post("Patient/$validate", {"resourceType": "Group"}))[0]["code"] == "invalid"


def test_an_update_is_judged_by_its_id_and_by_the_rules(fhir: Fhir, store: Store) -> None:
    assert (
        issues(fhir.post("Patient/$validate?mode=update", {"resourceType": "Patient"}))[0]["code"]
        == "required"
    )
    assert issues(fhir.post("Patient/q/$validate?mode=update", PATIENT))[0]["code"] == "invalid"
    mrn = {"system": "http://suture.example.org/fhir/sid/mrn", "value": "1"}
    fhir.made("Patient", id="q", identifier=[mrn])
    before = rows(store)
    (found,) = issues(fhir.post("Patient/$validate?mode=create", {**PATIENT, "identifier": [mrn]}))
    assert found["code"] == "duplicate"
    assert fine(fhir.post("Patient/q/$validate?mode=update", {**PATIENT, "id": "q", "identifier": [mrn]}))
    assert rows(store) == before
    assert fhir.get("Patient/q").json()["meta"]["versionId"] == "1"


def test_a_delete_is_judged_by_what_depends_on_the_resource(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    assert fine(fhir.get("Patient/p/$validate?mode=delete"))
    fhir.made("Condition", id="c", subject={"reference": "Patient/p"})
    (found,) = issues(fhir.get("Patient/p/$validate?mode=delete"))
    assert (found["severity"], found["code"]) == ("error", "conflict")
    fhir.delete("Condition/c")
    assert fine(fhir.post("Patient/p/$validate", parameters(mode=("valueCode", "delete"))))
    assert fhir.get("Patient/p").status_code == 200


def test_what_is_stored_can_be_validated(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    assert fine(fhir.get("Patient/p/$validate"))
    outcome(fhir.get("Patient/nobody/$validate"), 404, "not-found")


def test_only_the_base_profile_is_known(fhir: Fhir) -> None:
    base = "http://hl7.org/fhir/StructureDefinition/Patient"
    assert fine(fhir.post(f"Patient/$validate?profile={base}", PATIENT))
    assert fine(fhir.post(f"Patient/$validate?profile={base}%7C4.0.1", PATIENT))
    (found,) = issues(fhir.post("Patient/$validate?profile=urn:mine", PATIENT))
    assert (found["severity"], found["code"]) == ("error", "not-supported")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("Patient/$validate", None, "invalid"),
        ("Patient/$validate?mode=x", PATIENT, "value"),
        ("Patient/$validate?x=y", PATIENT, "not-supported"),
        ("Patient/$validate", {"resourceType": "Parameters", "parameter": [{"name": "x"}]}, "invalid"),
        ("Patient/$validate", {"resourceType": "Parameters", "parameter": 1}, "invalid"),
        ("Patient/$validate", parameters(mode=("valueCoding", {"code": "create"})), "invalid"),
        ("Observation/$lastn", parameters(patient=("valueReference", {"reference": "Patient/p"})), "invalid"),
        ("Patient/$validate", {"resourceType": "Parameters", "parameter": ["x"]}, "invalid"),
        ("Patient/$validate", b"{", "structure"),
        ("Patient/$validate?mode=create&mode=update", PATIENT, "invalid"),
    ],
)
def test_a_call_that_is_wrong_is_refused(fhir: Fhir, path: str, body: Any, code: str) -> None:
    answer = fhir.post(path, body) if body is not None else fhir.get(path)
    outcome(answer, 400, code)


# --- $meta ---


def meta(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["parameter"]
    assert found["name"] == "return"
    return found["valueMeta"]


def test_labels_are_added_and_deleted_in_new_versions(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", meta={"tag": [TAG]}, gender="male")
    given = {"tag": [TAG | {"display": "A"}, {"system": "urn:t", "code": "b"}], "profile": ["urn:p"]}
    told = meta(fhir.post("Patient/p/$meta-add", parameters(meta=("valueMeta", given))))
    assert told["tag"] == [TAG, {"system": "urn:t", "code": "b"}]
    assert (told["profile"], told["versionId"]) == (["urn:p"], "2")
    assert meta(fhir.get("Patient/p/$meta")) == told == fhir.get("Patient/p").json()["meta"]
    assert fhir.get("Patient/p").json()["gender"] == "male"
    again = meta(fhir.post("Patient/p/$meta-add", parameters(meta=("valueMeta", given))))
    assert again["versionId"] == "2"
    gone = meta(fhir.post("Patient/p/$meta-delete", parameters(meta=("valueMeta", given))))
    assert gone.keys() == {"versionId", "lastUpdated"}
    assert gone["versionId"] == "3"
    assert fhir.get("Patient?_tag=urn:t%7Cb").json()["total"] == 0


def test_labels_can_be_sent_and_told_in_xml(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    body = xml.write(parameters(meta=("valueMeta", {"security": [TAG]})))
    answer = fhir.post("Patient/p/$meta-add", body, content_type=XML, accept=XML)
    assert xml.read(answer.content)["parameter"][0]["valueMeta"]["security"] == [TAG]


def test_labels_in_use_are_told_of_a_type_and_of_all(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", meta={"tag": [TAG], "profile": ["urn:p"]})
    fhir.made("Patient", id="q", meta={"tag": [TAG | {"display": "A"}]})
    fhir.made("Location", id="l", meta={"security": [TAG]})
    fhir.made("Location", id="m", meta={"tag": [{"code": "gone"}]})
    fhir.delete("Location/m")
    assert meta(fhir.get("Patient/$meta")) == {"profile": ["urn:p"], "tag": [TAG | {"display": "A"}]}
    assert meta(fhir.get("$meta")) == {
        "profile": ["urn:p"],
        "security": [TAG],
        "tag": [TAG | {"display": "A"}],
    }


@pytest.mark.parametrize(
    "value", [{}, {"tag": "x"}, {"tag": [1]}, {"unicorn": 1}, {"profile": [{"a": 1}]}, {"tag": []}]
)
def test_what_is_no_meta_is_refused(fhir: Fhir, value: dict[str, Any]) -> None:
    fhir.made("Patient", id="p")
    for name in ("meta-add", "meta-delete"):
        outcome(fhir.post(f"Patient/p/${name}", parameters(meta=("valueMeta", value))), 400)
    assert fhir.get("Patient/p").json()["meta"]["versionId"] == "1"


@pytest.mark.parametrize("name", ["meta-add", "meta-delete"])
def test_labels_are_changed_at_the_version_that_is_named_alone(fhir: Fhir, name: str) -> None:
    fhir.made("Patient", id="p", meta={"tag": [TAG]})
    other = parameters(meta=("valueMeta", {"tag": [TAG if name == "meta-delete" else TAG | {"code": "b"}]}))
    outcome(fhir.post(f"Patient/p/${name}", other, if_match='W/"2"'), 412, "conflict")
    entry = {
        "request": {"method": "POST", "url": f"Patient/p/${name}", "ifMatch": 'W/"2"'},
        "resource": other,
    }
    outcome(fhir.post("", {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}), 412)
    assert fhir.get("Patient/p").headers["etag"] == 'W/"1"'
    assert fhir.post(f"Patient/p/${name}", other, if_match='W/"1"').status_code == 200
    assert fhir.get("Patient/p").headers["etag"] == 'W/"2"'


@pytest.mark.parametrize("path", ["$no", "Patient/$no", "Patient/p/$no", "Patient/$everything", "$validate"])
def test_an_operation_that_is_not_there_is_named(fhir: Fhir, path: str) -> None:
    fhir.made("Patient", id="p")
    for answer in (fhir.get(path), fhir.post(path, parameters())):
        assert path.rpartition("/")[2] in outcome(answer, 404, "not-supported")["diagnostics"]


def test_an_unknown_parameter_is_told_which_there_are(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    told = outcome(fhir.get("Patient/p/$everything?x=1"), 400)["diagnostics"]
    assert told.endswith("it has start, end, _since, _type, _count, _cursor.")
    assert "'junk'" in outcome(fhir.get("Patient/p/$everything?start=junk"), 400)["diagnostics"]
    assert "'junk'" in outcome(fhir.get("Patient/p/$everything?_since=junk"), 400)["diagnostics"]


def test_labels_of_what_is_not_there_are_not_changed(fhir: Fhir) -> None:
    body = parameters(meta=("valueMeta", {"tag": [TAG]}))
    outcome(fhir.post("Patient/nobody/$meta-add", body), 404, "not-found")
    outcome(fhir.get("Patient/nobody/$meta"), 404, "not-found")
    outcome(fhir.get("Patient/nobody/$meta-add"), 405)
    outcome(fhir.post("Patient/nobody/$meta-add", None), 400)


# --- $lastn ---


def observe(fhir: Fhir, name: str, when: str | None, *codes: str, **more: Any) -> None:
    coding = [{"system": "urn:c", "code": code} for code in codes]
    value: dict[str, Any] = {"status": "final", "code": {"coding": coding} if coding else {"text": "Mood"}}
    value["subject"] = {"reference": f"Patient/{more.pop('patient', 'p')}"}
    if when:
        value["effectiveDateTime"] = when
    fhir.made("Observation", id=name, **value, **more)


@pytest.fixture
def charted(fhir: Fhir) -> Fhir:
    fhir.made("Patient", id="p")
    fhir.made("Patient", id="q")
    observe(fhir, "w1", "2024-01-01", "weight")
    observe(fhir, "w2", "2024-01-02T10:00:00Z", "weight", "mass")
    observe(fhir, "w3", "2024-01-03", "mass")
    observe(fhir, "w0", None, "mass")
    observe(fhir, "h1", "2023", "height")
    observe(fhir, "t1", "2022")
    observe(fhir, "t2", "2021")
    observe(fhir, "q1", "2025", "weight", patient="q")
    return fhir


def lastn(fhir: Fhir, query: str) -> list[str]:
    answer = fhir.get(f"Observation/$lastn?{query}")
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    found = [entry["resource"]["id"] for entry in bundle.get("entry", [])]
    assert (bundle["type"], bundle["total"]) == ("searchset", len(found))
    return found


def test_the_latest_of_each_code_is_told(charted: Fhir) -> None:
    assert lastn(charted, "patient=p") == ["w3", "h1", "t1"]
    assert lastn(charted, "subject=Patient/p&max=2") == ["w3", "w2", "h1", "t1", "t2"]
    assert lastn(charted, "patient=p&max=10") == ["w3", "w2", "w1", "w0", "h1", "t1", "t2"]
    assert lastn(charted, "patient=p&code=weight") == ["w2"]
    assert lastn(charted, "patient=p&date=lt2024") == ["h1", "t1"]
    assert lastn(charted, "patient=nobody") == []
    assert lastn(charted, "code=weight&max=3") == ["q1", "w2", "w1"]


@pytest.mark.parametrize(
    "query",
    ["max=0", "max=x", "max=-1", "_sort=date", "_include=Observation:subject", "unicorn=1", "_count=2"],
)
def test_a_wrong_question_for_the_latest_is_refused(charted: Fhir, query: str) -> None:
    outcome(charted.get(f"Observation/$lastn?patient=p&{query}"), 400)


def test_the_latest_may_be_asked_for_by_post(charted: Fhir) -> None:
    body = parameters(patient=("valueString", "p"), max=("valuePositiveInt", 1))
    answer = charted.post("Observation/$lastn", body, accept=XML)
    assert len(xml.read(answer.content)["entry"]) == 3


# --- the statement ---


def test_the_statement_lists_what_each_type_has_and_no_other(fhir: Fhir) -> None:
    rest = fhir.get("metadata").json()["rest"][0]
    told = {
        entry["type"]: {made["name"]: made["definition"] for made in entry["operation"]}
        for entry in rest["resource"]
    }
    assert [made["name"] for made in rest["operation"]] == ["meta"]
    assert told["Patient"]["everything"] == "http://hl7.org/fhir/OperationDefinition/Patient-everything"
    for kind in ("Patient", "Encounter", "Observation", "Location", "Immunization"):
        for offered in OPERATIONS:
            level = offered.levels[-1]
            path = f"{kind}/${offered.name}" if level == "type" else f"{kind}/nobody/${offered.name}"
            issue = fhir.post(path, {"resourceType": "Parameters"}).json().get("issue", [{}])[0]
            absent = "has no operation" in issue.get("diagnostics", "")
            assert absent is (offered.name not in told[kind]), (kind, offered.name)
