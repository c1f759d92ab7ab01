"""transaction: https://hl7.org/fhir/R4/http.html#transaction."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from storage.session import Store
from tests.fixtures.bundles import (
    answers,
    condition,
    entry,
    name_of,
    patient,
    send,
    statuses,
    urn,
)
from tests.fixtures.server import Fhir, outcome, rows

JANE, HIP, VISIT = urn("jane"), urn("hip"), urn("visit")


def encounter(subject: str, **elements: Any) -> dict[str, Any]:
    return {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": {"reference": subject},
        **elements,
    }


# --- creating, and the links between entries ---


def test_entries_refer_to_each_other_in_any_order_and_in_circles(fhir: Fhir) -> None:
    visit = encounter(JANE, diagnosis=[{"condition": {"reference": HIP}}])
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Condition", condition(JANE, encounter={"reference": VISIT}), HIP),
        entry("POST", "Encounter", visit, VISIT),
        entry("POST", "Patient", patient(), JANE),
    )
    hip, seen, jane = (name_of(found) for found in answers(answer))
    assert [name.split("/")[0] for name in (hip, seen, jane)] == ["Condition", "Encounter", "Patient"]
    stored = fhir.get(hip).json()
    assert stored["subject"]["reference"] == jane
    assert stored["encounter"]["reference"] == seen
    assert fhir.get(seen).json()["diagnosis"][0]["condition"]["reference"] == hip
    assert fhir.get(f"Condition?patient={jane}").json()["total"] == 1


def test_each_answer_tells_status_place_version_and_time(fhir: Fhir) -> None:
    fhir.made("Patient", id="old")
    answer = send(
        fhir,
        "transaction",
        entry("PUT", "Patient/old", patient(id="old", gender="female")),
        entry("PUT", "Patient/new", patient(id="new")),
        entry("DELETE", "Patient/never"),
        entry("POST", "Patient", patient()),
    )
    changed, made, gone, posted = answers(answer)
    assert statuses(answer) == ["200", "201", "204", "201"]
    assert changed["response"]["location"] == "Patient/old/_history/2"
    assert made["response"]["location"] == "Patient/new/_history/1"
    assert made["response"]["etag"] == 'W/"1"'
    assert made["response"]["lastModified"] == fhir.get("Patient/new").json()["meta"]["lastUpdated"]
    assert set(gone["response"]) == {"status"}
    assert posted["response"]["status"] == "201 Created"
    assert "resource" not in posted


def test_prefer_tells_what_each_answer_shows(fhir: Fhir) -> None:
    wanted = entry("POST", "Patient", patient(gender="male"))
    (whole,) = answers(send(fhir, "transaction", wanted, prefer="return=representation"))
    assert whole["resource"] == fhir.get(name_of(whole)).json()
    (told,) = answers(send(fhir, "transaction", wanted, prefer="return=OperationOutcome"))
    assert told["response"]["outcome"]["resourceType"] == "OperationOutcome"
    (bare,) = answers(send(fhir, "transaction", wanted, prefer="return=minimal"))
    assert set(bare) == {"response"}


def test_links_in_narrative_and_uris_follow_and_canonicals_stay(fhir: Fhir) -> None:
    div = (
        f'<div xmlns="http://www.w3.org/1999/xhtml">see <a href="{JANE}">her</a> '
        f'<img src="{JANE}" alt="x"/> and {JANE}</div>'
    )
    sent = condition(
        JANE,
        meta={"profile": [JANE]},
        text={"status": "generated", "div": div},
        extension=[
            {"url": "http://x.example/uri", "valueUri": JANE},
            {"url": "http://x.example/string", "valueString": JANE},
            {"url": "http://x.example/canonical", "valueCanonical": JANE},
        ],
    )
    answer = send(
        fhir, "transaction", entry("POST", "Condition", sent), entry("POST", "Patient", patient(), JANE)
    )
    made, jane = (name_of(found) for found in answers(answer))
    stored = fhir.get(made).json()
    assert stored["text"]["div"].count(f'"{jane}"') == 2
    assert f"and {JANE}" in stored["text"]["div"]
    assert stored["meta"]["profile"] == [JANE]
    assert [item.popitem()[1] for item in stored["extension"]] == [jane, JANE, JANE]


def test_relative_references_count_from_the_base_of_their_own_entry(fhir: Fhir) -> None:
    fhir.made("Patient", id="1")
    other = "http://other.example/fhir"
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient(), f"{other}/Patient/1"),
        entry("POST", "Condition", condition("Patient/1"), f"{other}/Condition/1"),
        entry("POST", "Condition", condition(f"{other}/Patient/1"), HIP),
        entry("POST", "Condition", condition("Patient/1"), urn("here")),
    )
    jane, *made = (name_of(found) for found in answers(answer))
    subjects = [fhir.get(name).json()["subject"]["reference"] for name in made]
    assert subjects == [jane, jane, "Patient/1"]


def test_a_reference_to_an_entry_of_the_wrong_type_is_refused(fhir: Fhir, store: Store) -> None:
    before = rows(store)
    told = outcome(
        send(
            fhir,
            "transaction",
            entry("POST", "Condition", condition(HIP), urn("other")),
            entry("POST", "Organization", {"resourceType": "Organization", "name": "x"}, HIP),
        ),
        422,
        "value",
    )
    assert told["expression"] == ["Bundle.entry[0]"]
    assert "Organization" in told["diagnostics"]
    assert rows(store) == before


def test_a_reference_that_asks_for_its_version_gets_the_one_that_is_made(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane")
    pinned = {
        "reference": "Patient/jane",
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/resolve-as-version-specific",
                "valueBoolean": True,
            }
        ],
    }
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Condition", condition("x") | {"subject": pinned}),
        entry("PUT", "Patient/jane", patient(id="jane")),
    )
    stored = fhir.get(name_of(answers(answer)[0])).json()
    assert stored["subject"]["reference"] == "Patient/jane/_history/2"
    assert fhir.get("Patient/jane/_history/2").status_code == 200


def test_a_version_that_an_entry_brings_becomes_the_one_that_is_made(fhir: Fhir) -> None:
    there = "http://other.example/fhir/Patient/9"
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient(meta={"versionId": "7"}), there),
        entry("POST", "Condition", condition(f"{there}/_history/7")),
        entry("POST", "Condition", condition(f"{there}/_history/6")),
    )
    jane, same, older = (name_of(found) for found in answers(answer))
    assert fhir.get(same).json()["subject"]["reference"] == f"{jane}/_history/1"
    assert fhir.get(older).json()["subject"]["reference"] == f"{there}/_history/6"


def test_orders_of_one_transaction_get_numbers_that_follow_each_other(fhir: Fhir) -> None:
    order = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"reference": JANE},
    }
    plan = order | {"intent": "plan"}
    answer = send(
        fhir,
        "transaction",
        *[entry("POST", "ServiceRequest", value) for value in (order, plan, order, order)],
        entry("POST", "Patient", patient(), JANE),
        prefer="return=representation",
    )
    listed = [
        [item["value"] for item in found["resource"].get("identifier", [])] for found in answers(answer)[:4]
    ]
    assert listed[1] == []
    for kind in ("ACC", "ORD"):
        numbers = [int(text[9:]) for told in listed for text in told if text.startswith(kind)]
        assert numbers == list(range(numbers[0], numbers[0] + 3))


# --- the order of things ---


def test_what_is_read_is_what_the_transaction_has_written(fhir: Fhir) -> None:
    fhir.made("Patient", id="gone")
    answer = send(
        fhir,
        "transaction",
        entry("GET", "Patient?_summary=count"),
        entry("GET", "Patient/jane"),
        entry("HEAD", "Patient/jane"),
        entry("GET", "Patient/jane/_history"),
        entry("GET", "Patient/jane/_history/1"),
        entry("GET", "Patient/jane", ifNoneMatch='W/"1"'),
        entry("PUT", "Patient/jane", patient(id="jane", gender="female")),
        entry("DELETE", "Patient/gone"),
    )
    count, read, head, history, version, known, *_ = answers(answer)
    assert statuses(answer) == ["200", "200", "200", "200", "200", "304", "201", "204"]
    assert count["resource"]["total"] == 1
    assert read["resource"]["gender"] == "female"
    assert read["response"]["etag"] == 'W/"1"'
    assert history["resource"]["total"] == 1
    assert version["resource"] == read["resource"]
    assert "resource" not in head
    assert "resource" not in known


def test_a_read_that_fails_fails_all(fhir: Fhir, store: Store) -> None:
    before = rows(store)
    told = outcome(
        send(
            fhir,
            "transaction",
            entry("POST", "Patient", patient()),
            entry("GET", "Patient/nobody"),
        ),
        404,
        "not-found",
    )
    assert told["expression"] == ["Bundle.entry[1]"]
    assert rows(store) == before


def test_what_is_deleted_is_gone_for_a_conditional_create(fhir: Fhir) -> None:
    fhir.made("Patient", id="old", identifier=[{"system": "urn:x", "value": "1"}])
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", patient(), ifNoneExist="identifier=urn:x|1"),
        entry("DELETE", "Patient/old"),
    )
    assert statuses(answer) == ["201", "204"]
    outcome(fhir.get("Patient/old"), 410, "deleted")


def test_a_patient_goes_together_with_all_that_belongs_to_it(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane")
    fhir.made("Condition", id="hip", subject={"reference": "Patient/jane"})
    refused = send(fhir, "transaction", entry("DELETE", "Patient/jane"))
    assert outcome(refused, 409, "conflict")["expression"] == ["Bundle.entry[0]"]
    assert fhir.get("Patient/jane").status_code == 200
    answer = send(fhir, "transaction", entry("DELETE", "Patient/jane"), entry("DELETE", "Condition/hip"))
    assert statuses(answer) == ["204", "204"]
    outcome(fhir.get("Patient/jane"), 410, "deleted")


def test_nothing_may_begin_to_belong_to_what_is_deleted(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane")
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Condition", condition("Patient/jane")),
        entry("DELETE", "Patient/jane"),
    )
    assert outcome(answer, 409, "conflict")["expression"] == ["Bundle.entry[1]"]
    assert fhir.get("Patient/jane").status_code == 200


# --- updates, patches, and their conditions ---


def test_an_update_that_changes_nothing_makes_no_version(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane", gender="female")
    (same,) = answers(
        send(fhir, "transaction", entry("PUT", "Patient/jane", patient(id="jane", gender="female")))
    )
    assert same["response"]["location"] == "Patient/jane/_history/1"
    assert fhir.get("Patient/jane/_history").json()["total"] == 1


def test_a_stale_version_fails_all_and_names_its_entry(fhir: Fhir, store: Store) -> None:
    fhir.made("Patient", id="jane")
    before = rows(store)
    told = outcome(
        send(
            fhir,
            "transaction",
            entry("POST", "Patient", patient()),
            entry("PUT", "Patient/jane", patient(id="jane", gender="male"), ifMatch='W/"9"'),
        ),
        412,
        "conflict",
    )
    assert told["expression"] == ["Bundle.entry[1]"]
    assert rows(store) == before


def test_if_none_match_any_updates_only_what_is_not_there(fhir: Fhir) -> None:
    wanted = entry("PUT", "Patient/jane", patient(id="jane"), ifNoneMatch="*")
    assert statuses(send(fhir, "transaction", wanted)) == ["201"]
    outcome(send(fhir, "transaction", wanted), 412, "conflict")


def test_patches_of_each_language_change_a_part(fhir: Fhir) -> None:
    for name in ("a", "b", "c"):
        fhir.made("Patient", id=name, gender="male", birthDate="1961")

    def binary(kind: str, patch: Any) -> dict[str, Any]:
        data = base64.b64encode(json.dumps(patch).encode()).decode()
        return {"resourceType": "Binary", "contentType": kind, "data": data}

    steps = [{"op": "replace", "path": "/gender", "value": "female"}]
    parts = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": "Patient.gender"},
        {"name": "value", "valueCode": "female"},
    ]
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": parts}]}
    answer = send(
        fhir,
        "transaction",
        entry("PATCH", "Patient/a", binary("application/json-patch+json", steps)),
        entry("PATCH", "Patient/b", binary("application/merge-patch+json", {"gender": "female"})),
        entry("PATCH", "Patient/c", parameters),
    )
    assert statuses(answer) == ["200", "200", "200"]
    for name in ("a", "b", "c"):
        stored = fhir.get(f"Patient/{name}").json()
        assert (stored["gender"], stored["birthDate"]) == ("female", "1961")


@pytest.mark.parametrize(
    ("resource", "status"),
    [
        ({"resourceType": "Binary", "contentType": "text/plain", "data": "YQ=="}, 415),
        ({"resourceType": "Binary", "contentType": "application/json-patch+json", "data": "!"}, 422),
        ({"resourceType": "Patient", "gender": "male"}, 422),
    ],
)
def test_what_is_no_patch_is_refused(fhir: Fhir, resource: dict[str, Any], status: int) -> None:
    fhir.made("Patient", id="a")
    told = outcome(send(fhir, "transaction", entry("PATCH", "Patient/a", resource)), status)
    assert told["expression"][0].startswith("Bundle.entry[0].resource")
