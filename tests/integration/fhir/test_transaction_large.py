"""Large transactions: hundreds of conditions, thousands of entries, real bundles.

https://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from storage.lexical import DECODER
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
from tests.fixtures.records import as_sent
from tests.fixtures.server import Fhir
from tests.integration.fhir.test_concurrency import at_once

JANE = urn("jane")


def test_hundreds_of_conditions_find_what_hundreds_of_conditions_made(fhir: Fhir) -> None:
    wanted = [
        entry("POST", "Patient", identified(f"{n}"), ifNoneExist=f"identifier={MRN}|{n}") for n in range(600)
    ]
    first, second = (send(fhir, "transaction", *wanted) for _ in range(2))
    assert (set(statuses(first)), set(statuses(second))) == ({"201"}, {"200"})
    assert [name_of(found) for found in answers(first)] == [name_of(found) for found in answers(second)]


def test_who_asks_by_one_condition_waits_for_who_asks_by_hundreds(fhir: Fhir) -> None:
    many = [
        entry("POST", "Patient", identified(f"{n}"), ifNoneExist=f"identifier={MRN}|{n}") for n in range(600)
    ]

    def write(number: int) -> list[str]:
        return statuses(send(fhir, "transaction", *(many if number == 0 else many[300:301])))

    found = at_once(write, 6)
    assert sum(told.count("201") for told in found) == 600
    assert fhir.get("Patient?_summary=count").json()["total"] == 600


@pytest.mark.slow
def test_ten_thousand_entries_are_one_transaction(fhir: Fhir) -> None:
    conditions = [
        entry("POST", "Condition", condition(JANE, recordedDate=f"20{n % 100:02}")) for n in range(9_999)
    ]
    answer = send(fhir, "transaction", *conditions, entry("POST", "Patient", patient(), JANE))
    found = answers(answer)
    assert {item["response"]["status"] for item in found} == {"201 Created"}
    jane = name_of(found[-1])
    assert fhir.get(f"Condition?patient={jane}&_summary=count").json()["total"] == 9_999


@pytest.mark.slow
def test_the_bundles_of_synthea_go_in_whole(fhir: Fhir, corpus: Path) -> None:
    paths = sorted((corpus / "synthea").glob("*.json"))
    for path in paths:
        value = DECODER.decode(path.read_bytes())
        found = answers(fhir.ask("POST", "", path.read_bytes()))
        names = {sent.get("fullUrl"): name_of(made) for sent, made in zip(value["entry"], found, strict=True)}
        for sent, made in zip(value["entry"], found, strict=True):
            stored = DECODER.decode(fhir.get(name_of(made)).content)
            wanted = json.dumps(json.loads(as_sent(sent["resource"])))
            for url, name in names.items():
                wanted = wanted.replace(url, name)
            assert json.loads(as_sent(stored)) == json.loads(wanted), (path.name, name_of(made))
    assert len(paths) >= 10
