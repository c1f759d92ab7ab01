"""Many resources in one unit of work: what is copied into the tables is what would have been inserted."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.fhir import transaction
from gateway.fhir.bundle_targets import Context
from gateway.fhir.entries import Entry
from gateway.records import Records
from gateway.unit import Unit
from mappings import resource
from mappings.resources import REGISTRY, WITH_TABLES
from storage.lexical import DECODER
from storage.writer import MANY
from tests.fixtures.records import FHIR, as_sent
from tests.unit.fhir.samples import valid


def rendered_again(records: Records, resource_type: str, fhir_id: str) -> bytes:
    def work(unit: Unit) -> bytes:
        return resource.render(REGISTRY[resource_type], unit.get(resource_type, fhir_id))

    return records.unit(FHIR, work)


def posted(records: Records, name: str, value: dict[str, Any], count: int) -> list[str]:
    entries = [Entry(place, "POST", name, value) for place in range(count)]
    done = transaction.run(Context(records, FHIR, "http://here.example/fhir"), entries)
    return [item.version.fhir_id for item in done if item.version]


@pytest.mark.parametrize("name", [*sorted(WITH_TABLES), "Claim", "MedicationRequest"])
def test_rows_that_were_copied_give_the_stored_bytes_again(records: Records, name: str) -> None:
    value = valid(name)
    made = posted(records, name, value, MANY + 10)
    assert len(set(made)) == MANY + 10
    for fhir_id in (made[0], made[-1]):
        stored = records.read(FHIR, name, fhir_id).content
        assert stored is not None
        assert as_sent(DECODER.decode(stored)) == as_sent(value)
        assert rendered_again(records, name, fhir_id) == stored


def test_what_was_copied_is_updated_and_deleted_together(records: Records) -> None:
    made = posted(records, "Patient", valid("Patient"), MANY + 10)
    context = Context(records, FHIR, "http://here.example/fhir")
    puts = [
        Entry(place, "PUT", f"Patient/{name}", {"resourceType": "Patient", "id": name, "gender": "other"})
        for place, name in enumerate(made)
    ]
    assert {item.status for item in transaction.run(context, puts)} == {200}
    stored = records.read(FHIR, "Patient", made[-1]).content
    assert stored is not None
    assert rendered_again(records, "Patient", made[-1]) == stored
    gone = [Entry(place, "DELETE", f"Patient/{name}") for place, name in enumerate(made)]
    assert {item.version.version for item in transaction.run(context, gone) if item.version} == {3}


@pytest.mark.parametrize("count", [1, 9, 10, 11, 19, 20, 21, 39, 40, 41, MANY, MANY + 1])
def test_however_many_rows_a_table_gets_each_is_there_once_and_in_its_place(
    records: Records, count: int
) -> None:
    told = [{"system": "phone", "value": f"+1 555 {place:04d}"} for place in range(count)]
    made = records.create(FHIR, "Patient", {"resourceType": "Patient", "telecom": told})
    assert made.content is not None
    assert DECODER.decode(made.content)["telecom"] == told
    assert rendered_again(records, "Patient", made.fhir_id) == made.content
