"""Every official R4 example, and every resource of the Synthea bundles, comes back as it was written.

https://hl7.org/fhir/R4/examples.html
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gateway.fhir import validate, wire
from gateway.records import Records
from gateway.unit import Unit
from mappings import resource
from mappings.resources import REGISTRY
from tests.fixtures.records import FHIR, as_sent


def rendered_again(records: Records, resource_type: str, fhir_id: str) -> bytes:
    def work(unit: Unit) -> bytes:
        record = unit.get(resource_type, fhir_id)
        return resource.render(REGISTRY[resource_type], record)

    return records.unit(FHIR, work)


def check(records: Records, value: dict[str, Any], name: str) -> None:
    """See that a resource is read back equal, and that its rows give the stored bytes again."""
    kind = value["resourceType"]
    made = records.create(FHIR, kind, value)
    stored = records.read(FHIR, kind, made.fhir_id)
    assert stored.content is not None
    assert as_sent(wire.decode(bytes(stored.content))) == as_sent(value), name
    assert rendered_again(records, kind, made.fhir_id) == bytes(stored.content), name


def test_each_example_is_read_back_equal_from_stored_bytes_and_from_the_rows(
    records: Records, corpus: Path
) -> None:
    paths = sorted((corpus / "fhir-r4" / "examples").glob("*.json"))
    for path in paths:
        value = wire.decode(path.read_bytes())
        validate.check(value, value["resourceType"])
        check(records, value, path.name)
    assert len(paths) >= 200


def test_each_resource_of_synthea_is_read_back_equal_from_stored_bytes_and_from_the_rows(
    records: Records, corpus: Path
) -> None:
    seen: set[str] = set()
    for path in sorted((corpus / "synthea").glob("*.json")):
        for entry in wire.decode(path.read_bytes())["entry"]:
            value = entry["resource"]
            validate.check(value, value["resourceType"], conditional_references=True)
            check(records, value, path.name)
            seen.add(value["resourceType"])
    assert seen >= {"Claim", "ExplanationOfBenefit", "Immunization", "CarePlan", "MedicationRequest"}
