"""Entries of a transaction whose identities overlap by criteria: https://hl7.org/fhir/R4/http.html#trules."""

from __future__ import annotations

from typing import Any

import pytest

from storage.session import Store
from tests.fixtures.bundles import (
    MRN,
    answers,
    condition,
    entry,
    identified,
    name_of,
    patient,
    send,
    statuses,
    urn,
)
from tests.fixtures.server import Fhir, outcome, rows

OTHER = "urn:q"


def numbered(value: str, **elements: Any) -> dict[str, Any]:
    """Return a Patient with an identifier that nothing keeps unique."""
    return patient(identifier=[{"system": OTHER, "value": value}], **elements)


PATCH = {
    "resourceType": "Parameters",
    "parameter": [
        {
            "name": "operation",
            "part": [
                {"name": "type", "valueCode": "add"},
                {"name": "path", "valueString": "Patient"},
                {"name": "name", "valueString": "active"},
                {"name": "value", "valueBoolean": True},
            ],
        }
    ],
}
UNLESS = f"identifier={OTHER}|3"
ASKED = f"Patient?{UNLESS}"


@pytest.mark.parametrize(
    ("maker", "asking"),
    [
        (entry("POST", "Patient", numbered("3"), ifNoneExist=UNLESS), entry("PUT", ASKED, numbered("3"))),
        (entry("POST", "Patient", numbered("3")), entry("PUT", ASKED, numbered("3"))),
        (entry("POST", "Patient", numbered("3")), entry("PUT", ASKED, patient(gender="male"))),
        (entry("PUT", "Patient/a", numbered("3", id="a")), entry("PUT", ASKED, numbered("3"))),
        (entry("PUT", "Patient/old", numbered("3", id="old")), entry("PUT", ASKED, numbered("3"))),
        (
            entry("POST", "Patient", numbered("3")),
            entry("POST", "Patient", numbered("3"), ifNoneExist="identifier=3"),
        ),
        (
            entry("POST", "Patient", patient(birthDate="1961-05-01")),
            entry("PUT", "Patient?birthdate=1961-05", patient(birthDate="1961-05-02")),
        ),
        (
            entry("POST", "Patient", patient(name=[{"family": "Doe"}], gender="male")),
            entry(
                "PUT", "Patient?family=doe&gender=male", patient(name=[{"family": "Doering"}], gender="male")
            ),
        ),
        (
            entry("POST", "Patient", numbered("3", gender="male")),
            entry("PUT", f"{ASKED}&gender=male", patient()),
        ),
        (
            entry("POST", "Patient", identified("1"), ifNoneExist=f"identifier={MRN}|1"),
            entry("PUT", f"Patient?identifier={MRN}|1", identified("1")),
        ),
        (entry("POST", "Patient", patient(gender="other")), entry("PATCH", "Patient?gender=other", PATCH)),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_criteria_that_find_what_another_entry_writes_fail_all(
    fhir: Fhir, store: Store, maker: dict[str, Any], asking: dict[str, Any], turned: bool
) -> None:
    fhir.made("Patient", id="old", gender="other")
    before = rows(store)
    pair = (asking, maker) if turned else (maker, asking)
    told = outcome(send(fhir, "transaction", *pair), 400, "invalid")
    # Where both have criteria, either is to blame.
    blamed = 0 if told["expression"][0].startswith("Bundle.entry[0].request.") else 1
    assert "?" in str(pair[blamed]["request"]) or "ifNoneExist" in pair[blamed]["request"]
    assert f"Bundle.entry[{1 - blamed}] writes" in told["diagnostics"]
    assert rows(store) == before


def test_creations_by_criteria_that_mean_the_same_in_other_words_fail_all(fhir: Fhir, store: Store) -> None:
    before = rows(store)
    first = entry("POST", "Patient", numbered("3"), ifNoneExist=UNLESS)
    second = entry("POST", "Patient", numbered("3"), ifNoneExist="identifier=3")
    outcome(send(fhir, "transaction", first, second), 400, "invalid")
    assert rows(store) == before
    fhir.made("Patient", identifier=[{"system": OTHER, "value": "3"}])
    assert statuses(send(fhir, "transaction", first, second)) == ["200", "200"]


def test_a_creation_finds_what_an_update_of_the_same_transaction_changes(fhir: Fhir) -> None:
    fhir.made("Patient", id="a", identifier=[{"system": OTHER, "value": "3"}])
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", numbered("3"), urn("jane"), ifNoneExist=UNLESS),
        entry("PUT", "Patient/a", numbered("3", id="a", gender="female")),
        entry("POST", "Condition", condition(urn("jane"))),
    )
    assert statuses(answer) == ["200", "200", "201"]
    assert fhir.get(name_of(answers(answer)[2])).json()["subject"]["reference"] == "Patient/a"
    assert fhir.get("Patient/a").json()["gender"] == "female"


def test_what_a_condition_deletes_may_be_made_anew(fhir: Fhir) -> None:
    fhir.made("Patient", id="a", identifier=[{"system": OTHER, "value": "3"}])
    both = (entry("POST", "Patient", numbered("3")), entry("DELETE", ASKED))
    for _ in range(2):
        assert statuses(send(fhir, "transaction", *both)) == ["201", "204"]
        assert fhir.get(f"{ASKED}&_summary=count").json()["total"] == 1


def test_conditions_that_mean_different_things_stay_apart(fhir: Fhir) -> None:
    fhir.made("Patient", id="old")
    answer = send(
        fhir,
        "transaction",
        entry("POST", "Patient", numbered("3"), ifNoneExist=UNLESS),
        entry("PUT", f"Patient?identifier={OTHER}|4", numbered("4")),
        entry("PUT", "Patient?identifier=urn:r|3", patient(identifier=[{"system": "urn:r", "value": "3"}])),
        entry("PUT", "Patient?birthdate=1999", patient(birthDate="1999")),
        entry("POST", "Patient", patient(birthDate="1998"), ifNoneExist="birthdate=1998"),
        entry("PATCH", "Patient?_id=old", PATCH),
    )
    assert statuses(answer) == ["201"] * 5 + ["200"]
